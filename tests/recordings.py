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
