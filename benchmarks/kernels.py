"""Instructions per multiply-add of the C kernels on an emulated Cortex-M4, with its DSP kernels and plain, and M0+: DS-CNN-S, TinySpeech-M.

    python benchmarks/kernels.py

The last two columns are cited, not measured here: CMSIS-NN and a plain C implementation under the same kind of emulation.
Weights and inputs are random: the kernels take the same path for any.
"""

import tempfile
from pathlib import Path

import numpy as np

from tests import fuzz
from tinycourse.codegen import emitter
from tinycourse.models.design import TINYSPEECH_DESIGNS
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program
from tinycourse.search import costs
from tinycourse.targets.emulator import CORES, Chip

# CMSIS-NN and plain C, instructions per multiply-add on the M4
CITED = {"conv": (3.5, 24), "depthwise": (7.8, 20), "pointwise": (2.1, 7.2), "linear": (2.8, "-"), "all": (2.9, "-")}


class Network:
    """A program that grows layer by layer, with random weights."""

    def __init__(self, shape: tuple[int, ...]):
        self.rng = np.random.default_rng(0)
        self.tensors, self.operations, self.last = {"x": Tensor("x", shape, 0.05, 0)}, [], "x"

    def add(self, kind: str, shape: tuple[int, ...], parameters: dict, arrays: dict) -> None:
        name = f"y{len(self.operations)}"
        self.tensors[name] = Tensor(name, shape, 0.05, 0)
        self.operations.append(OPS[kind]((self.last,), name, parameters, arrays))
        self.last = name

    def weights(self, *shape: int) -> dict:
        weight = self.rng.integers(-127, 128, shape, np.int8)
        multiplier, shift = fixed_point(np.full(shape[0], 40 / (5000 * weight[0].size ** 0.5)))
        return dict(weight=weight, bias=np.zeros(shape[0], np.int32), multiplier=multiplier, shift=shift)

    def conv(self, kernel, shape, stride=(1, 1), padding=(0, 0), groups=1) -> None:
        arrays = self.weights(shape[2], *kernel, self.tensors[self.last].shape[2] // groups)
        self.add("conv", shape, dict(stride=stride, padding=padding, dilation=(1, 1), groups=groups, clamp=(0, 127)), arrays)

    def mean(self, kernel: tuple[int, int], channels: int) -> None:
        multiplier, shift = fixed_point(1 / (kernel[0] * kernel[1]))
        parameters = dict(kernel=kernel, stride=(1, 1), multiplier=int(multiplier), shift=int(shift))
        self.add("average_pool", (channels,), parameters, {})


def ds_cnn_s() -> Program:
    """DS-CNN-S (arXiv 1711.07128): 49 x 10 input, a 10 x 4 convolution, four depthwise separable blocks of 64, 12 classes."""
    n = Network((49, 10, 1))
    n.conv((10, 4), (25, 5, 64), (2, 2), (4, 1))
    for _ in range(4):
        n.conv((3, 3), (25, 5, 64), padding=(1, 1), groups=64)
        n.conv((1, 1), (25, 5, 64))
    n.mean((25, 5), 64)
    n.add("linear", (12,), {}, n.weights(12, 64))
    return Program("x", n.last, n.tensors, n.operations)


def measure(program: Program, target: str, dsp: bool = False) -> tuple[dict[str, tuple[int, int]], Chip]:
    """Multiply-adds and instructions of each kind of kernel, and of all."""
    with tempfile.TemporaryDirectory() as folder:
        chip = Chip(fuzz.build([program], target, Path(folder), dsp=dsp), "case0")
    x = np.random.default_rng(1).integers(-128, 128, (1, *program.tensors[program.input].shape), np.int8)
    y = program.run(x)
    assert chip.run(x.tobytes(), y.size) == y.tobytes()
    kinds = {}
    for i, (kernel, work) in enumerate(zip(emitter.translate(program, dsp)[0], emitter.multiply_adds(program))):
        so_far = kinds.get(kernel.path, (0, 0))
        kinds[kernel.path] = so_far[0] + work, so_far[1] + chip.layers[i]
    return kinds | {"all": (sum(emitter.multiply_adds(program)), chip.instructions)}, chip


def table(name: str, program: Program, cited: dict) -> None:
    """Print what each kind of kernel takes: for each multiply-add, or in all where it has none."""
    columns = {"cortex-m4, DSP": ("cortex-m4", True)} | {target: (target, False) for target in CORES}
    results = {column: measure(program, target, dsp) for column, (target, dsp) in columns.items()}
    print(f"\n{name}, instructions per multiply-add (padding counted as multiply-adds), or in all where there are none")
    header = ["multiply-adds", *results, *(["CMSIS-NN*", "plain C*"] if cited else [])]
    print(f"{'kernel':14}", *(f"{c:>14}" for c in header))
    for kind, (work, _) in next(iter(results.values()))[0].items():
        counted = [kinds[kind][1] for kinds, _ in results.values()]
        print(f"{kind:14} {work:14,}", *(f"{n / work:14.2f}" if work else f"{n:14,}" for n in counted), end="")
        print(*(f" {c:>14}" for c in cited.get(kind, ("-", "-")) if cited), sep="")
    for target, (kinds, chip) in results.items():
        print(f"{target}: {kinds['all'][1]:,} instructions, {chip.sections['.text']:,} bytes of code, {chip.stack} of stack")


def main() -> None:
    table("DS-CNN-S", ds_cnn_s(), CITED)
    table("TinySpeech-M", costs.program_of(TINYSPEECH_DESIGNS["m"]), {})
    print("\n* cited, on the M4, not measured here; CMSIS-NN needs 7,640,000 instructions for the whole network")


if __name__ == "__main__":
    main()
