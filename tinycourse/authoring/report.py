"""The size of every built notebook as a table: cells, code, figures, minutes stated and seconds measured, beside what is allowed."""

import base64
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tinycourse.authoring import course, lint
from tinycourse.authoring.sources import targets

HEADER = [
    "notebook",
    "cells",
    "code lines",
    "longest cell",
    "figures",
    "largest KB",
    "all KB",
    "file KB",
    "minutes",
    "slowest cell s",
    "run s",
]
CELL_SECONDS = 60  # of computing, at most, on two cores
CODE_AIM = 130  # lines in a notebook; an aim only, so the table shows who is above it


def code_lines(notebook: NotebookNode) -> list[int]:
    """Lines of code in each cell that has any, blank ones and the built-in first cell left out."""
    cells = [cell for cell in lint.code_cells(notebook) if "tinycourse.start(" not in cell.source]
    return [sum(bool(line.strip()) for line in cell.source.split("\n")) for cell in cells]


def figure_bytes(notebook: NotebookNode) -> list[int]:
    """The size of every saved PNG."""
    outputs = [output for cell in lint.code_cells(notebook) for output in cell.outputs]
    return [len(base64.b64decode(o.data["image/png"])) for o in outputs if "image/png" in o.get("data", {})]


def rows(root: Path, seconds: Mapping[str, list[float]] = {}) -> list[list[str]]:
    """One row for each built notebook and one of what is allowed, in the order of HEADER.

    seconds: how long each cell of a notebook took, by its path in the repository; "-" is shown for notebooks that did not run.
    """
    limits = [f"{lint.CELLS[0]}-{lint.CELLS[-1]}", CODE_AIM, lint.CODE_LINES, "", lint.FIGURE_BYTES // 1000]
    limits += [lint.NOTEBOOK_FIGURE_BYTES // 1000, lint.NOTEBOOK_BYTES // 1000, "45-75", CELL_SECONDS, ""]
    result = [["(allowed in notebooks)", *map(str, limits)]]
    for target in targets(root, course.written(root)):
        if target.path.is_file() and target.folder != "exercises":
            notebook = nbformat.read(target.path, as_version=4)
            lines, figures, took = code_lines(notebook), figure_bytes(notebook), seconds.get(target.name)
            sizes = [len(notebook.cells), sum(lines), max(lines), len(figures), max(figures, default=0) // 1000, sum(figures) // 1000]
            sizes += [target.path.stat().st_size // 1000, target.lesson.minutes if target.folder == "notebooks" else "-"]
            result.append([target.name, *map(str, sizes), *((f"{max(took):.0f}", f"{sum(took):.0f}") if took else ("-", "-"))])
    return result
