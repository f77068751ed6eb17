"""Sound from outside: what the microphone's message and an uploaded file become, in Python and in a real browser."""

import io

import numpy as np
import pytest
import soundfile

from tests.browser import FAKE_MICROPHONE, Browser, served
from tests.recordings import tone
from tinycourse.errors import TinycourseError
from tinycourse.features import audio
from tinycourse.widgets import recorder


def file_bytes(samples, rate=16_000, form="WAV", **options) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, **options)
    return file.getvalue()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def widget(heard):
    return recorder.Recorder(heard.append, seconds=1)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_recording_arrives_at_16_khz(widget, heard, rate):
    sound = tone(440, rate=rate).astype(np.float32)
    widget._handle_custom_msg({"rate": rate}, [memoryview(sound.tobytes())])
    (samples,) = heard
    assert samples.dtype == np.float32 and len(samples) == 16_000
    assert np.abs(samples - tone(440))[800:-800].max() < 0.01
    assert widget.status == ""


BAD_RECORDINGS = {
    "silent": (np.zeros(16_000), "is the microphone muted"),
    "nothing": (np.zeros(0), "is the microphone muted"),
    "a click": (np.ones(20), "holds 20 samples"),
    "no numbers": (np.full(16_000, np.nan), "not numbers"),
}


@pytest.mark.parametrize("samples, sentence", BAD_RECORDINGS.values(), ids=BAD_RECORDINGS)
def test_a_bad_recording_is_one_sentence_beside_the_button(widget, heard, samples, sentence):
    widget.receive(widget, {"rate": 48_000}, [samples.astype(np.float32).tobytes()])
    assert sentence in widget.status and not heard
    widget.receive(widget, {"rate": 16_000}, [tone(440).astype(np.float32).tobytes()])
    assert widget.status == "" and len(heard) == 1


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_an_upload_of_any_format_and_rate(form):
    stereo = np.stack([tone(440, rate=44_100), tone(440, rate=44_100)], axis=1)
    samples = audio.from_file(file_bytes(stereo, 44_100, form), f"word.{form.lower()}")
    assert samples.ndim == 1 and abs(len(samples) - 16_000) < 1_200  # MP3 pads
    spectrum = np.abs(np.fft.rfft(samples[:16_000], 16_000))
    assert abs(int(spectrum.argmax()) - 440) <= 2


BAD_UPLOADS = {
    "no sound": (b"a letter to my aunt", "is damaged or no recording"),
    "empty file": (b"", "is damaged or no recording"),
    "cut short": (file_bytes(tone(440))[:9_000], "is cut short"),
    "no samples": (file_bytes(np.zeros(0)), "holds 0 samples"),
}


@pytest.mark.parametrize("content, sentence", BAD_UPLOADS.values(), ids=BAD_UPLOADS)
def test_a_bad_upload_is_one_sentence_with_its_own_name(content, sentence):
    with pytest.raises(TinycourseError) as error:
        audio.from_file(content, "../my word.wav")
    assert str(error.value).startswith("../my word.wav ") and sentence in str(error.value)


def test_uploads_of_ipywidgets_7_and_8_are_the_same():
    seven = {"a.wav": {"metadata": {"name": "a.wav", "size": 2}, "content": b"ab"}}
    eight = ({"name": "a.wav", "type": "audio/wav", "size": 2, "content": memoryview(b"ab")},)
    assert recorder.uploads(seven) == recorder.uploads(eight) == [("a.wav", b"ab")]
    assert recorder.uploads({}) == recorder.uploads(()) == []


# ------------------------------------------------------------------------------------------- in a real browser

PAGE = """<!doctype html><div id="here"></div><script type="module">
import widget from "./recorder.js";
window.sent = [];
const state = { seconds: 1.5, status: "" }; // the fake microphone beeps once a second
const model = {
  get: (name) => state[name],
  on: (event, callback) => (window.changed = callback),
  send: (content, callbacks, buffers) => window.sent.push([content.rate, Array.from(new Float32Array(buffers[0]))]),
};
widget.render({ model, el: document.getElementById("here") });
window.set = (text) => { state.status = text; window.changed(); };
</script>"""


@pytest.fixture
def page(tmp_path):
    """A page with the widget, served from this machine; its address."""
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "recorder.js").write_text(recorder.Recorder._esm, encoding="utf-8")
    with served(tmp_path) as address:
        yield address


@pytest.fixture
def browser(chromedriver, page):
    """A function that opens the page in a Chromium with these options."""
    opened = []

    def open_page(*options) -> Browser:
        opened.append(Browser(chromedriver, page, *options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.close()


def test_the_button_records_pcm_in_a_real_browser(browser):
    chromium = browser(*FAKE_MICROPHONE)
    assert chromium.until("document.querySelector('button')?.textContent") == "Record 1.5 s"
    chromium.click("button")
    ((rate, samples),) = chromium.until("window.sent.length && window.sent")
    samples = audio.from_pcm(np.array(samples, np.float32).tobytes(), rate)
    assert len(samples) == 24_000 and np.isfinite(samples).all()
    assert chromium.until("!document.querySelector('button').disabled")


def test_without_a_microphone_the_widget_says_so_and_can_be_pressed_again(browser):
    chromium = browser("--deny-permission-prompts")
    chromium.until("document.querySelector('button')?.textContent")
    chromium.click("button")
    sentence = chromium.until("document.querySelector('[role=status]').textContent")
    assert "microphone" in sentence.lower() and sentence.endswith("upload a recording.")
    assert chromium.until("!document.querySelector('button').disabled") and not chromium.script("return window.sent.length")


def test_what_python_says_is_shown_beside_the_button(browser):
    chromium = browser()
    chromium.until("window.changed && 1")
    chromium.script("window.set('The recording is silent.')")
    assert chromium.until("document.querySelector('[role=status]').textContent") == "The recording is silent."


@pytest.mark.parametrize("script", sorted(recorder.STATIC.glob("*.js")), ids=lambda path: path.stem)
def test_a_script_loads_nothing_from_anywhere(script):
    text = script.read_text(encoding="utf-8")
    assert "http" not in text.replace("https or localhost", "") and "import" not in text
