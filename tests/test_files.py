"""Files: whole or not at all, and one sentence where they cannot be."""

import os
from pathlib import Path

import pytest

from tinycourse import files
from tinycourse.errors import TinycourseError


def full(monkeypatch):
    """A disk that takes half of what is written to it."""

    def half(path: Path, content: bytes) -> None:
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)


def test_whole_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "new" / "f.txt"
    files.write_text(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    files.write_bytes(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["f.txt"]


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.txt"
    files.write_text(path, "old")
    full(monkeypatch)
    with pytest.raises(TinycourseError, match="f.txt cannot be written .No space left on device.; give another place"):
        files.write_text(path, "something new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["f.txt"]


def test_stopped_in_the_middle(tmp_path):
    path = tmp_path / "f.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), files.whole(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["f.txt"]


def test_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real" / "f.txt", tmp_path / "link.txt"
    files.write_text(real, "old")
    link.symlink_to(real)
    files.write_text(link, "new")
    assert link.is_symlink() and real.read_text() == "new"


@pytest.mark.parametrize("write", [lambda path: files.write_text(path, "x"), files.need_writable])
def test_places_where_no_file_can_be(tmp_path, write):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "f.txt", tmp_path / "file" / "folder" / "f.txt", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(TinycourseError, match="; give another place"):
            write(place)
    with pytest.raises(TinycourseError, match="must not be changed"):
        write(os.devnull)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"] and not os.path.isfile(os.devnull)


def test_need_writable_leaves_what_is_there(tmp_path):
    files.need_writable(tmp_path / "new" / "f.txt")
    files.write_text(tmp_path / "f.txt", "old")
    files.need_writable(tmp_path / "f.txt")
    assert (tmp_path / "f.txt").read_text() == "old" and os.listdir(tmp_path / "new") == []
