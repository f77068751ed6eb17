"""Real numbers as integers: x ~ scale * (q - zero_point), and which scale and zero point a range of numbers needs."""

import numpy as np


def affine_parameters(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point that spread int8, -128 to 127, over the real range [low, high].

    The range is widened to contain 0, which then has an exact integer, zero_point: padding and ReLU need that.
    Every x in the widened range satisfies |x - dequantize(quantize(x))| <= scale / 2.
    """
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = (high - low) / 255 or 1.0  # a tensor that is 0 everywhere: any scale will do
    return scale, int(np.rint(-128 - low / scale))


def symmetric_parameters(low: float, high: float, bits: int = 8) -> tuple[float, int]:
    """Scale for zero point 0: the larger of -low and high becomes the largest integer, 127 of 8 bits, 32767 of 16.

    A product with such numbers needs no correction for their zero point, so weights are quantized like this; a range that lies
    on one side of 0 wastes half of the integers. |x - scale * q| <= scale / 2 in the range.
    """
    return max(-float(low), float(high), 0.0) / (2 ** (bits - 1) - 1) or 1.0, 0


def quantize(x, scale, zero_point=0, bits: int = 8) -> np.ndarray:
    """Real numbers to int8, or with 16 `bits` to int16: round(x / scale) + zero_point, saturated at the smallest and largest.

    |x - dequantize(...)| <= scale / 2 where nothing saturates. `scale` may be an array, one per channel.
    """
    limit = 2 ** (bits - 1)
    return np.clip(np.rint(np.asarray(x, np.float64) / scale) + zero_point, -limit, limit - 1).astype(f"int{bits}")


def dequantize(q, scale, zero_point=0) -> np.ndarray:
    """Integers back to the real numbers they stand for, float64."""
    return (np.asarray(q, np.float64) - zero_point) * scale


def quantize_rows(weight: np.ndarray, bias: np.ndarray, scale_in: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights [O, ...] symmetric per row (max / 127), int8; bias [O] in units of scale_in * the row's scale, int32; scales [O].

    A row's scale is raised where bias and sum of products might not fit an int32: there the weights are next to nothing beside
    the bias. A row of zeros keeps its bias.
    """
    rows = np.abs(weight).reshape(len(weight), -1)
    scale = np.maximum(rows.max(1) / 127, (255 * rows.sum(1) + np.abs(bias) / scale_in) / 2**30)
    scale[scale == 0] = 1.0
    weight = quantize(weight, scale.reshape(-1, *[1] * (weight.ndim - 1)))
    return weight, np.rint(bias / (scale_in * scale)).astype(np.int32), scale
