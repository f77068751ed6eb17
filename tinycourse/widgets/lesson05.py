"""The widget of lesson 05, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w

from tinycourse.errors import TinycourseError
from tinycourse.plots import lesson05 as figures05
from tinycourse.studies import lesson05 as study05
from tinycourse.transducer import alignments
from tinycourse.widgets.explorer import png


class AlignmentExplorer(w.VBox):
    """Drag an alignment through the lattice of an utterance: a slider for each label says in which frame it is said.

    utterances: `study.Lattice` by name. Labels keep their order: one that is pushed past its neighbour takes it along. `alignment` is
    the one chosen last, `share` how much of the probability of all alignments is its own.
    """

    MOST = 7  # labels of an utterance

    def __init__(self, utterances: dict[str, study05.Lattice]):
        if too_long := [name for name, shown in utterances.items() if len(shown.words) > self.MOST]:
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
    def shown(self) -> study05.Lattice:
        """The chosen lattice."""
        return self.utterances[self.choice.value]

    def reset(self, change=None) -> None:
        """Show the best alignment of the chosen lattice."""
        shown = self.shown
        self.visited, _ = study05.occupancy(shown.log_probs, shown.target, shown.blank)
        self.everything = -alignments.loss(shown.log_probs, shown.target, shown.blank)
        self.place(alignments.places(alignments.best(shown.log_probs, shown.target, shown.blank)))

    def place(self, places: list[int]) -> None:
        """Set the sliders without asking them, and draw."""
        shown = self.shown
        for slider in self.frames:
            slider.unobserve(self.move, "value")
        for i, slider in enumerate(self.frames):
            used = i < len(places)
            slider.layout.display = None if used else "none"
            slider.description = shown.words[i] if used else ""
            slider.max = len(shown.log_probs) - 1
            slider.value = places[i] if used else 0
        for slider in self.frames:
            slider.observe(self.move, "value")
        self.redraw(places)

    def move(self, change) -> None:
        """A slider was moved: those behind it are pushed ahead, those before it back."""
        moved, count = self.frames.index(change["owner"]), len(self.shown.words)
        value = change["new"]
        places = [slider.value for slider in self.frames[:count]]
        self.place([min(t, value) if i < moved else max(t, value) for i, t in enumerate(places)])

    def redraw(self, places: list[int]) -> None:
        """Draw the alignment that says each label in its place."""
        shown = self.shown
        self.alignment = alignments.saying(places, len(shown.log_probs))
        scores = alignments.step_scores(shown.log_probs, shown.target, shown.blank, self.alignment)
        self.share = float((scores.sum() - self.everything).exp())
        said = f"probability {float(scores.sum().exp()):.2g}, {self.share:.1%} of all alignments"
        way = alignments.nodes(self.alignment)
        self.picture.value = png(figures05.alignment(self.visited, shown.words, way, scores, said, shown.mel))
