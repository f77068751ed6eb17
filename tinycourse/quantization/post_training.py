"""Quantization: real numbers as 8-bit integers, and a float network as a `Program` of integers.

A real x is kept as an integer q with x ~ scale * (q - zero_point). Activations: one scale and zero point per tensor, from
the range that an observer sees on calibration data. Weights: one scale per output channel, zero point 0. Biases: int32 in
units of (input scale * weight scale), so that they add to the sum of products as they are (CMSIS-NN's and TensorFlow
Lite's scheme; Jacob et al. 2018, arXiv 1712.05877, section 2).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from tinycourse.errors import TinycourseError
from tinycourse.program.affine import affine_parameters, dequantize, quantize
from tinycourse.program.ops.base import Tensor as IntegerTensor
from tinycourse.program.program import Program
from tinycourse.quantization.graph import Graph
from tinycourse.quantization.observers import MeanSquareError, MinMax, find_observer
from tinycourse.quantization.ops.base import State
from tinycourse.quantization.tracing import trace

Ranges = dict[str, tuple[float, float]]  # what an observer found for each tensor, by name: (low, high)


def measure(graph: Graph, x: Tensor, observer: str | Callable[[], MinMax] = MeanSquareError, batch: int = 32) -> Ranges:
    """Run x [N, C, H, W] through the float graph: the range of every tensor that has a scale of its own."""
    make = find_observer(observer)
    observers = {n.name: make() for n in graph.nodes if not n.keeps_scale}
    with torch.no_grad():
        for part in x.split(batch):
            values = graph.trace(part)
            for node in graph.nodes:
                if not values[node.name].isfinite().all():
                    raise TinycourseError(f"{node.path or 'The input'} gives nan or infinite numbers: train the network again.")
            for name, seen in observers.items():
                seen.observe(values[name])
    return {name: seen.range() for name, seen in observers.items()}


def tensors_of(graph: Graph, ranges: Ranges) -> dict[str, IntegerTensor]:
    """Scale and zero point of every tensor, by name. Shapes come out channels last, (H, W, C)."""
    tensors = {}
    for n in graph.nodes:
        if n.keeps_scale:
            scale, zero_point = tensors[n.inputs[0].name].scale, tensors[n.inputs[0].name].zero_point
        else:
            scale, zero_point = affine_parameters(*ranges[n.name])
        tensors[n.name] = IntegerTensor(n.name, (*n.shape[1:], n.shape[0]), scale, zero_point)
    return tensors


def calibrate(graph: Graph, x: Tensor, observer: str | Callable[[], MinMax] = MeanSquareError) -> dict[str, IntegerTensor]:
    """Scale and zero point of every tensor, by name, from the ranges that it has on x [N, C, H, W]."""
    return tensors_of(graph, measure(graph, x, observer))


# ------------------------------------------------------------------------------------------ the whole network


def to_program(
    module: nn.Module, calibration: Tensor, metadata: dict | None = None, observer: str | Callable[[], MinMax] = MeanSquareError
) -> Program:
    """Post-training quantization of any module made of supported operations.

    `calibration` holds inputs as the network will meet them, float [N, C, H, W] or [N, C]; `observer` is a name
    of `observers.OBSERVERS`, or what makes one when it is called.
    The program takes them channels last (see `channels_last`). The module is left as it is. Raises UnsupportedOperation by
    name and path, TinycourseError where the calibration data are of no use.
    """
    if calibration.dim() not in (2, 4) or len(calibration) == 0 or not calibration.isfinite().all():
        raise TinycourseError(
            f"Calibration data must be finite numbers [N, C, H, W] or [N, C] with N > 0, not {list(calibration.shape)} or nan."
        )
    graph = trace(module, calibration.shape[1:])
    return quantize_graph(graph, calibrate(graph, calibration.detach().float(), observer), metadata)


def quantize_graph(graph: Graph, tensors: dict[str, IntegerTensor], metadata: dict | None = None) -> Program:
    """The integer program of a float graph whose tensors have their scales."""
    operations = []
    for node in graph.nodes[1:]:
        if isinstance(node, State):
            continue
        ins, out = [tensors[i.name] for i in node.inputs], tensors[node.name]
        parameters, arrays = node.quantize(ins, out)
        if node.clamp:
            clamp = tuple(int(bound) for bound in quantize(node.clamp, out.scale, out.zero_point))
            parameters |= {"clamp": clamp} if clamp != (-128, 127) else {}
        operations.append(node.integer(tuple(i.name for i in node.inputs), node.name, parameters, arrays, node.path))
    return Program(graph.nodes[0].name, graph.nodes[-1].name, tensors, operations, metadata or {}, graph.state)


def channels_last(x: Tensor) -> np.ndarray:
    """torch's [N, C, H, W] as a program's [N, H, W, C]; [N, C] stays."""
    return (x.permute(0, 2, 3, 1) if x.dim() == 4 else x).detach().cpu().numpy()


def signal_to_noise(signal: np.ndarray, approximation: np.ndarray) -> float:
    """10 log10(sum of squares / sum of squared errors), in dB; infinite where there is no error."""
    power, noise = np.square(signal, dtype=np.float64).sum(), np.square(signal - approximation, dtype=np.float64).sum()
    return float("inf") if noise == 0 else float(10 * np.log10(power / noise)) if power else float("-inf")


def error_report(module: nn.Module | Graph, program: Program, x: Tensor) -> list[dict]:
    """How far each tensor of the program is from the float network's on x, all errors before it included.

    One dict per tensor, in running order: tensor, kind, path, and snr in dB. Each bit of resolution is worth 6 dB.
    """
    graph = module if isinstance(module, Graph) else trace(module, x.shape[1:])
    with torch.no_grad():
        floats = {name: channels_last(y) for name, y in graph.trace(x.float()).items()}
    return compare(graph, program, floats, program.trace(program.quantize_input(channels_last(x))))


def compare(graph: Graph, program: Program, floats: dict[str, np.ndarray], integers: dict[str, np.ndarray]) -> list[dict]:
    """The report on what a graph and its program gave, by name."""
    rows = []
    for node in graph.nodes:
        if isinstance(node, State):
            continue
        t = program.tensors[node.name]
        snr = signal_to_noise(floats[node.name], dequantize(integers[node.name], t.scale, t.zero_point))
        rows.append({"tensor": node.name, "kind": node.kind, "path": node.path, "snr": snr})
    return rows
