"""A class set: every notebook once, in a few workers, with results kept so that a stopped run goes on where it was."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from tqdm.auto import tqdm

import tinycourse
from tinycourse.authoring import course
from tinycourse.errors import TinycourseError
from tinycourse.files import SUMS, digest, need_apart, need_own, need_writable, read_sums, write_sums, write_text
from tinycourse.grading import report, submissions
from tinycourse.grading.submissions import Assignment, Submission

LARGEST_COPY = 50 << 20  # bytes of the files beside a notebook that its cells can read
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "HOME", "MPLCONFIGDIR")  # of the environment: nobody's passwords
FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")  # how a cell begins that a spreadsheet may compute, full-width signs among them
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Limits:
    """seconds: computing time of one cell, and of the tests of one exercise; or of doing nothing. most: seconds by the clock, for a
    notebook, so many that no honest one needs them on a busy machine. memory: bytes that one process may take."""

    seconds: float = 20.0
    most: float = 900.0
    memory: int = 2 << 30


@dataclass
class Row:
    """One exercise of one learner."""

    learner: str
    lesson: str
    exercise: str
    points: int
    of: int
    status: str
    notebook: str = ""
    text: str = ""


@dataclass
class Grades:
    """rows: learner by learner. remarks: learner to what was odd in the notebooks. cached: notebooks that needed no run."""

    rows: list[Row]
    remarks: dict[str, list[str]]
    notebooks: int
    cached: int
    seconds: float
    protection: dict[str, str]
    table: Path
    feedback: Path


def grade(
    folder: Path, table: Path, feedback: Path | None = None, lessons: list[str] | None = None, workers: int = 2,
    limits: Limits = Limits(), root: Path | None = None, protection: dict | None = None,
) -> Grades:  # fmt: skip
    """Grade all notebooks in `folder`, a folder for each learner; write the CSV `table` and a page for each learner.

    feedback: the folder of the pages (default: beside the table). lessons: numbers (default: those that anyone handed in, or all).
    protection: fields of a sandbox.Protection (default: all that this machine has). What was graded before, with the same
    exercises and limits, is taken from a folder beside the table.
    Raises TinycourseError where nothing can be graded, and for a page of feedback that somebody has changed since.
    """
    if os.name == "nt":
        raise TinycourseError("Grading needs Linux or macOS; on Windows run it in WSL, the Linux that comes with Windows.")
    begin = time.monotonic()
    root = course.repository_root(root)
    there = [lesson for lesson in course.written(root) if (root / "lessons" / lesson.folder / "exercises.py").is_file()]
    chosen = [course.find(name) for name in lessons] if lessons else there
    if strange := [lesson.number for lesson in chosen if lesson not in there]:
        raise TinycourseError(f"Lesson {strange[0]} has no exercises yet; name another one.")
    feedback = feedback or table.with_name(f"{table.stem}_feedback")
    cache = table.with_name(f"{table.stem}_cache")
    learners = submissions.find(folder, apart=(feedback, cache))
    assignments = {lesson.number: submissions.assignment(root, lesson) for lesson in chosen}
    notebooks = [(learner, path) for learner, paths, _ in learners for path in paths]
    handed_in = [submissions.read(learner, path, assignments) for learner, path in notebooks]
    pages = {learner: f"{learner}.html" for learner, _, _ in learners}
    for place in (table, feedback / SUMS, cache / "answer.json"):
        need_writable(place)
    need_apart([table], (path for _, path in notebooks))
    need_own(feedback, pages.values())

    protection = protection or available()
    jobs = [(s, job(s, assignments[s.lesson], folder, limits, protection)) for s in handed_in if s.steps]
    known = {j["key"]: answer for _, j in jobs if (answer := read_json(cache / f"{j['key']}.json")) is not None}
    waiting = {j["key"]: j for _, j in jobs if j["key"] not in known}
    answers = known | run(list(waiting.values()), assignments, workers, protection, root, cache)
    found = [(s, answers[j["key"]]) for s, j in jobs] + [(s, {}) for s in handed_in if not s.steps]
    found += [(Submission(learner, folder / learner, remarks=remarks), {}) for learner, _, remarks in learners]
    numbers = [n for n in assignments if lessons or any(s.lesson == n for s in handed_in)] or list(assignments)
    rows, remarks = rows_of(found, {n: assignments[n] for n in numbers})
    cached = sum(j["key"] in known for _, j in jobs)
    grades = Grades(rows, remarks, len(handed_in), cached, time.monotonic() - begin, in_words(protection), table, feedback)
    write_csv(grades)
    for learner, page in pages.items():
        write_text(feedback / page, report.page(learner, [r for r in rows if r.learner == learner], remarks[learner]))
    write_sums(feedback / SUMS, read_sums(feedback / SUMS) | {page: digest(feedback / page) for page in pages.values()})
    return grades


def available() -> dict:
    """The fields of sandbox.available(), found in a process that has only one thread."""
    code = "import json; from tinycourse.grading import sandbox; print(json.dumps(vars(sandbox.available())))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(""), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def in_words(protection: dict) -> dict[str, str]:
    """What protects whom, weaknesses included; see `sandbox.Protection`."""
    from tinycourse.grading.sandbox import Protection

    return Protection(**protection).in_words()


def job(submission: Submission, chosen: Assignment, folder: Path, limits: Limits, protection: dict) -> dict:
    """What a worker gets. key: the hash of everything that decides the result."""
    beside, room = [], LARGEST_COPY
    if submission.path.parent != folder:  # there, everyone's files lie
        for path in sorted(submission.path.parent.iterdir()):
            ordinary = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
            if ordinary and path.suffix.lower() != submissions.NOTEBOOK and (room := room - path.stat().st_size) > 0:
                beside.append(path)
    hashes = [(path.name, digest(path)) for path in beside]
    decides = [submission.steps, hashes, chosen.digest, asdict(limits), protection, tinycourse.__version__]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
    files = [str(path.resolve()) for path in beside]
    return {"key": key, "lesson": submission.lesson, "steps": submission.steps, "files": files} | asdict(limits)


def read_json(path: Path) -> dict | None:
    """What a file holds, None where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


# ------------------------------------------------------------------------------------------------- workers


def environment(scratch: str) -> dict[str, str]:
    """A worker's: a short one, the same on every machine."""
    package = str(Path(tinycourse.__file__).resolve().parents[1])
    path = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH")) if p)
    own = {"PYTHONPATH": path, "IPYTHONDIR": scratch, "MPLBACKEND": "Agg", "TINYCOURSE_FAST": "1"}
    return {name: os.environ[name] for name in KEPT if name in os.environ} | ONE_THREAD | own


def run(jobs: list[dict], assignments: dict[str, Assignment], workers: int, protection: dict, root: Path, cache: Path) -> dict[str, dict]:
    """Key to answer, {} where a worker was lost. Each answer is written to the cache as it comes."""
    if not jobs:
        return {}
    used = sorted({job["lesson"] for job in jobs})
    lessons = {n: {"imports": assignments[n].imports, "tests": assignments[n].tests} for n in used}
    answers, idle = {}, SimpleQueue()
    with tempfile.TemporaryDirectory() as home:
        package = Path(tinycourse.__file__).resolve().parent
        readable = [sys.prefix, sys.base_prefix, str(package), str(root / "data"), home]  # and its own sys.path, but for:
        setup = {"lessons": lessons, "protection": protection, "readable": readable, "hidden": [str(root), str(package.parent)]}
        started = [Worker(setup, home) for _ in range(min(workers, len(jobs)))]
        for worker in started:
            idle.put(worker)

        def one(job: dict) -> tuple[str, dict]:
            worker = idle.get()
            try:
                return job["key"], worker.answer(job)
            finally:
                idle.put(worker)

        try:
            with ThreadPoolExecutor(len(started)) as pool:
                try:
                    waiting = [pool.submit(one, job) for job in jobs]
                    for future in tqdm(as_completed(waiting), total=len(jobs), desc="notebooks", unit=""):
                        key, answers[key] = future.result()
                        if answers[key]:
                            write_text(cache / f"{key}.json", json.dumps(answers[key]))
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        finally:
            for worker in started:
                worker.stop()
    return answers


class Worker:
    """A process of tinycourse.grading.worker, started anew if it was lost."""

    def __init__(self, setup: dict, home: str):
        self.setup, self.home = setup, home
        self.start()

    def start(self) -> None:
        """Start the process; `answer` sets it up."""
        self.ready = False
        command = [sys.executable, "-m", "tinycourse.grading.worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, **pipes, env=environment(self.home), cwd=self.home)

    def ask(self, message: dict) -> str:
        """The line that it answers with, '' if it has ended."""
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def answer(self, job: dict) -> dict:
        """What came of a job, {} if the worker was lost over it. Raises TinycourseError if it did not even start."""
        try:
            if not self.ready:
                self.ready = self.ask(self.setup) == "ready\n"
            answer = self.ask(job) if self.ready else ""
        except OSError:
            answer = ""
        if not self.ready:
            raise TinycourseError("The grader's worker does not start; the error is above, and `tinycourse doctor` may say what to do.")
        try:
            return json.loads(answer)
        except ValueError:
            self.stop()
            self.start()
            return {}

    def stop(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        self.process.communicate()


# --------------------------------------------------------------------------------------------------- rows


def rows_of(found: list[tuple[Submission, dict]], assignments: dict[str, Assignment]) -> tuple[list[Row], dict[str, list[str]]]:
    """One row for each learner and exercise, the best where several notebooks have it; and what was odd, for each learner."""
    remarks = {s.learner: [] for s, _ in sorted(found, key=lambda pair: pair[0].learner)}
    best = {}
    for submission, answer in found:
        words = submission.remarks + [f"code cell {n}: {w}" if n else w for n, w in answer.get("problems", [])]
        remarks[submission.learner] += [f"{submission.path.name}: {word}" for word in words]
        if submission.lesson not in assignments:
            continue
        for name, card in assignments[submission.lesson].cards.items():
            row = row_of(submission, answer, name, card)
            key = (row.learner, row.lesson, name)
            if key not in best or row.points > best[key].points:
                best[key] = row
    rows = []
    for learner in remarks:
        for number, chosen in assignments.items():
            for name, card in chosen.cards.items():
                nothing = Row(learner, number, name, 0, card.points, "no notebook handed in")
                rows.append(best.get((learner, number, name), nothing))
    return rows, remarks


def row_of(submission: Submission, answer: dict, name: str, card) -> Row:
    """The row of one exercise: its points, and what became of it."""
    row = Row(
        submission.learner, submission.lesson, name, 0, card.points, "not graded: the notebook stopped its grader", submission.path.name
    )
    result = answer.get("results", {}).get(name)
    if name in submission.missing:
        row.status = "its cell is not in the notebook"
    elif result:
        row.points, row.status, row.text = card.points * result["passed"], result["status"], result["text"]
    elif answer:
        row.status = "not reached: there was no time left"
    return row


def write_csv(grades: Grades) -> None:
    """learner, lesson, exercise, points, of, status, notebook, remarks; text in quotes, and none that a spreadsheet takes for a formula."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["learner", "lesson", "exercise", "points", "of", "status", "notebook", "remarks"])
    for r in grades.rows:
        own = f"{r.notebook}: " if r.notebook else ""
        about = "; ".join(word for word in grades.remarks[r.learner] if word.startswith(own))
        cells = [r.learner, r.lesson, r.exercise, r.points, r.of, r.status, r.notebook, about]
        writer.writerow([plain(cell) if isinstance(cell, str) else cell for cell in cells])
    write_text(grades.table, file.getvalue())


def plain(text: str) -> str:
    """Text that no spreadsheet computes: behind an apostrophe where it begins as a formula may (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(FORMULAS) else text
