"""Costs, counted by hand and by running."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tinycourse import models
from tinycourse.training import profiling


def test_multiply_adds_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4 * 3, 5))
    p = profiling.profile(network, torch.zeros(1, 3, 9, 7), "weights")
    assert p.multiply_adds == 8 * 3 * 9 * 4 * 3 + 8 * 4 * 3 * 5
    assert p.layers == {"0": 8 * 3 * 9 * 4 * 3, "3": 8 * 4 * 3 * 5}
    assert p.parameters == 8 * 27 + 5 * 96 and p.stored_parameters == p.parameters + 8 + 5
    assert p.activation_bytes == 4 * (3 * 9 * 7 + 8 * 4 * 3)


def test_rows():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4 * 3, 5))
    assert profiling.layers(network, torch.zeros(1, 3, 9, 7)) == [
        profiling.Layer("0", "Conv2d", (8, 4, 3), 8 * 27 + 8, 8 * 27 * 12, 4 * (189 + 96)),
        profiling.Layer("1", "ReLU", (8, 4, 3), 0, 0, 4 * (96 + 96)),
        profiling.Layer("2", "Flatten", (96,), 0, 0, 4 * (96 + 96)),
        profiling.Layer("3", "Linear", (5,), 96 * 5 + 5, 96 * 5, 4 * (96 + 5)),
    ]


def test_grouped_convolutions_are_not_counted_as_dense():
    assert profiling.profile(nn.Conv2d(4, 8, 3, groups=4), torch.zeros(1, 4, 5, 5)).multiply_adds == 8 * 9 * 9


class Odd(nn.Module):
    """A layer that runs twice, one that never runs, a parameter and a product that belong to no layer, modules in a list."""

    def __init__(self):
        super().__init__()
        self.twice, self.never = nn.Linear(6, 6), nn.Linear(6, 6)
        self.steps = nn.ModuleList([nn.Linear(6, 3), nn.Linear(3, 2)])
        self.scale = nn.Parameter(torch.ones(4, 2))

    def forward(self, x):
        x = self.twice(self.twice(x))
        for step in self.steps:
            x = F.relu(step(x))
        return F.linear(x, self.scale)


def test_what_runs_twice_never_or_outside_of_layers():
    rows = {row.path: row for row in profiling.layers(Odd(), torch.zeros(1, 6))}
    assert {path: row.multiply_adds for path, row in rows.items()} == {"twice": 72, "steps.0": 18, "steps.1": 6, "": 8}
    assert {path: row.parameters for path, row in rows.items()} == {"twice": 42, "steps.0": 21, "steps.1": 8, "": 8}


@pytest.mark.parametrize("name", ["tinyspeech-x", "res8-narrow", "ds-cnn-s", "bc-resnet-1", "tc-resnet8"])
def test_rows_add_up(name):
    network, frontend = models.build(name, 12), models.frontend(name)
    rows = profiling.layers(network, torch.zeros(1, 1, frontend.frames(frontend.rate), frontend.bands))
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in network.parameters())
    assert len({row.path for row in rows}) == len(rows)
    assert all(type(network.get_submodule(row.path)).__name__ == row.kind for row in rows)


def test_ways_to_count_parameters():
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))  # 6 weights, 3 biases; 3 scales and 3 biases, 3 means, 3 variances
    x = torch.zeros(1, 2, 4, 4)
    counted = {count: profiling.profile(network, x, count) for count in profiling.COUNTS}
    assert {count: p.parameters for count, p in counted.items()} == {"weights": 6, "trainable": 15, "variables": 21}
    assert len({p.counter for p in counted.values()}) == 3
    assert profiling.profile(network, x) == counted["trainable"]


def test_hooks_are_gone_after_a_network_that_fails():
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4))
    with pytest.raises(RuntimeError):
        profiling.layers(network, torch.zeros(1, 3))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
