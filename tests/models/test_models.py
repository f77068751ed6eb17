"""TinySpeech: the published counts, the limit of selective attention; and every network learns."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tinycourse import models
from tinycourse.errors import TinycourseError
from tinycourse.models.condenser import FORMS, TINYSPEECH, AttentionCondenser, TinySpeech, look_aside, match_channels, unpool
from tinycourse.training import profiling


@pytest.mark.parametrize("name, weights", [("x", 10_923), ("y", 6_104), ("z", 2_712), ("m", 4_729)])
def test_parameter_counts(name, weights):
    assert profiling.weights(models.build(f"tinyspeech-{name}", 12)) == weights
    looking_nowhere = replace(TINYSPEECH[name], bands=(0,), frames=(0,))  # the literal reading
    assert profiling.weights(TinySpeech(looking_nowhere, 12)) == weights


@pytest.mark.parametrize("name", models.MODELS)
def test_every_network_answers_and_every_weight_learns(name):
    torch.manual_seed(0)
    network, ear = models.build(name, 10), models.frontend(name)
    network.eval()  # a bias in front of batch norm learns nothing while the norm takes the mean away
    logits = network(torch.randn(2, 1, ear.frames(ear.rate), ear.bands))
    assert logits.shape == (2, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


LOOKS = [((-1, 0), (1, 0)), ((0, -2), (0, 2))]


def test_as_the_scale_goes_to_zero_attention_is_all_that_is_left():
    condenser = AttentionCondenser(9, 18, 6, (2, 2), LOOKS).eval()
    v = torch.randn(2, 9, 26, 10)
    condenser.scale.data.zero_()
    q = look_aside(nn.functional.max_pool2d(v, 2), LOOKS)
    k = condenser.pointwise_norm(condenser.pointwise(torch.relu(condenser.grouped_norm(condenser.grouped(q)))))
    torch.testing.assert_close(condenser(v), condenser.norm(k.repeat_interleave(2, 2).repeat_interleave(2, 3)))


@pytest.mark.parametrize("form, limit", [("add", "A"), ("gated add", "A"), ("gate", "V")])
def test_the_limit_tells_the_forms_apart(form, limit):
    v, a = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    assert torch.equal(FORMS[form](v, a, torch.zeros(3, 1, 1)), {"A": a, "V": v}[limit])


def test_looking_aside_against_a_slow_reference():
    x = torch.randn(2, 5, 7, 6)
    y, channel = look_aside(x, LOOKS), 0
    assert y.shape == (2, 10, 7, 6)
    for (start, stop), pair in zip([(0, 2), (2, 5)], LOOKS):
        for frames, bands in pair:
            for c in range(start, stop):
                for h in range(7):
                    for w in range(6):
                        inside = 0 <= h + frames < 7 and 0 <= w + bands < 6
                        expected = x[:, c, h + frames, w + bands] if inside else torch.zeros(2)
                        assert torch.equal(y[:, channel, h, w], expected)
                channel += 1


def test_fewer_channels_than_pairs():
    pairs = [((-n, 0), (n, 0)) for n in (1, 2, 4)]
    assert look_aside(torch.ones(1, 2, 9, 3), pairs).shape == (1, 4, 9, 3)


@pytest.mark.parametrize("size", [(6, 4), (5, 3), (7, 1)])
def test_unpooling_undoes_the_shape_of_pooling(size):
    x = torch.randn(1, 2, *size)
    a = unpool(nn.functional.max_pool2d(x, (2, 3), ceil_mode=True), (2, 3), size)
    assert a.shape == x.shape and (a >= x).all()  # every value is the largest of its window


def test_match_channels():
    x = torch.arange(6.0).view(1, 3, 1, 2)
    assert torch.equal(match_channels(x, 2), x[:, :2])
    assert match_channels(x, 5).sum() == x.sum() and match_channels(x, 5).shape == (1, 5, 1, 2)


def test_unknown_model():
    with pytest.raises(TinycourseError, match="no model called 'tinyspeech-q'"):
        models.build("tinyspeech-q", 12)
