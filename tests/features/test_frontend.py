"""The front end against torchaudio and by hand; augmentation by its promises."""

import re

import pytest
import torch

from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import BLOCK, Frontend, FrontendConfig, dct, frame, mel_bank

AUDIO = 0.1 * torch.randn(3, 16_000, generator=torch.Generator().manual_seed(0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


CONFIGS = {
    "paper": {},
    "25 ms, 10 of 40": {"window": 400, "coefficients": 10},
    "40/20 ms": {"window": 640, "hop": 320, "fft": 1024},
    "to 7.6 kHz": {"high": 7_600.0, "low": 100.0},
    "all of it": {"high": 8_000.0, "low": 0.0},
}


@pytest.fixture
def in_64_bits():
    """torchaudio builds its tables in torch's default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_tables_are_torchaudios_rounded_to_32_bits(config, torchaudio, in_64_bits):
    c = FrontendConfig(**config)
    bank = torchaudio.functional.melscale_fbanks(c.fft // 2 + 1, c.low, c.high, c.mels, c.rate)
    cosines = torchaudio.functional.create_dct(c.coefficients, c.mels, norm="ortho")
    assert bank.dtype == cosines.dtype == torch.float64 and mel_bank(c).dtype == dct(c.mels, c.coefficients).dtype == torch.float32
    ours = torch.zeros_like(bank)
    ours[: len(mel_bank(c))] = mel_bank(c)
    # Rounding to 32 bits is off by 2**-25 of a number below 1; two ways of computing in 64 bits by far less.
    torch.testing.assert_close(ours, bank, rtol=0, atol=2.0**-25 + 1e-11)
    torch.testing.assert_close(dct(c.mels, c.coefficients).double(), cosines, rtol=0, atol=2.0**-25 + 1e-11)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_mfcc_is_torchaudios(config, torchaudio):
    c = FrontendConfig(**config)
    mel = {"n_fft": c.fft, "win_length": c.window, "hop_length": c.hop, "f_min": c.low, "f_max": c.high, "n_mels": c.mels}
    theirs = torchaudio.transforms.MFCC(c.rate, c.coefficients, log_mels=True, melkwargs=mel)(AUDIO).transpose(1, 2)
    torch.testing.assert_close(Frontend(c).features(AUDIO), theirs, rtol=1e-4, atol=1e-4)


def test_pcen_is_the_papers_recursion():
    audio = 0.1 * torch.randn(2, 16_000 * 2, generator=generator())  # more frames than a block
    front = Frontend(FrontendConfig(kind="pcen"))
    energy = front.mel(frame(audio, 512, 160, 256)).double()  # [2, frames, 40]
    assert energy.shape[1] > BLOCK
    m, expected = energy[:, 0], []
    for e in energy.unbind(1):
        m = (1 - 0.025) * m + 0.025 * e
        expected.append((e / (1e-6 + m) ** 0.98 + 2) ** 0.5 - 2**0.5)
    torch.testing.assert_close(front.features(audio).double(), torch.stack(expected, 1), rtol=1e-4, atol=1e-4)


def test_pcen_hardly_hears_how_loud_it_is():
    loud, soft = (Frontend(FrontendConfig(kind="pcen")).features(AUDIO * gain) for gain in (1, 0.1))
    assert (loud - soft).abs().max() < 0.12 * loud.abs().max()  # power 100 times smaller, 100 ** (1 - 0.98) = 1.1
    assert torch.equal(Frontend(FrontendConfig(kind="pcen")).features(torch.zeros(1, 16_000)), torch.zeros(1, 101, 40))


@pytest.mark.parametrize("kind", ["mfcc", "log-mel", "pcen"])
def test_silence_and_full_scale_stay_finite(kind):
    square = torch.ones(1, 16_000)
    square[:, ::2] = -1
    for audio in (torch.zeros(1, 16_000), square, torch.ones(1, 257)):
        assert Frontend(FrontendConfig(kind=kind)).features(audio).isfinite().all()


@pytest.mark.parametrize("kind, bands", [("mfcc", 10), ("log-mel", 40), ("pcen", 40)])
def test_shape_and_normalisation(kind, bands):
    config = FrontendConfig(kind=kind, coefficients=10)
    front = Frontend(config).fit(AUDIO)
    x = front(AUDIO)
    assert x.shape == (3, 1, config.frames(16_000), config.bands) == (3, 1, 101, bands)
    torch.testing.assert_close(x.mean((0, 1, 2)), torch.zeros(bands), atol=1e-3, rtol=0)
    torch.testing.assert_close(x.std((0, 1, 2)), torch.ones(bands), atol=1e-3, rtol=0)


BAD = {
    "no front end called 'fbank'": {"kind": "fbank"},
    "window of 640 samples does not fit into an FFT of 512": {"window": 640},
    "from 20 to 9000 Hz; keep 0 <= low < high <= 8000": {"high": 9_000.0},
    "from 5000 to 4000 Hz": {"low": 5_000.0},
    "40 mel bands do not give 41 coefficients": {"coefficients": 41},
    "of 128 mel bands lie between two bins of an FFT of 512; choose fewer": {"mels": 128},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sentence", BAD)
def test_settings_that_do_not_go_together_are_refused(sentence):
    with pytest.raises(TinycourseError, match=re.escape(sentence)):
        Frontend(FrontendConfig(**BAD[sentence]))


def test_audio_too_short_for_one_window_is_refused():
    with pytest.raises(TinycourseError, match="256 samples are too short for windows of 512: give more than 256"):
        Frontend(FrontendConfig())(torch.zeros(1, 256))
