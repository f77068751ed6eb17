"""The types of what the command line takes: numbers that can be, and places that can be written. Whatever cannot is one sentence."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from tinycourse import files
from tinycourse.errors import TinycourseError

READ = ("checkpoint", "start", "teacher", "splice", "storage")  # arguments that name a file to read, or a shipped checkpoint


class Parser(argparse.ArgumentParser):
    """Raises TinycourseError where argparse prints its usage and leaves."""

    def error(self, message: str):
        raise TinycourseError(f"{message}; see `{self.prog} --help`.")


@dataclass(frozen=True)
class Number:
    """A finite number of a `kind` (int or float) from `low` to `high`; without `low` itself if it is `above` it."""

    kind: type
    low: float
    high: float = math.inf
    above: bool = False

    def __call__(self, text: str) -> int | float:
        """Raises argparse's error for any other text."""
        try:
            value = self.kind(text)
        except ValueError:
            value = math.nan
        if not (self.low <= value <= self.high and value < math.inf) or (self.above and value == self.low):
            raise argparse.ArgumentTypeError(f"choose {self}, not {text!r}")
        return value

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        high = f" to {self.high:.10g}" if self.high < math.inf else "" if self.above else " on"
        return f"a {'whole ' if self.kind is int else ''}number {low}{high}"


count = Number(int, 1, 10**9)
whole = Number(int, 0, 10**9)
seed = Number(int, 0, 2**32 - 1)  # numpy takes no other
classes = Number(int, 1, 100_000)
share = Number(float, 0, 1)
positive = Number(float, 0, above=True)
not_negative = Number(float, 0)
seconds = Number(float, 0, 86_400, above=True)  # up to a day
gibibytes = Number(float, 0, 1_024, above=True)


def sparsity_of(text: str) -> tuple[str, float]:
    """'PATTERN=0.5' to (pattern, sparsity)."""
    pattern, _, sparsity = text.partition("=")
    return pattern, share(sparsity)


class NewFile(type(Path())):
    """A file that a verb writes: tried out before it begins."""


class NewFolder(type(Path())):
    """A folder that a verb makes, or replaces where nobody has changed it since."""


def need_places(a: argparse.Namespace) -> None:
    """Before a verb begins: raises TinycourseError where it cannot write, or would write over what it reads, or twice to one file."""
    given = [value for value in vars(a).values() if isinstance(value, Path)]
    written = [path for path in given if isinstance(path, NewFile)]
    read = [value for name in READ if isinstance(value := getattr(a, name, None), str) and value]
    if written and read:
        from tinycourse.training.checkpoint import path_of  # torch takes seconds to import

        files.need_apart(written, map(path_of, read))
    else:
        files.need_apart(written)
    for path in written:
        files.need_writable(path)
    for path in given:
        if isinstance(path, NewFolder):
            files.need_replaceable(path)
            files.need_writable(path / files.SUMS)
