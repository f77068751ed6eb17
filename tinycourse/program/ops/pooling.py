"""One number of each window: the largest, or the mean."""

import math

import numpy as np

from tinycourse.program.fixed_point import requantize
from tinycourse.program.ops.base import Kernel, Operation, activation, patches, window
from tinycourse.program.ops.qdq import cut, factor_of, overhang

COSTS = ("compared", "rows compared", "elements", "positions", "once")


class MaxPool(Operation):
    """Largest value of each window: kernel, stride, padding (top, left). What hangs over the edge is ignored."""

    can_clamp = keeps_scale = True

    def reference(self, xs, ins, out):
        p = self.parameters
        return patches(xs[0], p["kernel"], p["stride"], p["padding"], (1, 1), out.shape[:2], -128).max((3, 4))

    def kernel(self, ins, out):
        fields = {"window": window(self, self.parameters["kernel"], ins[0], out.shape), "activation": activation(self, out, 0)}
        return Kernel("tc_max_pool", fields, shared="tc_pool", costs=COSTS)

    def onnx(self, w, ins, out):
        p, size = self.parameters, ins[0].shape[:2]
        pads, start, end = overhang(p["kernel"], p["stride"], (1, 1), p["padding"], size, out.shape[:2])
        x = cut(w, w.real(self, out), start, end, size, (2, 3))  # the same integers before and behind: one scale
        return w.closed(self, w.node("MaxPool", x, kernel_shape=p["kernel"], strides=p["stride"], pads=pads), out)

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        h, w, c = s.shape(x)
        kernel, stride = (tuple(int(v) for v in s.rng.integers(1, 4, 2)) for _ in range(2))
        padding = tuple(int(s.rng.integers(0, k)) for k in kernel)
        size = [max(n + p - k + int(s.rng.integers(0, 3)), 0) // t + 1 for n, p, k, t in zip((h, w), padding, kernel, stride)]
        parameters = dict(kernel=kernel, stride=stride, padding=padding)
        return s.add("max_pool", (x,), (*size, c), parameters, zero_point=s.tensors[x].zero_point)


class AveragePool(Operation):
    """Mean of each window, without padding: kernel, stride; multiplier and shift hold 1 / (KH * KW) too. Parameter clamp.

    The output is (OH, OW, C), or (C,) for a global mean.
    """

    can_clamp = True

    def size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Windows down and across a map (H, W, C)."""
        (kh, kw), (sh, sw) = self.parameters["kernel"], self.parameters["stride"]
        return (shape[0] - kh) // sh + 1, (shape[1] - kw) // sw + 1

    def reference(self, xs, ins, out):
        p = self.parameters
        windows = patches(xs[0], p["kernel"], p["stride"], (0, 0), (1, 1), self.size(ins[0].shape), 0)
        total = (windows.astype(np.int64) - ins[0].zero_point).sum((3, 4)).reshape(len(xs[0]), *out.shape)
        return requantize(total, p["multiplier"], p["shift"]) + out.zero_point

    def kernel(self, ins, out):
        x, factor = ins[0], {k: self.parameters[k] for k in ("multiplier", "shift")}
        sliding = window(self, self.parameters["kernel"], x, (*self.size(x.shape), x.shape[2]))
        fields = {"window": sliding} | factor | {"activation": activation(self, out)}
        return Kernel("tc_average_pool", fields, shared="tc_pool", costs=COSTS)

    def onnx(self, w, ins, out):
        p = self.parameters
        factor = factor_of(p["multiplier"], p["shift"]) * math.prod(p["kernel"]) * out.scale / ins[0].scale
        y = w.node("AveragePool", w.real(self, ins[0]), kernel_shape=p["kernel"], strides=p["stride"])
        y = w.node("Flatten", y) if len(out.shape) == 1 else y
        return w.closed(self, w.times(y, factor), out)

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        h, w, c = s.shape(x)
        everything = s.rng.random() < 0.3
        kernel = (h, w) if everything else tuple(int(s.rng.integers(1, min(n, 4) + 1)) for n in (h, w))
        stride = tuple(int(v) for v in s.rng.integers(1, 4, 2))
        size = () if everything else tuple((n - k) // t + 1 for n, k, t in zip((h, w), kernel, stride))
        multiplier, shift = s.factor(70 * kernel[0] * kernel[1])
        parameters = dict(kernel=kernel, stride=stride, multiplier=int(multiplier), shift=int(shift))
        return s.add("average_pool", (x,), (*size, c), parameters)
