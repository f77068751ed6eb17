"""The ear in integers: from int16 samples to the int8 features that a network takes, as the interpreter computes them.

One operation, `ops.features.Features`, does it frame by frame: the spectra of a whole second would need a hundred times the memory.
Its steps are functions here, each for many frames at once, and functions of the same names in kernels/frontend.c:

    window   samples * Hann in Q15, kept with 13 bits after the point                                       int32
    fft      fft / 2 complex numbers, two samples in each; two stages without products, then every stage halves    int32
    split    the spectrum of the real samples out of it, with `spectrum_bits` after the point               int32
    log_mel  energies of the mel bands, exact in 64 bits, and their logarithm to base 2                     int16, 9 bits after the point
    finish   DCT (MFCC only), mean and deviation, and the network's scale and zero point                    int8

**No block exponent.** A 16-bit sample has 13 more bits while it is transformed, and halving keeps sums of any length within 32: rounding
moves a bin of 512 points by less than 0.4 of a sample's last bit, and 16-bit factors by 1/5000 of the loudest bin there can be
(tests/quantization/test_integer_frontend.py has the bounds). The floor below the logarithm is 33 such bits.
"""

import numpy as np

from tinycourse.program.fixed_point import requantize, shift_right

WINDOW_BITS = 13  # after the point of windowed samples
POWER_BITS = 1  # after the point of the numbers that are squared
MEL_BITS = 12  # of mel weights
LOG_BITS = 9  # of logarithms
LOG2 = np.rint(2**14 * np.log2(1 + np.arange(33) / 32)).astype(np.int64)  # of 1, 33/32, ... 2, with 14 bits


def recording(op, x: np.ndarray, count: int, zero_point: int) -> np.ndarray:
    """The first `count` frames of a recording int16 [S], of any length: int8 [count, bands]."""
    return frames(op, frame(x, count, len(op.arrays["window"]), op.parameters["hop"], op.parameters["lead"]), zero_point)


def frames(op, x: np.ndarray, zero_point: int) -> np.ndarray:
    """Frames of samples, int16 [frames, W], to their features, int8 [frames, bands]."""
    twiddle = op.arrays["twiddle"]
    logs = log_mel(op, *split(*fft(*window(x, op.arrays["window"], op.parameters["fft"]), twiddle), twiddle))
    return np.clip(finish(op, logs) + zero_point, -128, 127).astype(np.int8)


def frame(x: np.ndarray, frames: int, size: int, hop: int, lead: int) -> np.ndarray:
    """Overlapping stretches: int16 [S] -> [frames, size]. What lies before or after the recording is its mirror image."""
    place = np.abs(np.arange(frames)[:, None] * hop + np.arange(size) - lead)
    return x[np.minimum(place, 2 * (len(x) - 1) - place)]


def window(x: np.ndarray, hann: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """int16 [frames, W] -> size / 2 complex numbers for each frame, zeros behind the window: even samples real, odd ones imaginary."""
    padded = np.zeros((len(x), size), np.int64)
    padded[:, : x.shape[1]] = shift_right(x.astype(np.int64) * hann, 15 - WINDOW_BITS)
    return padded[:, 0::2], padded[:, 1::2]


def half_product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x * w / 2 for w in Q15, rounded down: SMULWB, one instruction of a Cortex-M4."""
    return (x * w) >> 16


def turn(re: np.ndarray, im: np.ndarray, twiddle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half of (re + j im) * exp(-j angle), for twiddle [..., 2] = (-cos, -sin) of the angle: 1 does not fit into Q15, -1 does."""
    c, s = twiddle[..., 0].astype(np.int64), twiddle[..., 1].astype(np.int64)
    return -(half_product(re, c) + half_product(im, s)), half_product(re, s) - half_product(im, c)


def twiddles(size: int) -> np.ndarray:
    """(-cos, -sin) of 2 pi k / size in Q15: int16 [size / 2, 2]."""
    angles = 2 * np.pi * np.arange(size // 2) / size
    return np.rint(-(2.0**15) * np.stack([np.cos(angles), np.sin(angles)], 1)).clip(max=2**15 - 1).astype(np.int16)


def fft(re: np.ndarray, im: np.ndarray, twiddle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Complex FFT along the last axis [..., n], n a power of two from 4 up, divided by n / 4. `twiddle` [n, 2] has angles pi k / n.

    Decimation in time: numbers in bit-reversed order, a stage of radix 4 whose factors are 1, j, -1, -j, then stages of radix 2.
    """
    n = re.shape[-1]
    order = bit_reversed(n)
    re, im = (x[..., order].reshape(*x.shape[:-1], n // 4, 4) for x in (re, im))
    (a, b, c, d), (e, f, g, h) = (np.moveaxis(x, -1, 0) for x in (re, im))
    re = np.stack([a + b + c + d, a - b + g - h, a + b - c - d, a - b - g + h], -1)
    im = np.stack([e + f + g + h, e - f - c + d, e + f - g - h, e - f + c - d], -1)
    span = 4
    while span < n:
        re, im = (x.reshape(*x.shape[:-2], n // (2 * span), 2, span) for x in (re, im))
        (a, b), (c, d) = ((x[..., 0, :], x[..., 1, :]) for x in (re, im))
        x, y = turn(b, d, twiddle[:: n // span])
        re, im = np.stack([(a >> 1) + x, (a >> 1) - x], -2), np.stack([(c >> 1) + y, (c >> 1) - y], -2)
        span *= 2
        re, im = (x.reshape(*x.shape[:-3], n // span, span) for x in (re, im))
    return re[..., 0, :], im[..., 0, :]


def bit_reversed(n: int) -> np.ndarray:
    """Each number below n, a power of two, with its bits in the opposite order."""
    order = np.zeros(1, int)
    while len(order) < n:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def split(re: np.ndarray, im: np.ndarray, twiddle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The spectrum of 2 n real numbers, from that of n complex ones made of them: bins 1 to n - 1, [..., n]; bin 0 is left as it is."""
    n = re.shape[-1]
    k = np.arange(1, n // 2 + 1)
    (a, b), (c, d) = ((x[..., k], x[..., n - k]) for x in (re, im))
    x, y = turn(c + d, b - a, twiddle[k])
    even, odd = (a + b) >> 1, (c - d) >> 1
    re, im = re.copy(), im.copy()
    re[..., k], im[..., k] = even + x, odd + y
    re[..., n - k], im[..., n - k] = even - x, y - odd
    return re, im


def spectrum_bits(size: int) -> int:
    """Bits after the point of what `split` gives for an FFT of `size`: every stage but the first two halved."""
    return WINDOW_BITS - (size // 8).bit_length() + 1


def log_mel(op, re: np.ndarray, im: np.ndarray) -> np.ndarray:
    """Spectrum [frames, fft / 2] -> log2 of the energy in every mel band [frames, mels], 9 bits after the point.

    The bins between the peaks of two neighbouring bands are shared between them: a bin gives its weight to the upper band and what
    is left to the lower one. `counts` says how many bins lie between two peaks; the sums are exact.
    """
    weight, counts, first = op.arrays["mel"].astype(np.int64), op.arrays["counts"].astype(int), op.parameters["first"]
    down = spectrum_bits(op.parameters["fft"]) - POWER_BITS
    re, im = (x[:, first : first + len(weight)] >> down for x in (re, im))
    power = np.pad(re * re + im * im, ((0, 0), (0, 1)))  # a zero behind, where segments without bins may begin
    begins = np.concatenate([[0], counts.cumsum()[:-1]])
    rising, total = (np.add.reduceat(x, begins, 1) * (counts > 0) for x in (power * np.pad(weight, (0, 1)), power))
    energy = rising[:, :-1] + (total[:, 1:] << MEL_BITS) - rising[:, 1:]
    return log2(energy + op.parameters["floor"])


def log2(x: np.ndarray) -> np.ndarray:
    """log2 of integers from 1 to 2**63 - 1, 9 bits after the point: on straight lines between the 33 numbers of LOG2."""
    x = x.astype(np.int64)
    exponent = np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1
    exponent -= (x >> exponent) == 0  # float64 may have rounded up to the next power of two
    mantissa = np.where(exponent > 31, x >> np.maximum(exponent - 31, 0), x << np.maximum(31 - exponent, 0))  # its top 32 bits
    place, rest = (mantissa >> 26) & 31, (mantissa >> 11) & 0x7FFF  # 5 and 15 bits behind the leading one
    return (exponent << LOG_BITS) + shift_right((LOG2[place] << 15) + (LOG2[place + 1] - LOG2[place]) * rest, 29 - LOG_BITS)


def finish(op, logs: np.ndarray) -> np.ndarray:
    """Logarithms [frames, mels] -> features [frames, bands] in steps of the network's input, its zero point not yet added."""
    if "dct" in op.arrays:
        logs = (logs.astype(np.float64) @ op.arrays["dct"].T.astype(np.float64)).astype(np.int64)
    return requantize(logs + op.arrays["bias"], op.arrays["multiplier"], op.arrays["shift"])
