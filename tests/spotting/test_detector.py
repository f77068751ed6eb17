"""The endless recording holds what it says, and the detector fires when it should."""

import numpy as np
import pytest
import torch

from tinycourse.data import RATE, Clips
from tinycourse.errors import TinycourseError
from tinycourse.spotting import detector
from tinycourse.training.checkpoint import Recogniser

WORDS = ("cat", "yes", "dog")


@pytest.fixture
def words():
    """Each word is a constant of its own."""
    audio = torch.tensor([1_000, 2_000, 3_000], dtype=torch.int16)[:, None].expand(3, RATE)
    return Clips(audio.contiguous(), torch.arange(3), WORDS, list("abc"))


def made(words, seconds=60, noise=(), **how):
    return detector.compose(words, ("yes",), list(noise), seconds, **how)


def test_words_are_where_the_recording_says(words):
    recording = made(words)
    both = sorted(recording.spoken + recording.others, key=lambda s: s.start)
    assert len(recording.audio) == 60 * RATE and recording.hours == pytest.approx(1 / 60)
    assert {s.word for s in recording.spoken} == {"yes"} and {s.word for s in recording.others} == {"cat", "dog"}
    assert all(0.2 <= b.start - a.end <= 2.5 + 1e-9 for a, b in zip(both, both[1:]))
    for word, start, end in both:
        middle = recording.audio[int((start + end) / 2 * RATE)]
        assert float(middle) == pytest.approx((WORDS.index(word) + 1) * 1_000 / 32_768)
    covered = sum(end - start for _, start, end in both)
    assert float((recording.audio != 0).float().mean()) == pytest.approx(covered / 60, abs=0.01)


def test_share_and_seed(words):
    many, few = (made(words, 600, share=share) for share in (0.8, 0.1))
    assert len(many.spoken) > len(many.others) and len(few.spoken) < len(few.others) / 4
    assert torch.equal(made(words, seed=3).audio, made(words, seed=3).audio)
    assert made(words, seed=3).spoken != made(words, seed=4).spoken


def test_noise_keeps_its_distance(words):
    hiss = np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    clean, noisy = made(words), made(words, noise=[hiss], snr=(10.0, 20.0))
    assert clean.spoken == noisy.spoken
    during = clean.audio != 0
    speech = clean.audio[during].square().mean()
    noise = (noisy.audio - clean.audio).view(60, RATE).square().mean(1)
    ratio = 10 * torch.log10(speech / noise)
    assert ratio.min() > 9 and ratio.max() < 21 and ratio.max() - ratio.min() > 2


def test_both_kinds_of_word_are_needed(words):
    with pytest.raises(TinycourseError, match="both kinds"):
        detector.compose(words, WORDS, [], 10)


def test_listening_is_what_the_recogniser_says_to_each_second():
    torch.manual_seed(0)
    recogniser = Recogniser("tc-resnet8", ("silence", "unknown", "yes")).eval()
    audio = torch.randn(3 * RATE) / 10
    posteriors = detector.listen(recogniser, audio, hop=0.5)
    with torch.no_grad():
        third = recogniser(audio[None, RATE : 2 * RATE]).double().softmax(1)[0]
    assert posteriors.shape == (5, 3)
    torch.testing.assert_close(posteriors[2], third, atol=1e-5, rtol=0)
    with pytest.raises(TinycourseError, match="less than one window"):
        detector.listen(recogniser, audio[:100])


def test_smoothing_looks_back_only():
    x = torch.tensor([[0.0], [3.0], [0.0], [0.0], [6.0]])
    assert detector.smooth(x, 3).flatten().tolist() == [0.0, 1.5, 1.0, 1.0, 2.0]
    assert torch.equal(detector.smooth(x, 1), x)


def test_silence_and_unknown_never_fire():
    posteriors = torch.tensor([[0.9, 0.0, 0.1, 0.0], [0.0, 0.6, 0.1, 0.3]])
    score, words = detector.best_keyword(posteriors, ("silence", "unknown", "yes", "no"))
    assert words == ["yes", "no"] and score.tolist() == pytest.approx([0.1, 0.3])


def test_one_word_is_one_detection():
    score = torch.tensor([0.1, 0.8, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9])
    times = [d.time for d in detector.detect(score, ["yes"] * 8, 0.8, hop=0.25, refractory=1.0)]
    assert times == [1.25, 2.25]  # deaf from 1.25 until 2.25
    assert len(detector.detect(score, ["yes"] * 8, 0.8, hop=0.25, refractory=0.0)) == 6
    assert detector.detect(score, ["yes"] * 8, 0.95) == []
