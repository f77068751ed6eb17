"""What the ONNX forms of operations share: factors, weights and windows as QDQ has them. w is the `Writer` of `export/onnx_form.py`."""

import numpy as np

from tinycourse.program.ops.base import Operation, Tensor


def raised(integers) -> np.ndarray:
    """int8 numbers as uint8, 128 above them."""
    return (np.asarray(integers, np.int16) + 128).astype(np.uint8)


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(H, W, C) as (C, H, W); (C,) stays."""
    return (shape[-1], *shape[:-1])


def factor_of(multiplier, shift) -> np.ndarray:
    """The real number that a multiplier and a right shift stand for."""
    return np.ldexp(np.asarray(multiplier, np.float64), -np.asarray(shift, np.int64))


def in_steps(t: Tensor) -> float:
    """The scale of a tensor as the model has it, in float32."""
    return float(np.float32(t.scale))


def never_half(bias) -> np.ndarray:
    """An integer bias and half a unit: what comes out is no half of a step, and rounded to the nearest it is half rounded up."""
    return np.asarray(bias, np.float64) + 0.5


def along_channels(values: np.ndarray, t: Tensor) -> np.ndarray:
    """[C], or [H, W, C] for a map, channels first beside a tensor."""
    values = np.asarray(values, np.float64)
    if len(t.shape) == 1:
        return values.reshape(-1)
    return values.reshape(-1, 1, 1) if values.ndim == 1 else np.moveaxis(values, -1, 0)


def weights_of(w, op: Operation, x: Tensor, out: Tensor, weight: np.ndarray) -> tuple[str, str]:
    """Weight, as ONNX has its axes, and bias of a product: the scale of an output's weights follows from its multiplier."""
    scale = factor_of(op.arrays["multiplier"], op.arrays["shift"]) * out.scale / x.scale
    return w.weights(weight, scale), w.weights(op.arrays["bias"].astype(np.int32), scale * x.scale)


def overhang(kernel, stride, dilation, padding, size, out) -> tuple[list[int], list[int], list[int]]:
    """Windows that begin at -padding and fill `out`: the pads of ONNX (top, left, bottom, right), and the box (start, end) to cut first."""
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(out, stride, kernel, dilation)]
    before = [max(p, 0) for p in padding]
    start = [max(-p, 0) for p in padding]
    end = [min(n, r - p) for n, r, p in zip(size, reach, padding)]  # behind the last window nothing is read
    after = [max(r - p - n, 0) for n, r, p in zip(size, reach, padding)]
    return [*before, *after], start, end


def cut(w, x: str, start, end, size, axes) -> str:
    """A part of x along some axes; x itself where that is all of it."""
    if all(a == 0 for a in start) and list(end) == list(size):
        return x
    return w.node("Slice", x, w.ints(*start), w.ints(*end), w.ints(*axes))
