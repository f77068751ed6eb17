"""The transducer: published counts, chunks of any size against the whole, and searches against every sequence written out."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tinycourse.models.cells import CellConfig
from tinycourse.models.rnnt import BLANK, KINDS, RNNTConfig, Transducer, digits, join, paper, sized
from tinycourse.transducer.decoding import Beam, Greedy, Limits
from tinycourse.transducer.loss import rnnt_loss

# Chunks meet the same products as the whole, summed in another order. Each rounding, 2**-53 in float64, passes through loud gates and layer
# normalisation on its way; a millionfold growth is far more than theirs, and a millionth of what a fault at a seam makes.
BOUND = 2.0**-33
SMALL = RNNTConfig(features=5, cell=CellConfig(units=8), prediction=CellConfig(units=6), embedding=4, joint=7)


def network(config: RNNTConfig = SMALL, labels: int = 4, loud: float = 3.0) -> Transducer:
    """With random weights, louder than usual so that its answers depend on what it hears, and blank no likelier than other labels."""
    torch.manual_seed(0)
    made = Transducer(config, labels).eval()
    made.joint.output.bias.data[BLANK] = 0
    for p in made.parameters():
        p.data *= loud
    return made


def test_the_papers_counts():
    """Table of Shangguan et al. 2019: dense, and 50, 70, 80 % of the gates pruned."""
    counts = paper().counts(4096)
    assert [round(paper().sparse(4096, s) / 1e6, 1) for s in (0, 0.5, 0.7, 0.8)] == [122.1, 69.7, 48.7, 38.2]
    assert sum(counts.values()) == 122_093_568 and counts["gates"] == 10 * 4 * 2048 * (640 + 640)
    light = paper("ln-cifg", "ln-sru")
    assert light.sparse(4096, 0.5, projections=True) < 0.41 * 122.1e6 < light.sparse(4096, 0.5)  # the paper: 59 % fewer


@pytest.mark.parametrize("config", [digits(e, p) for e, p in (("lstm", "lstm"), ("ln-cifg", "sru"), ("sru", "ln-lstm"))])
def test_counts_are_those_of_the_network(config):
    made = Transducer(config, 11)
    assert sum(p.numel() for p in made.parameters()) == sum(config.counts(11).values()) <= 400_000
    with torch.device("meta"):
        assert sum(p.numel() for p in Transducer(paper(), 4096).parameters()) == 122_093_568


def test_the_lattice_costs_what_its_layers_cost():
    config, made = digits(), Transducer(digits(), 11)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        made(torch.zeros(1, 1, 60, 40))  # 20 frames at the input, 10 behind the first layer, one label
    first, second = (config.cell.multiply_adds(width) for width in config.encoder_inputs())
    joint = 10 * 128 * 128 + 64 * 128 + 10 * 128 * 11
    assert counter.get_total_flops() // 2 == 20 * first + 10 * second + config.prediction.multiply_adds(64) + joint


def test_neighbours_are_joined():
    x = torch.arange(14.0).view(1, 7, 2)
    y, waiting = join(x[:, :0], x, 3, 2)
    assert y.tolist() == [[[0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 9], [8, 9, 10, 11, 12, 13]]] and torch.equal(waiting, x[:, 6:])
    y, waiting = join(x[:, :1], x[:, 1:2], 3, 2)
    assert y.shape == (1, 0, 6) and torch.equal(waiting, x[:, :2])


def in_chunks(made: Transducer, features, size: int):
    """The encoder's outputs for features [B, T, bands] that come in chunks."""
    state, parts = None, []
    for chunk in features.split(size, 1):
        y, state = made.encoder(chunk, state)
        parts.append(y)
    return parts


@pytest.mark.parametrize("kinds", list(product(KINDS, ("lstm", "sru"))) + [("lstm", "none")], ids="-".join)
@torch.no_grad()
def test_streaming_is_the_batch_for_every_chunk_size(kinds):
    encoder, prediction = kinds
    config = replace(SMALL, cell=sized(encoder, 8), prediction_layers=int(prediction != "none"))
    config = replace(config, prediction=sized(prediction, 6, 5)) if config.prediction_layers else config
    made, features = network(replace(config, stack=4)).double(), torch.randn(1, 100, 5, dtype=torch.float64)
    encoder_out, _ = made.encoder(features)
    assert encoder_out.shape[1] == made.encoder.lengths(torch.tensor(100)) == 16
    limits = Limits(blank_penalty=4.0)  # random networks say little
    greedy, beam = Greedy(made, 1, limits).push(encoder_out), Beam(made, limits).push(encoder_out[0])
    assert len(greedy.labels[0]) > 3
    for size in range(1, 51):
        parts = in_chunks(made, features, size)
        torch.testing.assert_close(torch.cat(parts, 1), encoder_out, rtol=BOUND, atol=BOUND)
        if size % 7 == 1:  # searching takes longer
            streaming, beams = Greedy(made, 1, limits), Beam(made, limits)
            for part in parts:
                streaming.push(part)
                beams.push(part[0])
            assert streaming.labels == greedy.labels and streaming.frames == greedy.frames
            torch.testing.assert_close(streaming.scores, greedy.scores, rtol=BOUND, atol=BOUND)
            assert [h.labels for h in beams.best()] == [h.labels for h in beam.best()]
            assert [h.score for h in beams.best()] == pytest.approx([h.score for h in beam.best()], rel=BOUND)


@torch.no_grad()
def test_a_padded_batch_is_its_utterances_one_by_one():
    made, features, frames = network().double(), torch.randn(3, 90, 5, dtype=torch.float64), torch.tensor([90, 40, 3])
    encoder_out, _ = made.encoder(features)
    together = Greedy(made, 3).push(encoder_out, made.encoder.lengths(frames))
    for i, n in enumerate(frames):
        alone = Greedy(made).push(made.encoder(features[i : i + 1, :n])[0])
        assert together.labels[i] == alone.labels[0]
        torch.testing.assert_close(together.scores[i], alone.scores[0], rtol=BOUND, atol=BOUND)


def loss_of(made: Transducer, encoder_out, labels) -> float:
    """The transducer's loss of one utterance heard [1, T, outputs]."""
    y = torch.tensor([labels], dtype=torch.int64).view(1, -1)
    t, u = torch.tensor([encoder_out.shape[1]]), torch.tensor([len(labels)])
    return float(rnnt_loss(made.lattice(encoder_out, y).double(), y, t, u, blank=0))


@torch.no_grad()
def test_a_beam_that_holds_everything_finds_the_exact_probabilities():
    made = network(labels=3, loud=2.0).double()
    encoder_out = torch.randn(1, 3, 8, dtype=torch.float64)
    found = Beam(made, Limits(symbols=5, beam=10_000)).push(encoder_out[0]).best()
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    for h in found:
        if len(h.labels) <= 5:  # longer ones have alignments with more labels in a frame than the limit
            assert h.score == pytest.approx(-loss_of(made, encoder_out, h.labels), rel=BOUND)
    assert len({h.labels for h in found}) == len(found) and sum(len(h.labels) <= 5 for h in found) == 2**6 - 1


@torch.no_grad()
def test_a_beam_never_invents_probability_and_wider_is_better():
    made, encoder_out = network(labels=6).double(), torch.randn(1, 12, 8, dtype=torch.float64)
    narrow, wide = (Beam(made, Limits(beam=n)).push(encoder_out[0]).best() for n in (1, 16))
    assert wide[0].score >= narrow[0].score and len(wide) == 16
    assert all(h.score <= -loss_of(made, encoder_out, h.labels) + BOUND for h in wide)
    greedy = Greedy(made).push(encoder_out)
    assert greedy.scores[0] <= -loss_of(made, encoder_out, greedy.labels[0]) + BOUND


@torch.no_grad()
def test_limits():
    made, encoder_out = network(), torch.randn(1, 9, 8)
    made.joint.output.bias[1] += 1e3  # says label 1 for ever
    for symbols in (0, 1, 4):
        limits = Limits(symbols=symbols)
        assert Greedy(made, limits=limits).push(encoder_out).labels == [[1] * 9 * symbols]
        assert Greedy(made, limits=limits).push(encoder_out).frames == [[t for t in range(9) for _ in range(symbols)]]
        assert max(len(h.labels) for h in Beam(made, limits).push(encoder_out[0]).best()) <= 9 * symbols
    made = network()
    said = [len(Greedy(made, limits=Limits(blank_penalty=p)).push(encoder_out).labels[0]) for p in (-100.0, 0.0, 100.0)]
    assert said[0] == 0 <= said[1] <= said[2] == 27


def test_every_weight_learns_through_the_loss():
    made = Transducer(SMALL, 4)
    features, labels = torch.randn(2, 1, 40, 5), torch.tensor([[1, 2, 3], [3, 1, 1]])
    logits = made(features, labels)
    rnnt_loss(logits, labels, torch.tensor([6, 4]), torch.tensor([3, 2]), blank=0).backward()
    assert logits.shape == (2, 6, 4, 4)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters())


def test_it_learns_what_it_is_shown():
    torch.manual_seed(0)
    made, features, labels = Transducer(SMALL, 4), torch.randn(3, 1, 40, 5), torch.tensor([[1, 2], [3, 1], [2, 2]])
    assert made.joint.output.bias.softmax(0)[BLANK] > 0.85  # little is said at first
    optimizer, lengths = torch.optim.Adam(made.parameters(), 0.01), (torch.full((3,), 6), torch.full((3,), 2))
    losses = []
    for _ in range(200):
        loss = rnnt_loss(made(features, labels), labels, *lengths, blank=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    with torch.no_grad():
        assert Greedy(made.eval(), 3).push(made.encoder(features[:, 0])[0]).labels == labels.tolist()
