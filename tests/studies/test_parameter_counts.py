"""The readings of the paper's figure: one of them fits, and the formulas count what the modules have."""

from dataclasses import replace

import pytest

from tinycourse import models
from tinycourse.models.condenser import TINYSPEECH
from tinycourse.models.design import TINYSPEECH_DESIGNS, Designed
from tinycourse.studies import lesson03 as study
from tinycourse.studies.lesson03 import Reading
from tinycourse.training import profiling

FITS = Reading(kernel=1, halves=False, bias=False, norm=False, expand_back=False)


def test_one_reading_of_32_gives_all_published_counts():
    assert len(set(study.READINGS)) == 32
    assert [reading for reading in study.READINGS if study.worst(reading) < 0.02] == [FITS]
    assert study.counts(FITS) == {"x": 10_923, "y": 6_104, "z": 2_712, "m": 4_729}


@pytest.mark.parametrize("letter", "xyzm")
def test_formula_counts_what_the_network_has(letter):
    assert study.counts(FITS)[letter] == profiling.weights(models.build(f"tinyspeech-{letter}", study.CLASSES))
    wide = Designed(replace(TINYSPEECH_DESIGNS[letter], near_kernel=(3, 3), far_kernel=(3, 3)), study.CLASSES)
    assert study.counts(replace(FITS, kernel=3))[letter] == profiling.weights(wide)


def test_each_question_adds_what_its_layer_has():
    """On M's first condenser and stem alone, counted by hand: 9 -> 18 -> 6 channels."""
    small = replace(TINYSPEECH["m"], blocks=(((18, 6), (12, 9)),))
    base = study.count(small, FITS)
    extra = {name: study.count(small, replace(FITS, **{name: True})) - base for name in ("halves", "bias", "norm", "expand_back")}
    assert extra["halves"] == 18 * (9 // 2 - 1) + 12 * (6 // 2 - 1)
    assert extra["bias"] == 9 + (18 + 6) + (12 + 9) + 40 + 12
    assert extra["norm"] == 2 * 6 + 2 * 9
    assert extra["expand_back"] == 6 * 9 + 9 * 9
    assert study.count(small, replace(FITS, norm=True), norm=False) == base


def test_misses_are_shares_of_the_published_count():
    misses = study.misses(FITS)
    assert misses["x"] == pytest.approx(123 / 10_800)
    assert study.worst(FITS) == pytest.approx(123 / 10_800)
