"""Augmentation of sound; and on mel energies, against the same done to the sound, which is what it stands for."""

import torch

from tinycourse.features.augmentation import Augment, AugmentConfig, add_noise, mix, shift, shift_frames, spec_augment
from tinycourse.features.frontend import Frontend, FrontendConfig

CONFIG = FrontendConfig(kind="log-mel")
FRONT = Frontend(CONFIG)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(n: int, seed: int = 0, samples: int = 16_000):
    return torch.randn(n, samples, generator=generator(seed)) / 10


def test_shift_moves_and_fills_with_silence():
    ramp = torch.arange(1.0, 101.0).expand(50, 100)
    for row in shift(ramp, 10, generator()):
        kept = row[row > 0]
        assert len(kept) >= 90 and torch.equal(kept.diff(), torch.ones(len(kept) - 1))


def test_noise_has_the_promised_snr():
    speech, snr = noise(3), torch.tensor([0.0, 10.0, 20.0])
    added = add_noise(speech, noise(3, 1), snr) - speech
    torch.testing.assert_close(10 * torch.log10(speech.square().mean(1) / added.square().mean(1)), snr, atol=1e-2, rtol=0)


def test_silence_takes_noise_as_it_is():
    hiss = noise(1, samples=100)
    assert torch.equal(add_noise(torch.zeros(1, 100), hiss, torch.tensor([20.0])), hiss)


def test_spec_augment_blanks_at_most_what_it_says():
    x = spec_augment(torch.ones(200, 1, 101, 40), 20, 5, generator())
    assert (x.amax((1, 3)) == 0).sum(1).max() <= 20 and (x.amax((1, 2)) == 0).sum(1).max() <= 5
    assert (x == 0).any((1, 2, 3)).float().mean() > 0.9
    assert torch.equal(spec_augment(torch.ones(2, 1, 101, 40), 0, 0, generator()), torch.ones(2, 1, 101, 40))


def test_moving_frames_is_moving_samples():
    audio = noise(1)
    whole = FRONT.energies(audio)
    for seed in range(5):
        moved = shift_frames(whole, 10, generator(seed))
        by = 10 - int(torch.randint(0, 21, (1, 1), generator=generator(seed)))
        late = FRONT.energies(torch.roll(audio, by * CONFIG.hop, 1))
        inner = slice(15, -15)  # beyond them one is silent and the other wraps around
        torch.testing.assert_close(moved[:, inner], late[:, inner], rtol=1e-4, atol=1e-6)


def test_what_a_shift_uncovers_is_silent():
    moved = shift_frames(torch.ones(50, 101, 40), 20, generator())
    silent = (moved == 0).all(2).sum(1)  # [50]
    assert silent.max() <= 20 and silent.float().mean() > 5
    assert torch.equal(shift_frames(torch.ones(2, 101, 40), 0, generator()), torch.ones(2, 101, 40))


def test_energies_of_independent_sounds_add():
    a, b = noise(400, 1), noise(400, 2)
    together, apart = FRONT.energies(a + b).mean((0, 1)), (FRONT.energies(a) + FRONT.energies(b)).mean((0, 1))  # [mels]
    torch.testing.assert_close(together, apart, rtol=0.03, atol=0)  # 400 clips of 101 frames leave about a percent of chance


def test_mix_keeps_the_ratio_it_was_asked_for():
    speech, hiss = FRONT.energies(noise(3, 1)), 7 * FRONT.energies(noise(3, 2))
    snr = torch.tensor([0.0, 10.0, 30.0])
    added = mix(speech, hiss, snr) - speech
    measured = 10 * torch.log10(speech.mean((1, 2)) / added.mean((1, 2)))
    torch.testing.assert_close(measured, snr, rtol=0, atol=0.05)


def test_silence_takes_the_noise_as_it_is():
    hiss = FRONT.energies(noise(2))
    assert torch.equal(mix(torch.zeros_like(hiss), hiss, torch.tensor([5.0, 50.0])), hiss)


def test_it_follows_its_seed_and_leaves_alone_what_it_should():
    x, hiss = FRONT.energies(noise(4)), FRONT.energies(noise(1, 3, 64_000))[0]
    a, b, c = (Augment(AugmentConfig(), CONFIG.hop, hiss, seed).energies(x) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(Augment(AugmentConfig(shift=0, noise=0.0), CONFIG.hop, hiss, 0).energies(x), x)
