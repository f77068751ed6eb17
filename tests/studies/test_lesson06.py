"""What lesson 06 watches, holds by hand, counts and draws."""

import json
import re

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch

from tests.drawn import texts
from tinycourse.models import rnnt
from tinycourse.models.cells import CellConfig, Recurrent
from tinycourse.plots import lesson06 as figures
from tinycourse.studies import lesson06 as study
from tinycourse.studies.lesson03 import given
from tinycourse.training import checkpoint
from tinycourse.widgets import lesson06

pytestmark = pytest.mark.usefixtures("closed")


@pytest.mark.parametrize("kind", study.NAMES)
def test_watched_gates_are_those_that_make_the_output(kind):
    torch.manual_seed(0)
    layer, x = Recurrent(4, CellConfig(kind, units=6)), torch.randn(2, 9, 4)
    seen = study.watch(layer, x)
    torch.testing.assert_close(seen["h"], layer(x)[0])
    before = torch.cat([torch.zeros(2, 1, 6), seen["c"][:, :-1]], 1)
    let_in = seen["i"] if kind != "sru" else 1 - seen["f"]
    torch.testing.assert_close(seen["c"], seen["f"] * before + let_in * seen["g"])
    shown = seen["r"] * seen["c"].tanh() + (1 - seen["r"]) * seen["n"] if kind == "sru" else seen["o"] * seen["c"].tanh()
    torch.testing.assert_close(seen["h"], shown)


@pytest.mark.parametrize("kind", study.NAMES)
def test_watched_layers_may_have_a_projection_and_layer_normalisation(kind):
    torch.manual_seed(0)
    layer, x = Recurrent(4, CellConfig(kind, units=6, projection=3, layer_norm=True, clip=0.5)), torch.randn(2, 9, 4)
    seen = study.watch(layer, x)
    torch.testing.assert_close(seen["m"], layer(x)[0])
    assert {values.shape[2] for name, values in seen.items() if name != "m"} == {6}


@pytest.mark.parametrize("name", ["rnnt-digits", "rnnt-digits-sparse", "rnnt-an4"])
def test_pictures_of_every_shipped_layer_are_what_it_computes(name):
    network = checkpoint.load(name).network
    torch.manual_seed(0)
    for layer in [*network.encoder.layers, *network.prediction.layers]:
        x = torch.randn(2, 7, layer.inputs)
        torch.testing.assert_close(study.watch(layer, x)["m"], layer(x)[0])


def test_each_layer_of_an_encoder_is_given_neighbouring_frames_side_by_side():
    encoder, x = checkpoint.load("rnnt-digits").network.encoder, torch.randn(1, 20, 40)
    first, second = (given(encoder, layer, x) for layer in encoder.layers)
    assert torch.equal(first, x[:, :18].reshape(1, 6, 120))  # two frames wait for a third
    assert torch.equal(second, encoder.layers[0](first)[0].reshape(1, 3, 256))


def test_half_of_a_value_is_left_after_its_half_life():
    f = torch.tensor([0.5, 0.9, 0.99])
    torch.testing.assert_close(f ** study.half_life(f), torch.full((3,), 0.5))


def test_a_lstm_counts_pulses_and_a_cifg_forgets_when_it_keeps_nothing():
    new, keep = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0])
    assert study.driven("lstm", new, keep, torch.ones(5)).tolist() == [0, 1, 1, 2, 0]
    assert study.driven("cifg", new, torch.full((5,), 0.5), torch.ones(5)).tolist() == [0, 0.5, 0.25, 0.625, 0.3125]


@pytest.mark.parametrize("frames", [1, 2, 7, 64, 100])
def test_scan_is_the_loop(frames):
    torch.manual_seed(0)
    f, added, c = torch.rand(frames, 3).double(), torch.randn(frames, 3).double(), torch.zeros(3).double()
    for found, keep, add in zip(study.scan(f, added), f, added):
        c = keep * c + add
        torch.testing.assert_close(found, c)
    rounds = study.reach(frames)
    assert rounds[0] == [(t, t) for t in range(frames)] and rounds[-1] == [(0, t) for t in range(frames)]


def test_sizes_of_the_paper_come_out_to_the_digit():
    sizes = list(study.paper_sizes().values())
    assert [f"{size / 1e6:.1f}" for size in sizes[:4]] == ["122.1", "69.7", "48.7", "38.2"]
    assert sizes[4] > sizes[5] > sizes[6]


@pytest.mark.parametrize("kind", study.NAMES)
def test_layer_counts_what_a_layer_has(kind):
    built = Recurrent(7, CellConfig(kind, 12, 5))
    assert sum(study.layer(kind, 7, 12, 5).values()) == sum(p.numel() for p in built.parameters())


def test_work_follows_the_rate_of_each_layer():
    config = rnnt.RNNTConfig(features=2, stack=1, hop=1, layers=2, cell=CellConfig("sru", 3), reduce_after=1, reduction=2)
    assert study.work(config, 100) == 100 * 4 * 3 * 2 + 50 * 4 * 3 * 6


def rows(**errors):
    return [
        {"encoder": name.split("_")[0], "prediction": name.split("_")[1], "seed": seed, "parameters": 1_000, "testing": value}
        for name, values in errors.items()
        for seed, value in enumerate(values)
    ]


def test_table_gives_a_verdict_only_where_the_seeds_are_apart():
    made = rows(sru_lstm=[0.05, 0.06], lstm_lstm=[0.02, 0.04], cifg_lstm=[0.01, 0.03], lstm_sru=[0.001, 0.002])
    lines = study.table(made).splitlines()[1:]
    assert [line.split(" / ")[0].strip() for line in lines] == ["lstm", "lstm", "sru", "cifg"]
    assert [re.search(r"(better|worse)?$", line)[0] for line in lines] == ["", "better", "worse", ""]
    assert "3.0%" in lines[0] and "2.0% to  4.0%" in lines[0]


def test_measured_rows_are_of_known_pairs():
    if not study.MEASURED.exists():
        pytest.skip("tinycourse/studies/measured/cells.json has not been measured yet: python benchmarks/recurrent.py")
    found = json.loads(study.MEASURED.read_text())
    assert {(row["encoder"], row["prediction"]) for row in found["rows"]} <= set(study.PAIRS)
    assert all(0 <= row["testing"] <= 1 and row["parameters"] <= 400_000 for row in found["rows"])


# --------------------------------------------------------------------------------------------- pictures, widget


def test_pictures_show_what_they_are_given():
    maps = {"f": torch.rand(20, 8), "c": torch.randn(20, 8)}
    figure = figures.gates(maps, 0.6, [(0.1, 0.3, "two")])
    assert {"f: kept", "c: cell", "two"} <= set(texts(figure))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), maps["f"].T)
    assert figure.axes[0].images[0].get_clim() == (0, 1) and figure.axes[1].images[0].get_clim()[0] < 0
    assert list(figures.memory({"f = 0.5": torch.tensor([1.0, 0.5])}).axes[0].lines[0].get_ydata()) == [1, 0.5]
    assert sum(p.get_height() for p in figures.half_lives({"a": torch.tensor([1.0, 5.0, 1e6])}, 0.03).axes[0].patches) == 3
    held = figures.coupling(torch.tensor([0.9]), torch.tensor([0.1])).axes[0].images[0].get_array()
    assert held[2, 21] > 0 and (held > 0).sum() == 1  # column: kept, row: let in
    dots = figures.results({"a / b": [0.01, 0.02], "c / d": [0.03]}).axes[0].lines
    assert list(dots[1].get_xdata()) == [0.01, 0.02] and list(dots[0].get_xdata()) == [0.015] * 2


def test_bars_of_costs_add_up():
    figure = figures.costs({"LSTM": study.layer("lstm", 10, 20, 5)}, unit=1)
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == sum(study.layer("lstm", 10, 20, 5).values())


def test_panels_of_the_scan_fill_up():
    shown = [np.asarray(ax.images[0].get_array()).sum() for ax in figures.scan(study.reach(4)).axes]
    assert shown == [4, 7, 10]


@pytest.mark.parametrize("control, value", [("keep", 0.5), ("let_in", 1.0), ("every", 5), ("forget", 20)])
def test_every_control_changes_the_picture(control, value):
    explorer = lesson06.CellExplorer()
    before = bytes(explorer.picture.value)
    getattr(explorer, control).value = value
    assert before.startswith(b"\x89PNG") and bytes(explorer.picture.value) != before
    assert set(explorer.cells) == {"LSTM", "CIFG"} and len(explorer.cells["LSTM"]) == 60
