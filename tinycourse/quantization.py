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

from tinycourse.affine import affine_parameters, dequantize, quantize, quantize_rows
from tinycourse.errors import TinycourseError
from tinycourse.graph import Graph, Node
from tinycourse.mcu.fixed_point import fixed_point
from tinycourse.mcu.program import Operation, Program
from tinycourse.mcu.program import Tensor as IntegerTensor
from tinycourse.observers import MeanSquareError, MinMax, find_observer
from tinycourse.tracing import trace

SHARED = {"max_pool", "upsample", "crop", "pad", "shift", "reshape"}  # move numbers about: the output keeps scale and zero point


Ranges = dict[str, tuple[float, float]]  # what an observer found for each tensor, by name: (low, high)


def measure(graph: Graph, x: Tensor, observer: str | Callable[[], MinMax] = MeanSquareError, batch: int = 32) -> Ranges:
    """Run x [N, C, H, W] through the float graph: the range of every tensor that has a scale of its own."""
    make = find_observer(observer)
    observers = {n.name: make() for n in graph.nodes if n.kind not in SHARED}
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
        if n.kind in SHARED:
            scale, zero_point = tensors[n.inputs[0].name].scale, tensors[n.inputs[0].name].zero_point
        else:
            scale, zero_point = affine_parameters(*ranges[n.name])
        tensors[n.name] = IntegerTensor(n.name, (*n.shape[1:], n.shape[0]), scale, zero_point)
    return tensors


def calibrate(graph: Graph, x: Tensor, observer: str | Callable[[], MinMax] = MeanSquareError) -> dict[str, IntegerTensor]:
    """Scale and zero point of every tensor, by name, from the ranges that it has on x [N, C, H, W]."""
    return tensors_of(graph, measure(graph, x, observer))


# ------------------------------------------------------------------------------------------ one operation
# One function per kind of node: the node, its input tensors and its output tensor to integer parameters and arrays.


def quantize_weights(node: Node, ins, out):
    """Weights, bias, and the factor s_in * s_w / s_out of conv and linear (see `quantize_rows`)."""
    weight, bias, scale = quantize_rows(node.arrays["weight"].numpy(), node.arrays["bias"].numpy(), ins[0].scale)
    multiplier, shift = fixed_point(ins[0].scale * scale / out.scale)
    return {"weight": weight, "bias": bias, "multiplier": multiplier, "shift": shift}


def emit_conv(node, ins, out):
    arrays, p = quantize_weights(node, ins, out), node.parameters
    arrays["weight"] = np.ascontiguousarray(arrays["weight"].transpose(0, 2, 3, 1))  # [O, I, KH, KW] to [O, KH, KW, I]
    padding = (p["padding"][0], p["padding"][2])
    return {"stride": p["stride"], "padding": padding, "dilation": p["dilation"], "groups": p["groups"]}, arrays


def emit_linear(node, ins, out):
    return {}, quantize_weights(node, ins, out)


def weighted_sum(node, ins, out, keys) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Factors int16 and bias int32 of `scale` and `add` on one shift for each channel, the largest with which they fit.

    The error of a factor is at most 2**-15 of the channel's largest: a hundredth of a step, for factors around 1.
    """
    factors = [node.arrays[k].numpy() * (t.scale / out.scale) for k, t in zip(keys, ins)]
    bias = node.arrays["bias"].numpy() / out.scale
    room = [2.0**15 / largest_of_channel(f) for f in factors] + [2.0**29 / largest_of_channel(bias)]
    shift = (np.frexp(np.min(room, axis=0))[1] - 1).clip(1, 30)  # 2**shift is at most the room
    step = np.exp2(shift).reshape(-1, *[1] * (bias.ndim - 1))
    factors = [np.rint(f * step).clip(-(2**15), 2**15 - 1).astype(np.int16) for f in factors]
    return factors, np.rint(bias * step).clip(-(2**29), 2**29).astype(np.int32), shift.astype(np.int8)


def largest_of_channel(array: np.ndarray) -> np.ndarray:
    """[C, ...] to [C]: largest magnitude, never 0."""
    return np.abs(array).reshape(len(array), -1).max(1).clip(2.0**-60)


def in_bands(array: np.ndarray) -> np.ndarray:
    """[2, C, H, W] as [2, SH, SW, C] with as few equal bands along H and W as say the same; [2, C] stays."""
    for axis in range(2, array.ndim):
        size = array.shape[axis]
        few = (array.take(range(0, size, size // n), axis) for n in range(1, size + 1) if size % n == 0)
        array = next(f for f in few if (f.repeat(size // f.shape[axis], axis) == array).all())
    return np.moveaxis(array, 1, -1)


def emit_scale(node, ins, out):
    (multiplier,), bias, shift = weighted_sum(node, ins, out, ["factor"])
    multiplier, bias = in_bands(np.stack(np.broadcast_arrays(multiplier, bias)))  # int32 both
    return {}, {"multiplier": multiplier.astype(np.int16), "bias": np.ascontiguousarray(bias), "shift": shift}


def emit_add(node, ins, out):
    (a, b), bias, shift = weighted_sum(node, ins, out, ["factor_a", "factor_b"])
    return {}, {"multiplier_a": a, "multiplier_b": b, "bias": bias, "shift": shift}


def emit_multiply(node, ins, out):
    multiplier, shift = fixed_point(ins[0].scale * ins[1].scale / out.scale)
    return {"multiplier": int(multiplier), "shift": int(shift)}, {}


def emit_max_pool(node, ins, out):
    return {k: node.parameters[k] for k in ("kernel", "stride", "padding")}, {}


def emit_average_pool(node, ins, out):
    kernel, stride = node.parameters["kernel"], node.parameters["stride"]
    multiplier, shift = fixed_point(ins[0].scale / (out.scale * kernel[0] * kernel[1]))
    return {"kernel": kernel, "stride": stride, "multiplier": int(multiplier), "shift": int(shift)}, {}


def emit_upsample(node, ins, out):
    return {"factor": node.parameters["factor"]}, {}


def emit_shift(node, ins, out):
    return {}, {"runs": np.array(node.parameters["runs"], np.int16)}


def emit_crop(node, ins, out):
    c, h, w = node.parameters["start"]
    return {"start": (h, w, c)}, {}


def emit_reshape(node, ins, out):
    return {}, {}


def emit_embedding(node, ins, out):
    return {}, {"table": quantize(node.arrays["table"].numpy(), out.scale, out.zero_point)}


def emit_linear16(node, ins, out):
    """Each product has scales of its own: one for each row of its matrix. The bias goes with the first."""
    arrays, bias = {}, node.arrays["bias"].numpy()
    for t, which in zip(ins, ("", "_recurrent")):
        weight, bias, scale = quantize_rows(node.arrays["weight" + which].numpy(), bias, t.scale)
        multiplier, shift = fixed_point(t.scale * scale / out.scale)
        new = {"weight": weight, "bias": bias, "multiplier": multiplier, "shift": shift}
        arrays |= {k + which: v for k, v in new.items() if k + which != "bias_recurrent"}
        bias = np.zeros(len(bias))
    return {}, arrays


def emit_layer_norm(node, ins, out):
    """Normalised numbers have 15 bits after the point; epsilon is in units of (units * input)**2."""
    gates = node.parameters["gates"]
    multiplier, shift = fixed_point(node.arrays["scale"].numpy() / 2**15 / out.scale)
    epsilon = np.clip(np.rint(node.parameters["epsilon"] * (node.shape[0] // gates / ins[0].scale) ** 2), 1, 2.0**52)
    bias = np.rint(node.arrays["bias"].numpy() / out.scale).astype(np.int32)
    return {"gates": gates, "epsilon": int(epsilon)}, {"multiplier": multiplier, "shift": shift, "bias": bias}


def emit_cell(node, ins, out):
    """SRU needs no limit: its cell is a mean of what it saw."""
    limit = min(round((node.parameters["clip"] or 64) / out.scale), 2**15 - 1)
    return {"bits": bits_of(out)} | ({} if node.kind == "sru_cell" else {"limit": limit}), {}


def emit_cell_output(node, ins, out):
    """o tanh(c) has 30 bits after the point; what SRU adds to it as many as fit: 15 and those of its gates."""
    multiplier, shift = fixed_point(2.0 ** -(30 if node.kind == "gated_output" else 15 + bits_of(ins[1])) / out.scale)
    return {"bits": bits_of(ins[1]), "multiplier": int(multiplier), "shift": int(shift)}, {}


def bits_of(tensor: IntegerTensor) -> int:
    """How many bits are after the point where the scale is a power of two."""
    return int(-np.log2(tensor.scale))


def emit_tanh8(node, ins, out):
    return {}, {}


def emit_lookup(node, ins, out):
    """All 256 answers; a clamp that was not fused is a table too."""
    x = torch.from_numpy(dequantize(np.arange(-128, 128), ins[0].scale, ins[0].zero_point))
    y = x.clamp(*node.clamp) if node.kind == "clamp" else node.parameters["function"](x)
    return {}, {"table": quantize(y, out.scale, out.zero_point)}


EMIT = {name.removeprefix("emit_"): f for name, f in list(globals().items()) if name.startswith("emit_")}
EMIT |= {"pad": emit_crop, "clamp": emit_lookup, "gated_output": emit_cell_output, "highway_output": emit_cell_output}
EMIT |= dict.fromkeys(("lstm_cell", "cifg_cell", "sru_cell"), emit_cell)


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
        if node.kind == "state":
            continue
        ins, out = [tensors[i.name] for i in node.inputs], tensors[node.name]
        parameters, arrays = EMIT[node.kind](node, ins, out)
        kind = "lookup" if node.kind == "clamp" else node.kind
        if node.clamp and kind != "lookup":
            clamp = tuple(int(bound) for bound in quantize(node.clamp, out.scale, out.zero_point))
            parameters |= {"clamp": clamp} if clamp != (-128, 127) else {}
        operations.append(Operation(kind, tuple(i.name for i in node.inputs), node.name, parameters, arrays, node.path))
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
        if node.kind == "state":
            continue
        t = program.tensors[node.name]
        snr = signal_to_noise(floats[node.name], dequantize(integers[node.name], t.scale, t.zero_point))
        rows.append({"tensor": node.name, "kind": node.kind, "path": node.path, "snr": snr})
    return rows
