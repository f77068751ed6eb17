"""What others report about small keyword spotters: twelve classes of Speech Commands, each figure from the paper that is named.

Version 1 or 2 of the data set, and the way of counting, differ from paper to paper: the figures show where the field stands, and
do not decide between neighbours.
"""

from typing import NamedTuple

import torch

from tinycourse.models import design
from tinycourse.training import checkpoint, profiling

WONG = "Wong et al. 2020, arXiv 2008.04245, table 1"
TANG = "Tang and Lin 2018, arXiv 1710.10361, table 2"
KIM = "Kim et al. 2021, arXiv 2106.04140"
SPARKNET = "arXiv 2406.06634"


class Published(NamedTuple):
    """A line of a paper's table: accuracy in percent, parameters and multiply-adds of one second, bits of a weight."""

    name: str
    accuracy: float
    parameters: float
    multiply_adds: float
    bits: int
    source: str


PUBLISHED = (
    Published("trad-fpool13", 90.5, 1_370e3, 125e6, 32, WONG),
    Published("tpool2", 91.7, 1_090e3, 103e6, 32, WONG),
    Published("one-stride1", 77.9, 954e3, 5.76e6, 32, TANG),
    Published("tdnn", 94.2, 251e3, 25.1e6, 32, WONG),
    Published("res8", 94.1, 110e3, 30e6, 32, TANG),
    Published("res8-narrow", 90.1, 19.9e3, 5.65e6, 32, TANG),
    Published("res15-narrow", 94.0, 42.6e3, 160e6, 32, WONG),
    Published("PONAS-kws2", 94.3, 131e3, 168e6, 32, WONG),
    Published("ds-cnn-s", 93.4, 23.8e3, 2.66e6, 8, "MLPerf Tiny, Banbury et al. 2021, arXiv 2106.07597"),
    Published("tc-resnet8", 96.1, 66e3, 1.5e6, 32, "Choi et al. 2019, arXiv 1904.03814, table 1, half of its operations"),
    Published("tinyspeech-x", 94.6, 10.8e3, 10.9e6, 8, WONG),
    Published("tinyspeech-y", 93.6, 6.1e3, 6.5e6, 8, WONG),
    Published("tinyspeech-z", 92.4, 2.7e3, 2.6e6, 8, WONG),
    Published("tinyspeech-m", 91.9, 4.7e3, 4.4e6, 8, WONG),
    Published("bc-resnet-0.625", 95.2, 4.6e3, 1.9e6, 32, KIM),
    Published("bc-resnet-1", 96.6, 9.2e3, 3.1e6, 32, KIM),
    Published("bc-resnet-2", 97.8, 27e3, 8.5e6, 32, KIM),
    Published("bc-resnet-3", 98.2, 54e3, 16.2e6, 32, KIM),
    Published("bc-resnet-8", 98.7, 321e3, 89e6, 32, KIM),
    Published("SparkNet-8", 91.6, 2.3e3, 0.19e6, 32, SPARKNET),
    Published("SparkNet-16", 95.3, 4.6e3, 0.45e6, 32, SPARKNET),
)


def ours() -> list[tuple[str, float, int, int]]:
    """What the shipped checkpoints reached on the testing part of Speech Commands, as their headers say, and what each costs.

    A row for each that people designed: (name, accuracy in percent, parameters, multiply-adds), parameters counted as the network's
    own paper does.
    """
    rows = []
    for name in sorted(checkpoint.shipped().keys() - design.found().keys()):
        recogniser = checkpoint.load(name)
        cost = profiling.profile(recogniser.network, torch.zeros(1, *recogniser.frontend.config.shape))
        rows.append((name, 100 * recogniser.info["testing"]["accuracy"], cost.parameters, cost.multiply_adds))
    return rows


def table(rows: list[tuple[str, float, int, int]]) -> str:
    """What `ours` gives beside what was published, a line for each network."""
    lines = [f"{'':18}{'accuracy (%)':>16}{'parameters':>22}{'multiply-adds':>26}"]
    lines += [f"{'':18}{'paper':>9}{'ours':>7}{'paper':>11}{'ours':>11}{'paper':>13}{'ours':>13}"]
    by_name = {p.name: p for p in PUBLISHED}
    for name, accuracy, parameters, multiply_adds in rows:
        p = by_name.get(name)
        said = (f"{p.accuracy:.1f}", f"{p.parameters:,.0f}", f"{p.multiply_adds:,.0f}") if p else ("-", "-", "-")
        lines.append(f"{name:18}{said[0]:>9}{accuracy:7.1f}{said[1]:>11}{parameters:11,}{said[2]:>13}{multiply_adds:13,}")
    return "\n".join(lines)
