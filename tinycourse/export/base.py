"""A package: a folder that holds a model ready to run, in one of the forms of firmware.py. The way there is the same for every model.

A kind of model is a subclass of `Package`, which says what is its own; package.py has the list of them.
"""

import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.export.firmware import Form, Made
from tinycourse.files import digest, whole_folder
from tinycourse.progress import stage
from tinycourse.targets.binaries import compiled, save_texts

FORMAT = "tinycourse-package-2"
PROGRAM = "program.safetensors"
COUNTER = "multiply-adds are the products with weights of convolutions and linear layers, padding included"
MACHINE = f"{sys.platform} {platform.machine()}"


class Package:
    """A `model` on its way into a folder."""

    kind: ClassVar[str]  # what its report calls it
    model_type: ClassVar[type]
    counted: ClassVar[str] = ""  # what the instructions in its README are for

    def __init__(self, model):
        """`model` is of this kind's `model_type`."""
        self.model = model

    # -------------------------------------------------------------------------------------------- what a kind says

    def sources(self, dsp: bool) -> dict[str, str]:
        """Its C with the kernels, {file name: text}. Raises TinycourseError where the kernels cannot compute it."""
        raise NotImplementedError

    def functions(self) -> list[str]:
        """What its C offers to a caller, each behind `model_`."""
        raise NotImplementedError

    def noise(self) -> np.ndarray:
        """Seeded noise as the model takes it."""
        raise NotImplementedError

    def measured(self, target: str, dsp: bool, binary: Path) -> dict:
        """The report: what the built model needs, and what it took to run on noise.

        Raises TinycourseError where it does not say what the interpreter says.
        """
        raise NotImplementedError

    def example(self, clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A clip as the example of a form feeds it, run by run along the first axis, and the numbers to expect."""
        raise NotImplementedError

    def fields(self, report: dict) -> dict[str, str]:
        """What templates ask for of this kind: `what` it takes, what it `gives`, how a `microphone` feeds it, and what its README says."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Write what `load` reads."""
        self.model.save(path)

    @classmethod
    def load(cls, path: Path) -> "Package":
        """The package of what `save` wrote."""
        return cls(cls.model_type.load(path))

    def open(self, target: str, binary: Path):
        """The built model, ready to run."""
        raise NotImplementedError

    # -------------------------------------------------------------------------------------------- the same for all

    def export(self, target: str, out: str | Path, dsp: bool, form: Form, clip: np.ndarray | None) -> dict:
        """Write the folder `out`, see `package.export`; returns the report."""
        with whole_folder(out) as folder, tempfile.TemporaryDirectory() as elsewhere:
            sources = self.sources(dsp)
            stage(f"compiling for {target}")
            binary = compiled(sources, target, folder if form.runs else Path(elsewhere), self.functions())
            stage(f"running on {target}")
            report = self.measured(target, dsp, binary) | {"form": form.name}
            if form.runs:
                self.save(folder / PROGRAM)
                report |= {"binary": binary.name, "sha256": {file: digest(folder / file) for file in (binary.name, PROGRAM)}}
            made = Made(sources, report, self.counted, self.fields(report), lambda: self.example(self.noise() if clip is None else clip))
            save_texts(folder, form.files(made) | {"report.json": as_json(report)})
        return report


def as_json(report: dict) -> str:
    """The text of report.json."""
    return json.dumps(report, indent=2) + "\n"


def must_agree(found: np.ndarray | Sequence[int], expected: np.ndarray | Sequence[int], target: str) -> None:
    """Raises TinycourseError where what was built for a target gives other numbers than the interpreter."""
    if not np.array_equal(found, expected):
        raise TinycourseError(f"The program built for {target} differs from the interpreter; please report it.")
