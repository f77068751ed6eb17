"""Data sets of spoken words and sentences, read from the folders that their originals unpack to.

Words come as `Clips`: one second each at 16 kHz, 16-bit integers, with a label. Sentences come as a list of `Utterance`.
Every data set has the splits "training", "validation" and "testing". The same folder and the same seed give the same
clips in the same order on every machine: what is drawn at random is drawn by hash, never by the order of a folder.

The small synthetic data set `tinywords` comes with the course; catalogue.py says where the others are and how to get them.
"""

import csv
import hashlib
import inspect
import random
import re
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tinycourse.data.catalogue import DATASETS, find, folder_of, need, root, status
from tinycourse.data.fingerprint import fingerprint
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE, fit_length, read_audio, to_int16
from tinycourse.features.reading import lines, once_per_file

__all__ = ["AN4", "DATASETS", "DIGITS", "KEYWORDS", "RATE", "SPLITS", "TASKS", "Clips", "Cut", "LibriSpeech", "SpeechCommands",
           "SpeechCommandsTest", "SpokenDigits", "TinyWords", "Utterance", "draw", "find", "fit_length", "need", "open_dataset",
           "read_audio", "root", "status", "to_int16"]  # fmt: skip

SPLITS = ("training", "validation", "testing")
SILENCE, UNKNOWN = "silence", "unknown"
KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
OTHERS = ("backward", "bed", "bird", "cat", "dog", "follow", "forward", "happy", "house", "learn", "marvin", "sheila", "tree",
          "visual", "wow")  # fmt: skip
NOISES = ("white noise", "pink noise", "hum")  # those that `_noise` computes
TASKS = {
    "10": (SILENCE, UNKNOWN, *(word for word in KEYWORDS if word not in ("on", "off"))),  # the task of TinySpeech
    "12": (SILENCE, UNKNOWN, *KEYWORDS),
    "35": tuple(sorted(KEYWORDS + DIGITS + OTHERS)),
    "digits": DIGITS,
}


# ------------------------------------------------------------------------------------------------ clips of words


class Cut(NamedTuple):
    """Where a clip comes from: a whole file (`start` None), or the second of it that begins at sample `start`."""

    path: str
    start: int | None = None
    volume: float = 1.0

    def __str__(self) -> str:
        place = "" if self.start is None else f"@{self.start}"
        return self.path + place + (f"*{self.volume:.3f}" if self.volume != 1 else "")


@dataclass
class Clips:
    """Labelled clips of one second. `audio` int16 [N, 16000]; `labels` int64 [N], indices into `classes`; `paths`: N origins."""

    audio: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    paths: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def waveforms(self) -> Tensor:
        """float32 [N, 16000] in -1 .. 1, what the front end takes."""
        return self.audio / 32768

    def subset(self, indices) -> "Clips":
        """The clips at `indices` (anything that turns into a tensor of integers)."""
        indices = torch.as_tensor(indices, dtype=torch.int64)
        paths = [self.paths[index] for index in indices.tolist()]
        return replace(self, audio=self.audio[indices], labels=self.labels[indices], paths=paths)

    def counts(self) -> dict[str, int]:
        """How many clips each class has."""
        return dict(zip(self.classes, torch.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=True))

    def fingerprint(self) -> str:
        """Of samples, labels and classes, in their order: the same wherever the files lie."""
        return fingerprint(self.classes, self.labels, self.audio)

    def restrict(self, classes: tuple[str, ...]) -> tuple["Clips", dict[str, int]]:
        """These clips labelled for a model that knows `classes`, and how many clips of each other class were left out.

        Raises TinycourseError if no class is common.
        """
        place = {name: index for index, name in enumerate(classes)}
        table = torch.tensor([place.get(name, -1) for name in self.classes])
        left_out = {name: count for name, count in self.counts().items() if name not in place and count}
        kept = self.subset(torch.nonzero(table[self.labels] >= 0).flatten())
        if not len(kept):
            raise TinycourseError(f"The model knows none of the words {', '.join(self.classes)}: choose other data.")
        return replace(kept, labels=table[kept.labels], classes=tuple(classes)), left_out


def draw(items: list, count: int, seed: str) -> list:
    """`count` of `items` (paths, cuts, names), or all if there are fewer: the same ones whatever their order, on every machine."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{seed} {_tail(str(item))}".encode(errors="surrogateescape")).digest())[:count]


_recording = once_per_file(maxsize=8)(read_audio)  # long files from which many clips are cut


def _tail(path: str) -> str:
    """The last two names of a path, the same on every machine."""
    return "/".join(Path(path).parts[-2:])


def _checked(split: str) -> str:
    if split not in SPLITS:
        raise TinycourseError(f"There is no split '{split}': choose one of {', '.join(SPLITS)}.")
    return split


class Words:
    """A data set of words. `select` says which cuts make up each class of a split; `clips` reads them."""

    name: str
    classes: tuple[str, ...]

    def select(self, split: str) -> dict[str, list[Cut]]:
        """The cuts of every class of a split, in a fixed order."""
        raise NotImplementedError

    def noise(self, split: str) -> list[np.ndarray]:
        """Noise to mix into the clips of `split`, each float32 [samples]: computed, where the data set records none."""
        return [_noise(kind, SPLITS.index(_checked(split))) for kind in NOISES]

    def recording(self, path: str) -> np.ndarray:
        """A whole recording that clips are cut from, float32 [samples]."""
        return _recording(path)

    def clips(self, split: str, count: int | None = None) -> Clips:
        """All clips of a split ("training", "validation", "testing"), class by class, or `count` of them. 1,000 of them take 32 MB."""
        selection = self.select(_checked(split))
        rows = [(label, cut) for label, name in enumerate(self.classes) for cut in selection.get(name, ())]
        if not rows:
            raise TinycourseError(f"{self.name} has no {split} clips at {need(self.name)}: get the data set again.")
        rows = rows[:: max(1, len(rows) // (count or len(rows)))][:count]
        audio = torch.empty((len(rows), RATE), dtype=torch.int16)
        by_file = sorted(range(len(rows)), key=lambda row: rows[row][1].path)  # so that a long file is read once
        for row in tqdm(by_file, desc=f"{self.name} {split}", unit=" clips", delay=2, leave=False):
            audio[row] = torch.from_numpy(to_int16(self.load(rows[row][1])))
        return Clips(audio, torch.tensor([label for label, _ in rows]), self.classes, [str(cut) for _, cut in rows])

    def load(self, cut: Cut) -> np.ndarray:
        """The second that a cut stands for, float32 [16000]."""
        if cut.start is None:
            return fit_length(read_audio(cut.path))
        second = self.recording(cut.path)[cut.start : cut.start + RATE]
        if len(second) < RATE:
            raise TinycourseError(f"{cut.path} ends before sample {cut.start + RATE}: it is damaged, get {self.name} again.")
        return second * cut.volume


class Keywords(Words):
    """Some words are told apart, all others are `unknown`, and noise is `silence`.

    With n the mean number of clips of a keyword in a split, `unknown` gets n (n times `others`) clips of the other words of that split,
    as evenly spread over these words as their numbers allow, and `silence` n cuts of noise at a volume between 0 and 1 (as in Warden 2018,
    arXiv 1804.03209). The first 80 % of every noise recording serve training, the next 10 % validation, the last 10 % testing.
    """

    others = 1  # clips of `unknown` for each of a keyword
    folder: Path
    noises: tuple[str, ...]  # names of the noise recordings, of ten seconds or more
    words: dict[str, dict[str, list[Cut]]]  # split -> word -> cuts

    def __init__(self, classes: int | str, seed: int):
        self.seed = seed
        spoken = {word for split in SPLITS for word in self.words[split]}
        tasks = {**TASKS, "all": tuple(sorted(spoken))}
        if str(classes) not in tasks:
            raise TinycourseError(f"{self.name} has no task '{classes}': choose one of {', '.join(tasks)}.")
        self.classes = tasks[str(classes)]
        if absent := sorted(set(self.classes) - spoken - {SILENCE, UNKNOWN}):
            warnings.warn(f"{self.name} at {self.folder} has no clips of {', '.join(absent)}.", stacklevel=3)

    def select(self, split: str) -> dict[str, list[Cut]]:
        words = self.words[split]
        keywords = [name for name in self.classes if name not in (SILENCE, UNKNOWN)]
        selection = {word: words.get(word, []) for word in keywords}
        count = round(sum(map(len, selection.values())) / len(keywords))
        rest = sorted(set(words) - set(keywords))
        others = [draw(words[word], count, f"unknown {self.seed}") for word in rest]
        turns = [cut for turn in zip_longest(*others) for cut in turn if cut]  # words take turns, so that rare ones count too
        silence = self._silence(split, count) if SILENCE in self.classes else []
        return selection | {UNKNOWN: sorted(turns[: self.others * count]), SILENCE: silence}

    def noise(self, split: str) -> list[np.ndarray]:
        """The part of every noise recording that serves `split`, each float32 [samples]."""
        return [self.recording(path)[low:high].copy() for path, low, high in self._noise_parts(_checked(split))]

    def _noise_parts(self, split: str) -> list[tuple[str, int, int]]:
        low, high = {"training": (0, 80), "validation": (80, 90), "testing": (90, 100)}[split]
        lengths = [(path, len(self.recording(path))) for path in self.noises]
        parts = [(path, length * low // 100, length * high // 100) for path, length in lengths if length >= 10 * RATE]
        if not parts:
            raise TinycourseError(f"{self.name} at {self.folder} has no noise recording of ten seconds: get the data set again.")
        return parts

    def _silence(self, split: str, count: int) -> list[Cut]:
        chance, parts, cuts = random.Random(f"silence {split} {self.seed}"), self._noise_parts(split), []
        for _ in range(count):
            path, low, high = chance.choice(parts)
            cuts.append(Cut(path, chance.randint(low, high - RATE), round(chance.random(), 3)))
        return cuts


class TinyWords(Keywords):
    """The bundled synthetic words of data/make_tinywords.py. No voice is in two splits.

    `classes`: 10, 12, 35, "digits", or "all" its words. `synthesizer`: only the voices of "espeak-ng", or of "flite" (which speaks in
    the testing part alone). Its noise is computed: white, pink, and the hum of a mains cable.
    """

    name = "tinywords"
    noises = NOISES

    def __init__(self, classes: int | str = 10, seed: int = 0, synthesizer: str | None = None):
        self.folder = need(self.name)
        self.words = {split: {} for split in SPLITS}
        for line in csv.DictReader(lines(self.folder / "index.csv")):
            cut = Cut(str(self.folder / line["file"]), int(line["clip"]) * RATE)
            if synthesizer in (None, line["synthesizer"]):
                self.words[line["split"]].setdefault(line["word"], []).append(cut)
        super().__init__(classes, seed)

    def recording(self, path: str) -> np.ndarray:
        return _noise(path, self.seed) if path in self.noises else super().recording(path)


@lru_cache
def _noise(kind: str, seed: int, seconds: int = 60) -> np.ndarray:
    """Noise of RMS 0.1, float32 [samples]: white, pink (power falls as 1 / frequency), or harmonics of 50 Hz and faint white."""
    white = np.random.RandomState(seed).standard_normal(seconds * RATE)  # RandomState: its numbers never change between versions
    if kind == "pink noise":
        spectrum = np.fft.rfft(white)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), seconds * 20)))  # flat below 20 Hz
    elif kind == "hum":
        time = np.arange(len(white)) / RATE
        noise = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 9)) + white / 20
    else:
        noise = white
    return (noise * 0.1 / np.sqrt(np.mean(noise**2))).astype(np.float32)


class SpeechCommands(Keywords):
    """Google Speech Commands v0.02, with the splits of its validation_list.txt and testing_list.txt (no speaker is in two).

    `classes`: 10 (the task of TinySpeech), 12, 35, or "digits". `extra_unknown` names sentence data sets, ("librispeech", "an4"):
    seconds cut from their training utterances join the `unknown` class of training, at most as many as it has words.
    Utterances that contain a keyword are left out, and so are seconds in which nobody speaks.
    """

    name = "speech-commands"

    def __init__(self, classes: int | str = 10, extra_unknown: tuple[str, ...] = (), seed: int = 0):
        self.folder = folder = need(self.name)
        lists = {split: set(lines(folder / f"{split}_list.txt")) for split in ("validation", "testing")}
        self.words = {split: {} for split in SPLITS}
        for path in sorted(folder.glob("[a-z]*/[!.]*.wav")):
            word = path.parent.name
            split = next((split for split in lists if f"{word}/{path.name}" in lists[split]), "training")
            self.words[split].setdefault(word, []).append(Cut(str(path)))
        self.noises = tuple(map(str, sorted(folder.glob("_background_noise_/*.wav"))))
        self.extra_unknown = tuple(extra_unknown)
        if wrong := sorted(set(self.extra_unknown) - {AN4.name, LibriSpeech.name}):
            raise TinycourseError(f"Unknown speech cannot come from {', '.join(wrong)}: choose an4 or librispeech.")
        super().__init__(classes, seed)

    def select(self, split: str) -> dict[str, list[Cut]]:
        selection = super().select(split)
        if split == "training" and UNKNOWN in self.classes:
            selection[UNKNOWN] += self._pieces(len(selection[UNKNOWN]))
        return selection

    def _pieces(self, count: int) -> list[Cut]:
        utterances = [u for name in self.extra_unknown for u in open_dataset(name).utterances("training")]
        wordless = [u.path for u in utterances if not set(self.classes) & set(u.transcript.lower().split())]
        return [cut for path in draw(wordless, count, f"pieces {self.seed}") if (cut := _loud_second(path, self.seed))]


def _loud_second(path: str, seed: int) -> Cut | None:
    """A second drawn from those of the recording that have at least a quarter of their mean power; None in less than a second."""
    samples = read_audio(path)
    starts = range(0, len(samples) - RATE + 1, RATE // 4)
    power = [np.square(samples[start : start + RATE]).mean() for start in starts]
    loud = [start for start, one in zip(starts, power, strict=True) if one >= np.mean(power) / 4]
    return Cut(path, random.Random(f"{_tail(path)} {seed}").choice(loud)) if loud else None


class SpeechCommandsTest(Words):
    """The official test clips of Speech Commands v0.02: twelve classes, split "testing" only.

    A model of fewer classes is evaluated on `clips("testing").restrict(model.classes)`.
    """

    name = "speech-commands-test"
    classes = TASKS["12"]

    def __init__(self):
        self.folder = need(self.name)

    def select(self, split: str) -> dict[str, list[Cut]]:
        if split != "testing":
            raise TinycourseError(f"{self.name} has the split testing only, not {split}.")
        folders = {SILENCE: "_silence_", UNKNOWN: "_unknown_"}
        files = {name: sorted((self.folder / folders.get(name, name)).glob("[!.]*.wav")) for name in self.classes}
        return {name: [Cut(str(path)) for path in paths] for name, paths in files.items()}


class SpokenDigits(Words):
    """Free Spoken Digit Dataset: ten digits, 8 kHz (read at 16 kHz), six speakers.

    The official split goes by take, so every speaker is in all splits: takes 0-4 testing, the others training, and of these we
    keep the last, from 45 on, for validation.
    """

    name = "spoken-digits"
    classes = DIGITS

    def __init__(self):
        self.folder = need(self.name)

    def select(self, split: str) -> dict[str, list[Cut]]:
        takes = {"testing": range(5), "validation": range(45, 10**6), "training": range(5, 45)}[split]
        selection = {word: [] for word in DIGITS}
        for path in sorted(self.folder.glob("recordings/*.wav")):
            named = re.fullmatch(r"(\d)_[^_]+_(\d+)\.wav", path.name)  # digit, speaker, take
            if named and int(named[2]) in takes:
                selection[DIGITS[int(named[1])]].append(Cut(str(path)))
        return selection


# ------------------------------------------------------------------------------------------------ sentences


@dataclass(frozen=True)
class Utterance:
    """A recorded sentence: read it with `read_audio(path)`. The transcript is in capitals, as in the originals."""

    path: str
    transcript: str
    speaker: str


class Sentences:
    """A data set of utterances. A split for which there are no recordings gets a tenth of the training speakers."""

    splits: dict[str, list[Utterance]]

    def utterances(self, split: str) -> list[Utterance]:
        """All utterances of a split, in a fixed order. No speaker is in two splits."""
        return self.splits[_checked(split)]

    def _set_aside(self) -> None:
        speakers = sorted({utterance.speaker for utterance in self.splits["training"]})
        tenth = max(1, round(len(speakers) / 10))
        drawn = draw(speakers, 2 * tenth, "speakers")
        for split, mine in (("validation", drawn[:tenth]), ("testing", drawn[tenth:])):
            if split not in self.splits:
                self.splits[split] = [u for u in self.splits["training"] if u.speaker in mine]
                self.splits["training"] = [u for u in self.splits["training"] if u.speaker not in mine]


class AN4(Sentences):
    """CMU AN4: spelled letters, numbers, dates, names. Official test speakers where etc/an4_test.transcription is there."""

    name = "an4"

    def __init__(self):
        folder = need(self.name)
        self.splits = {"training": self._read(folder, "an4_train", "an4_clstk")}
        if (folder / "etc" / "an4_test.transcription").is_file():
            self.splits["testing"] = self._read(folder, "an4_test", "an4test_clstk")
        self._set_aside()

    @staticmethod
    def _read(folder: Path, listing: str, wav: str) -> list[Utterance]:
        """Lines like `<s> YES </s> (an251-fash-b)`: transcript, then session, speaker and microphone."""
        suffix = ".wav" if any(folder.glob(f"wav/{wav}/*/*.wav")) else ".sph"  # the original has NIST SPHERE files
        utterances, path = [], folder / "etc" / f"{listing}.transcription"
        for line in lines(path):
            parts = re.fullmatch(r"(?:<s>)?\s*(.*?)\s*(?:</s>)?\s*\((\w+-(\w+)-\w+)\)\s*", line)
            if not parts:
                raise TinycourseError(f"{path} is damaged at the line '{line}': get an4 again.")
            text, name, speaker = parts.groups()
            utterances.append(Utterance(str(folder / "wav" / wav / speaker / f"{name}{suffix}"), text, speaker))
        return sorted(utterances, key=lambda utterance: utterance.path)


class LibriSpeech(Sentences):
    """LibriSpeech, read books. Training: the train-* folders, or dev-clean where there is none.

    Validation: dev-clean, or a tenth of its speakers where it serves training. Testing: test-clean, or another tenth.
    """

    name = "librispeech"

    def __init__(self):
        folder = folder_of(self.name).parent
        training = sorted(folder.glob("train-*")) or [need(self.name)]
        self.splits = {"training": self._read(training)}
        for split, part in (("validation", folder / "dev-clean"), ("testing", folder / "test-clean")):
            if part.is_dir() and part not in training:
                self.splits[split] = self._read([part])
        self._set_aside()

    @staticmethod
    def _read(parts: list[Path]) -> list[Utterance]:
        """Files SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt with lines `84-121123-0000 GO DO YOU HEAR`."""
        utterances = []
        for listing in sorted(path for part in parts for path in part.glob("*/*/*.trans.txt")):
            for line in lines(listing):
                name, _, text = line.partition(" ")
                if not text:
                    raise TinycourseError(f"{listing} is damaged at the line '{line}': get librispeech again.")
                utterances.append(Utterance(str(listing.with_name(f"{name}.flac")), text, listing.parts[-3]))
        return utterances


# ------------------------------------------------------------------------------------------------ by name


OPENERS = {kind.name: kind for kind in (TinyWords, SpeechCommands, SpeechCommandsTest, SpokenDigits, AN4, LibriSpeech)}


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
