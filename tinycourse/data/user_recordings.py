"""Wake words of your own: a folder of recordings becomes clips, split so that no voice is both practised on and judged by.

A folder has one folder for each word, and in it files named after who spoke and which time, as in

    hello/anna_1.wav  hello/anna_2.wav  hello/espeak-Alex_1.wav  music/ben_1.wav  unknown/anna_1.wav  silence/kitchen.wav

`unknown` (optional) holds other words, `silence` (optional) ten seconds or more of a room. Whatever the folder lacks of these two
comes from the bundled synthetic words, and so do wake words where there is no folder at all.
"""

import io
import re
import unicodedata
from collections import Counter
from copy import copy
from pathlib import Path

import numpy as np
import soundfile

from tinycourse.data.clips import SPLITS, Clips, Cut, draw
from tinycourse.data.words import SILENCE, UNKNOWN, TinyWords
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE, fit_length, read_audio, to_int16
from tinycourse.files import write_bytes

SHARES = {"testing": 0.2, "validation": 0.15}  # of a word's recordings, at least; training gets the rest
SYNTHETIC = "espeak-"  # what names of computed voices begin with: they help in training, but do not judge where people do
LEAST = 10  # recordings of a word
QUIET, LOUD = 0.02, 0.999  # peaks between which a recording is usable


class OwnWords(TinyWords):
    """Clips of `words`, of other words as `unknown` (two for each clip of a word), and of noise as `silence`.

    `speakers` says by split who speaks the words in it; `by_speaker` whether no voice is in two splits, which takes three voices.
    Raises TinycourseError for a folder that is not as this module says, and for a recording that cannot be used.
    """

    others = 2

    def __init__(self, words: tuple[str, ...], folder: str | Path | None = None, seed: int = 0):
        super().__init__("all", seed)
        self.by_speaker, self.classes = True, (SILENCE, UNKNOWN, *words)
        known = {word for split in SPLITS for word in self.words[split]}
        if not words or len(set(words)) < len(words) or {SILENCE, UNKNOWN} & set(words):
            raise TinycourseError("Choose one or more words, each once; silence and unknown are classes of their own.")
        if folder is None:
            if absent := sorted(set(words) - known):
                raise TinycourseError(f"The bundled words have no {', '.join(absent)}: record or synthesize it, or choose other words.")
            return
        if not Path(folder).is_dir():
            raise TinycourseError(f"There is no folder {folder}: record some words first, or give the folder of your recordings.")
        takes = {word: recordings(Path(folder) / word) for word in words}
        if few := [f"{word} ({len(found)})" for word, found in takes.items() if len(found) < LEAST]:
            raise TinycourseError(f"Each word needs {LEAST} recordings in a folder of its name; too few of {', '.join(few)} in {folder}.")
        if (Path(folder) / UNKNOWN).is_dir():
            takes[UNKNOWN] = recordings(Path(folder) / UNKNOWN)
        placed = split_of(takes, seed)
        self.by_speaker = all(len({placed[take] for takes_of in takes.values() for take in takes_of if speaker(take) == who}) == 1
                              for who in {speaker(take) for takes_of in takes.values() for take in takes_of})  # fmt: skip
        for word, found in takes.items():
            for split in SPLITS:
                self.words[split][word] = [Cut(str(take)) for take in found if placed[take] == split]
        self.noises += tuple(map(str, sounds(Path(folder) / SILENCE)))

    @property
    def speakers(self) -> dict[str, Counter]:
        """Clips of the wake words by split and speaker; of the bundled words only the split is known here."""
        return {
            split: Counter(
                speaker(Path(cut.path)) if cut.start is None else "bundled" for word in self.classes[2:] for cut in self.words[split][word]
            )
            for split in SPLITS
        }

    def load(self, cut: Cut) -> np.ndarray:
        """As of any word; of a recording of one's own the loudest second, float32 [16000]."""
        return loudest_second(read_audio(cut.path)) if cut.start is None else super().load(cut)

    def spoken(self, split: str) -> Clips:
        """Every clip of a split by the word that is said: what streams are composed of."""
        everything = copy(self)
        everything.classes = tuple(sorted(word for word in self.words[split] if self.words[split][word]))
        return everything.clips(split)


def sounds(folder: Path) -> list[Path]:
    """The files in a folder that hold sound, by their names."""
    return sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3"))


def recordings(folder: Path) -> list[Path]:
    """The recordings in a folder, each looked at. Raises TinycourseError for one whose name or sound cannot be used."""
    found = sounds(folder)
    for path in found:
        if not speaker(path):
            raise TinycourseError(f"{path} does not say who speaks: name it speaker_number{path.suffix}, as in anna_1{path.suffix}.")
        usable(read_audio(path), str(path))
    return found


def speaker(path: Path) -> str:
    """Who speaks in anna_1.wav: anna. In small letters and composed characters, as files of one voice may differ in either."""
    return unicodedata.normalize("NFC", path.stem).rpartition("_")[0].lower()


def usable(samples: np.ndarray, name: str) -> None:
    """Raises TinycourseError for samples in -1 .. 1 that are too quiet, or that were cut off at the top."""
    peak = float(np.abs(samples).max())
    if peak < QUIET:
        raise TinycourseError(f"{name} is nearly silent: speak up, or come closer to the microphone.")
    if (np.abs(samples) >= LOUD).sum() > RATE // 500:
        raise TinycourseError(f"{name} is overdriven: step back from the microphone, or lower its level.")


def loudest_second(samples: np.ndarray) -> np.ndarray:
    """The second of float samples [N] with the most energy, and of all such the one in the middle; shorter ones are padded. [16000]"""
    if len(samples) <= RATE:
        return fit_length(samples)
    energy = np.concatenate([[0], np.square(samples, dtype=np.float64).cumsum()])
    inside = energy[RATE:] - energy[:-RATE]
    best = np.flatnonzero(inside >= inside.max() * (1 - 1e-3))  # a word shorter than a second fits into many
    return samples[best[len(best) // 2] :][:RATE]


def split_of(takes: dict[str, list[Path]], seed: int = 0) -> dict[Path, str]:
    """The split of every recording of every word: by speaker if there are three, else by recording.

    Where people speak, computed voices are for training alone.
    """
    everything = [take for found in takes.values() for take in found]
    people = {speaker(take) for take in everything if not speaker(take).startswith(SYNTHETIC)}
    judges = people or {speaker(take) for take in everything}
    mine = [take for take in everything if speaker(take) in judges]
    placed = dict.fromkeys(everything, "training")
    if len(judges) >= len(SPLITS):
        groups = {who: [take for take in mine if speaker(take) == who] for who in judges}
        return placed | fill(groups, seed)
    for found in takes.values():  # each word by itself, so that each is in every split
        placed |= fill({str(take): [take] for take in found if take in mine}, seed)
    return placed


def fill(groups: dict[str, list[Path]], seed: int) -> dict[Path, str]:
    """Whole groups, in an order drawn from the seed, to testing until its share is reached, then to validation; the rest trains."""
    total, order, placed = sum(map(len, groups.values())), draw(sorted(groups), len(groups), f"own words {seed}"), {}
    for split, share in SHARES.items():
        count = 0
        while count < share * total and order:
            for take in groups[name := order.pop()]:
                placed[take] = split
            count += len(groups[name])
    return placed


def save_take(folder: str | Path, word: str, who: str, samples: np.ndarray) -> Path:
    """Keep the loudest second of a recording as folder/word/who_number.wav, 16 bits at 16 kHz; returns the file.

    Raises TinycourseError for a name that is no name, a recording that is too quiet or overdriven, and a place that cannot be written.
    """
    who = unicodedata.normalize("NFC", who)  # a letter and its accent as one character, which \w knows
    for name in (word, who):
        if not re.fullmatch(r"[\w-]+", name) or name.endswith("_"):
            raise TinycourseError(f"{name!r} cannot name a file: use letters and digits, without spaces.")
    usable(samples, f"The recording of {word}")
    place = Path(folder) / word
    number = next(i for i in range(1, 10**6) if not (place / f"{who}_{i}.wav").exists())
    path = place / f"{who}_{number}.wav"
    sound = io.BytesIO()
    soundfile.write(sound, to_int16(loudest_second(samples)), RATE, format="WAV")
    write_bytes(path, sound.getvalue())
    return path
