"""A transducer on the chip, dense and with pruned gates. Run by hand: python benchmarks/chip_rnnt.py [--streams N] [--source tinywords]

`rnnt-digits` in integers, as it is and with 50 and 80 % of its gates' weights gone in 8x1 blocks (in one shot, without training: it is
the counts that matter here, not what it says). Flash and RAM of the Cortex-M4 program; instructions for a second of sound on the emulated
chip, over streams of connected digits; the real-time factor at 80 MHz if every instruction took one cycle (a Cortex-M4 needs more for
loads and taken branches). The front end is not in it: it runs in float on the host. On every stream C on this machine and on the chip
has to give the interpreter's labels and encoder outputs, bit for bit, or the benchmark stops.
"""

import argparse
import copy
import tempfile

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse.data import sentences
from tinycourse.export import deploy, package
from tinycourse.features.audio import RATE
from tinycourse.pruning import masks
from tinycourse.training import checkpoint

CLOCK, BAR = 80e6, 0.5

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--streams", type=int, default=10, metavar="N")
parser.add_argument("--source", default="", help="what the digits are made of: spoken-digits (default) or tinywords")
a = parser.parse_args()
torch.set_num_threads(1)

recogniser = checkpoint.load("rnnt-digits")
task = sentences.open_task("connected-digits", source=a.source)
calibration = task.speech("training").audio[:50]
streams = task.speech("testing").audio[: a.streams]
seconds = sum(map(len, streams)) / RATE


def pruned(sparsity: float) -> checkpoint.Recogniser:
    """A copy whose gates have lost their smallest 8x1 blocks."""
    made = copy.deepcopy(recogniser)
    gates = masks.prunable(made.network)
    for name, mask in masks.choose({name: p.detach() for name, p in gates.items()}, (8, 1), sparsity).items():
        gates[name].data *= mask
    return made


print(f"{len(streams)} streams, {seconds:.0f} seconds of sound, digits from {task.sources[0]}")
columns = ("constants", "code", "RAM", "multiply-adds/s", "instructions/s", "real time", "longest frame", "labels")
print(f"{'gates':14}" + "".join(f"{c:>17}" for c in columns))
for sparsity in (0.0, 0.5, 0.8):
    program = deploy.transducer_program_of(pruned(sparsity), calibration)
    with tempfile.TemporaryDirectory() as folder:
        report = {target: package.export(program, target, f"{folder}/{target}") for target in ("host", "cortex-m4")}["cortex-m4"]
        transcribers = [package.load(f"{folder}/{target}") for target in ("host", "cortex-m4")]
        instructions, worst, labels = 0, 0, 0
        for audio in tqdm(streams, desc=f"{sparsity:.0%}", leave=False, delay=2):
            frames = deploy.rows(program, audio)
            said, encoder_out = program.run(frames)
            for transcriber in transcribers:
                found = transcriber.run(frames)
                assert found[0] == said and np.array_equal(found[1], encoder_out), "C differs from the interpreter"
            instructions, worst, labels = instructions + transcriber.instructions, max(worst, transcriber.worst), labels + len(said)
    flash, ram = report["flash"], report["ram"]
    cells = [f"{n:,}" for n in (flash["weight_bytes"], flash["code_bytes"], ram["total_bytes"], report["multiply_adds"])]
    cells += [f"{instructions / seconds:,.0f}", f"{instructions / seconds / CLOCK:.3f}", f"{1000 * worst / CLOCK:.1f} ms", str(labels)]
    print(f"{sparsity:.0%} pruned".ljust(14) + "".join(f"{c:>17}" for c in cells))
print(f"bit for bit the interpreter on all {len(streams)} streams, on this machine and on the chip; the bar for real time is {BAR}")
