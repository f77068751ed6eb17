"""The live recogniser in a real browser, in a real JupyterLab: microphone, upload and clip give the words that Python gives."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
import soundfile

from tests.browser import Browser, jupyterlab, plays, run_all, served, write_notebook
from tests.recordings import tone, write
from tinycourse import data
from tinycourse.codegen import spotter_writer
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy
from tinycourse.features.audio import to_int16
from tinycourse.program import keyword_spotter
from tinycourse.program.keyword_spotter import Listener, Settings
from tinycourse.targets import binaries
from tinycourse.training import checkpoint
from tinycourse.widgets import live_demo

CELL = """import torch
torch.set_num_threads(1)
from tinycourse.widgets.live_demo import Live
from tinycourse.program.keyword_spotter import Listener, Settings
from tinycourse.program.program import Program
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
    return Compiled(listening, binaries.WebAssembly(spotter_writer.webassembly(listening)))


def expected(compiled: Compiled, samples: np.ndarray, source: str) -> list[dict]:
    """The decisions of a clip int16 [S] that is played, by wasmtime."""
    classes, chunk = data.TASKS["10"], compiled.chunk
    found = keyword_spotter.spot(compiled, keyword_spotter.between_pauses(samples, data.RATE))
    return [
        {"word": classes[word], "score": score / 2**14, "time": round((i + 1) * chunk / data.RATE, 3), "source": source}
        for i, word, score in found
    ]


@pytest.fixture(scope="module")
def said(clips, compiled) -> tuple[str, np.ndarray]:
    """The first clip of the menu that is understood, and its word."""
    offered = live_demo.first_of_each(clips, list(data.TASKS["10"][2:]))
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
    return browser.until(
        "/%/.test(document.querySelector('.live-decision').textContent) && document.querySelector('.live-decision').textContent"
    )


def decisions(browser: Browser, folder) -> list[dict]:
    """What the notebook's kernel knows: its second cell is run again."""
    browser.script("""const lab = window.jupyterapp, book = lab.shell.currentWidget.content;
        book.activeCellIndex = 1; return lab.commands.execute("notebook:run-cell").then(() => 0)""")
    return json.loads((folder / "decisions.json").read_text())


def test_the_microphone_in_jupyterlab(chromium, said):
    chromium.click("button[aria-pressed]")
    assert chromium.text(".live-decision", "%").startswith(said[0])
    chromium.script("document.querySelector('.jp-OutputArea').scrollIntoView()")
    chromium.screenshot("live_microphone", "[aria-label='Live word recogniser']")
    chromium.screenshot("live_lab")
    assert chromium.text("button[aria-pressed]") == "Stop listening"
    chromium.click("button[aria-pressed]")
    assert chromium.text(".live-status") == "The microphone is off."
    assert chromium.errors() == []


def test_a_clip_and_a_file_give_what_wasmtime_gives(chromium, lab, said, compiled, tmp_path):
    word, x = said
    before = len(decisions(chromium, lab[1]))
    chromium.script("document.querySelector('select[aria-label]').value = arguments[0]", word)
    chromium.click("button[aria-label^='Play']")
    chromium.text(".live-status", "clip .* has ended")
    assert chromium.text(".live-decision", "%").startswith(word)
    found = decisions(chromium, lab[1])[before:]
    assert found == expected(compiled, x, f"the clip “{word}”") and found
    chromium.keys("input[type=file]", str(write(tmp_path / "mine.wav", x)))
    chromium.text(".live-status", "mine.wav has ended")
    assert decisions(chromium, lab[1])[before + len(found) :] == expected(compiled, x, "mine.wav")
    assert chromium.text(".live-list").endswith(f"{word}, {word}")
    assert chromium.errors() == []


def test_a_file_that_is_no_wav_is_one_sentence(chromium, tmp_path):
    (tmp_path / "letter.wav").write_text("dear aunt, here is no sound at all")
    chromium.keys("input[type=file]", str(tmp_path / "letter.wav"))
    told = chromium.until(
        "/^letter/.test(document.querySelector('.live-status').textContent) && document.querySelector('.live-status').textContent"
    )
    assert told == "letter.wav is no WAV file: save the recording as WAV and choose it again."
    assert chromium.errors() == []


# ------------------------------------------------------------------------------------------- in a page of its own

PAGE = """<!doctype html><meta charset="utf-8"><div id="here"></div><script type="module">
import widget, { Resampler, readWav, toInt16 } from "./live.js";
const bytes = async (name) => new DataView(await (await fetch(name)).arrayBuffer());
const settings = await (await fetch("settings.json")).json();
const state = { settings, module: await bytes("module"), clips: await bytes("clips"), decisions: [] };
window.read = (text, name) => {
  try {
    const { rate, samples } = readWav(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer, name);
    const resampler = new Resampler(rate);
    const parts = [];
    for (let at = 0; at < samples.length; at += 777) parts.push(...toInt16(resampler.push(samples.subarray(at, at + 777))));
    return parts.concat(...toInt16(resampler.end()));
  } catch (error) {
    return error.message;
  }
};
widget.render({ model: { get: (name) => state[name], on: () => {} }, el: document.getElementById("here") });
</script>"""


@pytest.fixture(scope="module")
def page(chromedriver, clips, listening, tmp_path_factory):
    """A browser that has no microphone, with the widget and its functions."""
    folder, widget = tmp_path_factory.mktemp("page"), live_demo.Live(listening, clips)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "live.js").write_text(live_demo.Live._esm, encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(widget.settings))
    for name in ("module", "clips"):
        (folder / name).write_bytes(getattr(widget, name))
    with served(folder) as address:
        opened = Browser(chromedriver, address, "--deny-permission-prompts")
        try:
            opened.until("window.read && document.querySelector('button[aria-pressed]:enabled') && 1")
            yield opened
        finally:
            opened.close()


def read(browser: Browser, content: bytes, name: str = "word.wav"):
    """What the browser makes of a file: int16 samples at 16 kHz, or a sentence."""
    return browser.script("return window.read(...arguments)", base64.b64encode(content).decode(), name)


def wav(samples: np.ndarray, rate: int = 16_000, **options) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **options)
    return file.getvalue()


def test_without_a_microphone_the_page_says_so(page):
    page.click("button[aria-pressed]")
    sentence = page.text(".live-status", "upload")
    assert "microphone" in sentence.lower() and sentence.endswith("upload a recording.")
    assert page.until("document.querySelector('button[aria-pressed]').disabled === false")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_every_kind_of_wav_at_16_khz_is_read_to_the_bit(page, subtype):
    content = wav(np.stack([tone(440), tone(700)], 1), subtype=subtype)
    samples, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    difference = np.array(read(page, content)) - to_int16(samples.mean(1))
    assert np.abs(difference).max() <= (subtype == "PCM_32")  # numpy takes the mean of float32
    mono = wav(to_int16(tone(440)), subtype="PCM_16")
    np.testing.assert_array_equal(read(page, mono), to_int16(tone(440)))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(page, rate):
    found = np.array(read(page, wav(tone(1_000, rate=rate), rate))) / 32768
    assert len(found) == 16_000
    assert np.abs(found[:15_800] - tone(1_000)[:15_800])[200:].max() < 0.003  # 1 percent of the tone
    if rate > 16_000:
        assert np.abs(np.array(read(page, wav(tone(10_000, rate=rate), rate))[200:15_800])).max() < 0.003 * 32768  # would fold to 6 kHz


BAD_FILES = {
    "no WAV": (b"dear aunt, there is no sound in here", "is no WAV file"),
    "nothing": (b"", "is no WAV file"),
    "no samples": (wav(np.zeros(0)), "holds no sound"),
    "another coding": (wav(tone(440), subtype="ULAW"), "of a kind that this page cannot read"),
    "only its beginning": (wav(tone(440))[:30], "of a kind that this page cannot read"),
}


@pytest.mark.parametrize("content, sentence", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_sentence_with_its_name(page, content, sentence):
    told = read(page, content, "my word.wav")
    assert told.startswith("my word.wav ") and sentence in told and page.errors() == []


def test_another_rate_is_refused(listening):
    tensors = listening.program.tensors | {"samples": dataclasses.replace(listening.program.tensors["samples"], shape=(8_000,))}
    slow = Listener(dataclasses.replace(listening.program, tensors=tensors))
    with pytest.raises(TinycourseError, match="16000 samples a second, and this program at 8000"):
        live_demo.Live(slow)
