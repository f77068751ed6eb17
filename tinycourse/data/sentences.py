"""Spoken sentences to learn transcribing from: connected digits, made from single recordings, and recorded sentences.

A task has two sides. `speech(split)` gives recordings and their transcripts, always the same. `training(frontend)` gives an endless
supply of mel energies and transcripts to train on: joining recordings, changing tempo and voice, and mixing in noise cost little there
(see features/augmentation.py).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinycourse.data.clips import SPLITS, Cut
from tinycourse.data.datasets import open_dataset, open_sentences
from tinycourse.data.fingerprint import fingerprint
from tinycourse.data.utterances import Utterance
from tinycourse.data.words import DIGITS, Words
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE, read_audio, to_int16
from tinycourse.features.augmentation import mix
from tinycourse.features.frontend import Frontend
from tinycourse.features.reading import lines

Example = tuple[Tensor, str]  # mel energies [frames, mels], transcript


@dataclass
class Speech:
    """Recordings int16 [samples] of different lengths, and what is said in each."""

    audio: list[Tensor]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def fingerprint(self) -> str:
        """Of samples and transcripts, in their order."""
        return fingerprint(self.texts, self.audio)


@dataclass(frozen=True)
class Disturbance:
    """How training examples are changed; every choice is drawn anew for each."""

    tempo: float = 0.12  # faster or slower by up to this share
    voice: float = 0.08  # a shorter or longer vocal tract: bands are stretched by up to this share
    noise: float = 0.7  # probability of background noise
    snr: tuple[float, float] = (10.0, 40.0)  # decibels
    gain: float = 6.0  # decibels louder or softer, at most
    tilt: float = 0.0  # another microphone: decibels between the lowest and the highest band, at most
    again: float = 0.0  # probability that a digit follows itself, beyond chance: "three three" is easily heard as one

    def __call__(self, energies: Tensor, noise: Tensor, chance: np.random.RandomState) -> Tensor:
        """Mel energies [frames, mels] -> the same with other frames; `noise` [frames, mels] is longer than any example."""
        energies = stretch(energies, 1 + chance.uniform(-self.tempo, self.tempo), 1 + chance.uniform(-self.voice, self.voice))
        if self.tilt:
            slope = torch.linspace(-0.5, 0.5, energies.shape[1]) * chance.uniform(-self.tilt, self.tilt)  # [mels]
            energies = energies * 10 ** (slope / 10)
        if chance.random_sample() < self.noise:
            start = chance.randint(max(1, len(noise) - len(energies)))
            snr = torch.tensor([chance.uniform(*self.snr)], dtype=energies.dtype)
            energies = mix(energies[None], noise[None, start : start + len(energies)], snr)[0]
        return energies * 10 ** (chance.uniform(-self.gain, self.gain) / 10)


def stretch(energies: Tensor, tempo: float, voice: float) -> Tensor:
    """Slower by `tempo` and with bands moved up by `voice`: [frames, mels] -> [round(frames * tempo), mels]. Bands from above repeat."""
    frames, mels = energies.shape
    size = max(1, round(frames * tempo)), max(1, round(mels * voice))
    x = F.interpolate(energies[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    return x[:, :mels] if size[1] >= mels else torch.cat([x, x[:, -1:].expand(-1, mels - size[1])], 1)


def trim(samples: np.ndarray, quiet: float = 0.005, margin: int = RATE // 50) -> np.ndarray:
    """Cut silence off both ends: what is softer than a share `quiet` of the loudest 10 ms, but for a margin of 20 ms.

    Much more must not be cut: the s of "six" has some hundredths of the loudness of its vowel.
    """
    hop = RATE // 100
    level = np.sqrt(np.square(samples[: len(samples) // hop * hop].reshape(-1, hop)).mean(1))
    loud = np.flatnonzero(level > quiet * level.max())
    return samples[max(0, loud[0] * hop - margin) : (loud[-1] + 1) * hop + margin] if len(loud) else samples


def drawn_words(speakers: dict[str, list], chance: np.random.RandomState, longest: int, again: float) -> list:
    """One to `longest` (word, recording) of one speaker, in any order; a word follows itself with probability `again`, and by chance."""
    spoken, chosen = speakers[sorted(speakers)[chance.randint(len(speakers))]], []
    for _ in range(chance.randint(1, longest + 1)):
        same = [one for one in spoken if one[0] == chosen[-1][0]] if chosen and again and chance.random_sample() < again else spoken
        chosen.append(same[chance.randint(len(same))])
    return chosen


class ConnectedDigits:
    """Strings of one to seven digits, joined from single recordings of one speaker, with gaps as between spoken words and noise.

    `source`: "spoken-digits" (real, six speakers; its official takes make the splits) or "tinywords" (synthetic; no voice in two splits).
    `hold_out`: a speaker of spoken-digits whom training and validation do not hear, and who alone is heard in testing.
    `extra`: other such sources whose speakers join in training, where each source speaks as often as the next.
    """

    name, tokens = "connected-digits", "words"
    longest = 7  # digits
    epoch = 3_200  # strings that training calls an epoch
    counts = {"training": 200, "validation": 200, "testing": 400}  # strings of `speech`

    def __init__(self, source: str = "spoken-digits", hold_out: str = "", extra: tuple[str, ...] = ()):
        self.sources, self.hold_out = (source, *extra), hold_out
        for name in self.sources:
            if name not in ("spoken-digits", "tinywords"):
                raise TinycourseError(f"There are no digits in {name!r}: choose spoken-digits or tinywords.")
        self.sets = {name: open_dataset(name, **({"classes": "digits"} if name == "tinywords" else {})) for name in self.sources}
        if hold_out and hold_out not in (known := {speaker for _, _, speaker in self._cuts("training", source)}):
            raise TinycourseError(f"{source} has no speaker {hold_out!r} to hold out: choose one of {', '.join(sorted(known))}.")

    def texts(self) -> list[str]:
        """What a vocabulary must be able to write."""
        return list(DIGITS)

    def _cuts(self, split: str, source: str) -> list[tuple[str, Cut, str]]:
        """Digit, where it is, and who says it."""
        words = self.sets[source]
        if source == "tinywords":
            index = csv.DictReader(lines(words.folder / "index.csv"))
            voices = {(row["file"], int(row["clip"])): row["voice"] for row in index}
            speaker = lambda cut: voices["/".join(Path(cut.path).parts[-2:]), cut.start // RATE]  # noqa: E731
        else:
            speaker = lambda cut: Path(cut.path).stem.split("_")[1]  # noqa: E731
        return [(word, cut, speaker(cut)) for word, cuts in words.select(split).items() if word in DIGITS for cut in cuts]

    def recordings(self, split: str, source: str = "") -> dict[str, list[tuple[str, np.ndarray]]]:
        """Of each speaker of a split, every digit and its samples, silence cut off; of the main source or of another one."""
        source = source or self.sources[0]
        splits = SPLITS if self.hold_out and split == "testing" else (split,)
        cuts = [cut for one in splits for cut in self._cuts(one, source)]
        if self.hold_out:
            cuts = [cut for cut in cuts if (cut[2] == self.hold_out) == (split == "testing")]
        words, found = self.sets[source], {}
        for word, cut, speaker in tqdm(cuts, desc=f"digits {split}", delay=2, leave=False):
            samples = read_audio(cut.path) if cut.start is None else words.recording(cut.path)[cut.start : cut.start + RATE]
            found.setdefault(speaker, []).append((word, trim(samples)))
        return found

    def _string(self, speakers: dict[str, list], chance: np.random.RandomState, longest: int, again: float = 0) -> tuple[list, np.ndarray]:
        """Recordings of one speaker, and the seconds of silence before, between and behind them."""
        chosen = drawn_words(speakers, chance, longest, again)
        gaps = chance.uniform(0.02, 0.35, len(chosen) + 1)
        gaps[[0, -1]] += 0.1
        return chosen, gaps

    def speech(self, split: str) -> Speech:
        """Strings of digits as recordings, over white, pink or humming noise 15 to 40 decibels softer: always the same ones."""
        chance, made = np.random.RandomState(SPLITS.index(split)), Speech([], [])
        speakers, noises = self.recordings(split), self.sets[self.sources[0]].noise(split)
        for _ in range(self.counts[split]):
            chosen, gaps = self._string(speakers, chance, self.longest)
            silences = [np.zeros(round(gap * RATE), np.float32) for gap in gaps]
            audio = np.concatenate([silences[0], *(part for (_, one), gap in zip(chosen, silences[1:]) for part in (one, gap))])
            noise = noises[chance.randint(len(noises))]
            hiss, snr = noise.take(np.arange(len(audio)) + chance.randint(len(noise)), mode="wrap"), chance.uniform(15, 40)
            audio = audio + hiss * np.sqrt(np.square(audio).mean() / np.square(hiss).mean()) * 10 ** (-snr / 20)
            made.audio.append(torch.from_numpy(to_int16(audio / max(1, np.abs(audio).max()))))
            made.texts.append(" ".join(word for word, _ in chosen))
        return made

    def training(self, frontend: Frontend) -> "DigitStrings":
        """Strings to train on, new ones every epoch."""
        return DigitStrings(self, frontend)


class DigitStrings:
    """Strings of digits as mel energies, joined anew whenever they are asked for. `fingerprint` is that of their recordings."""

    def __init__(self, task: ConnectedDigits, frontend: Frontend):
        self.task, self.hop = task, frontend.config.hop / RATE
        recorded = [task.recordings("training", source) for source in task.sources]
        self.fingerprint = fingerprint(
            [[who, [[word, to_int16(x)] for word, x in spoken]] for speakers in recorded for who, spoken in speakers.items()]
        )
        self.groups = [
            {who: [(word, energies_of(frontend, x)) for word, x in spoken] for who, spoken in speakers.items()} for speakers in recorded
        ]
        self.noise = noise_energies(frontend, task.sets[task.sources[0]].noise("training"))

    def __len__(self) -> int:
        """Examples in an epoch."""
        return self.task.epoch

    def epoch(self, disturb: Disturbance, chance: np.random.RandomState, share: float = 1.0) -> Iterator[Example]:
        """One epoch of examples, of at most a `share` of the digits that a string may have."""
        longest = max(1, round(share * self.task.longest))
        for number in range(self.task.epoch):
            speakers = self.groups[number % len(self.groups)]
            chosen, gaps = self.task._string(speakers, chance, longest, disturb.again)
            silences = [self.noise.new_zeros(round(gap / self.hop), self.noise.shape[1]) for gap in gaps]
            parts = [silences[0], *(part for (_, one), gap in zip(chosen, silences[1:]) for part in (one, gap))]
            yield disturb(torch.cat(parts), self.noise, chance), " ".join(word for word, _ in chosen)


class Sentences:
    """Recorded sentences: AN4, LibriSpeech. `extra`: other such data sets whose training utterances join in."""

    def __init__(self, name: str, extra: tuple[str, ...] = ()):
        self.name, self.sources = name, (name, *extra)
        self.tokens = "words" if self.sources == ("an4",) else "characters"
        self.sets = [open_sentences(one) for one in self.sources]

    def utterances(self, split: str) -> list[Utterance]:
        """Those of the data set itself, and in training those of the extra ones too."""
        return [u for one in (self.sets if split == "training" else self.sets[:1]) for u in one.utterances(split)]

    def texts(self) -> list[str]:
        """What a vocabulary must be able to write."""
        return [u.transcript for u in self.utterances("training")]

    def speech(self, split: str) -> Speech:
        """Every utterance of a split. An hour takes 115 MB."""
        chosen = tqdm(self.utterances(split), desc=f"{self.name} {split}", delay=2, leave=False)
        return Speech([torch.from_numpy(to_int16(read_audio(u.path))) for u in chosen], [u.transcript for u in chosen.iterable])

    def training(self, frontend: Frontend) -> "SentenceEnergies":
        """Utterances to train on, in a new order every epoch."""
        return SentenceEnergies(self, frontend)


class SentenceEnergies:
    """Utterances as mel energies, computed once and kept in half precision: 29 MB an hour. `fingerprint` is that of their recordings."""

    def __init__(self, task: Sentences, frontend: Frontend):
        chosen = task.utterances("training")
        self.texts, self.speakers = [u.transcript for u in chosen], [u.speaker for u in chosen]
        self.energies, read = [], []
        for u in tqdm(chosen, desc="mel energies", delay=2, leave=False):
            samples = read_audio(u.path)
            self.energies.append(energies_of(frontend, samples).bfloat16())
            read.append(fingerprint(to_int16(samples)))
        self.fingerprint = fingerprint(self.texts, self.speakers, read)
        self.noise = noise_energies(frontend, Words().noise("training"))

    def __len__(self) -> int:
        return len(self.texts)

    def epoch(self, disturb: Disturbance, chance: np.random.RandomState, share: float = 1.0) -> Iterator[Example]:
        """Every utterance once, or the `share` of them that is shortest as often as it takes."""
        shortest = sorted(range(len(self)), key=lambda i: len(self.energies[i]))[: max(1, round(share * len(self)))]
        for i in np.resize(chance.permutation(shortest), len(self)):
            yield disturb(self.energies[i].float(), self.noise, chance), self.texts[i]


@torch.no_grad()
def energies_of(frontend: Frontend, samples: np.ndarray) -> Tensor:
    """Mel energies of one recording: [samples] -> [frames, mels], on the CPU."""
    return frontend.energies(torch.from_numpy(samples)[None])[0]


def noise_energies(frontend: Frontend, noises: list[np.ndarray]) -> Tensor:
    """One long recording of noise, each part as loud as the others: [frames, mels]."""
    parts = [energies_of(frontend, noise) for noise in noises]
    return torch.cat([part / part.mean() for part in parts])


TASKS = {"connected-digits": ConnectedDigits, "an4": Sentences, "librispeech": Sentences}


def open_task(name: str, **options) -> ConnectedDigits | Sentences:
    """The task called `name`, one of TASKS, with the options of its class. Raises TinycourseError for others."""
    if name not in TASKS:
        raise TinycourseError(f"A transducer cannot learn from {name!r}: choose one of {', '.join(TASKS)}.")
    options = {key: value for key, value in options.items() if value}
    if name != "connected-digits" and (wrong := sorted(options.keys() - {"extra"})):
        raise TinycourseError(f"{name} has no {' or '.join(wrong).replace('_', ' ')}, as connected-digits has: leave it out.")
    return ConnectedDigits(**options) if name == "connected-digits" else Sentences(name, **options)


def open_for(info: dict, name: str, **given) -> ConnectedDigits | Sentences:
    """The task called `name` with the options given, and for a recogniser that was trained on this one (`info`), those of its training."""
    trained_with = info.get("data_options", {}) if name == info.get("data") else {}
    return open_task(name, **trained_with | {k: v for k, v in given.items() if v})
