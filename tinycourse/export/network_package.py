"""A network as a package: one program, one input after the other."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from tqdm.auto import tqdm

from tinycourse.codegen import emitter
from tinycourse.errors import TinycourseError
from tinycourse.export.base import COUNTER, FORMAT, MACHINE, Package, must_agree
from tinycourse.program.ops.base import Tensor
from tinycourse.program.program import Program
from tinycourse.targets import toolchain
from tinycourse.targets.binaries import compiled, open_binary

PART = 50  # inputs that a thread runs one after the other


class NetworkPackage(Package):
    """A Program. One that is a part of another model has its `name` there."""

    kind, model_type, counted = "network", Program, "one input"

    def __init__(self, model: Program, name: str = "model"):
        """`name` is what its symbols in C begin with."""
        super().__init__(model)
        self.name = name

    def sources(self, dsp: bool) -> dict[str, str]:
        """See `Package.sources`."""
        return emitter.generate(self.model, self.name, dsp)

    def functions(self) -> list[str]:
        """See `Package.functions`."""
        return emitter.functions(self.model)

    def noise(self) -> np.ndarray:
        """Seeded noise, integers [*input shape]."""
        t = self.model.tensors[self.model.input]
        return np.random.default_rng(0).integers(t.limits[0], t.limits[1] + 1, t.shape, t.dtype)

    def measured(self, target: str, dsp: bool, binary: Path) -> dict:
        """See `Package.measured`."""
        report, x, program = self.described(target, dsp), self.noise()[None], self.model
        built, expected = open_binary(target, binary, self.name), program.run(x)
        if program.state:
            built.call("reset")
        must_agree(np.frombuffer(built.run(x.tobytes(), expected.nbytes), expected.dtype), expected.ravel(), target)
        if target in toolchain.CHIPS:
            sections, stack = built.sections, built.stack_bound()
            report["flash"] |= {"code_bytes": sections[".text"], "total_bytes": sections[".text"] + sections[".rodata"]}
            report["ram"] |= {"stack_bytes": stack, "total_bytes": sections[".bss"] + stack}
            report["instructions"] = built.instructions
            report["layers"] = [layer | {"instructions": built.layers.get(layer["index"], 0)} for layer in report["layers"]]
        return report

    def described(self, target: str, dsp: bool = False) -> dict:
        """The report as far as it is known without running: sizes, and one entry for each layer."""
        program, (kernels, plan) = self.model, emitter.translate(self.model, dsp)
        x, y, work = program.tensors[program.input], program.tensors[program.output], emitter.multiply_adds(program)
        return {
            "format": FORMAT,
            "kind": self.kind,
            "target": target,
            "kernels": "dsp" if dsp else "plain",
            "machine": MACHINE if target == "host" else target,
            "input": end(x),
            "output": end(y),
            "flash": {"code_bytes": None, "weight_bytes": sum(k.constant_bytes for k in kernels), "total_bytes": None},
            "ram": {
                "arena_bytes": plan.arena,
                "lower_bound_bytes": plan.lower_bound,
                "input_bytes": x.bytes,
                "output_bytes": y.bytes,
                "stack_bytes": None,
                "total_bytes": None,
            },
            "multiply_adds": sum(work),
            "counter": COUNTER,
            "instructions": None,
            "layers": [self.layer(i, kernel, work[i], plan.live[i]) for i, kernel in enumerate(kernels)],
            "metadata": program.metadata,
        }

    def layer(self, index: int, kernel: emitter.Kernel, work: int, live: int) -> dict:
        """A layer's entry in the report: `work` multiply-adds, `live` bytes of the arena in use."""
        op = self.model.operations[index]
        return {
            "index": index,
            "kind": op.kind,
            "kernel": kernel.path,
            "path": op.path,
            "output": op.output,
            "shape": list(self.model.tensors[op.output].shape),
            "multiply_adds": work,
            "weight_bytes": kernel.constant_bytes,
            "live_bytes": live,
            "instructions": None,
        }

    def example(self, clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Package.example`; integers [*input shape] and their scores."""
        return clip, self.model.run(clip[None])[0]

    def fields(self, report: dict) -> dict[str, str]:
        """See `Package.fields`."""
        x, (scores,) = report["input"], report["output"]["shape"]
        if x["type"] == "int16":
            what = f"a second of sound, {x['shape'][0]:,} samples, int16"
            microphone = f", put the newest {x['shape'][0]} samples into model_input(), and call model_run()."
        else:
            what = f"a map of features, {x['type']} {x['shape']}"
            microphone = ", compute features; or export the model with --samples, which takes sound."
        return {"what": what, "gives": f"{scores} scores, int8", "microphone": microphone}

    def open(self, target: str, binary: Path) -> "Runner":
        """See `Package.open`."""
        return Runner(self.model, target, binary)


def end(t: Tensor) -> dict:
    """What a report says of an input or an output."""
    return {"shape": list(t.shape), "type": t.dtype.name, "scale": float(t.scale), "zero_point": t.zero_point}


class Runner:
    """A built program. On an emulated chip `instructions` has the count of the last input that was run, `layers` that of each operation;
    elsewhere they are None.
    """

    def __init__(self, program: Program, target: str, binary: Path):
        """`binary` was built of `program` for `target`."""
        self.program, self.target, self.instructions, self.layers = program, target, None, None
        self.emulated = target in toolchain.CHIPS
        self.binary = open_binary(target, binary)
        self.quick = open_binary(target, binary, count=False) if self.emulated else self.binary

    def run(self, x: np.ndarray) -> np.ndarray:
        """Integers [N, *input shape] to integers [N, *output shape], one after the other, each from the beginning."""
        t, out = (self.program.tensors[name] for name in (self.program.input, self.program.output))
        if x.dtype != t.dtype or x.shape[1:] != t.shape:
            raise TinycourseError(f"This model takes {t.dtype} [N, {', '.join(map(str, t.shape))}], not {x.dtype} {list(x.shape)}.")
        outputs = []
        for i, clip in enumerate(x):
            binary = self.binary if i + 1 == len(x) else self.quick
            if self.program.state:
                binary.call("reset")
            outputs.append(binary.run(clip.tobytes(), out.bytes))
        if self.emulated and outputs:
            self.instructions, self.layers = self.binary.instructions, dict(self.binary.layers)
        return np.frombuffer(b"".join(outputs), out.dtype).reshape(len(x), *out.shape)


def run_on_host(program: Program, x: np.ndarray, threads: int = 1) -> np.ndarray:
    """Integers [N, *input shape] to integers [N, *output shape] by the program's C, built for this machine and at once forgotten.

    A library has one arena, so every thread has a copy of the library. Nothing is compared.
    """
    free = SimpleQueue()

    def run(part: np.ndarray) -> np.ndarray:
        runner = free.get()
        try:
            return runner.run(part)
        finally:
            free.put(runner)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ThreadPoolExecutor(threads) as pool:
        binary = compiled(emitter.generate(program), "host", Path(folder), emitter.functions(program))
        for number in range(threads):
            free.put(Runner(program, "host", Path(shutil.copy(binary, binary.with_name(f"{number}-{binary.name}")))))
        parts = [x[i : i + PART] for i in range(0, len(x), PART)]
        done = list(tqdm(pool.map(run, parts), total=len(parts), desc="int8", leave=False, delay=2))
    return np.concatenate(done)
