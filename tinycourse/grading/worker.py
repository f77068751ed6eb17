"""A process with everything imported (importing torch takes seconds) that forks itself for every notebook.

    worker ── keeper ── warden ── runner ── tester
    one       limits    process 1 runs the  calls the function
    of few    are set   of its    cells     that the hidden
                        namespace           tests are for

The worker reads jobs from standard input and writes results to standard output, one JSON object a line. The warden runs nothing of
a learner: where a cell ends the runner, or never ends, it starts another one, which leaves that cell out. Messages carry a token that
is drawn for each notebook, so that what a submission writes into a pipe by accident or on purpose is not taken for a result.
"""

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
from pathlib import Path

import psutil

from tinycourse import check
from tinycourse.check import core
from tinycourse.grading import sandbox

WALL = 4  # a step may take this many times its computing time, for the sake of busy machines
POLL = 0.02  # s
LONGEST_MESSAGE, LONGEST_TEXT = 100_000, 4_000  # bytes, characters
LARGEST_SCRATCH = 200 << 20  # bytes


class Lesson:
    """Our side of one lesson, made before anything of a learner runs: hidden tests, names for them, and checks as they should be."""

    def __init__(self, number: str, imports: str, tests: dict[str, str]):
        self.tests, self.names = tests, {}
        exec(compile(imports, "imports", "exec"), self.names)
        self.module = getattr(check, f"lesson{number}")
        self.whole = self.checks()

    def checks(self) -> list:
        """What may not change: every name in the modules of the checks, and the code behind it."""
        found = [(key, value) for holder in (core, self.module, core.Check, core.Candidate) for key, value in vars(holder).items()]
        return [(key, id(value), id(getattr(value, "__code__", None))) for key, value in found if not key.startswith("__")]


# ---------------------------------------------------------------------------------------------- messages


def send(pipe: int, token: str, **message) -> None:
    data = json.dumps({"token": token} | message).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def receive(pipe: int, token: str, pid: int, deadline: Callable[[], float]) -> Iterator[dict]:
    """Messages until process `pid` has ended, which is the last one: {"ended": its status}; it is killed after `deadline`()."""
    pending, status = b"", None
    while status is None:
        if time.monotonic() > deadline():
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        elif select.select([pipe], [], [], POLL)[0]:
            pending = (pending + os.read(pipe, 65_536))[-LONGEST_MESSAGE:]
        ended, code = os.waitpid(pid, os.WNOHANG) if status is None else (0, 0)
        if ended:
            status = code
            while select.select([pipe], [], [], 0)[0] and (more := os.read(pipe, 65_536)):
                pending = (pending + more)[-LONGEST_MESSAGE:]
        *lines, pending = pending.split(b"\n")
        for line in lines:
            message = decoded(line)
            if message.pop("token", None) == token:
                yield message
    yield {"ended": status}


def decoded(line: bytes) -> dict:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def in_words(status: int, late: bool) -> str:
    """Why a process ended that should not have."""
    if late or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return "took too long: it was stopped"
    if os.WIFSIGNALED(status):
        return f"ended the process ({signal.Signals(os.WTERMSIG(status)).name}): out of memory, or a crash"
    return "ended the process"


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
    for number, step in enumerate(job["steps"]):
        name = step.get("test")
        if name and name not in decided:
            send(pipe, token, begins=number)
            decided[name] = run_test(name, lesson, shell.user_ns.get(name), job["seconds"])
            send(pipe, token, test=name, verdict=decided[name])
        if name and not decided[name]["passed"]:
            if any(later.get("test") == name for later in job["steps"][number + 1 :]):
                decided.pop(name)
            shell.user_ns[name] = getattr(lesson.module, name).reference  # as the catch-up line does
        if name or number in skip:
            continue
        send(pipe, token, begins=number)
        sandbox.limit_cpu(job["seconds"])
        result = shell.run_cell(step["run"], store_history=False)
        if contained:  # nothing else is in this namespace but the warden, whom the kernel protects
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            send(pipe, token, problem=f"{type(error).__name__}: {error}"[:300], cell=step["cell"])
    send(pipe, token, finished=True)


def verdict(status: str, text: str = "") -> dict:
    return {"passed": status == core.PASSED, "status": status, "text": text[:LONGEST_TEXT]}


def run_test(name: str, lesson: Lesson, function, seconds: float) -> dict:
    """The verdict of our hidden tests on `function`, called in a process of its own."""
    token, (r, w) = secrets.token_hex(8), os.pipe()

    def work() -> None:
        sandbox.limit_cpu(seconds)
        send(w, token, **judge(name, lesson, function))

    end = time.monotonic() + WALL * seconds
    pid, found = fork(work), {}
    try:
        for message in receive(r, token, pid, lambda: end):
            found = found or message
    finally:
        os.close(r), os.close(w)
    if "ended" in found:
        return verdict(in_words(found["ended"], time.monotonic() > end))
    return found


def judge(name: str, lesson: Lesson, function) -> dict:
    """Run our check cell on `function`, with our own names."""
    if lesson.checks() != lesson.whole:
        return verdict(core.FAILED, "the submission changes the course's checks; it has to leave them as they are")
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


def guard(job: dict, lesson: Lesson, shell, scratch: Path, protection: sandbox.Protection) -> dict:
    """{"results": {exercise: verdict}, "problems": [[cell, words]]} of a notebook, whatever its cells do."""
    contained = os.getpid() == 1  # only the first process of a namespace has this number
    results, problems, skip = {}, {}, set()
    end = time.monotonic() + job["most"]
    while True:
        at, begun = None, time.monotonic()
        token, (r, w) = secrets.token_hex(8), os.pipe()

        def work(r=r, w=w, token=token) -> None:
            os.close(r), os.setsid()
            sandbox.watch(scratch, protection)
            run_cells(job, lesson, shell, skip, dict(results), token, w, contained)

        pid, finished = fork(work), False
        for message in receive(r, token, pid, lambda: min(end, begun + (WALL + 1) * job["seconds"])):  # noqa: B023
            if "begins" in message:
                at, begun = message["begins"], time.monotonic()
            elif "test" in message:
                results[message["test"]] = message["verdict"]
            elif "problem" in message:
                problems[message["cell"]] = message["problem"]
            finished |= "finished" in message
        os.close(r), os.close(w)
        clear(contained, pid)
        if finished:
            return {"results": results, "problems": sorted(problems.items())}
        why = in_words(message["ended"], time.monotonic() > min(end, begun + (WALL + 1) * job["seconds"]))
        if at is None or time.monotonic() > end:
            problems[0] = f"after {job['most']} s there was no time for the rest" if at is not None else why
            return {"results": results, "problems": sorted(problems.items())}
        step = job["steps"][at]
        if "test" in step:
            results[step["test"]] = verdict(why)
        else:
            skip.add(at)
            problems[step["cell"]] = f"{why}; the rest was run without this cell"


def clear(contained: bool, pid: int) -> None:
    """End what a runner has left behind."""
    try:
        os.kill(-1, signal.SIGKILL) if contained else os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
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
        send(pipe, token, **guard(job, lesson, shell, scratch, protection))

    os.waitpid(fork(work), 0)


def run_job(job: dict, lesson: Lesson, shell, setup: dict) -> dict:
    """The warden's answer; {} if there is none. Meanwhile, submissions that grow too large are stopped."""
    token, (r, w) = secrets.token_hex(8), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        scratch = Path(folder).resolve()
        for path in job["files"]:
            shutil.copy(path, scratch)
        pid = fork(lambda: keep(job, lesson, shell, scratch, setup, token, w))
        end, answer, looked = time.monotonic() + job["most"] + WALL * job["seconds"], {}, [time.monotonic()]

        def deadline() -> float:
            if time.monotonic() > looked[0] + 0.5:
                stop_if_too_large(pid, scratch, job["memory"])
                looked[0] = time.monotonic()
            return end

        for message in receive(r, token, pid, deadline):
            answer = answer or message
    os.close(r), os.close(w)
    return {} if "ended" in answer else answer


def stop_if_too_large(keeper: int, scratch: Path, memory: int) -> None:
    """Kill all below the warden if together they have more than twice the memory that one may have, or fill the disk."""
    try:
        (warden,) = psutil.Process(keeper).children()
        below = warden.children(recursive=True)
        used = sum(process.memory_full_info().uss for process in below) if len(below) > 2 else 0
        files = sum(path.lstat().st_size for path in scratch.rglob("*"))
        for process in below if used > 2 * memory or files > LARGEST_SCRATCH else []:
            process.kill()
    except (psutil.Error, ValueError, OSError):
        pass  # they have ended meanwhile


def main() -> None:
    """The first line is the set-up: lessons, protection, and what may be read."""
    setup = json.loads(sys.stdin.readline()) | {"output": os.dup(1)}
    os.dup2(2, 1)  # what is printed is not a result
    import torch

    torch.set_num_threads(1)  # a process that has used its threads cannot be forked
    lessons = {number: Lesson(number, **given) for number, given in setup["lessons"].items()}
    shell = new_shell()
    os.write(setup["output"], b"ready\n")
    for line in sys.stdin:
        job = json.loads(line)
        answer = run_job(job, lessons[job["lesson"]], shell, setup)
        os.write(setup["output"], json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
