"""Getting data sets: a download that goes on where it stopped, is verified, and is unpacked whole or not at all.

Below the data folder, `downloads/` holds archives: one with its publisher's name was put there by hand and is used instead of
the network; `.part` is a download under way, removed once its data set stands; `.sha256` remembers the hash of an archive whose
publisher gives none, so that another one is noticed next time.
"""

import gzip
import shutil
import sys
import tarfile
import zlib
from pathlib import Path

import requests
import urllib3
from tqdm.auto import tqdm

from tinycourse.data import catalogue
from tinycourse.data.catalogue import DATASETS, Description
from tinycourse.errors import TinycourseError
from tinycourse.features.reading import lines
from tinycourse.files import digest, write_sums

BLOCK = 1 << 20  # bytes
UNPACKED = 1.5  # a data set takes at most so many times the bytes of its archive: recordings hardly compress
TIMEOUT = (10, 60)  # seconds: to connect, between two blocks


class BadArchive(Exception):
    """The archive is not the expected one, is damaged, or would write outside its folder. The message says only that."""


def get(name: str, root: str | Path | None = None) -> Path:
    """Download and unpack the data set `name` below `root` (default: `data.root()`); returns its folder.

    Does nothing where the data set is there. Raises TinycourseError for an unknown name, a refused or broken connection, a wrong
    hash, an archive that would write outside its folder, and a full disk. Half a data set is never left behind, half a download
    is: the next call goes on from it.
    """
    if name not in DATASETS:
        raise TinycourseError(f"There is no data set '{name}': choose one of {', '.join(DATASETS)}.")
    about = DATASETS[name]
    if not about.url:
        return catalogue.need(name)
    root = Path(root).expanduser() if root else catalogue.root()
    target = root / about.folder
    if target.is_dir() and any(target.iterdir()):
        return target
    try:
        return _get(about, root, target)
    except OSError as error:
        raise TinycourseError(f"{root} cannot be written to ({error.strerror or error}): free some space, or set TINYCOURSE_DATA "
                              "to another folder, and call again; what was loaded is kept.") from error  # fmt: skip


def _get(about: Description, root: Path, target: Path) -> Path:
    archive = root / "downloads" / about.url.rsplit("/", 1)[1]
    part, note = (archive.with_name(archive.name + suffix) for suffix in (".part", ".sha256"))
    archive.parent.mkdir(parents=True, exist_ok=True)
    by_hand = archive.is_file()
    if not by_hand:
        _download(about, part, archive)
    source = archive if by_hand else part
    try:
        found = _verify(about, source, note)
        _unpack(about, source, root, target)
    except BadArchive as error:
        if by_hand:
            raise TinycourseError(f"{error}: replace or remove it.") from error
        part.unlink()
        raise TinycourseError(f"{error}: it is removed, call again.") from error
    part.unlink(missing_ok=True)
    if not about.sha256 and not note.is_file():
        write_sums(note, {archive.name: found})
        print(f"{about.title}: nobody publishes a hash to verify this archive with; its sha256 is {found}, kept in {note} "
              "for the next time.", file=sys.stderr)  # fmt: skip
    return target


# ------------------------------------------------------------------------------------------------ download


def _download(about: Description, part: Path, archive: Path) -> None:
    """Complete `part`, from where it stopped if the server can, else from its beginning."""
    done = part.stat().st_size if part.is_file() else 0
    if done and done == about.bytes:
        return
    # identity here and raw bytes below: an archive is wanted as it is, also from servers that take its gzip for an encoding
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        with requests.get(about.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            served = response.headers.get("Content-Range", "")
            if response.status_code == 416 and served == f"bytes */{done}":
                return  # nothing was missing
            if response.status_code == 416 or (response.status_code == 206 and not served.startswith(f"bytes {done}-")):
                part.unlink()  # what we have is not the beginning of what they have
                return _download(about, part, archive)
            response.raise_for_status()
            done = done if response.status_code == 206 else 0
            total = done + int(response.headers.get("Content-Length", 0))
            _need_space(part.parent, total * (1 + UNPACKED) - done)
            with (open(part, "ab" if done else "wb") as file,
                  tqdm(desc=archive.name, total=total or None, initial=done, unit="B", unit_scale=True) as bar):  # fmt: skip
                for block in response.raw.stream(BLOCK, decode_content=False):
                    file.write(block)
                    bar.update(len(block))
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        answer = getattr(error, "response", None)
        reason = type(error).__name__ if answer is None else f"{answer.status_code} {answer.reason}"
        raise _unreachable(about, part, archive, reason) from error
    if part.stat().st_size < total:
        raise _unreachable(about, part, archive, "the connection ended early")


def _unreachable(about: Description, part: Path, archive: Path, reason: str) -> TinycourseError:
    loaded = part.stat().st_size if part.is_file() else 0
    kept = f" to go on after the {loaded / 1e6:.1f} MB loaded" if loaded else ""
    return TinycourseError(f"{about.url} could not be loaded ({reason}): call again{kept} when the network is there, "
                           f"or copy the archive to {archive} and call again.")  # fmt: skip


def _need_space(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TinycourseError(f"{folder} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed: free some space, "
                              "or set TINYCOURSE_DATA to a folder on another disk.")  # fmt: skip


# ------------------------------------------------------------------------------------------------ verify, unpack


def _verify(about: Description, source: Path, note: Path) -> str:
    """The sha256 of the archive; BadArchive if it is not the published one, or not the one met before."""
    found = digest(source)
    before = "".join(lines(note)[:1]).partition(" ")[0] if note.is_file() else ""
    if about.sha256 and found != about.sha256:
        raise BadArchive(f"{source} is damaged or another file, its sha256 is {found} and not {about.sha256}")
    if not about.sha256 and before and found != before:
        raise BadArchive(f"{source} is another file than last time, its sha256 is {found} and not {before} "
                         f"(remove {note} if the publisher has changed it)")  # fmt: skip
    return found


def _unpack(about: Description, source: Path, root: Path, target: Path) -> None:
    """Unpack into a scratch folder, and only when all is there rename what becomes `target`."""
    if not hasattr(tarfile, "data_filter"):
        raise TinycourseError(f"This Python cannot unpack safely: take Python 3.11.4 or newer, or unpack {source} to {target}.")
    scratch = root / f".unpacking-{target.name}"
    shutil.rmtree(scratch, ignore_errors=True)  # of a call that was killed
    _need_space(root, source.stat().st_size * UNPACKED)
    scratch.mkdir()
    try:
        with tarfile.open(source, "r:gz") as archive:
            for member in tqdm(archive, desc=f"unpack {about.title}", unit=" files", delay=2):
                archive.extract(member, scratch, filter=_inside)
        inner = scratch / about.inside
        if not inner.is_dir() or not any(inner.iterdir()):
            raise BadArchive(f"{source} has no folder {about.inside}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            target.rmdir()  # it is empty, see get; Windows does not rename onto it
        inner.rename(target)
    except tarfile.FilterError as error:
        raise BadArchive(f"{source} would write outside its folder ({error})") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadArchive(f"{source} is damaged or no archive ({error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """tarfile's own filter for data (no way out, no devices), and no absolute names, which it would quietly shorten."""
    if member.name.startswith(("/", "\\")):
        raise tarfile.AbsolutePathError(member)
    return tarfile.data_filter(member, folder)
