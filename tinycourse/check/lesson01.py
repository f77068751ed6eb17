"""Checks of lesson 01: frames, mel filters, cepstral coefficients, noise at a ratio, and what a stream keeps."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close

# -------------------------------------------------------------------------------------------------- frame


def slow_frame(samples: Tensor, size: int, hop: int) -> Tensor:
    """Frames [count, size] of samples [T], one every `hop`, only whole ones: sample by sample."""
    count = 1 + (len(samples) - size) // hop
    frames = torch.zeros(count, size)
    for i in range(count):
        for j in range(size):
            frames[i, j] = samples[i * hop + j]
    return frames


def last_frame_forgotten(samples, size, hop):
    """One frame is missing: with T = size there is one frame already, so the count is 1 + (T - size) // hop."""
    return samples.unfold(0, size, hop)[:-1]


def one_for_each_hop(samples, size, hop):
    """T // hop counts a frame for every hop, also where the samples end before the frame does: the last ones are not whole."""
    count = len(samples) // hop
    return F.pad(samples, (0, size)).unfold(0, size, hop)[:count]


def side_by_side(samples, size, hop):
    """The frames stand side by side: a new one begins every `hop` samples, before the one before has ended."""
    return samples[: len(samples) // size * size].reshape(-1, size)


def begins_one_late(samples, size, hop):
    """Every frame begins one sample late: frame i begins at sample i * hop, the first one at 0."""
    count = 1 + (len(samples) - size) // hop
    return torch.roll(samples, -1).unfold(0, size, hop)[:count]


def frames_in_columns(samples, size, hop):
    """Frames stand in the columns: each row has to be a frame, so that the result is [count, size]."""
    return samples.unfold(0, size, hop).T


@exercise(
    reference=slow_frame,
    wrong=[last_frame_forgotten, one_for_each_hop, side_by_side, begins_one_late, frames_in_columns],
)
def frame(candidate, random):
    """frame(samples float32 [T], size, hop) -> float32 [1 + (T - size) // hop, size]. Copies are exact: no rounding is allowed."""
    hop = int(random.integers(3, 8))
    size = 2 * hop + int(random.integers(1, hop))
    count = int(random.integers(5, 9))
    exact = size + (count - 1) * hop
    cases = {"a last frame that just fits": exact, "samples left over": exact + hop - 1, "a single frame": size}
    for case, length in cases.items():
        samples = torch.tensor(random.normal(size=length), dtype=torch.float32)
        said = f"{case}: T = {length}, size = {size}, hop = {hop}"
        got = candidate(samples, size, hop)
        expected = slow_frame(samples, size, hop)
        expect_array(got, expected.shape, torch.float32, said)
        expect_close(got, expected, 1e-30, said)


# -------------------------------------------------------------------------------------------- mel_filters


def to_mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def to_hertz(mel: float) -> float:
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


# --------------------------------------------------------------------------------------------- mix_at_snr


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


# ------------------------------------------------------------------------------------------------ to_keep


def slow_to_keep(total: int, size: int, hop: int) -> int:
    """How many of `total` samples the next frame still needs: frame by frame."""
    begin = 0  # of the next frame
    while begin + size <= total:
        begin += hop
    return total - begin


def always_the_overlap(total, size, hop):
    """size - hop is what is left right after a frame: since then more samples have come, or no frame is complete yet."""
    return size - hop


def a_whole_frame(total, size, hop):
    """The last `size` samples are more than needed: some of them come before the next frame begins."""
    return min(total, size)


def overlap_dropped(total, size, hop):
    """Only what came after the last frame's end was kept: frames overlap, and the next one begins before that."""
    return (total - size) % hop if total >= size else total


def remainder_of_the_hop(total, size, hop):
    """total % hop forgets that a frame is longer than a hop: the next frame begins before the last complete one ends."""
    return total % hop


def the_last_frame_too(total, size, hop):
    """The frame that is complete was kept as well: the next one begins `hop` samples after it."""
    count = max(0, (total - size) // hop + 1)
    return total - max(0, count - 1) * hop


def one_frame_short(total, size, hop):
    """A frame is complete as soon as its last sample is there: with total = size the first one already is."""
    return total - max(0, (total - 1 - size) // hop + 1) * hop


def frames_before_the_first(total, size, hop):
    """Before the first frame is complete the formula for the count is negative: then all samples are kept, and no more than all."""
    return total - ((total - size) // hop + 1) * hop


def everything(total, size, hop):
    """All samples since the beginning are kept: a device that listens all day has no memory for that."""
    return total


@exercise(
    reference=slow_to_keep,
    wrong=[
        always_the_overlap,
        a_whole_frame,
        overlap_dropped,
        remainder_of_the_hop,
        the_last_frame_too,
        one_frame_short,
        frames_before_the_first,
        everything,
    ],
)
def to_keep(candidate, random):
    """to_keep(total, size, hop) -> int: samples to keep after `total` have come in. Whole numbers: nothing is rounded."""
    hop = int(random.integers(20, 50))
    size = 3 * hop + int(random.integers(2, hop - 2))
    later = size + int(random.integers(4, 9)) * hop
    cases = {
        "in the middle of a hop": later + hop // 2,
        "a frame has just been completed": later,
        "one sample before that": later - 1,
        "one sample after it": later + 1,
        "the first frame has just been completed": size,
        "before the first frame": hop - 1,
        "no sample yet": 0,
    }
    for case, total in cases.items():
        said = f"{case}: total = {total}, size = {size}, hop = {hop}"
        got, expected = candidate(total, size, hop), slow_to_keep(total, size, hop)
        expect(type(got) is int, said, "a whole number (int)", f"{type(got).__name__}")
        expect(got == expected, said, f"{expected}", f"{got}")
