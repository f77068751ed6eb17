"""What is written about the course is true of it: links lead somewhere, commands exist, wrong answers have the names they are called by."""

import argparse
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import jupytext
import pytest

from tinycourse import cli
from tinycourse.authoring import course, lint
from tinycourse.check.core import Check
from tinycourse.data.catalogue import DATASETS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "data/tinywords/README.md"])
TEACHING = ROOT / "docs/teaching"
FENCED = re.compile(r"^```\w*\n(.*?)^```$|((?:^ {4}\S.*\n)+)", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def heading_anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    return {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text, re.M)}


def lines_of(text: str) -> list[str]:
    """The lines of all code blocks, without comments; a line that ends in a backslash goes on."""
    blocks = "\n".join(a or b for a, b in FENCED.findall(text)).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in blocks.splitlines()]


def verb_parser(words: list[str]) -> argparse.ArgumentParser:
    """The parser that the first words, verbs, lead to. Raises KeyError for a verb that does not exist."""
    parser = cli.parser()
    for word in words:
        verbs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not verbs or word.startswith("-"):
            break
        parser = verbs[0].choices[word]
    return parser


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_resolve_inside_the_repository(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)", text):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in heading_anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_pictures_are_described_and_small(page):
    for alt, link in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        assert len(alt) >= (5 if link.startswith("http") else lint.ALT_CHARACTERS), link
        assert link.startswith("http") or (page.parent / link).stat().st_size <= lint.FIGURE_BYTES, link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_in_code_blocks_are_understood(page, capsys):
    goals = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in lines_of(page.read_text(encoding="utf-8")):
        for command in (part.strip() for part in line.split("&&")):
            if command.startswith("tinycourse "):
                try:
                    options = cli.parser().parse_args(shlex.split(command)[1:])
                except SystemExit:
                    pytest.fail(f"{command}\n{capsys.readouterr().err}")
                assert {getattr(options, "data", None), *getattr(options, "extra_unknown", [])} <= {None, *DATASETS}, command
            if command.startswith("make "):
                assert command.split()[1] in goals, command
            for extra in re.findall(r"\.\[([\w,]+)\]", command):
                assert set(extra.split(",")) <= set(extras), command
            if script := re.match(r"python (\S+\.py)", command):
                assert (ROOT / script[1]).is_file(), command


def spoken(page: Path) -> str:
    """A page's text, or that of a lesson's markdown cells."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in jupytext.read(page, fmt="py:percent").cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("lessons/*/*.py"))], ids=named)
def test_commands_in_a_sentence_name_verbs_and_options_that_exist(page):
    for code in INLINE.findall(FENCED.sub("", spoken(page))):
        words = code.split()
        if words[0] == "tinycourse" and len(words) > 1:
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= set(verb_parser(words[1:])._option_string_actions), code


def test_every_lesson_has_its_misunderstandings_and_questions():
    for page in ("misunderstandings.md", "discussion.md"):
        sections = re.split(r"^## ", (TEACHING / page).read_text(encoding="utf-8"), flags=re.M)[1:]
        assert [section[:2] for section in sections] == [lesson.number for lesson in course.LESSONS]
    questions = sections  # of discussion.md
    assert all(len(re.findall(r"^\*\*.*\?\*\*\n\n\w", section, re.M)) >= 2 for section in questions)


def test_wrong_answers_are_called_by_their_names():
    sections = re.split(r"^## ", (TEACHING / "misunderstandings.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    counted = 0
    for section in sections:
        found = re.findall(r"`(\w+)`: ((?:`\w+`(?:, )?)+)", section)
        checks = importlib.import_module(f"tinycourse.check.lesson{section[:2]}") if found else None
        for exercise, wrong in found:
            check = getattr(checks, exercise)
            assert isinstance(check, Check)
            for name in re.findall(r"\w+", wrong):
                assert name in {answer.name for answer in check.wrong_answers}, f"{exercise}: {name}"
                counted += 1
    assert counted > 30


@pytest.mark.parametrize("lesson", course.LESSONS, ids=lambda lesson: lesson.number)
def test_the_code_behind_a_lesson_is_where_it_is_said_to_be(lesson):
    notebook = (ROOT / "notebooks" / f"{lesson.folder}.ipynb").read_text(encoding="utf-8")
    for path in course.CODE[lesson.number]:
        assert (ROOT / "tinycourse" / path).is_file() and f"](../tinycourse/{path})" in notebook


def test_answers_to_the_questions_are_not_in_the_learners_folders():
    answers = re.findall(r"\?\*\*\n\n(.{40})", (TEACHING / "discussion.md").read_text(encoding="utf-8"))
    learners = "".join(
        path.read_text(encoding="utf-8") for folder in ("notebooks", "exercises") for path in (ROOT / folder).glob("*.ipynb")
    )
    assert answers and [answer for answer in answers if answer in learners] == []
