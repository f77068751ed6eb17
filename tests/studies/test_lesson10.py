"""Lesson 10: a folder of recordings becomes fair splits, thresholds keep promises, the whole device is counted, a board is just."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import soundfile
import torch

from tests.codegen.test_keyword_spotter import RATE as LISTENER_RATE
from tests.codegen.test_keyword_spotter import hearing, sound
from tests.drawn import texts
from tests.recordings import tone
from tinycourse.data import SPLITS, synthesis, user_recordings
from tinycourse.data.user_recordings import OwnWords
from tinycourse.errors import TinycourseError
from tinycourse.plots import lesson10 as figures
from tinycourse.program.keyword_spotter import spot
from tinycourse.spotting import wake_word
from tinycourse.spotting.operating_curves import Detection, Operating
from tinycourse.studies import lesson10 as study
from tinycourse.training import checkpoint
from tinycourse.widgets.lesson10 import Studio, Trial

pytestmark = pytest.mark.usefixtures("closed")

# --------------------------------------------------------------------------------------------- own words


def record(folder, word: str, who: str, takes: int, pitch: int = 300) -> None:
    """Takes of one speaker, each of its own pitch, a second and a half long."""
    (folder / word).mkdir(parents=True, exist_ok=True)
    for take in range(1, takes + 1):
        samples = np.concatenate([np.zeros(8_000), 0.5 * tone(pitch + 10 * take)])
        soundfile.write(folder / word / f"{who}_{take}.wav", samples, 16_000)


@pytest.fixture
def friends(tmp_path):
    """Two words by five people and a computer."""
    for number, who in enumerate(("ann", "bo", "cy", "di", "eve")):
        for word in ("abra", "kadabra"):
            record(tmp_path, word, who, 2 + number, 200 + 100 * number)
    record(tmp_path, "abra", "espeak-Alex", 3, 2_000)
    return tmp_path


def test_nobody_is_in_two_splits_and_computed_voices_only_train(friends):
    mine = OwnWords(("abra", "kadabra"), friends)
    speakers = {split: set(who) for split, who in mine.speakers.items()}
    assert mine.by_speaker and all(speakers.values())
    assert not (speakers["training"] & speakers["testing"] or speakers["training"] & speakers["validation"])
    assert not speakers["validation"] & speakers["testing"] and "espeak-alex" in speakers["training"]
    counts = {split: mine.clips(split).counts() for split in SPLITS}
    assert sum(counts[split]["abra"] for split in SPLITS) == 20 + 3
    total = sum(sum(who.values()) for who in mine.speakers.values())
    assert sum(mine.speakers["testing"].values()) >= 0.2 * (total - 3)
    for split in SPLITS:
        words = counts[split]["abra"] + counts[split]["kadabra"]
        assert counts[split]["unknown"] == 2 * round(words / 2) and counts[split]["silence"] == round(words / 2)


def test_the_same_folder_gives_the_same_clips_and_they_hold_the_sound(friends):
    one, two = (OwnWords(("abra", "kadabra"), friends).clips("training") for _ in range(2))
    assert torch.equal(one.audio, two.audio) and one.paths == two.paths
    row = next(i for i, path in enumerate(one.paths) if "/abra/" in path)
    assert one.audio[row].float().square().mean() > 0.9 * (0.5 * 0.3 * 32768) ** 2 / 2  # the silent half second is left out


def test_streams_get_each_clip_by_its_word(friends):
    spoken = OwnWords(("abra", "kadabra"), friends).spoken("testing")
    assert {"abra", "kadabra", "yes", "seven"} <= {name for name, count in spoken.counts().items() if count}


def test_a_voice_is_one_however_its_name_is_written(tmp_path):
    for who in ("Zoë", "zoe\u0308", "ZOË", "bo", "Bo", "cy"):  # composed, decomposed, in capitals
        record(tmp_path, "abra", who, 3)
    mine = OwnWords(("abra",), tmp_path)
    assert mine.by_speaker
    assert sorted(who for split in SPLITS for who in mine.speakers[split]) == ["bo", "cy", "zoë"]


def test_two_voices_are_split_by_recording_and_it_is_said(tmp_path):
    for word in ("abra", "kadabra"):
        record(tmp_path, word, "me", 10)
    mine = OwnWords(("abra", "kadabra"), tmp_path)
    assert not mine.by_speaker
    for split in SPLITS:
        counts = mine.clips(split).counts()
        assert counts["abra"] and counts["kadabra"]
    files = [cut.path for split in SPLITS for word in ("abra", "kadabra") for cut in mine.words[split][word]]
    assert len(files) == len(set(files)) == 20


def test_own_noise_and_own_other_words_join_in(friends):
    record(friends, "unknown", "ann", 3)
    (friends / "silence").mkdir()
    soundfile.write(friends / "silence" / "kitchen.WAV", 0.05 * tone(60, seconds=12), 16_000)
    soundfile.write(friends / "silence" / "hall.flac", 0.05 * tone(60, seconds=12), 16_000)
    mine = OwnWords(("abra",), friends)
    assert [noise.rpartition("/")[2] for noise in mine.noises[-2:]] == ["hall.flac", "kitchen.WAV"]
    assert sum(len(mine.words[split]["unknown"]) for split in SPLITS) == 3


def test_bundled_words_need_no_folder():
    mine = OwnWords(("zero", "seven"))
    assert mine.by_speaker and mine.classes == ("silence", "unknown", "zero", "seven")
    assert all("zero" not in path for path in mine.clips("validation").paths[-60:] if "unknown" in path)


BAD_FOLDERS = {
    "no folder": (lambda f: f / "nowhere", "no folder"),
    "too few": (lambda f: record(f, "abra", "me", 3), "too few of abra"),
    "no speaker": (lambda f: (record(f, "abra", "me", 9), (f / "abra" / "me_1.wav").rename(f / "abra" / "take.wav")), "who speaks"),
    "no sound": (lambda f: (record(f, "abra", "me", 9), (f / "abra" / "me_1.wav").write_bytes(b"a letter")), "damaged or no recording"),
    "silent": (lambda f: (record(f, "abra", "me", 9), soundfile.write(f / "abra/me_1.wav", np.zeros(16_000), 16_000)), "nearly silent"),
    "overdriven": (
        lambda f: (record(f, "abra", "me", 9), soundfile.write(f / "abra/me_1.wav", np.sign(tone(200)), 16_000)),
        "overdriven",
    ),
}


@pytest.mark.parametrize("make, sentence", BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_a_bad_folder_is_one_sentence(make, sentence, tmp_path):
    made = make(tmp_path)
    with pytest.raises(TinycourseError, match=sentence):
        OwnWords(("abra",), made if sentence == "no folder" else tmp_path)


@pytest.mark.parametrize("words", [(), ("zero", "zero"), ("zero", "unknown"), ("abracadabra",)])
def test_bad_words(words):
    with pytest.raises(TinycourseError, match="words"):
        OwnWords(words)


def test_the_loudest_second():
    burst = np.concatenate([np.zeros(30_000), np.ones(4_000), np.zeros(30_000)])
    second = user_recordings.loudest_second(burst)
    assert len(second) == 16_000 and second.sum() == 4_000
    assert abs(np.flatnonzero(second).mean() - 8_000) < 20  # in the middle
    assert len(user_recordings.loudest_second(burst[30_000:33_000])) == 16_000


def test_takes_are_kept_and_numbered(tmp_path):
    paths = [user_recordings.save_take(tmp_path, "abra", "me", 0.5 * tone(300)) for _ in range(2)]
    assert [path.name for path in paths] == ["me_1.wav", "me_2.wav"] and user_recordings.speaker(paths[0]) == "me"
    assert user_recordings.save_take(tmp_path, "abra", "Zoe\u0308", 0.5 * tone(300)).name == "Zoë_1.wav"  # of two characters, kept as one
    with pytest.raises(TinycourseError, match="cannot name a file"):
        user_recordings.save_take(tmp_path, "../abra", "me", tone(300))
    with pytest.raises(TinycourseError, match="nearly silent"):
        user_recordings.save_take(tmp_path, "abra", "me", 0.001 * tone(300))


def test_a_synthesizer_speaks_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesis, "VOICES", synthesis.VOICES[:3])
    try:
        synthesis.library()
    except TinycourseError as error:
        assert "pip install espeakng-loader" in str(error)
        pytest.skip(str(error))
    assert synthesis.say_all(("tomato",), tmp_path, takes=4) == 12
    assert sum(len(OwnWords(("tomato",), tmp_path).words[split]["tomato"]) for split in SPLITS) == 12
    with pytest.raises(TinycourseError, match="no voice nobody"):
        synthesis.speak("tomato", "nobody")


def test_without_a_synthesizer_it_is_said(monkeypatch):
    monkeypatch.setattr(synthesis.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(TinycourseError, match="pip install espeakng-loader"):
        synthesis.library.__wrapped__()


# ---------------------------------------------------------------------------------------- to a device that listens


def test_an_adopted_network_keeps_all_but_its_classifier():
    old = checkpoint.load("found-337")
    new = wake_word.adopt("found-337", old.classes)  # as many classes: its classifier is new all the same
    differ = {key for key, value in old.state_dict().items() if not torch.equal(value, new.state_dict()[key])}
    assert differ == {"network.classifier.weight", "network.classifier.bias"}
    assert wake_word.adopt("ds-cnn-s", ("silence", "unknown", "x")).network(torch.zeros(1, 1, 49, 10)).shape == (1, 3)


@pytest.mark.parametrize("alarms, mean", [(0, 2.9957), (1, 4.7439), (3, 7.7537), (10, 16.9622), (100, 118.079)])
def test_the_limit_of_a_count_is_that_of_the_tables(alarms, mean):  # half the 95 % quantile of chi-squared, 2 (alarms + 1) degrees
    assert wake_word.at_most(alarms, 2.0) == pytest.approx(mean / 2, rel=1e-4)


def test_the_chosen_threshold_keeps_the_promise_and_misses_least():
    curve = [Operating(0.5, 0.1, 9), Operating(0.6, 0.2, 3), Operating(0.7, 0.2, 2), Operating(0.8, 0.4, 0)]
    assert wake_word.choose(curve, 4).threshold == 0.7 and wake_word.choose(curve, 1).threshold == 0.8
    with pytest.raises(TinycourseError, match="No threshold"):
        wake_word.choose(curve[:1], 1)


def test_detections_at_another_threshold_are_those_of_another_listener():
    listening, x = hearing("centred"), sound(6)
    said = listening.posteriors(x)
    for threshold in (0.3, 0.5):
        other = wake_word.listening.Listener(listening.program, dataclasses.replace(listening.settings, threshold=threshold))
        found = wake_word.detections(listening, said, threshold)
        chunks = [round(d.time * LISTENER_RATE - 1) // other.chunk for d in found]
        assert found and list(zip(chunks, (d.word for d in found))) == [
            (chunk, other.program.metadata["classes"][word]) for chunk, word, _ in spot(other, x)
        ]


def test_the_whole_listener_is_counted_on_the_chip(tmp_path):
    listening, x = hearing("centred"), sound(3)
    cost_report = wake_word.on_chip(listening, x, "cortex-m4", tmp_path)
    names = listening.program.metadata["classes"]
    assert [(i, word) for i, word, _ in cost_report["heard"]] == [(i, names[word]) for i, word, _ in spot(listening, x)]
    held = listening.ring.size + 2 * (listening.frontend.size + listening.chunk)  # features, samples
    assert cost_report["ram"] > held + cost_report["stack"] > held and cost_report["flash"] > 1_000
    assert cost_report["worst"] < cost_report["instructions"] < cost_report["worst"] * LISTENER_RATE / listening.chunk


# ------------------------------------------------------------------------------------------------- the board


def an_entry(name: str, accuracy=0.9, flash=20_000, ram=20_000, instructions=20_000_000) -> study.Entry:
    return study.Entry(name, ("abra",), "mine", accuracy, 0.1, 30.0, flash, ram, instructions)


ENTRIES = [
    an_entry("first"),
    an_entry("more accurate", 0.95, 30_000),
    an_entry("beaten", 0.9, 21_000),
    an_entry("beaten twice", 0.89, 22_000),
    an_entry("too large", 0.99, ram=40_000),
]


def test_ranks_are_fronts_within_the_limits():
    assert study.standings(ENTRIES) == [1, 1, 2, 3, 0]
    assert study.standings([]) == []
    assert study.standings([an_entry("a"), an_entry("b")]) == [1, 1]


def test_the_table_begins_with_the_first_and_ends_with_who_is_out():
    lines = study.table(ENTRIES).splitlines()
    assert "more accurate" in lines[1] and lines[-1].strip().startswith("out") and "too large" in lines[-1]


def test_entries_are_files_of_a_folder(tmp_path):
    for entry in ENTRIES:
        study.save(entry, tmp_path)
    assert sorted(study.read(tmp_path), key=str) == sorted(ENTRIES, key=str)
    (tmp_path / "other.json").write_text(json.dumps({"name": "no entry"}))
    with pytest.raises(TinycourseError, match="no entry of the board"):
        study.read(tmp_path)


def test_the_report_keeps_what_was_written(tmp_path):
    path = tmp_path / "report.md"
    study.write_report(path, ENTRIES[0], {"threshold": "0.9"})
    path.write_text(path.read_text().replace("# Report: my wake words", "# Abracadabra"))
    study.write_report(path, ENTRIES[1], {})
    text = path.read_text()
    assert "# Abracadabra" in text and "95.0%" in text and "90.0%" not in text and text.count("| wake words | abra |") == 1
    path.write_text("nothing is left")
    with pytest.raises(TinycourseError, match="has lost its lines"):
        study.write_report(path, ENTRIES[0], {})


# ------------------------------------------------------------------------------------- pictures and widgets


def test_pictures_show_what_they_are_given():
    figure = figures.words({"abra": np.zeros((101, 40)), "kadabra": np.ones((101, 40))})
    assert [ax.get_title() for ax in figure.axes] == ["abra", "kadabra"]
    assert {image.get_clim() for ax in figure.axes for image in ax.images} == {(0.0, 1.0)}
    line, _ = figures.learning({"one": [0.5, 0.75], "two": [0.9]}).axes[0].lines
    assert list(line.get_ydata()) == [0.5, 0.75]
    fired = [Detection("abra", 1.4, 0.95)]
    means = np.array([[0.1, 0.2], [0.3, 0.1], [0.95, 0.0]])
    figure = figures.listening(np.zeros(24_000), means, ("abra", "kadabra"), np.array([1.0, 1.2, 1.4]), 0.9, fired)
    assert "abra" in texts(figure) and list(figure.axes[1].lines[0].get_ydata()) == [0.1, 0.3, 0.95]
    figure = figures.board(ENTRIES, study.standings(ENTRIES), study.LIMITS)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()][-1] == "too large (out)"
    assert [bool(bar.get_hatch()) for bar in figure.axes[1].patches] == [False, False, False, False, True]


def test_the_studio_keeps_takes_and_says_what_is_wrong(tmp_path):
    studio = Studio(tmp_path, ("abra",))
    studio.keep((0.5 * tone(300)).astype(np.float32))
    assert (tmp_path / "abra" / "me_1.wav").is_file() and "kept me_1.wav" in studio.message.value
    assert studio.counts.value == "abra: 1, unknown: 0"
    studio.keep(np.zeros(16_000, np.float32))
    assert "nearly silent" in studio.message.value and studio.counts.value == "abra: 1, unknown: 0"
    content = (tmp_path / "abra" / "me_1.wav").read_bytes()
    studio.receive({"new": ({"name": "a.wav", "content": content}, {"name": "b.wav", "content": b"no sound"})})
    assert "b.wav is damaged" in studio.message.value and studio.counts.value == "abra: 2, unknown: 0"


@pytest.fixture(scope="module")
def listener():
    """A shipped network that has not learned its classes: what it hears means nothing, and is the same each time."""
    from tinycourse.export import deploy

    recogniser = wake_word.adopt("found-337", ("silence", "unknown", "abra", "kadabra")).eval()
    audio = torch.from_numpy(np.stack([0.5 * tone(pitch) for pitch in (200, 400, 800)])).float()
    return wake_word.listening.Listener(deploy.program_of(recogniser, audio, samples=True))


def test_the_trial_hears_what_the_listener_does(listener):
    trial = Trial(listener, {"a": 0.5 * tone(300, seconds=3), "b": 0.5 * tone(900, seconds=3)})
    before = bytes(trial.picture.value)
    trial.threshold.value = 0.3
    assert trial.fired == wake_word.detections(listener, trial.said, 0.3)
    assert before.startswith(b"\x89PNG") and bytes(trial.picture.value) != before
    trial.choice.value = "b"
    assert np.array_equal(trial.samples, trial.sounds["b"].astype(np.float32))
    trial.add(0.5 * tone(500, seconds=2).astype(np.float32))
    assert trial.choice.value == "recording 3" and len(trial.samples) == 32_000
    trial.add(tone(500)[:8_000].astype(np.float32))
    assert "shorter than the second" in trial.message.value and len(trial.sounds) == 3
