"""What lesson 05 walks, frees and times: alignments, tables without a network, and how late words are written."""

import itertools

import numpy as np
import pytest
import torch

from tinycourse.errors import TinycourseError
from tinycourse.studies import lesson05 as study
from tinycourse.training.checkpoint import Recogniser
from tinycourse.transducer import alignments as transducer_alignments
from tinycourse.transducer.decoding import Greedy
from tinycourse.transducer.loss import alignments, reference_alpha, reference_loss

SIZES = [(1, 0), (1, 3), (4, 0), (4, 2), (3, 4)]


def drawn(frames: int, labels: int, seed: int = 0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(frames, labels + 1, 5, generator=random, dtype=torch.float64)
    return logits.log_softmax(-1), torch.randint(1, 5, (labels,), generator=random)


@pytest.mark.parametrize("frames, labels", SIZES)
def test_count_is_the_length_of_the_list(frames, labels):
    assert study.count(frames, labels) == len(list(alignments(frames, labels)))


@pytest.mark.parametrize("frames, labels", SIZES)
def test_saying_and_places_are_inverse_and_nodes_lead_to_the_end(frames, labels):
    for way in alignments(frames, labels):
        assert transducer_alignments.saying(transducer_alignments.places(way), frames) == way
        assert transducer_alignments.nodes(way)[0] == (0, 0) and transducer_alignments.nodes(way)[-1] == (frames, labels)


@pytest.mark.parametrize("places", [[2, 1], [0, 4], [-1]])
def test_impossible_places_are_refused(places):
    with pytest.raises(TinycourseError, match="in order, in frames 0 to 3"):
        transducer_alignments.saying(places, 4)


@pytest.mark.parametrize("frames, labels", SIZES)
def test_ranked_alignments_add_up_to_the_loss_and_begin_with_the_best(frames, labels):
    log_probs, target = drawn(frames, labels)
    ranked = study.ranked(log_probs, target, 0)
    total = torch.tensor(sum(p for _, p in ranked), dtype=torch.float64)
    torch.testing.assert_close(-total.log(), transducer_alignments.loss(log_probs, target, 0))
    assert transducer_alignments.best(log_probs, target, 0) == ranked[0][0]


@pytest.mark.parametrize("frames, labels", SIZES)
def test_occupancy_is_the_share_of_alignments(frames, labels):
    log_probs, target = drawn(frames, labels, seed=1)
    visited, taken = torch.zeros(frames, labels + 1).double(), torch.zeros(frames, labels + 1, 2).double()
    ranked = study.ranked(log_probs, target, 0)
    everything = sum(p for _, p in ranked)
    for way, p in ranked:
        for step, (t, u) in zip(way, transducer_alignments.nodes(way)):
            visited[t, u] += p / everything
            taken[t, u, int(step == "label")] += p / everything
    found = study.occupancy(log_probs, target, 0)
    torch.testing.assert_close(found[0], visited)
    torch.testing.assert_close(found[1], taken)


def test_deaf_network_has_the_loss_of_a_lattice_that_is_the_same_everywhere():
    blank = torch.tensor(0.7, dtype=torch.float64)
    log_probs = torch.cat([blank[None], (1 - blank).expand(4) / 4]).log().expand(6, 3, 5)
    expected, _ = reference_loss(log_probs, torch.tensor([2, 2]), 0)
    torch.testing.assert_close(study.losses_knowing_nothing(6, 2, 4, blank[None])[0], expected)


@pytest.mark.parametrize("symbols, said", [((0, 1, 1, 0, 1), (1, 1)), ((2, 2, 1), (2, 1)), ((0, 0), ())])
def test_collapse_merges_runs_and_drops_blanks(symbols, said):
    assert study.collapse(symbols, 0) == said


def test_ctc_mixes_what_a_transducer_keeps_apart():
    meant = [(1, 3), (2, 4)]
    ctc = study.best_ctc(meant, 3, 5, 0)
    assert sum(ctc.values()) == pytest.approx(1, abs=1e-4)
    assert [ctc[said] for said in (*meant, (1, 4), (2, 3))] == pytest.approx([0.25] * 4, abs=0.02)
    transducer = study.best_transducer(meant, 3, 5, 0)
    assert [transducer[said] for said in meant] == pytest.approx([0.5] * 2, abs=0.02)
    assert set(transducer) == set(itertools.product((1, 2, 3, 4), repeat=2))


def test_alpha_of_a_free_lattice_counts_ways():
    alpha = reference_alpha(torch.zeros(4, 3, 5), torch.tensor([1, 2]), 0).exp()
    assert alpha[3, 2] == pytest.approx(study.count(4, 2))


# ----------------------------------------------------------------------------------------------------- latency


def sounds(words: str) -> list[tuple[str, np.ndarray]]:
    random = np.random.RandomState(0)
    return [(word, random.normal(0, 0.1, random.randint(4_000, 8_000)).astype(np.float32)) for word in words.split()]


def test_joined_words_lie_where_they_are_said_to():
    parts = sounds("two six")
    spoken = study.join(parts, gap=0.25)
    for (begin, end, word), (name, samples) in zip(spoken.words, parts):
        assert word == name
        np.testing.assert_array_equal(spoken.audio[round(begin * 16_000) : round(end * 16_000)], samples)
    assert not spoken.audio[:4_000].any() and not spoken.audio[-4_000:].any()
    assert len(spoken.audio) == sum(len(s) for _, s in parts) + 3 * 4_000


def test_drawn_utterances_keep_to_one_speaker_and_repeat_with_the_seed():
    recordings = {"ann": sounds("one two"), "bob": sounds("three four")}
    first, again = (study.draw(recordings, 8, 3, seed=5) for _ in range(2))
    for spoken, same in zip(first, again):
        said = {word for *_, word in spoken.words}
        assert said <= {"one", "two"} or said <= {"three", "four"}
        assert 2 <= len(spoken.words) <= 3 and spoken.words == same.words and torch.equal(spoken.audio, same.audio)


@pytest.fixture
def recogniser():
    torch.manual_seed(0)
    return Recogniser("rnnt-digits", ("<blank>", *(f"▁{word}" for word in "one two".split()))).eval()


def test_a_frame_of_the_encoder_is_all_that_was_joined(recogniser):
    features, heard = study.encode(recogniser, torch.randn(32_000) / 10)
    assert study.frame_seconds(recogniser) == pytest.approx(0.06)
    assert heard.shape[1] == len(features) // 6


def test_delays_count_from_the_end_of_a_word_to_the_end_of_its_frame(recogniser, monkeypatch):
    spoken = study.join(sounds("two one"))

    def said(labels, frames):
        def push(self, encoded):
            self.labels, self.frames = [labels], [frames]
            return self

        return push

    monkeypatch.setattr(Greedy, "push", said([2, 1], [4, 20]))
    found = study.delays(recogniser, [spoken])
    (_, two, _), (_, one, _) = spoken.words
    assert found["two"] == pytest.approx([5 * 0.06 - two]) and found["one"] == pytest.approx([21 * 0.06 - one])
    monkeypatch.setattr(Greedy, "push", said([2], [4]))
    assert study.delays(recogniser, [spoken]) == {}


def test_followed_search_climbs_where_words_are_written_and_is_sure_of_blank_elsewhere(recogniser):
    spoken = study.join(sounds("two one"))
    with torch.no_grad():
        recogniser.network.joint.output.bias.copy_(torch.tensor([0.0, 0.3, -9.0]))
    found = study.follow(recogniser, spoken)
    heard = study.encode(recogniser, spoken.audio)[1]
    search = Greedy(recogniser.network).push(heard)
    assert found.text.split() == [word for _, word in found.said] and len(found.said) == len(search.labels[0])
    assert len(found.blank) == heard.shape[1] and all(0 < p < 1 for p in found.blank)
    assert found.steps[0] == (0, 0) and found.steps[-1] == (pytest.approx(found.seconds), len(found.said))
    assert [u for _, u in found.steps] == sorted(u for _, u in found.steps)
    assert [time for time, _ in found.said] == pytest.approx([(frame + 1) * 0.06 for frame in search.frames[0]])
