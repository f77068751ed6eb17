"""Widgets: ipywidgets over the pure functions of `plots`. Only what ipywidgets 7.7 and 8 share."""

import io

import ipywidgets as w
import matplotlib.pyplot as plt
import torch
from IPython.display import Audio
from matplotlib.figure import Figure

from tinycourse import plots
from tinycourse.checkpoint import Recogniser
from tinycourse.data import Clips
from tinycourse.frontend import add_noise


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


class WordExplorer(w.VBox):
    """Choose a word and a take, disturb it, and watch features and scores follow.

    `heard` is the last audio [1, 16000], `scores` the last scores by class.
    """

    def __init__(self, recogniser: Recogniser, clips: Clips, seed: int = 0):
        self.recogniser, self.clips, self.seed = recogniser, clips, seed
        words = [name for name, count in clips.counts().items() if count]
        self.word = w.Dropdown(options=words, value="yes" if "yes" in words else words[0], description="word")
        self.take = w.IntSlider(value=0, min=0, max=19, description="take", continuous_update=False)
        self.noise = w.FloatSlider(value=40, min=-10, max=40, step=5, description="SNR (dB)", continuous_update=False)
        self.picture = w.Image(format="png")
        self.sound = w.HTML()
        controls = (self.word, self.take, self.noise)
        for control in controls:
            control.observe(self.redraw, "value")
        self.redraw()
        super().__init__([w.HBox(controls), self.picture, self.sound])

    def clip(self) -> torch.Tensor:
        """The chosen clip with its noise, [1, 16000]."""
        chosen = (self.clips.labels == self.clips.classes.index(self.word.value)).nonzero().flatten()
        audio = self.clips.subset(chosen[self.take.value % len(chosen)][None]).waveforms()
        hiss = torch.randn(audio.shape, generator=torch.Generator().manual_seed(self.seed))
        return add_noise(audio, 0.01 * hiss, torch.tensor([float(self.noise.value)]))

    def redraw(self, change=None) -> None:
        """Hear, see and classify what the controls say."""
        self.heard = self.clip()
        with torch.no_grad():
            features = self.recogniser.frontend(self.heard)
            share = self.recogniser.network(features)[0].softmax(0)
        self.scores = dict(zip(self.recogniser.classes, share.tolist()))
        self.picture.value = png(plots.recognition(self.heard[0], features[0, 0], self.scores, self.word.value))
        self.sound.value = Audio(self.heard[0].numpy(), rate=16_000)._repr_html_()
