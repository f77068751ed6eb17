"""The page docs/exercises.md: every exercise of the course, what it takes, and which misconceptions its check knows."""

from pathlib import Path

from tinycourse import check
from tinycourse.authoring import course, exercises, sources
from tinycourse.files import write_text

PAGE = Path("docs") / "exercises.md"


def page(root: Path) -> str:
    """The page, from the cards in lessons/ and the wrong answers in tinycourse/check/."""
    written = [(lesson, cards(root, lesson)) for lesson in course.written(root)]
    everything = [card for _, found in written for card in found]
    lines = [
        "# Exercises, and what each check can tell a learner",
        "",
        "<!-- Built by `tinycourse build` from lessons/ and tinycourse/check/: edit those, not this page. -->",
        "",
        f"{len(everything)} exercises, {sum(c.minutes for c in everything)} minutes, {sum(c.points for c in everything)} points in all.",
        "A check rejects the untouched stub and every wrong answer that is listed here. Where a learner's function answers as one of",
        "them does, the sentence beside it is shown as the likely cause.",
        "",
        "| lesson | exercise | minutes | difficulty | importance | points | wrong answers |",
        "|---|---|---|---|---|---|---|",
    ]
    for lesson, found in written:
        for c in found:
            row = [f"{lesson.number}.{c.number}", f"[`{c.name}`](#{c.name})", c.minutes, c.difficulty, c.importance, c.points]
            lines.append("| " + " | ".join(map(str, [*row, len(wrong_answers(lesson, c))])) + " |")
    for lesson, found in written:
        lines += ["", f"## {lesson.number} {lesson.title}"] if found else []
        for c in found:
            lines += ["", f"### {c.name}", "", "| wrong answer | misconception |", "|---|---|"]
            lines += [f"| `{w.name}` | {w.misconception.replace('|', chr(92) + '|')} |" for w in wrong_answers(lesson, c)]
    return "\n".join(lines) + "\n"


def cards(root: Path, lesson: course.Lesson) -> list[exercises.Card]:
    """The cards of a lesson's exercises, none where it has none."""
    path = root / "lessons" / lesson.folder / "exercises.py"
    return exercises.cards(sources.read_cells(path)) if path.is_file() else []


def wrong_answers(lesson: course.Lesson, card: exercises.Card) -> list:
    """As the check of the exercise lists them; `check.core.WrongAnswer`."""
    return getattr(getattr(check, f"lesson{lesson.number}"), card.name).wrong_answers


def write(root: Path) -> None:
    """Build the page."""
    write_text(root / PAGE, page(root))


def problems(root: Path) -> list[str]:
    """One sentence if the page is not what the sources give."""
    path = root / PAGE
    built = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [] if built == page(root) else [f"{PAGE.as_posix()} differs from the exercises and their checks: run `tinycourse build`"]
