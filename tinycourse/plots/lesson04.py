"""Pictures of lesson 04: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from tinycourse.search import records

TICKS = (500, 1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 20_000, 50_000)
STYLES = {"random": ("C1", ":"), "nsga2": ("C2", "--"), "tpe": ("C0", "-")}


def logarithmic(ax) -> None:
    """A logarithmic axis of weights, with plain numbers on it."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xticks([t for t in TICKS if low <= t <= high])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.minorticks_off()


def space(choices: dict[str, tuple], chosen: dict | None = None) -> Figure:
    """A row for each choice with all its values; those of `chosen` are filled."""
    fig, ax = plt.subplots(figsize=(9, 0.27 * len(choices) + 0.3))
    for y, (name, values) in enumerate(choices.items()):
        ax.text(-0.2, y, name.replace("_", " "), ha="right", va="center", fontsize=8)
        for i, value in enumerate(values):
            x, filled = 10 * (i + 0.5) / len(values), chosen is not None and chosen[name] == value
            said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            ax.text(x, y, said, ha="center", va="center", fontsize=7.5, color="white" if filled else "black",
                    bbox={"boxstyle": "round,pad=0.25", "fc": "C0" if filled else "0.94", "ec": "none"})  # fmt: skip
    ax.set(xlim=(-2, 10), ylim=(len(choices) - 0.4, -0.6))
    ax.axis("off")
    return fig


def cloud(rows: list[dict], rungs: tuple[tuple[int, int], ...], marks: dict[str, tuple[int, int]]) -> Figure:
    """Multiply-adds over parameters of all that was proposed: dots were trained, crosses turned away. Steps are the limits,
    stars the networks of `marks`."""
    fig, ax = plt.subplots(figsize=(7, 3.8))
    trained, refused = records.trained_rows({"rows": rows}), [r for r in rows if "error" not in r]
    for some, marker, colour, label in ((refused, "x", "0.6", "turned away untrained"), (trained, "o", "C0", "trained")):
        points = [(r["costs"]["parameters"], r["costs"]["multiply_adds"]) for r in some]
        if points:
            ax.plot(*zip(*points), marker, ms=3.5, color=colour, alpha=0.7, mew=0.8, label=f"{label} ({len(points)})")
    ax.set(xlabel="weights", ylabel="multiply-adds")
    logarithmic(ax)
    ax.set_yscale("log")
    edges = [ax.get_xlim()[0], *(r[0] for r in rungs)]
    ax.plot(np.repeat(edges, 2)[1:], [y for y in (*(r[1] for r in rungs), ax.get_ylim()[0]) for _ in (0, 1)][:-1], color="C1", lw=1.5)
    for name, point in marks.items():
        ax.plot(*point, "*", ms=10, color="C3", mec="black", mew=0.5)
        ax.annotate(name, point, xytext=(5, 4), textcoords="offset points", fontsize=8)
    ax.legend(loc="upper left", fontsize=8)
    return fig


def prices(counted: dict[str, int], errors: dict[str, float], multiply_adds: dict[str, int]) -> Figure:
    """Instructions that the emulator counted, over multiply-adds and over what the model foretells; a point for each network."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    y = np.array([counted[name] for name in counted]) / 1e6
    left.plot([multiply_adds[name] / 1e6 for name in counted], y, "o", ms=5, color="C1")
    left.set(xlabel="million multiply-adds", ylabel="million instructions counted", title="multiply-adds say little", xlim=(0, None))
    predicted = [y[i] * (1 + errors[name]) for i, name in enumerate(counted)]
    right.plot([0, y.max()], [0, y.max()], color="0.6", lw=1)
    right.plot(predicted, y, "o", ms=5, color="C0")
    right.set(xlabel="million instructions foretold, unseen", title="prices by kernel say it all", ylim=(0, None))
    return fig


def front(points: np.ndarray, best: np.ndarray, marks: dict[str, tuple[float, float]] | None = None, ax=None) -> Figure:
    """Error [N] over parameters [N] as points [N, 2] (error, parameters); `best` [N] says which lie on the front, joined by steps."""
    ax = ax or plt.subplots(figsize=(7, 3.6))[1]
    points, best = np.asarray(points, float).reshape(-1, 2), np.asarray(best, bool)
    ax.plot(points[~best, 1], points[~best, 0], "o", ms=3.5, color="0.65", mew=0, label="beaten")
    error, parameters = points[best][np.argsort(points[best, 1])].T
    ax.step(parameters, error, where="post", color="C0", lw=1)
    ax.plot(parameters, error, "D", ms=5, color="C0", label="on the front")
    for name, (y, x) in (marks or {}).items():
        ax.plot(x, y, "*", ms=11, color="C3", mec="black", mew=0.5)
        ax.annotate(name, (x, y), xytext=(6, 3), textcoords="offset points", fontsize=8)
    ax.set(xlabel="weights", ylabel="error")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    logarithmic(ax)
    ax.legend(loc="best", fontsize=8)  # upper right, unless a point lies there
    return ax.figure


def area(points: np.ndarray, reference: tuple[float, float]) -> Figure:
    """What the points [N, 2] (error, parameters) beat of the rectangle up to `reference`, shaded."""
    fig, ax = plt.subplots(figsize=(6, 3))
    order = np.asarray(points, float)[np.argsort(np.asarray(points)[:, 1])]
    lowest, right = np.minimum.accumulate(order[:, 0]), [*order[:, 1], reference[1]]
    ax.fill_between(right, [*lowest, lowest[-1]], reference[0], step="post", color="C0", alpha=0.25, lw=0)
    ax.plot(order[:, 1], order[:, 0], "D", ms=5, color="C0")
    ax.plot(reference[1], reference[0], "X", ms=9, color="C1")
    ax.annotate("reference", reference[::-1], xytext=(-6, -10), textcoords="offset points", ha="right", fontsize=8)
    ax.set(xlabel="weights", ylabel="error", xlim=(0, 1.04 * reference[1]), ylim=(0, 1.06 * reference[0]))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return fig


def growth(curves: dict[str, list[list[float]]]) -> Figure:
    """Hypervolume over the number of trainings, by sampler: the mean of its repeats as a line, their range as a band."""
    fig, ax = plt.subplots(figsize=(7, 3.2))
    for name, repeats in curves.items():
        runs = np.array([run[: min(map(len, repeats))] for run in repeats])  # [repeats, trainings]
        x, (colour, style) = np.arange(1, runs.shape[1] + 1), STYLES.get(name, ("C3", "-."))
        ax.fill_between(x, runs.min(0), runs.max(0), color=colour, alpha=0.15, lw=0)
        ax.plot(x, runs.mean(0), style, color=colour, lw=2, label=name)
    ax.set(xlabel="networks trained", ylabel="hypervolume")
    ax.legend(loc="lower right")
    return fig


def effects(table: dict[str, dict[str, float]], overall: float) -> Figure:
    """Mean error by choice and value, a row for each choice; the line is the mean of all."""
    fig, ax = plt.subplots(figsize=(9, 0.36 * len(table) + 0.7))
    ax.axvline(overall, color="0.6", lw=1, ls="--")
    for y, means in enumerate(table.values()):
        values = list(means.values())
        ax.plot([min(values), max(values)], [y, y], color="0.8", lw=3, zorder=0)
        ax.plot(values, [y] * len(values), "o", ms=5, color="C0")
        for value, ends in ((min(means, key=means.get), ("right", -5)), (max(means, key=means.get), ("left", 5))):
            ax.annotate(
                str(value), (means[value], y), xytext=(ends[1], 0), textcoords="offset points", ha=ends[0], va="center", fontsize=7.5
            )
    ax.set_yticks(range(len(table)), [name.replace("_", " ") for name in table], fontsize=8)
    ax.set(xlabel="mean error of the networks with this value (dashed: of all networks)", ylim=(len(table) - 0.5, -0.5))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.margins(x=0.12)
    return fig


def foretelling(short: list[float], long: list[float], correlations: dict[str, float]) -> Figure:
    """Left: error after the short training against the long one. Right: rank correlation of every sign with the long one."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(1, 1.1))
    left.plot(short, long, "o", ms=5, color="C0")
    left.set(xlabel="error, short training", ylabel="error, long training")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    names = list(correlations)
    right.barh(names, list(correlations.values()), color=["C0" if name == "short training" else "0.7" for name in names])
    right.axvline(0, color="black", lw=0.8)
    right.set(xlabel="rank correlation with accuracy after the long training", xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1))
    right.tick_params(axis="y", labelsize=8)
    right.invert_yaxis()
    return fig


def rivals(series: dict[str, dict[str, tuple[int, float]]]) -> Figure:
    """Accuracy over weights: a marker for each series, its points (weights, accuracy) named."""
    fig, ax = plt.subplots(figsize=(7.5, 4))
    looks = (("*", 13, "C3"), ("s", 6, "C0"), ("o", 6, "C2"), ("^", 6, "C1"))
    for (label, points), (marker, size, colour) in zip(series.items(), looks):
        if points:
            ax.plot(*zip(*points.values()), marker, ms=size, color=colour, mec="black", mew=0.5, label=label)
        for name, point in points.items():
            above = marker == "*"  # stars say their name above, so that close neighbours can say theirs below
            ax.annotate(name, point, xytext=(6, 6 if above else -9), textcoords="offset points", fontsize=7.5)
    ax.set(xlabel="weights", ylabel="accuracy on test clips")
    ax.set_xscale("log")
    ax.margins(0.15)
    logarithmic(ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.legend(loc="best", fontsize=8)
    return fig


def explored(points: np.ndarray, best: np.ndarray, here: int | None, layers: list[dict]) -> Figure:
    """The picture of the widget: points and front so far, `here` is the index of the open one, and beside it the costs of its layers."""
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), width_ratios=(1.5, 0.8, 0.8))
    front(points, best, ax=axes[0])
    if here is not None:
        axes[0].plot(points[here][1], points[here][0], "o", ms=13, mfc="none", mec="C1", mew=2)
    names = [row["layer"] for row in layers]
    for ax, (key, label, colour) in zip(axes[1:], (("parameters", "weights", "C0"), ("multiply_adds", "thousand multiply-adds", "C1"))):
        ax.barh(names, [row[key] / (1 if key == "parameters" else 1_000) for row in layers], color=colour)
        ax.set(xlabel=label)
        ax.invert_yaxis()
        ax.tick_params(axis="y", labelsize=7.5)
    axes[2].set_yticks([])
    return fig
