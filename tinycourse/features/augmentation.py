"""Augmentation: a shift, background noise and SpecAugment. First on sound, to be heard; then where it is cheap, in training.

That is on mel energies, behind the Fourier transform, which then is paid once and not every epoch. A shift by whole frames
commutes with the transform. Noise nearly does: where two sounds are independent their energies add on average, and what is left
out, the beating between them, is different in every recording anyway.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


def shift(audio: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Move every clip by up to `limit` samples either way; what is uncovered is silent. [B, T] -> [B, T]."""
    b, t = audio.shape
    start = torch.randint(0, 2 * limit + 1, (b, 1), generator=generator).to(audio.device)
    padded = nn.functional.pad(audio, (limit, limit))  # [B, T + 2 * limit]
    return padded.gather(1, start + torch.arange(t, device=audio.device))


def add_noise(audio: Tensor, noise: Tensor, snr: Tensor) -> Tensor:
    """Add `noise` [B, T] at `snr` [B] decibels below the clip's own power: [B, T] -> [B, T].

    A silent clip has no power to compare with and takes the noise as it is.
    """
    speech, hiss = audio.square().mean(1), noise.square().mean(1)
    gain = torch.sqrt(speech / (hiss + 1e-12)) * 10 ** (-snr / 20)
    return audio + noise * torch.where(speech > 0, gain, 1.0)[:, None]


def spec_augment(x: Tensor, time: int, bands: int, generator: torch.Generator) -> Tensor:
    """Blank one stretch of up to `time` frames and one of up to `bands` bands in every map [B, 1, frames, bands].

    SpecAugment (Park et al. 2019, section 2) without time warping; 0 is the mean of a normalised map.
    """
    for axis, limit in ((2, time), (3, bands)):
        b, n = len(x), x.shape[axis]
        width = torch.randint(0, limit + 1, (b, 1), generator=generator)
        start = (torch.rand(b, 1, generator=generator) * (n - width + 1)).long()
        index = torch.arange(n)
        keep = ((index < start) | (index >= start + width)).to(x)  # [B, n]
        x = x * (keep[:, None, :, None] if axis == 2 else keep[:, None, None, :])
    return x


# -------------------------------------------------------------------------------------- in training


@dataclass(frozen=True)
class AugmentConfig:
    """How hard training audio is disturbed; every choice is drawn anew for each clip."""

    shift: int = 1_600  # samples: 100 ms either way
    noise: float = 0.5  # probability of background noise
    snr: tuple[float, float] = (5.0, 30.0)  # decibels
    time: int = 12  # frames blanked at most
    bands: int = 3  # bands blanked at most


AUGMENTATIONS = {
    "full": AugmentConfig(),
    "mild": AugmentConfig(noise=0.3, time=0, bands=0),  # the end of training of a network too small for anything to over-fit
    "none": AugmentConfig(shift=0, noise=0.0, time=0, bands=0),
}


def shift_frames(energies: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Move every clip by up to `limit` frames either way; what is uncovered is silent. [B, frames, mels] -> the same."""
    b, frames, mels = energies.shape
    start = torch.randint(0, 2 * limit + 1, (b, 1), generator=generator)
    index = (start + torch.arange(frames)).to(energies.device)  # [B, frames]
    padded = nn.functional.pad(energies, (0, 0, limit, limit))  # [B, frames + 2 * limit, mels]
    return padded.gather(1, index[:, :, None].expand(b, frames, mels))


def mix(energies: Tensor, noise: Tensor, snr: Tensor) -> Tensor:
    """Add the energies of `noise` [B, frames, mels] at `snr` [B] decibels below the clip's own: [B, frames, mels] -> the same.

    A silent clip has no energy to compare with and takes the noise as it is.
    """
    speech, hiss = energies.mean((1, 2)), noise.mean((1, 2))  # [B]
    gain = torch.where(speech > 0, speech / (hiss + 1e-12) * 10 ** (-snr / 10), 1.0)
    return energies + noise * gain[:, None, None]


class Augment:
    """Shift, background noise and SpecAugment. `noise` [frames, mels] holds the energies of one long recording to cut from."""

    def __init__(self, config: AugmentConfig, hop: int, noise: Tensor, seed: int):
        self.config, self.limit, self.noise = config, config.shift // hop, noise
        self.generator = torch.Generator().manual_seed(seed)

    def energies(self, x: Tensor) -> Tensor:
        """[B, frames, mels] -> the same."""
        c, g, (b, frames, _) = self.config, self.generator, x.shape
        x = shift_frames(x, self.limit, g)
        start = torch.randint(0, len(self.noise) - frames, (b, 1), generator=g)
        noise = self.noise[(start + torch.arange(frames)).to(x.device)]  # [B, frames, mels]
        low, high = c.snr
        snr = low + (high - low) * torch.rand(b, generator=g)
        chosen = torch.rand(b, generator=g) < c.noise
        return mix(x, noise * chosen.to(x)[:, None, None], snr.to(x))

    def features(self, x: Tensor) -> Tensor:
        """[B, 1, frames, bands] -> the same."""
        return spec_augment(x, self.config.time, self.config.bands, self.generator)
