"""Observers: they see batches of one tensor and then name the range that the integers shall cover.

What comes out of a range is `affine.affine_parameters`, with a zero point of its own, or `affine.symmetric_parameters`.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.program.affine import affine_parameters, dequantize, quantize


def extremes(x: Tensor) -> tuple[float, float]:
    """Smallest and largest of a batch, of any shape. Raises TinycourseError where one number is infinite or none at all."""
    low, high = x.min().item(), x.max().item()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise TinycourseError("A tensor holds infinite numbers or nan, which have no range: give other recordings, or train again.")
    return low, high


class MinMax:
    """Everything seen, from the smallest to the largest: nothing saturates, but one outlier costs everybody resolution."""

    def __init__(self):
        self.low, self.high = np.inf, -np.inf

    def observe(self, x: Tensor) -> None:
        """Look at one batch, of any shape."""
        low, high = extremes(x)
        self.low, self.high = min(self.low, low), max(self.high, high)

    def range(self) -> tuple[float, float]:
        """(low, high)"""
        return self.low, self.high


class MovingAverage(MinMax):
    """Smallest and largest of each batch, averaged with weight `momentum` on the newest: one odd batch counts little."""

    def __init__(self, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum

    def observe(self, x: Tensor) -> None:
        """Look at one batch, of any shape."""
        low, high = extremes(x)
        first, m = self.low > self.high, self.momentum
        self.low = low if first else (1 - m) * self.low + m * low
        self.high = high if first else (1 - m) * self.high + m * high


class Histogram(MinMax):
    """Counts of everything seen, in `bins` equal bins from -limit to limit; where that is too narrow it doubles."""

    def __init__(self, bins: int = 4096):
        super().__init__()
        self.counts, self.limit = torch.zeros(bins, dtype=torch.float64), 0.0

    def observe(self, x: Tensor) -> None:
        """Look at one batch, of any shape."""
        super().observe(x)
        bins, largest = len(self.counts), max(-self.low, self.high)
        self.limit = self.limit or largest or 1.0
        while self.limit < largest:  # two old bins make a new one
            middle = self.counts.view(-1, 2).sum(1)
            self.counts = torch.cat([torch.zeros(bins // 4), middle, torch.zeros(bins // 4)])
            self.limit *= 2
        self.counts += torch.histc(x, bins, -self.limit, self.limit).cpu()

    def edges(self) -> np.ndarray:
        """Where the bins begin and end: [bins + 1]."""
        return np.linspace(-self.limit, self.limit, len(self.counts) + 1)


class Percentile(Histogram):
    """The range that leaves out at most `100 - percent` percent at either end; what is left out saturates."""

    def __init__(self, percent: float = 99.99):
        super().__init__()
        self.percent = percent

    def range(self) -> tuple[float, float]:
        """(low, high), to the width of a bin."""
        below, outside = np.cumsum(self.counts.numpy()), (1 - self.percent / 100) * self.counts.sum().item()
        first, last = np.searchsorted(below, [outside, below[-1] - outside])
        return max(self.low, self.edges()[first]), min(self.high, self.edges()[last + 1])


class MeanSquareError(Histogram):
    """Of 20 x 20 ranges between a twentieth and the whole of what was seen: the one with the least mean squared error."""

    def range(self) -> tuple[float, float]:
        """(low, high)"""
        edges, counts = self.edges(), self.counts.numpy()
        x = (edges[1:] + edges[:-1])[counts > 0] / 2
        counts, parts = counts[counts > 0], np.linspace(0.05, 1, 20)

        def error(bounds):
            parameters = affine_parameters(*bounds)
            return (counts * np.square(x - dequantize(quantize(x, *parameters), *parameters))).sum()

        lows, highs = np.unique(min(self.low, 0.0) * parts), np.unique(max(self.high, 0.0) * parts)[::-1]
        return min(itertools.product(lows, highs), key=error)


OBSERVERS = {"min-max": MinMax, "moving-average": MovingAverage, "percentile": Percentile, "mean-square-error": MeanSquareError}


def find_observer(observer: str | Callable[[], MinMax]) -> Callable[[], MinMax]:
    """What makes an observer, by its name in OBSERVERS; anything else is returned as it is. Raises TinycourseError for another name."""
    if isinstance(observer, str) and observer not in OBSERVERS:
        raise TinycourseError(f"There is no observer called '{observer}'; choose one of {', '.join(OBSERVERS)}.")
    return OBSERVERS[observer] if isinstance(observer, str) else observer
