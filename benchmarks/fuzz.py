"""Many random networks and inputs: does C say what the interpreter says, bit for bit? Run by hand:

    python benchmarks/fuzz.py --cases 10000 [--target cortex-m4] [--dsp] [--sanitize undefined | address]

Each case is a network of its own and four inputs. They are compiled fifty at a time and run in a process of their own, so that one that
crashes stops no other. `--sanitize undefined` has undefined behaviour stop the process; `address` takes gcc, with AddressSanitizer and
UndefinedBehaviorSanitizer (the Zig compiler brings no runtime for the former). Both are for this machine only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm.auto import tqdm

from tests import fuzz
from tinycourse.targets import binaries, toolchain

TRAP = ["-fsanitize=undefined", "-fsanitize-trap=undefined"]
GCC = ["gcc", "-std=c99", "-O1", "-g", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def build(programs: list, a: argparse.Namespace, folder: Path) -> Path:
    """The binary of some programs, with the sanitizer that was asked for."""
    if a.sanitize != "address":
        return fuzz.build(programs, a.target, folder, TRAP if a.sanitize else [], a.dsp)
    sources, _ = fuzz.write(programs, folder, a.dsp)
    sources = [source for source in sources if source.name != "runtime.c"]  # the sanitizer has a memcpy of its own
    subprocess.run([*GCC, *map(str, sources), "-o", str(folder / toolchain.LIBRARY)], check=True)
    return folder / toolchain.LIBRARY


def run_batch(a: argparse.Namespace) -> int:
    """Compare cases a.first to a.first + a.cases; returns how many differ."""
    seeds, different = range(a.first, a.first + a.cases), 0
    programs = [fuzz.random_program(seed) for seed in seeds]
    with tempfile.TemporaryDirectory() as folder:
        binary = build(programs, a, Path(folder))
        for i, (seed, program) in enumerate(zip(seeds, programs)):
            options = {"count": False} if a.target.startswith("cortex") else {}
            model, x = binaries.open_binary(a.target, binary, f"case{i}", **options), fuzz.random_input(program, seed)
            wrong = any(model.run(clip.tobytes(), y.nbytes) != y.tobytes() for clip, y in zip(x, program.run(x)))
            if wrong:
                print(f"seed {seed} differs", flush=True)
            different += wrong
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--target", choices=toolchain.TARGETS, default="host")
    parser.add_argument("--dsp", action="store_true", help="the DSP kernels; on other targets their instructions are written out in C")
    parser.add_argument("--sanitize", choices=("undefined", "address"))
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # one batch, in this process
    a = parser.parse_args()
    if a.here:
        sys.exit(min(run_batch(a), 100))
    environment = dict(os.environ)
    if a.sanitize == "address":
        runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
        environment |= {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}  # Python itself leaks
    different, started = 0, time.time()
    for first in tqdm(range(a.first, a.first + a.cases, a.batch)):
        count = min(a.batch, a.first + a.cases - first)
        again = [*sys.argv[1:], "--here", "--first", str(first), "--cases", str(count)]
        code = subprocess.run([sys.executable, __file__, *again], env=environment).returncode
        if code < 0 or code > 100:
            print(f"seeds {first} to {first + count - 1}: the process was stopped", flush=True)
        different += code if 0 <= code <= 100 else count
    print(f"{a.cases:,} cases on {a.target}: {different} differ or were stopped ({time.time() - started:.0f} s)")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
