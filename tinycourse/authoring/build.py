"""`tinycourse build`: lessons/ to notebooks/, exercises/ and solutions/; with --check, whether that has been done.

A build is the same bytes every time as far as the cells' own output is: nothing in it is random or tells of this machine.
"""

import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tinycourse.authoring import course, coverage, lint, pages
from tinycourse.authoring.outputs import execute as run_cells
from tinycourse.authoring.sources import FOLDERS, Target, assemble, targets
from tinycourse.errors import TinycourseError
from tinycourse.files import write_text

REPAIR = "run `tinycourse build`"
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # of a traceback, for terminals


def build(names: list[str] | None = None, check: bool = False, fast: bool = False, execute: bool = True, root: Path | None = None) -> int:
    """Build the named lessons (all without names), or compare what is built with its sources. Returns an exit status.

    `fast` runs the cells with TINYCOURSE_FAST=1. Without `execute` nothing runs: outputs are kept where a notebook's code has
    not changed, as after a change of words, and left empty elsewhere.
    Raises TinycourseError for an unknown lesson, a source that cannot be built, and exercises that hold somebody's answers.
    """
    root = course.repository_root(root)
    lessons = [course.find(name) for name in names] if names else course.written(root)
    if check:
        return report(problems(root, lessons, everything=not names))
    for target in targets(root, lessons):
        if target.folder == "exercises" and worked_in(read(target.path)):
            raise TinycourseError(f"{target.path} was worked in, and building it would lose the answers; move it away first.")
    for target in targets(root, lessons):
        begin = time.perf_counter()
        notebook = assemble(target)
        if target.folder == "exercises":
            write(notebook, target.path)
        elif not execute:
            keep_outputs(notebook, target.path)
            write(notebook, target.path)
        else:
            try:
                run_cells(notebook, target.path.parent, fast)
            except CellExecutionError as error:
                print(f"{target.name} was not built: a cell failed.\n{COLOUR.sub('', str(error))}", file=sys.stderr)
                return 1
            write(notebook, target.path)
        print(f"built {target.name} in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    coverage.write(root)
    pages.write(root)
    return 0


def worked_in(notebook: NotebookNode | None) -> bool:
    """Whether somebody has run a cell of exercises, or saved them: a build leaves out outputs, and the version of Python."""
    if notebook is None:
        return False
    ran = any(cell.outputs or cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    return ran or "version" in notebook.metadata.get("language_info", {})


def write(notebook: NotebookNode, path: Path) -> None:
    """The notebook as a file with sorted keys and Unix line ends."""
    write_text(path, nbformat.writes(notebook) + "\n")


def keep_outputs(notebook: NotebookNode, path: Path) -> None:
    """Take the outputs from the notebook at `path`, if its code is the same but for the repository's address."""
    built = read(path)
    if built is None:
        return
    code, old = ([c for c in nb.cells if c.cell_type == "code"] for nb in (notebook, built))
    if [pages.ADDRESS.sub("", c.source) for c in code] == [pages.ADDRESS.sub("", c.source) for c in old]:
        for cell, was in zip(code, old, strict=True):
            cell.outputs, cell.execution_count = was.outputs, was.execution_count


def read(path: Path) -> NotebookNode | None:
    """The notebook at `path`, or None if there is none that can be read."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError):
        return None


# ----------------------------------------------------------------------------------------------------- check


def report(findings: list[str]) -> int:
    """Print findings, one a line; the exit status is 1 if there are any."""
    for finding in findings:
        print(finding, file=sys.stderr)
    verdict = f"{len(findings)} findings" if findings else "All built notebooks agree with their sources and with the rules."
    print(verdict, file=sys.stderr)
    return 1 if findings else 0


def problems(root: Path, lessons: list[course.Lesson], everything: bool = True) -> list[str]:
    """What is wrong with the built notebooks of these lessons, one sentence each, with the repair. Nothing is executed."""
    found = []
    expected = targets(root, lessons)
    if everything:
        known = {target.path for target in expected}
        there = [p for folder in FOLDERS for p in sorted((root / folder).glob("*.ipynb"))]
        found += [f"{p.relative_to(root).as_posix()} comes from no lesson: delete it" for p in there if p not in known]
        found += coverage.problems(root) + pages.problems(root)
    for target in expected:
        notebook = read(target.path)
        if notebook is None:
            word = "cannot be read" if target.path.is_file() else "is missing"
            found.append(f"{target.name} {word}: {REPAIR}")
            continue
        found += [f"{target.name} {problem}" for problem in stale(target, notebook)]
        found += [f"{target.name}: {finding}" for finding in lint.findings(target, notebook)]
    return found


def stale(target: Target, notebook: NotebookNode) -> list[str]:
    """How a built notebook differs from what its source builds, and whether its outputs are as they should be."""
    found = []
    source = target.source.relative_to(target.root).as_posix()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if without_outputs(notebook) != without_outputs(assemble(target)):
        found.append(f"differs from {source}: edit only {source}, then {REPAIR} {target.lesson.number}")
    if target.folder == "exercises":
        if any(cell.outputs or cell.execution_count for cell in code):
            found.append(f"has outputs, and learners would see them: move it away, then {REPAIR} {target.lesson.number}")
    elif [cell.execution_count for cell in code] != list(range(1, len(code) + 1)) or not any(cell.outputs for cell in code):
        found.append(f"was saved without running all its cells in order: {REPAIR} {target.lesson.number}")
    for cell in code:
        allowed = "raises-exception" in cell.metadata.get("tags", [])
        if any(output.output_type == "error" for output in cell.outputs) and not allowed:
            found.append(f"has a saved error in the cell {lint.quote(cell)}: put it right in {source}, then {REPAIR}")
    return found


def without_outputs(notebook: NotebookNode) -> dict:
    """What has to agree: everything but outputs and execution counts."""
    cells = [{k: v for k, v in cell.items() if k not in ("outputs", "execution_count")} for cell in notebook.cells]
    return {"cells": cells, "metadata": notebook.metadata}
