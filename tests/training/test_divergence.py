"""Trainings that diverge: every loop says so in one sentence, and leaves finite weights behind."""

import pytest
import torch
from torch import nn

from tests.training.test_training import NOISE, clips
from tinycourse.divergence import Diverged, must_be_finite, or_as_before
from tinycourse.pruning.pruner import Pruner
from tinycourse.pruning.schedule import PruneConfig
from tinycourse.quantization import qat
from tinycourse.studies import lesson01 as study01
from tinycourse.studies import lesson02 as study02
from tinycourse.studies import lesson05 as study05


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_none(wrong):
    fine = {"a loss": 0.5, "weights": torch.zeros(3), "counts": torch.tensor([3])}
    must_be_finite("Epoch 1", fine)
    for found in (wrong, torch.tensor([1.0, wrong])):
        with pytest.raises(Diverged, match="^Epoch 2: it is infinite or not a number; .*, try a smaller learning rate.$"):
            must_be_finite("Epoch 2", fine | {"it": found})


def test_weights_come_back_after_divergence_and_only_then():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: x.clone() for name, x in network.state_dict().items()}
    with pytest.raises(Diverged), or_as_before(network):
        network(1e30 * torch.randn(4, 2))
        network[0].weight.data.fill_(torch.nan)
        must_be_finite("Here", network.state_dict())
    assert all(torch.equal(x, before[name]) for name, x in network.state_dict().items())
    with or_as_before(network):
        network[0].weight.data.zero_()
    assert not network[0].weight.any()


@pytest.fixture
def no_rate(monkeypatch):
    """Every step of AdamW ends in weights that are no numbers."""

    def step(self, *_):
        for group in self.param_groups:
            for p in group["params"]:
                p.data.fill_(torch.nan)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)


def test_the_plain_loop(no_rate):
    with pytest.raises(Diverged, match="^Epoch 1: .* is infinite or not a number"):
        study02.learn("tc-resnet8", clips(32, 0), clips(32, 1), NOISE, study02.UNDISTURBED, epochs=2)


def test_trials_of_a_front_end(no_rate):
    with pytest.raises(Diverged, match="^Epoch 1: "):
        study01.train("2-D", torch.randn(64, 1, 20, 10), torch.arange(64) % 2, classes=2, epochs=1, seed=0)


def test_quantization_aware_training_ends_in_its_loop_and_is_never_stripped():
    torch.manual_seed(0)
    network, x = qat.prepare(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))), torch.randn(8, 4)
    network(x)
    network[0].parametrizations.weight.original.data[0, 0] = torch.nan
    with pytest.raises(Diverged, match="^Quantization-aware training: the smallest input of a layer is infinite or not a number"):
        network(x)
    with pytest.raises(Diverged, match="^Quantization-aware training: 0.parametrizations.weight.original is"):
        qat.strip(network)


def test_pruning_ends_when_masks_are_drawn():
    network = nn.Linear(16, 16)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    pruner = Pruner(network, PruneConfig(0.5, (1, 1), end=1.0, every=2), steps=8).attach(optimizer)
    network(torch.full((1, 16), torch.inf)).sum().backward()
    optimizer.step()
    with pytest.raises(Diverged, match="^Step 2: weight is infinite or not a number"):
        optimizer.step()
    assert pruner.step == 2


def test_targets_that_no_alignment_reaches():
    with pytest.raises(Diverged, match="the targets do not fit into the frames, give more frames"):
        study05.best_ctc([(1, 2, 1)], frames=2, words=3, blank=0)
