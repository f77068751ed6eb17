"""Data sets of spoken words and sentences: found, downloaded, read.

Lesson 00 opens the first.
Add a data set to `catalogue.py`, and how it is read to `datasets.py`.
"""

from tinycourse.data.catalogue import DATASETS, find, need, root, status
from tinycourse.data.datasets import (
    AN4,
    DIGITS,
    KEYWORDS,
    SILENCE,
    SPLITS,
    TASKS,
    UNKNOWN,
    Clips,
    Cut,
    LibriSpeech,
    SpeechCommands,
    SpeechCommandsTest,
    SpokenDigits,
    TinyWords,
    Utterance,
    Words,
    draw,
    open_dataset,
    open_for,
    open_words,
)
from tinycourse.data.user_recordings import OwnWords
from tinycourse.features.audio import RATE, fit_length, read_audio, to_int16

__all__ = [
    "AN4", "Clips", "Cut", "DATASETS", "DIGITS", "KEYWORDS", "LibriSpeech", "OwnWords", "RATE", "SILENCE", "SPLITS", "SpeechCommands",
    "SpeechCommandsTest", "SpokenDigits", "TASKS", "TinyWords", "UNKNOWN", "Utterance", "Words", "draw", "find", "fit_length", "need",
    "open_dataset", "open_for", "open_words", "read_audio", "root", "status", "to_int16",
]  # fmt: skip
