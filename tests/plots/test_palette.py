"""The course's colours under the three kinds of dichromacy, simulated; a figure that tells series apart by colour alone is found."""

from itertools import combinations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tests import drawn
from tinycourse.session import PALETTE

# Machado, Oliveira and Fernandes 2009 (doi 10.1109/TVCG.2009.113), severity 1, on linear RGB.
SEEN = {
    "by everybody": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # of linear sRGB
WHITE = XYZ.sum(1)
APART = 15  # CIELAB units between two colours: a just noticeable difference is about 2.3


def lab(colour, seen: str) -> np.ndarray:
    """CIELAB (1976) of a colour as somebody with this kind of vision sees it."""
    c = np.array(to_rgb(colour))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    x, y, z = (XYZ @ np.clip(np.array(SEEN[seen]) @ linear, 0, 1)) / WHITE
    fx, fy, fz = (np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def nearest(colours, seen: str) -> float:
    """The distance of the two colours that are hardest to tell apart."""
    return min(float(np.linalg.norm(lab(a, seen) - lab(b, seen))) for a, b in combinations(colours, 2))


def test_the_simulation_knows_what_is_confused():
    grey = lab("0.5", "by everybody")
    for seen in SEEN:
        assert lab("white", seen) == pytest.approx((100, 0, 0), abs=0.1) and lab("0.5", seen) == pytest.approx(grey, abs=0.1)
    red_and_green = "#b04040", "#6a7a30"
    assert nearest(red_and_green, "deuteranopia") < nearest(red_and_green, "by everybody") / 3


@pytest.mark.parametrize("seen", SEEN)
def test_colours_of_the_palette_stay_apart(seen):
    assert nearest(PALETTE, seen) > APART


def test_the_usual_palette_would_not_do():
    usual = matplotlib.rcParamsDefault["axes.prop_cycle"].by_key()["color"][: len(PALETTE)]
    assert min(nearest(usual, seen) for seen in SEEN) < APART / 2


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("name", ["cividis", "Blues"])
def test_maps_of_magnitude_grow_steadily_in_lightness(name, seen):
    lightness = [lab(plt.get_cmap(name)(x), seen)[0] for x in np.linspace(0, 1, 17)]
    steps = np.diff(lightness) * np.sign(lightness[-1] - lightness[0])
    assert steps.min() > 0 and abs(lightness[-1] - lightness[0]) > 60


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("name", ["RdBu", "PuOr"])
def test_maps_with_a_sign_have_two_ends_and_a_bright_middle(name, seen):
    low, middle, high = (lab(plt.get_cmap(name)(x), seen) for x in (0.1, 0.5, 0.9))
    assert np.linalg.norm(low - high) > 2 * APART and middle[0] > max(low[0], high[0]) + APART


def test_series_that_differ_by_colour_alone_are_found():
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2], "o-", label="a")
    left.plot([2, 1], "s--", label="b")
    left.plot([2, 2], "s--", label="not in the legend")
    left.legend(["a", "b"])
    assert drawn.colour_alone(figure) == []
    right.plot([1, 2], label="c")
    right.plot([2, 1], label="d")
    right.bar([0], [1], label="e")
    right.bar([1], [1], label="f")
    right.scatter([0], [1], label="g")
    right.scatter([0], [1], label="h", marker="s")
    right.legend()
    assert drawn.colour_alone(figure) == ["c and d", "e and f"]
    plt.close(figure)
