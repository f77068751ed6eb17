"""Instructions of a network on a chip, predicted: a few costs for each kernel, by least squares on networks that the emulator ran.

Multiply-adds say little about it: an addition has none and costs thirty instructions an element, a product of a pointwise
convolution costs two. So every kernel has its own price for what it does: products, elements, positions, and itself once.
"""

import functools
import json
import math
import tempfile
from pathlib import Path

import numpy as np

from tinycourse.codegen import emitter
from tinycourse.errors import TinycourseError
from tinycourse.export import package
from tinycourse.program.ops.base import Kernel
from tinycourse.program.program import Program

MEASURED = Path(__file__).parent / "cost_model.json"  # written by `benchmarks/explore.py costs`


def amounts(operation, kernel: Kernel, output: tuple[int, ...]) -> dict[str, float]:
    """How much an operation does of each thing that its kernel is paid for (`Kernel.costs`).

    The kernels work on four outputs at a time: what is left over costs more.
    """
    channels, positions = output[-1], math.prod(output[:-1])
    does = {"elements": positions * channels, "positions": positions, "once": 1, "elements left over": positions * (channels % 4)}
    if "weight" in operation.arrays:
        outputs, *taps, _ = shape = operation.arrays["weight"].shape
        each = math.prod(shape[1:])
        left = outputs % 4 * each if kernel.path == "depthwise" else outputs * each - outputs // 4 * 4 * (each // 4 * 4)
        does |= {"products": positions * outputs * each, "products left over": positions * left, "taps": positions * math.prod(taps)}
    if "kernel" in operation.parameters:
        height, width = operation.parameters["kernel"]
        does |= {"compared": positions * channels * height * width, "rows compared": positions * channels * height}
    if "runs" in operation.arrays:
        does["runs"] = positions * len(operation.arrays["runs"])
    return {name: does[name] for name in kernel.costs}


def describe(program: Program) -> list[tuple[str, dict[str, float]]]:
    """(kernel, amounts) for every operation that has code."""
    kernels, _ = emitter.translate(program)
    shapes = [program.tensors[op.output].shape for op in program.operations]
    rows = zip(program.operations, kernels, shapes, strict=True)
    return [(kernel.path, amounts(op, kernel, shape)) for op, kernel, shape in rows if kernel.function]


def measure(program: Program, target: str) -> list[tuple[str, dict[str, float], int]]:
    """(kernel, amounts, instructions) for every operation, on the emulated chip `target`: some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        report = package.export(program, target, Path(folder, "chip"))
    counted = [layer["instructions"] for layer in report["layers"] if layer["kernel"] != "alias"]
    return [(*row, instructions) for row, instructions in zip(describe(program), counted, strict=True)]


def fit(rows: list[tuple[str, dict[str, float], int]]) -> dict[str, list[float]]:
    """Prices of every kernel: least squares of errors divided by the square root of the instructions."""
    prices = {}
    for kernel in sorted({row[0] for row in rows}):
        mine = [row for row in rows if row[0] == kernel]
        work, counted = np.array([list(r[1].values()) for r in mine], float), np.array([r[2] for r in mine], float)
        weight = 1 / np.sqrt(counted)
        prices[kernel] = np.linalg.lstsq(work * weight[:, None], counted * weight, rcond=None)[0].tolist()
    return prices


def add_up(prices: dict[str, list[float]], rows: list[tuple]) -> float:
    """Instructions of a network by its rows (kernel, amounts, ...). Raises TinycourseError for a kernel that has no prices."""
    if unknown := sorted({kernel for kernel, *_ in rows} - prices.keys()):
        raise TinycourseError(f"What the kernel {unknown[0]} takes has never been measured; run `python benchmarks/explore.py costs`.")
    return sum(float(np.dot(prices[kernel], list(work.values()))) for kernel, work, *_ in rows)


@functools.cache
def measured() -> dict:
    """By target: `prices`, the `errors` of leaving one network out, and `instructions` counted for each."""
    return json.loads(MEASURED.read_text(encoding="utf-8"))["targets"]


def predict(program: Program, target: str = "cortex-m4") -> int:
    """Instructions for one clip on a chip, without running it."""
    return round(add_up(measured()[target]["prices"], describe(program)))
