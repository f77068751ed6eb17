"""Checks of lesson 01: frames, mel filters, cepstral coefficients, noise at a ratio, and what a stream keeps."""

from tinycourse.check.lesson01.cepstra import cepstrum, mel_filters
from tinycourse.check.lesson01.frames import frame, to_keep
from tinycourse.check.lesson01.mixing import mix_at_snr

__all__ = ["cepstrum", "frame", "mel_filters", "mix_at_snr", "to_keep"]
