"""The slow specification of recurrent operations: one number at a time, in fractions and Python's integers.

As in test_program.py: the operation, the inputs of one clip, their Tensors, the output's Tensor and a position in it.
"""

import math
from fractions import Fraction


def round_half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def scaled(total: int, multiplier: int, shift: int) -> int:
    return round_half_up(Fraction(int(total) * int(multiplier), 2 ** int(shift)))


def tanh_line(x: Fraction) -> Fraction:
    """tanh of 0 <= x <= 8 on straight lines between its values at multiples of 1/64, in units of 2**-15."""
    left = min(math.floor(x * 64), 511)
    a, b = (min(round(2**15 * math.tanh(i / 64)), 2**15 - 1) for i in (left, left + 1))
    return a + (b - a) * (x * 64 - left)


def slow_tanh(x: int) -> int:
    y = round_half_up(tanh_line(Fraction(abs(x), 2**12)))
    return y if x >= 0 else -y


def slow_sigmoid(x: int) -> int:
    half = tanh_line(Fraction(abs(x), 2**13)) * (1 if x >= 0 else -1)
    return min(round_half_up((2**15 + half) / 2), 2**15 - 1)


def clamped(x: int) -> int:
    return min(max(x, -(2**15)), 2**15 - 1)


def gate(x, number: int, unit: int) -> int:
    """Number `unit` of a gate, beside cells x[1]; -1 is the last gate."""
    return int(x[0].reshape(-1, len(x[1]))[number, unit])


def slow_embedding(op, x, ins, out, position):
    table = op.arrays["table"]
    return int(table[min(max(int(x[0][0]), 0), len(table) - 1), position[0]])


def slow_linear16(op, x, ins, out, position):
    (o,), total = position, 0
    for one, t, which in zip(x, ins, ("", "_recurrent")):
        sum_ = 0 if which else int(op.arrays["bias"][o])
        sum_ += sum(int(w) * (v - t.zero_point) for w, v in zip(op.arrays["weight" + which][o], one.tolist()))
        total += min(max(scaled(sum_, op.arrays["multiplier" + which][o], op.arrays["shift" + which][o]), -(2**30)), 2**30)
    return total


def slow_layer_norm(op, x, ins, out, position):
    (o,), n = position, len(x[0]) // op.parameters["gates"]
    block = x[0].tolist()[o // n * n : o // n * n + n]
    spread = n * sum(v * v for v in block) - sum(block) ** 2 + op.parameters["epsilon"]
    shift = 0
    while spread << shift < 2**60:
        shift += 2
    inverse = 2**61 // math.isqrt(spread << shift)
    normal = round_half_up(Fraction((n * int(x[0][o]) - sum(block)) * inverse, 2 ** (46 - shift // 2)))
    return scaled(normal, op.arrays["multiplier"][o], op.arrays["shift"][o]) + int(op.arrays["bias"][o])


def slow_mixed(op, f: int, c: int, i: int, g: int) -> int:
    bits, limit = op.parameters["bits"], op.parameters["limit"]
    total = f * c + round_half_up(Fraction(i * slow_tanh(g), 2 ** (15 - bits)))
    return min(max(round_half_up(Fraction(total, 2**15)), -limit), limit)


def slow_lstm_cell(op, x, ins, out, position):
    g, i, f, _ = (gate(x, number, position[0]) for number in range(4))
    return slow_mixed(op, slow_sigmoid(f), int(x[1][position]), slow_sigmoid(i), g)


def slow_cifg_cell(op, x, ins, out, position):
    g, f, _ = (gate(x, number, position[0]) for number in range(3))
    return slow_mixed(op, slow_sigmoid(f), int(x[1][position]), 2**15 - slow_sigmoid(f), g)


def slow_sru_cell(op, x, ins, out, position):
    g, f = gate(x, 0, position[0]), slow_sigmoid(clamped(gate(x, 2, position[0]) * 2 ** (12 - op.parameters["bits"])))
    return round_half_up(Fraction(f * int(x[1][position]) + (2**15 - f) * g, 2**15))


def slow_gated_output(op, x, ins, out, position):
    p = op.parameters
    tanh_c = slow_tanh(clamped(int(x[1][position]) * 2 ** (12 - p["bits"])))
    return scaled(slow_sigmoid(gate(x, -1, position[0])) * tanh_c, p["multiplier"], p["shift"]) + out.zero_point


def slow_highway_output(op, x, ins, out, position):
    p, n = op.parameters, gate(x, 1, position[0])
    r, c = (clamped(v * 2 ** (12 - p["bits"])) for v in (gate(x, 3, position[0]), int(x[1][position])))
    r = slow_sigmoid(r)
    h = round_half_up(Fraction(r * slow_tanh(c), 2 ** (15 - p["bits"]))) + (2**15 - r) * n
    return scaled(h, p["multiplier"], p["shift"]) + out.zero_point


def slow_tanh8(op, x, ins, out, position):
    return round_half_up(Fraction(slow_tanh(int(x[0][position])), 2**8))


SLOW = {name.removeprefix("slow_"): f for name, f in list(globals().items()) if name.startswith("slow_")}
