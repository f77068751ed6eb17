"""Element by element: scales, sums, products and tables. Each reads an element before it writes it, so it may overwrite an input."""

from collections.abc import Iterable

import numpy as np

from tinycourse.program.fixed_point import requantize, shift_right
from tinycourse.program.ops.base import Kernel, Operation, Tensor, activation, as_map, refuse_overflow
from tinycourse.program.ops.qdq import along_channels, factor_of, in_steps, never_half, raised


class Scale(Operation):
    """x * m + b, for each channel of each of SH x SW equal bands of a map.

    multiplier int16, bias int32 in units of 2**-shift, both [SH, SW, C], or [C] for a vector; shift int8 [C]. Parameter clamp.
    """

    in_place = can_clamp = True

    def reference(self, xs, ins, out):
        multiplier, bias = (bands(self.arrays[k], out.shape) for k in ("multiplier", "bias"))
        total = (xs[0].astype(np.int64) - ins[0].zero_point) * multiplier + bias
        return shift_right(total, self.arrays["shift"]) + out.zero_point

    def kernel(self, ins, out):
        arrays = shifted_sum(self, ins, "multiplier")
        (height, width, _), (rows, columns, _) = as_map(out.shape), as_map(self.arrays["multiplier"].shape)
        sizes = {"shape": as_map(out.shape), "bands": columns, "band_height": height // rows, "band_width": width // columns}
        return Kernel("tc_scale", sizes | {k: k for k in arrays} | {"activation": activation(self, out)}, arrays)

    def onnx(self, w, ins, out):
        def everywhere(values):  # constants of bands, one for each position
            for axis in range(values.ndim - 1):
                values = values.repeat(out.shape[axis] // values.shape[axis], axis)
            return along_channels(values, out)

        shift = self.arrays["shift"]
        factor = everywhere(factor_of(self.arrays["multiplier"], shift) * in_steps(out) / in_steps(ins[0]))
        bias = everywhere(factor_of(never_half(self.arrays["bias"]), shift) * in_steps(out))
        return w.closed(self, w.node("Add", w.times(w.real(self, ins[0]), factor), w.floats(bias)), out)

    @classmethod
    def random(cls, s):
        x = s.pick()
        *size, channels = s.shape(x)
        places = [int(s.rng.choice([1, n, *(b for b in range(2, n) if n % b == 0)])) for n in size]
        (multiplier,), bias, shift = random_sum(s, 1, (*places, channels))
        return s.add("scale", (x,), s.shape(x), {}, dict(multiplier=multiplier, bias=bias, shift=shift))


class Add(Operation):
    """a * ma[c] + b * mb[c] + bias[c], rounded once: multiplier_a, multiplier_b int16 [C]; bias int32 [C] in units of 2**-shift;
    shift int8 [C].

    An axis of length 1 in either input is broadcast. Parameter clamp.
    """

    in_place = can_clamp = True

    def reference(self, xs, ins, out):
        a, b = (x.astype(np.int64) - t.zero_point for x, t in zip(xs, ins))
        total = a * self.arrays["multiplier_a"] + b * self.arrays["multiplier_b"] + self.arrays["bias"]
        return shift_right(total, self.arrays["shift"]) + out.zero_point

    def kernel(self, ins, out):
        arrays = shifted_sum(self, ins, "multiplier_a", "multiplier_b")
        return Kernel("tc_add", broadcast(ins, out) | {k: k for k in arrays} | {"activation": activation(self, out)}, arrays)

    def onnx(self, w, ins, out):
        shift, terms = self.arrays["shift"], []
        for place, (t, letter) in enumerate(zip(ins, "ab")):
            factor = factor_of(self.arrays[f"multiplier_{letter}"], shift) * in_steps(out) / in_steps(t)
            terms.append(w.times(w.real(self, t, place), along_channels(factor, out)))
        bias = along_channels(factor_of(never_half(self.arrays["bias"]), shift) * in_steps(out), out)
        return w.closed(self, w.node("Add", w.node("Add", *terms), w.floats(bias)), out)

    @classmethod
    def random(cls, s):
        a, b, shape = random_pair(s)
        (multiplier_a, multiplier_b), bias, shift = random_sum(s, 2, shape[-1:])
        return s.add("add", (a, b), shape, {}, dict(multiplier_a=multiplier_a, multiplier_b=multiplier_b, bias=bias, shift=shift))


class Multiply(Operation):
    """a * b element by element, broadcast as in `Add`: multiplier, shift (one each). Parameter clamp."""

    in_place = can_clamp = True

    def reference(self, xs, ins, out):
        a, b = (x.astype(np.int64) - t.zero_point for x, t in zip(xs, ins))
        return requantize(a * b, self.parameters["multiplier"], self.parameters["shift"]) + out.zero_point

    def kernel(self, ins, out):
        factor = {k: self.parameters[k] for k in ("multiplier", "shift")}
        zeros = {f"zero_point_{letter}": t.zero_point for letter, t in zip("ab", ins)}
        return Kernel("tc_multiply", broadcast(ins, out) | zeros | factor | {"activation": activation(self, out)})

    def onnx(self, w, ins, out):
        factor = factor_of(self.parameters["multiplier"], self.parameters["shift"]) * out.scale / (ins[0].scale * ins[1].scale)
        y = w.node("Mul", *(w.real(self, t, place) for place, t in enumerate(ins)))
        return w.closed(self, w.times(y, factor), out)

    @classmethod
    def random(cls, s):
        a, b, shape = random_pair(s)
        multiplier, shift = s.factor(5000)
        return s.add("multiply", (a, b), shape, {"multiplier": int(multiplier), "shift": int(shift)})


class Lookup(Operation):
    """Any function of one number as a table of 256: table int8 [256], indexed by the input + 128."""

    in_place = can_clamp = True

    def reference(self, xs, ins, out):
        return self.arrays["table"][xs[0].astype(np.int64) + 128]

    def kernel(self, ins, out):
        table = np.clip(self.arrays["table"], *self.clamp(out)).astype(np.int8)
        return Kernel("tc_lookup", {"count": out.size, "table": "table"}, {"table": table})

    def onnx(self, w, ins, out):
        """A table of 256 integers: they are gathered as they are."""
        table = raised(np.clip(self.arrays["table"], *self.parameters.get("clamp", out.limits)))
        return w.node("Gather", w.constant(table), w.node("Cast", w.values[self.inputs[0]], to=w.onnx.TensorProto.INT32), axis=0)

    @classmethod
    def random(cls, s):
        x = s.pick()
        return s.add("lookup", (x,), s.shape(x), {}, {"table": s.rng.integers(-128, 128, 256, np.int8)})


def bands(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Constants given for bands of equal size along H and W, [SH, SW, C], one for each position: [H, W, C]. [C] stays."""
    for axis in range(array.ndim - 1):
        array = array.repeat(shape[axis] // array.shape[axis], axis)
    return array.astype(np.int64)


def shifted_sum(op: Operation, ins: list[Tensor], *multipliers: str) -> dict[str, np.ndarray]:
    """Arrays of `Scale` and `Add`, with all that does not depend on x in the bias.

    round((sum (x - zero) m + b) / 2**s) = (sum x m + (b - sum zero m + 2**(s-1))) >> s: the bracket is the new bias.
    """
    shift, bias = op.arrays["shift"].astype(np.int64), op.arrays["bias"].astype(np.int64)
    factors = [op.arrays[k].astype(np.int64) for k in multipliers]
    half = np.int64(1) << (shift - 1)
    refuse_overflow(op, 256 * sum(np.abs(m) for m in factors) + np.abs(bias) + half, "give it another shift")  # of any partial sum
    bias = bias - sum(t.zero_point * m for t, m in zip(ins, factors)) + half
    arrays = {k: op.arrays[k].astype(np.int16) for k in multipliers}
    return arrays | {"bias": bias.astype(np.int32), "shift": op.arrays["shift"].astype(np.int8)}


def broadcast(ins: list[Tensor], out: Tensor) -> dict:
    """Sizes and steps of two maps read together; a step of 0 reads the same number again."""
    fields = {"output": as_map(out.shape)}
    for letter, t in zip("ab", ins):
        h, w, c = as_map(t.shape)
        fields[f"stride_{letter}"] = (w * c * (h > 1), c * (w > 1), int(c > 1))
    return fields


# ------------------------------------------------------------------------------------------------------------- fuzzing


def random_sum(s, factors: int, shape: Iterable[int]) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Multipliers, bias and shift of `Scale` and `Add`: factors of up to 1, now and then far larger or smaller."""
    shape = tuple(shape)
    wild = s.rng.random(shape[-1]) < 0.1
    shift = np.where(wild, s.rng.integers(1, 31, shape[-1]), s.rng.integers(6, 16, shape[-1]))
    step = np.where(wild, 2.0**15, 2.0**shift)
    multipliers = [(s.rng.uniform(-1, 1, shape) * step).astype(np.int16) for _ in range(factors)]
    bias = (s.rng.uniform(-1, 1, shape) * np.minimum(50 * 2.0**shift, 2.0**30 - 2.0**25)).astype(np.int32)
    return multipliers, bias, shift.astype(np.int8)


def random_pair(s) -> tuple[str, str, tuple[int, ...]]:
    """Two tensors that can be broadcast together, in either order, and the shape that they give."""
    a = s.pick()
    shape = s.shape(a)

    def fits(name: str) -> bool:
        other = s.shape(name)
        return s.tensors[name].bits == 8 and len(other) == len(shape) and all(1 in (i, j) or i == j for i, j in zip(shape, other))

    b = str(s.rng.choice([n for n in s.tensors if fits(n)]))
    if len(shape) == 3 and s.rng.random() < 0.5:  # cut a thin slice of a, so that there is something to broadcast
        small = tuple(1 if s.rng.random() < 0.5 else n for n in shape)
        b = s.add("crop", (a,), small, {"start": (0, 0, 0)}, zero_point=s.tensors[a].zero_point)
    a, b = (a, b) if s.rng.random() < 0.5 else (b, a)
    return a, b, np.broadcast_shapes(s.shape(a), s.shape(b))
