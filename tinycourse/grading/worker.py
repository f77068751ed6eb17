"""A process with everything imported (importing torch takes seconds) that forks itself for every notebook.

    worker ── keeper ── warden ── runner ── tester
    one       limits    process 1 runs the  calls the function
    of few    are set   of its    cells     that the hidden
                        namespace           tests are for

The worker reads jobs from standard input and writes results to standard output, one JSON object a line. The warden runs nothing of
a learner: where a cell ends the runner, or never ends, it starts another one, which leaves that cell out. Messages carry a token that
is drawn for each notebook, so that what a submission writes into a pipe by accident or on purpose is not taken for a result.

No grade depends on how busy the machine is: the kernel counts computing time, and of the clock only the time counts in which
everything sleeps (`watch.py`).
"""

import contextlib
import gc
import json
import os
import secrets
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from os import getpid  # before any learner can put another function there
from pathlib import Path

from tinycourse import check
from tinycourse.check import core
from tinycourse.grading import sandbox
from tinycourse.grading.watch import CLEAR, Watch

POLL = 0.02  # s
MOST_READS = 100
LONGEST_MESSAGE, LONGEST_TEXT = 100_000, 4_000  # bytes, characters


class Lesson:
    """Our side of one lesson, made before anything of a learner runs: hidden tests, names for them, and checks as they should be."""

    def __init__(self, number: str, imports: str, tests: dict[str, str]):
        self.tests, self.names = tests, {}
        exec(compile(imports, "imports", "exec"), self.names)
        self.module = getattr(check, f"lesson{number}")
        self.whole = self.checks()

    def checks(self) -> list[tuple]:
        """What decides, as it should be: (where, its names and values, the code of those that are functions)."""
        each = [value for value in vars(self.module).values() if type(value) is core.Check]
        modules = dict.fromkeys(sys.modules[value.trial.__module__] for value in each)
        holders = (core, self.module, *modules, core.Check, core.Candidate, *each)
        return [(h, dict(vars(h)), {k: v.__code__ for k, v in vars(h).items() if hasattr(v, "__code__")}) for h in holders]

    def repair(self) -> None:
        """Undo whatever a submission did to the checks: it is our own that decide."""
        for holder, values, codes in self.whole:
            for key in [k for k in vars(holder) if k not in values and not k.startswith("__")]:
                delattr(holder, key)
            for key, value in values.items():
                if vars(holder).get(key) is not value:
                    setattr(holder, key, value)
            for key, code in codes.items():
                values[key].__code__ = code


# ---------------------------------------------------------------------------------------------- messages


def send(pipe: int, token: str, **message) -> None:
    """Write a message whole: one line of JSON, with the token that tells it from what a submission writes."""
    data = json.dumps({"token": token} | message).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def receive(pipe: int, token: str, pid: int, tick: Callable[[], None] = lambda: None) -> Iterator[dict]:
    """Messages until process `pid` has ended, which is the last one: {"ended": its status}. Calls `tick` again and again.

    Other children that have ended are taken leave of: until then they count as processes.
    """
    pending, status = b"", None
    while status is None:
        tick()
        while status is None and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = ended[1] if ended[0] == pid else None
        for _ in range(MOST_READS):  # a submission that writes without end is not listened to without end
            if not select.select([pipe], [], [], POLL if status is None else 0)[0] or not (more := os.read(pipe, 65_536)):
                break
            *lines, pending = (pending + more)[-LONGEST_MESSAGE:].split(b"\n")
            for message in map(decoded, lines):
                if message.pop("token", None) == token:
                    yield message
    yield {"ended": status}


def decoded(line: bytes) -> dict:
    """The message of a line, {} if it is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def in_words(status: int) -> str:
    """Why a process ended that should not have."""
    if not os.WIFSIGNALED(status):
        return "ended the process"
    number = os.WTERMSIG(status)
    known = {signal.SIGXCPU: "took too long", signal.SIGKILL: "took too long, too much memory or too many processes"}
    return f"{known[number]}: it was stopped" if number in known else f"crashed ({signal.Signals(number).name})"


def fork(work: Callable[[], None]) -> int:
    """The pid of a child that does `work` and ends, whatever happens."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    finally:
        os._exit(0)


# ------------------------------------------------------------------------------- runner: the learner's cells


def new_shell():
    """IPython without a history, tracebacks and windows."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def enable_gui(self, gui=None):
            pass

        def showtraceback(self, *given, **options):
            pass

    return Shell(config=Config({"HistoryManager": {"enabled": False}}))


def run_cells(job: dict, lesson: Lesson, shell, skip: set[int], decided: dict, token: str, pipe: int, contained: bool) -> None:
    """All steps in order but those in `skip`; says when each begins, and what came of it."""
    sys.stdout, sys.stderr = open(os.devnull, "w"), open(os.devnull, "w")
    sandbox.limit_cpu(job["seconds"], ceiling=3 * job["seconds"])
    sys.path.insert(0, "")  # as in Jupyter: modules beside the notebook can be imported
    own_pid = getpid()
    for number, step in enumerate(job["steps"]):
        name = step.get("test")
        if number in skip:
            continue
        if name and name not in decided:
            send(pipe, token, begins=number)
            decided[name] = run_test(name, lesson, shell.user_ns.get(name), job["seconds"])
            if contained:
                be_alone()
            send(pipe, token, test=name, verdict=decided[name])
        if name and not decided[name]["passed"]:
            if any(later.get("test") == name for later in job["steps"][number + 1 :]):
                decided.pop(name)
            shell.user_ns[name] = getattr(lesson.module, name).reference  # as the catch-up line does
        if name:
            continue
        send(pipe, token, begins=number)
        sandbox.limit_cpu(job["seconds"])
        result = shell.run_cell(step["run"], store_history=False)
        if getpid() != own_pid:  # a child that the cell has forked
            os._exit(0)
        if contained:
            be_alone()
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, MemoryError):  # what fills the memory stays there: begin again without this cell
            os.kill(own_pid, signal.SIGKILL)
        if error is not None:
            send(pipe, token, problem=f"{type(error).__name__}: {error}"[:300], cell=step["cell"])
    send(pipe, token, finished=True)


def be_alone() -> None:
    """End all that is in this namespace but the warden, whom the kernel protects, and wait until it is gone and counts no more."""
    try:
        while True:
            os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(POLL / 10)
    except ProcessLookupError:
        pass


def verdict(status: str, text: str = "") -> dict:
    """What a test found, as it is sent; the text is cut to a bearable length."""
    return {"passed": status == core.PASSED, "status": status, "text": text[:LONGEST_TEXT]}


def run_test(name: str, lesson: Lesson, function, seconds: float) -> dict:
    """The verdict of our hidden tests on `function`, called in a process of its own."""
    token, (r, w) = secrets.token_hex(8), os.pipe()

    def work() -> None:
        sandbox.limit_cpu(seconds, ceiling=seconds + 2)
        own_pid, found = getpid(), judge(name, lesson, function)
        if getpid() == own_pid:
            send(w, token, **found)

    pid, found = fork(work), {}
    for message in receive(r, token, pid):
        found = found or message
    os.close(r), os.close(w)
    if "ended" in found:
        return verdict(in_words(found["ended"]))
    return found


def judge(name: str, lesson: Lesson, function) -> dict:
    """Run our check cell on `function`, with our own names."""
    lesson.repair()
    if function is None:
        return verdict(core.FAILED, f"after its cell there is no function `{name}`")
    os.environ[core.GRADING] = "1"
    try:
        exec(compile(lesson.tests[name], "tests", "exec"), lesson.names | {name: function})
    except core.NoPoints as error:
        first = str(error).partition("\n")[0]
        return verdict(core.NOT_ATTEMPTED if first.endswith(core.NOT_ATTEMPTED) else core.FAILED, str(error))
    except (Exception, SystemExit) as error:
        line = lesson.tests[name].split("\n")[error.__traceback__.tb_next.tb_lineno - 1].strip()
        return verdict(core.FAILED, f"a hidden test failed: {line}\n{type(error).__name__}: {error}")
    return verdict(core.PASSED)


# --------------------------------------------------------------------- warden: sees to it that all are tried


def guard(job: dict, lesson: Lesson, shell, scratch: Path, protection: sandbox.Protection, private: int) -> dict:
    """{"results": {exercise: verdict}, "problems": [[cell, words]]} of a notebook, whatever its cells do.

    private: the pipe to the worker, which is closed before a learner's code runs.
    """
    contained = os.getpid() == 1  # only the first process of a namespace has this number
    results, problems, skip = {}, {}, set()
    end = time.monotonic() + job["most"]
    while True:
        token, (r, w) = secrets.token_hex(8), os.pipe()

        def work(r=r, w=w, token=token) -> None:
            os.close(r), os.close(private), os.setsid()
            sandbox.watch(scratch, protection, trusted=__file__)
            run_cells(job, lesson, shell, skip, dict(results), token, w, contained)

        signal.signal(CLEAR, signal.SIG_IGN)  # until there is a runner
        pid, at, finished = fork(work), None, False
        signal.signal(CLEAR, lambda *_, pid=pid: end_all(contained, pid))

        def tick(pid=pid) -> None:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)

        for message in receive(r, token, pid, tick):
            at = message.get("begins", at)
            finished |= "finished" in message
            if "test" in message:
                results[message["test"]] = message["verdict"]
            if "problem" in message:
                problems[message["cell"]] = message["problem"]
        os.close(r), os.close(w)
        clear(contained, pid)
        why, late = in_words(message["ended"]), time.monotonic() > end
        if at is None or late:
            problems[0] = f"after {job['most']:.0f} s there was no time for the rest" if late else f"the grader itself {why}"
        if finished or at is None or late:
            return {"results": results, "problems": sorted(problems.items())}
        step = job["steps"][at]
        skip.add(at)
        if "test" in step:
            results[step["test"]] = verdict(why)
        else:
            problems[step["cell"]] = f"{why}; the rest was run without this cell"


def end_all(contained: bool, pid: int) -> None:
    """End a runner and what it has started: all else in the namespace, or in its session."""
    try:
        os.kill(-1, signal.SIGKILL) if contained else os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def clear(contained: bool, pid: int) -> None:
    """The same when the runner has ended, until nothing is left."""
    end_all(contained, pid)
    try:
        while contained:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


# ------------------------------------------------------------------------------------ worker: one job at a time


def keep(job: dict, lesson: Lesson, shell, scratch: Path, setup: dict, token: str, pipe: int) -> None:
    """Set the limits, enter the namespaces, and wait for the warden."""
    os.setsid()
    sandbox.die_with_parent()
    protection = sandbox.Protection(**setup["protection"])
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(setup["output"])
    os.chdir(scratch)
    os.environ |= {"HOME": str(scratch), "TMPDIR": str(scratch)}
    tempfile.tempdir = None
    if protection.namespaces:
        sandbox.enter_namespaces()

    def work() -> None:
        sandbox.die_with_parent()
        sandbox.limit(job["memory"], protection.namespaces)
        sandbox.confine(scratch, setup["readable"], protection)
        send(pipe, token, **guard(job, lesson, shell, scratch, protection, private=pipe))

    os.waitpid(fork(work), 0)


def run_job(job: dict, lesson: Lesson, shell, setup: dict) -> dict:
    """The warden's answer; {} if there is none."""
    token, (r, w) = secrets.token_hex(8), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        scratch = Path(folder).resolve()
        for path in job["files"]:
            shutil.copy(path, scratch)
        pid = fork(lambda: keep(job, lesson, shell, scratch, setup, token, w))
        answer = {}
        for message in receive(r, token, pid, Watch(pid, scratch, **job)):
            answer = answer or message
    os.close(r), os.close(w)
    return {} if "ended" in answer else answer


def main() -> None:
    """The first line is the set-up: lessons, protection, and what may be read: Python, its packages, the library and the recordings."""
    setup = json.loads(sys.stdin.readline()) | {"output": os.dup(1)}
    os.dup2(2, 1)  # what is printed is not a result
    setup["readable"] += [path for path in sys.path if path and os.path.realpath(path) not in setup["hidden"]]
    import torch

    torch.set_num_threads(1)  # a process that has used its threads cannot be forked
    lessons = {number: Lesson(number, **given) for number, given in setup["lessons"].items()}
    shell = new_shell()
    gc.freeze()  # what is here is not looked at again: children share its memory
    os.write(setup["output"], b"ready\n")
    for line in sys.stdin:
        job = json.loads(line)
        answer = run_job(job, lessons[job["lesson"]], shell, setup)
        os.write(setup["output"], json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
