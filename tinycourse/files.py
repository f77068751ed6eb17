"""Files that are written whole or not at all: no reader, no kill and no full disk leaves half of one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinycourse.errors import TinycourseError


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A new file beside `path` to write to, which takes its place at the end of the block; after any error `path` is as it was.

    Missing folders are made; where `path` is a link, the file that it leads to is replaced. Raises TinycourseError for an OSError on
    the way, and where `path` is a folder, a device, or must not be changed.
    """
    with beside(path) as (target, part):
        yield part
        os.replace(part, target)


def need_writable(path: str | Path) -> None:
    """Before work is spent: raises TinycourseError as `whole` does, if no file can be written there. What is there stays."""
    with beside(path) as (_, part):
        part.touch()


@contextmanager
def beside(path: str | Path) -> Iterator[tuple[Path, Path]]:
    """The file that `path` leads to, and the name of a new one beside it, which is gone after the block; errors as of `whole`."""
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
            raise TinycourseError(f"{path} is a folder, or a file that must not be changed; give another place.")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield target, part
    except OSError as error:
        reason = error.strerror or error
        raise TinycourseError(f"{path} cannot be written ({reason}); give another place, or free some disk space.") from None
    finally:
        with suppress(OSError):
            part.unlink()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file as `whole` does."""
    with whole(path) as part:
        part.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a file in UTF-8 as `whole` does, with the same line ends on every system."""
    write_bytes(path, text.encode())
