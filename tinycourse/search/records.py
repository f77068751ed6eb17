"""What a study found, as plain data that needs no Optuna: rows of trials, the front among them, and what can be read from them.

A row has `number`, `choices`, `design`, `costs`, and either `error`, `loss` and `seconds` of its training, or what it `exceeded`.
"""

import gzip
import json
import zlib
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from tinycourse import models
from tinycourse.errors import TinycourseError
from tinycourse.files import write_bytes
from tinycourse.models import design as designs
from tinycourse.search.pareto import hypervolume, on_front
from tinycourse.training.checkpoint import all_shipped

if TYPE_CHECKING:
    import optuna
REFERENCE = (0.9, 10_800)  # error by chance among ten classes, and the largest network: what a hypervolume is measured from


def record(study: "optuna.Study") -> dict:
    """A study as plain data: `settings`, and in `rows` a dict for each trial that ended, in the order in which they began."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name in ("COMPLETE", "PRUNED"):
            row = {"number": trial.number, "choices": trial.params} | trial.user_attrs
            rows.append({k: v for k, v in row.items() if k not in ("worker", "retry_of")})
    return {"study": study.study_name, "settings": study.user_attrs["settings"], "rows": rows}


def keep(found: dict, number: int, name: str) -> Path:
    """Give a trained design of a record a name that `tinycourse train`, `profile` and so on accept; returns its file.

    Raises TinycourseError if there is no such trial, or the name is not free.
    """
    row = next((row for row in trained_rows(found) if row["number"] == number), None)
    if row is None:
        raise TinycourseError(f"Trial {number} of {found['study']} was not trained; choose one of the front.")
    about = f"found by machine, trial {number} of the study {found['study']} ({found['settings']['sampler']})"
    path, content = designs.kept_file(free_name(name)), {"about": about, "design": row["design"]}
    if path.exists() and designs.kept(name)[0] != designs.Design.from_json(row["design"]):
        raise TinycourseError(f"{name} is another design already; choose another name, or delete {path}.")
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


def free_name(name: str) -> str:
    """The name, for a design. Raises TinycourseError for what can be no name, or is that of something that the course brings."""
    designs.kept_file(name)
    if name in models.MODELS | models.TRANSDUCERS | all_shipped():
        raise TinycourseError(f"{name} is a network of the course; choose another name.")
    return name


def number_of(text: str) -> int:
    """The number of a trial. Raises TinycourseError for what is none."""
    if not (text.isascii() and text.isdigit()):
        raise TinycourseError(f"{text!r} is no trial; give the number of one that was trained, such as 12.")
    return int(text)


def write_record(found: dict, path: Path) -> None:
    """A .json.gz, the same bytes for the same study."""
    write_bytes(path, gzip.compress(json.dumps(found, separators=(",", ":")).encode(), mtime=0))


def read_record(path: Path) -> dict:
    """What `write_record` wrote. Raises TinycourseError where there is none."""
    try:
        return json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise TinycourseError(f"{path} is no exported study ({error}); make one with `tinycourse explore --export`.") from None


def trained_rows(found: dict) -> list[dict]:
    """Those of a record that were trained, every design once."""
    rows = {}
    for row in found["rows"]:
        if "error" in row:
            rows.setdefault(json.dumps(row["design"]), row)
    return list(rows.values())


def objective(row: dict, name: str) -> float:
    """The value of an objective in a row of a record."""
    return row["error"] if name == "error" else row["costs"][name]


def front(rows: list[dict], objectives=("error", "parameters")) -> list[dict]:
    """The trained rows that no other beats, see `pareto.on_front`, by the last objective."""
    rows = trained_rows({"rows": rows})
    best = on_front(np.array([[objective(row, name) for name in objectives] for row in rows]).reshape(len(rows), -1))
    return sorted((row for row, stays in zip(rows, best) if stays), key=lambda row: objective(row, objectives[-1]))


def growth(points: list[tuple[float, float]], reference: tuple[float, float] = REFERENCE) -> list[float]:
    """The hypervolume after each of the points (error, parameters), as a share of the whole area."""
    whole = reference[0] * reference[1]
    return [hypervolume(points[: n + 1], reference) / whole for n in range(len(points))]


def effects(rows: list[dict], least: int = 3) -> dict[str, dict[str, float]]:
    """Mean error of the trained rows by choice and value, of values that were trained `least` times; the widest spread first."""
    table = {}
    for row in trained_rows({"rows": rows}):
        for name, value in row["choices"].items():
            table.setdefault(name, {}).setdefault(value, []).append(row["error"])
    means = {name: {value: mean(e) for value, e in by.items() if len(e) >= least} for name, by in table.items()}
    means = {name: dict(sorted(by.items(), key=lambda one: one[1])) for name, by in means.items() if len(by) > 1}
    return dict(sorted(means.items(), key=lambda one: min(one[1].values()) - max(one[1].values())))
