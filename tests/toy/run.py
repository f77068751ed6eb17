"""Run by test_operation.py on a copy of the library that has `maximum`: every executor, and whoever asks an operation something.

python tests/toy/run.py FOLDER      an empty folder for what is built
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests import fuzz
from tests.slow_recurrent import scaled
from tinycourse.errors import TinycourseError
from tinycourse.export import package
from tinycourse.program.ops.base import OPS
from tinycourse.program.program import Program
from tinycourse.quantization import to_program
from tinycourse.quantization.post_training import error_report
from tinycourse.quantization.tracing import trace
from tinycourse.search import instruction_model
from tinycourse.targets import binaries, toolchain

DRAWN = 8  # random programs that end in a maximum


class Larger(nn.Module):
    """Maps and vectors, with and without broadcast, a ReLU behind."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.last = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(2, 6, 1), nn.Linear(6, 5)

    def forward(self, x):
        x = torch.maximum(self.left(x), self.right(x).mean(3, keepdim=True)).relu().mean((2, 3))
        return torch.maximum(self.last(x), -self.last(x))


def refusal(call, *arguments) -> str:
    """The sentence with which a call refuses."""
    try:
        call(*arguments)
    except TinycourseError as error:
        return str(error)
    raise AssertionError(f"{call} did not refuse")


def check_slowly(program: Program) -> None:
    """The reference is what the definition says, one number at a time."""
    values = program.trace(fuzz.random_input(program, 0))
    for op in (one for one in program.operations if one.kind == "maximum"):
        ins, out = [program.tensors[name] for name in op.inputs], program.tensors[op.output]
        factors = list(zip(op.parameters["multiplier"], op.parameters["shift"]))
        whole = [np.broadcast_to(values[name], (4, *out.shape)).astype(int) - t.zero_point for name, t in zip(op.inputs, ins)]
        slow = [max(scaled(v, *f) for v, f in zip(pair, factors)) + out.zero_point for pair in zip(*(w.ravel().tolist() for w in whole))]
        assert values[op.output].ravel().tolist() == np.clip(slow, *op.clamp(out)).tolist()


def check_bits(programs: list[Program], target: str, folder: Path, dsp: bool = False) -> None:
    """C says what the interpreter says."""
    folder.mkdir()
    binary = fuzz.build(programs, target, folder, dsp=dsp)
    for i, program in enumerate(programs):
        model, x = binaries.open_binary(target, binary, f"case{i}"), fuzz.random_input(program, i)
        assert all(model.run(clip.tobytes(), y.nbytes) == y.tobytes() for clip, y in zip(x, program.run(x))), (target, i)


def main(folder: Path) -> None:
    torch.manual_seed(0)
    network, x = Larger().eval(), torch.randn(32, 2, 7, 5)
    assert [node.kind for node in trace(network, x.shape[1:]).nodes if node.kind in ("clamp", "maximum")] == ["maximum", "maximum"]
    program = to_program(network, x)
    assert min(row["snr"] for row in error_report(network, program, x)) > 30

    sorts = list(fuzz.DRAW)
    seeds = range(sorts.index("maximum"), DRAWN * len(sorts), len(sorts))
    drawn = [fuzz.random_program(seed, operations=2) for seed in seeds]
    assert all(one.operations[-1].kind == "maximum" for one in drawn)
    program.save(folder / "program.safetensors")
    programs = [Program.load(folder / "program.safetensors"), *drawn]
    for one in programs:
        check_slowly(one)
    for target in toolchain.TARGETS:
        check_bits(programs, target, folder / target)
    check_bits(programs, "cortex-m4", folder / "dsp", dsp=True)

    report = package.export(program, "cortex-m4", folder / "package")
    assert [row["kernel"] for row in report["layers"]].count("maximum") == 2
    assert all(row["instructions"] for row in report["layers"])
    last = program.operations[-1]
    assert "maximum" in OPS and refusal(last.onnx, None, [], None).startswith(f"{last.describe()} has no ONNX form here")
    assert refusal(instruction_model.predict, program).startswith("What the kernel maximum takes has never been measured")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
