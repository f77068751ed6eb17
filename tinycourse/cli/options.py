"""What the command line is made of: verbs, options that several of them share, and the types of what options take.

A type lets through numbers that can be and places that can be written. Whatever cannot is one sentence.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinycourse import files
from tinycourse.errors import TinycourseError

READ = ("checkpoint", "start", "teacher", "splice", "storage")  # arguments that name a file to read, or a shipped checkpoint


class Parser(argparse.ArgumentParser):
    """Raises TinycourseError where argparse prints its usage and leaves."""

    def error(self, message: str):
        """Raises TinycourseError: what is wrong, and where to read on."""
        raise TinycourseError(f"{message}; see `{self.prog} --help`.")


@dataclass(frozen=True)
class Verb:
    """A verb of the command line.

    `run` does the work with the parsed options, and returns an exit status or nothing (0). `options` adds the verb's own options, `shared`
    those that other verbs have too; `json` adds --json.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int | None]
    options: Callable[[argparse.ArgumentParser], None] = lambda v: None
    json: bool = True
    shared: tuple[Callable[[argparse.ArgumentParser], None], ...] = ()

    def add_to(self, verbs) -> None:
        """Add the verb to what `add_subparsers` returned."""
        v = verbs.add_parser(self.name, help=self.help, description=self.help)
        v.set_defaults(run=self.run)
        for options in self.shared:
            options(v)
        if self.json:
            v.add_argument("--json", action="store_true", help="print one JSON object")
        self.options(v)


@dataclass(frozen=True)
class Group:
    """Verbs that share their first word."""

    name: str
    help: str
    verbs: tuple[Verb, ...]

    def add_to(self, verbs) -> None:
        """Add them to what `add_subparsers` returned."""
        inner = verbs.add_parser(self.name, help=self.help).add_subparsers(required=True, metavar="VERB")
        for verb in self.verbs:
            verb.add_to(inner)


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


def given(v) -> None:
    """The checkpoint that a verb takes."""
    v.add_argument("checkpoint", help="a file, or the name of a shipped checkpoint")


def strings(v) -> None:
    """Options of connected digits."""
    v.add_argument("--source", default="", help="what connected digits are made of: spoken-digits (default) or tinywords")
    v.add_argument("--hold-out", default="", help="a speaker of connected digits who speaks in testing alone")


def calibrated(v) -> None:
    """The option of the verbs that need ranges of activations."""
    v.add_argument("--calibrate", metavar="SET", help="measure ranges on this data (default: the checkpoint has them)")


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


def must_be_safetensors(path: Path) -> None:
    """Raises TinycourseError for another kind of file."""
    if path.suffix != ".safetensors":
        raise TinycourseError(f"{path}: a checkpoint is a .safetensors file; give its name that ending.")
