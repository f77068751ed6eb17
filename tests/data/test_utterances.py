"""Data sets of sentences: small ones made here in the layout of the originals, and the real ones where they are."""

import re

import pytest
import soundfile

from tests.recordings import librispeech_part, tone, write
from tinycourse import data
from tinycourse.errors import TinycourseError

SPLITS = data.SPLITS


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


@pytest.mark.parametrize("name", ["an4", "librispeech"])
def test_real_sentences(real_set, name):
    dataset = real_set(name)
    speakers = [{utterance.speaker for utterance in dataset.utterances(split)} for split in SPLITS]
    assert len(set.union(*speakers)) == sum(map(len, speakers)) and len(speakers[0]) > 4 * len(speakers[1])
    for split in SPLITS:
        utterance = dataset.utterances(split)[0]
        assert re.fullmatch(r"[A-Z' ]+", utterance.transcript)
        assert soundfile.info(utterance.path).frames == len(data.read_audio(utterance.path)) > 8_000
