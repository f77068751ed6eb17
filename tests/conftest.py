"""Fixtures for every test: recordings made on the spot, small data sets in the layout of the originals, and the real ones."""

import os
import signal
from pathlib import Path

import pytest
import torch

from tests.browser import chromedriver as running
from tests.processors import CPU
from tests.recordings import tone, write
from tinycourse import _torchaudio, data
from tinycourse.errors import TinycourseError
from tinycourse.targets import toolchain

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # test processes share the cores
if os.environ.get(CPU):  # C on this machine as another processor would run it
    toolchain.TARGETS["host"].append(f"-mcpu={os.environ[CPU]}")


@pytest.fixture(scope="session")
def chromedriver():
    """The address of a running chromedriver; skips where there is none."""
    with running() as address:
        yield address


@pytest.fixture(scope="session")
def torchaudio():
    """The peer that the course compares with; skips where it does not load."""
    try:
        return _torchaudio.load()
    except TinycourseError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The root of the real recordings (TINYCOURSE_DATA, or the cache); skips where Speech Commands is not there."""
    if not data.find("speech-commands"):
        pytest.skip(f"the real recordings are not at {data.root()}: set TINYCOURSE_DATA to their folder")
    return data.root()


@pytest.fixture(scope="session")
def real_set():
    """A function that opens a real data set by name and options, or skips where it is not there."""

    def opened(name: str, **options):
        if not data.find(name):
            pytest.skip(f"{name} is not at {data.root()}: set TINYCOURSE_DATA to the folder of the real recordings")
        return data.open_dataset(name, **options)

    return opened


@pytest.fixture
def data_root(tmp_path, monkeypatch) -> Path:
    """An empty data folder that the library looks into for the length of one test."""
    monkeypatch.setenv("TINYCOURSE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def small_speech_commands(data_root) -> Path:
    """Speech Commands in small: 12 words, 20 speakers (2 validate, 3 test), two noises; every word has its own pitch."""
    folder = data_root / "SpeechCommands" / "speech_commands_v0.02"
    words = (*data.KEYWORDS, "bed", "cat")
    for pitch, word in enumerate(words, start=3):
        for speaker in range(20):
            write(folder / word / f"{speaker:08x}_nohash_0.wav", tone(100 * pitch + speaker))
    for speakers, name in ((range(2), "validation"), (range(2, 5), "testing")):
        names = [f"{word}/{speaker:08x}_nohash_0.wav" for word in words for speaker in speakers]
        (folder / f"{name}_list.txt").write_text("\n".join(names) + "\n")
    for pitch, noise in enumerate(("tap", "cat_mews")):
        write(folder / "_background_noise_" / f"{noise}.wav", tone(50 + pitch, seconds=20))
    return folder


@pytest.fixture
def ctrl_c():
    """SIGINT interrupts this process, and those that it starts, as in a terminal: shells let what runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def closed():
    """Closes all figures afterwards; none of them may tell series apart by colour alone."""
    import matplotlib.pyplot as plt

    from tests import drawn

    yield
    found = {figure.number: drawn.colour_alone(figure) for figure in map(plt.figure, plt.get_fignums())}
    plt.close("all")
    assert not any(found.values()), f"give them other markers, line styles or hatches: {found}"


@pytest.fixture
def power_cut(monkeypatch):
    """A function that calls `work`, which trains, and cuts it off where its loop is to begin epoch `number`."""
    from tinycourse.training.loop import Loop

    whole = Loop.epoch

    def cut(number: int, work) -> None:
        def stop(loop, at):
            if at == number:
                raise KeyboardInterrupt
            return whole(loop, at)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Loop, "epoch", stop)
            work()

    return cut
