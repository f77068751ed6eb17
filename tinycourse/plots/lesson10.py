"""Pictures of lesson 10. Every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tinycourse.spotting.operating_curves import Detection
from tinycourse.studies.lesson10 import Entry


def words(maps: dict[str, np.ndarray], frame: float = 0.01) -> Figure:
    """Features [frames, bands] of several words side by side, all in one scale."""
    fig, axes = plt.subplots(1, len(maps), figsize=(8, 2.2), sharey=True, squeeze=False)
    low, high = (f(np.min(x) if f is min else np.max(x) for x in maps.values()) for f in (min, max))
    colours = plt.get_cmap().resampled(16)  # few, for a small file
    for ax, (name, x) in zip(axes[0], maps.items()):
        ax.imshow(
            np.asarray(x).T, origin="lower", aspect="auto", extent=(0, len(x) * frame, 0, x.shape[1]), vmin=low, vmax=high, cmap=colours
        )
        ax.set(title=name, xlabel="time (s)")
    axes[0, 0].set_ylabel("mel band")
    return fig


def learning(curves: dict[str, list[float]]) -> Figure:
    """Accuracy on validation voices after every epoch, one line for each training."""
    fig, ax = plt.subplots(figsize=(6.4, 2.8))
    for i, (name, accuracies) in enumerate(curves.items()):
        ax.plot(range(1, len(accuracies) + 1), accuracies, "os^Dv"[i % 5] + "-", ms=4, lw=1.2, label=name)
    ax.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(color="0.93")
    ax.legend(loc="lower right")
    return fig


def listening(
    samples: np.ndarray, means: np.ndarray, names: tuple[str, ...], ready: np.ndarray, threshold: float, fired: list[Detection]
) -> Figure:
    """A sound above, the smoothed posteriors [N, words] below at the seconds [N] when they were `ready`; what fired is named."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 3.6), sharex=True, height_ratios=(1, 2))
    seconds = len(samples) / 16_000
    top.plot(np.arange(len(samples)) / 16_000, samples, lw=0.4)
    top.set(ylabel="sound", yticks=[], xlim=(0, seconds))
    for i, name in enumerate(names):
        bottom.plot(ready, means[:, i], "os^Dv"[i % 5] + "-", ms=3, lw=1, color=f"C{i}", label=name)
    bottom.axhline(threshold, ls="--", lw=0.8, color="0.3")
    for d in fired:
        bottom.annotate(d.word, (d.time, d.score), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9, weight="bold")
        bottom.plot(d.time, d.score, "o", ms=11, mfc="none", mew=1.6, color="C5")
    bottom.set(xlabel="time (s)", ylabel="mean posterior", ylim=(-0.02, 1.2), yticks=(0, 0.5, 1))
    bottom.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def board(entries: list[Entry], ranks: list[int], limits: dict[str, int]) -> Figure:
    """A row for each entry, a panel for each thing that counts; dashed lines are limits, hatched rows are out."""
    columns = (("accuracy", "accuracy (%)", 0.01), ("flash", "flash (KB)", 1024), ("ram", "RAM (KB)", 1024),
               ("instructions", "million instructions\na second", 1e6))  # fmt: skip
    fig, axes = plt.subplots(1, len(columns), figsize=(9.5, 0.42 * len(entries) + 1.1), sharey=True)
    labels = [f"{entry.name} ({f'rank {rank}' if rank else 'out'})" for entry, rank in zip(entries, ranks)]
    for ax, (key, label, unit) in zip(axes, columns):
        bars = ax.barh(labels, [getattr(entry, key) / unit for entry in entries])
        for bar, rank in zip(bars, ranks):
            bar.set(color="C0" if rank == 1 else "C4", hatch="" if rank else "///", edgecolor="white")
        ax.bar_label(bars, fmt="%.1f", fontsize=8, padding=2, bbox={"fc": "white", "ec": "none", "pad": 0.5})  # above the limit's line
        if key in limits:
            ax.axvline(limits[key] / unit, ls="--", lw=1, color="C5")
        ax.set(xlabel=label, xlim=(0, 1.25 * max([bar.get_width() for bar in bars] + [limits.get(key, 0) / unit])))
    axes[0].invert_yaxis()
    return fig
