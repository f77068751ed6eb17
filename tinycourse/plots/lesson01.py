"""Pictures of lesson 01: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from tinycourse.plots.shared import waveform

COLOURS = plt.get_cmap("cividis", 16)  # few enough for small files, and more than the eye tells apart


def decibels(power: Tensor | np.ndarray, below: float = 90) -> np.ndarray:
    """Power on the scale that figures use: relative to its largest value, cut off `below` decibels under it."""
    power = np.asarray(power, np.float64)
    return np.maximum(10 * np.log10(power / power.max() + 1e-30), -below)


def picture(ax, x: Tensor, hop: float, bands: str = "", title: str = "", limits: tuple[float, float] | None = None) -> None:
    """A map x [frames, bands] with every frame at its instant and every value a rectangle, `limits` the ends of the colours."""
    low, high = limits or (None, None)
    extent = (-hop / 2, (len(x) - 0.5) * hop, 0, x.shape[1])
    ax.imshow(np.asarray(x).T, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high, interpolation="nearest", cmap=COLOURS)
    ax.set(xlabel="time (s)", ylabel=bands, title=title, xlim=(0, (len(x) - 1) * hop))


def cepstral(ax, mfcc: Tensor, hop: float, title: str) -> None:
    """MFCC [frames, coefficients] as a picture, without coefficient 0, which is as large as all the others together."""
    x = np.asarray(mfcc)[:, 1:]
    picture(ax, x, hop, "coefficient", title, tuple(np.quantile(x, (0.005, 0.995))))


def stages(samples: Tensor, frame: int, windowed: Tensor, power: Tensor, bank: Tensor, mel: Tensor, mfcc: Tensor, hop: float) -> Figure:
    """One word through every stage, top to bottom; `frame` is followed through the upper half.

    samples [T]; windowed [fft] and power [bins] of that frame; bank [bins, mels]; mel (its logarithm) [frames, mels]; mfcc [frames, C];
    hop: seconds between frames. The rate is that of 16 kHz.
    """
    fig = plt.figure(figsize=(6, 8.2))
    sound, piece, spectrum, bands, log_mel, cepstrum = fig.subplots(6, 1, height_ratios=(1, 1, 1, 1, 1.3, 1.3))
    waveform(samples, title="1  the word, and one frame of it", ax=sound)
    middle, half = frame * hop, len(windowed) / 32_000
    sound.axvspan(middle - half, middle + half, color="C1", alpha=0.6)
    piece.plot(np.arange(len(windowed)) / 16, windowed, lw=0.9, color="C1")
    piece.set(title="2  that frame, faded in and out by the window", xlabel="time (ms)", ylabel="amplitude", xlim=(0, len(windowed) / 16))
    hertz = np.arange(len(power)) * 8_000 / (len(power) - 1)
    spectrum.plot(hertz, decibels(power), lw=0.9, color="C1")
    spectrum.set(title="3  its power spectrum", xlabel="frequency (Hz)", ylabel="dB", xlim=(0, 8_000))
    energies = np.asarray(mel[frame])
    bands.bar(range(len(energies)), energies - energies.min(), color="C1", width=0.8)
    said = f"4  the logarithm of its energy in {bank.shape[1]} mel bands"
    bands.set(title=said, xlabel="mel band", ylabel="above lowest", xlim=(-0.6, len(energies) - 0.4))
    picture(log_mel, mel, hop, "mel band", "5  the same for every frame: log-mel")
    cepstral(cepstrum, mfcc, hop, "6  its cosine transform: MFCC (without coefficient 0)")
    log_mel.axvline(middle, color="C1", lw=1.5)
    return fig


def framing(samples: Tensor, first: int, count: int, size: int, hop: int) -> Figure:
    """How frames overlap: `count` frames of `size` samples, one every `hop`, from sample `first` of samples [T] on."""
    fig, ax = plt.subplots(figsize=(6.2, 2.5))
    stretch = np.asarray(samples[first : first + size + (count - 1) * hop])
    scale = 0.9 / abs(stretch).max()
    ax.plot(np.arange(len(stretch)) / 16, stretch * scale, lw=0.8, color="black")
    for i in range(count):
        at = -1.5 - 0.55 * i
        ax.add_patch(Rectangle((i * hop / 16, at), size / 16, 0.4, color=f"C{i % 2}", alpha=0.75))
        ax.text((i * hop + size / 2) / 16, at + 0.19, f"frame {i}", ha="center", va="center", fontsize=8)
    ax.set(xlabel="time (ms)", yticks=[], xlim=(0, len(stretch) / 16))
    ax.spines["left"].set_visible(False)
    return fig


def leakage(frame: Tensor, window: Tensor, rectangular: Tensor, windowed: Tensor) -> Figure:
    """A frame [n] under its window [n], and the power spectra [bins] of the frame as it is and windowed."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.2), width_ratios=(1, 1.4))
    time, peak = np.arange(len(frame)) / 16, float(abs(frame).max())
    left.fill_between(time, -peak * window, peak * window, color="0.9")
    left.plot(time, frame, lw=0.7, color="C4")
    left.plot(time, frame * window, lw=0.9, color="C0")
    left.set(xlabel="time (ms)", ylabel="amplitude", xlim=(0, time[-1]))
    hertz = np.linspace(0, 8_000, len(windowed))
    right.plot(hertz, decibels(rectangular), lw=0.8, color="C4", label="as cut")
    right.plot(hertz, decibels(windowed), lw=1, color="C0", label="windowed")
    right.set(xlabel="frequency (Hz)", ylabel="power (dB)", xlim=(0, 8_000))
    right.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return fig


def filter_bank(bank: Tensor, rate: int = 16_000) -> Figure:
    """Above, mel against hertz with the centres of the bands; below, the filters bank [bins, mels]."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(5.8, 2.8), sharex=True, height_ratios=(1, 1.1))
    hertz = np.linspace(0, rate / 2, len(bank))
    top.plot(hertz, 2595 * np.log10(1 + hertz / 700), color="black", lw=1)
    for i, triangle in enumerate(np.asarray(bank).T):
        if i % 3 == 0:
            centre = (triangle * hertz).sum() / triangle.sum()
            mel = 2595 * np.log10(1 + centre / 700)
            top.plot([0, centre, centre], [mel, mel, 0], lw=0.6, color=f"C{i % 2}")
        bottom.plot(hertz, triangle, lw=0.9, color=f"C{i % 2}")
    top.set(ylabel="mel", ylim=(0, None), title="evenly spaced in mel, ever wider in hertz (drawn: every third band)")
    bottom.set(xlabel="frequency (Hz)", ylabel="weight", xlim=(0, rate / 2))
    return fig


def logarithm(mel: Tensor, floor: float) -> Figure:
    """Mel energies [frames, mels] as they are and as logarithms."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 2.3))
    picture(axes[0], mel, 0.01, "mel band", "energy: only the loudest shows")
    picture(axes[1], (mel + floor).log(), 0.01, title="its logarithm: soft and loud")
    return fig


def cosines(dct: Tensor, shown: int = 5) -> Figure:
    """The first columns of dct [mels, coefficients] as curves over the bands, and all of it as a picture."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), width_ratios=(1.5, 1), gridspec_kw={"wspace": 0.3})
    for k in range(shown):
        left.hlines(-0.6 * k, 0, len(dct) - 1, lw=0.4, color="0.7")
        left.plot(np.asarray(dct[:, k]) - 0.6 * k, "o-", ms=2.5, lw=1, color=f"C{k}")
        left.text(len(dct), -0.6 * k, f" coefficient {k}", va="center", fontsize=8, color=f"C{k}")
    left.set(xlabel="mel band", yticks=[], xlim=(-0.5, len(dct) + 9))
    left.spines["left"].set_visible(False)
    right.imshow(np.asarray(dct).T, origin="lower", aspect="auto", cmap="RdBu", vmin=-0.23, vmax=0.23)
    right.set(xlabel="mel band", ylabel="coefficient", title="all of them")
    return fig


def kept(mel: Tensor, rebuilt: dict[int, Tensor]) -> Figure:
    """A log-mel map [frames, mels], and what is left of it with so many coefficients: all on one colour scale."""
    fig, axes = plt.subplots(1, 1 + len(rebuilt), figsize=(7.6, 2.1), sharey=True)
    limits = float(mel.min()), float(mel.max())
    titles = [f"log-mel, {mel.shape[1]} bands", *(f"{count} coefficients" for count in rebuilt)]
    for ax, x, title in zip(axes, (mel, *rebuilt.values()), titles):
        picture(ax, x, 0.01, "mel band" if ax is axes[0] else "", title, limits)
    return fig


def maps(rows: dict[str, dict[str, Tensor]], together: bool = False) -> Figure:
    """A grid of feature maps [frames, bands]: rows by name, columns by name. With `together` the maps of a row share their colours."""
    columns = list(next(iter(rows.values())))
    fig, axes = plt.subplots(len(rows), len(columns), figsize=(7.8, 0.6 + 1.35 * len(rows)), sharex=True, sharey=True, squeeze=False)
    for number, (line, (name, row)) in enumerate(zip(axes, rows.items())):
        values = np.concatenate([np.asarray(x).ravel() for x in row.values()])
        limits = (values.min(), values.max()) if together else None
        for ax, (column, x) in zip(line, row.items()):
            picture(ax, x, 0.01, name if ax is line[0] else "", "" if number else column, limits)
            ax.label_outer()
    return fig


def stream(size: int, hop: int, arrived: int, frames: int, kept: int) -> Figure:
    """A stream in which `arrived` samples have come in and `frames` frames are complete: what is gone, what is kept, what is next."""
    fig, ax = plt.subplots(figsize=(8, 2.6))
    total = (frames * hop + size) / 16
    blocks = ((0, arrived - kept, "0.88", "gone"), (arrived - kept, kept, "C4", "kept"))
    for begin, length, colour, label in blocks:
        ax.add_patch(Rectangle((begin / 16, 0), length / 16, 0.8, color=colour))
        ax.text((begin + length / 2) / 16, 0.4, label, ha="center", va="center")
    for i in range(frames + 1):
        done, at = i < frames, -0.8 * (i + 1)
        colour = {"facecolor": "C0", "alpha": 0.75} if done else {"fill": False, "ls": "--"}
        ax.add_patch(Rectangle((i * hop / 16, at), size / 16, 0.6, edgecolor="black", **colour))
        text = f"frame {i}" if done else f"frame {i}, not complete"
        ax.text((i * hop + size / 2) / 16, at + 0.28, text, ha="center", va="center", fontsize=8, color="white" if done else "black")
    ax.axvline(arrived / 16, color="C5", lw=1.5)
    ax.text(arrived / 16, 0.95, "now", color="C5", ha="center", va="bottom")
    ax.set(xlabel="time (ms)", yticks=[], xlim=(0, total), ylim=(-0.8 * (frames + 1) - 0.1, 1.4))
    ax.spines["left"].set_visible(False)
    return fig


def correlations(matrices: dict[str, Tensor]) -> Figure:
    """Correlation matrices [bands, bands] side by side, all on the scale from -1 to 1."""
    fig, axes = plt.subplots(1, len(matrices), figsize=(2.9 * len(matrices), 2.5), squeeze=False)
    for ax, (name, matrix) in zip(axes[0], matrices.items()):
        image = ax.imshow(np.asarray(matrix), origin="lower", cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest")
        ax.set(title=name, xlabel="band or coefficient", ylabel="band or coefficient" if ax is axes[0, 0] else "")
    fig.colorbar(image, ax=axes[0, -1], label="correlation")
    return fig


def settings(results: dict[str, dict[str, list[float]]]) -> Figure:
    """Accuracies by setting and network: an open dot for each seed, a bar at their mean."""
    fig, ax = plt.subplots(figsize=(7.4, 0.9 + 0.32 * len(results)))
    networks = list(dict.fromkeys(network for row in results.values() for network in row))
    for i, network in enumerate(networks):
        points = [(row + 0.2 * (i - 1), accuracy[network]) for row, accuracy in enumerate(results.values()) if network in accuracy]
        for at, values in points:
            ax.plot([np.mean(values)] * 2, [at - 0.13, at + 0.13], color=f"C{i}", lw=2.5)
        heights = [at for at, values in points for _ in values]
        ax.plot([v for _, values in points for v in values], heights, "os^"[i], ms=4.5, color=f"C{i}", mfc="none", label=network)
    ax.set_yticks(range(len(results)), list(results))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.set(xlabel="accuracy")
    ax.grid(axis="x", color="0.92")
    ax.invert_yaxis()
    ax.legend(title="network", loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def conditions(panels: dict[str, dict[str, dict[str, list[float]]]]) -> Figure:
    """Panels by name: accuracy of each front end (a line) over the test conditions, a dash for each seed, the line at their mean."""
    fig, axes = plt.subplots(2, 2, figsize=(6.2, 3.7), sharex=True, sharey=True)
    for ax, (title, panel) in zip(axes.flat, panels.items()):
        for i, (name, row) in enumerate(panel.items()):
            ax.plot(range(len(row)), [np.mean(values) for values in row.values()], "os^"[i] + "-", ms=5, color=f"C{i}", label=name)
            for at, values in enumerate(row.values()):
                ax.plot([at] * len(values), values, "_", color=f"C{i}")
        ax.set_xticks(range(len(row)), list(row))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.grid(axis="y", color="0.92")
        ax.margins(x=0.15)
        ax.set_title(title, fontsize=10)
    fig.supylabel("accuracy", fontsize=10)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def front_end(samples: Tensor, mel: Tensor, mfcc: Tensor, hop: float, title: str = "", kind: str = "log-mel") -> Figure:
    """Waveform [T], mel map [frames, mels] and MFCC [frames, coefficients] of one clip under each other, time to the right."""
    fig, (sound, bands, cepstrum) = plt.subplots(3, 1, figsize=(7, 4.8), height_ratios=(1, 1.4, 1.4))
    waveform(samples, title=title, ax=sound)
    picture(bands, mel, hop, "mel band", kind)
    cepstral(cepstrum, mfcc, hop, "MFCC (without coefficient 0)")
    for ax in (sound, bands):
        ax.label_outer()
    return fig
