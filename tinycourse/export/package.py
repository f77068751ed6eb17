"""A folder that holds a program ready to run: C sources, the built binary, a report of its size, and the program itself.

`export` writes one, `load` opens one again, whatever it was built for: this machine (through ctypes), a Cortex-M (through the
emulator) or WebAssembly (through wasmtime).
"""

import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from tqdm.auto import tqdm

from tinycourse.codegen import emitter
from tinycourse.errors import TinycourseError
from tinycourse.export import firmware
from tinycourse.files import digest, whole_folder
from tinycourse.program.program import Program
from tinycourse.progress import stage
from tinycourse.targets import toolchain
from tinycourse.targets.binaries import compiled, open_binary, save_texts

FORMAT = "tinycourse-package-2"
COUNTER = "multiply-adds are the products with weights of convolutions and linear layers, padding included"
FIRMWARE = {"arduino": firmware.arduino, "zephyr": firmware.zephyr}
PART = 50  # inputs that a thread runs one after the other
MACHINE = f"{sys.platform} {platform.machine()}"


class Runner:
    """An exported program. `report` says what it needs, `program` is the Program it was made from.

    On an emulated chip `instructions` has the count of the last input that was run, `layers` that of each operation.
    """

    def __init__(self, folder: Path, report: dict, program: Program):
        self.report, self.program, self.instructions, self.layers = report, program, None, None
        self.target, path = report["target"], folder / report["binary"]
        self.emulated = self.target.startswith("cortex")
        self.binary = open_binary(self.target, path)
        self.quick = open_binary(self.target, path, count=False) if self.emulated else self.binary

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
            copy = Path(shutil.copy(binary, binary.with_name(f"{number}-{binary.name}")))
            free.put(Runner(copy.parent, {"target": "host", "binary": copy.name}, program))
        parts = [x[i : i + PART] for i in range(0, len(x), PART)]
        done = list(tqdm(pool.map(run, parts), total=len(parts), desc="int8", leave=False, delay=2))
    return np.concatenate(done)


def must_agree(found: np.ndarray, expected: np.ndarray, target: str) -> None:
    """Raises TinycourseError where what was built for a target gives other numbers than the interpreter."""
    if not np.array_equal(found, expected):
        raise TinycourseError(f"The program built for {target} differs from the interpreter; please report it.")


# ------------------------------------------------------------------------------------------------ writing a folder


def export(program: Program, target: str, out: str | Path, dsp: bool = False, form: str = "plain", clip: np.ndarray | None = None) -> dict:
    """Write `program` for `target` (host, cortex-m4, cortex-m0plus or wasm) into the folder `out`; returns the report.

    `dsp` takes the kernels made of the DSP instructions of a Cortex-M4: the same bits, fewer instructions, more code and scratch.
    `form` is plain (C and the binary), arduino (a library) or zephyr (a module); the example of these two hears `clip`, integers
    [*input shape], or else noise. What was built is run once and compared with the interpreter. See `install` for the folder. Raises
    TinycourseError as `install` and `put` do, and for everything that `emitter.generate` and `toolchain.build` refuse.
    """
    need_target(target)
    return install(out, partial(write, program, target, dsp, form, noise(program) if clip is None else clip))


def need_target(target: str) -> None:
    """Raises TinycourseError for a target that there is not."""
    if target not in toolchain.TARGETS:
        raise TinycourseError(f"There is no target '{target}'; choose one of {', '.join(toolchain.TARGETS)}.")


def noise(program: Program) -> np.ndarray:
    """Seeded noise as the program takes it, integers [*input shape]."""
    t = program.tensors[program.input]
    return np.random.default_rng(0).integers(t.limits[0], t.limits[1] + 1, t.shape, t.dtype)


def install(out: str | Path, fill: Callable[[Path], dict]) -> dict:
    """Make the folder `out`, which `fill` is given when it is empty; returns the report that `fill` returns.

    The folder appears complete or not at all; an earlier export there is replaced, as long as nobody has changed it. Raises
    TinycourseError as `files.whole_folder` does.
    """
    with whole_folder(out) as folder:
        return fill(folder)


def write(program: Program, target: str, dsp: bool, form: str, clip: np.ndarray, folder: Path) -> dict:
    """Fill an empty folder."""

    def report_of(binary: Path) -> dict:
        report = describe(program, target, dsp)
        measure(program, target, binary, report)
        return report

    if form == "plain":
        program.save(folder / "program.safetensors")
    sources, functions = emitter.generate(program, dsp=dsp), emitter.functions(program)
    return put(form, folder, target, sources, functions, report_of, lambda: (clip, program.run(clip[None])[0]), readme)


def put(
    form: str,
    folder: Path,
    target: str,
    sources: dict[str, str],
    functions: list[str],
    report_of: Callable[[Path], dict],
    example: Callable[[], tuple[np.ndarray, np.ndarray]],
    words: Callable[[dict], str],
) -> dict:
    """Build C sources with what `compiled` takes, and fill a folder in one of the forms of `export`; returns the report.

    `report_of` measures a binary, `words` is the README of plain C, `example` gives the clip of the other forms and the answer to expect.
    Raises TinycourseError for a form that there is not, or one that is made for a chip where `target` is none.
    """
    if form not in ("plain", *FIRMWARE):
        raise TinycourseError(f"There is no form '{form}'; choose one of {', '.join(['plain', *FIRMWARE])}.")
    if form != "plain" and not target.startswith("cortex"):
        raise TinycourseError(f"The sizes of firmware ({form}) are measured on a chip; choose the target cortex-m4 or cortex-m0plus.")
    with tempfile.TemporaryDirectory() as elsewhere:
        stage(f"compiling for {target}")
        binary = compiled(sources, target, folder if form == "plain" else Path(elsewhere), functions)
        stage(f"running on {target}")
        report = report_of(binary) | {"form": form}
    if form == "plain":
        save_texts(folder, firmware.plain(report, sources["model.h"]))
        return finish(folder, report | {"binary": binary.name}, words(report | {"binary": binary.name}))
    save_texts(folder, FIRMWARE[form](sources, report, *example()) | {"report.json": as_json(report)})
    return report


def as_json(report: dict) -> str:
    """The text of report.json."""
    return json.dumps(report, indent=2) + "\n"


def finish(folder: Path, report: dict, words: str) -> dict:
    """Write README and report, the latter with the digests of what will be loaded again; returns it."""
    report["sha256"] = {n: digest(folder / n) for n in (report["binary"], "program.safetensors")}
    save_texts(folder, {"README.md": words, "report.json": as_json(report)})
    return report


def describe(program: Program, target: str, dsp: bool = False) -> dict:
    """What is known without running: sizes, and one entry for each layer."""
    kernels, plan = emitter.translate(program, dsp)
    tensors, work = program.tensors, emitter.multiply_adds(program)
    layers = [
        {
            "index": i,
            "kind": op.kind,
            "kernel": kernel.path,
            "path": op.path,
            "output": op.output,
            "shape": list(tensors[op.output].shape),
            "multiply_adds": work[i],
            "weight_bytes": kernel.constant_bytes,
            "live_bytes": plan.live[i],
            "instructions": None,
        }
        for i, (op, kernel) in enumerate(zip(program.operations, kernels))
    ]
    ends = {"input": tensors[program.input], "output": tensors[program.output]}
    return {
        "format": FORMAT,
        "kind": "network",
        "target": target,
        "kernels": "dsp" if dsp else "plain",
        "machine": MACHINE if target == "host" else target,
        **{k: {"shape": list(t.shape), "type": t.dtype.name, "scale": float(t.scale), "zero_point": t.zero_point} for k, t in ends.items()},
        "flash": {"code_bytes": None, "weight_bytes": sum(k.constant_bytes for k in kernels), "total_bytes": None},
        "ram": {
            "arena_bytes": plan.arena,
            "lower_bound_bytes": plan.lower_bound,
            "input_bytes": ends["input"].bytes,
            "output_bytes": ends["output"].bytes,
            "stack_bytes": None,
            "total_bytes": None,
        },
        "multiply_adds": sum(work),
        "counter": COUNTER,
        "instructions": None,
        "layers": layers,
        "metadata": program.metadata,
    }


def measure(program: Program, target: str, binary: Path, report: dict, name: str = "model") -> None:
    """Run the binary once on seeded noise: check it against the interpreter, and on a chip enter what it took in the report."""
    x = noise(program)[None]
    model, expected = open_binary(target, binary, name), program.run(x)
    if program.state:
        model.call("reset")
    must_agree(np.frombuffer(model.run(x.tobytes(), expected.nbytes), expected.dtype), expected.ravel(), target)
    if not target.startswith("cortex"):
        return
    sections = model.sections
    report["flash"] |= {"code_bytes": sections[".text"], "total_bytes": sections[".text"] + sections[".rodata"]}
    most = model.stack_bound()
    report["ram"] |= {"stack_bytes": most, "total_bytes": sections[".bss"] + most}
    report["instructions"] = model.instructions
    for layer in report["layers"]:
        layer["instructions"] = model.layers.get(layer["index"], 0)


def readme(report: dict) -> str:
    """What the folder holds, for somebody who finds it."""
    x, y, sizes = report["input"], report["output"], ", ".join(firmware.sizes(report))
    return f"""# An int8 network in C, for {report["target"]}

Made by tinycourse. Takes {x["type"]} {x["shape"]}, gives int8 {y["shape"]}. It needs: {sizes}.

- `model.h`, `model.c`: the network. Fill `model_input()`, call `model_run()`, read `model_output()`.
{rest_of_folder(report)}"""


def rest_of_folder(report: dict) -> str:
    """The end of every README: what each export holds beside its model."""
    return f"""- `kernels.h` and the other C files: the kernels. `runtime.c` is for programs without a C library; leave it out of yours.
- `main.c`, `words.h`: a program for a computer, which takes a file: `cc $(ls *.c | grep -v runtime) -o recognise`, then `./recognise FILE`.
- `{report["binary"]}`: all of it, built. Run it with `tinycourse run`.
- `program.safetensors`: the model as tinycourse reads it. `report.json`: what each layer needs.
- `files.sha256`: what was written here; an export to this folder replaces it only while nothing in it has changed.

To use it in a firmware, compile every C file but `runtime.c` and `main.c` with your project: C99, no libraries, no heap.
The code is Apache-2.0 (`LICENSE`); the weights belong to whoever trained them.
"""


# ------------------------------------------------------------------------------------------------ opening a folder


def load(folder: str | Path) -> Runner:
    """Open what `export` wrote. A host library runs in this process: open only folders that you trust.

    Raises TinycourseError as `checked` does.
    """
    return Runner(Path(folder), checked(folder, "network"), Program.load(Path(folder, "program.safetensors")))


def checked(folder: str | Path, kind: str = "") -> dict:
    """The report in an exported folder. Raises TinycourseError where the folder is missing, damaged, made for another machine, or where
    it holds something else than the `kind` that is asked for: network, transducer or listener.
    """
    folder = Path(folder)
    if not (folder / "report.json").is_file():
        raise TinycourseError(f"There is no exported model in {folder}; make one with `tinycourse export`.")
    try:
        report = json.loads((folder / "report.json").read_text())
        if report["form"] != "plain":
            raise TinycourseError(f"{folder} was exported as {report['form']} and holds nothing to run; export it as plain C too.")
        damaged = report["format"] != FORMAT or any(digest(folder / n) != h for n, h in report["sha256"].items())
    except (OSError, ValueError, LookupError, TypeError):
        damaged = True
    if damaged:
        raise TinycourseError(f"The exported model in {folder} is damaged or of another version; export it again.")
    if report["target"] == "host" and report["machine"] != MACHINE:
        raise TinycourseError(f"The model in {folder} was built for {report['machine']}, this is {MACHINE}; export it here.")
    if kind and report["kind"] != kind:
        raise TinycourseError(f"{folder} holds a {report['kind']}, not a {kind}; `tinycourse run` opens either.")
    return report
