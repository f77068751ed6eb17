"""Fixed point: real factors, sigmoid and tanh in integers only.

A number "with b bits after the point" is an integer that stands for integer / 2**b.
"""

import numpy as np

INT16 = (-(2**15), 2**15 - 1)
ONE = 2**15  # 1, with the 15 bits after the point that sigmoid and tanh give
CURVE_BITS = 12  # after the point of what sigmoid and tanh take: -8 to 8
TANH = np.minimum(np.rint(ONE * np.tanh(np.arange(513) / 64)), INT16[1]).astype(np.int64)  # of 0, 1/64, ... 8


def fixed_point(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write real factors as (multiplier int32, shift int8): factor ~ multiplier / 2**shift.

    Each multiplier uses all 31 bits, so the relative error is at most 2**-31.
    """
    factor = np.asarray(factor, np.float64)
    exponent = np.frexp(np.where(factor == 0, 1.0, factor))[1]  # |factor| = mantissa * 2**exponent, 0.5 <= mantissa < 1
    shift = np.clip(31 - exponent, 1, 62)
    multiplier = np.minimum(np.rint(factor * np.exp2(shift)), 2**31 - 1)
    return multiplier.astype(np.int32), shift.astype(np.int8)


def shift_right(product: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Divide int64 by 2**shift, rounding half up: add half, then shift arithmetically. The only rounding there is."""
    shift = np.asarray(shift, np.int64)
    return (product + (np.int64(1) << (shift - 1))) >> shift


def requantize(accumulator: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """accumulator * multiplier / 2**shift, rounded once: 64-bit product, add half, arithmetic shift."""
    return shift_right(accumulator.astype(np.int64) * np.asarray(multiplier, np.int64), shift)


def saturate(x: np.ndarray) -> np.ndarray:
    """To the range of int16."""
    return np.clip(x, *INT16)


def to_curve(x: np.ndarray, bits: int) -> np.ndarray:
    """A number with at most 12 bits after the point to exactly 12, as sigmoid and tanh take it; beyond 8 both are flat."""
    return saturate(x.astype(np.int64) << (CURVE_BITS - bits))


def tanh_of_positive(x: np.ndarray) -> np.ndarray:
    """x >= 0 with 13 bits after the point -> tanh with 22: on straight lines between the 513 numbers of TANH."""
    place = np.minimum(x >> 7, len(TANH) - 2)
    return (TANH[place] << 7) + (TANH[place + 1] - TANH[place]) * (x - (place << 7))


def tanh(x: np.ndarray) -> np.ndarray:
    """int16 with 12 bits after the point -> tanh with 15. Within 1.6 * 2**-15 of the real one."""
    x = x.astype(np.int64)
    return np.sign(x) * shift_right(tanh_of_positive(2 * np.abs(x)), 7)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """int16 with 12 bits after the point -> sigmoid with 15, as (1 + tanh(x / 2)) / 2. Within 1.2 * 2**-15 of the real one."""
    x = x.astype(np.int64)
    half = np.sign(x) * tanh_of_positive(np.abs(x))
    return np.minimum(shift_right((ONE << 7) + half, 8), INT16[1])


def integer_root(x: np.ndarray) -> np.ndarray:
    """The largest integer whose square is at most x, 0 <= x < 2**62, exactly."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root -= root * root > x  # float64 has 53 bits: it may be one off
    return root + ((root + 1) * (root + 1) <= x)
