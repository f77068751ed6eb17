"""The loss on a band of the lattice: the adding joint network against the full loss, and what a band keeps."""

import pytest
import torch

from tinycourse.errors import TinycourseError
from tinycourse.transducer.loss import rnnt_loss
from tinycourse.transducer.pruned_loss import band, pruned_loss, simple_loss, within

T, U = torch.tensor([12, 9, 4]), torch.tensor([5, 0, 3])


def networks(dtype=torch.float64, sharp: float = 1.0):
    g = torch.Generator().manual_seed(0)
    am, lm = sharp * torch.randn(3, 12, 7, generator=g, dtype=dtype), torch.randn(3, 6, 7, generator=g, dtype=dtype)
    return am.requires_grad_(), lm.requires_grad_(), torch.randint(1, 7, (3, 5), generator=g)


def test_adding_is_the_joint_network_that_adds():
    am, lm, y = networks()
    losses, visited = simple_loss(am, lm, y, T, U)
    logits = am[:, :, None] + lm[:, None]
    expected = rnnt_loss(logits, y, T, U, blank=0, reduction="none")
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(torch.autograd.grad(losses.sum(), [am, lm]), torch.autograd.grad(expected.sum(), [am, lm]))
    for i in range(3):  # each frame is left by exactly one blank, so its nodes are visited once, and once more for every label
        assert visited[i].sum() == pytest.approx(int(T[i] + U[i])) and not visited[i, T[i] :].any()
        assert visited[i, 0, 0] == pytest.approx(1) and visited[i, T[i] - 1, U[i]] == pytest.approx(1)


def test_large_logits_stay_finite():
    am, lm, y = networks(torch.float32, sharp=300.0)
    losses, visited = simple_loss(am, lm, y, T, U)
    gradients = torch.autograd.grad(losses.sum(), [am, lm])
    assert losses.isfinite().all() and visited.isfinite().all() and all(g.isfinite().all() for g in gradients)


def test_a_band_of_everything_is_the_whole_lattice():
    am, lm, y = networks()
    weight = torch.randn(7, 7, dtype=torch.float64)
    start = band(simple_loss(am, lm, y, T, U)[1], T, U, 6)
    assert not start.any()
    logits = (am[:, :, None] + within(lm, start, 6)).tanh() @ weight
    full = (am[:, :, None] + lm[:, None]).tanh() @ weight
    losses, expected = pruned_loss(logits, start, y, T, U), rnnt_loss(full, y, T, U, blank=0, reduction="none")
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(torch.autograd.grad(losses.sum(), [am, lm]), torch.autograd.grad(expected.sum(), [am, lm]))


def test_a_band_leads_from_the_first_node_to_the_last():
    for seed in range(30):
        visited = torch.rand(3, 12, 6, generator=torch.Generator().manual_seed(seed)) ** 4
        for size in (3, 4, 5):
            start = band(visited, T, U, size)
            steps = start.diff(dim=1)
            assert not start[:, 0].any() and steps.min() >= 0 and steps.max() <= size - 1
            for i in range(3):
                assert start[i, T[i] - 1] == max(0, U[i] + 1 - size)


def test_narrow_bands_lose_little_of_what_matters():
    am, lm, y = networks(sharp=4.0)
    whole, visited = simple_loss(am, lm, y, T, U)
    lost = []
    for size in (3, 4, 5, 6):
        start = band(visited, T, U, size)
        kept = pruned_loss(am[:, :, None] + within(lm, start, size), start, y, T, U)
        assert (kept >= whole - 1e-9).all()
        lost.append((kept - whole).sum().item())
    assert lost == sorted(lost, reverse=True) and lost[-1] == pytest.approx(0, abs=1e-9) and lost[1] < 1


def test_a_band_that_cannot_get_through_is_refused():
    with pytest.raises(TinycourseError, match="band of 2 nodes is too narrow"):
        band(torch.rand(1, 3, 9), torch.tensor([3]), torch.tensor([8]), 2)
