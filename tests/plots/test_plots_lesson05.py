"""The pictures of lesson 05 show what they are given, and its widget never lets labels change places."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch

from tests.drawn import texts
from tinycourse.errors import TinycourseError
from tinycourse.plots import lesson05 as figures
from tinycourse.studies import lesson05 as study
from tinycourse.transducer import alignments
from tinycourse.widgets import lesson05

WORDS = ("two", "six")


pytestmark = pytest.mark.usefixtures("closed")


@pytest.fixture
def log_probs():
    return torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1)).log_softmax(-1)


def test_lattice_has_a_node_for_every_frame_and_label_and_numbers_beside_the_steps(log_probs):
    shares = torch.rand(4, 3, 2)
    said = texts(figures.lattice(4, WORDS, steps=shares))
    assert {f"{t},{u}" for t in range(4) for u in range(3)} < set(said) and "end" in said and "+ six" in said
    drawn = [(t, u, k) for t in range(4) for u in range(3) for k in (0, 1) if not (k and u == 2) and not (not k and t == 3 and u < 2)]
    assert {f"{float(shares[place]):.2f}" for place in drawn} <= set(said)


def test_lattice_draws_the_way_through_its_nodes_and_values_in_them():
    way = alignments.nodes(("blank", "label", "label", "blank", "blank", "blank"))
    nodes = torch.rand(4, 3)
    figure = figures.lattice(4, WORDS, nodes=nodes, way=way)
    line = next(line for line in figure.axes[0].lines if line.get_color() == figures.WAY)
    assert list(zip(*line.get_data())) == way
    assert {f"{x:.3f}" for x in nodes.flatten().tolist()} <= set(texts(figure))


def test_wide_arrows_are_the_probable_ones():
    widths = torch.zeros(2, 2, 2)
    widths[0, 0, 0] = 1
    figure = figures.lattice(2, WORDS[:1], widths=widths)
    arrows = [a.arrow_patch for a in figure.axes[0].texts if hasattr(a, "arrow_patch") and a.arrow_patch]
    thick = sorted(arrow.get_linewidth() for arrow in arrows)
    assert thick[-1] > 5 > thick[-2]


def test_panels_of_lattices_maps_and_gradients(log_probs):
    alpha = torch.rand(5, 3)
    assert {"a", "b"} <= set(texts(figures.lattices(5, WORDS, {"a": alpha, "b": alpha})))
    shown = figures.maps({"fog": alpha, "stairs": 1 - alpha}, WORDS).axes
    np.testing.assert_allclose(shown[1].images[0].get_array(), (1 - alpha).T)
    assert shown[0].images[0].get_clim() == shown[1].images[0].get_clim() == (0, 1)
    figure = figures.gradient({"blank": torch.tensor([[0.5, -0.25]]), "two": torch.tensor([[0.001, 0.1]])}, WORDS[:1])
    assert {"+0.50", "-0.25", "0", "+0.10"} <= set(texts(figure))
    assert figure.axes[0].images[0].get_clim() == figure.axes[1].images[0].get_clim() == (-0.5, 0.5)


def test_bars_curves_and_levels():
    shares = {"ice cream": 0.5, "I cream": 0.25}
    bars = figures.transcripts({"CTC": shares, "other": shares}, ["ice cream"]).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.5, 0.25] and [bar.get_hatch() for bar in bars] == ["", "////"]
    figure = figures.training({"one": ([1, 2], [3.0, 1.0], {2: 0.5}), "two": ([1], [2.5], {})}, {"deaf": 2.0})
    above, below = figure.axes
    assert {"deaf ", "one", "two"} <= set(texts(figure)) and list(below.lines[0].get_ydata()) == [0.5]
    assert [list(line.get_ydata()) for line in above.lines] == [[3.0, 1.0], [2.5], [2.0, 2.0]]
    figure = figures.plateau(torch.tensor([0.1, 0.9]), {"deaf": torch.tensor([9.0, 3.0])}, {"here": (0.9, 3.0)})
    assert list(figure.axes[0].lines[1].get_ydata()) == [3.0]
    dots = figures.delays({"one": [0.1, 0.3]}).axes[0].lines
    assert list(dots[0].get_xdata()) == [0.1, 0.3] and dots[1].get_xdata()[0] == pytest.approx(0.2)


def test_diagram_and_beam_and_decoding():
    assert {"encoder", "prediction", "joint"} <= set(texts(figures.networks()))
    figure = figures.beam([[("(nothing)", np.log(0.6)), ("six", np.log(0.4))], [("six", np.log(0.64))]], best="six")
    assert "six\n0.640" in texts(figure) and len(figure.axes[0].lines) == 2  # six after frame 0, and from nothing
    figure = figures.decoding(torch.rand(30, 40), 0.3, [0.9, 0.1, 0.9], [(0, 0), (0.2, 1)], [(0.2, "two")], [(0.05, 0.2, "two")])
    assert texts(figure).count("two") == 1 and " two" in texts(figure)
    assert [bar.get_height() for bar in figure.axes[1].patches] == [0.9, 0.1, 0.9]


# ------------------------------------------------------------------------------------------------------ the widget


@pytest.fixture
def explorer(log_probs):
    other = torch.randn(6, 2, 4).log_softmax(-1)
    return lesson05.AlignmentExplorer(
        {
            "first": study.Lattice(log_probs, torch.tensor([1, 2]), WORDS, torch.rand(20, 40)),
            "second": study.Lattice(other, torch.tensor([3]), WORDS[1:]),
        }
    )


def shown(explorer) -> list[int]:
    return [s.value for s in explorer.frames if s.layout.display != "none"]


def test_it_begins_with_the_best_alignment(explorer, log_probs):
    way, probability = study.ranked(log_probs, torch.tensor([1, 2]), 0)[0]
    everything = sum(p for _, p in study.ranked(log_probs, torch.tensor([1, 2]), 0))
    assert explorer.alignment == way and explorer.share == pytest.approx(probability / everything, rel=1e-4)
    assert shown(explorer) == alignments.places(way) and bytes(explorer.picture.value).startswith(b"\x89PNG")


def test_every_slider_changes_the_picture_and_the_share(explorer):
    for slider in explorer.frames[:2]:
        before, share = bytes(explorer.picture.value), explorer.share
        slider.value = (slider.value + 1) % 5
        assert bytes(explorer.picture.value) != before and explorer.share != share


def test_labels_push_each_other(explorer):
    explorer.frames[1].value = 4
    explorer.frames[0].value = 2
    assert shown(explorer) == [2, 4]
    explorer.frames[1].value = 1
    assert shown(explorer) == [1, 1] and alignments.places(explorer.alignment) == [1, 1]
    explorer.frames[0].value = 3
    assert shown(explorer) == [3, 3]


def test_another_lattice_and_back_to_the_best(explorer):
    explorer.choice.value = "second"
    assert len(shown(explorer)) == 1 and explorer.frames[0].description == "six" and explorer.frames[0].max == 5
    best = explorer.share
    explorer.frames[0].value = (explorer.frames[0].value + 2) % 6
    assert explorer.share < best
    explorer.best.click()
    assert explorer.share == best


def test_too_many_labels_are_refused():
    long = study.Lattice(torch.zeros(3, 9, 10).log_softmax(-1), torch.arange(1, 9), tuple("abcdefgh"))
    with pytest.raises(TinycourseError, match="more than 7 labels"):
        lesson05.AlignmentExplorer({"long": long})
