"""The bundled recordings: complete, unharmed, split by voice, and audible. No synthesizer is needed."""

import csv
import hashlib
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

DATA = Path(__file__).parents[1] / "data"
FOLDER = DATA / "tinywords"
KEYWORDS = "yes no up down left right on off stop go".split()
DIGITS = "zero one two three four five six seven eight nine".split()
RATE = 16_000


@pytest.fixture(scope="module")
def index() -> list[dict[str, str]]:
    with open(FOLDER / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def clips(index) -> dict[str, np.ndarray]:
    """Every file decoded: name -> int16 [clips, 16000]; a file that is no whole number of seconds fails here."""
    return {name: soundfile.read(FOLDER / name, dtype="int16")[0].reshape(-1, RATE) for name in {line["file"] for line in index}}


def check(folder: Path) -> subprocess.CompletedProcess:
    """Run the script's own --check, with nothing on the path where a synthesizer could be."""
    command = [sys.executable, DATA / "make_tinywords.py", "--check", "--folder", folder]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": ""})


def test_hash_list_names_every_file_and_every_hash_is_right():
    listed = dict(reversed(line.split("  ")) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    paths = [p for p in FOLDER.rglob("*") if p.is_file() and p.name != "SHA256SUMS"]
    found = {p.relative_to(FOLDER).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}
    assert listed == found


def test_size():
    assert sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file()) <= 12_000_000


def test_there_are_enough_clips_of_enough_words(index):
    words = {line["word"] for line in index}
    assert len(index) >= 5_000
    assert len(words) >= 40 and words >= {*KEYWORDS, *DIGITS}
    assert {line["split"] for line in index} == {"training", "validation", "testing"}
    for split in ("training", "validation", "testing"):
        assert {line["word"] for line in index if line["split"] == split} == words, split


def test_no_voice_is_in_two_splits(index):
    splits = defaultdict(set)
    for line in index:
        splits[line["voice"]].add(line["split"])
    assert {voice: s for voice, s in splits.items() if len(s) > 1} == {}


def test_second_synthesizer_speaks_every_word_in_testing_only(index):
    second = [line for line in index if line["synthesizer"] == "flite"]
    assert {line["split"] for line in second} == {"testing"}
    assert {line["word"] for line in second} == {line["word"] for line in index}
    assert {line["synthesizer"] for line in index if line["split"] == "testing"} == {"espeak-ng", "flite"}


def test_index_and_files_agree(index, clips):
    lines = defaultdict(list)
    for line in index:
        assert line["file"] == f"{line['split']}/{line['word']}.opus"
        lines[line["file"]].append(int(line["clip"]))
    assert lines == {name: list(range(len(audio))) for name, audio in clips.items()}
    assert set(lines) == {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.opus")}


def test_every_clip_is_audible_unclipped_and_unlike_the_others(clips):
    audio = np.concatenate(list(clips.values())).astype(np.float32) / 32_768  # [clips, 16000]
    peak = np.abs(audio).max(1)
    assert peak.max() < 1 and peak.min() > 10 ** (-25 / 20)
    assert len({hashlib.sha256(clip).digest() for clip in audio}) == len(audio)


def test_the_word_stands_within_its_second(clips):
    """Frames of 10 ms within 15 dB of the loudest: as long as a word, and not the clip's first nor last one."""
    audio = np.concatenate(list(clips.values())).astype(np.float32)
    power = (audio.reshape(len(audio), 100, 160) ** 2).mean(2)  # [clips, frames]
    loud = power > power.max(1, keepdims=True) * 10**-1.5
    assert not loud[:, [0, -1]].any()
    seconds = loud.sum(1) / 100
    assert 0.03 < seconds.min() and 0.2 < np.median(seconds) < 0.6 and seconds.max() < 0.9


def test_card_counts_what_is_there(index):
    card = (FOLDER / "README.md").read_text()
    assert f"{len(index)} one-second clips of {len({line['word'] for line in index})} English words" in card
    for split, synthesizer in {(line["split"], line["synthesizer"]) for line in index}:
        part = [line for line in index if (line["split"], line["synthesizer"]) == (split, synthesizer)]
        start = f"| {split} | {synthesizer} | {len({line['voice'] for line in part})} |"
        row = next(row for row in card.splitlines() if row.startswith(start))
        assert row.endswith(f" {len(part)} |")


def test_check_passes_on_the_bundled_folder(index):
    done = check(FOLDER)
    assert done.returncode == 0 and f"{len(index)} clips" in done.stdout, done.stderr


def damage_a_bit(folder: Path) -> None:
    path = folder / "testing" / "yes.opus"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def swap_a_voice(folder: Path) -> None:
    """Put one training voice's line into testing, and hash anew: only the rule about voices can notice."""
    text = (folder / "index.csv").read_text().replace(",m1,", ",default,", 1)
    (folder / "index.csv").write_text(text)
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    new = hashlib.sha256(text.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text("".join(f"{new}  index.csv\n" if s.endswith("  index.csv") else s + "\n" for s in sums))


@pytest.mark.parametrize(
    "harm, words",
    [
        (damage_a_bit, "testing/yes.opus is damaged"),
        (swap_a_voice, "The voice default is in testing and training"),
        (lambda folder: (folder / "training" / "no.opus").unlink(), "Files missing or too many (training/no.opus)"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "There is no SHA256SUMS"),
    ],
)
def test_check_names_what_is_wrong(harm, words, tmp_path):
    copy = tmp_path / "tinywords"
    for path in FOLDER.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(FOLDER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    harm(copy)
    done = check(copy)
    assert done.returncode == 1 and done.stderr.startswith(words) and len(done.stderr.splitlines()) == 1


def test_making_without_the_synthesizers_says_what_to_install():
    done = subprocess.run(
        [sys.executable, DATA / "make_tinywords.py", "--folder", "nowhere"], capture_output=True, text=True, env={**os.environ, "PATH": ""}
    )
    assert done.returncode == 1 and "apt-get install espeak-ng flite" in done.stderr and len(done.stderr.splitlines()) == 1
