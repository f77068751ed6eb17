"""Every rule of the lint: on cells that keep it, and on cells that break it."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tinycourse.authoring import course, lint, sources

ROOT = Path(__file__).parents[2]


def png(side):
    """A PNG of noise, base64, `side` pixels wide and high: as large as its pixels."""
    file = io.BytesIO()
    figure = Figure(figsize=(side / 100, side / 100), dpi=100)
    figure.figimage(np.random.default_rng(0).random((side, side)))
    figure.savefig(file)
    return base64.b64encode(file.getvalue()).decode()


def picture(side=10):
    return new_output("display_data", {"image/png": png(side)})


def markdown(*texts):
    return [new_markdown_cell(text) for text in texts]


def found(tmp_path, rule, *cells):
    """The findings of one rule on a lesson made of these cells."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return list(rule(sources.Target(tmp_path, course.find("00"), "notebooks"), new_notebook(cells=list(cells))))


SECTION_TEXTS = [written + ("\nAfterwards you can read." if "Objectives" in written else "") for _, written in lint.SECTIONS]
WIDGET = new_code_cell("slider()", metadata={"tags": ["widget"]})

GOOD = {
    "cell_length": [new_code_cell("x = 1\n" * 25)],
    "headings": markdown("# T", "## A\n\n### B", "## C\n\n```\n# no heading\n```"),
    "sections": [*markdown(*SECTION_TEXTS), WIDGET],
    "lesson_length": markdown(*["word"] * 30),
    "prose_numbers": markdown(
        "The network has 5.6K parameters (paper, table 2).",
        "It reaches 92 %, see [2].",
        "A window of 30 ms <!-- definition -->",
        "In 2019, lesson 3, 16 classes, `95 %` in code, int8.",
        "```\n95 %\n```",
        "See [95 % of it](https://example.org/a).",
    ),
    "machine_paths": [
        *markdown("See [here](../home/x.md) and https://example.org/home/x"),
        new_code_cell("p = 'data/x'", outputs=[new_output("stream", text="data/tmp/x")]),
    ],
    "magics": [new_code_cell(course.first_cell(ROOT, course.find("00"))), new_code_cell("a = 7 % 2\nb = a != 1")],
    "links": markdown("# A title here", "[a](there.txt) [b](#A-title-here) [c](https://example.org) `[d](nowhere)`"),
    "figures": [
        new_code_cell("a", metadata={"alt": "A line that goes up and then down."}, outputs=[picture()]),
        new_code_cell("b", outputs=[picture()]),
        *markdown("*Figure: a line that goes up.*"),
    ],
    "streams": [new_code_cell("a", outputs=[new_output("stream", name="stdout", text="x")])],
    "ruff": [new_code_cell("import os\n\nos.name"), new_code_cell("import sys\n\nsys.path"), *markdown("# import x")],
}
BAD = [
    ("cell_length", [new_code_cell("x = 1\n" * 26)], "26 lines"),
    ("headings", markdown("# T", "### A"), "skips a level"),
    ("headings", markdown("# T", "# T"), "second title"),
    ("sections", [*markdown(*(t for t in SECTION_TEXTS if "Quiz" not in t)), WIDGET], "'## Quiz' is missing"),
    ("sections", [*markdown(*SECTION_TEXTS[:3], SECTION_TEXTS[4], SECTION_TEXTS[3], *SECTION_TEXTS[5:]), WIDGET], "out of order"),
    ("sections", markdown(*SECTION_TEXTS), "no cell is tagged `widget`"),
    ("sections", [*markdown(*(t.split("\n")[0] for t in SECTION_TEXTS)), WIDGET], "you can"),
    ("lesson_length", markdown(*["word"] * 29), "29 cells"),
    ("lesson_length", markdown(*["word"] * 46), "46 cells"),
    ("prose_numbers", markdown("It reaches 92.5 % here."), "92.5 %"),
    ("prose_numbers", markdown("It has 5.6K parameters and takes 3 ms.\n\nSee [1]."), "5.6K, 3 ms"),
    ("prose_numbers", markdown("| a | 4 KB |\n|---|---|"), "4 KB"),
    ("machine_paths", markdown("Look in /home/me/x"), "/home/me"),
    ("machine_paths", [new_code_cell("p = '/tmp/x'")], "/tmp/x"),
    ("machine_paths", [new_code_cell("f", outputs=[new_output("stream", text="<a at 0x7f12345678>")])], "at 0x7f"),
    ("machine_paths", [new_code_cell("f", outputs=[new_output("display_data", {"text/plain": "/home/me/a"})])], "/home/me"),
    ("magics", [new_code_cell("!ls")], "shell command"),
    ("magics", [new_code_cell("if True:\n    %pip install x")], "magic"),
    ("links", markdown("[a](nowhere.txt)"), "nowhere.txt leads nowhere"),
    ("links", markdown('<img src="nowhere.png">'), "nowhere.png"),
    ("links", markdown("[a](#Nothing)"), "no heading"),
    ("links", markdown("[a](../..)"), "out of the repository"),
    ("figures", [new_code_cell("plot()", outputs=[picture()])], "not described"),
    ("figures", [new_code_cell("plot()", metadata={"alt": "A plot."}, outputs=[picture()])], "not described"),
    ("figures", [new_code_cell("a", outputs=[picture(220)]), *markdown("*Figure: noise.*")], "at most 100,000"),
    ("figures", [new_code_cell("a", outputs=[picture(150)] * 12), *markdown("*Figure: noise.*")], "at most 500,000"),
    ("figures", [new_code_cell("a", outputs=[new_output("display_data", {"text/html": "x" * 1_600_000})])], "at most 1,500,000"),
    ("streams", [new_code_cell("a", outputs=[new_output("stream", name="stderr", text="UserWarning")])], "a warning was saved"),
    ("ruff", [new_code_cell("import os")], "F401"),
    ("ruff", [*markdown("text"), new_code_cell("x = undefined")], "F821 in line 1 of the cell 'x = undefined'"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "notebooks" / "there.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize("rule", GOOD)
def test_rule_accepts_what_is_right(folder, rule):
    assert found(folder, getattr(lint, rule), *GOOD[rule]) == []


@pytest.mark.parametrize("rule, cells, finding", BAD, ids=[f"{rule}-{finding}" for rule, _, finding in BAD])
def test_rule_finds_what_is_wrong(folder, rule, cells, finding):
    (said,) = found(folder, getattr(lint, rule), *cells)
    assert re.search(re.escape(finding), said)


def test_every_rule_is_applied(folder):
    output = new_output("stream", name="stderr", text="/tmp/x")
    cells = [
        *markdown("# T\n\n### A\n\n[a](nowhere.txt), 95 %"),
        new_code_cell("!ls"),
        new_code_cell("x = undefined\n" * 26, outputs=[output, picture()]),
    ]
    not_everywhere = {"notebooks": {"cells: a lesson", "Quiz", "ruff F821"}, "solutions": {"ruff F821"}, "exercises": set()}
    for kind, only_some in not_everywhere.items():
        said = "\n".join(lint.findings(sources.Target(folder, course.find("00"), kind), new_notebook(cells=cells)))
        for word in ("lines of code", "skips", "95 %", "/tmp/x", "shell", "nowhere", "not described", "warning"):
            assert word in said
        for word in ("cells: a lesson", "Quiz", "ruff F821"):
            assert (word in said) == (word in only_some)
