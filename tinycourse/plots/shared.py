"""Pictures that several lessons share: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from tinycourse.training.metrics import Report

STAGES = (  # of the path that speech takes through the course: name, what it is there, lesson
    ("recording", "16,000 samples", "00"),
    ("features", "101 x 40 map", "01"),
    ("network", "condensers", "02, 03"),
    ("design", "by search", "04"),
    ("transducer", "words in a stream", "05, 06"),
    ("pruned", "fewer weights", "07"),
    ("integers", "8 bits", "08"),
    ("chip", "plain C", "09, 10"),
)


def path(here: str | None = None) -> Figure:
    """The course as one line of boxes; the stages of lesson `here` are filled. Text alternative: STAGES in order."""
    fig, ax = plt.subplots(figsize=(9.5, 1.5))
    for i, (name, what, lessons) in enumerate(STAGES):
        filled = here is None or here == "00" or here in lessons
        ax.text(i, 0, name, ha="center", va="center", weight="bold", fontsize=9, color="white" if filled else "black",
                bbox={"boxstyle": "round,pad=0.5", "fc": "C0" if filled else "white", "ec": "C0"})  # fmt: skip
        ax.text(i, -0.75, what, ha="center", va="center", fontsize=7.5)
        ax.text(i, 0.75, f"{'lessons' if ',' in lessons else 'lesson'} {lessons}", ha="center", va="center", fontsize=7.5, color="0.35")
        if i:
            ax.annotate("", (i - 0.4, 0), (i - 0.6, 0), arrowprops={"arrowstyle": "-|>", "color": "0.35"})
    ax.set(xlim=(-0.55, len(STAGES) - 0.45), ylim=(-1.1, 1.1))
    ax.axis("off")
    return fig


def waveform(samples: Tensor | np.ndarray, rate: int = 16_000, title: str = "", ax=None) -> Figure:
    """Air pressure against time. samples [T] in -1..1."""
    ax = ax or plt.subplots(figsize=(7, 2))[1]
    ax.plot(np.arange(len(samples)) / rate, samples, lw=0.5)
    ax.set(xlabel="time (s)", ylabel="amplitude", title=title, xlim=(0, len(samples) / rate))
    return ax.figure


def feature_map(x: Tensor | np.ndarray, bands: str = "mel band", title: str = "", ax=None, frame: float = 0.01) -> Figure:
    """Features [frames, bands] as a picture, time to the right, low bands at the bottom. `frame` is the seconds between frames."""
    ax = ax or plt.subplots(figsize=(7, 2.4))[1]
    image = ax.imshow(np.asarray(x).T, origin="lower", aspect="auto", extent=(0, len(x) * frame, 0, x.shape[1]))
    ax.figure.colorbar(image, ax=ax, pad=0.01)
    ax.set(xlabel="time (s)", ylabel=bands, title=title)
    return ax.figure


def scores(scores: dict[str, float], truth: str | None = None, title: str = "", ax=None) -> Figure:
    """One bar for each class, the best one hatched and labelled; the true class, if known, is marked with a star."""
    ax = ax or plt.subplots(figsize=(5, 2.6))[1]
    names, values = list(scores), list(scores.values())
    bars = ax.barh([n + (" *" if n == truth else "") for n in names], values, color="C4")
    best = int(np.argmax(values))
    bars[best].set(color="C0", hatch="///", edgecolor="white")
    ax.annotate(f" {values[best]:.0%}", (values[best], best), va="center")
    ax.set(xlim=(0, 1.15), xlabel="score", title=title)
    ax.tick_params(axis="y", labelsize=8)
    ax.invert_yaxis()
    return ax.figure


def confusion(report: Report, title: str = "") -> Figure:
    """Rows are the true words, columns what was recognised; each row in percent."""
    share = report.confusion.numpy() / np.maximum(report.confusion.sum(1, keepdim=True).numpy(), 1)
    fig, ax = plt.subplots(figsize=(5.6, 4.6))
    ax.imshow(share, vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(share):
        if value >= 0.005:
            ax.text(j, i, f"{value:.0%}"[:-1], ha="center", va="center", fontsize=8, color="black" if value > 0.6 else "white")
    ticks = range(len(report.classes))
    ax.set_xticks(ticks, report.classes, rotation=45, ha="right")
    ax.set_yticks(ticks, report.classes)
    ax.set(xlabel="recognised (percent of the row)", ylabel="spoken", title=title)
    return fig


def layer_costs(layers: list[dict], keys: tuple[tuple[str, str], ...], unit: int = 1) -> Figure:
    """Horizontal bars, one row for each `layer`; one panel for each (key, label), in units of `unit`."""
    fig, axes = plt.subplots(1, len(keys), figsize=(9, 0.26 * len(layers) + 1), sharey=True, squeeze=False)
    for i, (ax, (key, label)) in enumerate(zip(axes[0], keys)):
        ax.barh([row["layer"] for row in layers], [(row[key] or 0) / unit for row in layers], color=f"C{i}")
        ax.set(xlabel=label)
    axes[0][0].invert_yaxis()
    return fig
