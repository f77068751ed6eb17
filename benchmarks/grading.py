"""Grade a rehearsed class: python benchmarks/grading.py [SUBMISSIONS]   (200 submissions, some twenty of them hostile)

Makes the class in a temporary folder: every hostile and damaged notebook of the rehearsal, every wrong answer that the checks of all
lessons list, and right, half right and empty notebooks. Prints one table: how much of it was graded as it has to be, and what it
took. Fails if a single grade is wrong, if anything outside was touched, or if anybody was called.
"""

import argparse
import itertools
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from tests import rehearsal
from tinycourse import check
from tinycourse.authoring import course
from tinycourse.cli.output import table
from tinycourse.grading import grade, submissions

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("submissions", nargs="?", type=int, default=200)
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--without-kernel", action="store_true", help="as where there are neither namespaces nor Landlock")
a = parser.parse_args()


class Memory(threading.Thread):
    """The largest sum of memory (PSS) of all processes below this one, looked at twice a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0

    def run(self):
        while True:
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    pass  # it has ended
            self.most = max(self.most, total)
            time.sleep(0.5)


def most_listed(chosen: submissions.Assignment) -> int:
    """How many wrong answers the longest list of a lesson has."""
    checks = getattr(check, f"lesson{chosen.lesson.number}")
    return max(len(getattr(checks, name).wrong_answers) for name in chosen.tests)


root = course.repository_root()
lessons = [lesson for lesson in course.written(root) if (root / "lessons" / lesson.folder / "exercises.py").is_file()]
assignments = [submissions.assignment(root, lesson) for lesson in lessons]
protection = {"namespaces": False, "landlock": 0} if a.without_kernel else grade.available()
with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
    place = Path(folder)
    (place / "outside").mkdir()
    (place / "outside" / "secret").write_text("the answers")
    server.setblocking(False)
    odd = {
        "hostile": rehearsal.hostile(root, assignments[0], place / "outside", server.getsockname()[1], protection["landlock"]),
        "damaged": rehearsal.damaged(root, assignments[0]),
    }
    listed = [(n, "wrong", chosen) for chosen in assignments for n in range(most_listed(chosen))]
    others = ((n, kind, chosen) for n in itertools.count() for kind in ("right", "half", "empty") for chosen in assignments)
    ordinary = itertools.islice(itertools.chain(listed, others), a.submissions - sum(map(len, odd.values())))
    everyone = [(kind, one) for kind, some in odd.items() for one in some]
    everyone += [(kind, rehearsal.ordinary(root, chosen, kind, n)) for n, kind, chosen in ordinary]
    rehearsal.hand_in([one for _, one in everyone], place / "class")

    memory = Memory()
    memory.start()
    grades = grade.grade(place / "class", place / "table.csv", workers=a.workers, root=root, protection=protection)
    again = grade.grade(place / "class", place / "table.csv", workers=a.workers, root=root, protection=protection)

    found = {(r.learner, r.exercise): r for r in grades.rows if r.notebook}
    count, asked, right = Counter(kind for kind, _ in everyone), Counter(), Counter()
    for kind, one in everyone:
        for name, points in one.points.items():
            row = found.get((one.learner, name))
            asked[kind] += 1
            right[kind] += points == (row.points if row else 0)
            if points != (row.points if row else 0):
                print(f"{one.learner}, {name}: {points} points were due; {row}", file=sys.stderr)
    print(table([[k, count[k], asked[k], right[k]] for k in count], ["kind", "submissions", "exercises", "graded as they have to be"]))
    each, gib = grades.seconds / len(everyone), memory.most / 2**30
    print(f"{grades.seconds:.0f} s with {a.workers} workers, {each:.1f} s a submission, at most {gib:.1f} GiB at a time")
    print(f"again: {again.seconds:.1f} s, {again.cached} of {again.notebooks} notebooks graded before")
    untouched = [(p.name, p.read_text()) for p in (place / "outside").iterdir()] == [("secret", "the answers")]
    try:
        called = bool(server.accept())
    except BlockingIOError:
        called = False
    print(f"outside was {'left alone' if untouched else 'TOUCHED'}; {'SOMEBODY' if called else 'nobody'} was called")
    print("\n".join(f"{what}: {words}" for what, words in grades.protection.items()))
    sys.exit(called or not untouched or asked != right)
