"""A folder for a class without a network, as on a USB stick: the data sets of this machine, verified by hash.

Whoever gets it sets TINYCOURSE_DATA to it, there or copied. `SHA256SUMS` lists every file; `sha256sum --check SHA256SUMS` verifies a copy.
"""

import shutil
from pathlib import Path

from tqdm.auto import tqdm

from tinycourse.data import catalogue
from tinycourse.errors import TinycourseError
from tinycourse.files import digest, read_sums, whole, write_sums

SUMS = "SHA256SUMS"


def bundle(folder: str | Path, names: list[str] = ()) -> dict[str, int]:
    """Copy data sets, all that are here unless some are named, below `folder`: bytes by name.

    Goes on where a copy was stopped: a file that is there and has the right hash stays. Raises TinycourseError for a data set that is not
    here, a disk without the space, a file in the way that no bundle wrote, and a copy that differs from what it was copied from.
    """
    folder = Path(folder).expanduser()
    chosen = {name: catalogue.need(name) for name in names or catalogue.DATASETS if names or catalogue.find(name)}
    chosen.pop("tinywords", None)  # it travels with the course
    files = [(name, path, Path(catalogue.DATASETS[name].folder, path.relative_to(root)).as_posix())
             for name, root in chosen.items() for path in sorted(root.rglob("*")) if path.is_file()]  # fmt: skip
    try:
        before = read_sums(folder / SUMS)
        sums = {below: digest(source) for _, source, below in tqdm(files, desc="verify", unit=" files")}
        for below, known in sums.items():
            if below not in before and (folder / below).exists() and digest(folder / below) != known:
                raise TinycourseError(f"{folder / below} is in the way, and no bundle wrote it; move it away, or take a new folder.")
        write_sums(folder / SUMS, before | sums)  # first: what is listed may be mended by the next call
        for _, source, below in tqdm(files, desc="bundle", unit=" files"):
            copy(source, folder / below, sums[below])
        return {name: sum(source.stat().st_size for of, source, _ in files if of == name) for name in chosen}
    except OSError as error:
        raise TinycourseError(f"{error.filename} cannot be read ({error.strerror}): get the data set again.") from error


def copy(source: Path, target: Path, known: str) -> None:
    """Copy a file whose SHA-256 is `known`, unless it is there already."""
    if target.is_file() and digest(target) == known:
        return
    with whole(target) as part:
        shutil.copyfile(source, part)
        if digest(part) != known:
            raise TinycourseError(f"{target} is not what was written to it: try another stick or disk.")
