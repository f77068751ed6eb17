"""The worker's eye on everything that a warden has started: what sleeps without end, grows too large or fills the disk is stopped.

A process that waits for a busy processor does not sleep, so a busy machine takes no points from anybody.
"""

import time
from pathlib import Path

import psutil

EVERY = 0.5  # s
LARGEST_SCRATCH = 200 << 20  # bytes
AWAKE = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)


class Watch:
    """Call it often; it looks twice a second. keeper: the warden's parent. seconds: of sleep. most: by the clock. memory: bytes."""

    def __init__(self, keeper: int, scratch: Path, seconds: float, most: float, memory: int, **job):
        self.keeper, self.scratch, self.seconds, self.memory = psutil.Process(keeper), scratch, seconds, memory
        self.end, self.next, self.slept = time.monotonic() + most + 60, 0.0, 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + EVERY
        try:
            for process in self.to_stop(now):
                process.kill()
        except (psutil.Error, OSError):
            pass  # they have ended meanwhile

    def to_stop(self, now: float) -> list[psutil.Process]:
        """The keeper when the time of the notebook is over; all below the warden where they are too large; the sleepers."""
        if now > self.end:
            return [self.keeper]
        below = [p for warden in self.keeper.children() for p in warden.children(recursive=True)]
        used = sum(p.memory_full_info().uss for p in below) if len(below) > 2 else 0  # a runner and a tester have limits of their own
        if used > 2 * self.memory or sum(path.lstat().st_size for path in self.scratch.rglob("*")) > LARGEST_SCRATCH:
            return below
        asleep = below and not any(p.status() in AWAKE for p in below)
        self.slept = self.slept + EVERY if asleep else max(0.0, self.slept - EVERY)
        if self.slept < self.seconds:
            return []
        self.slept = 0.0
        parents = {p.ppid() for p in below}
        return [p for p in below if p.pid not in parents]
