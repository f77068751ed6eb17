"""The operations of recurrent networks, as the interpreter computes them: int8 in and out, int16 in between.

The integer recipe of TensorFlow Lite (Li and Alvarez 2021, arXiv 2101.05453) with this course's rounding. Gates z and cell states c
are int16 without a zero point, "with b bits after the point": c by as many as its size on calibration data allows, gates by 12, for
sigmoid and tanh are flat beyond 8. A tensor z [gates * units] holds one gate behind the other, in the order of `models.cells`.
Each function is as in program.py: the operation, its input arrays, their Tensors, the output's Tensor -> integers yet to be clamped.
"""

import numpy as np

from tinycourse.mcu.fixed_point import ONE, integer_root, requantize, shift_right, sigmoid, tanh, to_curve

LARGEST = 2**30  # no 32-bit sum of two products that were each rescaled can overflow


def embedding(op, xs, ins, out):
    """Row x of a table: table int8 [rows, C]; x is int16 (1,). What lies outside is the first or the last row."""
    table = op.arrays["table"]
    return table[np.clip(xs[0][:, 0], 0, len(table) - 1)]


def linear16(op, xs, ins, out):
    """W x + b, or with a second input W x + R h + b, to int16.

    weight int8 [O, I]; bias, multiplier int32 [O]; shift int8 [O]; for the second input weight_recurrent, multiplier_recurrent and
    shift_recurrent. Either product is rescaled by its own factors before they are added, as x and h have scales of their own.
    """
    total = 0
    for x, t, which in zip(xs, ins, ("", "_recurrent")):
        weight, multiplier, shift = (op.arrays[k + which] for k in ("weight", "multiplier", "shift"))
        products = ((x.astype(np.float64) - t.zero_point) @ weight.T.astype(np.float64)).astype(np.int64)
        products = products if which else products + op.arrays["bias"]
        total = total + np.clip(requantize(products, multiplier, shift), -LARGEST, LARGEST)
    return total


def layer_norm(op, xs, ins, out):
    """Each of `gates` blocks of n numbers less its mean, by its standard deviation, times a scale, plus a bias.

    Parameters gates and epsilon, which is added to n**2 * variance; arrays multiplier, bias int32 [gates * n], shift int8 [gates * n].
    Sums are exact. The root has 31 bits, so has its inverse; the normalised numbers have 15 after the point.
    """
    x = xs[0].astype(np.int64).reshape(len(xs[0]), op.parameters["gates"], -1)
    n, total = x.shape[-1], x.sum(-1, keepdims=True)
    spread = n * (x * x).sum(-1, keepdims=True) - total * total + op.parameters["epsilon"]  # (n * standard deviation)**2 < 2**53
    even = (62 - np.frexp(spread.astype(np.float64))[1].astype(np.int64)) & ~1  # brings it to 61 or 62 bits
    inverse = 2**61 // integer_root(spread << even)
    normal = shift_right((n * x - total) * inverse, 46 - even // 2).reshape(xs[0].shape)
    return requantize(normal, op.arrays["multiplier"], op.arrays["shift"]) + op.arrays["bias"]


def split(z: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Gates [N, gates * units] beside cells [N, units] -> [gates, N, units]."""
    return np.moveaxis(z.astype(np.int64).reshape(len(z), -1, c.shape[1]), 1, 0)


def mixed(f: np.ndarray, c: np.ndarray, i: np.ndarray, g: np.ndarray, op) -> np.ndarray:
    """f c + i tanh(g), with the cell's bits and within its limit; f and i have 15 bits after the point."""
    total = f * c + shift_right(i * tanh(g), 15 - op.parameters["bits"])  # both have 15 + bits
    return np.clip(shift_right(total, 15), -op.parameters["limit"], op.parameters["limit"])


def lstm_cell(op, xs, ins, out):
    """Gates [g, i, f, o] and c -> f c + i g. Parameters bits (of c, 9 to 12) and limit (its largest integer)."""
    z = split(*xs)
    return mixed(sigmoid(z[2]), xs[1].astype(np.int64), sigmoid(z[1]), z[0], op)


def cifg_cell(op, xs, ins, out):
    """Gates [g, f, o] and c -> f c + (1 - f) g. Parameters as for `lstm_cell`."""
    z = split(*xs)
    f = sigmoid(z[1])
    return mixed(f, xs[1].astype(np.int64), ONE - f, z[0], op)


def sru_cell(op, xs, ins, out):
    """Gates [g, n, f, r] and c -> f c + (1 - f) g. Parameter bits, of c and of all gates: c lies between the g, so they share it."""
    z = split(*xs)
    f = sigmoid(to_curve(z[2], op.parameters["bits"]))
    return shift_right(f * xs[1] + (ONE - f) * z[0], 15)


def gated_output(op, xs, ins, out):
    """The last gate o and the new cell c of LSTM and CIFG -> o tanh(c), int8. Parameters bits (of c), multiplier, shift."""
    p = op.parameters
    h = sigmoid(split(*xs)[-1]) * tanh(to_curve(xs[1], p["bits"]))  # 30 bits
    return requantize(h, p["multiplier"], p["shift"]) + out.zero_point


def highway_output(op, xs, ins, out):
    """Gates n, r and the new cell c of SRU -> r tanh(c) + (1 - r) n, int8. Parameters bits (of c and gates), multiplier, shift."""
    p, z = op.parameters, split(*xs)
    r = sigmoid(to_curve(z[3], p["bits"]))
    h = shift_right(r * tanh(to_curve(xs[1], p["bits"])), 15 - p["bits"]) + (ONE - r) * z[1]  # 15 + bits
    return requantize(h, p["multiplier"], p["shift"]) + out.zero_point


def tanh8(op, xs, ins, out):
    """tanh of int16 with 12 bits after the point -> int8 in steps of 1 / 128."""
    return shift_right(tanh(xs[0]), 8)


KINDS = embedding, linear16, layer_norm, lstm_cell, cifg_cell, sru_cell, gated_output, highway_output, tanh8
