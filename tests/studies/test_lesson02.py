"""What lesson 02 is made of: published figures, looking inside, the plain training loop, its pictures and its widget."""

import matplotlib

matplotlib.use("Agg")

import pytest
import torch
from torch import nn

from tests.plots.test_plots import texts
from tests.training.test_training import NOISE, clips
from tinycourse import models, training
from tinycourse.features.augmentation import AugmentConfig
from tinycourse.features.frontend import Frontend
from tinycourse.models import design
from tinycourse.plots import lesson02 as figures
from tinycourse.spotting import detector
from tinycourse.spotting.operating_curves import Detection, Operating, Spoken
from tinycourse.studies import lesson02 as study
from tinycourse.studies import published_results
from tinycourse.training import checkpoint, profiling
from tinycourse.training.classifiers import ClipBatches, energies_of
from tinycourse.widgets import lesson02

SPOKEN = [Spoken("yes", 1.0, 2.0)]
CURVE = [Operating(0.5, 0.0, 120.0), Operating(0.9, 0.5, 30.0), Operating(0.99, 1.0, 0.0)]


pytestmark = pytest.mark.usefixtures("closed")


def test_published_networks_have_the_size_of_those_that_are_built():
    """What a paper rounds to three digits is what this course counts; parameters of every network that both have."""
    both = [p for p in published_results.PUBLISHED if p.name in models.MODELS]
    assert len(both) >= 15
    for p in both:
        frontend = models.frontend(p.name)
        cost = profiling.profile(models.build(p.name, 12), torch.zeros(1, 1, frontend.frames(frontend.rate), frontend.bands))
        assert cost.parameters == pytest.approx(p.parameters, rel=0.02), p.name


def test_ours_are_the_shipped_checkpoints_that_people_designed():
    rows = {name: row for name, *row in published_results.ours()}
    assert rows.keys() == checkpoint.shipped().keys() - design.found().keys() >= {"bc-resnet-1", "tinyspeech-m"}
    assert all(75 < accuracy <= 100 and parameters > 0 and work > 0 for accuracy, parameters, work in rows.values())
    table = published_results.table(published_results.ours()).split("\n")
    assert len(table) == 2 + len(rows) and all(f"{rows[line.split()[0]][0]:.1f}" in line for line in table[2:])


def test_a_network_without_a_published_figure_gets_a_dash():
    assert published_results.table([("mine", 90.0, 1_000, 2_000)]).split("\n")[-1].split() == [
        "mine",
        "-",
        "90.0",
        "-",
        "1,000",
        "-",
        "2,000",
    ]


def test_a_unit_sees_its_receptive_field_and_nothing_else():
    network = nn.Sequential(nn.Conv2d(1, 4, (3, 5), padding=(1, 2)), nn.Conv2d(4, 2, (5, 1), padding=(4, 0), dilation=(2, 1)))
    view = study.seen(network, torch.randn(4, 1, 31, 21))
    inside_it = torch.zeros(31, 21, dtype=torch.bool)
    inside_it[15 - 5 : 15 + 6, 10 - 2 : 10 + 3] = True  # 3 + 4 * 2 = 11 frames, 5 bands
    assert torch.equal(view > 0, inside_it)
    assert not network[1]._forward_hooks


def test_the_last_map_still_has_a_time_axis():
    network = models.build("ds-cnn-s", 12)
    path = study.last_map(network, torch.zeros(1, 1, 49, 10))
    assert path == "8.2" and isinstance(network.get_submodule(path), nn.ReLU)


def test_the_plain_loop_learns_and_tells_both_sides():
    how = AugmentConfig(shift=400)
    recogniser, history = study.learn("tc-resnet8", clips(64, 0), clips(32, 1), NOISE, how, epochs=8)
    assert len(history) == 8 and history[-1]["training"][0] < history[0]["training"][0] / 2
    loss, accuracy = history[-1]["validation"]
    assert training.evaluate(recogniser, clips(32, 1)).accuracy == accuracy and loss < 1
    assert accuracy > 0.8


def test_held_out_clips_of_other_classes_are_left_out():
    few, left_out = clips(64, 0).restrict(("low", "high"))
    recogniser, _ = study.learn("tc-resnet8", few, clips(32, 1), NOISE, study.UNDISTURBED, epochs=1)
    assert left_out and recogniser.classes == ("low", "high")


def test_every_clip_comes_once_an_epoch_and_undisturbed_is_undisturbed():
    front, audio = Frontend(models.frontend("tc-resnet8")), clips(11, 0)
    config = training.TrainConfig(batch=4, augment=study.UNDISTURBED)
    noise = energies_of(front, NOISE[None])[0]
    batches = study.EveryClip(ClipBatches(front, energies_of(front, audio.audio), torch.arange(11), noise, config))
    drawn = [list(batches.epoch(number)) for number in (0, 1)]
    for epoch in drawn:
        assert [len(labels) for _, labels in epoch] == [4, 4, 3] and batches.steps() == 3
        x, clip = (torch.cat(part) for part in zip(*epoch))
        assert sorted(clip.tolist()) == list(range(11))
        assert torch.equal(x[clip.argsort()], front.finish(energies_of(front, audio.audio).float()))
    assert not torch.equal(drawn[0][0][1], drawn[1][0][1])


def test_costs_show_layers_that_multiply():
    rows = profiling.layers(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), torch.zeros(1, 1, 5, 5))
    figure = figures.costs(rows)
    assert [len(ax.patches) for ax in figure.axes] == [1, 1, 1] and "0: 2 x 3 x 3" in texts(figure)
    assert figure.axes[1].patches[0].get_width() == pytest.approx(0.162)  # 162 multiply-adds, in thousands


def test_accuracy_against_size_names_everyone_and_joins_ours():
    figure = figures.accuracy_against_size(published_results.PUBLISHED, [("ds-cnn-s", 95.0, 23_756, 2.66e6), ("mine", 92.0, 9_000, 1e6)])
    words = texts(figure)
    assert all(p.name in words for p in published_results.PUBLISHED) and "one-stride1: 77.9 %" in words
    joined = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert len(joined) == 1 and joined[0].get_ydata().tolist() == [93.4, 95.0]


def test_learning_has_a_column_for_each_run():
    epochs = [{"training": (1.0, 0.5), "validation": (1.5, 0.4)}, {"training": (0.1, 0.9), "validation": (1.0, 0.6)}]
    figure = figures.learning({"few": epochs, "many": epochs})
    loss = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in loss] == [[1.0, 0.1], [1.5, 1.0]] and [line.get_linestyle() for line in loss] == ["-", "--"]
    assert len(figure.axes) == 4 and "few" in texts(figure)


def test_stream_shows_what_lies_in_its_span():
    hits, alarms = [Detection("yes", 2.0, 0.9)], [Detection("no", 3.0, 0.8), Detection("no", 90.0, 0.8)]
    figure = figures.stream(torch.linspace(0, 1, 50), 0.2, SPOKEN, hits, alarms, 0.7, (0, 10))
    markers = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].lines}
    assert markers["hit"] == 1 and markers["false alarm"] == 1 and "yes" in texts(figure)


def test_no_alarm_is_drawn_in_the_strip_of_what_cannot_be_seen():
    figure = figures.trade_off({"mine": CURVE}, hours=0.1, here=CURVE[1])
    curve = figure.axes[0].lines[0]
    assert list(curve.get_xdata()) == [120.0, 30.0, 5.0] and "no alarm heard" in texts(figure)
    assert figure.axes[0].lines[1].get_xdata() == [30.0]


@pytest.fixture
def explorer():
    torch.manual_seed(0)
    recording = detector.Recording(torch.zeros(60 * 16_000), [Spoken("yes", t, t + 1.0) for t in range(5, 55, 6)], [])
    posteriors = torch.rand(296, 3, dtype=torch.float64).softmax(1)
    posteriors[20::30, 2] = 0.99
    return lesson02.ThresholdExplorer(posteriors, ("silence", "unknown", "yes"), recording)


@pytest.mark.parametrize(
    "control, value", [("threshold", lesson02.ThresholdExplorer.THRESHOLDS[2]), ("windows", 6), ("refractory", 3.0), ("start", 25)]
)
def test_every_control_changes_the_picture(explorer, control, value):
    before = bytes(explorer.picture.value)
    assert before.startswith(b"\x89PNG")
    getattr(explorer, control).value = value
    assert bytes(explorer.picture.value) != before


def test_a_lower_threshold_misses_less_and_fires_more(explorer):
    high = explorer.here
    explorer.threshold.value = explorer.THRESHOLDS[2]
    assert explorer.here.misses <= high.misses and explorer.here.false_alarms > high.false_alarms
