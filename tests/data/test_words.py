"""Data sets of words: small ones made here in the layout of the originals, the bundled one, and the real ones where they are."""

import re

import numpy as np
import pytest
import torch

from tests.recordings import librispeech_part, peak_frequency, tone, write
from tinycourse import data
from tinycourse.errors import TinycourseError

SPLITS = data.SPLITS

# ------------------------------------------------------------------------------------------------ Speech Commands, small


def test_ten_classes_are_balanced_and_follow_the_lists(small_speech_commands):
    dataset = data.SpeechCommands(10)
    assert dataset.classes == ("silence", "unknown", "yes", "no", "up", "down", "left", "right", "stop", "go")
    for split, clips_per_word in zip(SPLITS, (15, 2, 3), strict=True):
        clips = dataset.clips(split)
        assert set(clips.counts().values()) == {clips_per_word} and len(clips) == 10 * clips_per_word
        assert clips.audio.shape == (len(clips), 16_000)
        assert clips.audio.dtype == torch.int16 and clips.labels.dtype == torch.int64
        for label, samples, path in zip(clips.labels.tolist(), clips.waveforms(), clips.paths, strict=True):
            name, (word, file) = clips.classes[label], path.split("/")[-2:]
            if name in data.KEYWORDS:  # every word has its pitch: audio, label and path belong together
                pitch = 300 + 100 * data.KEYWORDS.index(name) + int(file[:8], 16)
                assert name == word and abs(peak_frequency(samples.numpy()) - pitch) <= 1
            elif name == "unknown":
                assert word in ("on", "off", "bed", "cat")


def test_other_tasks(small_speech_commands):
    assert data.SpeechCommands(12).clips("testing").counts() == dict.fromkeys(("silence", "unknown", *data.KEYWORDS), 3)
    with pytest.warns(UserWarning, match="has no clips of backward, bird"):
        all_words = data.SpeechCommands("35")
    assert len(all_words.classes) == 35 and len(all_words.clips("validation")) == 2 * 12
    with pytest.raises(TinycourseError, match="no task '11': choose one of 10, 12, 35, digits"):
        data.SpeechCommands(11)
    with pytest.raises(TinycourseError, match="no split 'test'"):
        data.SpeechCommands(10).clips("test")


def test_silence_comes_from_the_part_of_the_noise_that_belongs_to_the_split(small_speech_commands):
    dataset = data.SpeechCommands(10)
    assert [len(noise) for split in SPLITS for noise in dataset.noise(split)] == 2 * [256_000] + 4 * [32_000]
    for split, low, high in (("training", 0, 256_000), ("validation", 256_000, 288_000), ("testing", 288_000, 320_000)):
        clips = dataset.clips(split)
        for path, samples in zip(clips.paths, clips.waveforms(), strict=True):
            if found := re.fullmatch(r".*_background_noise_/(\w+)\.wav@(\d+)\*([\d.]+)", path):
                noise = data.read_audio(small_speech_commands / "_background_noise_" / f"{found[1]}.wav")
                start, volume = int(found[2]), float(found[3])
                assert low <= start <= high - 16_000 and 0 <= volume <= 1
                assert np.allclose(samples, noise[start : start + 16_000] * volume, atol=1e-4)


def test_the_same_seed_gives_the_same_clips_wherever_the_folder_lies(small_speech_commands, tmp_path, monkeypatch):
    def origins(seed: int) -> list[str]:
        paths = data.SpeechCommands(10, seed=seed).clips("training").paths
        return [re.sub(r".*speech_commands_v0.02.", "", path) for path in paths]

    first = origins(0)
    assert origins(0) == first and origins(1) != first
    (tmp_path / "data").rename(tmp_path / "moved")
    monkeypatch.setenv("TINYCOURSE_DATA", str(tmp_path / "moved"))
    assert origins(0) == first


def test_a_damaged_clip_of_a_data_set_is_named(small_speech_commands):
    victim = small_speech_commands / "up" / "00000003_nohash_0.wav"
    victim.write_bytes(b"")
    with pytest.raises(TinycourseError, match=re.escape(str(victim))):
        data.SpeechCommands(10).clips("testing")


def test_incomplete_folders_are_named(small_speech_commands):
    for noise in small_speech_commands.glob("_background_noise_/*"):
        noise.unlink()
    with pytest.raises(TinycourseError, match="no noise recording"):
        data.SpeechCommands(10).clips("testing")
    (small_speech_commands / "testing_list.txt").unlink()
    with pytest.raises(TinycourseError, match="testing_list.txt is missing"):
        data.SpeechCommands(10)


def test_lists_are_read_as_editors_leave_them(small_speech_commands):
    clean = {split: data.SpeechCommands(10).clips(split).paths for split in SPLITS}
    for name in ("validation", "testing"):
        path = small_speech_commands / f"{name}_list.txt"
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b" \r\n\r\n"))  # a byte order mark, Windows' ends, blank lines
    assert {split: data.SpeechCommands(10).clips(split).paths for split in SPLITS} == clean
    (small_speech_commands / "testing_list.txt").write_bytes("bed/Zoë_nohash_0.wav\n".encode("latin-1"))
    with pytest.raises(TinycourseError, match="testing_list.txt is no UTF-8 text"):
        data.SpeechCommands(10)


def test_a_noise_that_was_replaced_is_read_again(small_speech_commands):
    before = data.SpeechCommands(10).noise("training")
    for path in small_speech_commands.glob("_background_noise_/*.wav"):
        write(path, 0.5 * tone(70, seconds=30))
    after = data.SpeechCommands(10).noise("training")
    assert [len(noise) for noise in before] == 2 * [256_000] and [len(noise) for noise in after] == 2 * [384_000]


def test_extra_unknown_is_speech_without_keywords_in_training_only(small_speech_commands, data_root):
    librispeech_part(data_root, "dev-clean", range(30, 50))
    plain, dataset = data.SpeechCommands(10), data.SpeechCommands(10, extra_unknown=("librispeech",))
    training = dataset.clips("training")
    assert training.counts() == plain.clips("training").counts() | {"unknown": 30}
    assert dataset.clips("testing").paths == plain.clips("testing").paths
    pieces = [pair for pair in zip(training.paths, training.waveforms(), strict=True) if "LibriSpeech" in pair[0]]
    heard = {utterance.speaker for utterance in data.LibriSpeech().utterances("training")}
    for path, samples in pieces:
        assert path.split("/")[-3] in heard and "-0000.flac" not in path  # ...-0000 says RIGHT
        assert (samples.abs() > 0.01).float().mean() > 0.2  # not one of the silent seconds
    assert len(pieces) == 15
    with pytest.raises(TinycourseError, match="cannot come from spoken-digits"):
        data.SpeechCommands(10, extra_unknown=("spoken-digits",))


def test_official_test_clips(data_root):
    folder = data_root / "SpeechCommands" / "speech_commands_test_set_v0.02"
    for name in ("_silence_", "_unknown_", *data.KEYWORDS):
        for number in range(2):
            write(folder / name / f"{number}_nohash_0.wav", tone(440, seconds=0.8))
    clips = data.SpeechCommandsTest().clips("testing")
    assert clips.counts() == dict.fromkeys(("silence", "unknown", *data.KEYWORDS), 2)
    assert "_silence_" in clips.paths[0] and clips.labels[0] == 0
    kept, left_out = clips.restrict(data.TASKS["10"])
    assert left_out == {"on": 2, "off": 2} and set(kept.counts().values()) == {2}
    with pytest.raises(TinycourseError, match="split testing only"):
        data.SpeechCommandsTest().clips("training")


def test_spoken_digits_split_by_take(data_root):
    folder = data_root / "free-spoken-digit-dataset" / "recordings"
    for digit in range(10):
        for take in (*range(7), *range(45, 50)):
            write(folder / f"{digit}_{'Zoë' if take % 2 else 'ann'}_{take}.wav", tone(300 + 20 * digit, seconds=0.4, rate=8_000), 8_000)
    (folder / "notes_of_ann.wav").write_text("no digit")
    dataset = data.SpokenDigits()
    takes = {split: {int(path.split("_")[-1][:-4]) for path in dataset.clips(split).paths} for split in SPLITS}
    assert takes == {"training": {5, 6}, "validation": set(range(45, 50)), "testing": set(range(5))}
    clips = dataset.clips("training")
    assert clips.classes[7] == "seven" and clips.counts() == dict.fromkeys(data.DIGITS, 2)
    assert abs(peak_frequency(clips.waveforms()[-1].numpy()) - 480) <= 2


# ------------------------------------------------------------------------------------------------ tinywords, bundled


@pytest.mark.parametrize("task", [10, 12, 35, "digits", "all"])
def test_tinywords_has_every_task(task):
    dataset = data.TinyWords(task)
    selections = {split: dataset.select(split) for split in SPLITS}
    for split in SPLITS:
        assert all(selections[split][name] for name in dataset.classes), split
    if "unknown" in dataset.classes:
        for split in SPLITS:
            keywords = [len(selections[split][name]) for name in dataset.classes if name in data.KEYWORDS]
            assert len(selections[split]["silence"]) == len(selections[split]["unknown"]) == round(np.mean(keywords))


def test_tinywords_clips_are_words_and_noise():
    dataset = data.TinyWords(10)
    clips = dataset.clips("validation")
    level = clips.waveforms().square().mean(dim=1).sqrt()
    assert clips.audio.shape[1] == 16_000 and torch.all(level[clips.labels > 0] > 1e-3)  # nothing but silence is silent
    silence = [path for path, label in zip(clips.paths, clips.labels, strict=True) if label == 0]
    assert {re.match("[a-z ]+", path)[0] for path in silence} <= set(dataset.noises)
    assert torch.equal(data.TinyWords(10).clips("validation").audio, clips.audio)


def test_noise_of_tinywords_has_the_spectrum_that_its_name_says():
    white, pink, hum = data.TinyWords().noise("training")
    power = [np.abs(np.fft.rfft(noise)) ** 2 for noise in (white, pink, hum)]
    seconds = len(white) // data.RATE
    bands = [[p[low * seconds : 2 * low * seconds].sum() for low in (250, 500, 1_000, 2_000)] for p in power]
    assert np.allclose(np.diff(np.log2(bands[0])), 1, atol=0.1)  # twice the band, twice the power
    assert np.allclose(np.diff(np.log2(bands[1])), 0, atol=0.1)  # every octave the same power
    assert peak_frequency(hum) == 50
    assert all(abs(np.sqrt(np.mean(noise**2)) - 0.1) < 0.01 for noise in (white, pink, hum))


# ------------------------------------------------------------------------------------------------ the real recordings


def speakers_of(selection: dict[str, list]) -> set[str]:
    return {cut.path.split("/")[-1].split("_nohash_")[0] for cuts in selection.values() for cut in cuts if "_nohash_" in cut.path}


@pytest.mark.parametrize("classes", [10, 12])
def test_real_speech_commands_shares_no_speaker_between_splits(real_data, classes):
    dataset = data.SpeechCommands(classes)
    speakers = [speakers_of(dataset.select(split)) for split in SPLITS]
    assert min(map(len, speakers)) > 50
    assert len(set.union(*speakers)) == sum(map(len, speakers))


def test_real_speech_commands_is_balanced_and_repeatable(real_data):
    dataset = data.SpeechCommands(10)
    clips, again = dataset.clips("testing"), data.SpeechCommands(10).clips("testing")
    assert torch.equal(clips.audio, again.audio) and clips.paths == again.paths and torch.equal(clips.labels, again.labels)
    counts = clips.counts()
    keywords = [count for name, count in counts.items() if name in data.KEYWORDS]
    assert counts["silence"] == counts["unknown"] == round(np.mean(keywords)) and min(keywords) > 0
    listed = (dataset.folder / "testing_list.txt").read_text().split()
    assert all(counts[word] == sum(line.startswith(f"{word}/") for line in listed) for word in counts if word in data.KEYWORDS)


def test_real_pieces_of_sentences_come_from_the_training_speakers(real_data, real_set):
    an4 = real_set("an4")
    pieces = data.SpeechCommands(10, extra_unknown=("an4",))._pieces(40)
    assert len(pieces) >= 30
    transcripts = {utterance.path: utterance.transcript for utterance in an4.utterances("training")}
    for piece in pieces:
        assert not set(transcripts[piece.path].lower().split()) & set(data.TASKS["10"])
        assert np.sqrt(np.mean(data.read_audio(piece.path)[piece.start : piece.start + data.RATE] ** 2)) > 1e-3


def test_real_digits(real_set):
    clips = real_set("spoken-digits").clips("validation")
    counts = set(clips.counts().values())
    assert len(counts) == 1 and counts.pop() >= 20 and clips.waveforms().abs().amax(dim=1).min() > 0.001
