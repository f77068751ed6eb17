"""The pictures and the widget of lesson 07 show what they are given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tinycourse import models
from tinycourse.plots import lesson07 as figures
from tinycourse.studies import lesson07 as study
from tinycourse.widgets.lesson07 import MaskExplorer, MaskFilm

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_the_evolving_mask_marks_what_came_back():
    gone, back = torch.ones(4, 6, dtype=torch.bool), torch.ones(4, 6, dtype=torch.bool)
    gone[:2] = False
    back[0] = False
    figure = figures.evolving({0: torch.ones(4, 6, dtype=torch.bool), 10: gone, 20: back})
    titles = [ax.get_title() for ax in figure.axes[:3]]
    assert titles == ["step 0: 0% gone, 0 back", "step 10: 50% gone, 0 back", "step 20: 25% gone, 6 back"]
    assert set(figure.axes[2].images[0].get_array().ravel().tolist()) == {0, 1, 2}


def test_the_film_of_a_mask_goes_to_any_moment():
    masks = {0: torch.ones(8, 6, dtype=torch.bool), 5: torch.zeros(8, 6, dtype=torch.bool), 9: torch.eye(8, 6).bool()}
    gone, back = figures.moment(masks, 9).axes[1].lines
    assert gone.get_ydata().tolist() == [0, 1, 1 - 6 / 48] and back.get_ydata().tolist() == [0, 0, 6 / 48]
    film = MaskFilm(masks)
    last = film.picture.value
    assert film.moment.value == film.play.max == 2  # the whole course is there before anybody plays
    film.moment.value = 0
    assert film.picture.value != last


def test_measured_rows_become_means_over_their_seeds():
    rows = [
        {
            "model": "m",
            "way": "gradual",
            "asked": 0.5,
            "error": error,
            "int8": 0.5,
            "parameters": 99,
            "bytes": {"float32": size, "int8": 100},
        }
        for error, size in ((0.1, 1000), (0.2, 2000))
    ]
    last = study.table(rows).splitlines()[-1].split()
    assert last == "m gradual 50% 15.00% 10.00% to 20.00% 50.00% 99 1,500 100".split()
    for row in rows:
        del row["int8"]
    assert "50.00%" not in study.table(rows)


def test_measured_rows_become_a_line_for_each_way():
    same = {"model": "m", "seed": 0}
    rows = [{"way": "dense", "asked": 0.0, "error": 0.05, **same}]
    rows += [{"way": way, "asked": s, "error": s / 10, **same} for way in ("gradual", "one-shot") for s in (0.5, 0.9)]
    figure = figures.measured(rows, ["m"], ("gradual", "one-shot"))
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["dense, trained on as long", "gradual", "one-shot"]


def test_lines_over_the_weights_that_are_left():
    rows = [
        {"model": "large", "way": way, "asked": asked, "parameters": left, "error": error}
        for way, asked, left, error in (("dense", 0.0, 900, 0.02), ("8x1", 0.5, 500, 0.03), ("8x1", 0.5, 500, 0.05), ("8x1", 0.8, 200, 0.1))
    ]
    rows.append({"model": "small", "way": "dense", "asked": 0.0, "parameters": 200, "error": 0.2})
    axes = figures.by_size(rows).axes[0]
    (pruned, seeds), small = (line.get_xydata() for line in axes.lines[:2]), axes.lines[2].get_xydata()
    assert np.allclose(pruned, [(900, 0.02), (500, 0.04), (200, 0.1)]) and len(seeds) == 4 and np.allclose(small, [(200, 0.2)])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["large, 8x1", "small, dense"]


def test_bars_histograms_schedules_speed():
    shares = {"layer": {"a": 0.5, "b": 0.5}, "lamp": {"a": 0.7, "b": 0.1}}
    assert len(figures.shares(shares).axes[0].patches) == 4
    assert len(figures.histogram({"a": torch.randn(50)}, {"a": 0.3}).axes) == 1
    assert len(figures.schedule({"cubic": [0.0, 0.5]}, [0, 1]).axes[0].lines) == 2
    assert len(figures.speed({"float": {0.0: 0.9, 0.5: 0.5}}).axes[0].lines) == 2


def test_the_widget_prunes_a_copy_as_its_controls_say():
    network = models.build("ds-cnn-s", 10)
    before = {name: p.clone() for name, p in network.named_parameters()}
    explorer = MaskExplorer(network, lambda n: float(next(iter(n.parameters())).mean() != 99))
    assert explorer.masks["4.0.weight"].float().mean() == 0.5
    first = explorer.picture.value
    explorer.sparsity.value, explorer.block.value = 0.75, "1x1"
    assert explorer.masks["4.0.weight"].float().mean() == 0.25 and explorer.picture.value != first
    assert f"{explorer.size.bitmap:,} with a bitmap" in explorer.words.value and explorer.size.bitmap < explorer.size.dense
    explorer.scope.value = "lamp"
    assert explorer.masks["10.weight"].float().mean() > 0.25  # the small last layer is spared
    assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())
