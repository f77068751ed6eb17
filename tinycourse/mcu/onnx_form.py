"""A `Program` as ONNX, the form that other tools read: every operation in float, between DequantizeLinear and QuantizeLinear.

That is the QDQ form. A runtime computes what stands there, or finds its own integer kernels for it. Weights have a scale for every output
channel, biases are int32, activations have the scales of the program; input and output are real numbers. Maps are [N, C, H, W], as torch
and ONNX have them.

Weights and activations are stored as uint8, 128 above the program's int8: the same real numbers, and the same sums on every processor.
onnxruntime's kernel for int8 weights on x86 without VNNI (VPMADDUBSW) clips sums of two products to 16 bits; the one for uint8 does not.

ONNX rounds halves to even where the program rounds them up, and a runtime multiplies by scales in float32. The sums of `add` and
`scale` are multiples of 1 / 2**shift of a step, and halves are among them. They are given half of that multiple more: no sum is a half
then, and each is rounded as in the program. So a number differs from the interpreter's, by one step, only where a product or a mean lies
within float32's precision of a half.
"""

import math
from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.mcu import firmware, package
from tinycourse.mcu.ops import Operation, Tensor
from tinycourse.mcu.program import Program

OPSET, IR = 17, 8  # of 2022, so that runtimes which are some years old read it


def to_onnx(program: Program):
    """The program as an `onnx.ModelProto`: input "features" float32 [N, C, H, W] or [N, C], output "scores" float32 [N, outputs].

    Raises TinycourseError where onnx is missing, or the program has an operation that has no ONNX form here.
    """
    onnx = import_onnx()
    graph = Writer(program).graph()
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="tinycourse")
    onnx.helper.set_model_props(model, {k: str(v) for k, v in program.metadata.items() if k in ("model", "classes")})
    onnx.checker.check_model(model, full_check=True)
    return model


def import_onnx():
    """The module onnx; TinycourseError where it is missing."""
    try:
        import onnx
    except ImportError:
        raise TinycourseError("onnx is missing; install it with `python -m pip install onnx`.") from None
    return onnx


def raised(integers) -> np.ndarray:
    """int8 numbers as uint8, 128 above them."""
    return (np.asarray(integers, np.int16) + 128).astype(np.uint8)


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(H, W, C) as (C, H, W); (C,) stays."""
    return (shape[-1], *shape[:-1])


class Writer:
    """Collects nodes and constants of a graph. `values` has the quantized tensor, uint8, of every name of the program."""

    def __init__(self, program: Program):
        self.onnx, self.program, self.nodes, self.constants, self.values = import_onnx(), program, [], [], {}

    def graph(self):
        """The whole program as an `onnx.GraphProto`."""
        program, make, kind = self.program, self.onnx.helper.make_tensor_value_info, self.onnx.TensorProto.FLOAT
        x, y = program.tensors[program.input], program.tensors[program.output]
        if program.state:
            raise TinycourseError("A recurrent network has no ONNX form here: its cells are in 16 bits; export it as C.")
        self.values[x.name] = self.quantize("features", x)
        for op in program.operations:
            if op.kind not in WRITE:
                raise TinycourseError(f"{op.describe()} has no ONNX form here; {HINTS.get(op.kind, 'export the program as C')}.")
            ins, out = [program.tensors[n] for n in op.inputs], program.tensors[op.output]
            self.values[out.name] = WRITE[op.kind](self, op, ins, out)
        self.node("DequantizeLinear", self.values[y.name], *self.steps(y), output="scores")
        ends = [make(name, kind, ["N", *channels_first(t.shape)]) for name, t in (("features", x), ("scores", y))]
        return self.onnx.helper.make_graph(self.nodes, "tinycourse", ends[:1], ends[1:], self.constants)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes) -> str:
        """One node; returns the name of its output."""
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def floats(self, values) -> str:
        return self.constant(np.asarray(values, np.float32))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def steps(self, t: Tensor) -> tuple[str, str]:
        """Scale and zero point of a tensor. Raises TinycourseError where it has more than 8 bits."""
        if t.bits != 8:
            raise TinycourseError(f"Tensor '{t.name}' has {t.bits} bits, and the ONNX form has 8; export the program as C.")
        return self.floats(t.scale), self.constant(raised(t.zero_point))

    def quantize(self, x: str, t: Tensor) -> str:
        return self.node("QuantizeLinear", x, *self.steps(t))

    def real(self, op: Operation, t: Tensor, place: int = 0) -> str:
        """Input number `place` of an operation as real numbers, read with the steps of t."""
        return self.node("DequantizeLinear", self.values[op.inputs[place]], *self.steps(t))

    def weights(self, array: np.ndarray, scale: np.ndarray) -> str:
        """A constant, int8 or int32, its first axis the output channel, with a scale for each."""
        array, zero = (raised(array), raised(0)) if array.dtype == np.int8 else (array, np.int32(0))
        return self.node("DequantizeLinear", self.constant(array), self.floats(scale), self.constant(np.full(len(scale), zero)), axis=0)

    def closed(self, op: Operation, y: str, out: Tensor) -> str:
        """Real numbers, within an operation's clamp, as those of its output."""
        clamp = op.parameters.get("clamp", out.limits)
        if tuple(clamp) != out.limits:
            y = self.node("Clip", y, *(self.floats(out.scale * (bound - out.zero_point)) for bound in clamp))
        return self.quantize(y, out)

    def times(self, x: str, factor: np.ndarray) -> str:
        """x * factor; x itself where the factor is 1 in float32. The program's own factors are that near to 1 seldom, and it shows."""
        return x if np.all(np.float32(factor) == 1) else self.node("Mul", x, self.floats(factor))


# ------------------------------------------------------------------------------------------------ one function for each kind
# Writer, operation, input Tensors, output Tensor -> the name of the output's integers.


def factor_of(multiplier, shift) -> np.ndarray:
    """The real number that a multiplier and a right shift stand for."""
    return np.ldexp(np.asarray(multiplier, np.float64), -np.asarray(shift, np.int64))


def in_steps(t: Tensor) -> float:
    """The scale of a tensor as the model has it, in float32."""
    return float(np.float32(t.scale))


def never_half(bias) -> np.ndarray:
    """An integer bias and half a unit: what comes out is no half of a step, and rounded to the nearest it is half rounded up."""
    return np.asarray(bias, np.float64) + 0.5


def along_channels(values: np.ndarray, t: Tensor) -> np.ndarray:
    """[C], or [H, W, C] for a map, channels first beside a tensor."""
    values = np.asarray(values, np.float64)
    if len(t.shape) == 1:
        return values.reshape(-1)
    return values.reshape(-1, 1, 1) if values.ndim == 1 else np.moveaxis(values, -1, 0)


def product(w: Writer, op: Operation, x: Tensor, out: Tensor, weight: np.ndarray) -> tuple[str, str]:
    """Weight, as ONNX has its axes, and bias of a product: the scale of an output's weights follows from its multiplier."""
    scale = factor_of(op.arrays["multiplier"], op.arrays["shift"]) * out.scale / x.scale
    return w.weights(weight, scale), w.weights(op.arrays["bias"].astype(np.int32), scale * x.scale)


def overhang(kernel, stride, dilation, padding, size, out) -> tuple[list[int], list[int], list[int]]:
    """Windows that begin at -padding and fill `out`: the pads of ONNX (top, left, bottom, right), and the box (start, end) to cut first."""
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(out, stride, kernel, dilation)]
    before = [max(p, 0) for p in padding]
    start = [max(-p, 0) for p in padding]
    end = [min(n, r - p) for n, r, p in zip(size, reach, padding)]  # behind the last window nothing is read
    after = [max(r - p - n, 0) for n, r, p in zip(size, reach, padding)]
    return [*before, *after], start, end


def cut(w: Writer, x: str, start, end, size, axes) -> str:
    """A part of x along some axes; x itself where that is all of it."""
    if all(a == 0 for a in start) and list(end) == list(size):
        return x
    return w.node("Slice", x, w.ints(*start), w.ints(*end), w.ints(*axes))


def conv(w, op, ins, out):
    p, (x,) = op.parameters, ins
    kernel = op.arrays["weight"].shape[1:3]
    pads, start, end = overhang(kernel, p["stride"], p["dilation"], p["padding"], x.shape[:2], out.shape[:2])
    settings = {"kernel_shape": kernel, "strides": p["stride"], "dilations": p["dilation"], "group": p["groups"], "pads": pads}
    weight, bias = product(w, op, x, out, op.arrays["weight"].transpose(0, 3, 1, 2))
    return w.closed(op, w.node("Conv", cut(w, w.real(op, x), start, end, x.shape[:2], (2, 3)), weight, bias, **settings), out)


def linear(w, op, ins, out):
    (x,) = ins
    if len(x.shape) == 1:
        weight, bias = product(w, op, x, out, op.arrays["weight"])
        return w.closed(op, w.node("Gemm", w.real(op, x), weight, bias, transB=1), out)
    weight, bias = product(w, op, x, out, op.arrays["weight"][:, :, None, None])
    return w.closed(op, w.node("Conv", w.real(op, x), weight, bias, kernel_shape=(1, 1)), out)


def scale(w, op, ins, out):
    def everywhere(values):  # constants of bands, one for each position
        for axis in range(values.ndim - 1):
            values = values.repeat(out.shape[axis] // values.shape[axis], axis)
        return along_channels(values, out)

    shift = op.arrays["shift"]
    factor = everywhere(factor_of(op.arrays["multiplier"], shift) * in_steps(out) / in_steps(ins[0]))
    bias = everywhere(factor_of(never_half(op.arrays["bias"]), shift) * in_steps(out))
    return w.closed(op, w.node("Add", w.times(w.real(op, ins[0]), factor), w.floats(bias)), out)


def add(w, op, ins, out):
    shift, terms = op.arrays["shift"], []
    for place, (t, letter) in enumerate(zip(ins, "ab")):
        factor = factor_of(op.arrays[f"multiplier_{letter}"], shift) * in_steps(out) / in_steps(t)
        terms.append(w.times(w.real(op, t, place), along_channels(factor, out)))
    bias = along_channels(factor_of(never_half(op.arrays["bias"]), shift) * in_steps(out), out)
    return w.closed(op, w.node("Add", w.node("Add", *terms), w.floats(bias)), out)


def multiply(w, op, ins, out):
    factor = factor_of(op.parameters["multiplier"], op.parameters["shift"]) * out.scale / (ins[0].scale * ins[1].scale)
    y = w.node("Mul", *(w.real(op, t, place) for place, t in enumerate(ins)))
    return w.closed(op, w.times(y, factor), out)


def max_pool(w, op, ins, out):
    p, size = op.parameters, ins[0].shape[:2]
    pads, start, end = overhang(p["kernel"], p["stride"], (1, 1), p["padding"], size, out.shape[:2])
    x = cut(w, w.real(op, out), start, end, size, (2, 3))  # the same integers before and behind: one scale
    return w.closed(op, w.node("MaxPool", x, kernel_shape=p["kernel"], strides=p["stride"], pads=pads), out)


def average_pool(w, op, ins, out):
    p = op.parameters
    factor = factor_of(p["multiplier"], p["shift"]) * math.prod(p["kernel"]) * out.scale / ins[0].scale
    y = w.node("AveragePool", w.real(op, ins[0]), kernel_shape=p["kernel"], strides=p["stride"])
    y = w.node("Flatten", y) if len(out.shape) == 1 else y
    return w.closed(op, w.times(y, factor), out)


def moved(write):
    """Of a function that moves numbers, Writer, operation, real numbers, the two Tensors -> real numbers: one from and to integers."""

    def kind(w, op, ins, out):
        return w.closed(op, write(w, op, w.real(op, out), ins[0], out), out)

    return kind


@moved
def upsample(w, op, x, before, after):
    scales = w.floats([1, 1, *op.parameters["factor"]])
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    size = [n * f for n, f in zip(before.shape, op.parameters["factor"])]
    return cut(w, w.node("Resize", x, "", scales, **settings), (0, 0), after.shape[:2], size, (2, 3))


@moved
def crop(w, op, x, before, after):
    start = channels_first(op.parameters["start"])
    end = [a + n for a, n in zip(start, channels_first(after.shape))]
    return cut(w, x, start, end, channels_first(before.shape), (1, 2, 3))


@moved
def pad(w, op, x, before, after):
    start = channels_first(op.parameters["start"])
    rest = [n - a - m for n, a, m in zip(channels_first(after.shape), start, channels_first(before.shape))]
    return w.node("Pad", x, w.ints(0, *start, 0, *rest))


@moved
def shift(w, op, x, before, after):
    """Every output channel is an input channel, read at an offset: a depthwise convolution with a single 1 in each kernel."""
    runs = [(c + i, dy, dx) for c, count, dy, dx in op.arrays["runs"].tolist() for i in range(count)]
    x = w.node("Gather", x, w.ints(*(c for c, _, _ in runs)), axis=1)
    (reach_y, reach_x), size = (max(abs(run[axis]) for run in runs) for axis in (1, 2)), len(runs)
    if not reach_y and not reach_x:
        return x
    weight = np.zeros((size, 1, 2 * reach_y + 1, 2 * reach_x + 1), np.int8)
    for j, (_, dy, dx) in enumerate(runs):
        weight[j, 0, reach_y + dy, reach_x + dx] = 1
    settings = {"kernel_shape": weight.shape[2:], "pads": [reach_y, reach_x] * 2, "group": size}
    return w.node("Conv", x, w.weights(weight, np.ones(size)), **settings)


@moved
def reshape(w, op, x, before, after):
    """The program's order is (H, W, C)."""
    x = w.node("Transpose", x, perm=(0, 2, 3, 1)) if len(before.shape) == 3 and before.shape[:2] != (1, 1) else x
    x = w.node("Reshape", x, w.ints(-1, *after.shape))
    return w.node("Transpose", x, perm=(0, 3, 1, 2)) if len(after.shape) == 3 else x


def lookup(w, op, ins, out):
    """A table of 256 integers: they are gathered as they are."""
    table = raised(np.clip(op.arrays["table"], *op.parameters.get("clamp", out.limits)))
    return w.node("Gather", w.constant(table), w.node("Cast", w.values[op.inputs[0]], to=w.onnx.TensorProto.INT32), axis=0)


KINDS = conv, linear, scale, add, multiply, max_pool, average_pool, lookup
WRITE = {f.__name__: f for f in KINDS}
WRITE |= {"upsample": upsample, "crop": crop, "pad": pad, "shift": shift, "reshape": reshape}
HINTS = {"features": "it is the front end; export without --samples, and give the network features"}


# ------------------------------------------------------------------------------------------------ a folder


def export(program: Program, out: str | Path) -> dict:
    """Write `model.onnx` with README and licence into the folder `out`; returns a report. See `package.install` for the folder.

    Raises TinycourseError as `to_onnx` and `package.install` do.
    """
    model = to_onnx(program)
    ends = zip(("input", "output"), ("features", "scores"), (program.tensors[program.input], program.tensors[program.output]))
    report = {
        "format": package.FORMAT,
        "form": "onnx",
        **{
            end: {"name": name, "shape": list(channels_first(t.shape)), "scale": float(t.scale), "zero_point": t.zero_point}
            for end, name, t in ends
        },
        "opset": OPSET,
        "nodes": len(model.graph.node),
        "model_bytes": model.ByteSize(),
        "metadata": program.metadata,
    }

    def fill(folder: Path) -> dict:
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        texts = {"README.md": readme(report), "LICENSE": firmware.licence(), "report.json": package.as_json(report)}
        package.save_texts(folder, texts)
        return report

    return package.install(out, fill)


def readme(report: dict) -> str:
    """What the folder holds, for somebody who finds it."""
    x, y = (f"float32 [N, {', '.join(map(str, report[end]['shape']))}]" for end in ("input", "output"))
    return f"""# A speech recogniser in ONNX, quantized to int8 (QDQ)

Made by tinycourse. `model.onnx` takes `features`, {x}, and gives `scores`, {y}: one for each of `classes` in `report.json`.
Opset {report["opset"]}, {report["nodes"]} nodes, {report["model_bytes"]:,} bytes. Weights have 8 bits and a scale for every output channel.

```python
import onnxruntime
scores, = onnxruntime.InferenceSession("model.onnx").run(None, {{"features": features}})
```

Integers are stored as uint8, 128 above the int8 of the C and its interpreter: so onnxruntime, as it is set by default, computes the same
sums on x86 processors with and without VNNI instructions. Every operation gives the interpreter's number, but for one step where a float32
product lies too near to a half to be told from it. That is rare; scores behind many layers may seldom differ by two.

The code is Apache-2.0 (`LICENSE`); the weights belong to whoever trained them.
"""
