"""Recordings are cut between their words, and words of one speaker joined with their texts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tinycourse import cli
from tinycourse.data import sentences
from tinycourse.errors import TinycourseError
from tinycourse.models.rnnt import BLANK
from tinycourse.training import splicing
from tinycourse.transducer.vocabulary import BEGIN

LETTERS = "ABCDE"
WORD, GAP, BANDS, SIZE = 24, 8, 4, 4  # frames; frames that make one output of the encoder


def recording(text: str) -> torch.Tensor:
    """Mel energies [frames, BANDS]: every word as loud as its letter says, with less and less sound in the gaps, then more and more."""
    gap = torch.linspace(-1, 1, GAP).abs()[:, None].expand(GAP, BANDS) * 0.1 + 0.01
    return torch.cat([gap, *(part for word in text.split() for part in (torch.full((WORD, BANDS), 1.0 + LETTERS.index(word[0])), gap))])


class FrontEnd:
    """A recogniser that says every label one output after its word has ended; a word of two letters has two labels."""

    classes = ("<blank>", *(BEGIN + letter for letter in LETTERS), "X")

    def __init__(self):
        self.frontend = SimpleNamespace(finish=lambda energies: energies[:, None])
        self.network = SimpleNamespace(config=SimpleNamespace(hop=2, reduction=SIZE // 2), encoder=self.encoder, lattice=self.lattice)

    def encoder(self, x):
        self.level = x[:, : x.shape[1] // SIZE * SIZE].unflatten(1, (-1, SIZE)).mean((2, 3))  # [1, T']
        return self.level[..., None], None

    def lattice(self, heard, labels):
        logits = torch.zeros(1, heard.shape[1], labels.shape[1] + 1, len(self.classes))
        logits[..., BLANK] = 5
        loud = self.level[0] > 0.5
        ends = (loud[:-1] & ~loud[1:]).nonzero().flatten() + 1
        firsts = [u for u, label in enumerate(labels[0].tolist()) if self.classes[label] != "X"]
        for u, label in enumerate(labels[0].tolist()):
            place = ends[sum(first <= u for first in firsts) - 1]
            logits[0, place, u, label] = 20
        return logits


def whole(texts: list[str], speakers: list[str]):
    energies = [recording(text) for text in texts]

    def epoch(disturb, chance, share=1.0):
        yield from ((one, text) for one, text in zip(energies, texts))

    return SimpleNamespace(energies=energies, texts=texts, speakers=speakers, noise=None, epoch=epoch, fingerprint="")


@pytest.mark.parametrize("text", ["A", "A B", "C A AX B", "E E E E"])
def test_cuts_lie_in_the_middle_of_the_gaps(text):
    places = splicing.cuts(FrontEnd(), recording(text), text)
    gaps = [(WORD + GAP) * number + GAP / 2 for number in range(len(text.split()) + 1)]
    assert places[0] <= GAP and np.abs(np.array(places[1:]) - gaps[1:]).max() <= 1


def test_new_sentences_say_what_they_sound_like_in_one_voice():
    supply = splicing.Spliced(whole(["A B C", "D E", "E A"], ["ann", "ann", "bob"]), FrontEnd(), share=1.0, longest=6)
    assert {who: [word for word, _ in parts] for who, parts in supply.words.items()} == {"ann": list("ABCDE"), "bob": ["E", "A"]}
    chance, texts = np.random.RandomState(0), []
    for _ in range(50):
        for energies, text in supply.epoch(lambda x, noise, chance: x, chance):
            loud = [LETTERS[round(x) - 1] for x in energies.mean(1).tolist() if x > 0.5]
            assert "".join(loud[WORD // 2 :: WORD]) == text.replace(" ", "")
            texts.append(text)
    assert max(len(text.split()) for text in texts) == 6 and len(set(texts)) > 50
    assert any("B B" in text for text in texts)


def test_a_share_is_new():
    texts = ["A B C", "D E"] * 200
    supply = splicing.Spliced(whole(texts, ["ann"] * 400), FrontEnd(), share=0.25)
    supply.whole.epoch = lambda *given: iter([(None, "as it was")] * 400)
    said = [text for _, text in supply.epoch(lambda x, noise, chance: x, np.random.RandomState(0))]
    assert 0.65 < said.count("as it was") / 400 < 0.85


def test_what_cannot_be_cut(capsys, tmp_path):
    out = str(tmp_path / "x.safetensors")
    assert (
        cli.main(["train", "rnnt-digits", "--data", "connected-digits", "--source", "tinywords", "--splice", "rnnt-digits", "--out", out])
        == 1
    )
    assert "single words already" in capsys.readouterr().err
    task = sentences.Sentences.__new__(sentences.Sentences)
    with pytest.raises(TinycourseError, match="one word at a time"):
        splicing.cutter("tinyspeech-m", task)
    with pytest.raises(TinycourseError, match="cannot write"):
        splicing.cuts(FrontEnd(), recording("A"), "Z")
