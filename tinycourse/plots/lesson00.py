"""Pictures of lesson 00: every function takes data, draws one figure and returns it. Nothing here computes a result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from tinycourse.plots.shared import feature_map, scores, waveform


def recognition(samples, features, class_scores: dict[str, float], truth: str | None = None) -> Figure:
    """A clip from left to right as the recogniser meets it: samples [T], features [frames, bands], scores by class."""
    fig, axes = plt.subplots(1, 3, figsize=(10, 2.7), width_ratios=(1, 1.15, 1))
    waveform(samples, title="what the microphone hears", ax=axes[0])
    feature_map(features, title="what the network sees", ax=axes[1])
    scores(class_scores, truth, title="what it says (* is the truth)" if truth else "what it says", ax=axes[2])
    return fig


def quantized_weights(weights: np.ndarray, integers: np.ndarray, scale: float) -> Figure:
    """One filter's weights [n]: the real values as dots, the int8 steps as lines, and the error below, in steps."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 3.6), sharex=True, height_ratios=(3, 1.2))
    x = np.arange(len(weights))
    top.vlines(x, 0, integers * scale, color="C4", lw=4, label="int8 x scale")
    top.plot(x, weights, "o", ms=4, color="black", label="float32")
    top.set(ylabel="weight")
    top.legend(loc="upper right", ncols=2)
    bottom.bar(x, weights / scale - integers, color="C1")
    for edge in (-0.5, 0.5):
        bottom.axhline(edge, color="0.4", lw=0.8, ls="--")
    bottom.set(xlabel="weight number", ylabel="error\n(steps)", ylim=(-0.7, 0.7))
    return fig
