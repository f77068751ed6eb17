"""Recordings that tests make on the spot."""

from pathlib import Path

import numpy as np
import soundfile


def tone(frequency: float, seconds: float = 1.0, rate: int = 16_000, volume: float = 0.3) -> np.ndarray:
    """A sine, float64 [samples]."""
    return volume * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def write(path: Path, samples: np.ndarray, rate: int = 16_000, **options) -> Path:
    """Write a recording, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return path


def peak_frequency(samples: np.ndarray) -> float:
    """Hz of the strongest component of a recording at 16 kHz."""
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * 16_000 / len(samples))


def librispeech_part(root, part: str, speakers: range, text: str = "A QUIET SENTENCE") -> None:
    """A part of LibriSpeech in the layout of the original: three utterances of each speaker, six seconds each, two of them loud."""
    for speaker in speakers:
        folder = root / "LibriSpeech" / part / str(speaker) / "7"
        lines = []
        for number in range(3):
            name = f"{speaker}-7-{number:04}"
            speech = np.concatenate([np.zeros(32_000), tone(200 + speaker, 2.0), np.zeros(32_000)])  # two of six seconds
            write(folder / f"{name}.flac", speech)
            lines.append(f"{name} {text if number else 'NOT THE RIGHT ONE'}\n")
        (folder / f"{speaker}-7.trans.txt").write_text("".join(lines))
