"""Exercises: one source with the answers becomes what a learner fills in, what a teacher reads, and what nbgrader grades.

An exercise in lessons/NN_name/exercises.py is a run of cells:

- markdown with `<!-- card NAME difficulty=2 importance=4 minutes=10 points=2 -->`, then what and why;
- code that defines NAME, the answer between `### BEGIN SOLUTION` and `### END SOLUTION`;
- code with `check.lessonNN.NAME(NAME)`, and hidden tests between `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS`;
- markdown with three hints, each in a `<details>`;
- code with the catch-up line, `NAME = check.lessonNN.NAME.catch_up(NAME)`.
"""

import re
from dataclasses import dataclass

from nbformat import NotebookNode

from tinycourse.errors import TinycourseError

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")  # as nbgrader writes it
SOLUTION, HIDDEN = ("### BEGIN SOLUTION", "### END SOLUTION"), ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
CARD = re.compile(r"<!-- card (?P<name>\w+) (?P<fields>[^>]*?) *-->")
HINTS = 3


@dataclass(frozen=True)
class Card:
    """The head of an exercise. `number` counts from 1 in its lesson; difficulty and importance go from 1 to 5."""

    number: int
    name: str
    difficulty: int
    importance: int
    minutes: int
    points: int

    def markdown(self, lesson: str) -> str:
        """The card as a learner sees it."""
        difficulty, importance = (f"{n} of 5 {'●' * n}{'○' * (5 - n)}" for n in (self.difficulty, self.importance))
        return (
            f"> **Exercise {lesson}.{self.number}** · `{self.name}` · difficulty {difficulty} · importance {importance} · "
            f"spend up to {self.minutes} minutes · {self.points} points"
        )


@dataclass(frozen=True)
class Exercise:
    """A card and the cells that belong to it."""

    card: Card
    solution: NotebookNode
    check: NotebookNode


def read_card(match: re.Match, number: int) -> Card:
    """The card in a marker. Raises TinycourseError for a missing or unknown field, or a level outside 1..5."""
    name = match["name"]
    try:
        fields = {key: int(value) for key, value in (pair.split("=") for pair in match["fields"].split())}
        card = Card(number, name, **fields)
    except (ValueError, TypeError):
        form = f"<!-- card {name} difficulty=2 importance=4 minutes=10 points=2 -->"
        raise TinycourseError(f"The card of {name} is not of the form {form}; write it so.") from None
    if not (1 <= card.difficulty <= 5 and 1 <= card.importance <= 5 and card.points > 0):
        raise TinycourseError(f"The card of {name} needs difficulty and importance from 1 to 5 and at least one point.")
    return card


def cards(cells: list[NotebookNode]) -> list[Card]:
    """All cards of a source, in order."""
    matches = [m for c in cells if c.cell_type == "markdown" for m in CARD.finditer(c.source)]
    return [read_card(m, i) for i, m in enumerate(matches, 1)]


def exercises(cells: list[NotebookNode], lesson: str) -> list[Exercise]:
    """Cards with their cells. Raises TinycourseError naming the exercise and the part that is missing or stands twice."""
    found = cards(cells)
    starts = [i for i, c in enumerate(cells) if c.cell_type == "markdown" for _ in CARD.finditer(c.source)]
    result = []
    for card, start, end in zip(found, starts, [*starts[1:], len(cells)], strict=True):
        part = cells[start:end]

        def one(what: str, *patterns: str, part=part, card=card) -> NotebookNode:
            chosen = [c for c in part if c.cell_type == "code" and all(re.search(p, c.source, re.M) for p in patterns)]
            if len(chosen) != 1:
                exercise = f"Exercise {card.name} of lesson {lesson}"
                raise TinycourseError(f"{exercise} has {len(chosen)} cells with {what}; give it one.")
            return chosen[0]

        name, call = card.name, rf"check\.lesson{lesson}\.{card.name}"
        solution = one("its definition and solution markers", rf"^def {name}\(", *SOLUTION)
        check = one("its check and hidden tests", rf"^{call}\({name}\)", *HIDDEN)
        one("its catch-up line", rf"^{name} = {call}\.catch_up\({name}\)$")
        hints = sum(c.source.count("<details>") for c in part if c.cell_type == "markdown")
        if hints != HINTS:
            raise TinycourseError(f"Exercise {name} of lesson {lesson} has {hints} hints in <details>; give it {HINTS}.")
        result.append(Exercise(card, solution, check))
    names = [e.card.name for e in result]
    if len(set(names)) != len(names):
        raise TinycourseError(f"Two exercises of lesson {lesson} have the same name; rename one.")
    return result


def mark(cells: list[NotebookNode], lesson: str) -> None:
    """Write nbgrader's metadata (schema 3) into the solution and check cells of every exercise, and draw the cards."""
    for exercise in exercises(cells, lesson):
        name, points = exercise.card.name, exercise.card.points
        common = {"schema_version": 3, "task": False, "cell_type": "code"}
        answer = {"grade": False, "solution": True, "locked": False, "grade_id": name}
        test = {"grade": True, "solution": False, "locked": True, "grade_id": f"{name}-check", "points": points}
        exercise.solution.metadata["nbgrader"], exercise.check.metadata["nbgrader"] = common | answer, common | test
    drawn = iter(cards(cells))
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = CARD.sub(lambda _: next(drawn).markdown(lesson), cell.source)


def cut(source: str, markers: tuple[str, str], instead: tuple[str, ...] = ()) -> str:
    """`source` without the regions between the markers; `instead` stands there, indented as the first marker was.

    Raises TinycourseError where a begin has no end, or an end no begin.
    """
    begin, end = markers
    lines, inside = [], False
    for line in source.split("\n"):
        marker = line.strip()
        if marker in markers:
            if inside == (marker == begin):
                raise TinycourseError(f"In a cell of an exercise, {begin} and {end} do not come in pairs; put them right.")
            inside = not inside
            if inside:
                lines += [line[: len(line) - len(line.lstrip())] + text for text in instead]
        elif not inside:
            lines.append(line)
    if inside:
        raise TinycourseError(f"In a cell of an exercise, {begin} has no {end}; add it.")
    return "\n".join(lines)


def for_learners(cells: list[NotebookNode]) -> None:
    """Cut solutions and hidden tests out of every cell."""
    for cell in cells:
        cell.source = cut(cut(cell.source, SOLUTION, STUB), HIDDEN).rstrip()
