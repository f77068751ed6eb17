"""Pictures of lesson 07: every function takes data, draws one figure and returns it. Nothing here computes a result."""

from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter, StrMethodFormatter
from torch import Tensor

STYLES = ("o-", "s--", "D:", "^-.", "v-", "x--")
KEPT, GONE, CAME_BACK = "C0", "0.9", "C3"  # colours of a mask


def histogram(weights: dict[str, Tensor], threshold: dict[str, float]) -> Figure:
    """How large the weights of some layers are; what lies between the dashed lines is the smaller half."""
    fig, axes = plt.subplots(1, len(weights), figsize=(3.2 * len(weights), 2.3), sharey=True, squeeze=False)
    for ax, (name, w) in zip(axes[0], weights.items()):
        ax.hist(np.asarray(w).ravel(), bins=60, density=True, color="C0")
        for side in (-1, 1):
            ax.axvline(side * threshold[name], color="black", ls="--", lw=1)
        ax.set(xlabel="weight", title=name, yticks=[])
        ax.title.set_fontsize(9)
    return fig


def curves(lines: dict[str, list[tuple[float, float]]], ylabel: str, chance: float | None = None) -> Figure:
    """A line of (sparsity, value) for each name; `value` is a share."""
    fig, ax = plt.subplots(figsize=(6.5, 2.9))
    for (name, points), style in zip(lines.items(), STYLES):
        ax.plot(*zip(*points), style, ms=4, label=name)
    if chance is not None:
        ax.axhline(chance, color="0.5", lw=0.8, ls=":")
        ax.text(0.0, chance, "chance ", fontsize=7, va="bottom")
    ax.set(xlabel="sparsity", ylabel=ylabel, xticks=sorted({sparsity for points in lines.values() for sparsity, _ in points}))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(fontsize=8)
    return fig


def schedule(wanted: dict[str, list[float]], drawn: list[int]) -> Figure:
    """Sparsity over the steps of a training, a line for each schedule; ticks below where masks are drawn."""
    fig, ax = plt.subplots(figsize=(6.5, 2.6))
    for (name, values), style in zip(wanted.items(), ("-", "--", ":")):
        ax.plot(values, style, label=name)
    ax.plot(drawn, [-0.03] * len(drawn), "|", color="black", ms=6, label="masks are drawn")
    ax.set(xlabel="step", ylabel="sparsity")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(fontsize=8, loc="center right")
    return fig


def comings_and_goings(masks: dict[int, Tensor], rows: int) -> dict[int, np.ndarray]:
    """The first `rows` outputs of masks [outputs, inputs] at several steps, as 0 gone, 1 kept, 2 back: gone at an earlier step."""
    states, gone = {}, False
    for step, mask in masks.items():
        now = np.asarray(mask)[:rows].astype(int)
        states[step] = now + (now.astype(bool) & gone)
        gone = gone | (now == 0)
    return states


def show_states(ax, step: int, states: np.ndarray) -> None:
    """One moment of `comings_and_goings`, with its counts in words."""
    ax.imshow(states, cmap=ListedColormap([GONE, KEPT, CAME_BACK]), vmin=0, vmax=2, interpolation="nearest")
    ax.set_title(f"step {step}: {(states == 0).mean():.0%} gone, {(states == 2).sum()} back", fontsize=8)
    ax.set(xticks=[], yticks=[])


def evolving(masks: dict[int, Tensor], rows: int = 32) -> Figure:
    """A mask [outputs, inputs] at several steps, in two rows: kept, gone, and what is back; the first `rows` outputs."""
    fig, axes = plt.subplots(2, (len(masks) + 1) // 2, figsize=(9, 3.8))
    for ax, (step, states) in zip(axes.flat, comings_and_goings(masks, rows).items()):
        show_states(ax, step, states)
    for ax in axes.flat[len(masks) :]:
        ax.axis("off")
    fig.supxlabel("inputs", fontsize=8)
    fig.supylabel("outputs", fontsize=8)
    return fig


def moment(masks: dict[int, Tensor], step: int, rows: int = 64) -> Figure:
    """One frame of the film of a mask: the mask at `step`, and beside it how many weights were gone, and how many back, until then."""
    states = comings_and_goings(masks, rows)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
    show_states(left, step, states[step])
    left.set(xlabel="inputs", ylabel="outputs")
    steps = [s for s in states if s <= step]
    for state, name, color, style in ((0, "gone", "0.5", "o-"), (2, "back", CAME_BACK, "s--")):
        right.plot(steps, [(states[s] == state).mean() for s in steps], style, color=color, ms=3, label=name)
    right.set(xlim=(-0.03 * max(states), 1.03 * max(states)), ylim=(-0.03, 1.03), xlabel="step", ylabel="share of the weights")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.legend(fontsize=8, loc="center left")
    return fig


def masks(masks: dict[str, Tensor], rows: int = 64) -> Figure:
    """Masks [outputs, inputs] side by side: dark where a weight stays."""
    fig, axes = plt.subplots(1, len(masks), figsize=(3 * len(masks), 3.1), squeeze=False)
    for ax, (name, mask) in zip(axes[0], masks.items()):
        ax.imshow(np.asarray(mask)[:rows], cmap=ListedColormap([GONE, KEPT]), vmin=0, vmax=1, interpolation="nearest")
        ax.set(title=name, xlabel="inputs", xticks=[], yticks=[])
        ax.title.set_fontsize(9)
    axes[0][0].set_ylabel("outputs")
    return fig


def shares(by_scope: dict[str, dict[str, float]]) -> Figure:
    """How sparse every weight becomes, a group of bars for each weight and a bar for each way to share out one budget."""
    names = list(next(iter(by_scope.values())))
    fig, ax = plt.subplots(figsize=(8.5, 2.8))
    width = 0.8 / len(by_scope)
    for i, ((scope, values), hatch) in enumerate(zip(by_scope.items(), ("", "//", ".."))):
        places = np.arange(len(names)) + (i - (len(by_scope) - 1) / 2) * width
        ax.bar(places, [values[n] for n in names], width, label=scope, hatch=hatch, edgecolor="white")
    ax.set_xticks(range(len(names)), names, fontsize=7, rotation=20)
    ax.set(ylabel="sparsity", ylim=(0, 1))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(fontsize=8, ncols=len(by_scope), loc="upper center", bbox_to_anchor=(0.5, 1.2))
    return fig


def speed(ratios: dict[str, dict[float, float]]) -> Figure:
    """Time of a product over that of torch's float product, a line for each kind over the sparsity."""
    fig, ax = plt.subplots(figsize=(6.5, 2.9))
    for (kind, values), style in zip(ratios.items(), STYLES):
        ax.plot(list(values), list(values.values()), style, ms=5, label=kind)
    ax.axhline(1, color="0.5", lw=0.8, ls=":")
    ax.set(xlabel="sparsity", ylabel="time / time of torch's float", ylim=(0, None))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(fontsize=8)
    return fig


def measured(rows: list[dict], models: list[str], ways: tuple[str, ...]) -> Figure:
    """Error against sparsity of measured rows: a panel for each model, a line for each way, a dot for each seed."""
    fig, axes = plt.subplots(1, len(models), figsize=(4.5 * len(models), 3.1), squeeze=False)
    for ax, model in zip(axes[0], models):
        dense = [r["error"] for r in rows if r["model"] == model and r["way"] == "dense"]
        ax.axhline(mean(dense), color="black", lw=1, label="dense, trained on as long")
        for way, style in zip(ways, STYLES):
            mine = [r for r in rows if r["model"] == model and r["way"] == way]
            asked = sorted({r["asked"] for r in mine})
            points = [(s, mean(r["error"] for r in mine if r["asked"] == s)) for s in asked]
            line = ax.plot(*zip(*points), style, ms=4, label=way)[0]
            ax.plot([r["asked"] for r in mine], [r["error"] for r in mine], ".", ms=3, color=line.get_color())
        ax.set(title=model, xlabel="sparsity", ylabel="error")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0][0].legend(fontsize=7)
    return fig


def by_size(rows: list[dict]) -> Figure:
    """Error against the weights that are left in measured rows of transducers: a line for each model and way, a dot for each seed."""
    fig, ax = plt.subplots(figsize=(6.5, 3.6))
    pruned = dict.fromkeys((row["model"], row["way"]) for row in rows if row["asked"])
    only_dense = dict.fromkeys((row["model"], "dense") for row in rows if row["model"] not in {model for model, _ in pruned})
    for (model, way), style in zip([*pruned, *only_dense], STYLES):
        mine = [row for row in rows if row["model"] == model and row["way"] in (way, "dense")]
        seeds = [[row for row in mine if row["asked"] == asked] for asked in sorted({row["asked"] for row in mine})]
        means = [[mean(row[k] for row in same) for same in seeds] for k in ("parameters", "error")]
        line = ax.plot(*means, style, ms=5, label=f"{model}, {way}")[0]
        ax.plot([row["parameters"] for row in mine], [row["error"] for row in mine], ".", ms=3, color=line.get_color())
    ax.set(xscale="log", xlabel="weights that are left", ylabel="digits that are wrong")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 4, 6)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(fontsize=7)
    return fig
