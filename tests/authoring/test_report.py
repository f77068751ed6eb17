"""The table of lengths, figures and times says what is in the notebooks, and CI prints it after a run of notebooks."""

import base64
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tinycourse import cli
from tinycourse.authoring import course, lint, report

ROOT = Path(__file__).parents[2]
LESSON = course.find("00")


@pytest.fixture
def tree(tmp_path):
    """A course of one lesson: two cells of code, one of them with two pictures, the first cell and a word."""
    (tmp_path / "lessons" / LESSON.folder).mkdir(parents=True)
    (tmp_path / "lessons" / LESSON.folder / "lesson.py").write_text("")
    pictures = [new_output("display_data", {"image/png": base64.b64encode(bytes(size)).decode()}) for size in (3_000, 50_000)]
    cells = [
        new_markdown_cell("word"),
        new_code_cell(course.first_cell(ROOT, LESSON)),
        new_code_cell("a = 1\n\nb = 2\nc = 3", outputs=pictures),
        new_code_cell("d = 4"),
    ]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / f"{LESSON.folder}.ipynb")
    return tmp_path


def test_a_row_counts_cells_lines_figures_and_seconds(tree):
    name = f"notebooks/{LESSON.folder}.ipynb"
    allowed, still = (dict(zip(report.HEADER, row, strict=True)) for row in report.rows(tree))
    assert still["notebook"] == name and still["run s"] == still["slowest cell s"] == "-"
    assert [still[key] for key in ("cells", "code lines", "longest cell")] == ["4", "4", "3"]
    assert [still[key] for key in ("figures", "largest KB", "all KB")] == ["2", "50", "53"]
    assert still["minutes"] == str(LESSON.minutes)
    assert allowed["longest cell"] == str(lint.CODE_LINES)
    _, ran = report.rows(tree, {name: [2.0, 40.0]})
    assert ran[-2:] == ["40", "42"]


def test_the_command_lists_every_built_notebook(capsys):
    assert cli.main(["build", "--table"]) == 0
    listed = capsys.readouterr().out
    assert all(f"notebooks/{path.name}" in listed for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_a_run_of_notebooks_ends_with_the_table(tmp_path):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=[new_code_cell("1 + 1")], metadata=kernel), tmp_path / "small.ipynb")
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env", "small.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "the course: 1 notebooks" in done.stdout and report.HEADER[0] in done.stdout
