"""From lessons/NN_name/lesson.py and exercises.py to notebooks without outputs, the same ones every time."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tinycourse.authoring import course, exercises
from tinycourse.authoring.course import Lesson
from tinycourse.errors import TinycourseError

FOLDERS = {"notebooks": "lesson.py", "exercises": "exercises.py", "solutions": "exercises.py"}  # folder: made from
KEPT = ("tags", "alt")  # what an author may write on a cell's `# %%` line
MAP, CODE = "<!-- map -->", "<!-- code -->"


@dataclass(frozen=True)
class Target:
    """One notebook to be built."""

    root: Path
    lesson: Lesson
    folder: str

    @property
    def source(self) -> Path:
        """The file in lessons/ that it is built from."""
        return self.root / "lessons" / self.lesson.folder / FOLDERS[self.folder]

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return f"{self.folder}/{self.lesson.folder}.ipynb"

    @property
    def path(self) -> Path:
        """Where it is written."""
        return self.root / self.name


def targets(root: Path, lessons: list[Lesson]) -> list[Target]:
    """Every notebook that the sources of these lessons give."""
    found = [Target(root, lesson, folder) for lesson in lessons for folder in FOLDERS]
    return [target for target in found if target.source.is_file()]


def read_cells(path: Path) -> list[NotebookNode]:
    """The cells of a py:percent source. Raises TinycourseError if the file has no jupytext header."""
    text = path.read_text(encoding="utf-8")
    if "format_name: percent" not in text:
        raise TinycourseError(f"{path} has no jupytext header that says `format_name: percent`; copy it from another lesson.")
    cells = jupytext.reads(text, fmt="py:percent").cells
    for cell in cells:
        cell.metadata = NotebookNode({k: cell.metadata[k] for k in KEPT if k in cell.metadata})
    return [cell for cell in cells if cell.source.strip()]


def give_ids(cells: list[NotebookNode], lesson: Lesson) -> None:
    """Ids from the lesson and each cell's text as it stands in the source: equal in exercise and solution, never random."""
    seen = Counter()
    for cell in cells:
        text = f"{lesson.folder}\n{cell.cell_type}\n{cell.source}"
        seen[text] += 1
        cell.id = hashlib.sha256(f"{text}\n{seen[text]}".encode()).hexdigest()[:12]


def notebook_metadata(target: Target) -> dict:
    """No machine's paths, no Python version; Colab shows a table of contents."""
    source = target.source.relative_to(target.root).as_posix()
    return {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"},
        "colab": {"provenance": [], "toc_visible": True},
        "tinycourse": {
            "generated_from": source,
            "lesson": target.lesson.number,
            "note": f"Built by `tinycourse build`: edit {source}, not this file.",
        },
    }


def assemble(target: Target) -> NotebookNode:
    """The notebook that the source gives, without outputs.

    Raises TinycourseError if the source has no title, or an exercise lacks a part.
    """
    lesson, folder = target.lesson, target.folder
    cells = read_cells(target.source)
    if not cells or not re.match(r"# \S", cells[0].source) or cells[0].cell_type != "markdown":
        raise TinycourseError(f"{target.source} does not begin with a markdown cell `# Title`; begin it so.")
    mapped = [i for i, cell in enumerate(cells) if MAP in cell.source]
    first = new_code_cell(course.first_cell(target.root, lesson), metadata={"tags": ["nbval-ignore-output"]})
    cells.insert(1 + (mapped[0] if mapped else 0), first)
    give_ids(cells, lesson)

    title, _, rest = cells[0].source.partition("\n")
    title += ": solutions" if folder == "solutions" else ""
    cells[0].source = f"{title}\n\n{course.badges(target.root, target.name)}\n\n{rest.strip()}".rstrip()
    for i in mapped:
        cells[i].source = cells[i].source.replace(MAP, course.course_map(target.root, lesson, folder))
    for cell in cells:
        cell.source = cell.source.replace(CODE, course.code_table(lesson, "../"))
    if folder != "notebooks":
        exercises.mark(cells, lesson.number)
    if folder == "exercises":
        exercises.for_learners(cells)
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook = new_notebook(cells=cells, metadata=notebook_metadata(target), nbformat=4, nbformat_minor=5)
    nbformat.validate(notebook)
    return notebook
