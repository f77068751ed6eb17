"""Lists as editors leave them, and files that are replaced while we work."""

import os

import pytest

from tinycourse.errors import TinycourseError
from tinycourse.features.reading import lines, once_per_file


@pytest.mark.parametrize(
    "content",
    [
        "bed/a.wav\ngo/ü.wav\n".encode(),
        "\ufeffbed/a.wav\ngo/ü.wav".encode(),
        "\r\nbed/a.wav \r\n\r\n\tgo/ü.wav\r\n \r\n".encode(),
    ],
    ids=["plain", "byte order mark", "blank lines of Windows"],
)
def test_lines_are_those_that_were_meant(tmp_path, content):
    (tmp_path / "list.txt").write_bytes(content)
    assert lines(tmp_path / "list.txt") == ["bed/a.wav", "go/ü.wav"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_named(tmp_path, encoding):
    (tmp_path / "list.txt").write_bytes("go/ü.wav".encode(encoding))
    with pytest.raises(TinycourseError, match="list.txt is no UTF-8 text .*: save it as UTF-8"):
        lines(tmp_path / "list.txt")
    with pytest.raises(TinycourseError, match="none.txt is missing"):
        lines(tmp_path / "none.txt")


def test_a_file_is_read_again_when_it_has_changed(tmp_path):
    path, calls = tmp_path / "a", []

    @once_per_file(maxsize=2)
    def text(path):
        calls.append(path)
        return path.read_text()

    path.write_text("one")
    assert text(path) == text(path) == "one" and len(calls) == 1
    path.write_text("other")  # another size
    os.utime(path, ns=(0, 0))
    assert text(path) == text(path) == "other" and len(calls) == 2
    path.write_text("again")  # the same size, another time
    os.utime(path, ns=(0, 1))
    assert text(path) == "again" and len(calls) == 3
    path.unlink()
    with pytest.raises(FileNotFoundError):
        text(path)
