"""From samples to features, and the augmentation between them: all batched, all on the device of its input.

The paper's front end (TinySpeech, section 3): MFCC of a 30 ms window every 10 ms, band-pass 20 Hz to 4 kHz.
One second of audio becomes a map of 101 frames by 40 coefficients.
"""

from dataclasses import dataclass

import torch
import torchaudio.functional as AF
from torch import Tensor, nn

from tinycourse.errors import TinycourseError


@dataclass(frozen=True)
class FrontendConfig:
    """What the ear hears. Lengths in samples, frequencies in hertz."""

    kind: str = "mfcc"  # "mfcc" or "log-mel"
    rate: int = 16_000
    window: int = 480  # 30 ms
    hop: int = 160  # 10 ms
    fft: int = 512
    mels: int = 40
    coefficients: int = 40  # of the DCT; log-mel keeps every mel band
    low: float = 20.0
    high: float = 4_000.0

    @property
    def bands(self) -> int:
        """Width of the feature map."""
        return self.coefficients if self.kind == "mfcc" else self.mels

    def frames(self, samples: int) -> int:
        """Height of the feature map: one frame every hop, centred, so both ends count."""
        return samples // self.hop + 1


class Frontend(nn.Module):
    """Audio [B, samples] in -1..1 to a normalised feature map [B, 1, frames, bands].

    `mean` and `deviation` [bands] are measured once on training audio (`fit`) and travel with the checkpoint.
    Raises TinycourseError for an unknown kind of feature.
    """

    def __init__(self, config: FrontendConfig):
        super().__init__()
        c = self.config = config
        if c.kind not in ("mfcc", "log-mel"):
            raise TinycourseError(f"There is no front end called {c.kind!r}; choose 'mfcc' or 'log-mel'.")
        bank = AF.melscale_fbanks(c.fft // 2 + 1, c.low, c.high, c.mels, c.rate)  # [bins, mels]
        dct = AF.create_dct(c.coefficients, c.mels, norm="ortho")  # [mels, coefficients]
        self.register_buffer("window", torch.hann_window(c.window), persistent=False)
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("dct", dct if c.kind == "mfcc" else torch.eye(c.mels), persistent=False)
        self.register_buffer("mean", torch.zeros(c.bands))
        self.register_buffer("deviation", torch.ones(c.bands))

    def features(self, audio: Tensor) -> Tensor:
        """Features before normalisation: [B, samples] -> [B, frames, bands]."""
        c = self.config
        power = AF.spectrogram(audio, 0, self.window, c.fft, c.hop, c.window, power=2.0, normalized=False)  # [B, bins, frames]
        mel = power.transpose(1, 2) @ self.bank  # [B, frames, mels]
        return (mel + 1e-6).log() @ self.dct  # [B, frames, bands]

    def forward(self, audio: Tensor) -> Tensor:
        x = (self.features(audio) - self.mean) / self.deviation
        return x.unsqueeze(1)  # [B, 1, frames, bands]

    @torch.no_grad()
    def fit(self, audio: Tensor) -> "Frontend":
        """Measure mean and standard deviation of every band over audio [N, samples]."""
        x = self.features(audio).flatten(0, 1)  # [N * frames, bands]
        self.mean.copy_(x.mean(0))
        self.deviation.copy_(x.std(0))
        return self


# ---------------------------------------------------------------------------------------------- augmentation


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


@dataclass(frozen=True)
class AugmentConfig:
    """How hard training audio is disturbed; every choice is drawn anew for each clip."""

    shift: int = 1_600  # samples: 100 ms either way
    noise: float = 0.5  # probability of background noise
    snr: tuple[float, float] = (5.0, 30.0)  # decibels
    time: int = 12  # frames blanked at most
    bands: int = 3  # bands blanked at most


class Augment:
    """Shift and noise on audio, SpecAugment on features. `noise` is one long recording [samples] to cut from."""

    def __init__(self, config: AugmentConfig, noise: Tensor, seed: int):
        self.config, self.noise = config, noise
        self.generator = torch.Generator().manual_seed(seed)

    def audio(self, x: Tensor) -> Tensor:
        """[B, T] -> [B, T]."""
        c, g, (b, t) = self.config, self.generator, x.shape
        x = shift(x, c.shift, g)
        start = torch.randint(0, len(self.noise) - t, (b,), generator=g)
        noise = torch.stack([self.noise[s : s + t] for s in start.tolist()]).to(x.device)
        low, high = c.snr
        snr = low + (high - low) * torch.rand(b, generator=g)
        chosen = torch.rand(b, generator=g) < c.noise
        snr[~chosen] = 120.0  # inaudible
        return add_noise(x, noise, snr.to(x.device))

    def features(self, x: Tensor) -> Tensor:
        """[B, 1, frames, bands] -> the same."""
        return spec_augment(x, self.config.time, self.config.bands, self.generator)
