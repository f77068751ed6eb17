"""The pictures of lesson 01 show what they are given, and its widget loses nothing, whatever it is fed."""

import io

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import soundfile
import torch

from tests.recordings import tone
from tinycourse.data import Clips
from tinycourse.features.frontend import Frontend, FrontendConfig, frame
from tinycourse.plots import lesson01 as figures
from tinycourse.widgets import lesson01

CLASSES = ("silence", "yes", "no")


pytestmark = pytest.mark.usefixtures("closed")


def titles(figure) -> list[str]:
    figure.canvas.draw()
    return [ax.get_title() for ax in figure.axes]


def images(figure) -> list[np.ndarray]:
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]


@pytest.fixture
def word():
    return torch.from_numpy(tone(500)).float() * torch.hann_window(16_000)


def test_stages_follow_one_frame_to_the_maps(word):
    frontend = Frontend(FrontendConfig())
    frames = frame(word[None], 512, 160, 256)[0]
    power = torch.fft.rfft(frames[50] * frontend.window).abs().square()
    log_mel, mfcc = (frontend.mel(frames) + 1e-6).log(), frontend.features(word[None])[0]
    bank = torch.nn.functional.pad(frontend.bank, (0, 0, 0, 257 - len(frontend.bank)))
    figure = figures.stages(word, 50, frames[50] * frontend.window, power, bank, log_mel, mfcc, 0.01)
    assert [title[0] for title in titles(figure)] == list("123456")
    shown, cepstrum = images(figure)
    np.testing.assert_allclose(shown, log_mel.T)
    np.testing.assert_allclose(cepstrum, mfcc[:, 1:].T)
    spectrum = figure.axes[2].lines[0]
    assert spectrum.get_xdata()[spectrum.get_ydata().argmax()] == 500


def test_maps_share_colours_only_when_told():
    x = torch.rand(20, 10)
    rows = {"a": {"one": x, "two": 10 * x}, "b": {"one": x, "two": x}}
    for together, same in ((False, False), (True, True)):
        figure = figures.maps(rows, together)
        limits = [ax.images[0].get_clim() for ax in figure.axes]
        assert (limits[0] == limits[1]) == same and limits[2] == limits[3]
        assert titles(figure) == ["one", "two", "", ""]


def test_kept_and_logarithm_show_what_they_are_given():
    x = torch.rand(20, 40)
    assert [a.shape for a in images(figures.kept(x, {5: x, 2: x}))] == [(40, 20)] * 3
    np.testing.assert_allclose(images(figures.logarithm(x, 1e-6))[1], (x + 1e-6).log().T, rtol=1e-6)


def test_bars_of_frames_and_of_the_stream_stand_where_they_belong(word):
    framed = figures.framing(word, 100, 4, 480, 160).axes[0]
    bars = framed.patches
    assert {text.get_color() for text in framed.texts} == {"black"}  # readable on light bars
    assert [bar.get_x() for bar in bars] == [0, 10, 20, 30] and {bar.get_width() for bar in bars} == {30}
    gone, kept, *frames = figures.stream(512, 160, arrived=910, frames=3, kept=430).axes[0].patches
    assert gone.get_width() == kept.get_x() == frames[3].get_x() == 30
    assert kept.get_x() + kept.get_width() == 910 / 16 and [f.get_fill() for f in frames] == [True] * 3 + [False]


def test_filters_leakage_cosines_and_correlations_are_drawn(word):
    frontend = Frontend(FrontendConfig())
    bands = figures.filter_bank(frontend.bank).axes[1].lines
    assert len(bands) == 40 and max(bands[7].get_ydata()) == float(frontend.bank[:, 7].max())
    assert len(figures.leakage(word[:512], frontend.window, word[:257] ** 2, word[:257] ** 2).axes[1].lines) == 2
    assert images(figures.cosines(frontend.dct))[0].shape == (40, 40)
    assert len(images(figures.correlations({"a": torch.eye(4), "b": torch.eye(4)}))) == 2


# ------------------------------------------------------------------------------------------------------ the widget


@pytest.fixture
def explorer():
    audio = (torch.randn(9, 16_000, generator=torch.Generator().manual_seed(0)) * 3_000).to(torch.int16)
    return lesson01.FrontEndExplorer(Clips(audio, torch.arange(9) % 3, CLASSES, [str(i) for i in range(9)]))


def upload(explorer, **files) -> None:
    """What ipywidgets 8 puts into the value of a FileUpload."""
    explorer.receive({"new": tuple({"name": name, "content": memoryview(content)} for name, content in files.items())})


def wav(samples, rate=16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def test_it_begins_with_bundled_clips(explorer):
    assert list(explorer.sounds) == [f"{name} {take}" for name in CLASSES for take in (1, 2)]
    assert explorer.choice.value == "yes 1" and bytes(explorer.picture.value).startswith(b"\x89PNG")
    assert explorer.message.value == "101 frames x 40 bands, or x 40 coefficients" and "<audio" in explorer.sound.value


CHANGES = {"window": 20, "hop": 20, "low": 400, "high": 7_000, "mels": 30, "coefficients": 10}


@pytest.mark.parametrize("name", CHANGES)
def test_every_slider_changes_the_picture(explorer, name):
    before = bytes(explorer.picture.value)
    explorer.numbers[name].value = CHANGES[name]
    assert bytes(explorer.picture.value) != before


def test_choice_and_kind_change_the_picture(explorer):
    seen = {bytes(explorer.picture.value)}
    explorer.kind.value = "pcen"
    seen.add(bytes(explorer.picture.value))
    explorer.choice.value = "no 2"
    seen.add(bytes(explorer.picture.value))
    assert len(seen) == 3


def test_settings_that_do_not_go_together_are_told_and_the_picture_stays(explorer):
    explorer.numbers["mels"].value = 80
    before = bytes(explorer.picture.value)
    explorer.numbers["high"].value = 1_000
    assert "mel bands lie between two bins" in explorer.message.value and bytes(explorer.picture.value) == before
    explorer.numbers["mels"].value = 12
    assert "12 bands" in explorer.message.value and bytes(explorer.picture.value) != before


def test_uploads_and_recordings_join_the_clips(explorer):
    count = len(explorer.sounds)
    upload(explorer, **{"me.wav": wav(tone(300, rate=44_100), 44_100)})
    assert explorer.choice.value == "me.wav" and len(explorer.sounds["me.wav"]) == 16_000
    for expected in ("recording", "recording (2)"):
        pcm = tone(300, seconds=2, rate=48_000).astype(np.float32).tobytes()
        explorer.recorder.receive(explorer.recorder, {"rate": 48_000}, [pcm])
        assert explorer.choice.value == expected and "201 frames" in explorer.message.value
    assert len(explorer.sounds) == count + 3 and set(explorer.choice.options) == set(explorer.sounds)


def test_a_bad_upload_is_told_and_nothing_is_lost(explorer):
    upload(explorer, **{"me.wav": wav(tone(300))})
    before = bytes(explorer.picture.value), dict(explorer.sounds), explorer.choice.value
    upload(explorer, **{"<b>.wav": b"no sound"})
    assert explorer.message.value.startswith("&lt;b&gt;.wav is damaged or no recording")
    assert (bytes(explorer.picture.value), dict(explorer.sounds), explorer.choice.value) == before


def test_of_several_uploads_the_good_ones_are_taken(explorer):
    upload(explorer, **{"bad.wav": b"no sound", "good.wav": wav(tone(300))})
    assert explorer.choice.value == "good.wav" and explorer.message.value.startswith("bad.wav is damaged")


def test_long_and_short_uploads(explorer):
    upload(explorer, **{"long.wav": wav(tone(300, seconds=11))})
    assert "first 10 seconds" in explorer.message.value and len(explorer.sounds["long.wav"]) == 160_000
    before = bytes(explorer.picture.value)
    upload(explorer, **{"short.wav": wav(tone(300, seconds=0.015))})
    assert "too short for windows" in explorer.message.value and bytes(explorer.picture.value) == before
