"""Two compilers' opinions of generated C: gcc's and the course's own, strict on conversions too, and on headers as C++."""

import subprocess
from pathlib import Path

import pytest

from tinycourse.targets import toolchain

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Werror", "-pedantic"]
CPP = ["-x", "c++", "-std=c++11", "-nostdinc++", "-fno-exceptions", "-fno-rtti"]


def gcc_accepts(sources: dict[str, str], folder: Path) -> None:
    """Write C sources, {file name: text}, into a folder and have gcc read them, strictly; skips where gcc is not installed."""
    for name, text in sources.items():
        (folder / name).write_text(text)
    try:
        command = ["gcc", "-std=c99", *STRICT, "-ffreestanding", "-fsyntax-only"]
        run = subprocess.run([*command, *map(str, folder.glob("*.c"))], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("gcc is not installed")
    assert run.returncode == 0, run.stderr


def cpp_accepts(headers: list[Path], folder: Path, flags: list[str]) -> None:
    """Have the course's compiler read headers as C++, each after the ones before it."""
    source = folder / "headers.cpp"
    source.write_text("".join(f'#include "{path}"\n' for path in headers))
    toolchain.compile_c([*CPP, *STRICT, *flags, "-c", str(source), "-o", str(folder / "headers.o")])
