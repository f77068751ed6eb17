"""Ctrl-C that is neither lost nor in the way: it is kept until somebody may act on it."""

import contextlib
import signal
from collections.abc import Iterator


class Interrupts:
    """A handler of SIGINT. `came` says whether there was one; KeyboardInterrupt is raised within `raised` alone, and once.

    With `with`, in the main thread: a SIGINT meanwhile becomes a KeyboardInterrupt at the end at the latest. Where SIGINT is ignored,
    as by the jobs that a script puts in the background, it stays so.
    """

    def __init__(self):
        self.came = self.raising = False

    def __call__(self, *_) -> None:
        """A SIGINT has come."""
        self.came = True
        if self.raising:
            self.raising = False  # what is done about it is done in peace
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """A block in which SIGINT, also one that came before, raises KeyboardInterrupt at once."""
        self.raising = True  # before `came` is read: one of the two notices
        try:
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self.raising = False

    def __enter__(self) -> "Interrupts":
        self.before = signal.getsignal(signal.SIGINT)
        if self.before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self)
        return self

    def __exit__(self, kind, *_) -> None:
        signal.signal(signal.SIGINT, self.before)
        if self.came and kind is None:
            raise KeyboardInterrupt


@contextlib.contextmanager
def passed_on() -> Iterator[None]:
    """For processes that are started meanwhile: SIGINT waits for each until it calls `listen`. Where signals cannot be blocked, nothing."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # the start of a process would start it, and unblock SIGINT with it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen() -> Interrupts:
    """In a process that was started so: its own Interrupts, to the end of the process. One that waited has come."""
    interrupts = Interrupts()
    signal.signal(signal.SIGINT, interrupts)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return interrupts
