"""Files and folders that are written whole or not at all, and that never take the place of something else.

No kill and no full disk leaves half of one. A folder lists the SHA-256 of what was written to it in SUMS, as `sha256sum --check` reads
it: it is replaced only as long as everything in it is listed and unchanged.
"""

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open

from tinycourse.errors import TinycourseError

SUMS = "files.sha256"


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
    """Before work is spent: raises TinycourseError as `whole` does, if no file can be written there. Nothing is changed by it."""
    missing = [folder for folder in Path(os.path.realpath(path)).parents if not os.path.exists(folder)]
    with beside(path) as (_, part):
        part.touch()
    with suppress(OSError):  # somebody else may have written there meanwhile
        for folder in missing:
            folder.rmdir()


@contextmanager
def beside(path: str | Path) -> Iterator[tuple[Path, Path]]:
    """The file that `path` leads to, and the name of a new one beside it, which is gone after the block; errors as of `whole`."""
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with in_words(path):
            if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
                raise TinycourseError(f"{path} is a folder, or a file that must not be changed; give another place.")
            target.parent.mkdir(parents=True, exist_ok=True)
            yield target, part
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def in_words(path: str | Path) -> Iterator[None]:
    """TinycourseError for an OSError in the block."""
    try:
        yield
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a file stands where a folder should be" if in_the_way else error.strerror or error
        raise TinycourseError(f"{path} cannot be written ({reason}); give another place, or free some disk space.") from None


def need_apart(written: Iterable[str | Path], read: Iterable[str | Path] = ()) -> None:
    """Raises TinycourseError where one of the files to write is also to be read, or to be written twice."""
    taken = list(read)
    for path in written:
        if any(same(path, other) for other in taken):
            raise TinycourseError(f"{path} would take the place of a file that the same command needs; give another name.")
        taken.append(path)


def same(a: str | Path, b: str | Path) -> bool:
    """Whether two paths lead to one file, be it there or not."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return os.path.realpath(a) == os.path.realpath(b)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file as `whole` does."""
    with whole(path) as part:
        part.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a file in UTF-8 as `whole` does, with the same line ends everywhere; bytes of file names that are no text are escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def read_tensors(path: str | Path, form: str, what: str, remedy: str, framework: str = "numpy") -> tuple[dict, dict[str, str]]:
    """Arrays by name (framework "pt": tensors) and header of a safetensors file whose header says that its format is `form`.

    Raises TinycourseError where there is none, or anything else: `what` it should be, and the `remedy`.
    """
    if not Path(path).is_file():
        raise TinycourseError(f"There is no {what} at {path}; {remedy}.")
    try:
        with safe_open(path, framework=framework) as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise TinycourseError(f"{path} is damaged or is not a safetensors file ({error}); {remedy}.") from None
    if header.get("format") != form:
        raise TinycourseError(f"{path} is a safetensors file but not a {form}; {remedy}.")
    return tensors, header


# ------------------------------------------------------------------------------------------------ folders


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `path` at the end of the block, with SUMS in it; after any error `path` is as it was.

    Raises TinycourseError as `need_replaceable` does, and for an OSError on the way.
    """
    need_replaceable(path)
    target = Path(os.path.realpath(path))
    with in_words(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", ignore_cleanup_errors=True) as folder:
            new = Path(folder, "new")
            new.mkdir()
            yield new
            write_sums(new / SUMS, {name: digest(new / name) for name in names(new)})
            take_place(new, target)


def take_place(new: Path, target: Path) -> None:
    """Rename a folder to `target`. An earlier one is looked through once more where nobody else finds it, and removed."""
    if not target.exists():
        new.rename(target)
        return
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    target.rename(old)
    try:
        need_replaceable(old, target)
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def need_replaceable(folder: str | Path, name: str | Path = "") -> None:
    """Raises TinycourseError unless `folder`, which is called `name`, is missing, empty, or holds only what its SUMS list, unchanged."""
    folder, name = Path(folder), name or folder
    with in_words(name):
        if folder.exists() and not folder.is_dir():
            raise TinycourseError(f"{name} is a file; give a new folder.")
        known = read_sums(folder / SUMS)
        folders = {parent.as_posix() for listed in known for parent in Path(listed).parents}
        for path in sorted(folder.rglob("*")):
            below = path.relative_to(folder).as_posix()
            plain = path.is_file() and not path.is_symlink()
            if below == SUMS and plain or below in folders and path.is_dir() and not path.is_symlink():
                continue
            if not plain or digest(path) != known.get(below):
                why = "is not what tinycourse wrote there" if known else f"may be yours: there is no {SUMS} that says who wrote it"
                raise TinycourseError(f"{Path(name, below)} {why}; give a new folder, or move your files away.")


def need_own(folder: Path, names: Iterable[str]) -> None:
    """Raises TinycourseError for the first of these files in `folder` that is there, and not as its SUMS say."""
    known = read_sums(folder / SUMS)
    for name in names:
        if (path := folder / name).exists() and (not path.is_file() or digest(path) != known.get(name)):
            raise TinycourseError(f"{path} is not what tinycourse wrote there; give another folder, or move it away.")


def names(folder: Path) -> list[str]:
    """All files below a folder, as SUMS list them."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(path: Path, sums: dict[str, str]) -> None:
    """{file: SHA-256} as `sha256sum` writes it."""
    write_text(path, "".join(f"{known}  {name}\n" for name, known in sums.items()))


def read_sums(path: Path) -> dict[str, str]:
    """What `write_sums` wrote; of anything else, or where there is nothing, the lines that can be read."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return {name: known for known, gap, name in (line.partition("  ") for line in lines) if gap}
