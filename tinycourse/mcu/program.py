"""Program: an integer network as data, and the interpreter that defines what it computes.

A `Program` is a list of operations on int8 tensors, int16 inside recurrent cells. There is no float in it except the scale of each tensor,
which only says how to read its numbers: real value = scale * (number - zero_point). The interpreter below is the
definition; the C kernels, the emulated chip and WebAssembly have to agree with it on every bit.

Maps are stored channels last, [H, W, C] = (time, frequency, channels), as CMSIS-NN and TensorFlow Lite do.
The interpreter takes a batch of them, [N, H, W, C].

**Rounding, once.** A real factor M is stored as an integer multiplier and a right shift, M = multiplier / 2**shift.
To apply it to an integer: exact product, add half, arithmetic shift right (see `shift_right`). The sum of a convolution takes a
32-bit multiplier, so that product has 64 bits; an int8 number takes a 16-bit multiplier, and 32 bits are enough.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from tinycourse.affine import dequantize, quantize
from tinycourse.errors import TinycourseError
from tinycourse.files import write_bytes
from tinycourse.mcu import recurrent
from tinycourse.mcu.fixed_point import requantize, shift_right
from tinycourse.mcu.frontend import features

FORMAT = "tinycourse-program-2"


@dataclass(frozen=True)
class Tensor:
    """An activation, int8 or, with 16 `bits`, int16. `shape` is (H, W, C) or (C,), without the batch."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    bits: int = 8

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * self.bits // 8

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(f"int{self.bits}")

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1


@dataclass
class Operation:
    """One step. `parameters` are integers or tuples of integers, `arrays` integer weights; INTERPRETER documents each kind."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    parameters: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    path: str = ""  # the torch module it came from, for reports

    @property
    def weight_bytes(self) -> int:
        return sum(a.nbytes for a in self.arrays.values())


# ------------------------------------------------------------------------------------------------- programs


@dataclass
class Program:
    """An integer network: `input` and `output` name tensors, `operations` run in order, `metadata` is free JSON.

    `state` is what a recurrent network remembers from one call to the next: {tensor: the tensor whose value it takes at the end of a
    call}. Before the first call it stands for 0. A tensor that takes its own value changes only where the caller writes it.
    """

    input: str
    output: str
    tensors: dict[str, Tensor]
    operations: list[Operation]
    metadata: dict = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    def quantize_input(self, x: np.ndarray) -> np.ndarray:
        """Real features [N, H, W, C] to the input's integers: round(x / scale) + zero_point, saturated."""
        t = self.tensors[self.input]
        return quantize(x, t.scale, t.zero_point, t.bits)

    def dequantize_output(self, y: np.ndarray) -> np.ndarray:
        """Integer outputs to real logits."""
        t = self.tensors[self.output]
        return dequantize(y, t.scale, t.zero_point)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Integer input [N, *input shape] to integer output [N, *output shape], from the state in which everything begins."""
        return self.trace(x)[self.output]

    def start(self, batch: int) -> dict[str, np.ndarray]:
        """The state before the first call, by name: [N, *shape] of integers that stand for 0."""
        states = [self.tensors[name] for name in self.state]
        return {t.name: np.full((batch, *t.shape), t.zero_point, t.dtype) for t in states}

    def step(self, x: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """One call: input [N, *input shape] and the state before it -> output, and the state after it. Nothing is changed in place."""
        values = self.trace(x, state)
        return values[self.output], {name: values[after] for name, after in self.state.items()}

    def trace(self, x: np.ndarray, state: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """As `run`, or with a state as `step`, but every tensor on the way, by name."""
        t = self.tensors[self.input]
        if x.dtype != t.dtype or x.shape[1:] != t.shape:
            raise TinycourseError(f"This program takes {t.dtype} [N, {', '.join(map(str, t.shape))}], not {x.dtype} {list(x.shape)}.")
        state = self.start(len(x)) if state is None else state
        if state.keys() != self.state.keys():
            raise TinycourseError(f"This program's state is {list(self.state)}, not {list(state)}; begin with the one that start() makes.")
        values = {self.input: x} | state
        for op in self.operations:
            ins, out = [self.tensors[n] for n in op.inputs], self.tensors[op.output]
            y = INTERPRETER[op.kind](op, [values[n] for n in op.inputs], ins, out)
            values[op.output] = np.clip(y, *op.parameters.get("clamp", out.limits)).astype(out.dtype)
        return values

    def pack(self) -> tuple[dict[str, np.ndarray], str]:
        """The weights by name, and everything else as JSON."""
        arrays = {f"{i}.{k}": np.ascontiguousarray(v) for i, op in enumerate(self.operations) for k, v in op.arrays.items()}
        description = {
            "input": self.input,
            "output": self.output,
            "tensors": [asdict(t) for t in self.tensors.values()],
            "operations": [
                {"kind": o.kind, "inputs": o.inputs, "output": o.output, "parameters": o.parameters, "path": o.path}
                for o in self.operations
            ],
            "metadata": self.metadata,
            "state": self.state,
        }
        return arrays, json.dumps(description)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, see `files.whole`: the weights, and everything else as JSON in its header."""
        arrays, description = self.pack()
        write_bytes(path, to_bytes(arrays, metadata={"format": FORMAT, "program": description}))

    @classmethod
    def load(cls, path: str | Path) -> "Program":
        """Read what `save` wrote. Raises TinycourseError on a missing file or one of another kind."""
        arrays, header = read(path, FORMAT)
        return cls.unpack(arrays, header["program"])

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray], description: str) -> "Program":
        """The inverse of `pack`."""
        d = json.loads(description)
        tensors = {t["name"]: Tensor(**t | {"shape": tuple(t["shape"])}) for t in d["tensors"]}
        operations = [
            Operation(
                kind=o["kind"],
                inputs=tuple(o["inputs"]),
                output=o["output"],
                parameters={k: tuple(v) if isinstance(v, list) else v for k, v in o["parameters"].items()},
                arrays={k.split(".", 1)[1]: v for k, v in arrays.items() if k.split(".", 1)[0] == str(i)},
                path=o["path"],
            )
            for i, o in enumerate(d["operations"])
        ]
        return cls(d["input"], d["output"], tensors, operations, d["metadata"], d.get("state", {}))


def read(path: str | Path, form: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and header of a safetensors file of the given format. Raises TinycourseError if it is missing or anything else."""
    if not Path(path).is_file():
        raise TinycourseError(f"There is no program at {path}; make one with `tinycourse export`.")
    try:
        with safe_open(path, framework="numpy") as f:
            header = f.metadata() or {}
            arrays = {k: f.get_tensor(k) for k in f.keys()}
    except SafetensorError as error:
        raise TinycourseError(f"{path} is damaged or is not a safetensors file ({error}); export it again.") from None
    if header.get("format") != form:
        raise TinycourseError(f"{path} is a safetensors file but not an exported program; make one with `tinycourse export`.")
    return arrays, header


# ---------------------------------------------------------------------------------------------- interpreter
# Each function takes the operation, its input arrays, their Tensors and the output's Tensor, and returns integers
# that `trace` clamps to the output's type (to `clamp`, a fused ReLU, where the operation has one). Those of recurrent networks are in
# recurrent.py, the one that hears in frontend.py.


def patches(x: np.ndarray, kernel, stride, padding, dilation, size, fill) -> np.ndarray:
    """Windows of [N, H, W, C] as [N, OH, OW, KH, KW, C]; `padding` is (top, left), the rest follows from `size`."""
    (kh, kw), (sh, sw), (top, left), (dh, dw), (oh, ow) = kernel, stride, padding, dilation, size
    height, width = (oh - 1) * sh + (kh - 1) * dh + 1, (ow - 1) * sw + (kw - 1) * dw + 1
    x = x[:, max(-top, 0) :, max(-left, 0) :]  # negative padding: the windows begin inside
    (n, h, w, c), top, left = x.shape, max(top, 0), max(left, 0)
    padded = np.full((n, max(height, top + h), max(width, left + w), c), fill, x.dtype)
    padded[:, top : top + h, left : left + w] = x
    a, b, d, e = padded.strides
    view = (n, oh, ow, kh, kw, c), (a, sh * b, sw * d, dh * b, dw * d, e)
    return np.lib.stride_tricks.as_strided(padded, *view, writeable=False)


def conv(op, xs, ins, out):
    """Convolution: weight int8 [O, KH, KW, I / groups]; bias, multiplier int32 [O]; shift int8 [O].

    Parameters stride, padding (top, left), dilation, groups, clamp. Padding holds the zero point, which means 0; it is negative
    where the first window begins inside the map.
    """
    p, kernel = op.parameters, op.arrays["weight"].shape[1:3]
    windows = patches(xs[0], kernel, p["stride"], p["padding"], p["dilation"], out.shape[:2], ins[0].zero_point)
    products = depthwise_products if p["groups"] == windows.shape[-1] else window_products
    total = products(windows, ins[0].zero_point, op.arrays["weight"], p["groups"]) + op.arrays["bias"].astype(np.int64)
    return requantize(total, op.arrays["multiplier"], op.arrays["shift"]) + out.zero_point


def depthwise_products(windows: np.ndarray, zero_point: int, weight: np.ndarray, groups: int) -> np.ndarray:
    """Sums of products of [N, OH, OW, KH, KW, C] with [O, KH, KW, 1]: one input channel for each output; [N, OH, OW, O]."""
    total = np.zeros((*windows.shape[:3], len(weight)), np.int32)  # room for 65,000 taps
    for ky, kx in np.ndindex(weight.shape[1:3]):
        x = windows[:, :, :, ky, kx].astype(np.int32) - zero_point
        total += x.repeat(len(weight) // groups, -1) * weight[:, ky, kx, 0]
    return total


def window_products(windows: np.ndarray, zero_point: int, weight: np.ndarray, groups: int) -> np.ndarray:
    """The same of any other convolution, as matrix products. In float64 they are exact up to 2**53."""
    o, kh, kw, i = weight.shape
    matrix = weight.reshape(groups, o // groups, -1).transpose(0, 2, 1).astype(np.float64)  # [groups, KH * KW * I, O / groups]
    total = np.empty((*windows.shape[:3], o), np.int64)
    for clip, of_clip in zip(windows, total):  # one at a time: the windows of large kernels need much memory
        x = clip.reshape(-1, kh * kw, groups, i).transpose(2, 0, 1, 3).reshape(groups, -1, kh * kw * i)
        of_clip[:] = ((x - float(zero_point)) @ matrix).transpose(1, 0, 2).reshape(of_clip.shape)
    return total


def linear(op, xs, ins, out):
    """Fully connected: weight int8 [O, I]; bias, multiplier int32 [O]; shift int8 [O]. Parameter clamp."""
    total = (xs[0].astype(np.float64) - ins[0].zero_point) @ op.arrays["weight"].T.astype(np.float64)
    total = total.astype(np.int64) + op.arrays["bias"]
    return requantize(total, op.arrays["multiplier"], op.arrays["shift"]) + out.zero_point


def bands(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Constants given for bands of equal size along H and W, [SH, SW, C], one for each position: [H, W, C]. [C] stays."""
    for axis in range(array.ndim - 1):
        array = array.repeat(shape[axis] // array.shape[axis], axis)
    return array.astype(np.int64)


def scale(op, xs, ins, out):
    """x * m + b, for each channel of each of SH x SW equal bands of a map.

    multiplier int16, bias int32 in units of 2**-shift, both [SH, SW, C], or [C] for a vector; shift int8 [C]. Parameter clamp.
    """
    multiplier, bias = (bands(op.arrays[k], out.shape) for k in ("multiplier", "bias"))
    total = (xs[0].astype(np.int64) - ins[0].zero_point) * multiplier + bias
    return shift_right(total, op.arrays["shift"]) + out.zero_point


def add(op, xs, ins, out):
    """a * ma[c] + b * mb[c] + bias[c], rounded once: multiplier_a, multiplier_b int16 [C]; bias int32 [C] in units of 2**-shift;
    shift int8 [C].

    An axis of length 1 in either input is broadcast. Parameter clamp.
    """
    a, b = (x.astype(np.int64) - t.zero_point for x, t in zip(xs, ins))
    total = a * op.arrays["multiplier_a"] + b * op.arrays["multiplier_b"] + op.arrays["bias"]
    return shift_right(total, op.arrays["shift"]) + out.zero_point


def multiply(op, xs, ins, out):
    """a * b element by element, broadcast as in `add`: multiplier, shift (one each). Parameter clamp."""
    a, b = (x.astype(np.int64) - t.zero_point for x, t in zip(xs, ins))
    return requantize(a * b, op.parameters["multiplier"], op.parameters["shift"]) + out.zero_point


def max_pool(op, xs, ins, out):
    """Largest value of each window: kernel, stride, padding (top, left). What hangs over the edge is ignored."""
    p = op.parameters
    return patches(xs[0], p["kernel"], p["stride"], p["padding"], (1, 1), out.shape[:2], -128).max((3, 4))


def average_pool(op, xs, ins, out):
    """Mean of each window, without padding: kernel, stride; multiplier and shift hold 1 / (KH * KW) too. Parameter clamp.

    The output is (OH, OW, C), or (C,) for a global mean.
    """
    p = op.parameters
    n, h, w, c = xs[0].shape
    size = ((h - p["kernel"][0]) // p["stride"][0] + 1, (w - p["kernel"][1]) // p["stride"][1] + 1)
    windows = patches(xs[0], p["kernel"], p["stride"], (0, 0), (1, 1), size, 0)
    total = (windows.astype(np.int64) - ins[0].zero_point).sum((3, 4)).reshape(n, *out.shape)
    return requantize(total, p["multiplier"], p["shift"]) + out.zero_point


def upsample(op, xs, ins, out):
    """Nearest-neighbour unpooling: out[y, x] = in[y // fh, x // fw]; factor (fh, fw); cropped to the output's size."""
    (fh, fw), (h, w) = op.parameters["factor"], out.shape[:2]
    return xs[0].repeat(fh, 1).repeat(fw, 2)[:, :h, :w]


def crop(op, xs, ins, out):
    """A box of the input: start (h, w, c), size the output's shape."""
    (y, x, c), (h, w, d) = op.parameters["start"], out.shape
    return xs[0][:, y : y + h, x : x + w, c : c + d]


def pad(op, xs, ins, out):
    """The input in a larger box of zeros: start (h, w, c), size the output's shape."""
    y = np.full((len(xs[0]), *out.shape), ins[0].zero_point, np.int8)
    (i, j, k), (h, w, c) = op.parameters["start"], ins[0].shape
    y[:, i : i + h, j : j + w, k : k + c] = xs[0]
    return y


def shift(op, xs, ins, out):
    """Channels of the input, each moved by an offset of its own (Wu et al. 2018, arXiv 1711.08141), zeros beyond the edges.

    runs int16 [R, 4]: (channel, count, dy, dx) appends `count` channels, out[y, x] = in[y + dy, x + dx], from `channel` on.
    """
    y, c, (height, width) = np.full((len(xs[0]), *out.shape), ins[0].zero_point, np.int8), 0, out.shape[:2]
    for channel, count, dy, dx in op.arrays["runs"].tolist():
        moved = xs[0][:, max(dy, 0) : max(dy + height, 0), max(dx, 0) : max(dx + width, 0), channel : channel + count]
        top, left = max(-dy, 0), max(-dx, 0)
        y[:, top : top + moved.shape[1], left : left + moved.shape[2], c : c + count] = moved
        c += count
    return y


def lookup(op, xs, ins, out):
    """Any function of one number as a table of 256: table int8 [256], indexed by the input + 128."""
    return op.arrays["table"][xs[0].astype(np.int64) + 128]


def reshape(op, xs, ins, out):
    """The same numbers in the same (channels last) order under another shape."""
    return xs[0].reshape(len(xs[0]), *out.shape)


KINDS = conv, linear, scale, add, multiply, max_pool, average_pool, upsample, crop, pad, shift, lookup, reshape, *recurrent.KINDS, features
INTERPRETER = {f.__name__: f for f in KINDS}
