"""The widget of lesson 08, over the pictures of `plots/lesson08.py`. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w
from torch import Tensor

from tinycourse.plots import lesson08 as figures
from tinycourse.quantization import qat
from tinycourse.quantization.post_training import signal_to_noise
from tinycourse.widgets.explorer import Explorer, png

EACH, ALL = "a step for each row", "one for all"
SHOWN = 12, 24  # of the matrix: outputs, inputs


class RoundingExplorer(Explorer):
    """Choose a weight, its bits, who shares a step, and where numbers are cut off; put an outlier in; see what is left of the matrix.

    `weight` [O, I] is the matrix with its outlier, `scale` its steps [O or 1, 1], `back` what is left of it, `snr` in dB.
    """

    def __init__(self, weights: dict[str, Tensor]):
        self.weights = {name: weight.detach().flatten(1) for name, weight in weights.items()}
        self.name = w.Dropdown(options=list(weights), description="weight")
        self.bits = w.IntSlider(value=4, min=2, max=8, description="bits", continuous_update=False)
        self.shared = w.Dropdown(options=[EACH, ALL], description="steps")
        self.reach = w.FloatSlider(value=1, min=0.2, max=1, step=0.05, description="cut off at", continuous_update=False)
        self.outlier = w.FloatSlider(value=1, min=1, max=20, step=1, description="outlier", continuous_update=False)
        self.words = w.HTML()
        super().__init__((self.name, self.bits, self.shared), (self.reach, self.outlier), below=(self.words,))

    def redraw(self, change=None) -> None:
        """Round the weight as the controls say."""
        self.weight = self.weights[self.name.value].clone()
        place = divmod(int(self.weight[: SHOWN[0], : SHOWN[1]].abs().argmax()), min(SHOWN[1], self.weight.shape[1]))
        self.weight[place] *= self.outlier.value
        largest = 2 ** (self.bits.value - 1) - 1
        each = self.shared.value == EACH
        self.scale = self.reach.value * qat.row_scales(self.weight if each else self.weight.view(1, -1), self.bits.value)
        self.back = qat.StraightThrough.apply(self.weight, self.scale, 0, -largest, largest)
        integers, part = self.back / self.scale, (slice(SHOWN[0]), slice(SHOWN[1]))
        self.snr = signal_to_noise(self.weight.numpy(), self.back.numpy())
        step = self.scale.expand_as(self.weight)
        shown = (x[part].numpy() for x in (self.weight, integers, self.back, step))
        self.picture.value = png(figures.before_and_after(*shown))
        lost, cut = (integers.round() == 0).float().mean(), ((self.weight / self.scale).abs() > largest + 0.5).float().mean()
        self.words.value = (
            f"Signal to noise {self.snr:.1f} dB; {lost:.1%} of the weights became 0, {cut:.1%} were cut off; "
            f"{qat.bytes_of(self.weight, self.bits.value):,} bytes, {4 * self.weight.numel():,} in float32."
        )
