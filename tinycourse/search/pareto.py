"""Comparing what has several prices: who is beaten by nobody, how much room the winners leave, and how well one order foretells another."""

import math

import numpy as np


def on_front(points: np.ndarray) -> np.ndarray:
    """Which points [N, objectives], all to be small, are beaten by no other: bool [N].

    Another one beats a point where it is nowhere larger and somewhere smaller; of equal points all stay.
    """
    points = np.asarray(points, np.float64)
    nowhere_larger = (points[None] <= points[:, None]).all(2)  # [N, N]: row i, by j
    somewhere_smaller = (points[None] < points[:, None]).any(2)
    return ~(nowhere_larger & somewhere_smaller).any(1)


def hypervolume(points: np.ndarray, reference: tuple[float, float]) -> float:
    """The area that points [N, 2] beat, of all that is smaller than `reference` in both objectives.

    Points that do not beat the reference count nothing. The sweep goes from small to large in the first objective.
    """
    area, height = 0.0, reference[1]
    for x, y in sorted(map(tuple, np.asarray(points, np.float64).reshape(-1, 2))):
        if x < reference[0] and y < height:
            area += (reference[0] - x) * (height - y)
            height = y
    return area


def net_score(accuracy: float, parameters: float, multiply_adds: float) -> float:
    """NetScore in decibels (TinySpeech, section 3.1): 20 log10(accuracy^2 / (sqrt(parameters) sqrt(multiply-adds))).

    `accuracy` in percent, the others as plain numbers; other units move all scores by the same amount.
    """
    return 20 * math.log10(accuracy**2 / math.sqrt(parameters * multiply_adds))


def ranks(values: np.ndarray) -> np.ndarray:
    """1 for the smallest; equal values share the mean of their ranks."""
    values = np.asarray(values, np.float64)
    return 0.5 * ((values[None] < values[:, None]).sum(1) + (values[None] <= values[:, None]).sum(1) + 1)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's: 1 where both order alike, -1 where one is the other backwards, near 0 where they know nothing of each other."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])
