"""README.md and CONTRIBUTING.md: the tables in them, and the repository's address, are built, as notebooks are."""

import re
from pathlib import Path

from tinycourse.authoring import course
from tinycourse.errors import TinycourseError
from tinycourse.files import write_text

ADDRESS = re.compile(r"(https://(?:github\.com|mybinder\.org/v2/gh|colab\.research\.google\.com/github)/)[\w.-]+/[\w.-]+")
URL = re.compile(r'^(Repository = ")[^"]*', re.M)


def lessons(root: Path) -> str:
    """The table of lessons in the README."""
    rows = ["| | lesson | minutes | open |", "|---|---|---|---|"]
    for lesson in course.LESSONS:
        file = f"{lesson.folder}.ipynb"
        links = f"[{lesson.title}](notebooks/{file}) · [exercises](exercises/{file})"
        places = f"[Binder]({course.binder(root, f'notebooks/{file}')}) · [Colab]({course.colab(root, f'notebooks/{file}')})"
        rows.append(f"| {lesson.number} | {links} | {lesson.minutes} | {places} |")
    return "\n".join(rows)


def code() -> str:
    """The map in CONTRIBUTING: which files each lesson builds."""
    rows = ["| lesson | the code behind it |", "|---|---|"]
    for lesson in course.LESSONS:
        files = ", ".join(f"[`{path}`](tinycourse/{path})" for path in course.CODE[lesson.number])
        rows.append(f"| {lesson.number} {lesson.title} | {files} |")
    return "\n".join(rows)


def built(root: Path) -> dict[Path, str]:
    """The pages that are there, as they should be: file -> text. A table stands between `<!-- NAME -->` and `<!-- /NAME -->`."""
    found = {}
    for page, name, table in (("README.md", "lessons", lessons(root)), ("CONTRIBUTING.md", "code", code())):
        if (path := root / page).is_file():
            marks = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.S)
            text = marks.sub(rf"\g<1>{table}\g<2>", path.read_text(encoding="utf-8"))
            found[path] = ADDRESS.sub(rf"\g<1>{course.repository(root)}", text)
    return found


def write(root: Path) -> None:
    """Write the pages."""
    for path, text in built(root).items():
        write_text(path, text)


def problems(root: Path) -> list[str]:
    """One sentence for each page that differs."""
    return [
        f"{path.name} differs from the tables in tinycourse/authoring/course.py: run `tinycourse build`"
        for path, text in built(root).items()
        if text != path.read_text(encoding="utf-8")
    ]


def move_to(root: Path, repository: str) -> None:
    """Give the course another address on GitHub, OWNER/NAME, in pyproject.toml. Raises TinycourseError for what is none."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise TinycourseError(f"{repository!r} is no repository; write OWNER/NAME, as behind github.com/.")
    path = root / "pyproject.toml"
    write_text(path, URL.sub(rf"\g<1>{course.GITHUB}{repository}", path.read_text(encoding="utf-8")))
