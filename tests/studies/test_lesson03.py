"""What lesson 03 takes apart, varies, draws and lets the learner move."""

from dataclasses import replace

import matplotlib

from tests import drawn

matplotlib.use("Agg")

import pytest
import torch

from tinycourse.data import Clips
from tinycourse.models.design import TINYSPEECH_DESIGNS, Designed
from tinycourse.plots import lesson03 as figures
from tinycourse.studies import lesson03 as study
from tinycourse.training import checkpoint
from tinycourse.training.classifiers import TrainConfig
from tinycourse.widgets import lesson03

CLASSES = ("silence", "unknown", "yes", "no")


pytestmark = pytest.mark.usefixtures("closed")


@pytest.fixture
def recogniser():
    torch.manual_seed(0)
    return checkpoint.Recogniser("tinyspeech-m", CLASSES).eval()


@pytest.fixture
def clips():
    torch.manual_seed(1)
    return Clips((torch.randn(8, 16_000) * 3_000).to(torch.int16), torch.arange(8) % 4, CLASSES, [str(i) for i in range(8)])


def test_dissected_condenser_gives_what_the_condenser_gives(recogniser):
    x = torch.randn(2, 1, 101, 40)
    for condenser in study.condensers(recogniser.network):
        v = study.given(recogniser.network, condenser, x)
        maps = study.dissect(condenser, v)
        torch.testing.assert_close(maps["V'"], condenser(v))
        limit = study.dissect(condenser, v, strength=0)
        torch.testing.assert_close(limit["V'"], condenser.norm(limit["A"]))
        assert study.dissect(condenser, v, pool=(3, 4))["Q"].shape[2:] == (9, 3)


SHIPPED = [name for name in checkpoint.shipped() if name.startswith(("tinyspeech", "found"))]


@pytest.mark.parametrize("name", SHIPPED)
def test_pictures_of_every_shipped_condenser_are_what_it_computes(name, clips):
    network, x = checkpoint.load(name).network, torch.randn(2, 1, 101, 40)
    for condenser in study.condensers(network):
        v = study.given(network, condenser, x)
        maps = study.dissect(condenser, v)
        assert list(maps) == list(figures.STEPS)
        assert torch.equal(maps["V'"], condenser(v))
        assert study.dissect(condenser, v, pool=(3, 4))["Q"].shape[2:] == (-(-v.shape[2] // 3), -(-v.shape[3] // 4))


@pytest.mark.parametrize("name", ["tinyspeech-m", "found-337"])
def test_the_explorer_begins_with_every_condenser_as_it_was_trained(name, clips):
    recogniser = checkpoint.load(name)
    clips = Clips(clips.audio, clips.labels, recogniser.classes, clips.paths)
    explorer = lesson03.CondenserExplorer(recogniser, clips)
    first = clips.labels.tolist().index(clips.classes.index(explorer.word.value))
    x = recogniser.frontend(clips.subset(torch.tensor([first])).waveforms())
    expected = dict(zip(recogniser.classes, recogniser.network(x)[0].softmax(0).tolist()))
    for _, part in explorer.part.options:
        explorer.part.value = part
        assert (explorer.frames.value, explorer.bands.value) == part.pool
        assert explorer.scores == pytest.approx(expected)


def test_given_leaves_no_hook_behind(recogniser):
    part = recogniser.network.blocks[1].second
    v = study.given(recogniser.network, part, torch.randn(1, 1, 101, 40))
    assert v.shape == (1, 9, 26, 10) and not part._forward_pre_hooks


def test_reach_is_the_window_to_the_letter_and_more_when_looking_aside():
    torch.manual_seed(0)
    blocks = {name: study.VARIANTS[name].build(10).eval().blocks for name in ("straight: nobody looks aside", "ours")}
    straight, ours = (study.reach(b, (9, 26, 10), (13, 5)) > 0 for b in blocks.values())
    assert straight.any(1).nonzero().flatten().tolist() == [12, 13]
    assert ours.sum() > 5 * straight.sum()


@pytest.mark.parametrize("name", study.VARIANTS)
def test_every_variant_differs_from_ours(name):
    networks = []
    for variant in (study.VARIANTS["ours"], study.VARIANTS[name]):
        torch.manual_seed(0)
        networks.append(variant.build(4).train())
    x = torch.randn(3, 1, 101, 40)
    with torch.no_grad():
        for network in networks:
            for condenser in study.condensers(network):
                if condenser.scale.requires_grad:
                    condenser.scale *= torch.linspace(0.5, 1.5, len(condenser.scale))[:, None, None]
        same = torch.equal(networks[0](x), networks[1](x))
    assert same == (name in ("ours", "MFCC"))
    assert (study.VARIANTS[name].frontend != study.LOG_MEL) == (name == "MFCC")


def test_fixed_scales_stay_and_learned_ones_move(clips):
    sounds = study.mel_energies({"training": clips, "testing": clips}, torch.randn(32_000) / 100)
    config = TrainConfig(epochs=1, batch=4)
    row = study.run("S = 0, fixed: V' = A", sounds, config)
    assert row["weights"] == 4_729 - 8 * 40 and 0 <= row["testing"] <= 1 and "training" not in row
    assert row == study.run("S = 0, fixed: V' = A", sounds, config)
    fixed = study.VARIANTS["S = 0, fixed: V' = A"].build(4)
    fixed(torch.randn(2, 1, 101, 40)).sum().backward()
    assert all(c.scale.grad is None and not c.scale.any() for c in study.condensers(fixed))


def test_by_variant_keeps_the_order_of_the_table():
    rows = [{"variant": name, "seed": 0, "validation": 0.5} for name in reversed(study.VARIANTS)][:3]
    assert list(study.by_variant(rows)) == list(study.VARIANTS)[-3:]


def test_table_shows_mean_spread_and_distance_from_the_first():
    accuracies = {"ours": (0.7, 0.9), "S: one number": (0.6, 0.6)}
    rows = [
        {"variant": name, "seed": seed, "weights": 4_649, "validation": value, "testing": 0.5}
        for name, values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    first, second = study.table(rows).splitlines()[1:]
    assert first.split()[1:] == ["4,649", "80.0%", "70.0%", "to", "90.0%", "+0.0", "50.0%"]
    assert second.split()[-3:] == ["-20.0", "50.0%", "worse"]


def test_verdict_is_given_only_where_the_seeds_are_apart():
    assert study.verdict([0.8, 0.9], [0.6, 0.7]) == "better"
    assert study.verdict([0.5, 0.7], [0.6, 0.8]) == ""


def test_every_tried_row_has_an_accuracy():
    rows = [row for group in study.read(study.TRIED)["groups"] for row in group["rows"]]
    assert len(rows) > 10 and all(0 < row["validation"] < 1 for row in rows)
    lines = study.diary([{"about": "small", "epochs": 3, "rows": [rows[0], rows[-1]]}]).splitlines()
    assert lines[0].startswith("small, 3 epochs, one seed") and lines[1].split()[-1] == f"{rows[0]['validation']:.1%}"
    assert lines[2].split()[-2:] == [f"{rows[-1]['validation']:.1%}", f"{rows[-1]['testing']:.1%}"]


def texts(figure) -> str:
    return " ".join(drawn.texts(figure))


def test_figures_show_what_they_are_given():
    maps = {"V": torch.zeros(9, 26, 10), "K": torch.zeros(6, 13, 10)}
    assert "6 x 13 x 10" in texts(figures.steps(maps, (0, 3))) and "channel 3" in texts(figures.steps(maps, (0, 3)))
    seeds = figures.seeds({"ours": [0.5, 0.7], "other": [0.4]}, {"ours": "none", "other": "S"})
    assert "S  |  other" in texts(seeds) and list(seeds.axes[0].lines[0].get_xdata()) == [0.6, 0.6]
    readings = figures.readings({"a": [1, 1, 1, 1], "b": [2, 2, 2, 2]}, marked="a")
    assert [line.get_label() for line in readings.axes[0].lines if line.get_linewidth() > 2] == ["a"]
    paper = figures.against_paper({"x": (10_800, 0.946)}, {"x": (10_923, 0.9)})
    assert texts(paper).count("X") == 2


@pytest.fixture
def explorer(recogniser, clips):
    return lesson03.CondenserExplorer(recogniser, clips)


@pytest.mark.parametrize("control, value", [("word", "no"), ("channel", 3), ("frames", 5), ("bands", 4), ("strength", 0.0)])
def test_every_control_changes_the_picture(explorer, control, value):
    before = bytes(explorer.picture.value)
    getattr(explorer, control).value = value
    assert before.startswith(b"\x89PNG") and bytes(explorer.picture.value) != before


def test_another_condenser_brings_its_own_window_and_untouched_scores(explorer, recogniser):
    untouched = dict(explorer.scores)
    explorer.part.value = recogniser.network.blocks[2].second
    assert (explorer.frames.value, explorer.bands.value) == (1, 10) and explorer.maps["Q"].shape == (8, 26, 1)
    assert explorer.scores == pytest.approx(untouched, abs=1e-5)
    explorer.strength.value = 0.0
    assert explorer.scores != pytest.approx(untouched, abs=1e-4)


def test_the_explorer_shows_a_condenser_of_all_bands_as_it_was_trained(clips):
    """A mean of all bands is none of the windows that the sliders have; untouched, it stays what it is."""
    recogniser = checkpoint.Recogniser("tinyspeech-m", CLASSES)
    torch.manual_seed(0)
    recogniser.network = Designed(replace(TINYSPEECH_DESIGNS["m"], condense="mean"), len(CLASSES))
    explorer = lesson03.CondenserExplorer(recogniser.eval(), clips)
    before = dict(explorer.scores)
    explorer.part.value = recogniser.network.blocks[1].second
    assert (explorer.frames.value, explorer.bands.value) == (1, 10) and explorer.maps["A"].shape == (9, 26, 1)
    assert explorer.scores == pytest.approx(before, abs=1e-5)
    explorer.frames.value = 2
    assert explorer.maps["A"].shape == (9, 26, 10)
