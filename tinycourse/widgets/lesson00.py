"""The widget of lesson 00, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w
import torch
from IPython.display import Audio

from tinycourse import plots
from tinycourse.data import Clips
from tinycourse.features.augmentation import add_noise
from tinycourse.training.checkpoint import Recogniser
from tinycourse.widgets.explorer import Explorer, png, word_menu


class WordExplorer(Explorer):
    """Choose a word and a take, disturb it, and watch features and scores follow.

    `heard` is the last audio [1, 16000], `scores` the last scores by class.
    """

    def __init__(self, recogniser: Recogniser, clips: Clips, seed: int = 0):
        self.recogniser, self.clips, self.seed = recogniser, clips, seed
        self.word = word_menu(clips)
        self.take = w.IntSlider(value=0, min=0, max=19, description="take", continuous_update=False)
        self.noise = w.FloatSlider(value=40, min=-10, max=40, step=5, description="SNR (dB)", continuous_update=False)
        self.sound = w.HTML()
        super().__init__((self.word, self.take, self.noise), below=(self.sound,))

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
