"""The integer front end: each step against numpy within a bound from theory, the whole against the float one, C against Python."""

import dataclasses

import numpy as np
import pytest
import torch

from tests import fuzz
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.program import frontend
from tinycourse.program.keyword_spotter import takes_samples, without_samples
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program
from tinycourse.quantization.integer_frontend import mel_tables, with_samples
from tinycourse.targets import binaries

CONFIGS = {
    "log-mel": FrontendConfig("log-mel", high=7600.0),
    "mfcc": FrontendConfig(),
    "10 coefficients, 40/20 ms": FrontendConfig(window=640, hop=320, fft=1024, coefficients=10, centred=False),
    "short": FrontendConfig("log-mel", window=125, hop=50, fft=128, mels=8, coefficients=8),
}
SOUNDS = {
    "silence": lambda t: 0 * t,
    "noise": lambda t: np.random.default_rng(0).normal(0, 3000, len(t)),
    "whisper": lambda t: np.random.default_rng(1).normal(0, 2, len(t)),
    "sweep": lambda t: 20000 * np.sin(2 * np.pi * 3900 * t**2 / 2),
    "square": lambda t: 32767 * np.sign(np.sin(2 * np.pi * 440.3 * t)),
    "constant": lambda t: -32768 + 0 * t,
}


def recording(name: str) -> np.ndarray:
    """A second of sound: int16 [16000]."""
    return np.clip(np.rint(SOUNDS[name](np.arange(16_000) / 16_000)), -32768, 32767).astype(np.int16)


def listening(name: str) -> tuple[Frontend, Program]:
    """A float front end fitted on the sounds, and a program of nothing but its integer form."""
    torch.manual_seed(0)
    audio = torch.from_numpy(np.stack([recording(s) for s in ("noise", "whisper", "sweep")])) / 32768
    front = Frontend(CONFIGS[name]).fit(audio)
    x = Tensor("x", (*front.config.shape[1:], 1), 0.025, -7)
    nothing = OPS["reshape"](("x",), "y", {}, {})
    return front, with_samples(Program("x", "y", {"x": x, "y": dataclasses.replace(x, name="y")}, [nothing]), front)


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("size, length", [(16, 16), (512, 480), (1024, 640), (1024, 1024)])
def test_spectrum(sound, size, length):
    """Every bin of the FFT, in units of a sample's last bit."""
    x = frontend.frame(recording(sound), 20, length, 777, 0)
    hann = torch.hann_window(length).double().numpy()
    table, twiddle = np.rint(hann * 2**15).clip(max=2**15 - 1).astype(np.int16), frontend.twiddles(size)
    re, im = frontend.split(*frontend.fft(*frontend.window(x, table, size), twiddle), twiddle)
    found = (re + 1j * im)[:, 1:] / 2.0 ** frontend.spectrum_bits(size)
    loudness = np.abs(x * hann).sum(1, keepdims=True)
    stages = int(np.log2(size // 8))  # that halve
    # A stage rounds three times, down: below 2.5 in either part of a number. Halving its inputs, it hands on their error undiminished
    # at most; split adds the errors of two numbers. A factor is off by 2**-16.5 at most, the window by 2**-16 and its product by 2**-14.
    rounding = (2 * stages + 1) * 2.5 * np.sqrt(2) / 2.0 ** frontend.spectrum_bits(size) + length * 2.0**-14
    factors = (2 * stages + 1) * 2.0**-16.5 * loudness + 2.0**-16 * np.abs(x.astype(float)).sum(1, keepdims=True)
    error = np.abs(found - np.fft.rfft(x * hann, size)[:, 1:-1])
    assert (error <= rounding + factors).all()
    assert max(np.abs(re).max(), np.abs(im).max()) < 2**31


def test_the_logarithm():
    powers = 2 ** np.arange(63, dtype=np.int64)
    x = np.concatenate([powers, powers[1:] - 1, powers + 1, np.random.default_rng(0).integers(1, 2**63 - 1, 10_000)])
    error = np.abs(frontend.log2(x) / 2**frontend.LOG_BITS - np.log2(x.astype(np.longdouble)))
    assert error.max() <= 0.5 / 2**frontend.LOG_BITS + 1 / (8 * 32**2 * np.log(2)) + 2.0**-15  # rounded, on a line, from a table


@pytest.mark.parametrize("mels", [1, 2, 8, 40])
@pytest.mark.parametrize("high", [4000.0, 8000.0])
@pytest.mark.parametrize("fft", [512, 1024])
def test_one_weight_for_each_bin_says_all_of_the_bank(mels, high, fft):
    bank = Frontend(FrontendConfig("log-mel", mels=mels, coefficients=1, high=high, fft=fft)).bank.double().numpy()
    weight, counts, first = mel_tables(bank)
    segment, bins, again = np.repeat(np.arange(mels + 1), counts), first + np.arange(len(weight)), np.zeros((len(bank), mels + 2))
    again[bins, segment + 1] += weight
    again[bins, segment] += 1 - weight
    np.testing.assert_allclose(again[:, 1:-1], bank, atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_features_are_those_of_the_float_front_end(name):
    """In steps of 0.025 deviations. Bands 90 dB below others, which only synthetic sounds have, are left to test_spectrum."""
    front, program = listening(name)
    x = np.stack([recording(sound) for sound in ("silence", "noise", "whisper")])
    found = program.run(x).astype(int)
    expected = without_samples(program).quantize_input(front(torch.from_numpy(x) / 32768).numpy()[:, 0, :, :, None])
    difference = np.abs(found - expected)
    assert difference.max() <= 4 and difference.mean() < 0.25 and np.ptp(found) > 50


@pytest.mark.parametrize("target", ["host", "wasm", "cortex-m4", "cortex-m0plus"])
def test_c_equals_the_interpreter(target, tmp_path):
    programs = [listening(name)[1] for name in CONFIGS]
    binary = fuzz.build(programs, target, tmp_path)
    for i, program in enumerate(programs):
        model = binaries.open_binary(target, binary, f"case{i}")
        for sound in SOUNDS if target in ("host", "wasm") else ("square", "whisper"):
            x = recording(sound)
            expected = program.run(x[None])[0]
            assert model.run(x.tobytes(), expected.nbytes) == expected.tobytes(), (sound, i)


def test_recordings_of_any_length():
    """Beyond its ends a recording is mirrored; what lies within needs no end."""
    program = listening("log-mel")[1]
    op, x = program.operations[0], np.concatenate([recording("noise"), recording("sweep")])
    whole, part = (frontend.recording(op, y, n, -7) for y, n in ((x, 201), (x[:20_000], 126)))
    assert (whole[:123] == part[:123]).all() and (whole[123:126] != part[123:]).any()
    mirrored = np.concatenate([x[240:0:-1], x])
    assert (frontend.frame(x, 3, 480, 160, 240)[0] == mirrored[:480]).all()


def test_a_network_alone_and_with_ears():
    front, program = listening("mfcc")
    alone = without_samples(program)
    assert takes_samples(program) and not takes_samples(alone)
    assert with_samples(alone, front).operations[0].arrays.keys() == program.operations[0].arrays.keys()
    x = recording("noise")
    assert (deploy.inputs(program, torch.from_numpy(x)[None]) == x).all()
    assert (deploy.inputs(program, torch.from_numpy(x)[None] / 32768) == x).all()


@pytest.mark.parametrize("change", [{"kind": "pcen"}, {"fft": 2048}, {"fft": 500}, {"hop": 500}])
def test_what_has_no_integer_form(change):
    alone = without_samples(listening("log-mel")[1])
    front = Frontend(dataclasses.replace(CONFIGS["log-mel"], **change))
    shape = (*front.config.shape[1:], 1)
    alone = dataclasses.replace(alone, tensors={k: dataclasses.replace(t, shape=shape) for k, t in alone.tensors.items()})
    with pytest.raises(TinycourseError, match="integer front end"):
        with_samples(alone, front)
    with pytest.raises(TinycourseError, match="takes"):
        with_samples(alone, Frontend(FrontendConfig(hop=200)))
