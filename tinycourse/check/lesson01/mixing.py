"""Checks of lesson 01: noise at a ratio."""

import math

import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect_array, expect_close


def slow_mix_at_snr(speech: Tensor, noise: Tensor, snr: float) -> Tensor:
    """speech + gain * noise [T], the gain from powers added up one sample at a time."""
    power = [sum(x * x for x in samples.tolist()) / len(samples) for samples in (speech, noise)]
    gain = math.sqrt(power[0] / power[1] / 10 ** (snr / 10))
    return torch.tensor([s + gain * n for s, n in zip(speech.tolist(), noise.tolist())], dtype=speech.dtype)


def mixed(speech, noise, power_ratio) -> Tensor:
    """Speech plus noise whose power is `power_ratio` of the speech's."""
    gain = (power_ratio * speech.double().square().mean() / noise.double().square().mean()).sqrt()
    return (speech + gain * noise).float()


def amplitude_for_power(speech, noise, snr):
    """Ten decibels are a factor of 10 in power, which is sqrt(10) in amplitude: the noise is too soft by snr decibels."""
    return mixed(speech, noise, 10 ** (-snr / 5))


def half_the_decibels(speech, noise, snr):
    """20 decibels a factor of 10 holds for amplitudes: a ratio of powers goes with 10 ** (snr / 10)."""
    return mixed(speech, noise, 10 ** (-snr / 20))


def root_forgotten(speech, noise, snr):
    """The gain is a ratio of powers: samples are amplitudes, so take its square root."""
    gain = speech.double().square().mean() / noise.double().square().mean() / 10 ** (snr / 10)
    return (speech + gain * noise).float()


def noise_as_it_is(speech, noise, snr):
    """The noise has a power of its own: divide by it before you scale."""
    gain = (speech.double().square().mean() / 10 ** (snr / 10)).sqrt()
    return (speech + gain * noise).float()


def upside_down(speech, noise, snr):
    """A higher signal to noise ratio means less noise: the sign of snr is the wrong way round."""
    return mixed(speech, noise, 10 ** (snr / 10))


def by_the_peaks(speech, noise, snr):
    """The largest samples were compared: the ratio is one of powers, the means of the squares."""
    gain = speech.double().abs().max() / noise.double().abs().max() * 10 ** (-snr / 20)
    return (speech + gain * noise).float()


@exercise(
    reference=slow_mix_at_snr,
    wrong=[amplitude_for_power, half_the_decibels, root_forgotten, noise_as_it_is, upside_down, by_the_peaks],
)
def mix_at_snr(candidate, random):
    """mix_at_snr(speech float32 [T], noise float32 [T], snr) -> float32 [T].

    Bound: with u = 2**-24, a mean of T squares in float32 rounds by at most (T + 2) u of itself in the worst order, so the gain, the
    root of a ratio of two of them, by (T + 6) u; scaling and adding cost four more, of the numbers that they meet.
    """
    length = int(random.integers(200, 400))
    for case, snr in {"noise far below": 15.0, "noise above": -6.0, "any ratio": float(random.uniform(2, 9))}.items():
        speech = torch.tensor(random.normal(0, random.uniform(0.01, 0.05), length), dtype=torch.float32)
        noise = torch.tensor(random.uniform(-1, 1, length) * random.uniform(0.2, 0.5), dtype=torch.float32)
        said = f"{case}: snr = {snr:.3g} dB"
        got = candidate(speech, noise, snr)
        expect_array(got, (length,), torch.float32, said)
        expected = slow_mix_at_snr(speech.double(), noise.double(), snr)
        added = (expected - speech).abs()
        expect_close(got, expected, UNIT * ((length + 10) * added + 4 * speech.abs()) + 1e-30, said)
