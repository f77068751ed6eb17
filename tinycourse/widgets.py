"""Widgets: ipywidgets over the pure functions of `plots`. Only what ipywidgets 7.7 and 8 share."""

import html
import io
import itertools
from dataclasses import replace

import ipywidgets as w
import matplotlib.pyplot as plt
import torch
from IPython.display import Audio
from matplotlib.figure import Figure

from tinycourse import (
    anatomy,
    costs,
    findings,
    gates,
    lattice,
    metrics,
    plots,
    plots_baselines,
    plots_cells,
    plots_condenser,
    plots_explore,
    plots_frontend,
    plots_transducer,
    stream,
)
from tinycourse.audio import from_file
from tinycourse.augmentation import add_noise
from tinycourse.checkpoint import Recogniser
from tinycourse.data import RATE, Clips
from tinycourse.errors import TinycourseError
from tinycourse.frontend import Frontend, FrontendConfig
from tinycourse.models.condenser import AttentionCondenser
from tinycourse.models.design import Design
from tinycourse.pareto import on_front
from tinycourse.recorder import Recorder, uploads


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


class Explorer(w.VBox):
    """Rows of controls, a picture under them, and what else goes `below` it. Whatever is moved, the widget's own `redraw` follows."""

    def __init__(self, *rows: tuple[w.Widget, ...], below: tuple[w.Widget, ...] = ()):
        self.picture = w.Image(format="png")
        for control in itertools.chain(*rows):
            control.observe(self.redraw, "value")
        self.redraw()
        super().__init__([*map(w.HBox, rows), self.picture, *below])


def word_menu(clips: Clips) -> w.Dropdown:
    """All words of which there are clips."""
    words = [name for name, count in clips.counts().items() if count]
    return w.Dropdown(options=words, value="yes" if "yes" in words else words[0], description="word")


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
        figure = plots_frontend.front_end(audio[0], mel, mfcc, config.hop / RATE, self.choice.value, self.kind.value)
        self.picture.value = png(figure)
        self.sound.value = Audio(audio[0].numpy(), rate=RATE)._repr_html_()


class CondenserExplorer(Explorer):
    """Choose a word and a condenser, change its window and its S, and watch its maps and what the recogniser says then.

    A window of 0 bands is all of them. `maps` holds the last maps by step, each [C, H, W]; `scores` the last scores by class.
    """

    def __init__(self, recogniser: Recogniser, clips: Clips):
        self.recogniser, self.clips = recogniser, clips
        parts = {path: part for path, part in recogniser.network.named_modules() if isinstance(part, AttentionCondenser)}
        self.word = word_menu(clips)
        self.part = w.Dropdown(options=list(parts.items()), description="condenser")
        self.channel = w.IntSlider(value=0, min=0, max=8, description="channel", continuous_update=False)
        self.frames = w.IntSlider(value=1, min=1, max=26, description="pool: frames", continuous_update=False)
        self.bands = w.IntSlider(value=1, min=0, max=10, description="pool: bands", continuous_update=False)
        self.strength = w.FloatSlider(value=1, min=0, max=3, step=0.25, description="S, times", continuous_update=False)
        self.part.observe(self.restore, "value")
        self.restore()
        super().__init__((self.word, self.part, self.channel), (self.frames, self.bands, self.strength))

    def restore(self, change=None) -> None:
        """Window and S as the chosen condenser was trained."""
        self.frames.value, self.bands.value = self.part.value.pool
        self.strength.value = 1

    @torch.no_grad()
    def redraw(self, change=None) -> None:
        """Take the condenser apart as the controls say, and let the network go on with what it gives."""
        network, part = self.recogniser.network, self.part.value
        take = (self.clips.labels == self.clips.classes.index(self.word.value)).nonzero().flatten()[:1]
        x = self.recogniser.frontend(self.clips.subset(take).waveforms())
        maps = anatomy.dissect(part, anatomy.given(network, part, x), (self.frames.value, self.bands.value), self.strength.value)
        hook = part.register_forward_hook(lambda *_: maps["V'"])
        self.scores = dict(zip(self.recogniser.classes, network(x)[0].softmax(0).tolist()))
        hook.remove()
        self.maps = {name: x[0] for name, x in maps.items()}
        self.picture.value = png(plots_condenser.condensed(self.maps, self.channel.value, self.scores, self.word.value))


class ThresholdExplorer(Explorer):
    """When should a device act? Move threshold, smoothing and deaf time, and watch misses and false alarms change places.

    posteriors [N, classes] are those of `recording`, a window every `hop` seconds. `here` is the last operating point.
    """

    THRESHOLDS = tuple(torch.linspace(-1.5, 7, 40, dtype=torch.float64).sigmoid().tolist())  # closer and closer to 1
    SHOWN = 20  # seconds in the upper picture

    def __init__(self, posteriors: torch.Tensor, classes: tuple[str, ...], recording: stream.Recording, hop: float = 0.2):
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
        score, words = stream.best_keyword(stream.smooth(self.posteriors, self.windows.value), self.classes)

        def detect(threshold: float) -> list[metrics.Detection]:
            return stream.detect(score, words, threshold, self.hop, self.refractory.value)

        spoken, hours = self.recording.spoken, self.recording.hours
        curve = metrics.trade_off(detect, spoken, hours, self.THRESHOLDS)
        self.here = curve[self.THRESHOLDS.index(self.threshold.value)]
        found = metrics.judge(detect(self.here.threshold), spoken)
        span = self.start.value, self.start.value + self.SHOWN
        self.picture.value = png(plots_baselines.operating(score, self.hop, spoken, *found, self.here, curve, hours, span))


class AlignmentExplorer(w.VBox):
    """Drag an alignment through the lattice of an utterance: a slider for each label says in which frame it is said.

    utterances: `lattice.Heard` by name. Labels keep their order: one that is pushed past its neighbour takes it along. `alignment` is
    the one chosen last, `share` how much of the probability of all alignments is its own.
    """

    MOST = 7  # labels of an utterance

    def __init__(self, utterances: dict[str, lattice.Heard]):
        if too_long := [name for name, heard in utterances.items() if len(heard.words) > self.MOST]:
            raise TinycourseError(f"{too_long[0]} has more than {self.MOST} labels: choose a shorter utterance.")
        self.utterances = utterances
        self.choice = w.Dropdown(options=list(utterances), description="lattice")
        self.best = w.Button(description="best alignment")
        self.frames = [w.IntSlider(0, 0, 1, continuous_update=False) for _ in range(self.MOST)]
        self.picture = w.Image(format="png")
        self.choice.observe(self.reset, "value")
        self.best.on_click(self.reset)
        for slider in self.frames:
            slider.observe(self.move, "value")
        self.reset()
        super().__init__([w.HBox([self.choice, self.best]), w.HBox(self.frames[:4]), w.HBox(self.frames[4:]), self.picture])

    @property
    def heard(self) -> lattice.Heard:
        """The chosen lattice."""
        return self.utterances[self.choice.value]

    def reset(self, change=None) -> None:
        """Show the best alignment of the chosen lattice."""
        heard = self.heard
        self.visited, _ = lattice.occupancy(heard.log_probs, heard.target, heard.blank)
        self.everything = -lattice.loss(heard.log_probs, heard.target, heard.blank)
        self.place(lattice.places(lattice.best(heard.log_probs, heard.target, heard.blank)))

    def place(self, places: list[int]) -> None:
        """Set the sliders without asking them, and draw."""
        heard = self.heard
        for slider in self.frames:
            slider.unobserve(self.move, "value")
        for i, slider in enumerate(self.frames):
            used = i < len(places)
            slider.layout.display = None if used else "none"
            slider.description = heard.words[i] if used else ""
            slider.max = len(heard.log_probs) - 1
            slider.value = places[i] if used else 0
        for slider in self.frames:
            slider.observe(self.move, "value")
        self.redraw(places)

    def move(self, change) -> None:
        """A slider was moved: those behind it are pushed ahead, those before it back."""
        moved, count = self.frames.index(change["owner"]), len(self.heard.words)
        value = change["new"]
        places = [slider.value for slider in self.frames[:count]]
        self.place([min(t, value) if i < moved else max(t, value) for i, t in enumerate(places)])

    def redraw(self, places: list[int]) -> None:
        """Draw the alignment that says each label in its place."""
        heard = self.heard
        self.alignment = lattice.saying(places, len(heard.log_probs))
        scores = lattice.step_scores(heard.log_probs, heard.target, heard.blank, self.alignment)
        self.share = float((scores.sum() - self.everything).exp())
        said = f"probability {float(scores.sum().exp()):.2g}, {self.share:.1%} of all alignments"
        way = lattice.nodes(self.alignment)
        self.picture.value = png(plots_transducer.alignment(self.visited, heard.words, way, scores, said, heard.mel))


class SearchExplorer(w.VBox):
    """Watch the front of a study grow, and open any of its networks: layers, costs, error.

    `rows` are those of a record (see `findings`); `row` is the open one.
    """

    def __init__(self, rows: list[dict]):
        self.rows = findings.trained_rows({"rows": rows})
        wide = {"style": {"description_width": "110px"}}
        last = len(self.rows)
        self.count = w.IntSlider(last, 1, last, description="trained so far", continuous_update=False, **wide)
        self.choice = w.Dropdown(description="open", layout=w.Layout(width="420px"))
        self.words, self.picture = w.HTML(), w.Image(format="png")
        self.count.observe(self.relist, "value")
        self.choice.observe(self.redraw, "value")
        self.relist()
        super().__init__([w.HBox([self.count, self.choice]), self.picture, self.words])

    def relist(self, change=None) -> None:
        """The networks that can be opened: those on the front first, then the others, each by its error."""
        rows = self.rows[: self.count.value]
        self.points = [(row["error"], row["costs"]["parameters"]) for row in rows]
        self.best = on_front(self.points)
        order = sorted(range(len(rows)), key=lambda i: (not self.best[i], rows[i]["error"]))
        labels = [f"{'front: ' if self.best[i] else ''}{rows[i]['error']:.1%}, {rows[i]['costs']['parameters']:,} weights" for i in order]
        self.choice.unobserve(self.redraw, "value")
        self.choice.options = [(f"{label} (trial {rows[i]['number']})", i) for label, i in zip(labels, order)]
        self.choice.value = order[0]
        self.choice.observe(self.redraw, "value")
        self.redraw()

    def redraw(self, change=None) -> None:
        """Open the chosen network."""
        self.row = self.rows[self.choice.value]
        spent = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in self.row["costs"].items() if value)
        chosen = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.row["choices"].items())
        self.words.value = f"<p><b>Costs</b>: {html.escape(spent)}.<br><b>Choices</b>: {html.escape(chosen)}.</p>"
        parts = costs.by_part(Design.from_json(self.row["design"]))
        self.picture.value = png(plots_explore.explored(self.points, self.best, self.choice.value, parts))


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
        self.cells = {kind.upper(): gates.driven(kind, pulses, keep, let_in) for kind in ("lstm", "cifg")}
        self.picture.value = png(plots_cells.held(pulses, keep, self.cells))
