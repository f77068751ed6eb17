"""Grade a rehearsed class: python benchmarks/grading.py [SUBMISSIONS]   (200 submissions, ten of them hostile)

Makes the class in a temporary folder, grades it on two workers, and prints one table: what came, how much of it was graded as it has
to be, and how long it took. Fails if a single grade is wrong, if anything outside was touched, or if anybody was called.
"""

import argparse
import itertools
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tinycourse.authoring import course
from tinycourse.grading import grade, rehearsal, submissions
from tinycourse.verbs import table

TEN = ("endless-loop", "memory-bomb", "sys-exit", "os-exit", "fork-bomb", "crash", "network", "writer", "killer", "sleeper")
ORDINARY = ("right", "half", "wrong", "empty")

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("submissions", nargs="?", type=int, default=200)
parser.add_argument("--workers", type=int, default=2)
a = parser.parse_args()

root = course.repository_root()
lessons = [lesson for lesson in course.written(root) if (root / "lessons" / lesson.folder / "exercises.py").is_file()]
assignments = [submissions.assignment(root, lesson) for lesson in lessons]
with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
    place = Path(folder)
    (place / "outside").mkdir()
    (place / "outside" / "secret").write_text("the answers")
    server.setblocking(False)
    hostile = [r for r in rehearsal.hostile(root, assignments[0], place / "outside", server.getsockname()[1]) if r.learner in TEN]
    damaged = rehearsal.damaged(root, assignments[0])
    kinds = itertools.product(itertools.count(), ORDINARY, assignments)
    ordinary = [rehearsal.ordinary(root, chosen, kind, n) for n, kind, chosen in itertools.islice(kinds, a.submissions - 10 - len(damaged))]
    everyone = [*ordinary, *damaged, *hostile]
    rehearsal.hand_in(everyone, place / "class")
    begin = time.perf_counter()
    grades = grade.grade(place / "class", place / "table.csv", workers=a.workers, root=root)
    seconds = time.perf_counter() - begin
    again = grade.grade(place / "class", place / "table.csv", workers=a.workers, root=root)

    found = {(r.learner, r.exercise): r.points for r in grades.rows if r.lesson}
    kind_of = {r.learner: "hostile" if r in hostile else "damaged" if r in damaged else r.learner.split("-")[0] for r in everyone}
    asked, right = Counter(), Counter()
    for one in everyone:
        for name, points in one.points.items():
            asked[kind_of[one.learner]] += 1
            right[kind_of[one.learner]] += found[one.learner, name] == points
    count = Counter(kind_of.values())
    print(table([[k, count[k], asked[k], right[k]] for k in count], ["kind", "submissions", "exercises", "graded as they have to be"]))
    print(f"{seconds:.0f} s with {a.workers} workers, {seconds / len(everyone):.1f} s a submission; again: {again.seconds:.1f} s")
    untouched = [(p.name, p.read_text()) for p in (place / "outside").iterdir()] == [("secret", "the answers")]
    try:
        called = bool(server.accept())
    except BlockingIOError:
        called = False
    print(f"outside was {'left alone' if untouched else 'TOUCHED'}; {'SOMEBODY' if called else 'nobody'} was called")
    print("\n".join(f"{what}: {words}" for what, words in grades.protection.items()))
    sys.exit(called or not untouched or asked != right)
