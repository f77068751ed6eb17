"""The widget of lesson 02, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w
import torch

from tinycourse.plots import lesson02 as figures02
from tinycourse.spotting import detector, operating_curves
from tinycourse.widgets.explorer import Explorer, png


class ThresholdExplorer(Explorer):
    """When should a device act? Move threshold, smoothing and deaf time, and watch misses and false alarms change places.

    posteriors [N, classes] are those of `recording`, a window every `hop` seconds. `here` is the last operating point.
    """

    THRESHOLDS = tuple(torch.linspace(-1.5, 7, 40, dtype=torch.float64).sigmoid().tolist())  # closer and closer to 1
    SHOWN = 20  # seconds in the upper picture

    def __init__(self, posteriors: torch.Tensor, classes: tuple[str, ...], recording: detector.Recording, hop: float = 0.2):
        self.posteriors, self.classes, self.recording, self.hop = posteriors, classes, recording, hop
        options = [(f"{t:.3f}", t) for t in self.THRESHOLDS]
        self.threshold = w.SelectionSlider(options=options, value=self.THRESHOLDS[15], description="threshold", continuous_update=False)
        wide = {"continuous_update": False, "style": {"description_width": "120px"}}
        self.windows = w.IntSlider(2, 1, 8, description="mean over windows", **wide)
        self.refractory = w.FloatSlider(1.0, min=0.2, max=3.0, step=0.2, description="deaf for (s)", **wide)
        last = max(1, int(recording.hours * 3600) - self.SHOWN)
        self.start = w.IntSlider(0, 0, last, description="shown from (s)", **wide)
        super().__init__((self.threshold, self.windows), (self.refractory, self.start))

    def redraw(self, change=None) -> None:
        """Detect anew with the settings as they are."""
        score, words = detector.best_keyword(detector.smooth(self.posteriors, self.windows.value), self.classes)

        def detect(threshold: float) -> list[operating_curves.Detection]:
            return detector.detect(score, words, threshold, self.hop, self.refractory.value)

        spoken, hours = self.recording.spoken, self.recording.hours
        curve = operating_curves.trade_off(detect, spoken, hours, self.THRESHOLDS)
        self.here = curve[self.THRESHOLDS.index(self.threshold.value)]
        found = operating_curves.judge(detect(self.here.threshold), spoken)
        span = self.start.value, self.start.value + self.SHOWN
        self.picture.value = png(figures02.operating(score, self.hop, spoken, *found, self.here, curve, hours, span))
