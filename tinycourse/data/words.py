"""Data sets of words: which recordings make up each class of a split, and reading them as clips."""

import csv
import random
import re
import warnings
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse.data.catalogue import need
from tinycourse.data.clips import SPLITS, Clips, Cut, draw, known_split, tail
from tinycourse.data.utterances import SENTENCES
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE, fit_length, read_audio, to_int16
from tinycourse.features.reading import lines, once_per_file

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

_recording = once_per_file(maxsize=8)(read_audio)  # long files from which many clips are cut


class Words:
    """A data set of words. `select` says which cuts make up each class of a split; `clips` reads them."""

    name: str
    classes: tuple[str, ...]

    def select(self, split: str) -> dict[str, list[Cut]]:
        """The cuts of every class of a split, in a fixed order."""
        raise NotImplementedError

    def noise(self, split: str) -> list[np.ndarray]:
        """Noise to mix into the clips of `split`, each float32 [samples]: computed, where the data set records none."""
        return [_noise(kind, SPLITS.index(known_split(split))) for kind in NOISES]

    def recording(self, path: str) -> np.ndarray:
        """A whole recording that clips are cut from, float32 [samples]."""
        return _recording(path)

    def clips(self, split: str, count: int | None = None) -> Clips:
        """All clips of a split ("training", "validation", "testing"), class by class, or `count` of them. 1,000 of them take 32 MB."""
        selection = self.select(known_split(split))
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
        """Keywords as they are, and `unknown` and `silence` drawn by hash."""
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
        return [self.recording(path)[low:high].copy() for path, low, high in self._noise_parts(known_split(split))]

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
        """A file, or one of the computed noises by its name."""
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
        if wrong := sorted(set(self.extra_unknown) - SENTENCES.keys()):
            raise TinycourseError(f"Unknown speech cannot come from {', '.join(wrong)}: choose {' or '.join(SENTENCES)}.")
        super().__init__(classes, seed)

    def select(self, split: str) -> dict[str, list[Cut]]:
        """As of all keywords; in training `unknown` has pieces of sentences, too."""
        selection = super().select(split)
        if split == "training" and UNKNOWN in self.classes:
            selection[UNKNOWN] += self._pieces(len(selection[UNKNOWN]))
        return selection

    def _pieces(self, count: int) -> list[Cut]:
        utterances = [u for name in self.extra_unknown for u in SENTENCES[name]().utterances("training")]
        wordless = [u.path for u in utterances if not set(self.classes) & set(u.transcript.lower().split())]
        return [cut for path in draw(wordless, count, f"pieces {self.seed}") if (cut := _loud_second(path, self.seed))]


def _loud_second(path: str, seed: int) -> Cut | None:
    """A second drawn from those of the recording that have at least a quarter of their mean power; None in less than a second."""
    samples = read_audio(path)
    starts = range(0, len(samples) - RATE + 1, RATE // 4)
    power = [np.square(samples[start : start + RATE]).mean() for start in starts]
    loud = [start for start, one in zip(starts, power, strict=True) if one >= np.mean(power) / 4]
    return Cut(path, random.Random(f"{tail(path)} {seed}").choice(loud)) if loud else None


class SpeechCommandsTest(Words):
    """The official test clips of Speech Commands v0.02: twelve classes, split "testing" only.

    A model of fewer classes is evaluated on `clips("testing").restrict(model.classes)`.
    """

    name = "speech-commands-test"
    classes = TASKS["12"]

    def __init__(self):
        self.folder = need(self.name)

    def select(self, split: str) -> dict[str, list[Cut]]:
        """The folders as they are. Raises TinycourseError for another split than testing."""
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
        """By take, in the order of the names."""
        takes = {"testing": range(5), "validation": range(45, 10**6), "training": range(5, 45)}[split]
        selection = {word: [] for word in DIGITS}
        for path in sorted(self.folder.glob("recordings/*.wav")):
            named = re.fullmatch(r"(\d)_[^_]+_(\d+)\.wav", path.name)  # digit, speaker, take
            if named and int(named[2]) in takes:
                selection[DIGITS[int(named[1])]].append(Cut(str(path)))
        return selection
