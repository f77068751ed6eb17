"""Observers name the range that they promise, of a tensor and of each channel, for integers with and without a zero point."""

import numpy as np
import pytest
import torch

from tinycourse.errors import TinycourseError
from tinycourse.program.affine import affine_parameters, dequantize, quantize, symmetric_parameters
from tinycourse.quantization.observers import OBSERVERS, MeanSquareError, MinMax, MovingAverage, Percentile, find_observer


def observed(observer, *batches):
    for batch in batches:
        observer.observe(batch)
    return observer.range()


def square_error(x, bounds):
    parameters = affine_parameters(*bounds)
    return np.square(x - dequantize(quantize(x, *parameters), *parameters)).mean()


def test_min_max():
    assert observed(MinMax(), torch.tensor([[-1.0, 2.0]]), torch.tensor([0.0, 5.0])) == (-1, 5)


def test_moving_average():
    low, high = observed(MovingAverage(0.25), torch.tensor([-1.0, 2.0]), torch.tensor([-3.0, 10.0]))
    assert (low, high) == (-1.5, 4.0)


@pytest.mark.parametrize("seed", range(5))
def test_percentile_leaves_out_the_tails(seed):
    """To the width of a bin, however the range grew while it was observed."""
    random = np.random.default_rng(seed)
    x = np.concatenate([random.normal(0, size, 1000) for size in (0.1, 3, 1, 20)])
    observer = Percentile(99)
    low, high = observed(observer, *torch.from_numpy(x).split(1000))
    width = 2 * observer.limit / 4096
    assert observer.counts.sum() == 4000 and observer.limit >= np.abs(x).max()
    x.sort()  # ranks 40 and 3960 of 4000: bins are exact about ranks, not about where in the bin a number lies
    assert x[40] - width <= low <= x[40] and x[-41] <= high <= x[-41] + width


def test_percentile_one_hundred_leaves_out_nothing():
    assert observed(Percentile(100), torch.tensor([-1.0, 2.5]), torch.tensor([7.0])) == (-1, 7)


def test_mean_square_error_clips_outliers():
    """The squared error of one lost outlier among 30,000 is smaller than what its range costs the others."""
    x = torch.cat([torch.randn(30_000, generator=torch.Generator().manual_seed(0)), torch.tensor([40.0])])
    bounds = observed(MeanSquareError(), x)
    assert bounds[1] < 40
    assert square_error(x.numpy(), bounds) < square_error(x.numpy(), (x.min(), x.max()))


def test_mean_square_error_keeps_what_counts():
    assert observed(MeanSquareError(), torch.linspace(-1, 3, 1000)) == (-1, 3)


def test_observers_accept_a_tensor_of_zeros():
    for observer in (MinMax, MovingAverage, Percentile, MeanSquareError):
        assert tuple(map(float, observed(observer(), torch.zeros(2, 3), torch.zeros(3)))) == (0, 0)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("low, high", [(-3, 1), (0.5, 20), (-1e-5, 0)])
def test_symmetric_integers_reach_the_larger_end_without_a_zero_point(low, high, bits):
    scale, zero_point = symmetric_parameters(low, high, bits)
    q = quantize([low, high, 0], scale, zero_point, bits)
    assert zero_point == 0 == q[2] and np.abs(q[:2].astype(int)).max() == 2 ** (bits - 1) - 1 and q.dtype == f"int{bits}"


def test_symmetric_parameters_of_nothing():
    assert symmetric_parameters(0, 0) == (1.0, 0)


def test_observers_by_name():
    assert find_observer("percentile") is Percentile and find_observer(MinMax) is MinMax
    with pytest.raises(TinycourseError, match="no observer called 'median'; choose one of min-max, "):
        find_observer("median")


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_has_no_range(name, wrong):
    """And ends: a histogram that doubles until an infinite value fits would never."""
    with pytest.raises(TinycourseError, match="infinite numbers or nan.*give other recordings, or train again"):
        observed(OBSERVERS[name](), torch.tensor([1.0, -1.0]), torch.tensor([0.0, wrong]))
