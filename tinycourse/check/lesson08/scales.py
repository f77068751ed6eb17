"""Checks of lesson 08: scale and zero point, and a scale for each row."""

import numpy as np
import torch
from torch import Tensor

from tinycourse.check.core import CheckFailed, exercise, expect, expect_array, expect_close

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
