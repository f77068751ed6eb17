"""Ctrl-C is kept until somebody may act on it, in this process and in those that it starts."""

import multiprocessing
import os
import signal

import pytest

from tinycourse.search.interrupts import Interrupts, listen, passed_on

pytestmark = pytest.mark.usefixtures("ctrl_c")


def come() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_is_kept_until_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        come()
        done.append(interrupts.came)
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_raised_where_it_may_be_and_once():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        try:
            with interrupts.raised():
                come()
                done.append("was not raised")
        except KeyboardInterrupt:
            come()
            done.append("what is done about it is done in peace")
        with pytest.raises(KeyboardInterrupt), interrupts.raised():
            done.append("went on")
    assert done == ["what is done about it is done in peace"]


def test_one_that_was_swallowed_is_still_known():
    """As by a finaliser, whose exceptions Python prints and forgets."""
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        with interrupts.raised():
            try:
                come()
            except KeyboardInterrupt:
                pass
        assert interrupts.came


def test_another_error_is_not_covered():
    with pytest.raises(OSError, match="full"), Interrupts():
        come()
        raise OSError("full")


def test_where_it_is_ignored_it_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts() as interrupts:
        come()
    assert not interrupts.came and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def wait_for_it(ready, go) -> None:
    """A process that listens late, when SIGINT has come already."""
    ready.set()
    go.wait()
    os._exit(7 if listen().came else 1)


def test_a_process_gets_what_came_before_it_listens():
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    process = context.Process(target=wait_for_it, args=(ready, go), daemon=True)
    with passed_on():
        process.start()
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    os.kill(process.pid, signal.SIGINT)  # before Python runs in it, or after
    ready.wait()
    os.kill(process.pid, signal.SIGINT)
    go.set()
    process.join()
    assert process.exitcode == 7
