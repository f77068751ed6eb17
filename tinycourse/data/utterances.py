"""Data sets of sentences: recordings and what is said in them."""

import re
from dataclasses import dataclass
from pathlib import Path

from tinycourse.data.catalogue import folder_of, need
from tinycourse.data.clips import draw, known_split
from tinycourse.errors import TinycourseError
from tinycourse.features.reading import lines


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
        return self.splits[known_split(split)]

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


SENTENCES = {kind.name: kind for kind in (AN4, LibriSpeech)}
