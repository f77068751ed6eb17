"""The widget of lesson 06, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w
import torch

from tinycourse.plots import lesson06 as figures06
from tinycourse.studies import lesson06 as study06
from tinycourse.widgets.explorer import Explorer, png


class CellExplorer(Explorer):
    """Hold the gates of one unit by hand: pulses come in, a share is kept, for a moment it forgets, and LSTM and CIFG remember.

    `cells` holds the last cells [T] by kind.
    """

    FRAMES = 60

    def __init__(self):
        wide = {"continuous_update": False, "style": {"description_width": "130px"}}
        self.keep = w.FloatSlider(0.95, min=0.0, max=1.0, step=0.01, description="kept, f", **wide)
        self.let_in = w.FloatSlider(0.5, min=0.0, max=1.0, step=0.05, description="LSTM lets in, i", **wide)
        self.every = w.IntSlider(12, 2, 30, description="frames from pulse to pulse", **wide)
        self.forget = w.IntSlider(40, 0, self.FRAMES, description="forgets at frame", **wide)
        super().__init__((self.keep, self.let_in), (self.every, self.forget))

    def redraw(self, change=None) -> None:
        """Let the pulses come in as the controls say."""
        time = torch.arange(self.FRAMES)
        pulses = ((time % self.every.value == 0) & (time > 0)).float()
        keep = torch.where(time == self.forget.value, 0.0, self.keep.value)
        let_in = torch.full((self.FRAMES,), self.let_in.value)
        self.cells = {kind.upper(): study06.driven(kind, pulses, keep, let_in) for kind in ("lstm", "cifg")}
        self.picture.value = png(figures06.held(pulses, keep, self.cells))
