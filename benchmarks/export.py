"""What an export of a shipped network takes, and how fast its integers are judged: python benchmarks/export.py [NAME ...] [--as FORM ...]

First table: seconds of `tinycourse export NAME --target cortex-m4`, with all that Python imports, without any data set; beside them the
seconds of processor time, which say the same on a busy machine. Second table: milliseconds for a clip of a second, or for transducers
for a second of digits, by the interpreter and by its C on this machine, and their ratio. Speech is that of tinywords.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tinycourse import data
from tinycourse.data import sentences as sequences
from tinycourse.export import deploy, package, transducer_package
from tinycourse.models import TRANSDUCERS
from tinycourse.training import checkpoint

CLIPS, STRINGS = 60, 10
WAYS = {"features": False, "samples": True}


def exported(name: str, form: str, repeats: int) -> tuple[float, float]:
    """Least wall-clock and processor seconds of the verb."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tinycourse.cli", "export", name, "--as", form, "--out", f"{folder}/out"]
        for _ in range(repeats):
            before, start = os.times(), time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=os.environ | {"TINYCOURSE_DATA": folder})
            after = os.times()
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            found.append((time.perf_counter() - start, spent))
    return tuple(map(min, zip(*found)))


def timed(work: Callable[[], object], seconds: float) -> float:
    """Processor milliseconds of `work` for each of so many seconds of sound."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / seconds * 1000


def words(recogniser, samples: bool, folder: Path) -> tuple[float, float]:
    """Milliseconds for a clip, by the interpreter and in C, that it is given ready to be run."""
    program = deploy.program_of(recogniser, samples=samples)
    clips = data.open_for(recogniser.classes, "tinywords").clips("testing", CLIPS)
    x = deploy.inputs(program, clips.audio)
    package.export(program, "host", folder / "out")
    runner = package.load(folder / "out")
    return timed(lambda: program.run(x[:20]), 20), timed(lambda: runner.run(x), len(x))


def sentences(recogniser, samples: bool, folder: Path) -> tuple[float, float]:
    """The same for a second of digits, each string by itself."""
    program = deploy.transducer_program_of(recogniser, samples=samples)
    speech = sequences.open_task("connected-digits", source="tinywords").speech("testing").audio[:STRINGS]
    seconds, rows = sum(map(len, speech)) / data.RATE, [deploy.rows(program, one) for one in speech]
    transcriber = transducer_package.on_host(program, folder)
    return tuple(timed(lambda run=one.run: [run(x) for x in rows], seconds) for one in (program, transcriber))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--as", dest="forms", nargs="*", default=["plain"], metavar="FORM")
    parser.add_argument("--repeats", type=int, default=3)
    a = parser.parse_args()
    torch.set_num_threads(1)
    names = a.names or list(checkpoint.all_shipped())
    print("| network | form | seconds | of the processor |\n|---|---|---|---|")
    for name in names:
        for form in a.forms:
            wall, spent = exported(name, form, a.repeats)
            print(f"| `{name}` | {form} | {wall:.1f} | {spent:.1f} |", flush=True)
    print("\n| network | takes | interpreter, ms | C, ms | ratio |\n|---|---|---|---|---|")
    for name in names:
        recogniser = checkpoint.load(name)
        for way, samples in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                slow, fast = (sentences if recogniser.name in TRANSDUCERS else words)(recogniser, samples, Path(folder))
            print(f"| `{name}` | {way} | {slow:.2f} | {fast:.2f} | {slow / fast:.0f} |", flush=True)


if __name__ == "__main__":
    main()
