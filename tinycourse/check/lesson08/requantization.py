"""Checks of lesson 08: from sums to int8."""

import numpy as np

from tinycourse.check.core import CheckFailed, exercise, expect_array


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
