"""Pictures of lesson 05: every function takes data, draws one figure and returns it. Nothing here computes a result.

A lattice is drawn with time to the right and labels upwards: a blank is a step to the right, a label a step up. Node (t, u) stands at
(t, u); the way out, the last blank, ends at (T, U).
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

MAP = plt.get_cmap("Blues", 16)  # of probabilities: few colours for small files
SIGNED = plt.get_cmap("RdBu", 15)
WAY = "#D55E00"  # of one alignment
DARK = "#8A5A00"  # the orange of labels, dark enough to be read


def axes_of(ax, frames: int, words: Sequence[str], title: str = "") -> None:
    """Frames below, what has been said on the left; room for the way out on the right."""
    ax.set(xlim=(-0.5, frames + 0.4), ylim=(-0.5, len(words) + 0.5), xlabel="frames behind us, t", title=title)
    ax.set_xticks(range(0, frames + 1, 1 if frames < 12 else 5))
    ax.set_yticks(range(len(words) + 1), ["nothing yet", *(f"+ {word}" for word in words)])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)


def steps_on(ax, frames: int, labels: int, steps: np.ndarray | None = None, said: np.ndarray | None = None) -> None:
    """Arrows between nodes, as wide as `steps` [T, U + 1, 2] are probable; `said` [T, U + 1, 2] is written beside them."""
    for t in range(frames):
        for u in range(labels + 1):
            for kind, (dt, du) in enumerate(((1, 0), (0, 1))):
                last = t == frames - 1 and u < labels
                if (kind == 1 and u == labels) or (kind == 0 and last):
                    continue
                share = 0.3 if steps is None else float(steps[t, u, kind])
                look = {"color": f"C{kind}", "lw": 0.7 + 6 * share, "alpha": 0.25 + 0.75 * min(1, 2 * share)}
                start, end = (t + 0.2 * dt, u + 0.2 * du), (t + 0.8 * dt, u + 0.8 * du)
                ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **look})
                if said is not None:
                    at = (t + 0.5, u + 0.07) if kind == 0 else (t + 0.06, u + 0.5)
                    where = {"ha": "center", "va": "bottom"} if kind == 0 else {"ha": "left", "va": "center"}
                    ax.text(*at, f"{said[t, u, kind]:.2f}", fontsize=7.5, color=("C0", DARK)[kind], **where)


def way_on(ax, nodes: Sequence[tuple[int, int]], **look) -> None:
    """One alignment as a line through its nodes (t, u)."""
    ax.plot(*zip(*nodes), **{"color": WAY, "lw": 3, "solid_capstyle": "round", "zorder": 1, **look})


def lattice(
    frames: int,
    words: Sequence[str],
    steps: Tensor | None = None,
    nodes: Tensor | None = None,
    way: Sequence[tuple[int, int]] | None = None,
    widths: Tensor | None = None,
    title: str = "",
    ax=None,
) -> Figure:
    """The lattice of a few frames: arrows for steps, discs for nodes.

    words: the labels in order. steps [T, U + 1, 2]: numbers beside the arrows (blank, label). nodes [T, U + 1]: numbers in 0..1 in the
    discs, dark where large. way: nodes (t, u) of one alignment. widths [T, U + 1, 2] in 0..1: how wide the arrows are.
    """
    labels = len(words)
    if ax is None:
        ax = plt.subplots(figsize=(1.25 * (frames + 1) + 1.6, 1.05 * (labels + 1) + 0.6))[1]
    if way is not None:
        way_on(ax, way, lw=9, alpha=0.35)
    steps_on(ax, frames, labels, None if widths is None else np.asarray(widths), None if steps is None else np.asarray(steps))
    for t in range(frames):
        for u in range(labels + 1):
            value = None if nodes is None else float(nodes[t, u])
            ax.plot(t, u, "o", ms=23, mec="0.25", mfc="white" if value is None else MAP(0.85 * value), zorder=3)
            text = f"{t},{u}" if value is None else f"{value:.3f}"
            ax.text(t, u, text, ha="center", va="center", fontsize=7, zorder=4, color="white" if value and value > 0.6 else "black")
    ax.plot(frames, labels, "s", ms=17, mec="0.25", mfc="white", zorder=3)
    ax.text(frames, labels, "end", ha="center", va="center", fontsize=7, zorder=4)
    axes_of(ax, frames, words, title)
    return ax.figure


def lattices(frames: int, words: Sequence[str], panels: dict[str, Tensor]) -> Figure:
    """Several lattices side by side that differ in the numbers of their nodes [T, U + 1], by title."""
    fig, axes = plt.subplots(1, len(panels), figsize=(4.3 * len(panels), 0.9 * (len(words) + 1) + 0.6), sharey=True)
    for ax, (title, nodes) in zip(np.atleast_1d(axes), panels.items()):
        lattice(frames, words, nodes=nodes, title=title, ax=ax)
    return fig


def transcripts(panels: dict[str, dict[str, float]], meant: Sequence[str]) -> Figure:
    """Probabilities of transcripts, a panel for each model; those that were `meant` are filled, the others hatched."""
    fig, axes = plt.subplots(1, len(panels), figsize=(7.6, 1.9), sharey=True, sharex=True)
    for ax, (title, shares) in zip(axes, panels.items()):
        bars = ax.barh(list(shares), list(shares.values()), color=["C2" if name in meant else "white" for name in shares], ec="0.3")
        for bar, (name, share) in zip(bars, shares.items()):
            bar.set_hatch("" if name in meant else "////")
            ax.text(share + 0.01, bar.get_y() + bar.get_height() / 2, f"{share:.2f}", va="center", fontsize=9)
        ax.set(title=title, xlabel="probability", xlim=(0, 0.65))
    axes[0].invert_yaxis()
    return fig


def networks() -> Figure:
    """The three networks of a transducer, and the loop from its output back to the prediction network."""
    fig, ax = plt.subplots(figsize=(7.6, 2.6))
    boxes = {  # name: middle, what it says, colour
        "encoder": ((2.6, 0.5), "what was heard\nup to frame t", "C0"),
        "prediction": ((2.6, 2.2), "what was said\nso far, u labels", "C1"),
        "joint": ((5.3, 1.35), "what to say\nat node (t, u)", "C2"),
    }
    for name, ((x, y), what, colour) in boxes.items():
        ax.add_patch(FancyBboxPatch((x - 0.95, y - 0.45), 1.9, 0.9, boxstyle="round,pad=0.05", fc="white", ec=colour, lw=2))
        ax.text(x, y + 0.22, name, ha="center", va="center", weight="bold", color=colour)
        ax.text(x, y - 0.18, what, ha="center", va="center", fontsize=8)
    arrow = {"arrowstyle": "-|>", "color": "0.35", "lw": 1.3}
    words = (((1.6, 0.5), (0.75, 0.5)), ((4.3, 1.15), (3.65, 0.6)), ((4.3, 1.55), (3.65, 2.1)), ((7.3, 1.7), (6.35, 1.45)))
    for end, start in (*words, ((7.3, 1.0), (6.35, 1.25))):
        ax.annotate("", end, start, arrowprops=arrow)
    ax.text(0.65, 0.5, "features", ha="right", va="center")
    ax.text(7.4, 1.7, "a label: say it, stay in this frame", va="center", fontsize=9)
    ax.text(7.4, 1.0, "blank: go on to the next frame", va="center", fontsize=9)
    ax.plot([8.6, 8.6, 0.9, 0.9], [1.9, 2.9, 2.9, 2.2], color="0.35", lw=1.3)
    ax.annotate("", (1.6, 2.2), (0.88, 2.2), arrowprops=arrow)
    ax.set(xlim=(-0.5, 11), ylim=(-0.1, 3.05))
    ax.axis("off")
    return fig


def maps(panels: dict[str, Tensor], words: Sequence[str], way: Sequence[tuple[int, int]] | None = None, columns: int = 2) -> Figure:
    """Occupancy of larger lattices [T, U + 1], each node a rectangle, dark where most alignments pass; by title."""
    rows = -(-len(panels) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 0.5 + 0.34 * rows * (len(words) + 2)), sharey=True, squeeze=False)
    for ax, (title, nodes) in zip(axes.flat, panels.items()):
        ax.imshow(np.asarray(nodes).T, origin="lower", aspect="auto", cmap=MAP, vmin=0, vmax=1, interpolation="nearest")
        if way is not None:
            way_on(ax, [(t, u) for t, u in way if t < len(nodes)], lw=1.5)
        ax.set(title=title, xlabel="frame t" if ax in axes[-1] else "")
        ax.set_yticks(range(len(words) + 1), ["nothing yet", *(f"+ {word}" for word in words)])
    return fig


def gradient(panels: dict[str, Tensor], words: Sequence[str]) -> Figure:
    """Gradients [T, U + 1] by what they belong to, with numbers: blue rectangles want their logit higher, red ones lower."""
    fig, axes = plt.subplots(1, len(panels), figsize=(2.9 * len(panels), 0.5 * (len(words) + 1) + 1.1), sharey=True)
    most = max(float(np.nanmax(abs(np.asarray(x)))) for x in panels.values())
    for ax, (title, x) in zip(axes, panels.items()):
        values = np.asarray(x).T
        ax.imshow(values, origin="lower", aspect="auto", cmap=SIGNED.reversed(), vmin=-most, vmax=most)
        for (u, t), value in np.ndenumerate(values):
            if np.isfinite(value):
                dark = "white" if abs(value) > 0.7 * most else "black"
                text = f"{value:+.2f}" if abs(value) >= 0.005 else "0"
                ax.text(t, u, text, ha="center", va="center", fontsize=7.5, color=dark)
        ax.set(title=title, xlabel="frame t")
        ax.set_xticks(range(values.shape[1]))
        ax.set_yticks(range(len(words) + 1), ["nothing yet", *(f"+ {word}" for word in words)])
    return fig


def plateau(blank: Tensor, curves: dict[str, Tensor], marks: dict[str, tuple[float, float]]) -> Figure:
    """Loss for each label over the probability of blank, by curve; `marks` are points with a name."""
    fig, ax = plt.subplots(figsize=(6.2, 2.9))
    for (name, values), style in zip(curves.items(), ("-", "--", ":")):
        ax.plot(blank, values, style, color="black" if style == "-" else "0.5", label=name)
    for i, (name, (x, y)) in enumerate(marks.items()):
        ax.plot(x, y, "osD^"[i], color=f"C{(0, 5, 2)[i]}", ms=7, label=name)
    ax.set(xlabel="probability of blank, the same at every node", ylabel="loss for each label", xlim=(0, 1), ylim=(0, None))
    ax.legend(fontsize=9)
    return fig


Run = tuple[Sequence[float], Sequence[float], dict[float, float]]  # steps, loss for each label at them, wrong labels by step


def training(runs: dict[str, Run], levels: dict[str, float]) -> Figure:
    """Trainings by name: above, the loss for each label, with levels across; below, the share of wrong labels where it was measured."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(6.8, 4.2), sharex=True, height_ratios=(2, 1))
    for (name, (steps, loss, errors)), color, style in zip(runs.items(), ("0.35", WAY), ("--", "-")):
        top.plot(steps, loss, style, color=color, lw=1.8, label=name)
        bottom.plot(list(errors), list(errors.values()), style, marker="o", ms=4, color=color)
    end = top.get_xlim()[1]
    for (name, level), style, side in zip(levels.items(), ("--", ":"), ("bottom", "top")):
        top.axhline(level, color="0.45", lw=1, ls=style, zorder=0)
        top.text(end, level, f"{name} ", ha="right", va=side, fontsize=8, color="0.3")
    top.set(ylabel="loss for each label", yscale="log")
    top.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    top.yaxis.set_minor_formatter(lambda value, _: "")
    top.legend(frameon=False, loc="lower left")
    bottom.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    bottom.set(xlabel="step", ylabel="wrong labels", ylim=(0, 1.05), xlim=(0, end))
    return fig


def alignment(
    occupancy: Tensor, words: Sequence[str], way: Sequence[tuple[int, int]], scores: Tensor, said: str, mel: Tensor | None = None
) -> Figure:
    """The picture of the widget: what the recogniser hears, all alignments in grey and one of them, and the price of each of its steps.

    occupancy [T, U + 1]; way: its nodes (t, u) from (0, 0) to (T, U); scores [T + U]: log-probability of its steps; mel [frames, bands].
    """
    rows = (0.9, 1.6, 0.9) if mel is not None else (1.6, 0.9)
    fig, axes = plt.subplots(len(rows), 1, figsize=(8, 2.1 * len(rows)), height_ratios=rows)
    if mel is not None:
        axes[0].imshow(np.asarray(mel).T, origin="lower", aspect="auto", interpolation="nearest", cmap=plt.get_cmap("cividis", 16))
        axes[0].set(ylabel="mel band", xticks=[], title=said)
    middle, bottom = axes[-2:]
    frames = len(occupancy)
    middle.imshow(np.asarray(occupancy).T, origin="lower", aspect="auto", cmap=MAP, vmin=0, vmax=1, interpolation="nearest")
    way_on(middle, [(min(t, frames - 0.5), u) for t, u in way], zorder=2)
    for (t, u), (_, after) in zip(way, way[1:]):
        if after > u:
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85}
            middle.text(t + 0.008 * frames, u + 0.5, words[u], color=WAY, weight="bold", va="center", fontsize=9, bbox=box, zorder=3)
    middle.set_yticks(range(len(words) + 1), ["nothing yet", *(f"+ {word}" for word in words)])
    middle.set(xlabel="frame t", title=said if mel is None else "")
    middle.xaxis.get_major_locator().set_params(integer=True)
    spoken = [after > u for (_, u), (_, after) in zip(way, way[1:])]
    bottom.bar(range(len(scores)), np.asarray(scores), color=["C1" if word else "C0" for word in spoken])
    bottom.set(xlabel="step of the alignment (blue: blank, orange: label)", ylabel="log-probability", xlim=(-0.7, len(scores) - 0.3))
    return fig


def decoding(
    mel: Tensor, seconds: float, blank: Sequence[float], steps: Sequence[tuple[float, int]], said: Sequence[tuple[float, str]],
    spoken: Sequence[tuple[float, float, str]] = (), title: str = "",
) -> Figure:  # fmt: skip
    """Greedy search as it goes: the features of `seconds`, how sure it is of blank at each frame's last step, and its way up.

    mel [frames, bands]; blank [T]: probability of blank when a frame was left; steps: (time, labels said) of its nodes; said: (time,
    label); spoken: (begin, end, word) of what was really said, in seconds.
    """
    fig, (top, middle, bottom) = plt.subplots(3, 1, figsize=(8, 5), sharex=True, height_ratios=(1.2, 0.7, 1.3))
    extent = (0, seconds, 0, mel.shape[1])
    top.imshow(np.asarray(mel).T, origin="lower", aspect="auto", extent=extent, interpolation="nearest", cmap=plt.get_cmap("cividis", 16))
    top.set(ylabel="mel band", title=title)
    for begin, end, word in spoken:
        top.plot([begin, end], [mel.shape[1] * 1.03] * 2, color="black", lw=3, clip_on=False)
        top.text((begin + end) / 2, mel.shape[1] * 1.07, word, ha="center", va="bottom", fontsize=9)
    frame = seconds / len(blank)
    middle.bar((np.arange(len(blank)) + 0.5) * frame, blank, width=frame, color="C0", ec="white")
    middle.set(ylabel="blank", ylim=(0, 1.05), yticks=[0, 1])
    bottom.plot([t for t, _ in steps], [u for _, u in steps], color=WAY, lw=2.5)
    for u, (time, word) in enumerate(said):
        bottom.text(time, u + 0.5, f" {word}", color=WAY, weight="bold", va="center")
        middle.axvline(time, color=WAY, lw=1, ls=":")
    bottom.set(xlabel="time (s)", ylabel="labels said", xlim=(0, seconds))
    bottom.yaxis.get_major_locator().set_params(integer=True)
    return fig


def beam(frames: Sequence[Sequence[tuple[str, float]]], best: str) -> Figure:
    """Hypotheses and their log-probabilities after every frame, the highest of a frame on top; lines join what is the same or grew."""
    fig, ax = plt.subplots(figsize=(1.75 * len(frames) + 0.6, 0.62 * max(map(len, frames)) + 0.8))
    for t, row in enumerate(frames):
        for rank, (text, score) in enumerate(row):
            kept = best.startswith(text) or (text == "(nothing)" and t + 1 < len(frames))
            colour = "C2" if kept else "0.35"
            ax.text(t, -rank, f"{text}\n{np.exp(score):.3f}", ha="center", va="center", fontsize=8, color=colour,
                    bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": colour})  # fmt: skip
            for before, (earlier, _) in enumerate(frames[t - 1] if t else ()):
                if text == earlier or earlier == "(nothing)" or text.startswith(earlier + " "):
                    ax.plot([t - 0.79, t - 0.21], [-before, -rank], color="0.75", lw=1, zorder=0)
    ax.set(xlim=(-0.5, len(frames) - 0.5), ylim=(0.55 - max(map(len, frames)), 0.55), yticks=[])
    ax.set_xticks(range(len(frames)), [f"after frame {t}" for t in range(len(frames))])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    return fig


def delays(by_word: dict[str, Sequence[float]]) -> Figure:
    """How long after the end of each word it was said, in seconds: a dot for every time, a bar at the mean."""
    fig, ax = plt.subplots(figsize=(6.6, 0.26 * len(by_word) + 0.9))
    for row, values in enumerate(by_word.values()):
        ax.plot(values, [row] * len(values), "o", ms=3, alpha=0.35, color="C0", mec="none")
        ax.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color="black", lw=2)
    ax.axvline(0, color="0.6", lw=1)
    ax.set_yticks(range(len(by_word)), list(by_word))
    ax.set(xlabel="seconds from the end of the word to its label")
    ax.invert_yaxis()
    return fig
