"""Which network does figure 2 of the TinySpeech paper (arXiv 2008.04245) draw? Every reading of it, counted by formula.

The figure gives numbers of channels and leaves five things open. Each is one of two here, which makes 32 readings.
"""

from dataclasses import dataclass
from itertools import product

from tinycourse import published
from tinycourse.models.condenser import TINYSPEECH, TinySpeechConfig

CLASSES = 12  # of the paper
POSITIONS = 51 * 20  # of a map of 101 x 40 behind a stem that takes every second frame and band


PUBLISHED = {row.name[-1]: row for row in published.PUBLISHED if row.name.startswith("tinyspeech-")}  # by letter: x, y, z, m


@dataclass(frozen=True)
class Reading:
    """One way to read the figure. The first of each pair is False (or 1)."""

    kernel: int  # of the grouped convolution: 1 or 3
    halves: bool  # grouped into two halves; else into one group for each channel
    bias: bool  # every convolution and the classifier have one
    norm: bool  # scale and bias of the drawn batch norms are counted; M has none
    again: bool  # behind the expansion, a 1x1 convolution back to the channels of V


READINGS = [Reading(*choices) for choices in product((1, 3), (False, True), (False, True), (False, True), (False, True))]


def count(config: TinySpeechConfig, reading: Reading, norm: bool = True, classes: int = CLASSES) -> int:
    """Parameters of a network of the figure. `norm` says whether the figure draws batch norm in it."""
    channels, total = config.stem, 9 * config.stem + reading.bias * config.stem
    for a, b in (pair for block in config.blocks for pair in block):
        total += a * reading.kernel**2 * (channels // 2 if reading.halves else 1)  # grouped
        total += a * b + reading.bias * (a + b)  # pointwise
        total += reading.again * (b + reading.bias) * channels
        channels = channels if reading.again else b
        total += 2 * channels * (reading.norm and norm)
    return total + 9 * channels * config.last + config.last * classes + reading.bias * (config.last + classes)


def counts(reading: Reading) -> dict[str, int]:
    """Parameters of X, Y, Z and M by their letters."""
    return {letter: count(TINYSPEECH[letter], reading, norm=letter != "m") for letter in PUBLISHED}


def misses(reading: Reading) -> dict[str, float]:
    """How far each count is from the published one, as a share of that: 0.01 is one hundredth too many."""
    return {letter: parameters / PUBLISHED[letter].parameters - 1 for letter, parameters in counts(reading).items()}


def worst(reading: Reading) -> float:
    """The largest of the four misses, whatever its sign."""
    return max(abs(miss) for miss in misses(reading).values())
