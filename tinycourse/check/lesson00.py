"""Checks of lesson 00: scores to probabilities, and real numbers to int8."""

import math

import numpy as np
import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close

# ------------------------------------------------------------------------------------------------ softmax


def slow_softmax(logits: Tensor) -> Tensor:
    """Probabilities [N, K] from scores [N, K], one number at a time."""
    probabilities = torch.zeros_like(logits)
    for n, row in enumerate(logits.tolist()):
        largest = max(row)
        powers = [math.exp(score - largest) for score in row]
        for k, power in enumerate(powers):
            probabilities[n, k] = power / sum(powers)
    return probabilities


def largest_not_subtracted(logits):
    """exp() of a score above 88 is infinite in float32: subtract the row's largest score first; no probability changes."""
    powers = logits.exp()
    return powers / powers.sum(1, keepdim=True)


def largest_of_the_batch(logits):
    """The largest score was taken over all clips: a row far below it becomes 0 / 0. Each row needs its own largest score."""
    powers = (logits - logits.max()).exp()
    return powers / powers.sum(1, keepdim=True)


def over_the_clips(logits):
    """The probabilities of one class over all clips add up to 1: sum over the classes (dim=1), not over the clips (dim=0)."""
    return torch.softmax(logits, 0)


def over_everything(logits):
    """All clips together add up to 1: each row needs its own sum (dim=1, keepdim=True)."""
    powers = (logits - logits.max(1, keepdim=True).values).exp()
    return powers / powers.sum()


def not_divided(logits):
    """The powers do not add up to 1 yet: divide each row by its sum."""
    return (logits - logits.max(1, keepdim=True).values).exp()


def scores_divided(logits):
    """Scores divided by their sum may be negative: take exp() first, it makes every number positive."""
    return logits / logits.sum(1, keepdim=True)


def sigmoid(logits):
    """The sigmoid looks at every score alone: probabilities of a choice between classes have to add up to 1."""
    return torch.sigmoid(logits)


def logarithm(logits):
    """These are the logarithms of the probabilities."""
    return torch.log_softmax(logits, 1)


@exercise(
    reference=slow_softmax,
    wrong=[
        largest_not_subtracted,
        largest_of_the_batch,
        over_the_clips,
        over_everything,
        not_divided,
        scores_divided,
        sigmoid,
        logarithm,
    ],
)
def softmax(candidate, random):
    """softmax(logits float32 [N, K]) -> probabilities float32 [N, K], finite for scores of any size.

    Bound: float32 rounds each score difference d = score - largest (which exp turns into a relative error |d| u), the
    exponentials, K additions and the division; who goes by way of the logarithm of the sum rounds numbers as large as the
    scores. 2 (|d| + |score| + K) + 8 roundings of u = 2**-24 cover every usual order of these.
    """
    n, k = random.integers(4, 9, 2)
    ordinary = random.normal(0, 3, (n, k))
    levels = np.sort(random.uniform(-800, 800, (n, 1)), 0) + np.arange(n)[:, None] * 200  # rows at least 200 apart
    cases = {
        "ordinary scores": ordinary,
        "one clip": ordinary[:1],
        "scores around 1,000": ordinary + 1_000,
        "scores around -1,000": ordinary - 1_000,
        "rows at different levels": ordinary + levels,
        "scores that differ by thousands": ordinary * 2_000,
    }
    for case, numbers in cases.items():
        logits = torch.tensor(numbers, dtype=torch.float32)
        got = candidate(logits)
        expect_array(got, logits.shape, torch.float32, case)
        scores = logits.double()
        expected = slow_softmax(scores)
        below = scores.max(1, keepdim=True).values - scores  # |d|
        roundings = 2 * (below + scores.abs() + scores.shape[1]) + 8
        bound = roundings * UNIT * expected + 2.0**-126  # below 2**-126 float32 may give 0
        expect_close(got, expected, bound, case)


# ------------------------------------------------------------------------------------------------ to_int8


def slow_to_int8(x: Tensor, scale: float, zero_point: int) -> Tensor:
    """Real numbers, any shape, to int8, one number at a time: x / scale to the nearest integer, plus zero_point, saturated."""
    numbers = [min(127, max(-128, math.floor(v / scale + 0.5) + zero_point)) for v in x.flatten().tolist()]
    return torch.tensor(numbers, dtype=torch.int8).reshape(x.shape)


def truncated(x, scale, zero_point):
    """Turning a float into an integer cuts its digits off, up to a whole step: round to the nearest integer first."""
    return ((x / scale).to(torch.int32) + zero_point).clamp(-128, 127).to(torch.int8)


def truncated_at_the_end(x, scale, zero_point):
    """The digits were cut off in the last step, which moves numbers towards 0 by up to a whole step: round before .to(int8)."""
    return (x / scale + zero_point).clamp(-128, 127).to(torch.int8)


def rounded_down(x, scale, zero_point):
    """floor() goes down by up to a whole step: round to the nearest integer."""
    return ((x / scale).floor() + zero_point).clamp(-128, 127).to(torch.int8)


def wrapped_around(x, scale, zero_point):
    """What does not fit into int8 wraps around: a loud positive sample becomes a loud negative one. Clamp to -128..127 first."""
    return ((x / scale).round() + zero_point).to(torch.int32).to(torch.int8)


def clamped_too_early(x, scale, zero_point):
    """Clamped before the zero point was added: the sum leaves -128..127 again."""
    return ((x / scale).round().clamp(-128, 127).to(torch.int32) + zero_point).to(torch.int8)


def clamped_symmetrically(x, scale, zero_point):
    """int8 reaches down to -128, not only to -127."""
    return ((x / scale).round() + zero_point).clamp(-127, 127).to(torch.int8)


def zero_point_subtracted(x, scale, zero_point):
    """The zero point is the integer that stands for 0.0: it is added here, and subtracted on the way back."""
    return ((x / scale).round() - zero_point).clamp(-128, 127).to(torch.int8)


def zero_point_forgotten(x, scale, zero_point):
    """0.0 must become the zero point: it was not added."""
    return (x / scale).round().clamp(-128, 127).to(torch.int8)


def zero_point_off_by_one(x, scale, zero_point):
    """Everything is one step too high: 0.0 must become exactly the zero point."""
    return ((x / scale).round() + zero_point + 1).clamp(-128, 127).to(torch.int8)


def zero_point_in_real_units(x, scale, zero_point):
    """The zero point counts integer steps: add it after the division by the scale, not before."""
    return ((x + zero_point) / scale).round().clamp(-128, 127).to(torch.int8)


def multiplied(x, scale, zero_point):
    """The scale is the size of one step: divide by it to count steps."""
    return ((x * scale).round() + zero_point).clamp(-128, 127).to(torch.int8)


def unsigned(x, scale, zero_point):
    """0..255 is the range of uint8: int8 holds -128..127."""
    return ((x / scale).round() + zero_point).clamp(0, 255).to(torch.uint8)


@exercise(
    reference=slow_to_int8,
    wrong=[
        truncated,
        truncated_at_the_end,
        rounded_down,
        wrapped_around,
        clamped_too_early,
        clamped_symmetrically,
        zero_point_subtracted,
        zero_point_forgotten,
        zero_point_off_by_one,
        zero_point_in_real_units,
        multiplied,
        unsigned,
    ],
)
def to_int8(candidate, random):
    """to_int8(x float32 any shape, scale > 0, zero_point) -> int8 of the same shape.

    Bound: rounding to the nearest step is off by at most scale / 2 inside the range; float32 adds at most 2**-14 of a step
    there (a quotient up to 256, at most three roundings of 2**-24 of it). Half steps may go either way.
    """
    scale = float(random.uniform(0.001, 0.2))
    zero_point = int(random.integers(10, 100) * random.choice([-1, 1]))
    low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale  # what int8 can hold
    for case, shape in {"numbers that fit": (500,), "a feature map": (3, 1, 20, 10)}.items():
        x = torch.tensor(random.uniform(low, high, shape), dtype=torch.float32)
        got = candidate(x, scale, zero_point)
        expect_array(got, shape, torch.int8, case)
        back = (got.double() - zero_point) * scale
        x = x.double()
        worst = int((back - x).abs().argmax())
        value, error = float(x.flatten()[worst]), float((back - x).abs().max()) / scale
        expect(
            error <= 0.5 + 2.0**-14,
            f"{case}: x = {value:.6g}, scale = {scale:.6g}, zero_point = {zero_point}",
            f"{int(slow_to_int8(x.flatten()[worst : worst + 1], scale, zero_point))}, at most half a step from x",
            f"{int(got.flatten()[worst])}, {error:.2f} steps from x",
        )
    zeros = torch.zeros(4)
    expect_close(candidate(zeros, scale, zero_point), np.full(4, zero_point), 0.5, f"0.0 with zero_point = {zero_point}")
    for case, x, limit in (("numbers too large", high, 127), ("numbers too small", low, -128)):
        far = x + np.sign(limit) * scale * random.uniform(1, 2_000, 50)
        got = candidate(torch.tensor(far, dtype=torch.float32), scale, zero_point)
        expect_array(got, (50,), torch.int8, case)
        expect_close(got, np.full(50, limit), 0.5, f"{case}: scale = {scale:.6g}, zero_point = {zero_point}")
