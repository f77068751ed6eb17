"""A bundle holds what it was copied from, goes on where it was stopped, and notices a bad disk."""

import json
import shutil

import pytest

from tinycourse import cli, data
from tinycourse.data import bundle
from tinycourse.errors import TinycourseError
from tinycourse.files import read_sums


@pytest.fixture
def two_sets(data_root):
    """Two data sets of a few bytes, which are no recordings: nobody listens here."""
    for name in ("an4", "spoken-digits"):
        folder = data_root / data.DATASETS[name].folder / "wav"
        folder.mkdir(parents=True)
        (folder / "a.wav").write_bytes(name.encode() * 1000)
    return data_root


def test_everything_arrives_and_serves_as_data_folder(two_sets, tmp_path, capsys, monkeypatch):
    stick = tmp_path / "stick"
    assert cli.main(["data", "bundle", str(stick), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == {"spoken-digits": 13_000, "an4": 3_000}
    lines = [line.split("  ") for line in (stick / bundle.SUMS).read_text().splitlines()]
    assert len(lines) == 2 and all(bundle.digest(stick / path) == known for known, path in lines)
    shutil.rmtree(two_sets)
    monkeypatch.setenv("TINYCOURSE_DATA", str(stick))
    assert data.need("an4").is_relative_to(stick)


def test_it_goes_on_and_mends(two_sets, tmp_path):
    stick = tmp_path / "stick"
    assert bundle.bundle(stick, ["an4"]) == {"an4": 3_000}
    copy = stick / "an4" / "wav" / "a.wav"
    before = copy.stat().st_mtime_ns
    bundle.bundle(stick, ["an4"])
    assert copy.stat().st_mtime_ns == before
    copy.write_bytes(b"x" * 3_000)  # as long, but damaged
    bundle.bundle(stick, ["an4"])
    assert copy.read_bytes() == b"an4" * 1000


def test_what_others_wrote_stays(two_sets, tmp_path):
    stick = tmp_path / "stick"
    mine = stick / "an4" / "wav" / "a.wav"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(TinycourseError, match="a.wav is in the way, and no bundle wrote it"):
        bundle.bundle(stick)
    assert [p for p in stick.rglob("*") if p.is_file()] == [mine] and mine.read_bytes() == b"mine"


def test_sums_of_earlier_bundles_are_kept(two_sets, tmp_path):
    bundle.bundle(tmp_path, ["an4"])
    bundle.bundle(tmp_path, ["spoken-digits"])
    assert len(read_sums(tmp_path / bundle.SUMS)) == 2


def test_what_cannot_be_bundled(two_sets, tmp_path, monkeypatch):
    with pytest.raises(TinycourseError, match="tinycourse data get librispeech"):
        bundle.bundle(tmp_path / "stick", ["librispeech"])
    (tmp_path / "file").write_text("")
    with pytest.raises(TinycourseError, match="file.SHA256SUMS cannot be written"):
        bundle.bundle(tmp_path / "file")
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: target.write_bytes(b"bad"))
    with pytest.raises(TinycourseError, match="not what was written to it"):
        bundle.bundle(tmp_path / "stick")
