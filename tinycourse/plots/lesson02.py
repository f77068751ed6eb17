"""Pictures of lesson 02: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from torch import Tensor

from tinycourse.plots.shared import layer_costs
from tinycourse.spotting.operating_curves import Detection, Operating, Spoken
from tinycourse.studies.published_results import Published
from tinycourse.training.profiling import Layer

percent = "{:.0%}".format


def costs(rows: list[Layer], title: str = "") -> Figure:
    """Parameters, multiply-adds and memory of every layer that multiplies, from the input at the top to the answer at the bottom."""
    columns = (("parameters", "thousand parameters"), ("multiply_adds", "thousand multiply-adds"), ("activation_bytes", "kB, in and out"))
    shapes = {row.path: " x ".join(map(str, row.shape)) for row in rows}
    table = [vars(row) | {"layer": f"{row.path}: {shapes[row.path]}"} for row in rows if row.multiply_adds]
    figure = layer_costs(table, columns, unit=1000)
    for ax in figure.axes:
        ax.locator_params(axis="x", nbins=4)
    figure.axes[0].set_ylabel("layer: its output")
    figure.suptitle(title, fontsize=10)
    return figure


LOWEST = 89.0  # percent: what lies below is named at the lower edge


def accuracy_against_size(published: tuple[Published, ...], ours: list[tuple[str, float, float, float]]) -> Figure:
    """Accuracy over parameters and over multiply-adds. Open circles: published; filled diamonds: ours, (name, accuracy in percent,
    parameters, multiply-adds); a thin line joins the two of one network."""
    fig, axes = plt.subplots(2, 1, figsize=(9, 7.8))
    for ax, key, label in zip(axes, ("parameters", "multiply_adds"), ("parameters", "multiply-adds in one second")):
        place = {p.name: (getattr(p, key), max(p.accuracy, LOWEST)) for p in published}
        names = {p.name: p.name if p.accuracy > LOWEST else f"{p.name}: {p.accuracy:.1f} %" for p in published}
        ax.plot(*zip(*place.values()), "o", mfc="white", color="C0", ms=5, label="published, 12 classes")
        for i, (name, accuracy, *size) in enumerate(ours):
            at = (size[0] if key == "parameters" else size[1], max(accuracy, LOWEST))
            if name in place:
                ax.plot(*zip(place[name], at), "-", lw=0.8, color="C5")
            ax.plot(*at, "D", ms=5, color="C5", label=None if i else "ours, 10 classes")
            if accuracy < LOWEST:
                ax.annotate(f"{name}: {accuracy:.1f} %", at, (8, -3), textcoords="offset points", fontsize=7, color="C5")
        ax.set(xscale="log", xlabel=label, ylabel="accuracy (%)", ylim=(LOWEST - 0.4, 99.5))
        ax.margins(x=0.1)
        ax.grid(color="0.93")
        marks = [*place.values(), *((row[2 if key == "parameters" else 3], max(row[1], LOWEST)) for row in ours)]
        write_beside(ax, {names[name]: at for name, at in place.items()}, marks)
    axes[0].legend(loc="lower left")
    return fig


def write_beside(ax, labels: dict[str, tuple[float, float]], marks: list[tuple[float, float]]) -> None:
    """Each text beside its point, where it hides neither one of the marks nor another text if that can be helped."""
    ax.figure.canvas.draw()
    renderer, font = ax.figure.canvas.get_renderer(), FontProperties(size=7.5)
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in ax.transData.transform(marks)]
    for text, at in sorted(labels.items(), key=lambda item: item[1][1]):
        x, y = ax.transData.transform(at)
        width, height, _ = renderer.get_text_width_height_descent(text, font, False)
        corners = [(x + dx, y + dy) for dy in (-4, 4, -12, 11, -20) for dx in (6, -width - 6)] + [(x - width / 2, y + d) for d in (7, -16)]
        boxes = [(left, low, left + width, low + height) for left, low in corners]
        box = min(boxes, key=lambda b: sum(b[0] < t[2] and t[0] < b[2] and b[1] < t[3] and t[1] < b[3] for t in taken))
        taken.append(box)
        ax.annotate(text, at, xytext=(box[0] - x, box[1] - y + 1), textcoords="offset pixels", fontsize=7.5, color="0.25")


def seen(maps: dict[str, Tensor]) -> Figure:
    """What one unit of each network looks at in one second: maps [frames, bands], blank where nothing of the input reaches it."""
    fig, axes = plt.subplots(2, (len(maps) + 1) // 2, figsize=(8.4, 4), squeeze=False, sharex=True)
    colours = plt.get_cmap().resampled(7)
    for ax, (name, x) in zip(axes.flat, maps.items()):
        x = np.ma.masked_equal(np.asarray(x).T, 0)
        ax.imshow((x / x.max()) ** 0.5, origin="lower", aspect="auto", vmin=0, vmax=1, extent=(0, 1, 0, len(x)), cmap=colours)
        ax.set_title(name, fontsize=9)
    fig.supxlabel("time (s)", fontsize=9)
    fig.supylabel("band or coefficient", fontsize=9)
    return fig


def gradients(sizes: dict[str, list[float]]) -> Figure:
    """The size of the gradient at the map behind every layer, from the first to the last, one line for each network."""
    fig, ax = plt.subplots(figsize=(6.4, 2.8))
    for i, (name, values) in enumerate(sizes.items()):
        ax.semilogy(range(1, len(values) + 1), values, "os^D"[i] + "-", ms=4, label=name)
    ax.set(xlabel="layer, counted from the input", ylabel="gradient, relative\nto the last layer's")
    ax.legend(loc="lower right")
    return fig


def learning(curves: dict[str, list[dict]]) -> Figure:
    """Loss and accuracy after every epoch, a column for each training: solid on what it practised on, dashed on voices it never
    heard. Epochs are dicts with `training` and `validation`, each (loss, accuracy)."""
    fig, axes = plt.subplots(2, len(curves), figsize=(9, 4.4), sharex="col", sharey="row", squeeze=False)
    for column, (name, epochs) in zip(axes.T, curves.items()):
        for i, (part, style) in enumerate((("training", "-"), ("validation", "--"))):
            for ax, values in zip(column, zip(*(epoch[part] for epoch in epochs))):
                ax.plot(range(1, len(epochs) + 1), values, style, color=f"C{i}", label=f"{part} voices")
        column[0].set(title=name, yscale="log")
        column[1].set(xlabel="epoch")
        column[1].yaxis.set_major_formatter(lambda value, _: percent(value))
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("accuracy")
    axes[0, 0].legend()
    return fig


def acceptance(curves: dict[str, tuple[Tensor, Tensor]]) -> Figure:
    """Of all keywords the share that fires, and rightly, over the share of other words that fires, one line for each recogniser."""
    fig, ax = plt.subplots(figsize=(6, 3.2))
    for i, (name, (others, keywords)) in enumerate(curves.items()):
        ax.plot(others, keywords, ("-", "--", ":")[i], lw=1.8, color=f"C{i}", label=name)
    ax.set(xlabel="other words that fire", ylabel="keywords that fire, and rightly", ylim=(0, 1.02))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: percent(value))
    ax.grid(color="0.93")
    ax.legend(loc="lower right")
    return fig


def stream(
    score: Tensor, hop: float, spoken: list[Spoken], hits: list[Detection], alarms: list[Detection], threshold: float,
    span: tuple[float, float], ax=None,
) -> Figure:  # fmt: skip
    """A stretch of a stream between two instants (s): the score [N] of the best keyword, the words that were said, what fired."""
    ax = ax or plt.subplots(figsize=(9, 2.6))[1]
    for word, start, end in spoken:
        if span[0] <= start and end <= span[1]:
            ax.axvspan(start, end, color="C2", alpha=0.25, lw=0)
            ax.text((start + end) / 2, 1.12, word, ha="center", fontsize=8, color="C2")
    time = 1 + hop * np.arange(len(score))
    near = (time >= span[0]) & (time <= span[1])
    ax.plot(time[near], np.asarray(score)[near], lw=1, color="0.3")
    ax.axhline(threshold, ls="--", lw=0.8, color="C5")
    for found, marker, colour, label in ((hits, "o", "C0", "hit"), (alarms, "X", "C5", "false alarm")):
        inside = [d for d in found if span[0] <= d.time <= span[1]]
        ax.plot([d.time for d in inside], [d.score for d in inside], marker, ls="", ms=7, color=colour, label=label)
        for d in inside if marker == "X" else ():
            ax.annotate(d.word, (d.time, d.score), xytext=(0, -13), textcoords="offset points", ha="center", fontsize=7, color=colour)
    ax.set(xlabel="time (s)", ylabel="best keyword", xlim=span, ylim=(0, 1.25), yticks=(0, 0.5, 1))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax.figure


def trade_off(curves: dict[str, list[Operating]], hours: float, here: Operating | None = None, ax=None) -> Figure:
    """Misses against false alarms an hour, one line for each recogniser; `here` is circled. No alarm at all in so many `hours` is
    drawn in the grey strip at the left: so short a recording cannot see less."""
    ax = ax or plt.subplots(figsize=(8, 3.8))[1]
    least = 1 / hours
    for i, (name, points) in enumerate(curves.items()):
        x = [max(p.false_alarms, least / 2) for p in points]
        ax.plot(x, [p.misses for p in points], "os^Dv"[i % 5] + "-", ms=3, lw=1, color=f"C{i}", label=name)
    if here:
        ax.plot(max(here.false_alarms, least / 2), here.misses, "o", ms=12, mfc="none", mew=2, color="C5")
    ax.axvspan(least / 2.5, least * 0.75, color="0.93", lw=0)
    ax.text(least / 1.6, 1, "no alarm heard", rotation=90, va="top", ha="center", fontsize=8, color="0.4")
    ax.set(xscale="log", xlabel="false alarms an hour", ylabel="keywords missed", ylim=(0, 1.04))
    ax.set_xlim(left=least / 2.5)
    ax.yaxis.set_major_formatter(lambda value, _: percent(value))
    ax.grid(color="0.93")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax.figure


def operating(
    score: Tensor, hop: float, spoken: list[Spoken], hits: list[Detection], alarms: list[Detection], here: Operating,
    curve: list[Operating], hours: float, span: tuple[float, float],
) -> Figure:  # fmt: skip
    """A stretch of a stream above, the trade-off of all of it below, with the chosen threshold `here` in both."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.6), height_ratios=(1, 1.5))
    stream(score, hop, spoken, hits, alarms, here.threshold, span, top)
    trade_off({"all thresholds": curve}, hours, here, bottom)
    said = f"threshold {here.threshold:.3f}: {here.misses:.0%} missed, {here.false_alarms:.0f} false alarms an hour"
    bottom.set_title(said, fontsize=10)
    return fig
