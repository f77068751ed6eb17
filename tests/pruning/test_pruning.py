"""Gradual pruning: schedule, blocks, masks that let weights return, every kind of module, and the verb."""

import copy
import json

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from tests.training.test_training import CLASSES, NOISE, clips, same
from tinycourse import cli
from tinycourse.errors import TinycourseError
from tinycourse.features.augmentation import AugmentConfig
from tinycourse.pruning.masks import choose, lamp, largest, magnitudes, prunable, sizes
from tinycourse.pruning.pruner import Pruner
from tinycourse.pruning.recipes import prune
from tinycourse.pruning.schedule import PruneConfig, Schedule
from tinycourse.training import checkpoint, classifiers

ALL_AT_ONCE = {"start": 0.0, "end": 0.0}


def zeros(weight: torch.Tensor) -> float:
    return (weight == 0).float().mean().item()


# ------------------------------------------------------------------------------------------------- schedule


def test_the_schedule_is_the_cubic_of_the_paper():
    s = Schedule(start=100, end=300, final=0.8, initial=0.2)
    assert [s.at(t) for t in (0, 99, 100, 300, 1_000)] == [0.0, 0.0, pytest.approx(0.2), 0.8, 0.8]
    assert s.at(200) == pytest.approx(0.8 - 0.6 / 8)  # half the time: an eighth of the way is left
    steps = [s.at(t) for t in range(100, 301)]
    gains = [b - a for a, b in zip(steps, steps[1:])]
    assert all(a > b > 0 for a, b in zip(gains, gains[1:]))  # fast, then ever slower


def test_masks_are_drawn_every_few_steps_and_at_the_end_and_then_stay():
    s = Schedule(start=5, end=28, final=0.5, every=10)
    assert [t for t in range(100) if s.due(t)] == [5, 15, 25, 28]
    once = Schedule(start=0, end=0, final=0.5)
    assert [t for t in range(100) if once.due(t)] == [0] and once.at(0) == 0.5


# --------------------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("block", [(8, 1), (1, 8), (4, 2), (1, 1), (5, 3)])
@pytest.mark.parametrize("shape", [(16, 24), (17, 10), (12, 3, 3, 3), (8, 1, 3, 5)])
def test_magnitudes_and_sizes_agree_with_a_loop(shape, block):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    matrix = weight.reshape(shape[0], -1)
    means, counts = magnitudes(weight, block), sizes(weight.shape, block)
    for i in range(means.shape[0]):
        for j in range(means.shape[1]):
            part = matrix[i * block[0] : (i + 1) * block[0], j * block[1] : (j + 1) * block[1]]
            assert means[i, j].item() == pytest.approx(part.abs().mean().item(), rel=1e-5)
            assert counts[i, j] == part.numel()
    assert counts.sum() == weight.numel() and counts.shape == means.shape


@pytest.mark.parametrize("block", [(8, 1), (1, 8), (1, 1)])
@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.9])
def test_the_smallest_blocks_go_whole_and_exactly_as_many_as_asked(block, sparsity):
    weight = torch.randn(32, 40, generator=torch.Generator().manual_seed(1))
    mask = choose({"w": weight}, block, sparsity)["w"]
    assert zeros(mask) == pytest.approx(sparsity)
    means = magnitudes(weight, block)
    kept = magnitudes(mask.float(), block)
    assert set(kept.unique().tolist()) <= {0.0, 1.0}
    if sparsity:
        assert means[kept == 0].max() < means[kept == 1].min()


def test_one_weight_at_a_time_is_what_torch_does():
    layer = nn.Linear(20, 30)
    mask = choose({"w": layer.weight}, (1, 1), 0.7)["w"]
    torch_prune.l1_unstructured(layer, "weight", 0.7)
    assert torch.equal(mask, layer.weight_mask.bool())


def test_torch_compounds_and_has_no_blocks_where_ours_means_the_whole():
    """Why the course has its own: 50 % asked twice is 75 % there."""
    layer = nn.Linear(64, 64)
    for _ in range(2):
        torch_prune.l1_unstructured(layer, "weight", 0.5)
    assert zeros(layer.weight) == pytest.approx(0.75, abs=0.001)
    other = nn.Linear(64, 64)
    optimizer = torch.optim.SGD(other.parameters(), 0.0)
    for _ in range(2):
        Pruner(other, PruneConfig(0.5, (8, 1), **ALL_AT_ONCE), 10).attach(optimizer).detach()
    assert zeros(other.weight) == 0.5


def test_torch_renames_a_recurrent_weight_where_ours_leaves_a_plain_lstm():
    theirs, ours = nn.LSTM(8, 8), nn.LSTM(8, 8)
    torch_prune.l1_unstructured(theirs, "weight_hh_l0", 0.5)
    assert "weight_hh_l0_orig" in theirs.state_dict()
    with pytest.raises(RuntimeError):
        copy.deepcopy(theirs)
    Pruner(ours, PruneConfig(0.5, (8, 1), **ALL_AT_ONCE), 10).attach(torch.optim.SGD(ours.parameters(), 0.1))
    nn.LSTM(8, 8).load_state_dict(copy.deepcopy(ours).state_dict())
    assert zeros(ours.weight_hh_l0) == 0.5


def test_a_budget_is_met_to_the_weight_and_lamp_spares_the_small_matrix():
    generator = torch.Generator().manual_seed(2)
    weights = {"large": torch.randn(64, 64, generator=generator), "small": 0.01 * torch.randn(16, 16, generator=generator)}
    total = sum(w.numel() for w in weights.values())
    for scope in ("lamp", "global"):
        masks = choose(weights, (1, 1), 0.8, scope)
        gone = sum(int((~m).sum()) for m in masks.values())
        assert gone == int(0.8 * total)
    assert not choose(weights, (1, 1), 0.8, "global")["small"].any()  # all its weights are tiny
    assert zeros(choose(weights, (1, 1), 0.8, "lamp")["small"]) < 0.8  # but it needs some, and more than the large one


def test_lamp_is_its_formula():
    scores = torch.tensor([[3.0, 1.0], [2.0, 0.5]])
    expected = torch.tensor([[1.0, 1 / 14], [4 / 13, 0.25 / 14.25]]).double()
    assert torch.allclose(lamp(scores, torch.ones(2, 2)), expected)


def test_smaller_blocks_at_the_edge_count_what_they_hold():
    size = torch.tensor([4, 4, 1])
    assert largest(torch.tensor([0.1, 0.2, 0.3]), size, 0.5).tolist() == [False, True, True]  # two would be 8 of 9
    assert largest(torch.tensor([0.2, 0.3, 0.1]), size, 0.6).tolist() == [False, True, False]


# ------------------------------------------------------------------------------------------- while training


def train_toward(network: nn.Module, pruner: Pruner, target, steps: int, rate: float = 0.1, weight_decay: float = 0.0):
    optimizer = torch.optim.SGD(network.parameters(), rate, weight_decay=weight_decay)
    pruner.attach(optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        target(network).backward()
        optimizer.step()


def test_a_pruned_weight_comes_back_once_it_has_grown():
    """w = (1, 0.1), but the data want (0, 1): the small weight goes first, grows behind its mask, and returns."""
    network = nn.Linear(2, 2, bias=False)
    wanted = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 0.1], [1.0, 0.1]]))
    pruner = Pruner(network, PruneConfig(0.5, (2, 1), end=1.0, every=1), steps=40)
    pruner.schedule = Schedule(0, 40, 0.5, initial=0.5, every=1)  # at 50 % from the first step on
    seen = []

    def loss(n):
        seen.append((n.weight != 0).all(0).tolist())
        return (n.weight - wanted).square().sum()

    train_toward(network, pruner, loss, 40)
    assert seen[0] == [True, False] and seen[-1] == [False, True]
    assert pruner.returned == 2 and torch.allclose(network.weight, wanted, atol=0.01)


def test_without_straight_through_only_what_is_seen_gets_a_gradient():
    torch.manual_seed(0)
    moved = {}
    for straight_through in (True, False):
        network = nn.Linear(16, 16, bias=False)
        pruner = Pruner(network, PruneConfig(0.5, (8, 1), straight_through=straight_through, **ALL_AT_ONCE), steps=10)
        before = network.weight.detach().clone()
        train_toward(network, pruner, lambda n: (n.weight - 1).square().sum(), 3)
        hidden = ~pruner.masks["weight"]
        moved[straight_through] = bool((pruner.dense["weight"][hidden] != before[hidden]).all())
        assert (network.weight[hidden] == 0).all() and (network.weight[~hidden] != before[~hidden]).all()
        if not straight_through:
            assert torch.equal(pruner.dense["weight"][hidden], before[hidden])
    assert moved == {True: True, False: False}


def test_the_gradient_is_that_of_the_pruned_network():
    network = nn.Linear(4, 4, bias=False)
    pruner = Pruner(network, PruneConfig(0.5, (1, 1), **ALL_AT_ONCE), steps=10)
    dense = network.weight.detach().clone()
    train_toward(network, pruner, lambda n: n.weight.square().sum() / 2, steps=1, rate=1.0)
    pruned = dense * pruner.masks["weight"]
    assert torch.allclose(pruner.dense["weight"], dense - pruned)  # the gradient of w**2 / 2 is w, where w is seen


class Own(nn.Module):
    """A cell as one writes it by hand: matrices as parameters, used in a loop."""

    def __init__(self):
        super().__init__()
        self.weight_input, self.weight_recurrent = nn.Parameter(torch.randn(32, 8)), nn.Parameter(torch.randn(32, 32))

    def forward(self, x):
        h = torch.zeros(len(x), 32)
        for t in range(x.shape[1]):
            h = torch.tanh(x[:, t] @ self.weight_input.T + h @ self.weight_recurrent.T)
        return h


MODULES = {
    "lstm": (lambda: nn.LSTM(8, 16, num_layers=2, batch_first=True), (3, 5, 8)),
    "own cell": (Own, (3, 5, 8)),
    "conv": (lambda: nn.Conv2d(4, 16, 3), (2, 4, 6, 6)),
    "depthwise": (lambda: nn.Conv2d(16, 16, 3, groups=16), (2, 16, 6, 6)),
    "conv1d": (lambda: nn.Conv1d(8, 16, 5), (2, 8, 9)),
    "linear": (lambda: nn.Linear(8, 16), (4, 8)),
}


@pytest.mark.parametrize("kind", MODULES)
def test_every_module_computes_with_the_pruned_weights(kind):
    torch.manual_seed(0)
    make, shape = MODULES[kind]
    network, x = make(), torch.randn(shape)
    pruner = Pruner(network, PruneConfig(0.5, (8, 1), end=0.5, every=1), steps=8)

    def loss(n):
        y = n(x)
        return (y[0] if isinstance(y, tuple) else y).square().mean()

    train_toward(network, pruner, loss, 8, rate=0.01)
    assert pruner.settled and pruner.sparsity == pytest.approx(0.5, abs=0.02)
    plain = make()
    plain.load_state_dict(network.state_dict())
    assert loss(plain) == loss(network)  # nothing is hidden anywhere: the plain weights are the pruned network
    for name, p in network.named_parameters():
        assert torch.equal(p != 0, pruner.masks[name]) if name in pruner.masks else zeros(p) == 0


def test_exceptions_patterns_and_the_network_s_own_list():
    network = nn.Sequential(nn.Embedding(50, 16), nn.LSTM(16, 16), nn.Linear(16, 50))
    assert list(prunable(network)) == ["1.weight_ih_l0", "1.weight_hh_l0", "2.weight"]
    assert list(prunable(network, ("*_hh_*", "2.*"))) == ["1.weight_hh_l0", "2.weight"]
    network.prunable = ("1.*",)
    assert list(prunable(network)) == ["1.weight_ih_l0", "1.weight_hh_l0"]
    config = PruneConfig(0.75, (1, 1), layers={"1.weight_ih*": 0.5, "2.*": 0.0}, only=("*",), **ALL_AT_ONCE)
    pruner = Pruner(network, config, 10).attach(torch.optim.SGD(network.parameters(), 0.1))
    assert pruner.sparsities() == {"1.weight_ih_l0": 0.5, "1.weight_hh_l0": 0.75, "2.weight": 0.0}


NONSENSE = {"sparsity": 1.0}, {"sparsity": -0.1}, {"scope": "row"}, {"start": 0.8}, {"only": ("x*",)}, {"layers": {"y": 0.1}}


@pytest.mark.parametrize("wrong", NONSENSE)
def test_what_cannot_be_asked(wrong):
    with pytest.raises(TinycourseError):
        Pruner(nn.Linear(4, 4), PruneConfig(**wrong), 10)


# ------------------------------------------------------------------------------------- recognisers, and the verb

CONFIG = classifiers.TrainConfig(epochs=3, batch=16, augment=AugmentConfig(shift=400))
HALF = PruneConfig(0.5, (8, 1), scope="lamp", end=0.5, every=2)


def pruned(pruning=HALF, out=None, resume=False):
    recogniser = classifiers.seeded("ds-cnn-s", CLASSES, 0)
    return recogniser, *prune(recogniser, clips(64, 0), clips(32, 1), NOISE, CONFIG, pruning, out, resume=resume)


def test_a_recogniser_ends_pruned_with_the_best_of_the_settled_epochs(tmp_path):
    recogniser, history, pruner = pruned(out=tmp_path / "p.safetensors")
    assert [h["settled"] for h in history] == [False, True, True]
    assert recogniser.info["validation"]["epoch"] > 1
    assert recogniser.info["validation"]["accuracy"] == max(h["accuracy"] for h in history[1:])
    said = recogniser.info["pruning"]
    weights = dict(recogniser.network.named_parameters())
    assert sum(int((weights[name] != 0).sum()) for name in said["by_weight"]) == said["kept"]
    assert said["reached"] == pytest.approx(0.5, abs=0.01)
    assert same(checkpoint.load(tmp_path / "p.safetensors"), recogniser)


def test_a_stopped_pruning_resumes_to_the_same_bits(tmp_path, power_cut):
    whole, history, pruner = pruned(out=tmp_path / "whole.safetensors")
    power_cut(1, lambda: pruned(out=tmp_path / "cut.safetensors"))
    with pytest.raises(TinycourseError, match="differs in pruning"):
        pruned(PruneConfig(0.6, (8, 1)), tmp_path / "cut.safetensors", resume=True)
    resumed, rest, again = pruned(out=tmp_path / "cut.safetensors", resume=True)
    assert rest == history and same(whole, resumed) and again.returned == pruner.returned


def test_the_verb(small_speech_commands, tmp_path, capsys):
    common = ["--data", "speech-commands", "--epochs", "1", "--batch", "16", "--json"]
    assert cli.main(["train", "tinyspeech-m", "--out", str(tmp_path / "dense.safetensors"), *common]) == 0
    capsys.readouterr()
    out = tmp_path / "sparse.safetensors"
    options = ["--sparsity", "0.5", "--block", "1x1", "--scope", "lamp", "--layers", "classifier.weight=0.25", "--out", str(out)]
    assert cli.main(["prune", str(tmp_path / "dense.safetensors"), *options, *common]) == 0
    figures = json.loads(capsys.readouterr().out)
    recogniser = checkpoint.load(out)
    weights = dict(recogniser.network.named_parameters())
    assert zeros(weights["classifier.weight"]) == 0.25
    assert figures["pruning"]["kept"] == sum(int((weights[n] != 0).sum()) for n in figures["pruning"]["by_weight"])
    assert figures["bytes"]["bitmap"] < figures["bytes"]["dense"]
    assert " && tinycourse " in recogniser.info["command"]  # how it was trained, then how it was pruned
    assert cli.main(["prune", str(out), "--block", "eight", "--out", str(tmp_path / "other.safetensors"), *common]) == 1
    assert "8x1" in capsys.readouterr().err
