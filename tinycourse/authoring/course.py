"""What all notebooks share, in one place: the table of lessons, the first code cell, the badges and the map."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tinycourse.errors import TinycourseError

GITHUB = "https://github.com/"
LICENCE = "https://creativecommons.org/licenses/by/4.0/"

FIRST_CELL = """\
try:
    import tinycourse
except ImportError:  # on Colab, once a session; the torch and the ipywidgets that are there stay as they are
    %pip install -q "git+{address}"
    import tinycourse

session = tinycourse.start("{number}")"""


@dataclass(frozen=True)
class Lesson:
    """One row of the course. `folder` is its name in lessons/ and, with .ipynb, of its notebooks."""

    number: str
    folder: str
    title: str
    minutes: int


LESSONS = (
    Lesson("00", "00_word_to_chip", "From a spoken word to a chip", 45),
    Lesson("01", "01_front_end", "From sound to features: MFCC front ends", 60),
    Lesson("02", "02_baselines", "The networks that came before", 60),
    Lesson("03", "03_attention_condensers", "Attention condensers", 75),
    Lesson("04", "04_exploration", "Machine-driven design", 75),
    Lesson("05", "05_transducer", "The RNN transducer", 75),
    Lesson("06", "06_cells", "LSTM, CIFG and SRU", 60),
    Lesson("07", "07_pruning", "Gradual pruning", 60),
    Lesson("08", "08_quantization", "From floats to integers", 75),
    Lesson("09", "09_on_the_chip", "Everything on the chip", 75),
    Lesson("10", "10_capstone", "Capstone: your own wake words", 75),
)
CODE = {  # the files of the library that each lesson builds: path below tinycourse/, and what is in it
    "00": {
        "export/deploy.py": "from a trained recogniser to a program and back to words",
        "program/program.py": "the integer network and its interpreter",
        "export/package.py": "the folder with C, binary and report",
    },
    "01": {
        "features/frontend.py": "mel energies, MFCC, PCEN: samples to a feature map",
        "features/streaming.py": "the same on a stream, chunk by chunk",
        "features/augmentation.py": "shift, noise and SpecAugment",
    },
    "02": {
        "models/baselines.py": "the networks of the papers that came before",
        "training/classifiers.py": "the training loop and its recipe",
        "training/profiling.py": "weights and multiply-adds, counted",
    },
    "03": {
        "models/condenser.py": "the attention condenser, and TinySpeech made of it",
        "studies/lesson03.py": "the ablation of what the paper leaves open",
    },
    "04": {
        "search/space.py": "which networks there are",
        "search/costs.py": "what each of them costs, before any training",
        "search/explore.py": "the study: ask, judge, tell",
    },
    "05": {
        "transducer/loss.py": "the loss: forward, backward and gradient",
        "transducer/decoding.py": "greedy search and beam search",
        "models/rnnt.py": "encoder, prediction network, joint network",
    },
    "06": {
        "models/cells.py": "LSTM, CIFG and SRU, with projection and layer normalisation",
        "studies/lesson06.py": "gates of a trained network, measured",
    },
    "07": {
        "pruning/schedule.py": "how far to prune at which step",
        "pruning/masks.py": "which weights stay",
        "pruning/pruner.py": "masks that are renewed while a network trains",
    },
    "08": {
        "quantization/post_training.py": "from a float network to integers",
        "quantization/qat.py": "training with rounding in the loop",
        "program/ops/products.py": "convolution and linear layers in integers",
    },
    "09": {
        "codegen/emitter.py": "a program written as C",
        "codegen/planner.py": "where every tensor lies in memory",
        "codegen/kernels/conv.c": "one kernel, as the chip runs it",
    },
    "10": {
        "data/user_recordings.py": "words that you record yourself",
        "spotting/detector.py": "when a word fires on a stream",
        "program/keyword_spotter.py": "the whole device in integers",
    },
}


def find(name: str) -> Lesson:
    """The lesson called by its number or its folder's name. Raises TinycourseError if there is none."""
    wanted = Path(name).name
    for lesson in LESSONS:
        if wanted in (lesson.number, lesson.number.lstrip("0") or "0", lesson.folder):
            return lesson
    raise TinycourseError(f"There is no lesson {name!r}; name one of {', '.join(lesson.number for lesson in LESSONS)}.")


def written(root: Path) -> list[Lesson]:
    """The lessons that have a source, in order. Raises TinycourseError for a folder that the table does not know."""
    folders = {p.parent.name for p in (root / "lessons").glob("*/*.py")}
    if unknown := sorted(folders - {lesson.folder for lesson in LESSONS}):
        raise TinycourseError(f"lessons/{unknown[0]} is in no row of LESSONS in tinycourse/authoring/course.py; add it there.")
    return [lesson for lesson in LESSONS if lesson.folder in folders]


def repository(root: Path) -> str:
    """OWNER/NAME on GitHub, from `[project.urls]` in pyproject.toml: badges, install lines and links are made from it."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"].removeprefix(GITHUB)


def first_cell(root: Path, lesson: Lesson) -> str:
    """The code that opens every notebook."""
    return FIRST_CELL.format(address=GITHUB + repository(root), number=lesson.number)


def binder(root: Path, path: str) -> str:
    """Where Binder opens a notebook, by its path in the repository."""
    return f"https://mybinder.org/v2/gh/{repository(root)}/HEAD?urlpath=lab/tree/{path}"


def colab(root: Path, path: str) -> str:
    """Where Colab opens it."""
    return f"https://colab.research.google.com/github/{repository(root)}/blob/main/{path}"


def badges(root: Path, path: str) -> str:
    """Binder, Colab and licence badges, in markdown, for the notebook at `path` in the repository."""
    return "\n".join(
        (
            f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder(root, path)})",
            f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab(root, path)})",
            f"[![Licence: CC BY 4.0](https://img.shields.io/badge/licence-CC%20BY%204.0-lightgrey.svg)]({LICENCE})",
        )
    )


def course_map(root: Path, here: Lesson, folder: str) -> str:
    """The table of lessons as seen from `folder`: `here` in bold, the others linked if they are written."""
    to = "" if folder == "notebooks" else "../notebooks/"
    rows = ["| | lesson | minutes | |", "|---|---|---|---|"]
    for lesson in LESSONS:
        ready = (root / "lessons" / lesson.folder / "lesson.py").is_file()
        if lesson == here:
            rows.append(f"| **{lesson.number}** | **{lesson.title}** | **{lesson.minutes}** | **you are here** |")
        elif ready:
            rows.append(f"| {lesson.number} | [{lesson.title}]({to}{lesson.folder}.ipynb) | {lesson.minutes} | |")
        else:
            rows.append(f"| {lesson.number} | {lesson.title} | {lesson.minutes} | in preparation |")
    return "\n".join(rows)


def code_table(lesson: Lesson, to: str) -> str:
    """The files of the library that a lesson builds, linked from a page from which `to` leads to the repository's root."""
    rows = [f"| [{path}]({to}tinycourse/{path}) | {what} |" for path, what in CODE[lesson.number].items()]
    return "\n".join(["| file in `tinycourse/` | what is in it |", "|---|---|", *rows])


def repository_root(start: Path | None = None) -> Path:
    """The clone that `start` (default: the working directory, then this file) lies in. Raises TinycourseError outside of one."""
    for place in (start or Path.cwd(), Path(__file__)):
        for folder in (place, *place.resolve().parents):
            if any(re.match(r"\d\d_", p.name) for p in (folder / "lessons").glob("*")):
                return folder.resolve()
    raise TinycourseError("There is no lessons/ folder here; run this inside a clone of the course's repository.")


def first_notebook() -> Path:
    """The notebook that the course begins with. Raises TinycourseError outside of a clone."""
    return repository_root() / "notebooks" / f"{LESSONS[0].folder}.ipynb"
