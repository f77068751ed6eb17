"""Pictures of lesson 03: every function takes data, draws one figure and returns it. Nothing here computes a result."""

from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor

from tinycourse.plots import shared

STEPS = {  # of a condenser: what each map is
    "V": "what comes in",
    "Q": "condensed",
    "K": "embedded",
    "A": "expanded",
    "V'": "what goes on",
}


def picture(ax, x: Tensor, limits: tuple[float, float] | None = None) -> None:
    """One channel [frames, bands] as rectangles without axes, time to the right, low bands at the bottom."""
    low, high = limits or (None, None)
    ax.imshow(np.asarray(x).T, origin="lower", aspect="auto", interpolation="nearest", vmin=low, vmax=high)
    ax.set(xticks=[], yticks=[])


def said(name: str, x: Tensor) -> str:
    """The step and the size of its map [C, H, W], in words."""
    return f"{name}: {STEPS[name]}\n{x.shape[0]} x {x.shape[1]} x {x.shape[2]}"


def steps(maps: dict[str, Tensor], channels: tuple[int, ...]) -> Figure:
    """The maps of a condenser by step, each [C, H, W]: a row for each step, a column for each of `channels`."""
    fig, axes = plt.subplots(len(maps), len(channels), figsize=(8.5, 1.05 * len(maps)), squeeze=False)
    for row, (name, x) in zip(axes, maps.items()):
        for ax, channel in zip(row, channels):
            picture(ax, x[channel])
        row[0].set_ylabel(said(name, x), rotation=0, ha="right", va="center", fontsize=8)
    for ax, channel in zip(axes[0], channels):
        ax.set_title(f"channel {channel}", fontsize=9)
    return fig


def condensed(maps: dict[str, Tensor], channel: int, scores: dict[str, float], truth: str) -> Figure:
    """One channel of every step from left to right, and the scores of the recogniser: the picture of the widget."""
    fig, axes = plt.subplots(1, len(maps) + 1, figsize=(11, 2.6), width_ratios=[1] * len(maps) + [1.5])
    for ax, (name, x) in zip(axes, maps.items()):
        picture(ax, x[channel % len(x)])
        ax.set_title(said(name, x), fontsize=8)
    shared.scores(scores, truth, ax=axes[-1])
    return fig


def limit(strengths: list[float], distances: dict[str, list[float]]) -> Figure:
    """How far V' is from A for each strength of S, a line for each form of F."""
    fig, ax = plt.subplots(figsize=(6, 2.8))
    for (form, values), style, marker in zip(distances.items(), ("-", "--", ":"), "osD"):
        ax.plot(strengths, values, style, marker=marker, ms=4, label=form)
    ax.set(xlabel="S", ylabel="largest |V' - A|", ylim=(0, None))
    ax.invert_xaxis()
    ax.legend()
    return fig


def readings(ratios: dict[str, list[float]], marked: str | None = None) -> Figure:
    """Every reading of the paper's figure as a line over the networks: its count over the published one. `marked` stands out."""
    fig, ax = plt.subplots(figsize=(7, 3.8))
    ticks = range(4)
    for name, values in ratios.items():
        if name != marked:
            ax.plot(ticks, values, color="0.65", lw=0.8, marker="o", ms=2.5)
    ax.axhline(1, color="black", lw=1, ls="--")
    ax.annotate(" published", (3, 1), va="top", xytext=(2, -3), textcoords="offset points", fontsize=8)
    if marked is not None:
        ax.plot(ticks, ratios[marked], color="C0", lw=2.5, marker="o", label=marked)
        ax.legend(loc="upper right")
    ax.set(yscale="log", ylabel="count / published count", xlim=(-0.2, 3.6))
    ax.set_yticks([1, 1.25, 1.5, 2, 3, 4], ["1", "1.25", "1.5", "2", "3", "4"])
    ax.minorticks_off()
    ax.set_xticks(ticks, [f"TinySpeech-{letter}" for letter in "XYZM"])
    return fig


def reaches(maps: dict[str, Tensor], place: tuple[int, int]) -> Figure:
    """Which inputs an output depends on, maps [frames, bands] by name; `place` is that of the output."""
    fig, axes = plt.subplots(1, len(maps), figsize=(9, 2.2), sharey=True)
    for ax, (name, x) in zip(axes, maps.items()):
        x = np.asarray(x)
        shown = np.ma.masked_equal(x / x.max(), 0)  # what is never seen stays white
        ax.imshow(shown.T, origin="lower", aspect="auto", interpolation="nearest", norm="log")
        ax.plot(*place, marker="x", color="C5", ms=8, mew=2)
        ax.set(title=name, xlabel="frame of the map")
        ax.spines[["top", "right"]].set_visible(True)
    axes[0].set_ylabel("band")
    return fig


def seeds(accuracies: dict[str, list[float]], choices: dict[str, str], label: str = "accuracy on validation clips") -> Figure:
    """A row for each variant: a dot for each seed, a line at the mean; the dashed line is the mean of the first variant.

    choices: what each variant changes; rows of the same choice share a colour and stand together.
    """
    fig, ax = plt.subplots(figsize=(8.5, 0.3 * len(accuracies) + 1))
    order = list(dict.fromkeys(choices[name] for name in accuracies))
    first = mean(next(iter(accuracies.values())))
    ax.axvline(first, color="0.4", lw=0.8, ls="--")
    for y, (name, values) in enumerate(accuracies.items()):
        colour = f"C{order.index(choices[name]) % 6}"
        ax.plot(values, [y] * len(values), "o", ms=5, color=colour, alpha=0.75, mew=0)
        ax.plot([mean(values)] * 2, [y - 0.35, y + 0.35], color=colour, lw=2)
    labels = [f"{choices[name]}  |  {name}" if i else name for i, name in enumerate(accuracies)]
    ax.set_yticks(range(len(accuracies)), labels, fontsize=8)
    ax.set(xlabel=label, ylim=(len(accuracies) - 0.4, -0.6))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return fig


def against_paper(paper: dict[str, tuple[int, float]], ours: dict[str, tuple[int, float]]) -> Figure:
    """Accuracy over parameters, both by letter: circles for the paper, filled squares for ours."""
    fig, ax = plt.subplots(figsize=(6, 3))
    for points, marker, face, label in ((paper, "o", "none", "paper, 12 classes"), (ours, "s", "C0", "here, 10 classes")):
        xs, ys = zip(*points.values()) if points else ((), ())
        ax.plot(xs, ys, marker, mfc=face, color="C0" if face != "none" else "black", label=label)
        for letter, (x, y) in points.items():
            side = (-14, 3) if face == "none" else (6, 3)
            ax.annotate(letter.upper(), (x, y), xytext=side, textcoords="offset points", fontsize=8)
    ax.set(xlabel="weights", ylabel="accuracy on test clips")
    ax.margins(0.1)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.legend(loc="lower right")
    return fig
