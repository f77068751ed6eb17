"""Reading files that others wrote: lists, and files that may be replaced while we work."""

import os
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path

from tinycourse.errors import TinycourseError


def lines(path: Path) -> list[str]:
    """The lines of a UTF-8 list, without blank ones, blanks at either end, and the mark that some editors put in front of a file.

    Raises TinycourseError, naming the file, if it is missing or other than UTF-8.
    """
    if not path.is_file():
        raise TinycourseError(f"{path} is missing: the data set is incomplete, get it again.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TinycourseError(f"{path} is no UTF-8 text (byte {error.start:,}): save it as UTF-8, or get the data set again.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def once_per_file(maxsize: int) -> Callable[[Callable], Callable]:
    """A decorator for functions of a path: an answer is kept as long as the file has the same size and time of change."""

    def decorate(function: Callable) -> Callable:
        kept = lru_cache(maxsize)(lambda path, size, modified: function(path))

        @wraps(function)
        def answer(path: str | Path):
            if not os.path.exists(path):
                return function(path)  # which says so in its own words
            about = os.stat(path)
            return kept(path, about.st_size, about.st_mtime_ns)

        return answer

    return decorate
