"""Fingerprints: the same for the same data, wherever it lies, and another for any other."""

import hashlib

import numpy as np
import pytest
import torch

from tests.training.test_training import clips
from tinycourse.data.fingerprint import fingerprint
from tinycourse.errors import TinycourseError


def test_it_never_changes():
    """Checkpoints hold fingerprints, so the way they are computed must stay. By hand: a SHA-256 of SHA-256s."""
    array = hashlib.sha256(b"<i2 [2]" + bytes([1, 0, 2, 0])).digest()
    assert fingerprint(torch.tensor([1, 2], dtype=torch.int16)) == hashlib.sha256(array).hexdigest()
    assert fingerprint("yes", 3) == hashlib.sha256(hashlib.sha256(b'"yes"').digest() + hashlib.sha256(b"3").digest()).hexdigest()


def test_what_is_equal_and_what_is_not(tmp_path):
    x = np.arange(12, dtype=np.int16)
    assert fingerprint(x) == fingerprint(torch.from_numpy(x)) == fingerprint(np.repeat(x, 2)[::2])  # not contiguous
    assert fingerprint(["a", "b"]) == fingerprint(("a", "b"))
    arrays = [x, x[::-1], x.reshape(3, 4), x.astype(np.int32), x[:11]]
    different = arrays + ["ab", ["ab"], ["a", "b"], ["b", "a"], [["a"], "b"], [], None, 1, "1"]
    assert len({fingerprint(one) for one in different}) == len(different)
    assert len({fingerprint("a", "b"), fingerprint("ab"), fingerprint(["a", "b"])}) == 3


def test_of_a_file_the_contents_count(tmp_path):
    for name, content in (("one", b"data"), ("same", b"data"), ("other", b"Data")):
        (tmp_path / name).write_bytes(content)
    one, same, other = (fingerprint(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same != other
    with pytest.raises(TinycourseError, match="none cannot be read .*; check the name"):
        fingerprint(tmp_path / "none")


def test_clips_have_one_that_knows_no_paths():
    some, moved = clips(8, 0), clips(8, 0)
    moved.paths = ["elsewhere"] * 8
    assert some.fingerprint() == moved.fingerprint() != clips(8, 1).fingerprint()
    assert some.subset(range(7, -1, -1)).fingerprint() != some.fingerprint()
