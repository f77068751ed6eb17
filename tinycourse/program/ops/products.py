"""Sums of products with constant weights: convolutions and fully connected layers."""

import functools
import math
from dataclasses import replace

import numpy as np

from tinycourse.program.block_sparse import panels
from tinycourse.program.fixed_point import requantize
from tinycourse.program.ops.base import Kernel, Operation, Tensor, activation, patches, refuse_overflow, window
from tinycourse.program.ops.qdq import cut, overhang, weights_of

PAIR = 2  # blocks of a sparse matrix that a kernel multiplies at a time


class Conv(Operation):
    """Convolution: weight int8 [O, KH, KW, I / groups]; bias, multiplier int32 [O]; shift int8 [O].

    Parameters stride, padding (top, left), dilation, groups, clamp. Padding holds the zero point, which means 0; it is negative
    where the first window begins inside the map.
    """

    can_clamp = True

    def reference(self, xs, ins, out):
        p, kernel = self.parameters, self.arrays["weight"].shape[1:3]
        windows = patches(xs[0], kernel, p["stride"], p["padding"], p["dilation"], out.shape[:2], ins[0].zero_point)
        products = depthwise_products if p["groups"] == windows.shape[-1] else window_products
        total = products(windows, ins[0].zero_point, self.arrays["weight"], p["groups"]) + self.arrays["bias"].astype(np.int64)
        return requantize(total, self.arrays["multiplier"], self.arrays["shift"]) + out.zero_point

    def kernel(self, ins, out):
        """One of three kernels: a 1x1 convolution is a product at every position, one input channel per output is depthwise."""
        x, p = ins[0], self.parameters
        outputs, kh, kw, inputs = self.arrays["weight"].shape
        fields, arrays = dense(self, x, out)
        sliding, groups = {"window": window(self, (kh, kw), x, out.shape)}, p["groups"]
        if groups == x.shape[2] and groups > 1:
            arrays["weight"] = np.ascontiguousarray(arrays["weight"].T)  # [KH * KW, outputs], channels last
            arrays["bias"] = self.arrays["bias"].astype(np.int32)  # the kernel subtracts the zero point
            costs = ("products", "products left over", "elements", "elements left over", "positions", "once")
            return Kernel("tc_depthwise", sliding | {"channel_multiplier": outputs // groups, "dense": fields}, arrays, costs=costs)
        still = (kh, kw) == tuple(p["stride"]) == (1, 1) and tuple(p["padding"]) == (0, 0)
        if still and groups == 1 and x.shape[:2] == out.shape[:2]:
            costs = ("products", "products left over", "elements", "positions", "once")
            return Kernel("tc_linear", {"rows": math.prod(out.shape[:2]), "dense": fields}, arrays, name="pointwise", costs=costs)
        sizes = {"groups": groups, "group_inputs": inputs, "group_outputs": outputs // groups}
        costs = ("products", "products left over", "elements", "taps", "once")
        return Kernel("tc_conv", sliding | sizes | {"dense": fields}, arrays, scratch=kh * kw * inputs, costs=costs)

    def dsp_kernel(self, ins, out):
        return with_dsp(self.kernel(ins, out))

    def multiply_adds(self, out):
        return self.arrays["weight"][0].size * out.size

    def onnx(self, w, ins, out):
        p, (x,) = self.parameters, ins
        kernel = self.arrays["weight"].shape[1:3]
        pads, start, end = overhang(kernel, p["stride"], p["dilation"], p["padding"], x.shape[:2], out.shape[:2])
        settings = {"kernel_shape": kernel, "strides": p["stride"], "dilations": p["dilation"], "group": p["groups"], "pads": pads}
        weight, bias = weights_of(w, self, x, out, self.arrays["weight"].transpose(0, 3, 1, 2))
        return w.closed(self, w.node("Conv", cut(w, w.real(self, x), start, end, x.shape[:2], (2, 3)), weight, bias, **settings), out)

    @classmethod
    def draws(cls):
        sorts = ("general", "grouped", "depthwise", "pointwise")
        return {f"{sort} conv": functools.partial(cls.random, sort=sort) for sort in sorts}

    @classmethod
    def random(cls, s, sort="general"):
        x = s.pick(3)
        h, w, c = s.shape(x)
        if sort in ("grouped", "depthwise") and all(c % g for g in range(2, c)):  # 1, or a prime number of channels: add some
            c = 6 if c < 6 else c + 1
            x = s.add("pad", (x,), (h, w, c), {"start": (0, 0, int(s.rng.integers(0, 2)))}, zero_point=s.tensors[x].zero_point)
        groups = {"grouped": int(s.rng.choice([g for g in range(2, c) if c % g == 0] or [1])), "depthwise": c}.get(sort, 1)
        outputs = groups * int(s.rng.integers(1, 4 if groups > 1 else 12))
        kernel, stride, padding, dilation, size = (1, 1), (1, 1), (0, 0), (1, 1), (h, w)
        if sort != "pointwise":
            kernel, stride, dilation = (tuple(int(v) for v in s.rng.integers(1, n, 2)) for n in (5, 4, 3))
            padding = tuple(int(s.rng.integers(-1 if n > 2 else 0, k * d + 1)) for n, k, d in zip((h, w), kernel, dilation))
            reach = [(k - 1) * d for k, d in zip(kernel, dilation)]
            spare = [max(n + p - r - 1 + int(s.rng.integers(0, 4)), 0) for n, p, r in zip((h, w), padding, reach)]
            size = tuple(v // t + 1 for v, t in zip(spare, stride))
        weight = s.rng.integers(-128, 128, (outputs, *kernel, c // groups), np.int8)
        multiplier, shift = s.factor(5000 * math.sqrt(weight[0].size), outputs)
        bias = s.rng.integers(-20000, 20000, outputs).astype(np.int32)
        parameters = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return s.add("conv", (x,), (*size, outputs), parameters, dict(weight=weight, bias=bias, multiplier=multiplier, shift=shift))


class Linear(Operation):
    """Fully connected: weight int8 [O, I]; bias, multiplier int32 [O]; shift int8 [O]. Parameter clamp."""

    can_clamp = True

    def reference(self, xs, ins, out):
        total = (xs[0].astype(np.float64) - ins[0].zero_point) @ self.arrays["weight"].T.astype(np.float64)
        total = total.astype(np.int64) + self.arrays["bias"]
        return requantize(total, self.arrays["multiplier"], self.arrays["shift"]) + out.zero_point

    def kernel(self, ins, out):
        single, sparse = vector_product(self, ins[0])
        if "start" in sparse and len(out.shape) == 1:
            fields = {"outputs": out.size, "product": single, "activation": activation(self, out)}
            return Kernel("tc_sparse_linear", fields, sparse)
        fields, arrays = dense(self, ins[0], out)
        costs = ("products", "products left over", "elements", "once")
        return Kernel("tc_linear", {"rows": math.prod(ins[0].shape[:-1]), "dense": fields}, arrays, costs=costs)

    def dsp_kernel(self, ins, out):
        return with_dsp(self.kernel(ins, out))

    def multiply_adds(self, out):
        weight = self.arrays["weight"]
        return stored(weight)["weight"].size if len(out.shape) == 1 else weight[0].size * out.size

    def onnx(self, w, ins, out):
        (x,) = ins
        if len(x.shape) == 1:
            weight, bias = weights_of(w, self, x, out, self.arrays["weight"])
            return w.closed(self, w.node("Gemm", w.real(self, x), weight, bias, transB=1), out)
        weight, bias = weights_of(w, self, x, out, self.arrays["weight"][:, :, None, None])
        return w.closed(self, w.node("Conv", w.real(self, x), weight, bias, kernel_shape=(1, 1)), out)

    @classmethod
    def random(cls, s):
        x = s.pick(int(s.rng.choice([1, 1, 3])))
        *positions, inputs = s.shape(x)
        outputs = int(s.rng.integers(1, 28))
        weight = s.matrix(outputs, inputs)
        multiplier, shift = s.factor(5000 * math.sqrt(inputs), outputs)
        bias = s.rng.integers(-20000, 20000, outputs).astype(np.int32)
        return s.add("linear", (x,), (*positions, outputs), {}, dict(weight=weight, bias=bias, multiplier=multiplier, shift=shift))


# ---------------------------------------------------------------------------------------------------------- reference


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


# ------------------------------------------------------------------------------------------------------------- kernels


def dense(op: Operation, x: Tensor, out: Tensor) -> tuple[dict, dict]:
    """Fields and arrays of a product with constant weights and an int8 output."""
    fields, arrays = product(op, x)
    return {"inputs": fields.pop("inputs"), "outputs": len(arrays["weight"])} | fields | {"activation": activation(op, out)}, arrays


def product(op: Operation, x: Tensor, which: str = "") -> tuple[dict, dict]:
    """Fields and arrays of a product with the constant `weight` + `which`; sum (x - zero) w + b = sum x w + (b - zero sum w)."""
    weight = op.arrays["weight" + which].reshape(len(op.arrays["weight" + which]), -1).astype(np.int64)
    bias = op.arrays.get("bias" + which, np.zeros(len(weight))).astype(np.int64)
    largest = np.abs(bias) + 256 * np.abs(weight).sum(1)  # of any partial sum, bias folded or not
    refuse_overflow(op, largest, "make the layer narrower or its bias smaller")
    arrays = {
        "weight": weight.astype(np.int8),
        "bias": (bias - x.zero_point * weight.sum(1)).astype(np.int32),
        "multiplier": op.arrays["multiplier" + which].astype(np.int32),
        "shift": op.arrays["shift" + which].astype(np.int8),
    }
    return {"inputs": weight.shape[1]} | {k: k + which for k in arrays}, {k + which: a for k, a in arrays.items()}


def stored(weight: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix int8 [outputs, inputs] as the product with one vector reads it: where that takes fewer bytes, without its empty 8x1 blocks.

    A block is eight outputs that one input feeds. weight [pairs, 4, 2, 2] has the blocks that are left, two at a time: two outputs of
    the one, two of the other, four times; column uint16 [pairs, 2] has the input of each; start int32 [panels + 1] where the pairs of
    every eight outputs begin. Zeros add nothing to a sum, so the interpreter need not know.
    """
    if weight.shape[1] > 2**16 or not weight.any():  # more than an index can say; nothing, and C knows no empty array
        return {"weight": weight}
    values, start, column = panels(weight, PAIR, sparse=True)  # values [pairs, 8, 2]
    values = np.ascontiguousarray(values.reshape(-1, 4, 2, PAIR).swapaxes(2, 3))
    sparse = {"weight": values, "column": column, "start": start}
    return sparse if sum(a.nbytes for a in sparse.values()) < weight.nbytes else {"weight": weight}


def vector_product(op: Operation, x: Tensor, which: str = "") -> tuple[dict, dict]:
    """As `product`, of a single vector: sparse where that is smaller."""
    fields, arrays = product(op, x, which)
    found = stored(arrays["weight" + which])
    return fields | {k: k + which for k in found}, arrays | {k + which: a for k, a in found.items()}


def with_dsp(kernel: Kernel) -> Kernel:
    """The same by DSP kernels, which need scratch for two windows of 16-bit numbers; tc_conv for two of bytes too."""
    if kernel.function not in ("tc_conv", "tc_linear"):
        return kernel
    inputs = kernel.fields["dense"]["inputs"]
    words = 4 * (inputs + inputs % 4)  # what is left over when inputs are taken by fours has a word each
    if kernel.function == "tc_conv":
        return replace(kernel, scratch=words + 2 * inputs)
    if kernel.fields["rows"] > 1 and kernel.fields["dense"]["outputs"] > 1:
        return replace(kernel, function="tc_pointwise", shared="tc_linear", scratch=words, name=kernel.path)
    return kernel
