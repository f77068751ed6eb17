"""Checks of lesson 08: scale and zero point, requantization, a scale for each row, a sigmoid from a table, and an integer cell."""

import numpy as np
import torch
from torch import Tensor

from tinycourse.check.core import CheckFailed, exercise, expect, expect_array, expect_close

UNIT = 2.0**-24  # float32 rounds to within this share of a number


# ----------------------------------------------------------------------------------------- scale and zero point


def slow_affine(low: float, high: float) -> tuple[float, int]:
    """255 steps from the smallest to the largest number, 0 among them; the zero point is the integer that stands for 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, int(np.floor(-128 - low / scale + 0.5))


def steps_of_256(low, high):
    """From -128 to 127 there are 255 steps, not 256: with steps of range / 256 one end of the range saturates."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 256
    return scale, int(np.rint(-128 - low / scale))


def not_widened(low, high):
    """A range that does not contain 0 has no integer for 0.0: widen it to contain 0 first."""
    scale = (high - low) / 255
    return scale, int(np.rint(-128 - low / scale))


def symmetric(low, high):
    """That is the symmetric scale, with 0 in the middle: where the range is not centred on 0 it wastes steps."""
    return max(-low, high, 0.0) / 127, 0


def zero_at_the_low_end(low, high):
    """The zero point stands for `low` here, and it has to stand for 0.0."""
    low, high = min(low, 0.0), max(high, 0.0)
    return (high - low) / 255, -128


def for_unsigned(low, high):
    """The zero point is that of integers from 0 to 255; int8 begins at -128."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, int(np.rint(-low / scale))


def turned_around(low, high):
    """The zero point is on the wrong side: -128 stands for `low`, and 0.0 lies -low / scale steps above it."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, int(np.rint(127 + low / scale))


def cut_off(low, high):
    """The zero point was cut off to an integer and not rounded to the nearest: that moves everything by up to a whole step."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, int(-128 - low / scale)


def real_zero_point(low, high):
    """The zero point is a real number here: it has to be an integer, for it is what 0.0 becomes."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, -128 - low / scale


@exercise(
    reference=slow_affine,
    wrong=[
        steps_of_256,
        not_widened,
        symmetric,
        zero_at_the_low_end,
        for_unsigned,
        turned_around,
        cut_off,
        real_zero_point,
    ],
)
def affine(candidate, random):
    """affine(low, high) -> (scale, zero_point). Numbers of the range, quantized with what comes back, return within half a step; no step
    is wasted; 0.0 is exact. float64 adds at most 2**-40 of a step: quotients below 256, a handful of roundings of 2**-53."""
    slack = 2.0**-40
    cases = [("a range with 0 inside", -float(random.uniform(0.5, 3)), float(random.uniform(4, 9))) for _ in range(12)]
    cases += [("all above 0", float(random.uniform(1, 2)), float(random.uniform(3, 9)))]
    cases += [("all below 0", -float(random.uniform(3, 9)), -float(random.uniform(1, 2)))]
    for case, low, high in cases:
        said = f"{case}: low = {low:.6g}, high = {high:.6g}"
        got = candidate(low, high)
        if not isinstance(got, tuple) or len(got) != 2:
            raise CheckFailed(said, "(scale, zero_point)", type(got).__name__, "Two numbers are asked for: return scale, zero_point.")
        scale, zero_point = got
        right, _ = slow_affine(low, high)
        whole = isinstance(zero_point, int | np.integer)
        expect(whole, said, "an integer zero_point", type(zero_point).__name__, "The zero point has to be an integer.")
        expect(scale > 0, said, "a scale above 0", f"{scale}")
        expect(-128 <= zero_point <= 127, said, "a zero_point from -128 to 127", f"{zero_point}")
        expect(scale <= right * (1 + slack), said, f"a scale of {right:.6g}", f"{scale:.6g}, steps are wasted")
        x = np.concatenate([[low, high], random.uniform(low, high, 300)])
        error = np.abs((np.clip(np.rint(x / scale) + zero_point, -128, 127) - zero_point) * scale - x) / scale
        worst = int(error.argmax())
        kept = f"x = {x[worst]:.6g} returns at most half a step away"
        expect(error[worst] <= 0.5 + slack, said, kept, f"{error[worst]:.2f} steps away, with scale {scale:.6g}, zero_point {zero_point}")


# ---------------------------------------------------------------------------------------------- requantization


def slow_requantize(sums: np.ndarray, multiplier: int, shift: int, zero_point: int) -> np.ndarray:
    """clamp(floor(sum * multiplier / 2**shift + 1/2) + zero_point), one number at a time, with Python's integers of any size."""
    results = [((int(s) * multiplier + 2 ** (shift - 1)) >> shift) + zero_point for s in sums]
    return np.array([min(127, max(-128, r)) for r in results], np.int8)


def narrowed(wide: np.ndarray) -> np.ndarray:
    """int64 to int8, saturated."""
    return np.clip(wide, -128, 127).astype(np.int8)


def floored(sums, multiplier, shift, zero_point):
    """A shift alone rounds down: add half of 2**shift first, so that it rounds to the nearest."""
    return narrowed(((sums * multiplier) >> shift) + zero_point)


def towards_zero(sums, multiplier, shift, zero_point):
    """Negative numbers were rounded towards zero: an arithmetic shift rounds down, and with half added it is right for both signs."""
    product = sums * multiplier
    return narrowed(np.sign(product) * (np.abs(product) >> shift) + zero_point)


def one_too_many(sums, multiplier, shift, zero_point):
    """Half of 2**shift is 1 << (shift - 1); here a whole one was added."""
    return narrowed(((sums * multiplier + (1 << shift)) >> shift) + zero_point)


def wrapped(sums, multiplier, shift, zero_point):
    """Numbers outside of -128 to 127 wrapped around: clamp before the type becomes int8."""
    return (((sums * multiplier + (1 << (shift - 1))) >> shift) + zero_point).astype(np.int8)


def product_in_32_bits(sums, multiplier, shift, zero_point):
    """The product does not fit 32 bits, and wrapped around: it needs 64."""
    product = (sums * multiplier).astype(np.int32).astype(np.int64)
    return narrowed(((product + (1 << (shift - 1))) >> shift) + zero_point)


def zero_point_first(sums, multiplier, shift, zero_point):
    """The zero point is one of the output's steps: add it after the shift, not before."""
    return narrowed(((sums + zero_point) * multiplier + (1 << (shift - 1))) >> shift)


def zero_point_outside(sums, multiplier, shift, zero_point):
    """It was clamped before the zero point was added, so the result may leave -128 to 127: the clamp comes last."""
    return narrowed((sums * multiplier + (1 << (shift - 1))) >> shift).astype(np.int64).__add__(zero_point).astype(np.int8)


def half_to_even(sums, multiplier, shift, zero_point):
    """Halves went to the even neighbour, as np.rint does: here every half goes up."""
    return narrowed(np.rint(sums * multiplier / 2.0**shift).astype(np.int64) + zero_point)


@exercise(
    reference=slow_requantize,
    wrong=[
        floored,
        towards_zero,
        one_too_many,
        wrapped,
        product_in_32_bits,
        zero_point_first,
        zero_point_outside,
        half_to_even,
    ],
)
def requantize(candidate, random):
    """requantize(sums int64 [N], multiplier, shift, zero_point) -> int8 [N]. Integers: exact. Halves are among them."""
    zero_point = int(random.integers(20, 60) * random.choice([-1, 1]))
    for case in ("large sums", "a layer's sums", "sums that end on a half"):
        multiplier, shift = (2**30, 38) if case == "sums that end on a half" else (int(random.integers(2**30, 2**31)), 38)
        steps = 2**shift / multiplier  # of the sums, in one of the output
        if case == "sums that end on a half":
            sums = (random.integers(-40, 40, 50) * int(steps) + int(steps) // 2).astype(np.int64)
        else:
            sums = random.integers(-int(90 * steps), int(90 * steps), 200) * (20 if case == "large sums" else 1)
        said = f"{case}: multiplier = {multiplier}, shift = {shift}, zero_point = {zero_point}"
        expected = slow_requantize(sums, multiplier, shift, zero_point)
        got = candidate(sums, multiplier, shift, zero_point)
        expect_array(got, expected.shape, np.dtype(np.int8), said)
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            i = wrong[0]
            exact = f"{expected[i]} for the sum {sums[i]} ({sums[i] * multiplier / 2.0**shift:.3f} steps)"
            raise CheckFailed(said, exact, str(got[i]))


# --------------------------------------------------------------------------------------------- a scale for each row


def slow_round_rows(weight: Tensor, bits: int) -> Tensor:
    """Each row on its own steps: the largest magnitude of a row is the largest integer, zero is zero."""
    back = torch.zeros_like(weight)
    for i, row in enumerate(weight):
        scale = row.abs().max().item() / (2 ** (bits - 1) - 1)
        if scale > 0:
            back[i] = torch.round(row / scale) * scale
    return back


def rounded_by(weight: Tensor, scale: Tensor) -> Tensor:
    """To the steps of a scale; where it is 0 the weight stays."""
    return torch.where(scale > 0, torch.round(weight / scale.clamp(min=1e-30)) * scale, weight)


def one_for_all(weight, bits):
    """All rows share one scale, that of the largest weight: each row needs its own."""
    return rounded_by(weight, weight.abs().max() / (2 ** (bits - 1) - 1))


def columns_instead(weight, bits):
    """Each column has a scale of its own, and each row (dim=1 is to be reduced) should."""
    return rounded_by(weight, weight.abs().amax(0, keepdim=True) / (2 ** (bits - 1) - 1))


def sign_forgotten(weight, bits):
    """The scale comes from the largest weight, but the largest *magnitude* may be that of a negative one."""
    return rounded_by(weight, weight.amax(1, keepdim=True).clamp(min=1e-6) / (2 ** (bits - 1) - 1))


def power_of_two(weight, bits):
    """The largest integer is 2**(bits - 1) - 1, so 127 or 7: with 2**(bits - 1) the largest weight has none."""
    return rounded_by(weight, weight.abs().amax(1, keepdim=True) / 2 ** (bits - 1))


def one_bit_lost(weight, bits):
    """The sign takes one bit, and a second one was given away: the largest integer is 2**(bits - 1) - 1."""
    return rounded_by(weight, weight.abs().amax(1, keepdim=True) / (2 ** (bits - 2) - 1))


def down(weight, bits):
    """Weights were rounded down, which is off by up to a whole step: round to the nearest."""
    scale = weight.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.where(scale > 0, torch.floor(weight / scale.clamp(min=1e-30)) * scale, weight)


def integers_only(weight, bits):
    """These are the integers: multiply them by the scale, so that they are weights again."""
    scale = weight.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.round(weight / scale.clamp(min=1e-30))


def zero_by_zero(weight, bits):
    """A row of zeros has scale 0, and 0 / 0 is not a number: give such a row any other scale."""
    scale = weight.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.round(weight / scale) * scale


@exercise(
    reference=slow_round_rows,
    wrong=[
        one_for_all,
        columns_instead,
        sign_forgotten,
        power_of_two,
        one_bit_lost,
        down,
        integers_only,
        zero_by_zero,
    ],
)
def round_rows(candidate, random):
    """round_rows(weight float32 [O, I], bits) -> float32 [O, I]. On the steps of the row and within half a step of the weight; float32
    moves a number by at most 2**-20 of the row's largest: quotient, product and scale are rounded once each."""
    for case, bits in (("8 bits", 8), ("4 bits", 4), ("a row of zeros, 4 bits", 4)):
        outputs, inputs = int(random.integers(4, 8)), int(random.integers(20, 40))
        weight = torch.tensor(random.normal(size=(outputs, inputs)) * np.exp(random.normal(size=(outputs, 1))), dtype=torch.float32)
        weight[0, 0] = -2 * weight[0].abs().max()  # a row whose largest magnitude is negative
        weight[-1] *= 20  # and one that is large
        if case == "a row of zeros, 4 bits":
            weight[1] = 0
        said = f"{case}: weight [{outputs}, {inputs}]"
        got = candidate(weight, bits)
        expect_array(got, weight.shape, torch.float32, said)
        expect(bool(got.isfinite().all()), said, "finite numbers", "nan or infinite ones")
        largest = weight.double().abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)
        slack = 2.0**-20 * largest + 1e-30
        expect_close(got, weight, scale / 2 + slack, f"{said}, half a step of the row")
        expect_close(got, torch.round(got.double() / scale) * scale, slack, f"{said}, multiples of the row's step")


# ------------------------------------------------------------------------------------------ a sigmoid from a table


def slow_sigmoid(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """On straight lines between 257 entries, for int16 x from -2**15 on in steps of 2**8; rounded half up."""
    y = []
    for number in x.tolist():
        place, rest = divmod(number + 2**15, 2**8)
        y.append((int(table[place]) * (2**8 - rest) + int(table[place + 1]) * rest + 2**7) >> 8)
    return np.array(y, np.int64)


def parted(x):
    """(place, rest) of x."""
    return (x.astype(np.int64) + 2**15) >> 8, (x.astype(np.int64) + 2**15) & 255


def stairs(x, table):
    """The table was read, but between its entries nothing happens: go along the straight line to the next one."""
    return table[parted(x)[0]]


def half_forgotten(x, table):
    """The last shift rounds down: add half of 2**8 before it."""
    place, rest = parted(x)
    return (table[place] * (256 - rest) + table[place + 1] * rest) >> 8


def weights_swapped(x, table):
    """The nearer entry has to count more: where rest is 0, all of it is table[place]."""
    place, rest = parted(x)
    return (table[place] * rest + table[place + 1] * (256 - rest) + 128) >> 8


def rest_of_255(x, table):
    """The two shares have to add up to 256: 256 - rest and rest."""
    place, rest = parted(x)
    return (table[place] * (255 - rest) + table[place + 1] * rest + 128) >> 8


def zero_first(x, table):
    """Entry 0 belongs to the smallest x, -2**15: add 2**15 to x before it becomes a place."""
    place, rest = (x.astype(np.int64) >> 8) % 256, x.astype(np.int64) & 255
    return (table[place] * (256 - rest) + table[place + 1] * rest + 128) >> 8


def rounded_place(x, table):
    """The place was rounded to the nearest entry: it is the entry *below* x, and the rest says how far beyond it."""
    place, rest = parted(x)
    place = np.minimum(place + (rest >= 128), 255)
    return (table[place] * (256 - rest) + table[place + 1] * rest + 128) >> 8


@exercise(
    reference=slow_sigmoid,
    wrong=[stairs, half_forgotten, weights_swapped, rest_of_255, zero_first, rounded_place],
)
def sigmoid_from_table(candidate, random):
    """sigmoid_from_table(x int16 [N], table int64 [257]) -> int64 [N]. Integers: exact, for any table that rises."""
    edges = np.array([-(2**15), -(2**15) + 1, -1, 0, 1, 255, 256, 2**15 - 1], np.int16)
    for case in ("a sigmoid", "a table that rises somehow"):
        if case == "a sigmoid":
            table = np.rint(2**15 / (1 + np.exp(-(np.arange(257) / 16 - 8)))).astype(np.int64)
        else:
            table = np.cumsum(random.integers(20, 120, 257)).astype(np.int64)
        x = np.concatenate([edges, random.integers(-(2**15), 2**15, 200).astype(np.int16)])
        got = candidate(x, table)
        expected = slow_sigmoid(x, table)
        expect_array(got, expected.shape, np.dtype(np.int64), case)
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            i = wrong[0]
            place, rest = divmod(int(x[i]) + 2**15, 2**8)
            between = f"{expected[i]} for x = {x[i]}: {rest} / 256 of the way from {table[place]} to {table[place + 1]}"
            raise CheckFailed(case, between, str(got[i]))


# ------------------------------------------------------------------------------------------------ an integer cell


def slow_cell(f: np.ndarray, i: np.ndarray, g: np.ndarray, c: np.ndarray, bits: int, limit: int) -> np.ndarray:
    """f c + i g, unit by unit: both products with 15 + bits after the point, added, rounded to bits, and kept within the limit."""
    cells = []
    for one_f, one_i, one_g, one_c in zip(*(a.tolist() for a in (f, i, g, c))):
        left = 15 - bits  # i g has 30 bits after the point: so many more than f c
        new = (one_i * one_g + 2 ** (left - 1)) >> left
        total = (one_f * one_c + new + 2**14) >> 15
        cells.append(max(-limit, min(limit, total)))
    return np.array(cells, np.int64)


def halved(x, shift):
    """x / 2**shift, rounded half up."""
    return (x + (1 << (shift - 1))) >> shift


def not_aligned(f, i, g, c, bits, limit):
    """f c has 15 + bits after the point and i g has 30: bring i g to the same number of bits before they are added."""
    return np.clip(halved(f * c + i * g, 15), -limit, limit)


def aligned_to_the_gates(f, i, g, c, bits, limit):
    """i g was brought to 15 bits after the point, as its gates have, but f c has 15 + bits: shift i g by 15 - bits only."""
    return np.clip(halved(f * c + halved(i * g, 15), 15), -limit, limit)


def gates_swapped(f, i, g, c, bits, limit):
    """The input gate keeps the old cell here: f goes with c, and i with the new value g."""
    return np.clip(halved(i * c + halved(f * g, 15 - bits), 15), -limit, limit)


def never_kept(f, i, g, c, bits, limit):
    """The old cell is gone: the forget gate says which share of it stays."""
    return np.clip(halved(halved(i * g, 15 - bits), 15), -limit, limit)


def unlimited(f, i, g, c, bits, limit):
    """The cell left its limit: clamp it to -limit..limit, or the next frame wraps around in int16."""
    return halved(f * c + halved(i * g, 15 - bits), 15)


def limited_above(f, i, g, c, bits, limit):
    """Only large numbers were limited: a cell below -limit overflows as well."""
    return np.minimum(halved(f * c + halved(i * g, 15 - bits), 15), limit)


def cut(f, i, g, c, bits, limit):
    """The last shift rounds down: add half before it. Otherwise every cell leaks downwards, frame by frame."""
    return np.clip((f * c + halved(i * g, 15 - bits)) >> 15, -limit, limit)


@exercise(
    reference=slow_cell,
    wrong=[
        not_aligned,
        aligned_to_the_gates,
        gates_swapped,
        never_kept,
        unlimited,
        limited_above,
        cut,
    ],
)
def integer_cell(candidate, random):
    """integer_cell(f, i, g, c int64 [units], bits, limit) -> int64 [units]. Integers: exact."""
    for case, bits, limit in (("cells up to 8", 12, 2**15 - 1), ("cells clipped at 10", 11, 10 * 2**11), ("cells up to 64", 9, 2**15 - 1)):
        units = 200
        f, i = (random.integers(0, 2**15, units) for _ in range(2))
        g = random.integers(-(2**15) + 1, 2**15, units)
        c = random.integers(-limit, limit + 1, units)
        f[:4], i[:4], g[:4], c[:4] = 2**15 - 1, 2**15 - 1, [2**15 - 1, -(2**15) + 1] * 2, [limit, -limit] * 2  # full cells, filled further
        said = f"{case}: bits = {bits}, limit = {limit}"
        expected = slow_cell(f, i, g, c, bits, limit)
        got = candidate(f, i, g, c, bits, limit)
        expect_array(got, expected.shape, np.dtype(np.int64), said)
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            n = wrong[-1]
            given = f"f = {f[n]}, i = {i[n]}, g = {g[n]}, c = {c[n]}"
            raise CheckFailed(said, f"{expected[n]} for {given}", str(got[n]))
