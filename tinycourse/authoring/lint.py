"""The rules of the course for built notebooks, one function each: what a lesson has, how long it is, what it may say.

Numbers that were measured are printed by code. In words, a number with a unit (%, K, M, ms, KB, ...) needs in its paragraph a
source, such as "(paper, table 2)", "arXiv 2008.04245", "[3]" or a link to a page, or `<!-- definition -->` where it is true by
definition, as a window of 30 ms that the course chose.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
from nbformat import NotebookNode

from tinycourse.authoring.course import first_cell
from tinycourse.authoring.sources import Target

CODE_LINES = 25
CELLS = range(30, 46)
FIGURE_BYTES, NOTEBOOK_FIGURE_BYTES, NOTEBOOK_BYTES = 100_000, 500_000, 1_500_000
ALT_CHARACTERS = 20  # less describes nothing

SECTIONS = (  # of a lesson, in order: a pattern for the heading, and how to write it
    (r"# \S", "# Title"),
    (r"## what you will build", "## What you will build"),
    (r"## objectives", "## Objectives"),
    (r"## before you start", "## Before you start"),
    (r"## time and machine", "## Time and machine"),
    (r"## .*map", "## The map of the course"),
    (r"## where this code lives", "## Where this code lives"),
    (r"## 1\b", "## 1. The first section"),
    (r"## 2\b", "## 2. The second section"),
    (r"## .*comparison", "## An honest comparison"),
    (r"## quiz", "## Quiz"),
    (r"## .*take-?aways", "## Three take-aways"),
    (r"## what comes next", "## What comes next"),
    (r"## references", "## References"),
)
NUMBER = re.compile(r"(?<![\w.,/-])\d[\d.,]*(?: ?%| ?(?:[KMG]|[kKMG]i?B|bytes|ms|[µu]s|percent|per cent|million|thousand)\b)")
CITED = r"\([^()]*\b(paper|papers|table|section|figure|RFC|et al)\b[^()]*\)|arXiv|\[\d+\]|\]\(https?://"
SOURCE = re.compile(CITED + "|<!-- definition -->")
MACHINE_PATH = re.compile(r"(?<![\w.:/])(/(home|root|Users|tmp|work|mnt|opt|var|usr|workspace)/\w+|[A-Z]:\\\w+)")
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?[^)]*\)|(?:src|href)=[\"']([^\"']+)[\"']")
FENCE = re.compile(r"```.*?```|`[^`\n]*`", re.S)


def findings(target: Target, notebook: NotebookNode) -> list[str]:
    """Everything in a built notebook that breaks a rule, one sentence each."""
    rules = [cell_length, headings, prose_numbers, machine_paths, magics, links, figures, streams]
    if target.folder == "notebooks":
        rules += [sections, lesson_length]
    if target.folder != "exercises":  # a stub leaves imports and arguments unused
        rules.append(ruff)
    return [finding for rule in rules for finding in rule(target, notebook)]


def quote(cell: NotebookNode) -> str:
    """The beginning of a cell, to find it by."""
    return repr(cell.source.strip().split("\n")[0][:60])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def heading_lines(notebook: NotebookNode) -> list[str]:
    """All headings, in order, outside of code."""
    texts = (FENCE.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return [line for text in texts for line in text.split("\n") if re.match(r"#{1,6} ", line)]


def words(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, str]]:
    """(cell, its text without code) of every markdown cell."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell, FENCE.sub("", cell.source)


# ----------------------------------------------------------------------------------------------------- shape


def cell_length(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """A cell of code is read in one look."""
    for cell in code_cells(notebook):
        lines = [line for line in cell.source.split("\n") if line.strip()]
        if len(lines) > CODE_LINES:
            yield f"{len(lines)} lines of code in the cell {quote(cell)}: at most {CODE_LINES}; split it, or use the library"


def lesson_length(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """Neither too few cells nor too many."""
    if len(notebook.cells) not in CELLS:
        yield f"{len(notebook.cells)} cells: a lesson has {CELLS[0]} to {CELLS[-1]}"


def headings(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """One title, and no level left out."""
    level = 0
    for line in heading_lines(notebook):
        deeper = len(line) - len(line.lstrip("#"))
        if deeper > level + 1:
            yield f"the heading {line!r} skips a level: use {'#' * (level + 1)}"
        if deeper == 1 and level > 0:
            yield f"a second title {line!r}: use ##"
        level = deeper


def sections(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """Every required section, in order; a cell tagged `widget`; objectives that say "you can"."""
    lines, at = heading_lines(notebook), 0
    for pattern, written in SECTIONS:
        places = [i for i, line in enumerate(lines) if re.match(pattern, line, re.I)]
        later = [i for i in places if i >= at]
        if later:
            at = later[0] + 1
        else:
            yield f"the section {written!r} is {'out of order' if places else 'missing'}"
    if not any("widget" in cell.metadata.get("tags", []) for cell in code_cells(notebook)):
        yield "no cell is tagged `widget`: a lesson has one widget"
    objectives = [text for _, text in words(notebook) if re.search(r"^## objectives", text, re.I | re.M)]
    if objectives and "you can" not in objectives[0].lower():
        yield 'the objectives do not say what "you can" do afterwards'


# ----------------------------------------------------------------------------------------------------- words


def prose_numbers(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """A number with a unit, in a paragraph, list or table that names no source."""
    for _, text in words(notebook):
        for paragraph in re.split(r"\n\s*\n", text):
            numbers = [match[0] for match in NUMBER.finditer(re.sub(r"\]\([^)]*\)", "]", paragraph))]
            if numbers and not SOURCE.search(paragraph):
                yield (
                    f"{', '.join(numbers)} in words without a source: print it from a code cell, cite it, or mark the paragraph "
                    f"<!-- definition --> ({paragraph.strip()[:60]!r})"
                )


def machine_paths(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """Paths of one machine, in sources or in text outputs, and memory addresses in outputs."""
    for cell in notebook.cells:
        if match := MACHINE_PATH.search(cell.source):
            yield f"the path {match[0]} of one machine in the cell {quote(cell)}: make it relative"
        for output in cell.get("outputs", []):
            text = output.get("text", "") or str(output.get("data", {}).get("text/plain", ""))
            if match := MACHINE_PATH.search(text) or ADDRESS.search(text):
                yield f"{match[0].strip()!r} in the output of the cell {quote(cell)}: it differs on every machine"


def magics(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """No shell and no magic behind the first cell."""
    for cell in code_cells(notebook):
        if cell.source != first_cell(target.root, target.lesson) and re.search(r"^\s*[!%]", cell.source, re.M):
            yield f"a shell command or a magic in the cell {quote(cell)}: use Python, it runs everywhere"


def links(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """Relative links have to lead to a file of the repository, and #anchors to a heading of this notebook."""
    anchors = {line.lstrip("#").strip().replace(" ", "-") for line in heading_lines(notebook)}
    for _, text in words(notebook):
        for match in LINK.finditer(text):
            link = match[1] or match[2]
            place, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            there = (target.path.parent / place).resolve()
            if not there.exists():
                yield f"the link {link} leads nowhere"
            elif not there.is_relative_to(target.root.resolve()):
                yield f"the link {link} leads out of the repository"
            if anchor and not place and anchor not in anchors:
                yield f"the link {link} leads to no heading of this notebook"


# --------------------------------------------------------------------------------------------- outputs, code


def figures(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """Figures: their size, alone and together, and a description for whoever cannot see them."""
    total = 0
    following = [*notebook.cells[1:], None]
    for cell, after in zip(notebook.cells, following, strict=True):
        pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        for picture in pictures:
            size = len(base64.b64decode(picture.data["image/png"]))
            total += size
            if size > FIGURE_BYTES:
                yield f"a figure of {size:,} bytes in the cell {quote(cell)}: at most {FIGURE_BYTES:,}"
        told = after is not None and after.cell_type == "markdown" and re.match(r"[*_]*Figure\b", after.source)
        if pictures and not told and len(cell.metadata.get("alt", "")) < ALT_CHARACTERS:
            yield (
                f'the figure of the cell {quote(cell)} is not described: write `# %% alt="..."` on its cell, '
                "or begin the next markdown cell with `*Figure: ...*`"
            )
    if total > NOTEBOOK_FIGURE_BYTES:
        yield f"figures of {total:,} bytes together: at most {NOTEBOOK_FIGURE_BYTES:,}"
    size = len(nbformat.writes(notebook).encode())
    if size > NOTEBOOK_BYTES:
        yield f"the notebook has {size:,} bytes: at most {NOTEBOOK_BYTES:,}"


def streams(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """No warning is saved with the outputs."""
    for cell in code_cells(notebook):
        if any(o.output_type == "stream" and o.name == "stderr" for o in cell.outputs):
            yield f"a warning was saved under the cell {quote(cell)}: see to its cause"


def ruff(target: Target, notebook: NotebookNode) -> Iterator[str]:
    """The style of the repository, on the code as a learner sees it."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--output-format=json", "--line-length=130"]
    command += ["--select=E,F,I,UP,B", "--ignore=B905", "--target-version=py311"]
    command += ["--config=lint.isort.known-first-party=['tinycourse']"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.ipynb"
        nbformat.write(notebook, path)
        done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        yield f"ruff could not run ({done.stderr.strip()[:200]}): install it with pip install -e '.[test]'"
        return
    for fault in json.loads(done.stdout):
        cell, row = notebook.cells[fault["cell"] - 1], fault["location"]["row"]
        yield f"ruff {fault['code']} in line {row} of the cell {quote(cell)}: {fault['message']}"
