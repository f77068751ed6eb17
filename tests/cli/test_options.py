"""The types of the command line's arguments: every number of every verb, and every place that is written."""

import argparse
from pathlib import Path

import pytest

from tinycourse import cli, files
from tinycourse.cli.options import READ, NewFile, NewFolder, Number, sparsity_of
from tinycourse.errors import TinycourseError

WORDS = ("nan", "inf", "-inf", "1e999", "word", "", "1,5", "0x10", "1" + "0" * 400, "٣.٣.٣")


def verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Every verb, those below `data` too, with its parser."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, one in action.choices.items():
                found |= verbs(one) or {name: one}
    return found


OPTIONS = {f"{name} {action.dest}": action for name, one in verbs(cli.parser()).items() for action in one._actions}
NUMBERS = {name: action for name, action in OPTIONS.items() if isinstance(action.type, Number)}


def test_every_option_has_a_type_that_checks_it():
    """A new option that takes a number or names a file cannot forget to say what it takes."""
    kinds = {type(action.type).__name__ if isinstance(action.type, Number) else action.type for action in OPTIONS.values()}
    assert kinds == {None, "Number", sparsity_of, NewFile, NewFolder, Path}
    assert {name for name, a in OPTIONS.items() if a.type is Path} == {
        "bundle folder", "run dir", "run wav", "explore folder", "grade submissions", "grade feedback",
    }  # fmt: skip
    for name, action in OPTIONS.items():
        assert not isinstance(action.default, float) and type(action.default) is not int or name in NUMBERS, name
        assert action.metavar != "CKPT" and action.dest != "checkpoint" or action.dest in READ, name
    assert len(NUMBERS) > 25


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_cannot_be(name):
    number, option = NUMBERS[name].type, NUMBERS[name].option_strings[0]
    wrong = (
        [*WORDS, "-1", repr(number.low - 1), repr(number.high * 2)]
        + ["0"] * (number.above or number.low > 0)
        + ["1.5"] * (number.kind is int)
    )
    for text in wrong:
        with pytest.raises(
            TinycourseError, match=rf"^argument {option}: choose a (whole )?number .*, not '.*'; see `tinycourse \w+ --help`\.$"
        ):
            verb = name.split()[0]
            cli.parser().parse_args([verb, f"{option}={text}"])


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_can_be(name):
    number = NUMBERS[name].type
    for value in (number.low + 1e-9 if number.above else number.low, min(number.high, 1e6)):
        assert number(repr(number.kind(value))) == number.kind(value)


def test_numbers_are_described():
    whole, share, positive = Number(int, 1, 10**9), Number(float, 0, 1), Number(float, 0, above=True)
    assert [str(n) for n in (whole, share, positive)] == ["a whole number from 1 to 1000000000", "a number from 0 to 1", "a number above 0"]
    assert str(Number(int, 0, 2**32 - 1)) == "a whole number from 0 to 4294967295"


def test_exceptions_of_a_pruning():
    assert sparsity_of("*.weight=0.5") == ("*.weight", 0.5)
    for text in ("stem", "stem=", "stem=2", "stem=nan", "stem=x"):
        with pytest.raises(argparse.ArgumentTypeError, match="choose a number from 0 to 1"):
            sparsity_of(text)


# ------------------------------------------------------------------------------------------------ places

TRAIN = ("train", "tinyspeech-m", "--data", "tinywords")
WRITERS = {
    "train": (*TRAIN, "--out"),
    "prune": ("prune", "tinyspeech-m", "--data", "tinywords", "--out"),
    "packed": ("prune", "tinyspeech-m", "--data", "tinywords", "--out", "p.safetensors", "--packed"),
    "quantize": ("quantize", "tinyspeech-m", "--out"),
    "explore": ("explore", "--study", "s", "--storage", "s.journal", "--data", "tinywords", "--export"),
    "grade": ("grade", ".", "--csv"),
}


def refused(capsys, *arguments) -> str:
    """The one sentence with which a command ends."""
    status = cli.main([str(a) for a in arguments])
    out, error = capsys.readouterr()
    assert status == 1 and out == "" and error.startswith("tinycourse: ") and len(error.splitlines()) == 1
    return error


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("place", ["folder.safetensors", "file/new.safetensors", "file/deep/new.safetensors"])
def test_places_that_cannot_be_written_are_named_at_once(capsys, tmp_path, monkeypatch, writer, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").write_text("mine")
    assert f"{place} " in refused(capsys, *WRITERS[writer], place)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.safetensors"]


@pytest.mark.parametrize(
    "arguments",
    [
        (*TRAIN, "--start", "a.safetensors", "--out", "a.safetensors"),
        (*TRAIN, "--teacher", "a.safetensors", "--out", "./a.safetensors"),
        (*TRAIN, "--splice", "a.safetensors", "--out", "link.safetensors"),
        ("prune", "a.safetensors", "--data", "tinywords", "--out", "a.safetensors"),
        ("prune", "tinyspeech-m", "--data", "tinywords", "--out", "new.safetensors", "--packed", "new.safetensors"),
        ("prune", "a.safetensors", "--data", "tinywords", "--out", "new.safetensors", "--packed", "sub/../a.safetensors"),
        ("quantize", "a.safetensors", "--out", "a.safetensors"),
        ("explore", "--study", "s", "--storage", "a.safetensors", "--export", "a.safetensors"),
    ],
)
def test_what_is_read_is_not_written(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.safetensors").write_text("mine")
    (tmp_path / "link.safetensors").symlink_to("a.safetensors")
    assert "would take the place of a file that the same command needs" in refused(capsys, *arguments)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "link.safetensors"]
    assert (tmp_path / "a.safetensors").read_text() == "mine"


def test_a_shipped_checkpoint_is_read_by_its_name(capsys):
    shipped = Path(files.__file__).parent / "training" / "checkpoints" / "tinyspeech-m.safetensors"
    before = shipped.read_bytes()
    assert "same command needs" in refused(capsys, "quantize", "tinyspeech-m", "--out", shipped)
    assert shipped.read_bytes() == before


def test_an_export_is_refused_before_the_work(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert "notes.txt may be yours" in refused(capsys, "export", "nowhere.safetensors", "--out", tmp_path)
    place = tmp_path / "notes.txt" / "m"
    assert "a file stands where a folder should be" in refused(capsys, "export", "nowhere.safetensors", "--out", place)
    assert (tmp_path / "notes.txt").read_text() == "mine"
