"""What the shipped networks reach and cost: the table of the README, and the table of pruned networks in lesson 07.

    python benchmarks/checkpoints.py [NAME ...]
    python benchmarks/checkpoints.py ds-cnn-s ds-cnn-s-half tinyspeech-m tinyspeech-m-half --json tinycourse/studies/measured/pruned.json

Accuracies on real recordings (Speech Commands, ten classes) in float and in int8, the latter by the C program on this machine, which
equals the interpreter in every bit; flash, RAM and instructions by the C program on an emulated Cortex-M4.
"""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

import torch

from tinycourse import data
from tinycourse.export import deploy, package
from tinycourse.program import block_sparse
from tinycourse.pruning import masks
from tinycourse.training import checkpoint, metrics, profiling

SPLITS = ("validation", "testing")
COLUMNS = ("parameters", "multiply_adds", "validation", "validation_int8", "testing", "testing_int8", "flash", "ram", "instructions")


def measure(name: str, splits: dict) -> dict:
    """Shares right, bytes and counts of one network. `least`: its prunable weights in int8, stored as small as single zeros allow."""
    recogniser = checkpoint.load(name)
    network = recogniser.network
    program = deploy.program_of(recogniser)
    cost = profiling.profile(network, torch.zeros(1, *recogniser.frontend.config.shape))
    weights = {n: p.detach().numpy() for n, p in masks.prunable(network).items()}
    size = block_sparse.total(weights, (1, 1), bits=8)
    row = {"model": name, "parameters": cost.parameters, "multiply_adds": cost.multiply_adds}
    row |= {"zeros": 1 - size.nonzero / size.weights, "dense": size.dense, "least": size.least}
    with tempfile.TemporaryDirectory() as folder:
        package.export(program, "host", f"{folder}/host")
        runner = package.load(f"{folder}/host")
        for split, clips in splits.items():
            integers = torch.from_numpy(program.dequantize_output(runner.run(deploy.inputs(program, clips.audio))))
            for form, scores in (("", checkpoint.in_batches(recogniser, clips.audio)), ("_int8", integers)):
                row[split + form] = metrics.report(scores, clips.labels, recogniser.classes).accuracy
        report = package.export(program, "cortex-m4", f"{folder}/m4")
    row |= {"flash": report["flash"]["total_bytes"], "ram": report["ram"]["total_bytes"]}
    return row | {"instructions": report["instructions"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    splits = {split: data.open_dataset("speech-commands", classes=10).clips(split) for split in SPLITS}
    print("| network | weights | multiply-adds | validation | int8 | testing | int8 | flash | RAM | instructions |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name in a.names or checkpoint.shipped():
        rows.append(measure(name, splits))
        cells = [f"{value:.2%}" if isinstance(value, float) else f"{value:,}" for value in map(rows[-1].get, COLUMNS)]
        print("| " + " | ".join([f"`{name}`", *cells]) + " |", flush=True)
    if a.json:
        found = {"command": "python " + shlex.join(sys.argv), "rows": rows}
        a.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
