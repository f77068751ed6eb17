"""A folder for a class without a network, as on a USB stick: the data sets of this machine, verified by hash.

Whoever gets it sets TINYCOURSE_DATA to it, there or copied. `SHA256SUMS` lists every file; `sha256sum --check SHA256SUMS` verifies a copy.
"""

import shutil
from pathlib import Path

from tqdm.auto import tqdm

from tinycourse import catalogue
from tinycourse.errors import TinycourseError
from tinycourse.files import digest

SUMS = "SHA256SUMS"


def bundle(folder: str | Path, names: list[str] = ()) -> dict[str, int]:
    """Copy data sets, all that are here unless some are named, below `folder`: bytes by name.

    Goes on where a copy was stopped: a file that is there and has the right hash stays. Raises TinycourseError for a data set that is not
    here, a disk without the space, and a copy that differs from what it was copied from.
    """
    folder = Path(folder).expanduser()
    chosen = {name: catalogue.need(name) for name in names or catalogue.DATASETS if names or catalogue.find(name)}
    chosen.pop("tinywords", None)  # it travels with the course
    files = [(name, path, Path(catalogue.DATASETS[name].folder, path.relative_to(root)))
             for name, root in chosen.items() for path in sorted(root.rglob("*")) if path.is_file()]  # fmt: skip
    sizes, sums = dict.fromkeys(chosen, 0), {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source, below in tqdm(files, desc="bundle", unit=" files"):
            target, sums[below] = folder / below, digest(source)
            if not target.is_file() or digest(target) != sums[below]:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                if digest(target) != sums[below]:
                    raise TinycourseError(f"{target} is not what was written to it: try another stick or disk.")
            sizes[name] += source.stat().st_size
        (folder / SUMS).write_text("".join(f"{known}  {below.as_posix()}\n" for below, known in sums.items()), encoding="utf-8")
    except OSError as error:
        raise TinycourseError(
            f"{folder} cannot be written to ({error.strerror or error}): free some space or take another disk, and call again; "
            "what was copied is kept."
        ) from error
    return sizes
