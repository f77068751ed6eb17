"""The operations of recurrent networks: int8 in and out, int16 in between.

The integer recipe of TensorFlow Lite (Li and Alvarez 2021, arXiv 2101.05453) with this course's rounding. Gates z and cell states c
are int16 without a zero point, "with b bits after the point": c by as many as its size on calibration data allows, gates by 12, for
sigmoid and tanh are flat beyond 8. A tensor z [gates * units] holds one gate behind the other, in the order of `models.cells`.
"""

import math

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.program.fixed_point import ONE, integer_root, requantize, shift_right, sigmoid, tanh, to_curve
from tinycourse.program.ops.base import Kernel, Operation
from tinycourse.program.ops.products import stored, vector_product

LARGEST = 2**30  # no 32-bit sum of two products that were each rescaled can overflow


class Embedding(Operation):
    """Row x of a table: table int8 [rows, C]; x is int16 (1,). What lies outside is the first or the last row."""

    bits = (16,), 8

    def reference(self, xs, ins, out):
        table = self.arrays["table"]
        return table[np.clip(xs[0][:, 0], 0, len(table) - 1)]

    def kernel(self, ins, out):
        table = self.arrays["table"].astype(np.int8)
        return Kernel("tc_embedding", {"rows": table.shape[0], "width": table.shape[1], "table": "table"}, {"table": table})

    @classmethod
    def random(cls, s):
        rows, width = (int(n) for n in s.rng.integers(1, 12, 2))
        row = Linear16.random(s, 1, 2 * rows)
        return s.add("embedding", (row,), (width,), {}, {"table": s.rng.integers(-128, 128, (rows, width), np.int8)})


class Linear16(Operation):
    """W x + b, or with a second input W x + R h + b, to int16.

    weight int8 [O, I]; bias, multiplier int32 [O]; shift int8 [O]; for the second input weight_recurrent, multiplier_recurrent and
    shift_recurrent. Either product is rescaled by its own factors before they are added, as x and h have scales of their own.
    """

    bits = (8, 8), 16

    def reference(self, xs, ins, out):
        total = 0
        for x, t, which in zip(xs, ins, ("", "_recurrent")):
            weight, multiplier, shift = (self.arrays[k + which] for k in ("weight", "multiplier", "shift"))
            products = ((x.astype(np.float64) - t.zero_point) @ weight.T.astype(np.float64)).astype(np.int64)
            products = products if which else products + self.arrays["bias"]
            total = total + np.clip(requantize(products, multiplier, shift), -LARGEST, LARGEST)
        return total

    def kernel(self, ins, out):
        fields, arrays = vector_product(self, ins[0])
        sizes, function = {"outputs": out.size, "input": fields}, "tc_linear16"
        if len(ins) == 2:
            second, more = vector_product(self, ins[1], "_recurrent")
            sizes, arrays, function = sizes | {"recurrent": second}, arrays | more, "tc_linear16_pair"
        sparse = any(k.startswith("start") for k in arrays)
        return Kernel(function, sizes, arrays, name="sparse linear16" if sparse else "")

    def multiply_adds(self, out):
        return sum(stored(self.arrays[k])["weight"].size for k in ("weight", "weight_recurrent") if k in self.arrays)

    @classmethod
    def random(cls, s, outputs=0, largest=2e4):
        """Of one input or two; most results are at most `largest`."""
        inputs = [s.pick(1) for _ in range(int(s.rng.integers(1, 3)))]
        outputs, arrays = outputs or int(s.rng.integers(1, 28)), {}
        for x, which in zip(inputs, ("", "_recurrent")):
            arrays["weight" + which] = s.matrix(outputs, *s.shape(x))
            spread = 5000 * math.sqrt(*s.shape(x)) * 100 / largest
            arrays["multiplier" + which], arrays["shift" + which] = s.factor(spread, outputs)
        arrays["bias"] = s.rng.integers(-20000, 20000, outputs).astype(np.int32)
        return s.add("linear16", tuple(inputs), (outputs,), {}, arrays)


class LayerNorm(Operation):
    """Each of `gates` blocks of n numbers less its mean, by its standard deviation, times a scale, plus a bias.

    Parameters gates and epsilon, which is added to n**2 * variance; arrays multiplier, bias int32 [gates * n], shift int8 [gates * n].
    Sums are exact. The root has 31 bits, so has its inverse; the normalised numbers have 15 after the point.
    """

    bits = (16,), 16
    in_place = True  # it reads all of a gate before it writes it

    def reference(self, xs, ins, out):
        x = xs[0].astype(np.int64).reshape(len(xs[0]), self.parameters["gates"], -1)
        n, total = x.shape[-1], x.sum(-1, keepdims=True)
        spread = n * (x * x).sum(-1, keepdims=True) - total * total + self.parameters["epsilon"]  # (n * standard deviation)**2 < 2**53
        even = (62 - np.frexp(spread.astype(np.float64))[1].astype(np.int64)) & ~1  # brings it to 61 or 62 bits
        inverse = 2**61 // integer_root(spread << even)
        normal = shift_right((n * x - total) * inverse, 46 - even // 2).reshape(xs[0].shape)
        return requantize(normal, self.arrays["multiplier"], self.arrays["shift"]) + self.arrays["bias"]

    def kernel(self, ins, out):
        gates, epsilon = self.parameters["gates"], self.parameters["epsilon"]
        if out.size // gates > 2048 or not 1 <= epsilon <= 2**52:
            raise TinycourseError(f"{self.describe()} takes gates of at most 2048 units and an epsilon from 1 to 2**52.")
        types = {"multiplier": np.int32, "shift": np.int8, "bias": np.int32}
        fields = {"gates": gates, "units": out.size // gates, "epsilon": np.int64(epsilon)} | {k: k for k in types}
        return Kernel("tc_layer_norm", fields, {k: self.arrays[k].astype(v) for k, v in types.items()})

    @classmethod
    def random(cls, s):
        gates, units = int(s.rng.integers(1, 5)), int(s.rng.integers(1, 10))
        multiplier, shift = s.factor(2.0 ** s.rng.integers(4, 10), gates * units)
        bias = s.rng.integers(-8000, 8000, gates * units).astype(np.int32)
        parameters = {"gates": gates, "epsilon": int(2.0 ** s.rng.uniform(0, 52))}
        x = Linear16.random(s, gates * units)
        return s.add("layer_norm", (x,), s.shape(x), parameters, dict(multiplier=multiplier, shift=shift, bias=bias))


class Tanh8(Operation):
    """tanh of int16 with 12 bits after the point -> int8 in steps of 1 / 128."""

    bits = (16,), 8

    def reference(self, xs, ins, out):
        return shift_right(tanh(xs[0]), 8)

    def kernel(self, ins, out):
        return Kernel("tc_tanh8", {"count": out.size})

    @classmethod
    def random(cls, s):
        x = Linear16.random(s)
        return s.add("tanh8", (x,), s.shape(x), zero_point=0)


# ---------------------------------------------------------------------------------------------------------- the cells


def split(z: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Gates [N, gates * units] beside cells [N, units] -> [gates, N, units]."""
    return np.moveaxis(z.astype(np.int64).reshape(len(z), -1, c.shape[1]), 1, 0)


class Cell(Operation, abstract=True):
    """What the three cells share: one struct in C, and how a random one is drawn. `gates` is how many there are."""

    bits = (16, 16), 16
    in_place = True
    gates = 4

    def mixed(self, f: np.ndarray, c: np.ndarray, i: np.ndarray, g: np.ndarray) -> np.ndarray:
        """f c + i tanh(g), with the cell's bits and within its limit; f and i have 15 bits after the point."""
        total = f * c + shift_right(i * tanh(g), 15 - self.parameters["bits"])  # both have 15 + bits
        return np.clip(shift_right(total, 15), -self.parameters["limit"], self.parameters["limit"])

    def kernel(self, ins, out):
        bits, limit = self.parameters["bits"], self.parameters.get("limit", 2**15 - 1)
        if not 9 <= bits <= 12 or not 1 <= limit < 2**15:
            raise TinycourseError(f"The cell of {self.describe()} must have 9 to 12 bits after the point and a limit from 1 to 32767.")
        return Kernel(f"tc_{self.kind}", {"units": out.size, "bits": bits, "limit": limit}, shared="tc_cell")

    @classmethod
    def settings(cls, s) -> dict:
        """Random parameters."""
        return {"bits": int(s.rng.integers(9, 13)), "limit": int(s.rng.integers(1, 2**15))}

    @classmethod
    def random(cls, s):
        """One frame of a cell whose state is not kept, or what it gives to the outside."""
        units = int(s.rng.integers(1, 10))
        inputs = Linear16.random(s, cls.gates * units), Linear16.random(s, units)
        return s.add(cls.kind, inputs, (units,), cls.settings(s))


class LstmCell(Cell):
    """Gates [g, i, f, o] and c -> f c + i g. Parameters bits (of c, 9 to 12) and limit (its largest integer)."""

    def reference(self, xs, ins, out):
        z = split(*xs)
        return self.mixed(sigmoid(z[2]), xs[1].astype(np.int64), sigmoid(z[1]), z[0])


class CifgCell(Cell):
    """Gates [g, f, o] and c -> f c + (1 - f) g. Parameters as for `LstmCell`."""

    gates = 3

    def reference(self, xs, ins, out):
        z = split(*xs)
        f = sigmoid(z[1])
        return self.mixed(f, xs[1].astype(np.int64), ONE - f, z[0])


class SruCell(Cell):
    """Gates [g, n, f, r] and c -> f c + (1 - f) g. Parameter bits, of c and of all gates: c lies between the g, so they share it."""

    def reference(self, xs, ins, out):
        z = split(*xs)
        f = sigmoid(to_curve(z[2], self.parameters["bits"]))
        return shift_right(f * xs[1] + (ONE - f) * z[0], 15)

    @classmethod
    def settings(cls, s):
        return {"bits": int(s.rng.integers(9, 13))}


class CellOutput(Cell, abstract=True):
    """What the outputs of the cells share."""

    bits = (16, 16), 8
    in_place = False

    def kernel(self, ins, out):
        sizes = {"gates": ins[0].size // out.size, "units": out.size}
        factor = {k: self.parameters[k] for k in ("bits", "multiplier", "shift")}
        return Kernel(f"tc_{self.kind}", sizes | factor | {"zero_point": out.zero_point}, shared="tc_cell_output")

    @classmethod
    def settings(cls, s):
        multiplier, shift = s.factor(2.0**30)
        return {"bits": int(s.rng.integers(9, 13)), "multiplier": int(multiplier), "shift": int(shift)}


class GatedOutput(CellOutput):
    """The last gate o and the new cell c of LSTM and CIFG -> o tanh(c), int8. Parameters bits (of c), multiplier, shift."""

    def reference(self, xs, ins, out):
        p = self.parameters
        h = sigmoid(split(*xs)[-1]) * tanh(to_curve(xs[1], p["bits"]))  # 30 bits
        return requantize(h, p["multiplier"], p["shift"]) + out.zero_point


class HighwayOutput(CellOutput):
    """Gates n, r and the new cell c of SRU -> r tanh(c) + (1 - r) n, int8. Parameters bits (of c and gates), multiplier, shift."""

    def reference(self, xs, ins, out):
        p, z = self.parameters, split(*xs)
        r = sigmoid(to_curve(z[3], p["bits"]))
        h = shift_right(r * tanh(to_curve(xs[1], p["bits"])), 15 - p["bits"]) + (ONE - r) * z[1]  # 15 + bits
        return requantize(h, p["multiplier"], p["shift"]) + out.zero_point
