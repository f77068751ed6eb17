"""Data sets of spoken words and sentences, read from the folders that their originals unpack to, and opened by name.

Words come as `Clips`: one second each at 16 kHz, 16-bit integers, with a label. Sentences come as a list of `Utterance`.
Every data set has the splits "training", "validation" and "testing". The same folder and the same seed give the same
clips in the same order on every machine: what is drawn at random is drawn by hash, never by the order of a folder.

The small synthetic data set `tinywords` comes with the course; catalogue.py says where the others are and how to get them.
"""

import inspect

from tinycourse.data.utterances import SENTENCES, Sentences
from tinycourse.data.words import TASKS, SpeechCommands, SpeechCommandsTest, SpokenDigits, TinyWords, Words
from tinycourse.errors import TinycourseError

OPENERS = {kind.name: kind for kind in (TinyWords, SpeechCommands, SpeechCommandsTest, SpokenDigits)} | SENTENCES


def open_dataset(name: str, **options) -> Words | Sentences:
    """The data set `name` with the options of its class, e.g. `open_dataset("speech-commands", classes=12)`; None and () ask nothing."""
    if name not in OPENERS:
        raise TinycourseError(f"There is no data set '{name}': choose one of {', '.join(OPENERS)}.")
    known = inspect.signature(OPENERS[name]).parameters
    options = {option: value for option, value in options.items() if value not in (None, ())}
    if wrong := sorted(set(options) - set(known)):
        raise TinycourseError(f"{name} has no option {', '.join(wrong)}: it takes {', '.join(known) or 'none'}.")
    return OPENERS[name](**options)


def open_words(name: str, **options) -> Words:
    """The data set of words `name`, see `open_dataset`. Raises TinycourseError for one of sentences, too."""
    if name in OPENERS and not issubclass(OPENERS[name], Words):
        words = ", ".join(name for name, kind in OPENERS.items() if issubclass(kind, Words))
        raise TinycourseError(f"{name} holds sentences, not single words: choose one of {words}, or a transducer.")
    return open_dataset(name, **options)


def open_sentences(name: str) -> Sentences:
    """The data set of sentences `name`. Raises TinycourseError for any other."""
    if name not in OPENERS or not issubclass(OPENERS[name], Sentences):
        sentences = ", ".join(name for name, kind in OPENERS.items() if issubclass(kind, Sentences))
        raise TinycourseError(f"There are no sentences in {name!r}: choose one of {sentences}.")
    return open_dataset(name)


def open_for(classes: tuple[str, ...], name: str, **options) -> Words:
    """The data set `name` in the task that has these classes, if it is one that has several tasks."""
    task = next((task for task, its in TASKS.items() if its == classes), None)
    return open_words(name, classes=task if name in (TinyWords.name, SpeechCommands.name) else None, **options)
