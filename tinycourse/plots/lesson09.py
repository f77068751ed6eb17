"""Pictures of lesson 09: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tinycourse.codegen.planner import Buffer
from tinycourse.studies.lesson09 import Layout

MARKERS = "osD^vP*Xhp<>"
KILO = 1024


def name_of(buffer: Buffer) -> str:
    """What a buffer is called in a picture: its first tensor, and how many lie in its place later."""
    more = f" +{len(buffer.tensors) - 1}" if len(buffer.tensors) > 1 else ""
    return f"{buffer.tensors[0]}{more}" if buffer.tensors else "scratch"


def colour_of(buffer: Buffer) -> str:
    """Scratch is grey, what is overwritten has a colour of its own."""
    return "0.8" if not buffer.tensors else "C1" if len(buffer.tensors) > 1 else "C0"


def lifetimes(buffers: tuple[Buffer, ...], live: list[int], steps: list[str]) -> Figure:
    """A line for each buffer from the step that writes it to the last that reads it, and below them the bytes that live at each step.

    live: bytes at step -1, 0, ...; steps: the names of the operations, from 0 on."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(8.5, 0.26 * len(buffers) + 2.4), sharex=True, height_ratios=(len(buffers) + 1, 5))
    for row, b in enumerate(buffers):
        top.barh(row, b.last - b.first + 0.9, left=b.first - 0.45, height=0.7, color=colour_of(b))
        top.text(b.first - 0.4, row, f"{b.bytes:,}", va="center", fontsize=7, color="black" if not b.tensors else "white")
    top.set_yticks(range(len(buffers)), [name_of(b) for b in buffers], fontsize=8)
    top.invert_yaxis()
    top.set(ylabel="tensor")
    at = range(-1, len(live) - 1)
    peak = int(np.argmax(live))
    most = [step == peak for step in range(len(live))]
    bottom.bar(at, live, color=["C0" if m else "C4" for m in most], hatch=["///" if m else "" for m in most], edgecolor="white")
    bottom.set_xticks(at, ["given", *steps, *["end"] * (len(live) - 1 - len(steps))], fontsize=7, rotation=30, ha="right")
    bottom.set(ylabel="bytes alive")
    bottom.annotate(f"{live[peak]:,}", (peak - 1, live[peak]), ha="center", va="bottom", fontsize=8)
    bottom.set_ylim(0, 1.25 * live[peak])
    return fig


def arena(layouts: dict[str, Layout], now: int | None = None) -> Figure:
    """Arenas as pictures, one panel for each layout: steps to the right, bytes upwards, a box for each buffer; boxes never overlap.

    The dashed line is the lower bound. With `now` the boxes that live at this step are outlined."""
    fig, axes = plt.subplots(1, len(layouts), figsize=(4.6 * max(len(layouts), 1.6), 3.4), sharey=True, squeeze=False)
    tallest = max(layout.arena for layout in layouts.values())
    unit, word = (KILO, "KB") if tallest > 4 * KILO else (1, "bytes")
    for ax, (title, layout) in zip(axes[0], layouts.items()):
        ends = max(b.last for b in layout.buffers) + 0.5
        for b, offset in zip(layout.buffers, layout.offsets):
            alive = now is not None and b.first <= now <= b.last
            edge = {"ec": "black", "lw": 1.8, "zorder": 3} if alive else {"ec": "white", "lw": 0.6}
            width, size = b.last - b.first + 1, b.bytes / unit
            ax.add_patch(Rectangle((b.first - 0.5, offset / unit), width, size, fc=colour_of(b), **edge))
            if width > 0.2 * ends and b.bytes > 0.07 * tallest:  # there is room for a name
                middle = b.first - 0.5 + width / 2, offset / unit + size / 2
                ax.text(*middle, name_of(b), ha="center", va="center", fontsize=7, color="white" if colour_of(b) == "C0" else "black")
        bound = layout.lower_bound / unit
        ax.plot([-1.5, ends], [bound, bound], "--", color="black", lw=1)
        if now is not None:
            ax.axvline(now, color="0.3", lw=0.8, ls=":")
        ax.set(xlim=(-1.5, ends), ylim=(0, 1.06 * tallest / unit), xlabel="step", title=f"{title}: {layout.arena:,} bytes")
        ax.title.set_fontsize(9)
    axes[0][0].set_ylabel(f"place in the arena ({word})")
    return fig


def memory(ways: dict[str, dict[str, int]], limit: int, label: str, unit: str = "RAM") -> Figure:
    """Stacked bars of bytes, one for each way to build the same network: {way: {part: bytes}}; `limit` is what a chip has."""
    fig, ax = plt.subplots(figsize=(8, 0.38 * len(ways) + 1))
    parts = list(dict.fromkeys(part for way in ways.values() for part in way))
    begin = np.zeros(len(ways))
    for i, (part, hatch) in enumerate(zip(parts, ("", "///", "...", "xx"))):
        sizes = np.array([way.get(part, 0) / KILO for way in ways.values()])
        ax.barh(list(ways), sizes, left=begin, color=f"C{i}", hatch=hatch, edgecolor="white", label=part)
        begin += sizes
    reach = max(begin.max(), limit / KILO)
    for row, total in enumerate(begin):
        at = total + 0.01 * reach
        at = limit / KILO + 0.01 * reach if at < limit / KILO < at + 0.08 * reach else at  # not across the dashed line
        ax.text(at, row, f"{total:.1f}", va="center", fontsize=8)
    ax.axvline(limit / KILO, color="black", lw=1, ls="--")
    ax.set(xlabel=f"{unit} (KB); dashed: {label}", xlim=(0, 1.12 * reach))
    ax.invert_yaxis()
    if len(parts) > 1:
        ax.legend(fontsize=8)
    return fig


def by_kernel(counts: dict[str, dict[str, int]]) -> Figure:
    """Instructions of each kind of kernel, grouped bars: {chip: {kernel: instructions}}; the dearest kernel of the first chip on top."""
    chips, first = list(counts), next(iter(counts.values()))
    kernels = sorted(first, key=first.get, reverse=True)
    fig, ax = plt.subplots(figsize=(8, 0.16 * len(kernels) * (len(chips) + 0.6) + 0.8))
    height = 0.84 / len(chips)
    for i, (chip, hatch) in enumerate(zip(chips, ("", "///", "..."))):
        places = np.arange(len(kernels)) + (i - (len(chips) - 1) / 2) * height
        values = [counts[chip][k] / 1000 for k in kernels]
        bars = ax.barh(places, values, height, color=f"C{i}", hatch=hatch, edgecolor="white", label=chip)
        ax.bar_label(bars, [f" {value:,.0f}" for value in values], fontsize=7)
    ax.set_yticks(range(len(kernels)), kernels)
    ax.set(xlabel="thousand instructions")
    ax.margins(x=0.1)
    ax.invert_yaxis()
    ax.legend(fontsize=8, loc="lower right")
    return fig


def layers(rows: list[dict]) -> Figure:
    """Instructions over multiply-adds, one mark for each layer, by kernel; kernels without a multiply-add stand at the left edge.

    rows: dicts with kernel, multiply_adds and instructions. The grey lines are one and ten instructions for each multiply-add."""
    fig, ax = plt.subplots(figsize=(7.5, 3.6))
    kernels = list(dict.fromkeys(row["kernel"] for row in rows))
    least = min(row["multiply_adds"] for row in rows if row["multiply_adds"])
    idle = [k for k in kernels if not any(row["multiply_adds"] for row in rows if row["kernel"] == k)]
    place = {k: least / 12 * 1.22**j for j, k in enumerate(idle)}  # side by side, so that they can be told apart
    for i, kernel in enumerate(kernels):
        mine = [row for row in rows if row["kernel"] == kernel]
        x, y = [row["multiply_adds"] or place[kernel] for row in mine], [row["instructions"] for row in mine]
        ax.plot(x, y, MARKERS[i % len(MARKERS)], ms=5, alpha=0.8, label=kernel)
    ends = np.array([least, max(row["multiply_adds"] for row in rows)])
    for times in (1, 10):
        ax.plot(ends, times * ends, color="0.6", lw=0.8)
        ax.annotate(f"{times} each", (ends[1], times * ends[1]), fontsize=7, color="0.35", ha="right", va="bottom")
    ax.axvline(least / 2, color="0.6", lw=0.8, ls=":")
    ax.set(xscale="log", yscale="log", xlabel="multiply-adds (left of the dotted line: none)", ylabel="instructions")
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def roofline(points: dict[str, tuple[np.ndarray, np.ndarray]], prices: dict[str, tuple[float, float]]) -> Figure:
    """Multiply-adds for each instruction over products for each output, both logarithmic: marks as counted, lines as predicted.

    points: {kernel: (x, y)}. prices: {kernel: (instructions for a product, for an output)}; the line is x / (product x + output), and its
    ceiling 1 / product is dotted."""
    fig, ax = plt.subplots(figsize=(7.5, 3.6))
    every = np.concatenate([x for x, _ in points.values()])
    x = np.geomspace(every.min() / 1.5, every.max() * 2)
    for i, (kernel, (products, speed)) in enumerate(points.items()):
        ax.plot(products, speed, MARKERS[i], color=f"C{i}", ms=6, label=kernel)
        if kernel in prices:
            each, output = prices[kernel]
            ax.plot(x, x / (each * x + output), "-", color=f"C{i}", lw=1)
            ax.axhline(1 / each, color=f"C{i}", lw=0.8, ls=":")
    ax.set(xscale="log", yscale="log", xlabel="products for each output", ylabel="multiply-adds\nfor each instruction")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def stream(costs: list[int], said: list[tuple[int, str]], levels: dict[str, int], seconds: float, budget: float) -> Figure:
    """Instructions of every run of a program that listens, a bar each; runs that said something are hatched, what they said stands above.

    said: (run, text). levels: {what ran: instructions}, named at the right. `seconds` lie between two runs, in which there is time for
    `budget` instructions: the dashed line."""
    fig, ax = plt.subplots(figsize=(8, 3.2))
    times, heights = seconds * np.arange(1, len(costs) + 1), np.array(costs) / 1000
    runs = [run for run, _ in said]
    ax.bar(times, heights, 0.8 * seconds, color="C0")
    ax.bar(times[runs], heights[runs], 2 * seconds, color="C1", hatch="////", edgecolor="white")
    for run, text in said:
        ax.annotate(text, (times[run], heights[run]), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    for name, level in levels.items():
        ax.axhline(level / 1000, color="0.7", lw=0.6, zorder=0)
        ax.annotate(f"{name}\n{level / 1000:,.0f}", (1.01, level / 1000), xycoords=("axes fraction", "data"), fontsize=7, va="center")
    ax.axhline(budget / 1000, color="C3", ls="--", lw=1)
    words = f"{budget / 1000:,.0f}: all that there is time for between two runs"
    ax.annotate(words, (times[0], budget / 1000), (0, 2), textcoords="offset points", fontsize=8)
    ax.set(xlabel="seconds", ylabel="thousand instructions", xlim=(0, times[-1] + seconds), ylim=(0, 1.12 * budget / 1000))
    return fig


def variants(counts: dict[str, float]) -> Figure:
    """Instructions for each product, a bar for each way to write a loop; those of a Cortex-M0+ are hatched."""
    fig, ax = plt.subplots(figsize=(7.5, 0.34 * len(counts) + 0.8))
    look = {"color": ["C1" if "M0+" in name else "C0" for name in counts], "hatch": ["///" if "M0+" in name else "" for name in counts]}
    bars = ax.barh(list(counts), list(counts.values()), edgecolor="white", **look)
    ax.bar_label(bars, fmt=" {:.2f}", fontsize=8)
    ax.margins(x=0.1)
    ax.set(xlabel="instructions for each product")
    ax.invert_yaxis()
    return fig
