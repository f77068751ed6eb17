"""Checks of lesson 01: mel filters, and cepstral coefficients."""

import math

import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect_array, expect_close

# -------------------------------------------------------------------------------------------- mel_filters


def to_mel(hertz: float) -> float:
    """Pitch of a frequency in hertz, in mel."""
    return 2595 * math.log10(1 + hertz / 700)


def to_hertz(mel: float) -> float:
    """Frequency of a pitch in mel, in hertz."""
    return 700 * (10 ** (mel / 2595) - 1)


def slow_mel_filters(bins: int, mels: int, low: float, high: float, rate: int) -> Tensor:
    """Triangles [bins, mels], one number at a time; bin k of `bins` stands for k / (bins - 1) of half the rate."""
    step = (to_mel(high) - to_mel(low)) / (mels + 1)
    edges = [to_hertz(to_mel(low) + i * step) for i in range(mels + 2)]
    bank = torch.zeros(bins, mels)
    for k in range(bins):
        hertz = k / (bins - 1) * rate / 2
        for m in range(mels):
            left, centre, right = edges[m : m + 3]
            bank[k, m] = max(0.0, min((hertz - left) / (centre - left), (right - hertz) / (right - centre)))
    return bank


def triangles(bins, edges, rate) -> Tensor:
    """Triangles [bins, len(edges) - 2] over edges in hertz, without the clamp at 0."""
    hertz = torch.linspace(0, rate / 2, bins, dtype=torch.float64)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    return torch.minimum((hertz - left) / (centre - left), (right - hertz) / (right - centre))


def mel_edges(mels, low, high) -> Tensor:
    """The mels + 2 edges in hertz, float64."""
    return 700 * (10 ** (torch.linspace(to_mel(low), to_mel(high), mels + 2, dtype=torch.float64) / 2595) - 1)


def below_zero(bins, mels, low, high, rate):
    """The straight lines go on below zero outside of each triangle: what is negative has to become 0."""
    return triangles(bins, mel_edges(mels, low, high), rate).float()


def even_in_hertz(bins, mels, low, high, rate):
    """The edges are evenly spaced in hertz: space them evenly in mel, then turn each into hertz."""
    return triangles(bins, torch.linspace(low, high, mels + 2, dtype=torch.float64), rate).clamp(min=0).float()


def natural_logarithm(bins, mels, low, high, rate):
    """2595 belongs to the logarithm to base 10 (and 1127 to the natural one): with log() the way back with 10 ** does not fit."""
    first, last = (2595 * math.log(1 + hertz / 700) for hertz in (low, high))
    edges = 700 * (10 ** (torch.linspace(first, last, mels + 2, dtype=torch.float64) / 2595) - 1)
    return triangles(bins, edges, rate).clamp(min=0).float()


def same_area(bins, mels, low, high, rate):
    """Every triangle was divided by half its width, to have the same area (Slaney's way): here each peak has the height 1."""
    edges = mel_edges(mels, low, high)
    return (triangles(bins, edges, rate).clamp(min=0) * 2 / (edges[2:] - edges[:-2])).float()


def edges_on_bins(bins, mels, low, high, rate):
    """The edges were rounded to bins of the FFT, which bends every triangle: leave them between the bins where they fall there."""
    width = rate / 2 / (bins - 1)
    return triangles(bins, (mel_edges(mels, low, high) / width).round() * width, rate).nan_to_num(0).clamp(min=0).float()


def bins_up_to_the_rate(bins, mels, low, high, rate):
    """The last bin of a real FFT stands for half the rate (Nyquist), not for the rate: every filter sits at half its frequency."""
    return triangles(bins, mel_edges(mels, low, high), 2 * rate).clamp(min=0).float()


def one_edge_short(bins, mels, low, high, rate):
    """A band lies between its neighbours' centres, so `mels` bands have mels + 2 edges: the last filter does not end at `high`."""
    width = (to_mel(high) - to_mel(low)) / mels
    edges = 700 * (10 ** ((to_mel(low) + width * torch.arange(mels + 2, dtype=torch.float64)) / 2595) - 1)
    return triangles(bins, edges, rate).clamp(min=0).float()


def filters_in_rows(bins, mels, low, high, rate):
    """A filter stands in each row: the result is [bins, mels], so that power @ filters gives the energies."""
    return triangles(bins, mel_edges(mels, low, high), rate).clamp(min=0).float().T


@exercise(
    reference=slow_mel_filters,
    wrong=[below_zero, even_in_hertz, natural_logarithm, same_area, edges_on_bins, bins_up_to_the_rate, one_edge_short, filters_in_rows],
)
def mel_filters(candidate, random):
    """mel_filters(bins, mels, low, high, rate) -> float32 [bins, mels].

    Bound: an edge f in hertz, computed in float32, is off by at most 16 roundings u = 2**-24 of f + 700 (an exponent of up to 3
    costs seven of them); a slope over a width w turns that into 4 times as much over w, and the clamp makes nothing worse.
    """
    rate = 16_000
    for case, (bins, mels) in {"wide bands": (257, 10), "narrow bands": (513, 40)}.items():
        low, high = float(random.integers(20, 200)), float(random.integers(3_500, 7_500))
        said = f"{case}: bins = {bins}, mels = {mels}, low = {low:g}, high = {high:g}"
        got = candidate(bins, mels, low, high, rate)
        expect_array(got, (bins, mels), torch.float32, said)
        edges = mel_edges(mels, low, high)
        narrow = torch.minimum(edges[1:-1] - edges[:-2], edges[2:] - edges[1:-1])
        bound = 4 * 16 * UNIT * (rate / 2 + 700) / narrow  # [mels]
        expect_close(got, slow_mel_filters(bins, mels, low, high, rate), bound.expand(bins, mels), said)


# ----------------------------------------------------------------------------------------------- cepstrum


def slow_cepstrum(energy: Tensor, coefficients: int, floor: float) -> Tensor:
    """MFCC [frames, coefficients] of mel energies [frames, mels], one number at a time."""
    frames, mels = energy.shape
    result = torch.zeros(frames, coefficients, dtype=energy.dtype)
    for t in range(frames):
        log = [math.log(e + floor) for e in energy[t].tolist()]
        for k in range(coefficients):
            scale = math.sqrt((1 if k == 0 else 2) / mels)
            result[t, k] = scale * sum(x * math.cos(math.pi * k * (n + 0.5) / mels) for n, x in enumerate(log))
    return result


def cosines(mels: int, coefficients: int, half: float = 0.5) -> Tensor:
    """cos(pi k (n + half) / mels) as [mels, coefficients], float64, without the scale."""
    n, k = torch.arange(mels, dtype=torch.float64)[:, None], torch.arange(coefficients)
    return torch.cos(math.pi * k * (n + half) / mels)


def scales(mels: int, coefficients: int) -> Tensor:
    """sqrt(2 / mels), and sqrt(1 / mels) for coefficient 0: float64 [coefficients]."""
    return torch.tensor([math.sqrt((1 if k == 0 else 2) / mels) for k in range(coefficients)], dtype=torch.float64)


def transformed(log: Tensor, coefficients: int) -> Tensor:
    """The right transform of log energies [frames, mels]."""
    return (log.double() @ (cosines(log.shape[1], coefficients) * scales(log.shape[1], coefficients))).to(log.dtype)


def floor_forgotten(energy, coefficients, floor):
    """The logarithm of 0 is minus infinity, and the cosine transform spreads it over the whole frame: add the floor first."""
    return transformed(energy.log(), coefficients)


def floor_as_a_limit(energy, coefficients, floor):
    """The floor was a lower limit (clamp): here it is added to every energy, as torchaudio does."""
    return transformed(energy.clamp(min=floor).log(), coefficients)


def logarithm_to_base_ten(energy, coefficients, floor):
    """log10 makes every coefficient smaller by the factor 2.3: take the natural logarithm."""
    return transformed((energy + floor).log10(), coefficients)


def logarithm_forgotten(energy, coefficients, floor):
    """The transform was applied to the energies: it belongs to their logarithms."""
    return transformed(energy + floor, coefficients)


def scale_forgotten(energy, coefficients, floor):
    """The cosines alone are too long: scale them by sqrt(2 / mels), and coefficient 0 by sqrt(1 / mels)."""
    log = (energy + floor).log()
    return (log.double() @ cosines(log.shape[1], coefficients)).float()


def first_not_halved(energy, coefficients, floor):
    """Coefficient 0 is too large by sqrt(2): its cosine is 1 everywhere, so its scale is sqrt(1 / mels)."""
    log = (energy + floor).log()
    return (log.double() @ (cosines(log.shape[1], coefficients) * math.sqrt(2 / log.shape[1]))).float()


def half_forgotten(energy, coefficients, floor):
    """The half is missing: the cosines are taken in the middle of each band, at n + 1/2, or they are not orthogonal."""
    log = (energy + floor).log()
    mels = log.shape[1]
    return (log.double() @ (cosines(mels, coefficients, half=0) * scales(mels, coefficients))).float()


def first_left_out(energy, coefficients, floor):
    """The coefficients begin with number 1: number 0, the loudness, belongs to them here."""
    return transformed((energy + floor).log(), coefficients + 1)[:, 1:]


@exercise(
    reference=slow_cepstrum,
    wrong=[
        floor_forgotten,
        floor_as_a_limit,
        logarithm_to_base_ten,
        logarithm_forgotten,
        scale_forgotten,
        first_not_halved,
        half_forgotten,
        first_left_out,
    ],
)
def cepstrum(candidate, random):
    """cepstrum(energy float32 [frames, mels], coefficients, floor) -> float32 [frames, coefficients].

    Bound: with u = 2**-24, a sum of `mels` terms rounds by mels u of the sum of their sizes, each logarithm by 2 u, and the cosine of
    an angle a, computed in float32, by 4 a u. Twice that covers every order of the operations.
    """
    mels = int(random.integers(20, 41))
    coefficients = int(random.integers(8, mels - 4))
    floor = 1e-6
    loud = random.lognormal(0, 3, (6, mels))
    gaps = loud * (random.random((6, mels)) < 0.8)
    gaps[0] = 0  # digital silence
    near = floor * random.uniform(0.1, 3, (6, mels))
    for case, numbers in {"energies near the floor": near, "energies of which some are 0": gaps, "speech": loud}.items():
        energy = torch.tensor(numbers, dtype=torch.float32)
        said = f"{case}: mels = {mels}, coefficients = {coefficients}, floor = {floor:g}"
        got = candidate(energy, coefficients, floor)
        expect_array(got, (len(energy), coefficients), torch.float32, said)
        expected = slow_cepstrum(energy.double(), coefficients, floor)
        log = (energy.double() + floor).log().abs()
        roundings = 2 * (mels + 8 + 4 * math.pi * torch.arange(coefficients))  # [coefficients]
        bound = roundings * UNIT * math.sqrt(2 / mels) * log.sum(1, keepdim=True)
        expect_close(got, expected, bound, said)
