"""The worker's eye on everything that a warden has started: what sleeps without end, grows too large or fills the disk is stopped.

A process that waits for a busy processor does not sleep, so a busy machine takes no points from anybody.
"""

import signal
import time
from pathlib import Path

import psutil

from tinycourse.grading.sandbox import MOST_PROCESSES

EVERY = 0.5  # s
LARGEST_SCRATCH = 200 << 20  # bytes
CLEAR = signal.SIGUSR1  # to a warden: end everything that you have started
AWAKE = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)


class Watch:
    """Call it often; it looks twice a second. keeper: the warden's parent. seconds: of sleep. most: by the clock. memory: bytes."""

    def __init__(self, keeper: int, scratch: Path, seconds: float, most: float, memory: int, **job):
        self.keeper, self.scratch, self.seconds, self.memory = psutil.Process(keeper), scratch, seconds, memory
        self.end, self.next, self.slept = time.monotonic() + most + 60, 0.0, 0.0

    def __call__(self) -> None:
        """Look, unless that has just been done."""
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + EVERY
        try:
            self.look(now)
        except (psutil.Error, OSError):
            pass  # they have ended meanwhile

    def look(self, now: float) -> None:
        """Stop the keeper when the time of the notebook is over, all below the warden where they are too many or too large, and sleepers.

        The warden is asked to stop all below it, by CLEAR: it can do so at once, while from here a few would go on forking.
        """
        if now > self.end:
            self.keeper.kill()
        wardens = self.keeper.children()
        below = [p for warden in wardens for p in warden.children(recursive=True)]
        many = len(below) > MOST_PROCESSES  # of root, the kernel does not count them
        used = sum(p.memory_full_info().uss for p in below) if 2 < len(below) and not many else 0  # two have limits of their own
        if many or used > 2 * self.memory or sum(path.lstat().st_size for path in self.scratch.rglob("*")) > LARGEST_SCRATCH:
            for warden in wardens:
                warden.send_signal(CLEAR)
        asleep = below and not any(p.status() in AWAKE for p in below)
        self.slept = self.slept + EVERY if asleep else max(0.0, self.slept - EVERY)
        if self.slept >= self.seconds:
            self.slept = 0.0
            parents = {p.ppid() for p in below}
            for process in below:
                if process.pid not in parents:
                    process.kill()
