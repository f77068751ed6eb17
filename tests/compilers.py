"""A second compiler's opinion of generated C, beside that of the one the course compiles with."""

import subprocess
from pathlib import Path

import pytest


def gcc_accepts(sources: dict[str, str], folder: Path) -> None:
    """Write C sources, {file name: text}, into a folder and have gcc read them, strictly; skips where gcc is not installed."""
    for name, text in sources.items():
        (folder / name).write_text(text)
    warnings = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffreestanding", "-fsyntax-only"]
    try:
        run = subprocess.run(["gcc", *warnings, *map(str, folder.glob("*.c"))], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("gcc is not installed")
    assert run.returncode == 0, run.stderr
