"""Pictures of lesson 08: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "D", "^")


def staircase(x: np.ndarray, back: np.ndarray, scale: float) -> Figure:
    """What becomes of real numbers x [N] that are rounded, and the error in steps, with the promised half step between dashed lines."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.8))
    left.plot(x, x, ":", color="0.5", label="as it was")
    left.plot(x, back, color="C0", label="there and back")
    left.set(xlabel="real number", ylabel="what is kept of it")
    left.legend(fontsize=8)
    right.plot(x, (back - x) / scale, color="C1")
    for edge in (-0.5, 0.5):
        right.axhline(edge, color="0.4", lw=0.8, ls="--")
    right.set(xlabel="real number", ylabel="error (steps)")
    return fig


def before_and_after(weights: np.ndarray, integers: np.ndarray, back: np.ndarray, step: np.ndarray | float) -> Figure:
    """A piece of a matrix [O, I] as it was, as integers, and the error in steps; a number in each cell where there is room."""
    fig, axes = plt.subplots(1, 3, figsize=(10, 0.26 * len(weights) + 1))
    limit, wide = np.abs(weights).max(), max(1, np.abs(integers).max())
    panels = (
        ("float32", weights, limit, 2),
        ("integers", integers, wide, 0),
        ("error (steps)", (back - weights) / step, 0.5, 1),
    )
    small = weights.shape[1] <= 12
    for ax, (title, values, reach, digits) in zip(axes, panels):
        ax.imshow(values, cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
        for (i, j), value in np.ndenumerate(values) if small else ():
            dark, text = abs(value) > 0.6 * reach, f"{np.round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no "-0"
            ax.text(j, i, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
        ax.set(title=title, xticks=[], yticks=[], xlabel="inputs")
    axes[0].set_ylabel("outputs")
    return fig


def rows(largest: np.ndarray, steps: dict[str, np.ndarray], snr: dict[str, np.ndarray]) -> Figure:
    """Of each row of a weight, sorted by size: its largest weight [O] and half of the steps [O], and its signal to noise [O]."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9))
    order = np.argsort(largest)
    left.plot(largest[order], color="black", label="largest weight of the row")
    for (name, values), style, marker in zip(steps.items(), STYLES[1:], MARKERS):
        left.plot(values[order] / 2, style, label=f"half a step, {name}")
        right.plot(snr[name][order], marker, ms=3, label=name)
    left.set(yscale="log", xlabel="rows, the smallest first", ylabel="size")
    right.set(xlabel="rows, the smallest first", ylabel="signal to noise (dB)")
    for ax in (left, right):
        ax.legend(fontsize=8)
    return fig


def ranges(x: np.ndarray, chosen: dict[str, tuple[float, float]]) -> Figure:
    """How often the numbers x occur, on a logarithmic axis, and below it the range that each observer names."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True, height_ratios=(2, 1))
    top.hist(x, bins=200, color="C0", log=True)
    top.set(ylabel="how often")
    for i, (low, high) in enumerate(chosen.values()):
        bottom.plot([low, high], [i, i], "|-", color=f"C{i}", lw=3, ms=12)
    bottom.set_yticks(range(len(chosen)), list(chosen))
    bottom.set(xlabel="value", ylim=(len(chosen) - 0.4, -0.6))
    return fig


def curves(x: np.ndarray, values: dict[str, np.ndarray], errors: dict[str, np.ndarray]) -> Figure:
    """Curves over x, and beside them errors in units of the last place."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9))
    for (name, y), style in zip(values.items(), STYLES):
        left.plot(x, y, style, label=name)
    for i, (name, y) in enumerate(errors.items()):
        right.plot(x, y, lw=0.7, color=f"C{i}", label=name, zorder=3 - np.abs(y).max() / 100)  # the smaller error in front
    left.set(xlabel="x", ylabel="value")
    right.set(xlabel="x", ylabel="error (units of $2^{-15}$)")
    for ax in (left, right):
        ax.legend(fontsize=8)
    return fig


def step_by_step(lines: dict[str, np.ndarray], errors: dict[str, np.ndarray], seconds: float, ylabel: str) -> Figure:
    """One number over the frames of a recording, computed in several ways, and below it how far each is from the first."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(8, 3.8), sharex=True, height_ratios=(1.5, 1))
    for (name, y), style in zip(lines.items(), STYLES):
        top.plot(np.arange(len(y)) * seconds, y, style, label=name)
    for i, (name, y) in enumerate(errors.items(), 1):
        bottom.plot(np.arange(len(y)) * seconds, y, lw=1, color=f"C{i}", label=name)
    top.set(ylabel=ylabel)
    bottom.set(xlabel="time (s)", ylabel="error")
    for ax in (top, bottom):
        ax.legend(fontsize=8, ncols=3)
    return fig


def overflow(lines: dict[str, np.ndarray], limit: float) -> Figure:
    """A cell state over frames, in several ways; what int16 can hold lies between the grey lines."""
    fig, ax = plt.subplots(figsize=(8, 2.9))
    for (name, y), style in zip(lines.items(), STYLES):
        ax.plot(y, style, label=name)
    for edge in (-limit, limit):
        ax.axhline(edge, color="0.6", lw=0.8)
        ax.text(1.01, edge, f"{edge:.0f}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.set(xlabel="frame", ylabel="cell state")
    ax.legend(fontsize=8)
    return fig


def snr(report: list[dict]) -> Figure:
    """Signal to noise of each tensor of a program, from input to output: rows of `post_training.error_report`."""
    fig, ax = plt.subplots(figsize=(8, 0.2 * len(report) + 0.9))
    names = [f"{row['path'] or row['tensor']}  {row['kind']}" for row in report]
    ax.hlines(range(len(report)), 0, [row["snr"] for row in report], color="C4", lw=5)
    ax.plot([row["snr"] for row in report], range(len(report)), "o", ms=4, color="black")
    ax.set_yticks(range(len(report)), names, fontsize=8)
    ax.set(xlabel="signal to noise (dB)", xlim=(0, None), ylim=(len(report) - 0.4, -0.6))
    return fig


def sensitivity(rows: list) -> Figure:
    """Of `qat.sensitivity`: what rounding one weight alone does to the output, a row for each weight, a mark for each number of bits."""
    names = list(dict.fromkeys(row.name for row in rows))
    fig, ax = plt.subplots(figsize=(8, 0.26 * len(names) + 0.9))
    for bits, marker in zip(sorted({row.bits for row in rows}, reverse=True), MARKERS):
        ax.plot([row.snr for row in rows if row.bits == bits], names, marker, ms=6, label=f"{bits} bits")
    ax.grid(axis="y", lw=0.4)
    ax.set(xlabel="signal to noise of the output (dB)", ylim=(len(names) - 0.4, -0.6))
    ax.tick_params(axis="y", labelsize=8)
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def bits_and_accuracy(lines: dict[str, list[tuple[float, float]]], level: float) -> Figure:
    """Accuracy over the bits of a weight, a line for each way to get there; `level` is that of the network that was not rounded."""
    fig, ax = plt.subplots(figsize=(6.5, 2.9))
    for (name, points), style, marker in zip(lines.items(), STYLES, MARKERS):
        ax.plot(*zip(*points), style + marker, ms=5, label=name)
    ax.axhline(level, color="0.5", lw=0.8, ls=":", label="not rounded")
    ax.set(xlabel="bits of a weight", ylabel="accuracy", xticks=sorted({bits for points in lines.values() for bits, _ in points}))
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.legend(fontsize=8)
    return fig


def speed(ratios: dict[str, float]) -> Figure:
    """Time over that of torch's float network: a bar for each."""
    fig, ax = plt.subplots(figsize=(7.5, 0.34 * len(ratios) + 0.8))
    bars = ax.barh(list(ratios), list(ratios.values()), color=["C0" if "int" in name else "C4" for name in ratios])
    ax.bar_label(bars, fmt=" {:.2f}", fontsize=8)
    ax.axvline(1, color="0.5", lw=0.8, ls=":")
    ax.set(xlabel="time / time of torch in float")
    ax.invert_yaxis()
    return fig


def behind(hidden: list[float], seen: list[float], wanted: float) -> Figure:
    """A weight that is trained through its rounding: what the optimiser holds, and what the network computes with."""
    fig, ax = plt.subplots(figsize=(7, 2.6))
    ax.axhline(wanted, color="0.6", lw=0.8)
    ax.plot(hidden, "--", label="held by the optimiser")
    ax.plot(seen, drawstyle="steps-post", label="seen by the network")
    ax.set(xlabel="step", ylabel="weight")
    ax.legend(fontsize=8)
    return fig
