"""What the shipped networks reach and cost: the table of the README. Run by hand: python benchmarks/checkpoints.py [NAME ...]

Accuracies on real recordings (Speech Commands, ten classes) in float and in int8, the latter by the C program on this machine, which
equals the interpreter in every bit; flash, RAM and instructions by the C program on an emulated Cortex-M4.
"""

import sys
import tempfile

import torch

from tinycourse import checkpoint, data, deploy, metrics, profiling
from tinycourse.mcu import package

splits = {split: data.open_dataset("speech-commands", classes=10).clips(split) for split in ("validation", "testing")}
print("| network | weights | multiply-adds | validation | int8 | testing | int8 | flash | RAM | instructions |")
print("|---|---|---|---|---|---|---|---|---|---|")
for name in sys.argv[1:] or checkpoint.shipped():
    recogniser = checkpoint.load(name)
    program = deploy.program_of(recogniser, deploy.calibration_audio(recogniser))
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        package.export(program, "host", f"{folder}/host")
        runner = package.load(f"{folder}/host")
        for clips in splits.values():
            floats = checkpoint.in_batches(recogniser, clips.audio)
            integers = torch.from_numpy(program.dequantize_output(runner.run(deploy.inputs(program, clips.audio))))
            cells += [f"{metrics.report(x, clips.labels, recogniser.classes).accuracy:.2%}" for x in (floats, integers)]
        report = package.export(program, "cortex-m4", f"{folder}/m4")
    cost = profiling.profile(recogniser.network, torch.zeros(1, *recogniser.frontend.config.shape))
    flash, ram = report["flash"], report["ram"]
    sizes = flash["code_bytes"] + flash["weight_bytes"], ram["arena_bytes"] + (ram["stack_bytes"] or 0), report["instructions"]
    print("| " + " | ".join([f"`{name}`", f"{cost.parameters:,}", f"{cost.multiply_adds:,}", *cells, *(f"{n:,}" for n in sizes)]) + " |")
