"""The widget of lesson 01, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import html
from dataclasses import replace

import ipywidgets as w
import torch
from IPython.display import Audio

from tinycourse.data import RATE, Clips
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import from_file
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.plots import lesson01 as figures01
from tinycourse.widgets.explorer import png
from tinycourse.widgets.recorder import Recorder, uploads


class FrontEndExplorer(w.VBox):
    """Choose, upload or record a clip, move the settings of the front end, and watch waveform, mel map and MFCC follow.

    `sounds` holds every clip that can be chosen, by name: uploads and recordings join it, and none is ever lost. What cannot be
    used, a damaged file or settings that do not go together, is told in `message`, and the picture stays as it was.
    """

    LONGEST = 10 * RATE  # samples of a clip that are used, from its beginning
    NUMBERS = (  # name, unit, value, lowest, highest, step of each slider
        ("window", "ms", 30, 10, 60, 5),
        ("hop", "ms", 10, 5, 30, 5),
        ("low", "Hz", 20, 0, 500, 20),
        ("high", "Hz", 4000, 1000, 8000, 200),
        ("mels", "bands", 40, 10, 80, 2),
        ("coefficients", "kept", 40, 2, 80, 1),
    )

    def __init__(self, clips: Clips, takes: int = 2):
        self.sounds = {}
        for label, name in enumerate(clips.classes):
            for take, audio in enumerate(clips.subset((clips.labels == label).nonzero().flatten()[:takes]).waveforms()):
                self.sounds[f"{name} {take + 1}"] = audio
        first = "yes 1" if "yes 1" in self.sounds else next(iter(self.sounds))
        self.choice = w.Dropdown(options=list(self.sounds), value=first, description="clip")
        self.kind = w.Dropdown(options=["log-mel", "pcen"], description="loudness")
        self.upload = w.FileUpload(accept="audio/*", multiple=True, description="Upload")
        self.recorder = Recorder(lambda samples: self.add("recording", samples))
        wide = {"continuous_update": False, "style": {"description_width": "110px"}}
        self.numbers = {
            name: w.IntSlider(value, low, high, step, description=f"{name}, {unit}", **wide)
            for name, unit, value, low, high, step in self.NUMBERS
        }
        self.message, self.sound, self.picture = w.HTML(), w.HTML(), w.Image(format="png")
        sliders = list(self.numbers.values())
        for control in (self.choice, self.kind, *sliders):
            control.observe(self.redraw, "value")
        self.upload.observe(self.receive, "value")
        self.redraw()
        rows = [w.HBox([self.choice, self.upload, self.recorder]), w.HBox([self.kind, self.message])]
        super().__init__([*rows, w.HBox([w.VBox(sliders[:3]), w.VBox(sliders[3:])]), self.picture, self.sound])

    def add(self, name: str, samples) -> None:
        """Another clip to choose from, float32 [samples] at 16 kHz; it is chosen at once."""
        name = next(n for n in (name, *(f"{name} ({i})" for i in range(2, 10_000))) if n not in self.sounds)
        self.sounds[name] = torch.as_tensor(samples[: self.LONGEST])
        self.choice.unobserve(self.redraw, "value")
        self.choice.options = list(self.sounds)  # ipywidgets then chooses the first one
        self.choice.observe(self.redraw, "value")
        self.choice.value = name
        if len(samples) > self.LONGEST:
            self.tell(f"{name} is long: shown are its first {self.LONGEST // RATE} seconds.")

    def receive(self, change) -> None:
        """Files were uploaded: all that are recordings join the clips, of the others is told what is wrong."""
        problems = []
        for name, content in uploads(change["new"]):
            try:
                self.add(name, from_file(content, name))
            except TinycourseError as error:
                problems.append(str(error))
        if problems:
            self.tell(" ".join(problems))

    def tell(self, sentence: str) -> None:
        """One sentence beside the controls."""
        self.message.value = html.escape(sentence)

    def config(self) -> FrontendConfig:
        """The settings as they are; the FFT is as long as the window needs."""
        n = {name: slider.value for name, slider in self.numbers.items()}
        window, hop = (n[name] * RATE // 1000 for name in ("window", "hop"))
        fft = max(512, 1 << (window - 1).bit_length())
        return FrontendConfig(self.kind.value, RATE, window, hop, fft, n["mels"], min(n["coefficients"], n["mels"]), n["low"], n["high"])

    def redraw(self, change=None) -> None:
        """Show and play the chosen clip with the chosen settings, or say why not."""
        audio, config = self.sounds[self.choice.value][None], self.config()
        try:
            mel = Frontend(config).features(audio)[0]
            mfcc = Frontend(replace(config, kind="mfcc")).features(audio)[0]
        except TinycourseError as error:
            return self.tell(str(error))
        self.tell(f"{mel.shape[0]} frames x {mel.shape[1]} bands, or x {mfcc.shape[1]} coefficients")
        figure = figures01.front_end(audio[0], mel, mfcc, config.hop / RATE, self.choice.value, self.kind.value)
        self.picture.value = png(figure)
        self.sound.value = Audio(audio[0].numpy(), rate=RATE)._repr_html_()
