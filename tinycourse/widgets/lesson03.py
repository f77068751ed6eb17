"""The widget of lesson 03, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w
import torch

from tinycourse.data import Clips
from tinycourse.plots import lesson03 as figures03
from tinycourse.studies import lesson03 as study03
from tinycourse.training.checkpoint import Recogniser
from tinycourse.widgets.explorer import Explorer, png, word_menu


class CondenserExplorer(Explorer):
    """Choose a word and a condenser, change its window and its S, and watch its maps and what the recogniser says then.

    `maps` holds the last maps by step, each [C, H, W]; `scores` the last scores by class.
    """

    def __init__(self, recogniser: Recogniser, clips: Clips):
        self.recogniser, self.clips = recogniser, clips
        parts = {path: part for path, part in recogniser.network.named_modules() if isinstance(part, study03.Condenser)}
        self.word = word_menu(clips)
        self.part = w.Dropdown(options=list(parts.items()), description="condenser")
        self.channel = w.IntSlider(value=0, min=0, max=8, description="channel", continuous_update=False)
        self.frames = w.IntSlider(value=1, min=1, max=26, description="pool: frames", continuous_update=False)
        self.bands = w.IntSlider(value=1, min=1, max=10, description="pool: bands", continuous_update=False)
        self.strength = w.FloatSlider(value=1, min=0, max=3, step=0.25, description="S, times", continuous_update=False)
        self.part.observe(self.restore, "value")
        self.restore()
        super().__init__((self.word, self.part, self.channel), (self.frames, self.bands, self.strength))

    @property
    def trained(self) -> tuple[int, int]:
        """The window with which the chosen condenser was trained."""
        frames, bands = self.part.value.pool
        return frames, bands or self.bands.max

    def restore(self, change=None) -> None:
        """Window and S as the chosen condenser was trained."""
        self.frames.value, self.bands.value = self.trained
        self.strength.value = 1

    @torch.no_grad()
    def redraw(self, change=None) -> None:
        """Take the condenser apart as the controls say, and let the network go on with what it gives."""
        network, part = self.recogniser.network, self.part.value
        take = (self.clips.labels == self.clips.classes.index(self.word.value)).nonzero().flatten()[:1]
        x = self.recogniser.frontend(self.clips.subset(take).waveforms())
        window = self.frames.value, self.bands.value
        pool = part.pool if window == self.trained else window  # of all bands some condensers take the mean
        maps = study03.dissect(part, study03.given(network, part, x), pool, self.strength.value)
        hook = part.register_forward_hook(lambda *_: maps["V'"])
        self.scores = dict(zip(self.recogniser.classes, network(x)[0].softmax(0).tolist()))
        hook.remove()
        self.maps = {name: x[0] for name, x in maps.items()}
        self.picture.value = png(figures03.condensed(self.maps, self.channel.value, self.scores, self.word.value))
