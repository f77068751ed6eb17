"""A folder that holds a program ready to run: C sources, the built binary, a report of its size, and the program itself.

`export` writes one, `load` opens one again, whatever it was built for: this machine (through ctypes), a Cortex-M (through the
emulator) or WebAssembly (through wasmtime).
"""

import ctypes
import functools
import hashlib
import json
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.mcu import codegen, toolchain
from tinycourse.mcu.program import Program

FORMAT = "tinycourse-package-1"
COUNTER = "multiply-adds are the products with weights of convolutions and linear layers, padding included"
MACHINE = f"{sys.platform} {platform.machine()}"


# ------------------------------------------------------------------------------------------------ running a binary


class Library:
    """A model in a shared library of this machine. `run`, `call`, `write` and `read` are those of `emulator.Chip`."""

    def __init__(self, path: str | Path, name: str = "model"):
        self.library, self.name = ctypes.CDLL(str(path)), name

    def call(self, function: str) -> int:
        """Call a function of the model without arguments; returns the address or the number that it gives, if it gives one."""
        found = getattr(self.library, f"{self.name}_{function}")
        found.restype = ctypes.c_void_p
        return found() or 0

    def write(self, place: str, x: bytes) -> None:
        """Fill the tensor whose address the function `place` gives: input, or a part of the state."""
        ctypes.memmove(self.call(place), x, len(x))

    def read(self, place: str, count: int) -> bytes:
        """So many bytes from the address that the function `place` gives."""
        return ctypes.string_at(self.call(place), count)

    def run(self, x: bytes, output_bytes: int) -> bytes:
        self.write("input", x)
        self.call("run")
        return self.read("output", output_bytes)


class WebAssembly:
    """A model in a WebAssembly module, run by wasmtime. `run`, `call`, `write` and `read` are those of `emulator.Chip`."""

    def __init__(self, path: str | Path, name: str = "model"):
        self.store, self.exports = instantiate(Path(path), Path(path).stat().st_mtime_ns)
        self.memory, self.name = self.exports["memory"], name

    def call(self, function: str) -> int:
        """See `Library.call`."""
        return self.exports[f"{self.name}_{function}"](self.store)

    def write(self, place: str, x: bytes) -> None:
        """See `Library.write`."""
        self.memory.write(self.store, x, self.call(place))

    def read(self, place: str, count: int) -> bytes:
        """See `Library.read`."""
        start = self.call(place)
        return bytes(self.memory.read(self.store, start, start + count))

    def run(self, x: bytes, output_bytes: int) -> bytes:
        self.write("input", x)
        self.call("run")
        return self.read("output", output_bytes)


@functools.lru_cache(maxsize=4)
def instantiate(path: Path, modified: int) -> tuple:
    """wasmtime's store and the exports of a module by name; a file that did not change is translated once."""
    wasmtime = import_wasmtime()
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, str(path)), [])
    return store, dict(instance.exports(store).items())


def import_wasmtime():
    """The module wasmtime; TinycourseError where it is missing."""
    try:
        import wasmtime
    except ImportError:
        raise TinycourseError("wasmtime is missing; install it with `python -m pip install wasmtime`.") from None
    return wasmtime


def open_binary(target: str, path: Path, name: str = "model", **options) -> "Library | WebAssembly | object":
    """The built binary of a target, ready to run. `options` go to the emulated chip."""
    if target == "host":
        return Library(path, name)
    if target == "wasm":
        return WebAssembly(path, name)
    try:
        from tinycourse.mcu.emulator import Chip
    except ImportError:
        raise TinycourseError("The emulator is missing; install it with `python -m pip install unicorn pyelftools`.") from None
    return Chip(path, name, **options)


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


# ------------------------------------------------------------------------------------------------ writing a folder


def export(program: Program, target: str, out: str | Path, dsp: bool = False) -> dict:
    """Write `program` for `target` (host, cortex-m4, cortex-m0plus or wasm) into the folder `out`; returns the report.

    `dsp` takes the kernels made of the DSP instructions of a Cortex-M4: the same bits, fewer instructions, more code and scratch.
    What was built is run once and compared with the interpreter. See `install` for the folder. Raises TinycourseError as `install`
    does, and for everything that `codegen.generate` and `toolchain.build` refuse.
    """
    return install(target, out, partial(write, program, target, dsp))


def install(target: str, out: str | Path, fill: Callable[[Path], dict]) -> dict:
    """Make the folder `out`, which `fill` is given when it is empty; returns the report that `fill` returns.

    The folder appears complete or not at all; an earlier export there is replaced. Raises TinycourseError for an unknown target, a
    folder with other things in it, and a full disk.
    """
    out = Path(out)
    if target not in toolchain.TARGETS:
        raise TinycourseError(f"There is no target '{target}'; choose one of {', '.join(toolchain.TARGETS)}.")
    if out.exists() and not (out / "report.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise TinycourseError(f"{out} holds something else; choose a new folder for the export.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.", ignore_cleanup_errors=True) as folder:
            new = Path(folder, "new")
            new.mkdir()
            report = fill(new)
            if out.exists():
                out.rename(Path(folder, "old"))
            new.rename(out)
    except OSError as error:
        raise TinycourseError(f"Cannot write the export to {out}: {error.strerror or error}.") from None
    return report


def write(program: Program, target: str, dsp: bool, folder: Path) -> dict:
    """Fill an empty folder."""
    program.save(folder / "program.safetensors")
    binary = compiled(codegen.generate(program, dsp=dsp), target, folder, codegen.functions(program))
    report = describe(program, target, dsp) | {"binary": binary.name}
    measure(program, target, binary, report)
    return finish(folder, report, readme(report))


def compiled(sources: dict[str, str], target: str, folder: Path, functions: list[str]) -> Path:
    """Write C sources, {file name: text}, and build them; returns the binary, which offers the model's `functions`."""
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    files, binary = [folder / n for n in sources if n.endswith(".c")], folder / toolchain.BINARIES[target]
    return toolchain.build(files, target, binary, [f"model_{f}" for f in functions])


def finish(folder: Path, report: dict, words: str) -> dict:
    """Write README and report, the latter with the digests of what will be loaded again; returns it."""
    (folder / "README.md").write_text(words, encoding="utf-8")
    report["sha256"] = {n: digest(folder / n) for n in (report["binary"], "program.safetensors")}
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def describe(program: Program, target: str, dsp: bool = False) -> dict:
    """What is known without running: sizes, and one entry for each layer."""
    kernels, plan = codegen.translate(program, dsp)
    tensors, work = program.tensors, codegen.multiply_adds(program)
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
    t = program.tensors[program.input]
    x = np.random.default_rng(0).integers(t.limits[0], t.limits[1] + 1, (1, *t.shape), t.dtype)
    model, expected = open_binary(target, binary, name), program.run(x)
    if program.state:
        model.call("reset")
    if model.run(x.tobytes(), expected.nbytes) != expected.tobytes():
        raise TinycourseError(f"The program built for {target} differs from the interpreter; please report it.")
    if not target.startswith("cortex"):
        return
    sections = model.sections
    report["flash"] |= {"code_bytes": sections[".text"], "total_bytes": sections[".text"] + sections[".rodata"]}
    report["ram"] |= {"stack_bytes": model.stack, "total_bytes": sections[".bss"] + model.stack}
    report["instructions"] = model.instructions
    for layer in report["layers"]:
        layer["instructions"] = model.layers.get(layer["index"], 0)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def readme(report: dict) -> str:
    """What the folder holds, for somebody who finds it."""
    chip = report["target"].startswith("cortex")
    flash, ram = report["flash"], report["ram"]
    size = [f"weights and constants {flash['weight_bytes']:,} bytes", f"arena {ram['arena_bytes']:,} bytes"]
    if chip:
        size += [f"code {flash['code_bytes']:,} bytes", f"stack {ram['stack_bytes']:,} bytes"]
        size += [f"{report['instructions']:,} instructions for one input"]
    return f"""# An int8 network in C, for {report["target"]}

Made by tinycourse. Takes {report["input"]["type"]} {report["input"]["shape"]}, gives int8 {report["output"]["shape"]}: {", ".join(size)}.

- `model.h`, `model.c`: the network. Fill `model_input()`, call `model_run()`, read `model_output()`.
{rest_of_folder(report)}"""


def rest_of_folder(report: dict) -> str:
    """The end of every README: what each export holds beside its model."""
    return f"""- `kernels.h` and the other C files: the kernels. `runtime.c` is for programs without a C library; leave it out of yours.
- `{report["binary"]}`: all of it, built. Run it with `tinycourse run`.
- `program.safetensors`: the model as tinycourse reads it. `report.json`: what each layer needs.

To use it in a firmware, compile every C file but `runtime.c` with your project: C99, no libraries, no heap.
The kernels are Apache-2.0; the weights belong to whoever trained them.
"""


# ------------------------------------------------------------------------------------------------ opening a folder


def load(folder: str | Path) -> Runner:
    """Open what `export` wrote. A host library runs in this process: open only folders that you trust.

    Raises TinycourseError as `checked` does.
    """
    return Runner(Path(folder), checked(folder), Program.load(Path(folder, "program.safetensors")))


def checked(folder: str | Path) -> dict:
    """The report in an exported folder. Raises TinycourseError where the folder is missing, damaged, or made for another machine."""
    folder = Path(folder)
    if not (folder / "report.json").is_file():
        raise TinycourseError(f"There is no exported model in {folder}; make one with `tinycourse export`.")
    try:
        report = json.loads((folder / "report.json").read_text())
        damaged = report["format"] != FORMAT or any(digest(folder / n) != h for n, h in report["sha256"].items())
    except (OSError, ValueError, LookupError, TypeError):
        damaged = True
    if damaged:
        raise TinycourseError(f"The exported model in {folder} is damaged or of another version; export it again.")
    if report["target"] == "host" and report["machine"] != MACHINE:
        raise TinycourseError(f"The model in {folder} was built for {report['machine']}, this is {MACHINE}; export it here.")
    return report
