"""The live recogniser in a real browser, in a real JupyterLab: microphone, upload and clip give the words that Python gives."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from browser import Browser, answers, jupyterlab, plays, run_all, write_notebook
from recordings import tone, write

from tinycourse import checkpoint, data, deploy, live, recorder
from tinycourse.audio import read_audio, to_int16
from tinycourse.errors import TinycourseError
from tinycourse.mcu import listener, package
from tinycourse.mcu.listener import Compiled, Listener, Settings

CELL = """import torch
torch.set_num_threads(1)
from tinycourse.live import Live
from tinycourse.mcu.listener import Listener, Settings
from tinycourse.mcu.program import Program
speak = Live(Listener(Program.load("program.safetensors"), Settings(threshold=0.7)))
speak"""
AFTER = """import json, pathlib
pathlib.Path("decisions.json").write_text(json.dumps(speak.decisions));"""


@pytest.fixture(scope="module")
def clips():
    return data.open_dataset("tinywords").clips("testing")


@pytest.fixture(scope="module")
def listening(clips) -> Listener:
    program = deploy.program_of(checkpoint.load("tinyspeech-m"), clips.audio[::4], samples=True)
    return Listener(program, Settings(threshold=0.7))


@pytest.fixture(scope="module")
def compiled(listening) -> Compiled:
    return Compiled(listening, package.WebAssembly(listener.webassembly(listening)))


def expected(compiled: Compiled, samples: np.ndarray, source: str) -> list[dict]:
    """The decisions of a clip int16 [S] that is played, by wasmtime."""
    classes, chunk = data.TASKS["10"], compiled.chunk
    before, after = (np.zeros(n, np.int16) for n in live.PAUSES)
    found = listener.hear(compiled, np.concatenate([before, samples, after]))
    return [
        {"word": classes[word], "score": score / 2**14, "time": round((i + 1) * chunk / data.RATE, 3), "source": source}
        for i, word, score in found
    ]


@pytest.fixture(scope="module")
def said(clips, compiled) -> tuple[str, np.ndarray]:
    """The first clip of the menu that is understood, and its word."""
    offered = live.first_of_each(clips, list(data.TASKS["10"][2:]))
    understood = {word: x for word, x in offered.items() if [d["word"] for d in expected(compiled, x, "")] == [word]}
    assert understood
    return next(iter(understood.items()))


@pytest.fixture(scope="module")
def lab(listening, tmp_path_factory):
    """The address of JupyterLab on a folder with a notebook, and the folder."""
    folder = tmp_path_factory.mktemp("lab")
    listening.program.save(folder / "program.safetensors")
    write_notebook(folder / "live.ipynb", CELL, AFTER)
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        yield address % "live.ipynb", folder


@pytest.fixture(scope="module")
def chromium(chromedriver, lab, said, tmp_path_factory):
    """A browser with the widget before it, whose microphone hears the word again and again."""
    word, x = said
    pause = np.zeros(data.RATE, np.int16)
    file = write(tmp_path_factory.mktemp("sound") / "word.wav", np.concatenate([pause, x, pause]))
    opened = Browser(chromedriver, lab[0], *plays(file))
    try:
        assert run_all(opened) == []
        opened.until("document.querySelector('button[aria-pressed]:enabled') && 1")
        yield opened
    finally:
        opened.close()


def decision(browser: Browser) -> str:
    """What the page says was heard, once it says something."""
    return browser.until("/%/.test(document.querySelector('.live-decision').textContent) && document.querySelector('.live-decision').textContent")


def decisions(browser: Browser, folder) -> list[dict]:
    """What the notebook's kernel knows: its second cell is run again."""
    browser.script("""const lab = window.jupyterapp, book = lab.shell.currentWidget.content;
        book.activeCellIndex = 1; return lab.commands.execute("notebook:run-cell").then(() => 0)""")
    return json.loads((folder / "decisions.json").read_text())


def ended(browser: Browser) -> None:
    browser.until("/has ended/.test(document.querySelector('.live-status').textContent)")


def test_the_microphone_in_jupyterlab(chromium, said):
    chromium.click("button[aria-pressed]")
    assert decision(chromium).startswith(said[0])
    chromium.script("document.querySelector('.jp-OutputArea').scrollIntoView()")
    chromium.screenshot("live_microphone", "[aria-label='Live word recogniser']")
    chromium.screenshot("live_lab")
    assert chromium.script("return document.querySelector('button[aria-pressed]').textContent") == "Stop listening"
    chromium.click("button[aria-pressed]")
    assert chromium.until("document.querySelector('.live-status').textContent") == "The microphone is off."
    assert chromium.errors() == []


def test_a_clip_and_a_file_give_what_wasmtime_gives(chromium, lab, said, compiled, tmp_path):
    word, x = said
    before = len(decisions(chromium, lab[1]))
    chromium.script("document.querySelector('select[aria-label]').value = arguments[0]", word)
    chromium.click("button[aria-label^='Play']")
    ended(chromium)
    assert decision(chromium).startswith(word)
    found = decisions(chromium, lab[1])[before:]
    assert found == expected(compiled, x, f"the clip “{word}”") and found
    chromium.keys("input[type=file]", str(write(tmp_path / "mine.wav", x)))
    chromium.until("/mine.wav has ended/.test(document.querySelector('.live-status').textContent)")
    assert decisions(chromium, lab[1])[before + len(found) :] == expected(compiled, x, "mine.wav")
    assert chromium.script("return document.querySelector('.live-list').textContent").endswith(f"{word}, {word}")
    assert chromium.errors() == []


def test_a_file_that_is_no_wav_is_one_sentence(chromium, tmp_path):
    (tmp_path / "letter.wav").write_text("dear aunt, here is no sound at all")
    chromium.keys("input[type=file]", str(tmp_path / "letter.wav"))
    told = chromium.until("/^letter/.test(document.querySelector('.live-status').textContent) && document.querySelector('.live-status').textContent")
    assert told == "letter.wav is no WAV file: save the recording as WAV and choose it again."
    assert chromium.errors() == []
