"""Checkpoints: what goes in comes out, and anything else is named."""

import pytest
import torch
from safetensors.torch import save_file

from tinycourse.errors import TinycourseError
from tinycourse.training import checkpoint

CLASSES = ("silence", "unknown", "yes")


def recogniser() -> checkpoint.Recogniser:
    torch.manual_seed(0)
    r = checkpoint.Recogniser("tinyspeech-m", CLASSES).eval()
    r.info = {"command": "tinycourse train ...", "seed": 0}
    return r


def test_round_trip(tmp_path):
    before = recogniser()
    checkpoint.save(before, tmp_path / "new" / "m.safetensors")
    after = checkpoint.load(tmp_path / "new" / "m.safetensors")
    audio = torch.randn(2, 16_000)
    assert torch.equal(before(audio), after(audio))
    assert (after.classes, after.info, after.frontend.config) == (CLASSES, before.info, before.frontend.config)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("content", [b"", b"not a safetensors file at all", None])
def test_damaged_file(tmp_path, content):
    path = tmp_path / "m.safetensors"
    checkpoint.save(recogniser(), path)
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(TinycourseError, match="damaged"):
        checkpoint.load(path)


def test_missing_file_names_the_shipped_ones(tmp_path):
    with pytest.raises(TinycourseError, match="There is no checkpoint .*tinyspeech"):
        checkpoint.load(tmp_path / "m.safetensors")


def test_foreign_safetensors(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(TinycourseError, match="is a safetensors file but not a"):
        checkpoint.load(tmp_path / "x.safetensors")


def test_checkpoint_of_another_model(tmp_path):
    checkpoint.save(recogniser(), tmp_path / "m.safetensors")
    with pytest.raises(TinycourseError, match="holds tinyspeech-m, not tinyspeech-x"):
        checkpoint.load(tmp_path / "m.safetensors", expect="tinyspeech-x")


def test_weights_that_do_not_fit_their_name(tmp_path):
    liar = recogniser()
    liar.name = "tinyspeech-x"
    checkpoint.save(liar, tmp_path / "m.safetensors")
    with pytest.raises(TinycourseError, match="does not fit tinyspeech-x"):
        checkpoint.load(tmp_path / "m.safetensors")


@pytest.mark.parametrize("name", sorted(checkpoint.shipped()))
def test_shipped_checkpoints_say_where_they_come_from(name):
    info = checkpoint.load(name).info
    assert {"command", "data", "seed", "epochs", "data_licences", "validation", "testing"} <= info.keys()
