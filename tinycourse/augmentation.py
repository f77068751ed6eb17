"""Augmentation where it is cheap: on mel energies, behind the Fourier transform, so that this is paid once and not every epoch.

A shift by whole frames commutes with the transform. Noise nearly does: where two sounds are independent their energies add on
average, and what is left out, the beating between them, is different in every recording anyway.
"""

import torch
from torch import Tensor, nn

from tinycourse.frontend import AugmentConfig, spec_augment


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
