"""Element by element: scales, sums, products and functions of one number, in float and into integers."""

import numpy as np
import torch

from tinycourse.program.affine import dequantize, quantize
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.ops.base import OPS
from tinycourse.quantization.ops.base import Node, along_channels


class Scale(Node):
    """x * factor + bias; arrays as x, or of length 1 along H and W."""

    def run(self, x):
        return x * self.arrays["factor"].to(x) + self.arrays["bias"].to(x)

    def quantize(self, ins, out):
        (multiplier,), bias, shift = weighted_sum(self, ins, out, ["factor"])
        multiplier, bias = in_bands(np.stack(np.broadcast_arrays(multiplier, bias)))  # int32 both
        return {}, {"multiplier": multiplier.astype(np.int16), "bias": np.ascontiguousarray(bias), "shift": shift}


class Add(Node):
    """a * factor_a + b * factor_b + bias with broadcast; arrays [C] of the output."""

    def run(self, a, b):
        c = {k: along_channels(v, a) for k, v in self.arrays.items()}
        return a * c["factor_a"] + b * c["factor_b"] + c["bias"]

    def quantize(self, ins, out):
        (a, b), bias, shift = weighted_sum(self, ins, out, ["factor_a", "factor_b"])
        return {}, {"multiplier_a": a, "multiplier_b": b, "bias": bias, "shift": shift}


class Multiply(Node):
    """a * b with broadcast."""

    def run(self, a, b):
        return a * b

    def quantize(self, ins, out):
        multiplier, shift = fixed_point(ins[0].scale * ins[1].scale / out.scale)
        return {"multiplier": int(multiplier), "shift": int(shift)}, {}


class Lookup(Node):
    """A function of one number."""

    def run(self, x):
        return self.parameters["function"](x)

    def quantize(self, ins, out):
        """All 256 answers."""
        x = torch.from_numpy(dequantize(np.arange(-128, 128), ins[0].scale, ins[0].zero_point))
        return {}, {"table": quantize(self.run(x), out.scale, out.zero_point)}


class Clamp(Lookup):
    """A ReLU, ReLU6 or Hardtanh that found nothing to be fused into: its bounds are in `clamp`. In integers it is a table."""

    def run(self, x):
        return x.clamp(*self.clamp)

    @property
    def integer(self):
        return OPS["lookup"]


def weighted_sum(node, ins, out, keys) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Factors int16 and bias int32 of `Scale` and `Add` on one shift for each channel, the largest with which they fit.

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
