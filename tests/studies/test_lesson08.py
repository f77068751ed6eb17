"""The pictures and the widget of lesson 08 show what they are given."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch

from tests.drawn import texts
from tinycourse.plots import lesson08 as figures
from tinycourse.quantization import qat
from tinycourse.quantization.post_training import signal_to_noise
from tinycourse.widgets.lesson08 import ALL, EACH, RoundingExplorer

pytestmark = pytest.mark.usefixtures("closed")


def test_the_staircase_shows_the_error_in_steps():
    x = np.linspace(-1, 1, 9)
    left, right = figures.staircase(x, np.rint(x / 0.5) * 0.5, 0.5).axes
    np.testing.assert_allclose(left.lines[1].get_ydata(), np.rint(x / 0.5) * 0.5)
    np.testing.assert_allclose(right.lines[0].get_ydata(), np.rint(x / 0.5) - x / 0.5)


def test_before_and_after_writes_numbers_where_there_is_room():
    small = np.array([[0.26, -0.9], [0.5, 0.0]])
    q = np.rint(small / 0.5)
    figure = figures.before_and_after(small, q, q * 0.5, 0.5)
    np.testing.assert_allclose(figure.axes[2].images[0].get_array(), (q * 0.5 - small) / 0.5)
    assert {"0.26", "-0.90", "-2", "1", "0.5"} <= set(texts(figure))
    wide = np.zeros((2, 30))
    assert "0.00" not in texts(figures.before_and_after(wide, wide, wide, 1.0))


def test_rows_are_sorted_by_size():
    largest, own = np.array([3.0, 1.0, 2.0]), np.array([0.3, 0.1, 0.2])
    left, right = figures.rows(largest, {"own": own}, {"own": np.array([30.0, 10.0, 20.0])}).axes
    assert list(left.lines[0].get_ydata()) == [1, 2, 3] and list(right.lines[0].get_ydata()) == [10, 20, 30]
    np.testing.assert_allclose(left.lines[1].get_ydata(), [0.05, 0.1, 0.15])


def test_lines_bars_and_marks():
    top, bottom = figures.ranges(np.arange(10.0), {"a": (0, 5), "b": (0, 9)}).axes
    assert [list(line.get_xdata()) for line in bottom.lines] == [[0, 5], [0, 9]] and len(top.patches) == 200
    x = np.arange(4.0)
    left, right = figures.curves(x, {"one": x, "two": 2 * x}, {"one": x / 9}).axes
    assert len(left.lines) == 2 and list(right.lines[0].get_ydata()) == list(x / 9)
    top, bottom = figures.step_by_step({"float": x, "integer": x + 1}, {"integer": x * 0 + 1}, 0.5, "cell").axes
    assert list(top.lines[1].get_xdata()) == [0, 0.5, 1, 1.5] and bottom.lines[0].get_color() == "C1"
    full = figures.overflow({"c": x}, 64)
    assert [line.get_ydata()[0] for line in full.axes[0].lines] == [0, -64, 64] and {"64", "-64"} <= set(texts(full))
    report = [{"tensor": "input", "kind": "input", "path": "", "snr": 40.0}, {"tensor": "a", "kind": "conv", "path": "1", "snr": 30.0}]
    assert {"input  input", "1  conv"} <= set(texts(figures.snr(report)))
    assert list(figures.behind([1, 1.2], [1, 1], 3).axes[0].lines[2].get_ydata()) == [1, 1]
    assert [bar.get_width() for bar in figures.speed({"torch": 1.0, "full int8": 0.2}).axes[0].patches] == [1.0, 0.2]
    line = figures.bits_and_accuracy({"after": [(8, 0.9), (4, 0.5)]}, 0.9).axes[0].lines[0]
    assert list(line.get_xdata()) == [8, 4] and list(line.get_ydata()) == [0.9, 0.5]


def test_sensitivity_has_a_row_for_each_weight_and_a_mark_for_each_width():
    rows = [qat.Sensitivity(name, bits, snr, 9) for name, snr in (("a", 50.0), ("b", 40.0)) for bits in (8, 4)]
    ax = figures.sensitivity(rows).axes[0]
    assert [line.get_label() for line in ax.lines[:2]] == ["8 bits", "4 bits"]
    assert list(ax.lines[0].get_xdata()) == [50.0, 40.0]


# --------------------------------------------------------------------------------------------- widget


def explorer() -> RoundingExplorer:
    torch.manual_seed(0)
    return RoundingExplorer({"first": torch.randn(8, 4, 3, 3), "second": torch.randn(20, 30)})


def test_the_widget_rounds_as_its_controls_say():
    made = explorer()
    torch.testing.assert_close(made.back, qat.round_rows(made.weights["first"], 4))
    made.bits.value, made.name.value = 8, "second"
    torch.testing.assert_close(made.back, qat.round_rows(made.weights["second"], 8))
    assert made.snr == pytest.approx(signal_to_noise(made.weights["second"].numpy(), made.back.numpy())) and made.snr > 40
    made.shared.value = ALL
    assert made.scale.shape == (1, 1)
    assert "700 bytes, 2,400 in float32" in made.words.value  # 20 rows of 30 weights and a factor


def test_an_outlier_harms_all_who_share_its_steps_and_cutting_it_off_helps_them():
    made = explorer()
    made.name.value, made.bits.value, made.outlier.value, made.shared.value = "second", 8, 20, ALL
    others = made.weight.abs() < made.weight.abs().max()

    def of_others():
        return signal_to_noise(made.weight[others].numpy(), made.back[others].numpy())

    shared = of_others()
    made.reach.value = 0.2
    assert of_others() > shared + 6 and "0.2% were cut off" in made.words.value
    made.reach.value, made.shared.value = 1.0, EACH
    assert of_others() > shared + 6
    assert made.weights["second"].abs().max() < made.weight.abs().max()  # what it was given stays as it is


@pytest.mark.parametrize("control, value", [("name", "second"), ("bits", 3), ("shared", ALL), ("reach", 0.5), ("outlier", 5)])
def test_every_control_changes_the_picture(control, value):
    made = explorer()
    before = bytes(made.picture.value)
    getattr(made, control).value = value
    assert before.startswith(b"\x89PNG") and bytes(made.picture.value) != before
