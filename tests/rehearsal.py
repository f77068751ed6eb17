"""A class that never was: right, wrong, empty, damaged and hostile submissions, with the points that each has to get.

Every odd one is a notebook of lesson 00, where the first exercise is odd and the second is right: it has to keep its points.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tinycourse import check
from tinycourse.authoring import course, sources
from tinycourse.grading.submissions import Assignment

STUB = "def softmax(logits):\n    raise NotImplementedError()\n\n\n"
READER = """import json
for cell in json.load(open(r'ROOT/solutions/00_word_to_chip.ipynb'))['cells']:
    if 'def softmax' in ''.join(cell['source']):
        exec(''.join(cell['source']))"""
# In place of lesson 00's first solution. OUTSIDE is a folder that belongs to no submission, ROOT the repository, PORT one where
# somebody listens.
HOSTILE = {
    "endless-loop": "def softmax(logits):\n    while True:\n        pass",
    "endless-cell": STUB + "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass",
    "sleeper": STUB + "import time\ntime.sleep(10**6)",
    "memory-bomb": STUB + "bomb = []\nwhile True:\n    bomb.append(bytearray(10**8))",
    "torch-memory-bomb": "import torch\n\n\ndef softmax(logits):\n    return torch.ones(10**6, 10**6)",
    "sys-exit": "import sys\n\n\ndef softmax(logits):\n    sys.exit(0)\n\n\nsys.exit(0)",
    "os-exit": STUB + "import os\nos._exit(0)",
    "crash": STUB + "import ctypes\nctypes.string_at(0)",
    "fork-bomb": STUB + "import os\nwhile True:\n    os.fork()",
    "daemon": STUB + "import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(10**6)",
    "killer": STUB + "import os\nfor pid in (os.getppid(), -1):\n    os.kill(pid, 9)",
    "writer": STUB + "from pathlib import Path\nPath(r'OUTSIDE', 'was-here').write_text('')",
    "remover": STUB + "import shutil\nshutil.rmtree(r'OUTSIDE')",
    "shell": STUB + "import os\nos.system('touch \"OUTSIDE/was-here\"')",
    "spy": STUB + "from pathlib import Path\nprint(Path(r'OUTSIDE', 'secret').read_text())",
    "reader": STUB + READER,
    "network": STUB + "import socket\nsocket.create_connection(('127.0.0.1', PORT), timeout=5)",
    "printer": STUB + "while True:\n    print('x' * 10**6)",
    "file-bomb": STUB + "for n in range(10**6):\n    open(f'{n}', 'wb').write(bytes(30 << 20))",
    "cheat": "from tinycourse.check import core\n\n\ndef softmax(logits):\n    return logits\n\n\ncore.Check.grade = lambda self, f: None",
    "two-faced": "def softmax(logits):\n    return logits\n\n\nclass check:\n    lesson00 = None",
}  # fmt: skip
READERS = {"spy", "reader"}  # whom Landlock alone stops


@dataclass(frozen=True)
class Rehearsed:
    """A learner's file, as text, its name, and exercise to the points that it has to get."""

    learner: str
    file: str
    text: str
    points: dict[str, int]


def notebook(root: Path, lesson: course.Lesson, answers: dict[str, str]) -> NotebookNode:
    """A learner's notebook: `answers` in place of the stubs."""
    made = sources.assemble(sources.Target(root, lesson, "exercises"))
    for cell in made.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(name, cell.source)
    return made


def solutions(root: Path, lesson: course.Lesson) -> dict[str, str]:
    """Exercise to the code that solves it."""
    cells = sources.assemble(sources.Target(root, lesson, "solutions")).cells
    return {c.metadata.nbgrader.grade_id: c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")}


def wrong(lesson: course.Lesson, name: str, number: int) -> str:
    """The code of one of the wrong answers that the check lists."""
    listed = getattr(getattr(check, f"lesson{lesson.number}"), name).wrong_answers
    code = f"check.lesson{lesson.number}.{name}.wrong_answers[{number % len(listed)}].function"
    return f"from tinycourse import check\n\n{name} = {code}"


def ordinary(root: Path, chosen: Assignment, kind: str, number: int = 0) -> Rehearsed:
    """kind: "right", "empty", "wrong" (the number-th wrong answers), or "half": every second one right, the others wrong.

    The number stands in a comment, so that no two learners hand in the same.
    """
    solved = solutions(root, chosen.lesson)
    right = {"right": list(solved), "half": list(solved)[::2]}.get(kind, [])
    answers = {name: solved[name] if name in right else wrong(chosen.lesson, name, number) for name in solved}
    answers = {} if kind == "empty" else {name: f"# {number}\n{code}" for name, code in answers.items()}
    text = nbformat.writes(notebook(root, chosen.lesson, answers))
    expected = {name: card.points * (name in right) for name, card in chosen.cards.items()}
    return Rehearsed(f"{kind}-{chosen.lesson.number}-{number}", f"{chosen.lesson.folder}.ipynb", text, expected)


def hostile(root: Path, first: Assignment, outside: Path, port: int, landlock: bool) -> list[Rehearsed]:
    """HOSTILE, each in the first exercise, with the second one right; READERS only where there is Landlock."""
    solved = solutions(root, first.lesson)
    names = list(solved)
    found = []
    for kind, code in HOSTILE.items():
        if kind in READERS and not landlock:
            continue
        code = code.replace("OUTSIDE", str(outside)).replace("PORT", str(port)).replace("ROOT", str(root))
        text = nbformat.writes(notebook(root, first.lesson, solved | {names[0]: code}))
        expected = {names[0]: 0, names[1]: first.cards[names[1]].points}
        found.append(Rehearsed(kind, f"{first.lesson.folder}.ipynb", text, expected))
    return found


def damaged(root: Path, first: Assignment) -> list[Rehearsed]:
    """Right notebooks that something happened to."""
    solved = solutions(root, first.lesson)
    (one, two), points = list(solved), {name: card.points for name, card in first.cards.items()}
    name, right = f"{first.lesson.folder}.ipynb", notebook(root, first.lesson, solved)
    whole, where = (
        json.loads(nbformat.writes(right)),
        {c.metadata.nbgrader.grade_id: i for i, c in enumerate(right.cells) if "nbgrader" in c.metadata},
    )

    def changed(change: Callable[[list], object]) -> str:
        other = copy.deepcopy(whole)
        change(other["cells"])
        return json.dumps(other, indent=1)

    def strip(cells: list) -> None:
        for cell in cells:
            cell["metadata"] = {}

    def overwrite_check(cells: list) -> None:
        cells[where[f"{one}-check"]]["source"] = "print('passed')"

    def delete_solution(cells: list) -> None:
        del cells[where[one]]

    def delete_checks(cells: list) -> None:
        cells[:] = [c for i, c in enumerate(cells) if i not in (where[f"{one}-check"], where[f"{two}-check"])]

    def duplicate(cells: list) -> None:
        stub = copy.deepcopy(cells[where[one]]) | {"source": STUB}
        cells.insert(where[one], stub)
        cells.append(stub)

    text = json.dumps(whole, indent=1)
    cut = text.index("### What it is good for")
    both, second, first_only = points, points | {one: 0}, points | {two: 0}
    return [
        Rehearsed("renamed", "final (2) REALLY final.ipynb", text, both),
        Rehearsed("capitals", name.upper(), text, both),
        Rehearsed("reversed", name, changed(lambda cells: cells.reverse()), both),
        Rehearsed("no-metadata", name, changed(strip), both),
        Rehearsed("own-check", name, changed(overwrite_check), both),
        Rehearsed("no-solution", name, changed(delete_solution), second),
        Rehearsed("no-checks", name, changed(delete_checks), both),
        Rehearsed("duplicated", name, changed(duplicate), both),
        Rehearsed("cut-off", name, text[:cut], first_only),
        Rehearsed("merge", name, text[:cut] + "\n<<<<<<< HEAD\n" + text[cut:], both),
        Rehearsed("no-json", name, "My answer is 42.", points | {one: 0, two: 0}),
        Rehearsed("nothing", name, "", points | {one: 0, two: 0}),
        Rehearsed("list", name, "[1, 2]", points | {one: 0, two: 0}),
    ]  # fmt: skip


def hand_in(everyone: list[Rehearsed], folder: Path) -> None:
    """Write a folder for each learner."""
    for one in everyone:
        (folder / one.learner).mkdir(parents=True, exist_ok=True)
        (folder / one.learner / one.file).write_text(one.text, encoding="utf-8")
