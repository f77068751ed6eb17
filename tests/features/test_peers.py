"""What torchaudio computes, and what is stored for machines on which it does not load."""

import sys

import pytest
import torch

from tinycourse import data
from tinycourse.features import peers


@pytest.fixture(scope="module")
def word() -> torch.Tensor:
    """The word of lesson 01: float64 [16000]."""
    words = data.open_dataset("tinywords").clips("testing")
    return words.waveforms()[words.labels == words.classes.index("yes")][3].double()


def test_what_is_stored_is_what_torchaudio_computes(word, torchaudio):
    live, stored = peers.mfcc_steps(word), peers.load_file(peers.STORED)
    assert live.keys() == stored.keys()
    for step, values in live.items():
        assert values.dtype == stored[step].dtype == torch.float64
        torch.testing.assert_close(values, stored[step], rtol=0, atol=1e-9)  # the bound of the lesson
    assert torch.get_default_dtype() == torch.float32


def test_where_torchaudio_does_not_load_one_sentence_says_what_is_shown(word, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    steps = peers.mfcc_steps(word)
    assert steps["MFCC"].shape == (11, 40) and steps["power spectrum"].shape == (11, 257)
    said = capsys.readouterr().out
    assert said.startswith("torchaudio does not load here") and said.count("\n") == 1 and "another machine" in said
