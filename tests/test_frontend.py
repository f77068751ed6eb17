"""The front end against torchaudio and by hand; augmentation by its promises."""

import pytest
import torch
import torchaudio

from tinycourse.errors import TinycourseError
from tinycourse.frontend import Augment, AugmentConfig, Frontend, FrontendConfig, add_noise, shift, spec_augment

AUDIO = 0.1 * torch.randn(3, 16_000, generator=torch.Generator().manual_seed(0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_mfcc_is_torchaudios():
    c = FrontendConfig()
    mel = {"n_fft": c.fft, "win_length": c.window, "hop_length": c.hop, "f_min": c.low, "f_max": c.high, "n_mels": c.mels}
    theirs = torchaudio.transforms.MFCC(c.rate, c.coefficients, log_mels=True, melkwargs=mel)(AUDIO).transpose(1, 2)
    torch.testing.assert_close(Frontend(c).features(AUDIO), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind, bands", [("mfcc", 10), ("log-mel", 40)])
def test_shape_and_normalisation(kind, bands):
    config = FrontendConfig(kind=kind, coefficients=10)
    front = Frontend(config).fit(AUDIO)
    x = front(AUDIO)
    assert x.shape == (3, 1, config.frames(16_000), config.bands) == (3, 1, 101, bands)
    torch.testing.assert_close(x.mean((0, 1, 2)), torch.zeros(bands), atol=1e-3, rtol=0)
    torch.testing.assert_close(x.std((0, 1, 2)), torch.ones(bands), atol=1e-3, rtol=0)


def test_unknown_kind():
    with pytest.raises(TinycourseError, match="no front end called 'fbank'"):
        Frontend(FrontendConfig(kind="fbank"))


def test_shift_moves_and_fills_with_silence():
    ramp = torch.arange(1.0, 101.0).expand(50, 100)
    for row in shift(ramp, 10, generator()):
        kept = row[row > 0]
        assert len(kept) >= 90 and torch.equal(kept.diff(), torch.ones(len(kept) - 1))


def test_noise_has_the_promised_snr():
    noise = torch.randn(3, 16_000, generator=generator())
    snr = torch.tensor([0.0, 10.0, 20.0])
    added = add_noise(AUDIO, noise, snr) - AUDIO
    torch.testing.assert_close(10 * torch.log10(AUDIO.square().mean(1) / added.square().mean(1)), snr, atol=1e-2, rtol=0)


def test_silence_takes_noise_as_it_is():
    noise = torch.randn(1, 100)
    assert torch.equal(add_noise(torch.zeros(1, 100), noise, torch.tensor([20.0])), noise)


def test_spec_augment_blanks_at_most_what_it_says():
    x = spec_augment(torch.ones(200, 1, 101, 40), 20, 5, generator())
    assert (x.amax((1, 3)) == 0).sum(1).max() <= 20 and (x.amax((1, 2)) == 0).sum(1).max() <= 5
    assert (x == 0).any((1, 2, 3)).float().mean() > 0.9
    assert torch.equal(spec_augment(torch.ones(2, 1, 101, 40), 0, 0, generator()), torch.ones(2, 1, 101, 40))


def test_augmentation_follows_its_seed():
    noise = torch.randn(50_000, generator=generator())
    a, b, c = (Augment(AugmentConfig(), noise, seed).audio(AUDIO) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
