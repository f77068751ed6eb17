"""Reading recordings and data sets: small ones made here in the layout of the originals, and the real ones where they are."""

import re

import numpy as np
import pytest
import soundfile
import torch

from tests.recordings import tone, write
from tinycourse import data
from tinycourse.errors import TinycourseError

SPLITS = data.SPLITS


def peak_frequency(samples: np.ndarray) -> float:
    """Hz of the strongest component of a recording at 16 kHz."""
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * data.RATE / len(samples))


# ------------------------------------------------------------------------------------------------ recordings


def test_a_16_bit_recording_comes_through_to_the_bit(tmp_path):
    numbers = np.random.default_rng(0).integers(-32768, 32768, 16_000).astype(np.int16)
    numbers[:2] = -32768, 32767
    samples = data.read_audio(write(tmp_path / "a.wav", numbers))
    assert samples.dtype == np.float32 and samples.min() >= -1 and samples.max() < 1
    assert np.array_equal(data.to_int16(samples), numbers)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(tmp_path, rate):
    samples = data.read_audio(write(tmp_path / "a.wav", tone(1_000, rate=rate), rate))
    middle = samples[1_000:-1_000]
    assert abs(len(samples) - 16_000) <= 1
    assert abs(peak_frequency(middle) - 1_000) < 2 and abs(np.abs(middle).max() - 0.3) < 0.01


def test_resampling_does_not_fold_what_is_too_high_for_the_new_rate(tmp_path):
    samples = data.read_audio(write(tmp_path / "a.wav", tone(12_000, rate=44_100), 44_100))
    assert np.abs(samples[1_000:-1_000]).max() < 0.01


def test_stereo_is_mixed(tmp_path):
    left, right = tone(500), tone(900)
    samples = data.read_audio(write(tmp_path / "a.wav", np.stack([left, right], axis=1)))
    assert samples.shape == (16_000,) and np.allclose(samples, (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize("form", ["flac", "ogg", "mp3"])
def test_other_formats_are_read(tmp_path, form):
    samples = data.read_audio(write(tmp_path / f"a.{form}", tone(1_000)))
    assert abs(peak_frequency(samples) - 1_000) < 5


def test_wav_from_a_pipe_is_not_called_damaged(tmp_path):
    path = write(tmp_path / "a.wav", tone(1_000))
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:])  # sizes that a pipe cannot know
    assert len(data.read_audio(path)) == 16_000


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
        data.read_audio(path)
    assert str(path) in str(caught.value)
    assert re.search(r"replace or delete it|check the name", str(caught.value))


def test_a_flac_cut_in_half_is_named(tmp_path):
    path = write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 50_000))
    cut_in_half(path)
    with pytest.raises(TinycourseError, match="a.flac is damaged"):
        data.read_audio(path)


def test_a_raw_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(32_000))
    with pytest.raises(TinycourseError, match="a.raw is damaged or no recording"):
        data.read_audio(tmp_path / "a.raw")


@pytest.mark.parametrize("length", [1, 15_999, 16_000, 16_001, 40_000])
def test_fit_length_keeps_the_middle(length):
    samples = np.arange(1, length + 1, dtype=np.float32)
    fitted = data.fit_length(samples)
    inside = fitted[fitted > 0]
    assert fitted.shape == (16_000,) and fitted.dtype == np.float32
    assert len(inside) == min(length, 16_000) and np.all(np.diff(inside) == 1)
    cropped, padded = (inside[0] - 1, length - inside[-1]), (np.argmax(fitted > 0), np.argmax(fitted[::-1] > 0))
    assert abs(np.subtract(*cropped)) <= 1 and abs(np.subtract(*padded)) <= 1


# ------------------------------------------------------------------------------------------------ clips


def some_clips() -> data.Clips:
    audio = torch.arange(4, dtype=torch.int16)[:, None].repeat(1, data.RATE)
    return data.Clips(audio, torch.tensor([0, 1, 2, 1]), ("silence", "on", "go"), ["a", "b", "c", "d"])


def test_subset_and_waveforms():
    part = some_clips().subset([3, 0])
    assert part.paths == ["d", "a"] and part.labels.tolist() == [1, 0] and part.audio[:, 0].tolist() == [3, 0]
    assert part.waveforms().dtype == torch.float32 and part.waveforms()[0, 0] == 3 / 32768


def test_restrict_relabels_and_counts_what_it_leaves_out():
    kept, left_out = some_clips().restrict(("go", "stop", "silence"))
    assert kept.classes == ("go", "stop", "silence") and left_out == {"on": 2}
    assert kept.paths == ["a", "c"] and kept.labels.tolist() == [2, 0]
    with pytest.raises(TinycourseError, match="knows none of"):
        some_clips().restrict(("yes", "no"))


def test_draw_does_not_depend_on_order_or_on_what_else_there_is():
    items = [f"clip {i}" for i in range(100)]
    drawn = data.draw(items, 10, "seed")
    assert data.draw(items[::-1], 10, "seed") == drawn != data.draw(items, 10, "other seed")
    assert data.draw(items, 20, "seed")[:10] == drawn and data.draw(drawn, 99, "seed") == drawn


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


def librispeech_part(root, part: str, speakers: range, text: str = "A QUIET SENTENCE") -> None:
    for speaker in speakers:
        folder = root / "LibriSpeech" / part / str(speaker) / "7"
        lines = []
        for number in range(3):
            name = f"{speaker}-7-{number:04}"
            speech = np.concatenate([np.zeros(32_000), tone(200 + speaker, 2.0), np.zeros(32_000)])  # two of six seconds
            write(folder / f"{name}.flac", speech)
            lines.append(f"{name} {text if number else 'NOT THE RIGHT ONE'}\n")
        (folder / f"{speaker}-7.trans.txt").write_text("".join(lines))


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


# ------------------------------------------------------------------------------------------------ other data sets, small


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


def an4_part(root, listing: str, wav: str, speakers: list[str], suffix: str) -> None:
    lines = []
    for speaker in speakers:
        for number in (2, 1):
            form = {"format": "NIST", "subtype": "PCM_16"} if suffix == "sph" else {}
            write(root / "an4" / "wav" / wav / speaker / f"an{number}-{speaker}-b.{suffix}", tone(440), **form)
            lines.append(f"<s> GO {number} </s> (an{number}-{speaker}-b)\n")
    (root / "an4" / "etc").mkdir(exist_ok=True)
    (root / "an4" / "etc" / f"{listing}.transcription").write_text("".join(lines))


@pytest.mark.parametrize("suffix", ["wav", "sph"])
@pytest.mark.parametrize("official_test", [False, True])
def test_an4(data_root, suffix, official_test):
    an4_part(data_root, "an4_train", "an4_clstk", [f"f{letter}" for letter in "abcdefghijklmnopqrst"], suffix)
    if official_test:
        an4_part(data_root, "an4_test", "an4test_clstk", ["mzz"], suffix)
    dataset = data.AN4()
    speakers = {split: {u.speaker for u in dataset.utterances(split)} for split in SPLITS}
    assert [len(speakers[split]) for split in SPLITS] == ([18, 2, 1] if official_test else [16, 2, 2])
    assert len(set.union(*speakers.values())) == sum(map(len, speakers.values()))
    first = dataset.utterances("training")[0]
    assert first.transcript == "GO 1" and len(data.read_audio(first.path)) == 16_000
    listing = data_root / "an4" / "etc" / "an4_train.transcription"
    listing.write_text("\ufeff" + listing.read_text().replace("\n", "\n\n"), encoding="utf-8")
    assert data.AN4().splits == dataset.splits
    listing.write_text("<s> GO\n")
    with pytest.raises(TinycourseError, match="damaged at the line '<s> GO'"):
        data.AN4()


@pytest.mark.parametrize(
    "parts, speakers",
    [
        (("dev-clean",), (16, 2, 2)),
        (("dev-clean", "test-clean"), (18, 2, 20)),
        (("train-clean-100", "dev-clean"), (18, 20, 2)),
        (("train-clean-100", "train-clean-360", "dev-clean", "test-clean"), (40, 20, 20)),
        (("train-clean-100",), (16, 2, 2)),
    ],
)
def test_librispeech_takes_the_parts_that_are_there(data_root, parts, speakers):
    for first, part in enumerate(parts, start=1):
        librispeech_part(data_root, part, range(100 * first, 100 * first + 20))
    dataset = data.LibriSpeech()
    found = [{u.speaker for u in dataset.utterances(split)} for split in SPLITS]
    assert tuple(map(len, found)) == speakers and len(set.union(*found)) == sum(speakers)
    listing = next(data_root.glob("LibriSpeech/*/*/*/*.trans.txt"))
    listing.write_text("\ufeff" + listing.read_text().replace("\n", "\n\n"), encoding="utf-8")
    assert data.LibriSpeech().splits == dataset.splits
    utterance = dataset.utterances("testing")[1]
    assert utterance.transcript == "A QUIET SENTENCE" and len(data.read_audio(utterance.path)) == 96_000
    listing.write_text("100-7-0000\n")
    with pytest.raises(TinycourseError, match="damaged at the line '100-7-0000'"):
        data.LibriSpeech()


@pytest.mark.parametrize("name", ["speech-commands", "speech-commands-test", "spoken-digits", "an4", "librispeech"])
def test_an_absent_data_set_is_named_with_its_folder_and_the_command(data_root, name):
    with pytest.raises(TinycourseError) as caught:
        data.open_dataset(name)
    assert str(data_root / data.DATASETS[name].folder) in str(caught.value)
    assert f"tinycourse data get {name}" in str(caught.value)


def test_open_dataset_refuses_unknown_names_and_options(small_speech_commands):
    assert len(data.open_dataset("speech-commands", classes="12").classes) == 12
    assert data.open_dataset("speech-commands", classes=None, extra_unknown=()).classes == data.TASKS["10"]
    assert data.open_for(data.TASKS["12"], "speech-commands").classes == data.TASKS["12"]
    with pytest.raises(TinycourseError, match="no data set 'speech_commands': choose one of"):
        data.open_dataset("speech_commands")
    with pytest.raises(TinycourseError, match="has no option colour: it takes classes, extra_unknown, seed"):
        data.open_dataset("speech-commands", colour="red")


def test_status_says_what_is_where(small_speech_commands):
    rows = {row["name"]: row for row in data.status()}
    assert set(rows) == set(data.DATASETS)
    assert rows["speech-commands"]["folder"] == str(small_speech_commands) and rows["speech-commands"]["clips"] == 12 * 20 + 2
    assert rows["speech-commands"]["bytes"] > 12 * 20 * 32_000 and rows["speech-commands"]["licence"] == "CC BY 4.0"
    assert rows["an4"]["folder"] is None and rows["an4"]["clips"] == 0


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


@pytest.mark.parametrize("name", ["an4", "librispeech"])
def test_real_sentences(real_set, name):
    dataset = real_set(name)
    speakers = [{utterance.speaker for utterance in dataset.utterances(split)} for split in SPLITS]
    assert len(set.union(*speakers)) == sum(map(len, speakers)) and len(speakers[0]) > 4 * len(speakers[1])
    for split in SPLITS:
        utterance = dataset.utterances(split)[0]
        assert re.fullmatch(r"[A-Z' ]+", utterance.transcript)
        assert soundfile.info(utterance.path).frames == len(data.read_audio(utterance.path)) > 8_000
