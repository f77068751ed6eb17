"""Where studies live: journals on full disks and after power cuts, and a proxy that forty workers share."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests import searchers
from tinycourse.errors import TinycourseError
from tinycourse.search import explore, storage

PATIENCE = 600  # seconds: for a hang, not for a slow machine
SEARCHERS = Path(searchers.__file__)


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """A journal with a study of three trials, and a search that trains nothing."""
    searchers.train_nothing(monkeypatch.setattr)
    path = tmp_path / "s.journal"
    study = explore.open_study("s", str(path), searchers.SETTINGS)
    told(study, 3)
    return path


def told(study: optuna.Study, count: int) -> None:
    """Some more trials, told by this thread."""
    searchers.here.left, searchers.here.hindrance = -1, None
    for _ in range(count):
        explore.step(study, searchers.SETTINGS, None)


def complete(path) -> list[float]:
    """The values in a journal, as Optuna's own reader finds them."""
    backend = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    trials = optuna.load_study(study_name="s", storage=backend).get_trials(states=(TrialState.COMPLETE,))
    return [trial.value for trial in trials]


# --------------------------------------------------------------------------------------------------------- journals


@contextlib.contextmanager
def full_disk(path: Path, room: int):
    """No file that this process writes may grow beyond the size of `path` and `room` bytes."""
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 60, 300, 1_000])
def test_a_full_disk_costs_the_trial_that_was_under_way(journal, room):
    study = explore.open_study("s", str(journal))
    with full_disk(journal, room), pytest.raises(TinycourseError, match=r"s\.journal cannot be written .* free some disk space"):
        told(study, 9)
    before = complete(journal)
    assert 3 <= len(before) < 12
    for resumed in range(1, 4):
        told(explore.open_study("s", str(journal), searchers.SETTINGS), 1)
        found = complete(journal)
        assert found[:-resumed] == before and len(found) == len(before) + resumed


def test_a_last_line_that_was_cut_anywhere_is_left_out(journal, capsys):
    content = journal.read_bytes()
    begin = content.rindex(b"\n", 0, -1) + 1
    number = content.count(b"\n")
    for size in range(begin + 1, len(content), 9):
        for nothing in (b"", bytes(5), bytes(5) + b"\n"):
            journal.write_bytes(content[:size] + nothing)
            study = explore.open_study("s", str(journal), searchers.SETTINGS)
            assert len(study.get_trials(states=(TrialState.COMPLETE,))) == 2 and journal.read_bytes().startswith(content[:begin])
            assert journal.read_bytes()[begin : begin + 12] == b'{"op_code":0', "the study is asked for next"
            assert f"s.journal: line {number} was cut short" in capsys.readouterr().err


@pytest.mark.parametrize("nothing", [bytes(1), bytes(5_000), bytes(5_000) + b"\n"])
def test_zeros_at_the_end_are_left_out(journal, nothing):
    content = journal.read_bytes()
    journal.write_bytes(content + nothing)
    assert len(explore.open_study("s", str(journal)).get_trials()) == 3  # to read it changes nothing
    assert journal.read_bytes() == content + nothing
    told(explore.open_study("s", str(journal), searchers.SETTINGS), 1)
    assert len(complete(journal)) == 4 and bytes(1) not in journal.read_bytes()


@pytest.mark.parametrize("wrong", [b"hello\n", b'{"op_code":4,"wor{"op_code":0}\n', b"[1]\n", b'{"a":1}\n', b"\xff\n", bytes(9) + b"}\n"])
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_changed(journal, wrong):
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:4], wrong, *lines[4:]]))
    damaged = journal.read_bytes()
    with pytest.raises(TinycourseError, match=r"^Line 5 of the journal .*s\.journal cannot be read; keep the 4 in front of it"):
        explore.open_study("s", str(journal), searchers.SETTINGS)
    assert journal.read_bytes() == damaged


@pytest.mark.parametrize("text", [b"hello", b"hello\n", b"# A note\n\nof mine.\n", b"{mine}"])
def test_a_file_of_another_kind_is_refused_and_stays(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_bytes(text)
    with pytest.raises(TinycourseError, match=r"^Line 1 of the journal .*notes\.txt cannot be read"):
        explore.open_study("s", str(path), searchers.SETTINGS)
    assert path.read_bytes() == text


def test_places_that_cannot_be_opened(tmp_path):
    with pytest.raises(TinycourseError, match="cannot be opened"):
        storage.open_storage(str(tmp_path))
    with pytest.raises(TinycourseError, match="cannot be opened"):
        storage.open_storage("nosuch://host/db")


# ------------------------------------------------------------------------------------------------------------ proxy


@pytest.mark.parametrize("wrong", ["", "localhost", "localhost:", "localhost:x", "localhost:99999", ":13000", "a/b:1", "localhost:1/x"])
def test_what_is_no_address_is_refused(wrong):
    with pytest.raises(TinycourseError, match="HOST:PORT, such as localhost:13000"):
        storage.address(storage.SCHEME + wrong)


def test_addresses():
    assert storage.address("grpc://localhost:13000") == storage.address("localhost:13000") == ("localhost", 13000)


@pytest.fixture
def port():
    """A port that nobody else gets: it is taken here, but only the server listens."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("localhost", 0))
        yield taken.getsockname()[1]


def test_nobody_answers(port):
    with pytest.raises(TinycourseError, match=rf"^Nobody answers at grpc://localhost:{port}; start `tinycourse explore --serve"):
        explore.open_study("s", f"grpc://localhost:{port}", searchers.SETTINGS)


def test_without_grpc_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(TinycourseError, match=r"pip install 'tinycourse\[cluster\]'"):
        storage.open_storage("grpc://localhost:13000")
    with pytest.raises(TinycourseError, match=r"pip install 'tinycourse\[cluster\]'"):
        storage.serve("localhost:13000", "s.journal")


@pytest.fixture
def served(journal, port, ctrl_c):
    """A journal behind a proxy, started on the command line: the process and the place for workers."""
    command = [sys.executable, "-m", "tinycourse.cli", "explore", "--serve", f"localhost:{port}", "--storage", str(journal)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        optuna.storages.GrpcStorageProxy(host="localhost", port=port).wait_server_ready(PATIENCE)
        yield process, f"grpc://localhost:{port}"
        process.kill()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_forty_workers_of_two_processes_lose_and_double_nothing(served, journal):
    """Seven are killed with their process, and three stop as by Ctrl-C, in the middle of a candidate."""
    process, place = served
    with subprocess.Popen([sys.executable, str(SEARCHERS), place, "20", "7"], stdout=subprocess.PIPE, text=True) as others:
        threads, ours = searchers.search(place, 20, 3, stop_here)
        for thread in threads:
            thread.join()
        theirs = json.loads(others.stdout.readline())
        others.kill()
    put_back = at_once(4, lambda: explore.retry_lost(explore.open_study("s", place)))
    study = explore.open_study("s", place)
    assert sum(put_back) == 7 and explore.retry_lost(study) == 0

    while waiting := study.get_trials(states=(TrialState.WAITING,)):
        told(study, len(waiting))
    trials = study.get_trials()
    by_state = {state: [t.number for t in trials if t.state == state] for state in TrialState}
    assert [t.number for t in trials] == list(range(len(trials))) and not by_state[TrialState.RUNNING]
    assert len(ours) == 20 * searchers.CANDIDATES - 3 and len(theirs) == 20 * searchers.CANDIDATES - 7
    assert len(by_state[TrialState.FAIL]) == 10 and {*ours, *theirs} <= {*by_state[TrialState.COMPLETE]}
    assert len({*ours, *theirs}) == len(ours + theirs)
    again = {t.user_attrs["retry_of"]: t for t in trials if "retry_of" in t.user_attrs}
    assert sorted(again) == by_state[TrialState.FAIL]
    assert all(t.params == trials[number].params and t.state == TrialState.COMPLETE for number, t in again.items())
    assert sorted({t.params["x"] for t in trials}) == sorted(complete(journal)), "every point was told, and once"

    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130 and process.stderr.read().count("\n") == 2  # where it serves, and that it stopped
    with pytest.raises(TinycourseError, match="went away"), storage.reached(place):
        told(study, 1)


def stop_here() -> None:
    """Ctrl-C in one thread."""
    raise KeyboardInterrupt


def at_once(count: int, work) -> list:
    """What so many threads return that begin together."""
    barrier, found = threading.Barrier(count), []

    def begin() -> None:
        barrier.wait()
        found.append(work())

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_an_address_that_is_taken_or_elsewhere(tmp_path):
    with socket.create_server(("localhost", 0)) as taken, pytest.raises(TinycourseError, match="give a free port of this machine"):
        storage.serve(f"localhost:{taken.getsockname()[1]}", str(tmp_path / "s.journal"))
    with pytest.raises(TinycourseError, match="give a free port of this machine"):
        storage.serve("nowhere.invalid:13000", str(tmp_path / "s.journal"))


def test_another_kind_of_server_is_no_proxy(monkeypatch):
    monkeypatch.setattr(storage, "PATIENCE", 0.1)
    with socket.create_server(("localhost", 0)) as other, pytest.raises(TinycourseError, match="^Nobody answers"):
        storage.open_storage(f"grpc://localhost:{other.getsockname()[1]}")
