"""Reading sound, whole kinds of it: containers, codings, rates, channels and levels give the right samples or one sentence."""

import re
import struct

import numpy as np
import pytest
import soundfile

from tests.recordings import peak_frequency, tone, write
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import fit_length, mono, read_audio, resample, to_int16

PITCH, SLOW = 440, 100  # hertz


def level_of(samples: np.ndarray, pitch: float = PITCH) -> float:
    """How strong a tone is within a recording at 16 kHz, 0 where there is none."""
    samples = samples[2_000:14_000]
    turns = np.exp(-2j * np.pi * pitch * np.arange(len(samples)) / 16_000)
    return 2 * float(np.abs(np.mean(samples * turns)))


# ------------------------------------------------------------------------------------------------ codings and containers

CODINGS = [("WAV", subtype) for subtype in soundfile.available_subtypes("WAV") if subtype != "MPEG_LAYER_III"]  # which nobody writes
CODINGS += [("AIFF", "PCM_16"), ("AU", "PCM_24"), ("W64", "PCM_16"), ("RF64", "FLOAT"), ("CAF", "ALAC_16"), ("NIST", "PCM_16"),
            ("WAVEX", "PCM_32"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]  # fmt: skip
PADDED = ("IMA_ADPCM", "MS_ADPCM", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "GSM610")  # to whole blocks


@pytest.mark.parametrize("form, coding", CODINGS)
def test_every_coding_is_read(tmp_path, form, coding):
    rate = 8_000 if coding.startswith(("NMS", "G72")) else 16_000  # what they were made for
    samples = read_audio(write(tmp_path / "a", tone(PITCH, rate=rate), rate, format=form, subtype=coding))
    assert samples.dtype == np.float32 and 16_000 <= len(samples) <= 16_000 + 600 * (coding in PADDED)
    assert abs(level_of(samples) - 0.3) < 0.03


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "AIFF", "AU", "W64", "RF64", "CAF", "FLAC", "OGG", "MP3"])
def test_half_a_file_is_named(tmp_path, form):
    path = write(tmp_path / "a", tone(PITCH, 5), format=form)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TinycourseError, match="cut short|damaged|less than 10 ms"):
        read_audio(path)


# ------------------------------------------------------------------------------------------------ rates


@pytest.mark.parametrize("rate", [1_000, 7_350, 11_127, 15_999, 16_001, 44_099, 96_000, 1_000_000])
def test_every_rate_is_resampled(tmp_path, rate):
    """Rates that have no common factor with 16,000 cost no more than others: a filter for each fraction would take gigabytes."""
    samples = read_audio(write(tmp_path / "a.wav", tone(SLOW, rate=rate), rate))
    assert len(samples) == 16_000 and abs(level_of(samples, SLOW) - 0.3) < 1e-3


def test_nothing_is_left_above_half_the_lower_rate():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32)
    up, down = resample(noise[:8_000], 8_000, 16_000), resample(noise, 48_000, 16_000)
    power = np.abs(np.fft.rfft(up * np.hanning(len(up)))) ** 2  # bins of 1 Hz
    assert power[4_200:].mean() < 1e-9 * power[:3_800].mean()
    aliased = resample(tone(9_000, rate=48_000).astype(np.float32), 48_000, 16_000)
    assert np.abs(aliased[1_000:-1_000]).max() < 1e-6 and np.abs(down).max() < 1


def test_resampling_is_the_same_with_and_without_the_instructions_of_a_processor(monkeypatch):
    noise, found = np.random.default_rng(0).uniform(-0.5, 0.5, 11_127).astype(np.float32), []
    for simd in ("0", "1"):
        monkeypatch.setenv("SOXR_USE_SIMD", simd)  # libsoxr asks for it at every call
        found.append(resample(noise, 11_127, 16_000))
    assert np.array_equal(*found)


# ------------------------------------------------------------------------------------------------ channels and levels


def test_channels_in_opposite_phase_do_not_cancel(tmp_path):
    left = tone(PITCH)
    for right in (-left, -0.7 * left):  # averaged, nothing or little is left
        samples = read_audio(write(tmp_path / "a.wav", np.stack([left, right], axis=1)))
        assert abs(level_of(samples) - 0.3) < 1e-3
    samples = read_audio(write(tmp_path / "a.wav", np.stack([0.5 * left, -left], axis=1)))  # the louder one counts
    assert abs(level_of(samples) - 0.3) < 1e-3


@pytest.mark.parametrize("channels", [2, 3, 8])
def test_channels_that_do_not_cancel_are_averaged(channels):
    voices = np.stack([tone(PITCH + 100 * i) for i in range(channels)], axis=1).astype(np.float32)
    one, none = np.zeros_like(voices), np.zeros_like(voices)
    one[:, 1] = voices[:, 1]
    for samples in (voices, one, none):
        assert np.array_equal(mono(samples), samples.mean(axis=1))


def test_floats_may_be_a_little_above_full_scale(tmp_path):
    samples = 1.5 * tone(PITCH, volume=1)
    samples[0] = -0.0
    found = read_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert np.array_equal(found, samples.astype(np.float32))


# ------------------------------------------------------------------------------------------------ headers


def patched(place: int, form: str, value: int):
    """A function that writes a number into the 44 bytes of a WAV's header."""

    def patch(path):
        data = bytearray(path.read_bytes())
        struct.pack_into(form, data, place, value)
        path.write_bytes(data)

    return patch


HARMLESS = {
    "sound said to be a byte longer": patched(40, "<I", 32_001),
    "file said to be a byte longer": patched(4, "<I", 32_037),
    "a length that a pipe could not know": patched(40, "<I", 2**32 - 1),
    "no bytes a second": patched(28, "<I", 0),
    "no bytes a sample": patched(32, "<H", 0),
    "something behind the sound": lambda path: path.write_bytes(path.read_bytes() + b"\0" * 7),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_header_that_is_a_little_wrong_does_no_harm(tmp_path, kind):
    path = write(tmp_path / "a.wav", tone(PITCH))
    whole = read_audio(path)
    HARMLESS[kind](path)
    assert np.array_equal(read_audio(path), whole)


def flac_that_promises(samples: int):
    """A header with another number of samples; 0 stands for not known."""

    def patch(path):
        write(path, tone(PITCH), format="FLAC")
        data = bytearray(path.read_bytes())
        data[21] = data[21] & 0xF0 | samples >> 32
        struct.pack_into(">I", data, 22, samples & 0xFFFFFFFF)
        path.write_bytes(data)

    return patch


def filled(value: float):
    return lambda path: write(path, np.full(16_000, float(value)), format="WAV", subtype="FLOAT")


REFUSED = {
    "no rate": (patched(24, "<I", 0), "damaged"),
    "50 samples a second": (patched(24, "<I", 50), "has 50 samples a second"),
    "999 samples a second": (patched(24, "<I", 999), "has 999 samples a second"),
    "2**31 - 1 samples a second": (patched(24, "<I", 2**31 - 1), "has 2147483647 samples a second"),
    "2**31 samples a second": (patched(24, "<I", 2**31), "damaged"),
    "no channels": (patched(22, "<H", 0), "damaged"),
    "65,535 channels": (patched(22, "<H", 65_535), "damaged"),
    "no bits": (patched(34, "<H", 0), "damaged"),
    "an unknown coding": (patched(20, "<H", 0x9999), "damaged"),
    "no sound": (patched(40, "<I", 0), "less than 10 ms"),
    "a byte in front": (lambda path: path.write_bytes(b"\0" + path.read_bytes()), "damaged"),
    "a flac of fifty days": (flac_that_promises(2**36 - 1), "does not say how long it is"),
    "a flac from a pipe": (flac_that_promises(0), "does not say how long it is"),
    "not numbers": (filled(np.nan), "not numbers"),
    "infinite": (filled(-np.inf), "not numbers"),
    "the largest float": (filled(3e38), "full scale"),
    "scaled to 16 bits": (filled(-32_767), "as large as 32,767, where 1 is full scale: divide"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_right_is_one_sentence(tmp_path, kind):
    path = write(tmp_path / "a.wav", tone(PITCH))
    damage, said = REFUSED[kind]
    damage(path)
    with pytest.raises(TinycourseError, match=said) as caught:
        read_audio(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert re.search(r": (replace or delete it|divide them all, and write it again|convert it with another program)\.$", str(caught.value))


def test_a_name_in_other_letters_is_read_or_refused_in_words(tmp_path):
    assert len(read_audio(write(tmp_path / "Zoë ☃.wav", tone(PITCH)))) == 16_000
    odd = tmp_path / "Zo\udceb.wav"  # Latin-1, as an old archive unpacks it
    try:
        odd.write_bytes((tmp_path / "Zoë ☃.wav").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system takes names in UTF-8 only")
    with pytest.raises(TinycourseError, match=r"Zo\\xeb.wav has a name .* rename it") as caught:
        read_audio(odd)
    str(caught.value).encode()


# ------------------------------------------------------------------------------------------------ what recordings become, and broken ones


def test_a_16_bit_recording_comes_through_to_the_bit(tmp_path):
    numbers = np.random.default_rng(0).integers(-32768, 32768, 16_000).astype(np.int16)
    numbers[:2] = -32768, 32767
    samples = read_audio(write(tmp_path / "a.wav", numbers))
    assert samples.dtype == np.float32 and samples.min() >= -1 and samples.max() < 1
    assert np.array_equal(to_int16(samples), numbers)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(tmp_path, rate):
    samples = read_audio(write(tmp_path / "a.wav", tone(1_000, rate=rate), rate))
    middle = samples[1_000:-1_000]
    assert abs(len(samples) - 16_000) <= 1
    assert abs(peak_frequency(middle) - 1_000) < 2 and abs(np.abs(middle).max() - 0.3) < 0.01


def test_resampling_does_not_fold_what_is_too_high_for_the_new_rate(tmp_path):
    samples = read_audio(write(tmp_path / "a.wav", tone(12_000, rate=44_100), 44_100))
    assert np.abs(samples[1_000:-1_000]).max() < 0.01


def test_stereo_is_mixed(tmp_path):
    left, right = tone(500), tone(900)
    samples = read_audio(write(tmp_path / "a.wav", np.stack([left, right], axis=1)))
    assert samples.shape == (16_000,) and np.allclose(samples, (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize("form", ["flac", "ogg", "mp3"])
def test_other_formats_are_read(tmp_path, form):
    samples = read_audio(write(tmp_path / f"a.{form}", tone(1_000)))
    assert abs(peak_frequency(samples) - 1_000) < 5


def test_wav_from_a_pipe_is_not_called_damaged(tmp_path):
    path = write(tmp_path / "a.wav", tone(1_000))
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:])  # sizes that a pipe cannot know
    assert len(read_audio(path)) == 16_000


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN = {
    "missing": (lambda path: path.unlink(), "not there"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "not there"),
    "no bytes": (lambda path: path.write_bytes(b""), "damaged or no recording"),
    "text": (lambda path: path.write_text("this is not sound, whatever its name says\n" * 100), "damaged or no recording"),
    "header cut": (lambda path: path.write_bytes(path.read_bytes()[:30]), "damaged or no recording"),
    "sound cut": (cut_in_half, "cut short"),
    "no sound": (lambda path: write(path, np.zeros(0)), "less than 10 ms"),
    "too short": (lambda path: write(path, tone(1_000, seconds=0.009)), "holds 144 samples, less than 10 ms"),
    "too short at 44.1 kHz": (lambda path: write(path, tone(1_000, 0.009, 44_100), 44_100), "less than 10 ms"),
    "not numbers": (lambda path: write(path, np.full(16_000, np.nan), subtype="FLOAT"), "not numbers"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_recording_is_named_with_what_to_do(tmp_path, kind):
    path = write(tmp_path / "word.wav", tone(1_000))
    damage, said = BROKEN[kind]
    damage(path)
    with pytest.raises(TinycourseError, match=said) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert re.search(r"replace or delete it|check the name", str(caught.value))


def test_a_flac_cut_in_half_is_named(tmp_path):
    path = write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 50_000))
    cut_in_half(path)
    with pytest.raises(TinycourseError, match="a.flac is damaged"):
        read_audio(path)


def test_a_raw_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(32_000))
    with pytest.raises(TinycourseError, match="a.raw is damaged or no recording"):
        read_audio(tmp_path / "a.raw")


@pytest.mark.parametrize("length", [1, 15_999, 16_000, 16_001, 40_000])
def test_fit_length_keeps_the_middle(length):
    samples = np.arange(1, length + 1, dtype=np.float32)
    fitted = fit_length(samples)
    inside = fitted[fitted > 0]
    assert fitted.shape == (16_000,) and fitted.dtype == np.float32
    assert len(inside) == min(length, 16_000) and np.all(np.diff(inside) == 1)
    cropped, padded = (inside[0] - 1, length - inside[-1]), (np.argmax(fitted > 0), np.argmax(fitted[::-1] > 0))
    assert abs(np.subtract(*cropped)) <= 1 and abs(np.subtract(*padded)) <= 1
