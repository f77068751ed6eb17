"""The test bench of front ends: its networks learn, its seeds repeat, and what was measured is complete."""

import matplotlib.pyplot as plt
import pytest
import torch

from tests.recordings import tone
from tinycourse.data import Clips
from tinycourse.features.frontend import FrontendConfig
from tinycourse.plots import lesson01 as figures
from tinycourse.studies import lesson01 as study


def clips(count: int = 128) -> Clips:
    """Two classes that anybody tells apart: a low and a high tone, in a little noise."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    tones = torch.stack([torch.from_numpy(tone(400 + 1_600 * int(label))).float() for label in labels])
    noisy = tones * torch.rand(count, 1, generator=random) + 0.01 * torch.randn(tones.shape, generator=random)
    return Clips((noisy * 30_000).to(torch.int16), labels, ("low", "high"), [str(i) for i in range(count)])


@pytest.mark.parametrize("kind, coefficients", [("mfcc", 10), ("log-mel", 40), ("pcen", 40)])
def test_both_networks_learn_from_any_front_end(kind, coefficients):
    right = study.run(FrontendConfig(kind=kind, coefficients=coefficients), clips(), clips(40), epochs=10, seed=0)
    assert set(right) == {"2-D", "1-D"} and min(right.values()) > 0.9


def test_the_same_seed_gives_the_same_network():
    x, labels = torch.randn(64, 1, 30, 10, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 2
    a, b, c = (study.train("1-D", x, labels, 2, 1, seed)(x) for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_moved_maps_keep_their_frames_in_order():
    ramp = torch.arange(30.0)[:, None].expand(200, 1, 30, 4)
    torch.manual_seed(0)
    moved = study.moved(ramp, 5)[:, 0, :, 0]  # [200, 30]
    steps = moved.diff(dim=1)
    assert ((steps == 0) | (steps == 1)).all() and (steps.sum(1) >= 24).all()
    assert set((moved[:, 15] - 15).tolist()) == set(range(-5, 6))


def test_noisy_clips_have_the_ratio_that_was_asked_for():
    some, noise = clips(20), torch.randn(40_000, generator=torch.Generator().manual_seed(1))
    added = study.noisy(some, noise, (10.0, 10.0)) - some.waveforms()
    ratio = 10 * torch.log10(some.waveforms().square().mean(1) / added.square().mean(1))
    torch.testing.assert_close(ratio, torch.full((20,), 10.0), atol=0.01, rtol=0)


def test_every_setting_was_measured_with_three_seeds():
    rows = study.measured()["rows"]
    clean = study.by_setting(rows)
    assert list(clean) == list(study.SETTINGS)
    assert all(len(row[network]) == 3 for row in clean.values() for network in ("2-D", "1-D"))
    assert all(0.1 < value <= 1 for row in rows for value in (row[test] for test in study.TESTS))
    assert len(study.table(rows).splitlines()) == 2 + len(study.SETTINGS)  # a heading of two lines
    assert study.table(rows, {"PCEN": "a note"}).endswith("  a note")


def test_what_was_measured_can_be_drawn():
    rows = study.measured()["rows"]
    figure = figures.settings(study.by_setting(rows))
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == list(study.SETTINGS)
    panels = study.in_noise(rows, ("MFCC, 40 of 40", "log-mel", "PCEN"))
    assert [ax.get_title() for ax in figures.conditions(panels).axes] == list(panels)
    plt.close("all")
