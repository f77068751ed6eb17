"""Every picture is drawn, has its words, and the widget's figure follows its controls."""

import matplotlib

from tests import drawn

matplotlib.use("Agg")

import numpy as np
import pytest
import torch

from tinycourse import plots
from tinycourse.data import Clips
from tinycourse.training import checkpoint, metrics
from tinycourse.widgets import lesson00

CLASSES = ("silence", "unknown", "yes", "no")


pytestmark = pytest.mark.usefixtures("closed")


def texts(figure) -> str:
    """All words in a figure, once it is drawn."""
    return " ".join(drawn.texts(figure))


def test_path_names_every_stage_and_fills_the_lessons():
    for lesson, filled in (("00", 8), ("03", 1), ("04", 1), ("05", 1)):
        figure = plots.path(lesson)
        colours = [t.get_bbox_patch().get_facecolor()[:3] for t in figure.axes[0].texts if t.get_bbox_patch()]
        assert sum(c != (1, 1, 1) for c in colours) == filled
        assert all(name in texts(figure) for name, _, _ in plots.STAGES)


def test_recognition_marks_truth_and_best():
    figure = plots.recognition(torch.zeros(16_000), torch.zeros(101, 40), {"yes": 0.25, "no": 0.75}, truth="yes")
    assert "yes *" in texts(figure) and "75%" in texts(figure)
    bars = figure.axes[2].patches
    assert [b.get_hatch() for b in bars] == [None, "///"]


def test_confusion_shows_percent_of_rows():
    report = metrics.report(torch.eye(4)[[0, 1, 1, 3]], torch.tensor([0, 1, 2, 3]), CLASSES)
    words = [t.get_text() for t in plots.confusion(report).axes[0].texts]
    assert words == ["100"] * 4
    assert report.accuracy == 0.75 and report.per_class["yes"] == 0 and report.count == 4


def test_quantized_weights_and_layer_costs():
    weights = np.linspace(-1, 1, 9)
    figure = plots.quantized_weights(weights, np.rint(weights * 127), 1 / 127)
    assert max(abs(b.get_height()) for b in figure.axes[1].patches) <= 0.5
    layers = [{"layer": "stem", "weight_bytes": 10, "instructions": None}]
    figure = plots.layer_costs(layers, (("weight_bytes", "bytes"), ("instructions", "instructions")))
    assert [ax.patches[0].get_width() for ax in figure.axes] == [10, 0]


@pytest.fixture
def explorer():
    torch.manual_seed(0)
    recogniser = checkpoint.Recogniser("tinyspeech-m", CLASSES).eval()
    audio = (torch.randn(8, 16_000) * 3_000).to(torch.int16)
    return lesson00.WordExplorer(recogniser, Clips(audio, torch.arange(8) % 4, CLASSES, [str(i) for i in range(8)]))


@pytest.mark.parametrize("control, value", [("word", "no"), ("take", 1), ("noise", -10)])
def test_every_control_changes_the_figure(explorer, control, value):
    before, sound = bytes(explorer.picture.value), explorer.sound.value
    assert before.startswith(b"\x89PNG") and "<audio" in sound
    getattr(explorer, control).value = value
    assert bytes(explorer.picture.value) != before and explorer.sound.value != sound


def test_the_explorer_plays_the_clip_it_names(explorer):
    explorer.word.value = "no"
    torch.testing.assert_close(explorer.heard[0], explorer.clips.waveforms()[3], atol=0.02, rtol=0)
    assert sum(explorer.scores.values()) == pytest.approx(1) and tuple(explorer.scores) == CLASSES
