"""From samples to features: batched, on the device of its input.

The paper's front end (TinySpeech, section 3): MFCC of a 30 ms window every 10 ms, band-pass 20 Hz to 4 kHz.
One second of audio becomes a map of 101 frames by 40 coefficients.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinycourse.errors import TinycourseError

KINDS = ("mfcc", "log-mel", "pcen")
FLOOR = 1e-6  # added before the logarithm (as torchaudio does), and PCEN's epsilon
SMOOTHING, GAIN, OFFSET, ROOT = 0.025, 0.98, 2.0, 0.5  # s, alpha, delta and r of PCEN (Wang et al. 2017, section 3)
BLOCK = 128  # frames that PCEN smooths with one matrix product


@dataclass(frozen=True)
class FrontendConfig:
    """What the ear hears. Lengths in samples, frequencies in hertz."""

    kind: str = "mfcc"  # one of KINDS
    rate: int = 16_000
    window: int = 480  # 30 ms
    hop: int = 160  # 10 ms
    fft: int = 512
    mels: int = 40
    coefficients: int = 40  # of the DCT; log-mel and PCEN keep every mel band
    low: float = 20.0
    high: float = 4_000.0
    centred: bool = True  # windows around every instant, both ends mirrored; else only windows that lie within the clip

    @property
    def bands(self) -> int:
        """Width of the feature map."""
        return self.coefficients if self.kind == "mfcc" else self.mels

    def frames(self, samples: int) -> int:
        """Height of the feature map: one frame every hop; where they are centred both ends count."""
        return (samples if self.centred else samples - self.window) // self.hop + 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """What a network is given for a second of sound: (1, frames, bands)."""
        return 1, self.frames(self.rate), self.bands

    @property
    def edge(self) -> int:
        """Samples by which the first and the last FFT reach beyond the clip."""
        return (self.fft if self.centred else self.fft - self.window) // 2

    def check(self) -> None:
        """Raises TinycourseError, saying which two numbers do not go together."""
        if self.kind not in KINDS:
            raise TinycourseError(f"There is no front end called {self.kind!r}; choose one of {', '.join(KINDS)}.")
        if not 0 < self.window <= self.fft:
            raise TinycourseError(f"A window of {self.window} samples does not fit into an FFT of {self.fft}; choose a longer FFT.")
        if not 0 <= self.low < self.high <= self.rate / 2:
            raise TinycourseError(f"Bands cannot reach from {self.low:g} to {self.high:g} Hz; keep 0 <= low < high <= {self.rate // 2}.")
        if not 0 < self.coefficients <= self.mels:
            raise TinycourseError(f"{self.mels} mel bands do not give {self.coefficients} coefficients; choose 1 to {self.mels}.")


class Frontend(nn.Module):
    """Audio [B, samples] in -1..1 to a normalised feature map [B, 1, frames, bands].

    `mean` and `deviation` [bands] are measured once on training audio (`fit`) and travel with the checkpoint.
    Raises TinycourseError for settings that do not go together, and for audio shorter than half an FFT.
    """

    def __init__(self, config: FrontendConfig):
        super().__init__()
        c = self.config = config
        c.check()
        side = (c.fft - c.window) // 2  # the window stands in the middle of the FFT's samples
        window = nn.functional.pad(torch.hann_window(c.window), (side, c.fft - c.window - side))
        self.register_buffer("window", window, persistent=False)  # [fft]
        self.register_buffer("bank", mel_bank(c), persistent=False)  # [bins, mels]
        self.register_buffer("dct", dct(c.mels, c.coefficients) if c.kind == "mfcc" else torch.eye(c.mels), persistent=False)
        self.register_buffer("kernel", smoother(BLOCK), persistent=False)  # [BLOCK, BLOCK + 1]
        self.register_buffer("mean", torch.zeros(c.bands))
        self.register_buffer("deviation", torch.ones(c.bands))

    def mel(self, frames: Tensor) -> Tensor:
        """Energy in every mel band: frames of samples [..., fft] -> [..., mels]."""
        spectrum = torch.fft.rfft(frames * self.window)[..., : len(self.bank)]  # [..., bins], those that the bank listens to
        return (spectrum.real.square() + spectrum.imag.square()) @ self.bank

    def compress(self, mel: Tensor, average: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Loudness as we hear it: mel energies [B, frames, mels] -> features [B, frames, bands], and PCEN's state after them.

        `average` [B, mels] is that state before these frames, None at the beginning; the logarithm needs none and returns None.
        """
        if self.config.kind != "pcen":
            return (mel + FLOOR).log() @ self.dct, None
        smooth, average = self.smooth(mel, mel[:, 0] if average is None else average)
        return (mel / (FLOOR + smooth) ** GAIN + OFFSET) ** ROOT - OFFSET**ROOT, average

    def smooth(self, mel: Tensor, average: Tensor) -> tuple[Tensor, Tensor]:
        """M(t) = (1 - s) M(t - 1) + s E(t), from M(-1) = average [B, mels]: E [B, frames, mels] -> M, and its last value."""
        parts = []
        for block in mel.split(BLOCK, dim=1):
            n = block.shape[1]
            parts.append(self.kernel[:n, : n + 1] @ torch.cat([average[:, None], block], 1))  # [B, n, mels]
            average = parts[-1][:, -1]
        return torch.cat(parts, 1), average

    def energies(self, audio: Tensor) -> Tensor:
        """Energy in every mel band, the half of the work that needs Fourier: [B, samples] -> [B, frames, mels]."""
        return self.mel(frame(audio, self.config.fft, self.config.hop, self.config.edge))

    def features(self, audio: Tensor) -> Tensor:
        """Features before normalisation: [B, samples] -> [B, frames, bands]."""
        return self.compress(self.energies(audio))[0]

    def finish(self, energies: Tensor) -> Tensor:
        """The other half of `forward`: mel energies [B, frames, mels] -> normalised features [B, 1, frames, bands]."""
        return self.normalise(self.compress(energies)[0]).unsqueeze(1)

    def normalise(self, features: Tensor) -> Tensor:
        """Every band with mean 0 and deviation 1 over the audio of `fit`: [..., bands] -> the same."""
        return (features - self.mean) / self.deviation

    def forward(self, audio: Tensor) -> Tensor:
        """Audio float32 [B, S] to features [B, 1, frames, bands]."""
        return self.finish(self.energies(audio))  # [B, 1, frames, bands]

    @torch.no_grad()
    def fit(self, audio: Tensor) -> "Frontend":
        """Measure mean and standard deviation of every band over audio [N, samples]."""
        x = self.features(audio).flatten(0, 1)  # [N * frames, bands]
        self.mean.copy_(x.mean(0))
        self.deviation.copy_(x.std(0))
        return self


def frame(audio: Tensor, size: int, hop: int, edge: int) -> Tensor:
    """Overlapping stretches, one every hop: [B, samples] -> [B, (samples + 2 * edge - size) // hop + 1, size], a view.

    Both ends are continued by `edge` samples of their mirror image. Raises TinycourseError for audio that is too short for that.
    """
    least = max(edge, size - 2 * edge - 1)
    if audio.shape[-1] <= least:
        raise TinycourseError(f"{audio.shape[-1]} samples are too short for windows of {size}: give more than {least}.")
    return nn.functional.pad(audio, (edge, edge), mode="reflect").unfold(-1, size, hop)


def mel_bank(config: FrontendConfig) -> Tensor:
    """Triangular filters, evenly spaced in mel (HTK's formula): [bins, mels], for the bins up to `high` alone.

    Computed in 64 bits, so that all machines get the same 32. Raises TinycourseError if a filter falls between two bins of the FFT and
    would hear nothing.
    """
    c = config
    low, high = 2595 * torch.log10(1 + torch.tensor([c.low, c.high]).double() / 700)  # in mel
    edges = 700 * (10 ** (torch.linspace(low, high, c.mels + 2, dtype=torch.float64) / 2595) - 1)  # [mels + 2], in hertz
    edges[0], edges[-1] = c.low, c.high  # to the bit, so that rounding gives no weight to a bin on an edge
    bins = torch.arange(c.fft // 2 + 1).double()[:, None] * c.rate / c.fft  # [fft / 2 + 1, 1], in hertz
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])  # [fft / 2 + 1, mels]
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    bank = torch.minimum(rising, falling).clamp(min=0).float()
    if empty := int((bank.sum(0) == 0).sum()):
        raise TinycourseError(f"{empty} of {c.mels} mel bands lie between two bins of an FFT of {c.fft}; choose fewer, or a longer FFT.")
    return bank[: int(bank.sum(1).nonzero().max()) + 1]


def dct(mels: int, coefficients: int) -> Tensor:
    """The orthonormal cosine transform of type II: [mels, coefficients]. Computed in 64 bits, so that all machines get the same 32."""
    band, k = torch.arange(mels).double()[:, None] + 0.5, torch.arange(coefficients).double()
    cosines = (2 / mels) ** 0.5 * torch.cos(torch.pi * k * band / mels)
    cosines[:, 0] /= 2**0.5
    return cosines.float()


def smoother(frames: int) -> Tensor:
    """PCEN's moving average as a matrix [frames, 1 + frames]: what the state before and each frame weigh in every average."""
    t = torch.arange(frames)
    age = t[:, None] - t  # [frames, frames], negative where a frame is still to come
    weights = torch.where(age >= 0, SMOOTHING * (1 - SMOOTHING) ** age.clamp(min=0), 0.0)
    return torch.cat([(1 - SMOOTHING) ** (t[:, None] + 1.0), weights], 1)
