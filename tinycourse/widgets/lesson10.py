"""Widgets of lesson 10: a studio that keeps recordings in a folder, and a listener to speak to. Only what ipywidgets 7.7 and 8 share."""

import html
from pathlib import Path

import ipywidgets as w
import numpy as np
import torch
from IPython.display import Audio

from tinycourse.data import user_recordings
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE, from_file, to_int16
from tinycourse.plots import lesson10 as figures
from tinycourse.program import keyword_spotter as listening
from tinycourse.spotting import detector
from tinycourse.spotting.wake_word import detections
from tinycourse.widgets.explorer import png
from tinycourse.widgets.recorder import Recorder, uploads


class Studio(w.VBox):
    """Choose a word, say who you are, record or upload: each take is kept as folder/word/who_number.wav.

    `message` tells what was kept or what is wrong, `counts` how many recordings each word has.
    """

    def __init__(self, folder: str | Path, words: tuple[str, ...]):
        self.folder, self.words = Path(folder), (*words, "unknown")
        self.word = w.Dropdown(options=self.words, description="word")
        self.who = w.Text(value="me", description="who speaks")
        self.recorder = Recorder(self.keep)
        self.upload = w.FileUpload(accept="audio/*", multiple=True, description="Upload")
        self.upload.observe(self.receive, "value")
        self.message, self.counts = w.HTML(), w.HTML()
        self.count()
        super().__init__([w.HBox([self.word, self.who]), w.HBox([self.recorder, self.upload]), self.message, self.counts])

    def keep(self, samples: np.ndarray) -> None:
        """Keep float32 samples at 16 kHz as the next take, or say why not."""
        try:
            path = user_recordings.save_take(self.folder, self.word.value, self.who.value.strip(), samples)
        except TinycourseError as error:
            self.message.value = html.escape(str(error))
            return
        self.message.value = f"kept {html.escape(path.name)}" + Audio(user_recordings.read_audio(path), rate=RATE)._repr_html_()
        self.count()

    def receive(self, change) -> None:
        """Every uploaded file is a take."""
        for name, content in uploads(change["new"]):
            try:
                self.keep(from_file(content, name))
            except TinycourseError as error:
                self.message.value = html.escape(str(error))

    def count(self) -> None:
        """How many recordings there are of each word."""
        found = {word: len(list((self.folder / word).glob("*.wav"))) for word in self.words}
        self.counts.value = ", ".join(f"{html.escape(word)}: {count}" for word, count in found.items())


class Trial(w.VBox):
    """Speak to a listener, upload a sound or choose one of `sounds` (float [samples] by name), and see what it would have done.

    The threshold can be moved. `fired` has the last detections.
    """

    LONGEST = 20 * RATE  # samples that are heard

    def __init__(self, listener: listening.Listener, sounds: dict[str, np.ndarray]):
        self.listener, self.sounds = listener, dict(sounds)
        self.choice = w.Dropdown(options=list(self.sounds), description="sound")
        self.threshold = w.FloatSlider(
            listener.settings.threshold, min=0.3, max=0.99, step=0.01, description="threshold", continuous_update=False
        )
        self.recorder = Recorder(self.add, seconds=4)
        self.upload = w.FileUpload(accept="audio/*", description="Upload")
        self.upload.observe(self.receive, "value")
        self.choice.observe(self.listen, "value")
        self.threshold.observe(self.redraw, "value")
        self.message, self.sound, self.picture = w.HTML(), w.HTML(), w.Image(format="png")
        self.listen()
        super().__init__([w.HBox([self.choice, self.recorder, self.upload]), self.threshold, self.message, self.picture, self.sound])

    def add(self, samples: np.ndarray, name: str = "recording") -> None:
        """Another sound, float32 [samples] at 16 kHz, chosen at once; one that is too short for a window is refused."""
        if len(samples) < 1.2 * RATE:
            self.message.value = "That is shorter than the second that the listener looks at: record or upload a longer sound."
            return
        name = f"{name} {len(self.sounds) + 1}"
        self.sounds[name] = samples
        self.choice.unobserve(self.listen, "value")
        self.choice.options = list(self.sounds)
        self.choice.observe(self.listen, "value")
        self.choice.value = name

    def receive(self, change) -> None:
        """A file was uploaded."""
        for name, content in uploads(change["new"]):
            try:
                self.add(from_file(content, name), name)
            except TinycourseError as error:
                self.message.value = html.escape(str(error))

    def listen(self, change=None) -> None:
        """Compute the posteriors of the chosen sound."""
        self.samples = np.asarray(self.sounds[self.choice.value], np.float32)[: self.LONGEST]
        self.said = self.listener.posteriors(to_int16(self.samples))
        self.sound.value = Audio(self.samples, rate=RATE)._repr_html_()
        self.redraw()

    def redraw(self, change=None) -> None:
        """Decide at the threshold as it is, and show."""
        self.fired = detections(self.listener, self.said, self.threshold.value)
        means = detector.smooth(torch.from_numpy(self.said / 2**listening.BITS), self.listener.settings.windows).numpy()
        ready = np.array([self.listener.ready(run) for run in range(len(means))]) / RATE
        names = [name for name, key in zip(self.listener.program.metadata["classes"], self.listener.keywords) if key]
        figure = figures.listening(self.samples, means[:, self.listener.keywords], tuple(names), ready, self.threshold.value, self.fired)
        self.picture.value = png(figure)
        self.message.value = "heard: " + (", ".join(f"{d.word} after {d.time:.1f} s" for d in self.fired) or "nothing")
