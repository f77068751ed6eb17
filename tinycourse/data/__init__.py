"""Data sets of spoken words and sentences: found, downloaded, read.

Lesson 00 opens the first.
Add a data set to `catalogue.py`, how it is read to `words.py` or `utterances.py`.
"""

from tinycourse.data.catalogue import DATASETS, find, need, root, status
from tinycourse.data.clips import SPLITS, Clips, Cut, draw
from tinycourse.data.datasets import open_dataset, open_for, open_words
from tinycourse.data.user_recordings import OwnWords
from tinycourse.data.utterances import AN4, LibriSpeech, Utterance
from tinycourse.data.words import (
    DIGITS,
    KEYWORDS,
    SILENCE,
    TASKS,
    UNKNOWN,
    SpeechCommands,
    SpeechCommandsTest,
    SpokenDigits,
    TinyWords,
    Words,
)
from tinycourse.features.audio import RATE, fit_length, read_audio, to_int16

__all__ = [
    "AN4", "Clips", "Cut", "DATASETS", "DIGITS", "KEYWORDS", "LibriSpeech", "OwnWords", "RATE", "SILENCE", "SPLITS", "SpeechCommands",
    "SpeechCommandsTest", "SpokenDigits", "TASKS", "TinyWords", "UNKNOWN", "Utterance", "Words", "draw", "find", "fit_length", "need",
    "open_dataset", "open_for", "open_words", "read_audio", "root", "status", "to_int16",
]  # fmt: skip
