"""Clips of words, where each was cut from, and drawing some of them: the same ones on every machine."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tinycourse.data.fingerprint import fingerprint
from tinycourse.errors import TinycourseError

SPLITS = ("training", "validation", "testing")


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
    return sorted(items, key=lambda item: hashlib.sha256(f"{seed} {tail(str(item))}".encode(errors="surrogateescape")).digest())[:count]


def tail(path: str) -> str:
    """The last two names of a path, the same on every machine."""
    return "/".join(Path(path).parts[-2:])


def known_split(split: str) -> str:
    """The name of a split; raises TinycourseError for any other."""
    if split not in SPLITS:
        raise TinycourseError(f"There is no split '{split}': choose one of {', '.join(SPLITS)}.")
    return split
