"""The transducer's loss against every alignment written out, a slow reference, finite differences, and torchaudio."""

import math
import random
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.transducer.loss import alignments, reference_alpha, reference_beta, reference_loss, rnnt_loss


def by_enumeration(logits: Tensor, target: Tensor, blank: int) -> Tensor:
    """Minus the logarithm of the summed probabilities of all alignments, one by one: [T, U + 1, V], [U] -> a number."""
    log_probs, paths = logits.log_softmax(-1), []
    for steps in alignments(len(logits), len(target)):
        t = u = 0
        path = log_probs.new_zeros(())
        for step in steps:
            path = path + log_probs[t, u, blank if step == "blank" else target[u]]
            t, u = (t + 1, u) if step == "blank" else (t, u + 1)
        paths.append(path)
    return -torch.stack(paths).logsumexp(0) if paths else torch.tensor(math.inf)


def batch(seed: int, size: int = 3, frames: int = 5, labels: int = 4, words: int = 6, dtype=torch.float32, spread: float = 1.0):
    """Random logits, targets, lengths and blank. Lengths begin at 0; what lies beyond them is NaN in logits and -1 in targets."""
    chance, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    frames, labels, blank = chance.randint(1, frames), chance.randint(0, labels), chance.randrange(words)
    logits = spread * torch.randn(size, frames, labels + 1, words, generator=generator, dtype=dtype)
    targets = torch.randint(0, words - 1, (size, labels), generator=generator)
    targets += targets >= blank
    t = torch.tensor([chance.randint(min(1, i), frames) for i in range(size)])  # the first utterance may have no frames
    u = torch.tensor([chance.randint(0, labels) for _ in range(size)])
    for i in range(size):
        logits[i, t[i] :], logits[i, :, u[i] + 1 :], targets[i, u[i] :] = math.nan, math.nan, -1
    return logits, targets, t, u, blank


def gradient_of(loss: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(loss, logits)[0]


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """Whether they differ by at most a share `tolerance` of the largest entry."""
    return bool((a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1e-3))


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_loss_and_gradient_are_those_of_all_alignments_written_out(first):
    """200 batches of three utterances: 600 cases, with 0 and 1 frames, 0 to 4 labels, more labels than frames."""
    for seed in range(first, first + 20):
        logits, targets, t, u, blank = batch(seed)
        logits.requires_grad_()
        losses = rnnt_loss(logits, targets, t, u, blank, reduction="none")
        gradient = gradient_of(losses[losses.isfinite()].sum(), logits)
        assert gradient.isfinite().all()
        for i in range(len(losses)):
            part = logits[i, : t[i], : u[i] + 1].detach().double().requires_grad_()
            expected = by_enumeration(part, targets[i, : u[i]], blank)
            if t[i] == 0:
                assert losses[i] == (math.inf if u[i] else 0) and not gradient[i].any()
                continue
            assert abs(losses[i] - expected) <= 1e-5 * expected
            assert close(gradient[i, : t[i], : u[i] + 1], gradient_of(expected, part))
            assert not gradient[i, t[i] :].any() and not gradient[i, :, u[i] + 1 :].any()


def test_how_many_alignments_there_are():
    """The last step is a blank, so T + U - 1 steps are free, U of them labels."""
    for t in range(1, 6):
        for u in range(5):
            paths = list(alignments(t, u))
            assert len(set(paths)) == len(paths) == math.comb(t + u - 1, u)
            assert all(p[-1] == "blank" and p.count("label") == u and len(p) == t + u for p in paths)
    assert list(alignments(0, 2)) == []


def test_the_reference_agrees_with_enumeration_and_training_with_the_reference():
    for seed in range(20):
        logits, targets, t, u, blank = batch(seed, size=1, frames=12, labels=7)
        t.clamp_(min=1)
        logits = logits[:, : t[0], : u[0] + 1].nan_to_num()
        logits.requires_grad_()
        target = targets[0, : u[0]]
        expected, gradient = reference_loss(logits[0].detach(), target, blank)
        loss = rnnt_loss(logits, target[None], t, u, blank)
        assert abs(loss - expected) <= 1e-5 * expected and close(gradient_of(loss, logits)[0], gradient)
        if math.comb(int(t + u) - 1, int(u)) < 1000:
            assert abs(by_enumeration(logits[0].detach(), target, blank) - expected) <= 1e-5 * expected


def test_alpha_and_beta_meet_on_every_diagonal():
    log_probs, target = torch.randn(6, 4, 5, dtype=torch.float64).log_softmax(-1), torch.tensor([1, 3, 2])
    alpha, beta = reference_alpha(log_probs, target, 0), reference_beta(log_probs, target, 0)
    t, u = torch.arange(6)[:, None], torch.arange(4)
    for d in range(9):
        torch.testing.assert_close((alpha + beta)[t + u == d].logsumexp(0), beta[0, 0])


@pytest.mark.parametrize("fused", [True, False])
def test_finite_differences(fused):
    logits, targets, t, u, blank = batch(3, dtype=torch.float64)
    logits, t = logits.nan_to_num().requires_grad_(), t.clamp(min=1)
    assert torch.autograd.gradcheck(lambda x: rnnt_loss(x, targets, t, u, blank, reduction="none", fused_log_softmax=fused), logits)


def test_log_probabilities_instead_of_logits():
    logits, targets, t, u, blank = batch(5)
    logits, t = logits.nan_to_num(), t.clamp(min=1)
    given = rnnt_loss(logits.log_softmax(-1), targets, t, u, blank, fused_log_softmax=False)
    torch.testing.assert_close(given, rnnt_loss(logits, targets, t, u, blank))


def test_two_thousand_frames_are_as_exact_as_doubles():
    g = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(2, 2_000, 81, 12, generator=g)).requires_grad_()
    arguments = torch.randint(1, 12, (2, 80), generator=g), torch.tensor([2_000, 1_700]), torch.tensor([80, 33])
    loss = rnnt_loss(logits, *arguments, blank=0)
    gradient = gradient_of(loss, logits)
    double = logits.detach().double().requires_grad_()
    exact = rnnt_loss(double, *arguments, blank=0)
    assert loss > 1_000 and abs(loss - exact) <= 1e-6 * exact
    assert gradient.isfinite().all() and close(gradient, gradient_of(exact, double))
    assert gradient.sum(-1).abs().max() < 1e-5  # adding a number to all logits of a node changes nothing


def test_certainty_does_not_overflow():
    logits = torch.full((1, 3, 2, 4), -1e4)
    logits[0, :, 0, 1] = logits[0, :, 1, 0] = 1e4  # one alignment alone: the label at once, then blanks
    logits.requires_grad_()
    loss = rnnt_loss(logits, torch.tensor([[1]]), torch.tensor([3]), torch.tensor([1]), blank=0)
    assert loss == 0 and not gradient_of(loss, logits).any()
    unlikely = rnnt_loss(logits, torch.tensor([[2]]), torch.tensor([3]), torch.tensor([1]), blank=0)
    assert 1e4 < unlikely < 1e5 and gradient_of(unlikely, logits).isfinite().all()


def test_reductions_blank_from_the_end_and_clamp():
    logits, targets, t, u, blank = batch(8)
    logits, t, targets = logits.nan_to_num().requires_grad_(), t.clamp(min=1), targets.clamp(0, 4)
    losses = rnnt_loss(logits, targets, t, u, reduction="none")
    assert torch.equal(losses, rnnt_loss(logits, targets, t, u, blank=5, reduction="none"))
    torch.testing.assert_close(rnnt_loss(logits, targets, t, u), losses.mean())
    torch.testing.assert_close(rnnt_loss(logits, targets, t, u, reduction="sum"), losses.sum())
    whole = gradient_of(losses.sum(), logits)
    for bound in (-1, -0.01, 0):
        assert torch.equal(gradient_of(rnnt_loss(logits, targets, t, u, clamp=bound, reduction="sum"), logits), whole)


def test_the_bound_is_on_the_gradient_of_each_loss_before_it_is_weighed():
    """As in torchaudio, whose forward bounds d loss / d logits of each utterance, and whose backward multiplies it by what comes in."""
    logits, targets, t, u, blank = batch(8, dtype=torch.float64)
    logits, t, bound = logits.nan_to_num().requires_grad_(), t.clamp(min=1), 0.01
    whole = gradient_of(rnnt_loss(logits, targets, t, u, blank, reduction="sum"), logits)
    weights = torch.tensor([100.0, 1.0, -0.1], dtype=torch.float64)
    given = {
        "sum": (torch.ones(3), lambda losses: losses.sum()),
        "mean": (torch.full((3,), 1 / 3), lambda losses: losses.mean()),
        "weighted": (weights, lambda losses: (weights * losses).sum()),
    }
    for weight, total in given.values():
        losses = rnnt_loss(logits, targets, t, u, blank, clamp=bound, reduction="none")
        expected = whole.clamp(-bound, bound) * weight[:, None, None, None]
        torch.testing.assert_close(gradient_of(total(losses), logits), expected, rtol=1e-6, atol=0)
    mean = gradient_of(rnnt_loss(logits, targets, t, u, blank, clamp=bound), logits)
    torch.testing.assert_close(mean, whole.clamp(-bound, bound) / 3)
    assert mean.abs().max() == pytest.approx(bound / 3)  # so the bound was reached, and it is not the bound of the mean's gradient


def test_each_loss_weighs_its_own_gradient():
    logits, targets, t, u, blank = batch(11)
    logits, t = logits.nan_to_num().requires_grad_(), t.clamp(min=1)
    one = gradient_of(rnnt_loss(logits, targets, t, u, blank, reduction="sum"), logits)
    weights = torch.tensor([0.0, 2.0, -1.0])
    weighted = gradient_of((weights * rnnt_loss(logits, targets, t, u, blank, reduction="none")).sum(), logits)
    torch.testing.assert_close(weighted, weights[:, None, None, None] * one)


def test_half_precision_logits():
    logits, targets, t, u, blank = batch(6)
    logits, t = logits.nan_to_num().bfloat16().requires_grad_(), t.clamp(min=1)
    loss = rnnt_loss(logits, targets, t, u, blank)
    torch.testing.assert_close(loss, rnnt_loss(logits.float(), targets, t, u, blank))
    assert loss.dtype == torch.float32 and gradient_of(loss, logits).dtype == torch.bfloat16


def test_without_a_gradient_one_way_is_enough():
    logits, targets, t, u, blank = batch(9)
    with torch.no_grad():
        one_way = rnnt_loss(logits, targets, t, u, blank, reduction="none")
    assert torch.equal(one_way, rnnt_loss(logits.requires_grad_(), targets, t, u, blank, reduction="none").detach())


def test_what_does_not_fit_is_named():
    logits, length = torch.zeros(2, 3, 2, 4), torch.tensor([3, 3])
    one = torch.tensor([1, 1])
    with pytest.raises(TinycourseError, match=r"need targets \[2, 1\], not \[2, 2\]"):
        rnnt_loss(logits, torch.ones(2, 2, dtype=torch.int64), length, one, 0)
    with pytest.raises(TinycourseError, match="beyond 3 frames or 1 labels"):
        rnnt_loss(logits, torch.ones(2, 1, dtype=torch.int64), length + 1, one, 0)
    with pytest.raises(TinycourseError, match="beyond 3 frames or 1 labels"):
        rnnt_loss(logits, torch.ones(2, 1, dtype=torch.int64), length, one + 1, 0)
    for wrong in (0, 4, -1):
        with pytest.raises(TinycourseError, match="differ from blank, which is 0"):
            rnnt_loss(logits, torch.full((2, 1), wrong), length, one, 0)


LOGITS, ONE = torch.zeros(2, 3, 2, 4), torch.ones(2, dtype=torch.int64)
FITS = {"logits": LOGITS, "targets": ONE[:, None], "logit_lengths": 3 * ONE, "target_lengths": ONE, "blank": 0}
NONSENSE = [
    ({"blank": 4}, "blank is 4, but there are 4 labels: give an integer from -4 to 3"),
    ({"blank": -5}, "blank is -5"),
    ({"blank": 0.0}, "blank is 0.0"),
    ({"reduction": "average"}, "no reduction 'average': choose one of mean, sum, none"),
    ({"implementation": "torchaduio"}, "no implementation 'torchaduio': choose one of tinycourse, torchaudio"),
    ({"clamp": float("nan")}, "clamp is a number"),
    ({"clamp": None}, "clamp is a number"),
    ({"logit_lengths": 3.0 * ONE}, "logit_lengths must hold integers, not torch.float32"),
    ({"target_lengths": 1.0 * ONE}, "target_lengths must hold integers"),
    ({"target_lengths": ONE == 1}, "target_lengths must hold integers, not torch.bool"),
    ({"targets": 1.0 * ONE[:, None]}, "targets must hold integers"),
    ({"logits": LOGITS.long()}, "logits must hold floats, not torch.int64"),
    ({"logits": LOGITS[0]}, r"logits must be a tensor \[B, T, U \+ 1, V\], not \[3, 2, 4\]"),
    ({"targets": ONE}, r"targets must be a tensor \[B, U\], not \[2\]"),
    ({"logit_lengths": 3}, r"logit_lengths must be a tensor \[B\], not int"),
    ({"target_lengths": [1, 1]}, r"target_lengths must be a tensor \[B\], not list"),
    ({"target_lengths": ONE.to("meta")}, "target_lengths lies on meta, but logits on cpu"),
    ({"logits": LOGITS[:0]}, r"Logits \[0, 3, 2, 4\] are empty"),
]


@pytest.mark.parametrize("wrong, sentence", NONSENSE, ids=[sentence.split(":")[0] for _, sentence in NONSENSE])
def test_what_cannot_be_meant_is_one_sentence(wrong, sentence):
    assert rnnt_loss(**FITS).isfinite()
    with pytest.raises(TinycourseError, match=sentence):
        rnnt_loss(**FITS | wrong)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_integers_of_any_size(kind):
    logits, targets, t, u, blank = batch(2)
    logits, t, targets = logits.nan_to_num(), t.clamp(min=1), targets.clamp(0)
    assert torch.equal(rnnt_loss(logits, targets.to(kind), t.to(kind), u.to(kind), blank), rnnt_loss(logits, targets, t, u, blank))


def test_torchaudio_that_does_not_load_is_one_sentence(monkeypatch):
    utterance = torch.zeros(1, 2, 2, 3), torch.ones(1, 1, dtype=torch.int64), torch.tensor([2]), torch.tensor([1]), 0
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(TinycourseError, match="torchaudio does not load here .* only comparisons need it"):
        rnnt_loss(*utterance, implementation="torchaudio")
    monkeypatch.setitem(sys.modules, "torchaudio", SimpleNamespace(functional=None))
    monkeypatch.setattr(torch.ops, "torchaudio", None, raising=False)
    with pytest.raises(TinycourseError, match="no compiled part here"):
        rnnt_loss(*utterance, implementation="torchaudio")


@pytest.mark.parametrize("clamp", [-1, 0.01])
def test_torchaudio_agrees(clamp, torchaudio):
    logits, targets, t, u, blank = batch(12, size=4, frames=30, labels=9)
    logits, t = logits.nan_to_num().requires_grad_(), t.clamp(min=1)
    t[0], u[0], targets = logits.shape[1], logits.shape[2] - 1, torch.where(targets < 0, (blank + 1) % 6, targets)  # it wants full ones
    try:
        theirs = rnnt_loss(logits, targets, t, u, blank, clamp, implementation="torchaudio")
    except TinycourseError as error:
        pytest.skip(str(error))
    ours = rnnt_loss(logits, targets, t, u, blank, clamp)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    assert close(gradient_of(ours, logits), gradient_of(theirs, logits), 1e-4)
