"""Whether what is exported says the same everywhere: python benchmarks/bit_for_bit.py [NAME ...] [--clips 1000] [--streams 100] [--samples]

Real test clips go through the interpreter, and through its C on this machine, as WebAssembly, and on both emulated Cortex-M, there with the
DSP kernels too. Counted are clips of which one bit of one score differs; of a transducer, which has no DSP kernels, streams of which a
label or a number of the encoder does. Each takes some minutes. Listeners have `widgets/live_demo.py`.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse import data
from tinycourse.data import sentences
from tinycourse.export import deploy, package
from tinycourse.models import TRANSDUCERS
from tinycourse.training import checkpoint

WAYS = {  # column: target, and whether with the DSP kernels
    "host": ("host", False),
    "host DSP": ("host", True),
    "WebAssembly": ("wasm", False),
    "M4": ("cortex-m4", False),
    "M4 DSP": ("cortex-m4", True),
    "M0+": ("cortex-m0plus", False),
}
SHARE = 100  # clips between two steps of the progress bar


def networks(recogniser, a) -> tuple[int, Callable[[str], int]]:
    """How many clips a recogniser of words hears, and of how many a build, one of WAYS, says otherwise than the interpreter."""
    clips = data.open_for(recogniser.classes, "speech-commands").clips("testing")
    clips = clips.subset(torch.randperm(len(clips), generator=torch.Generator().manual_seed(0))[: a.clips])
    program = deploy.program_of(recogniser, samples=a.samples)
    x = deploy.inputs(program, clips.audio)
    expected = program.run(x)

    def different(way: str) -> int:
        with tempfile.TemporaryDirectory() as folder:
            package.export(program, WAYS[way][0], Path(folder, "m"), WAYS[way][1])
            runner, found = package.load(Path(folder, "m")), 0
            for i in tqdm(range(0, len(x), SHARE), desc=way, leave=False):
                said = runner.run(x[i : i + SHARE])
                found += int((said != expected[i : i + SHARE]).reshape(len(said), -1).any(1).sum())
        return found

    return len(x), different


def transducers(recogniser, a) -> tuple[int, Callable[[str], int]]:
    """The same of a recogniser of sentences, for the ways without the DSP kernels."""
    audio = sentences.open_for(recogniser.info, recogniser.info["data"]).speech("testing").audio[: a.streams]
    program = deploy.transducer_program_of(recogniser, samples=a.samples)
    streams = [deploy.rows(program, one) for one in audio]
    expected = [program.run(rows) for rows in streams]

    def different(way: str) -> int:
        with tempfile.TemporaryDirectory() as folder:
            package.export(program, WAYS[way][0], Path(folder, "t"))
            transcriber, found = package.load(Path(folder, "t")), 0
            for rows, (labels, encoder_out) in zip(tqdm(streams, desc=way, leave=False), expected):
                said = transcriber.run(rows)
                found += said[0] != labels or not np.array_equal(said[1], encoder_out)
        return found

    return len(streams), different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--samples", action="store_true", help="with the front end, in integers")
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'network':20}{'heard':>7}" + "".join(f"{way:>13}" for way in WAYS) + "   of them different", flush=True)
    differ = 0
    for name in a.names or checkpoint.all_shipped():
        recogniser = checkpoint.load(name)
        transducer = recogniser.name in TRANSDUCERS
        count, different = (transducers if transducer else networks)(recogniser, a)
        print(f"{name:20}{count:7,}", end="", flush=True)
        for way, (_, dsp) in WAYS.items():
            if dsp and transducer:
                print(f"{'-':>13}", end="")
                continue
            differ += (found := different(way))
            print(f"{found:13,}", end="", flush=True)
        print()
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
