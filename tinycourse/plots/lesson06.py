"""Pictures of lesson 06: every function takes data, draws one figure and returns it. Nothing here computes a result."""

from collections.abc import Sequence
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

SHARES = plt.get_cmap("cividis", 16)  # of gates, 0..1: few colours for small files
SIGNED = plt.get_cmap("RdBu", 15).reversed()
MEANING = {  # of a gate or a state: what it says, and its range
    "g": ("new value", True),
    "i": ("let in", False),
    "f": ("kept", False),
    "c": ("cell", True),
    "o": ("let out", False),
    "r": ("let out", False),
    "n": ("past the cell", True),
    "h": ("output", True),
}
PARTS = {"input": "C0", "recurrent": "C1", "projection": "C2", "bias": "0.4"}


def gates(maps: dict[str, Tensor], seconds: float, spoken: Sequence[tuple[float, float, str]] = ()) -> Figure:
    """Gates and states by name, each [T, units], time to the right; above, when words (begin, end, word) were spoken, in seconds."""
    fig, axes = plt.subplots(len(maps), 1, figsize=(8, 1.05 * len(maps) + 0.6), sharex=True)
    for ax, (name, x) in zip(axes, maps.items()):
        what, signed = MEANING[name]
        values = np.asarray(x).T
        most = np.quantile(abs(values), 0.99) if signed else 1
        look = {"cmap": SIGNED, "vmin": -most, "vmax": most} if signed else {"cmap": SHARES, "vmin": 0, "vmax": 1}
        image = ax.imshow(values, origin="lower", aspect="auto", extent=(0, seconds, 0, len(values)), interpolation="nearest", **look)
        fig.colorbar(image, ax=ax, pad=0.01)
        ax.set(yticks=[])
        ax.set_ylabel(f"{name}: {what}", rotation=0, ha="right", va="center", fontsize=9)
    for begin, end, word in spoken:
        axes[0].plot([begin, end], [len(values) * 1.06] * 2, color="black", lw=3, clip_on=False)
        axes[0].text((begin + end) / 2, len(values) * 1.13, word, ha="center", va="bottom", fontsize=9)
    axes[-1].set(xlabel="time (s)", xlim=(0, seconds))
    return fig


def memory(curves: dict[str, Tensor], frames: str = "frames") -> Figure:
    """What is left of a value over time, a line for each name."""
    fig, ax = plt.subplots(figsize=(6, 2.6))
    for (name, values), style in zip(curves.items(), ("-", "--", ":", "-.")):
        ax.plot(np.asarray(values), style, label=name)
    ax.axhline(0.5, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel=frames, ylabel="left of the value", ylim=(0, 1.05), xlim=(0, None))
    ax.legend()
    return fig


def half_lives(layers: dict[str, Tensor], frame: float) -> Figure:
    """Histograms of half-lives, in frames, of the units of each layer, on a logarithmic axis; `frame` seconds from one to the next."""
    fig, axes = plt.subplots(len(layers), 1, figsize=(6.4, 1.3 * len(layers) + 0.5), sharex=True, squeeze=False)
    edges = np.geomspace(0.1, 100, 31)
    for i, (ax, (name, values)) in enumerate(zip(axes[:, 0], layers.items())):
        ax.hist(np.clip(np.asarray(values) * frame * 10, edges[0], edges[-1]), bins=edges, color=f"C{i}")
        ax.set(ylabel="units", title=name, xscale="log")
    axes[-1, 0].xaxis.set_major_formatter(lambda value, _: f"{value / 10:g}")
    axes[-1, 0].set(xlabel="seconds after which half is forgotten")
    return fig


def coupling(kept: Tensor, let_in: Tensor) -> Figure:
    """How often an LSTM keeps and lets in which shares [N] each; on the dashed line it does as CIFG must."""
    fig, ax = plt.subplots(figsize=(4.6, 3.3))
    counts, _, _ = np.histogram2d(np.asarray(kept), np.asarray(let_in), bins=24, range=((0, 1), (0, 1)))
    image = ax.imshow(np.log1p(counts).T, origin="lower", extent=(0, 1, 0, 1), cmap=plt.get_cmap("Blues", 12), interpolation="nearest")
    ax.plot([0, 1], [1, 0], "--", color="#D55E00", lw=1.5, label="i = 1 - f")
    ax.set(xlabel="kept, f", ylabel="let in, i")
    fig.colorbar(image, ticks=[], label="seldom to often (logarithm)")
    ax.legend(loc="upper right", fontsize=8)
    return fig


def costs(layers: dict[str, dict[str, int]], unit: int = 1_000, label: str = "thousand weights") -> Figure:
    """Weights of each layer by matrix, as stacked bars."""
    fig, ax = plt.subplots(figsize=(6.8, 0.42 * len(layers) + 1.1))
    left = np.zeros(len(layers))
    for part, colour in PARTS.items():
        values = np.array([counts[part] for counts in layers.values()]) / unit
        ax.barh(list(layers), values, left=left, color=colour, ec="white", label=part)
        left += values
    for at, total in enumerate(left):
        ax.text(total, at, f" {total:,.0f}", va="center", fontsize=9)
    ax.set(xlabel=label, xlim=(0, 1.12 * max(left)))
    ax.invert_yaxis()
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def scan(rounds: Sequence[Sequence[tuple[int, int]]]) -> Figure:
    """Which frames the value of each frame holds, (first, last), after each round: one panel a round."""
    fig, axes = plt.subplots(1, len(rounds), figsize=(1.9 * len(rounds), 2.4), sharey=True)
    for number, (ax, spans) in enumerate(zip(axes, rounds)):
        held = np.zeros((len(spans), len(spans)))
        for t, (first, last) in enumerate(spans):
            held[t, first : last + 1] = 1
        ax.imshow(held, cmap=plt.get_cmap("Blues", 3), vmin=0, vmax=1.5, interpolation="nearest")
        ax.set(xticks=[], yticks=[], title="at first" if not number else f"round {number}", xlabel="frames held")
    axes[0].set_ylabel("value of frame")
    return fig


def results(pairs: dict[str, list[float]], label: str = "wrong digits") -> Figure:
    """Error rates by pair: an open dot for each seed, a bar at their mean; the first pair's mean goes through as a dashed line."""
    fig, ax = plt.subplots(figsize=(6.6, 0.36 * len(pairs) + 0.9))
    for at, values in enumerate(pairs.values()):
        ax.plot([mean(values)] * 2, [at - 0.25, at + 0.25], color="C0", lw=3)
        ax.plot(values, [at] * len(values), "o", mfc="none", color="black", ms=5)
    ax.axvline(mean(next(iter(pairs.values()))), color="0.6", ls="--", lw=1, zorder=0)
    ax.set_yticks(range(len(pairs)), list(pairs))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    ax.set(xlabel=label, xlim=(0, None))
    ax.invert_yaxis()
    return fig


def held(new: Tensor, keep: Tensor, cells: dict[str, Tensor]) -> Figure:
    """One unit whose gates are held by hand: new values and shares kept [T] above, its cell [T] below, a line for each kind."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 3.6), sharex=True)
    time = np.arange(len(new))
    top.bar(time, np.asarray(new), color="C1", label="new value, g")
    top.step(time, np.asarray(keep), where="mid", color="C0", label="kept, f")
    top.set(ylim=(-1.1, 1.1))
    for (kind, values), style in zip(cells.items(), ("-", "--", ":")):
        bottom.plot(time, np.asarray(values), style, lw=2, label=kind)
    bottom.axhline(0, color="0.8", lw=0.8, zorder=0)
    bottom.set(xlabel="frame", ylabel="cell, c")
    for ax in (top, bottom):
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    return fig
