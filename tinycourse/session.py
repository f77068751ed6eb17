"""The first cell of every lesson: `tinycourse.start("03")` seeds, chooses the device and says what this run is made of."""

import os
import platform
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tinycourse.errors import TinycourseError

# Okabe and Ito's colours: told apart by people with any of the common kinds of colour blindness.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
# Tiny networks gain nothing from more threads, and lose much where the threads have to share their cores.
MOST_THREADS = 4


@dataclass(frozen=True)
class Session:
    """What `start` decided for this run of a lesson.

    lesson: its number, "00" to "99". seed: what every random generator was seeded with. device: "cpu" or "cuda".
    fast: trainings are shortened (TINYCOURSE_FAST=1). data: the data set to use, "speech-commands" where found, else "tinywords".
    """

    lesson: str
    seed: int
    device: str
    fast: bool
    data: str


def start(lesson: str, seed: int = 0) -> Session:
    """Seed, choose device, threads, data and figure style, print them in two lines, and return them as a `Session`.

    lesson: two digits, "03". Raises TinycourseError for another lesson number.
    """
    import torch

    from tinycourse import __version__

    if not re.fullmatch(r"\d\d", str(lesson)):
        raise TinycourseError(f'The lesson number is {lesson!r}; write two digits, as in tinycourse.start("03").')
    seed_everything(seed)
    torch.set_num_threads(threads(torch.get_num_threads()))
    style_figures()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    session = Session(lesson, seed, device, fast=os.environ.get("TINYCOURSE_FAST") == "1", data=choose_data())
    print(f"tinycourse {__version__}, lesson {lesson}: Python {platform.python_version()}, torch {torch.__version__}")
    print(
        f"seed {seed}, device {device} ({torch.get_num_threads()} threads), data {session.data}, "
        + ("FAST run: trainings are shortened" if session.fast else "full run")
    )
    return session


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch (all devices)."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def threads(default: int) -> int:
    """How many threads torch should use: `default`, but no more than a container allows, and at most four.

    OMP_NUM_THREADS decides where it is set. In a container, such as Binder's, `default` counts the cores of the whole machine.
    """
    if os.environ.get("OMP_NUM_THREADS"):
        return default
    return max(1, min(default, MOST_THREADS, container_cpus()))


def container_cpus(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Whole CPUs that the container's time quota allows, at least one; a large number where there is no quota."""
    quota, _, period = limit.read_text().strip().partition(" ") if limit.exists() else ("max", "", "")
    return sys.maxsize if quota == "max" else max(1, int(quota) // int(period))


def choose_data() -> str:
    """The name of the data set that lessons use: the real recordings where they are found, else the bundled synthetic words."""
    from tinycourse.data import find

    return "speech-commands" if find("speech-commands") else "tinywords"


def style_figures() -> None:
    """Set matplotlib's colours and sizes: readable by colour-blind people, and small enough to be committed (under 100 KB)."""
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=PALETTE),
            "image.cmap": "cividis",
            "figure.figsize": (7, 3.2),
            "figure.dpi": 80,
            "savefig.dpi": 80,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "font.size": 10,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    )
