"""What was built, run on this machine: a shared library by ctypes, WebAssembly by wasmtime, a chip's program by the emulator."""

import atexit
import ctypes
import functools
from pathlib import Path

from tinycourse.errors import TinycourseError
from tinycourse.targets import toolchain


class Library:
    """A model in a shared library of this machine. `run`, `call`, `write` and `read` are those of `emulator.Chip`."""

    def __init__(self, path: str | Path, name: str = "model"):
        self.library, self.name, self.functions = ctypes.CDLL(str(path)), name, {}

    def call(self, function: str) -> int:
        """Call a function of the model without arguments; returns the address or the number that it gives, if it gives one."""
        if function not in self.functions:
            self.functions[function] = ctypes.CFUNCTYPE(ctypes.c_void_p)((f"{self.name}_{function}", self.library))
        return self.functions[function]() or 0

    def write(self, place: str, x: bytes) -> None:
        """Fill the tensor whose address the function `place` gives: input, or a part of the state."""
        ctypes.memmove(self.call(place), x, len(x))

    def read(self, place: str, count: int) -> bytes:
        """So many bytes from the address that the function `place` gives."""
        return ctypes.string_at(self.call(place), count)

    def run(self, x: bytes, output_bytes: int) -> bytes:
        """Bytes of the input tensor to those of the output tensor."""
        self.write("input", x)
        self.call("run")
        return self.read("output", output_bytes)


class WebAssembly:
    """A model in a WebAssembly module, run by wasmtime. `run`, `call`, `write` and `read` are those of `emulator.Chip`."""

    def __init__(self, module: bytes, name: str = "model"):
        wasmtime, (engine, translated) = import_wasmtime(), translate(module)
        self.store = wasmtime.Store(engine)
        self.exports = dict(wasmtime.Instance(self.store, translated, []).exports(self.store).items())
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
        """See `Library.run`."""
        self.write("input", x)
        self.call("run")
        return self.read("output", output_bytes)


@functools.lru_cache(maxsize=4)
def translate(module: bytes) -> tuple:
    """wasmtime's engine, and a module in this machine's code: many networks in one module, each run in its own memory, need it once."""
    wasmtime = import_wasmtime()
    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, module)


atexit.register(translate.cache_clear)  # while wasmtime is still there to give back what it holds


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
        return WebAssembly(Path(path).read_bytes(), name)
    try:
        from tinycourse.targets.emulator import Chip
    except ImportError:
        raise TinycourseError("The emulator is missing; install it with `python -m pip install unicorn pyelftools`.") from None
    return Chip(path, name, **options)


def save_texts(folder: Path, files: dict[str, str]) -> None:
    """Write files, {path: text}, below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def compiled(sources: dict[str, str], target: str, folder: Path, functions: list[str]) -> Path:
    """Write C sources, {file name: text}, and build them; returns the binary, which offers the model's `functions`."""
    save_texts(folder, sources)
    files, binary = [folder / n for n in sources if n.endswith(".c")], folder / toolchain.BINARIES[target]
    return toolchain.build(files, target, binary, [f"model_{f}" for f in functions])
