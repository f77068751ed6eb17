"""TinySpeech: the published counts, the steps of a condenser; every network learns, and shipped ones answer as they did."""

import inspect
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import nn

from tinycourse import models
from tinycourse.errors import TinycourseError
from tinycourse.models.condenser import AttentionCondenser, match_channels, shift_channels, unpool
from tinycourse.models.design import FORMS, TINYSPEECH_DESIGNS, Designed, SearchedCondenser
from tinycourse.studies import lesson03
from tinycourse.training import checkpoint, profiling


@pytest.mark.parametrize("name, weights", [("x", 10_923), ("y", 6_104), ("z", 2_712), ("m", 4_729)])
def test_parameter_counts(name, weights):
    assert profiling.weights(models.build(f"tinyspeech-{name}", 12)) == weights
    looking_nowhere = replace(TINYSPEECH_DESIGNS[name], near_aside=False, far_aside=False)  # the literal reading
    assert profiling.weights(Designed(looking_nowhere, 12)) == weights


@pytest.mark.parametrize("name", models.MODELS)
def test_every_network_answers_and_every_weight_learns(name):
    torch.manual_seed(0)
    network, frontend = models.build(name, 10), models.frontend(name)
    network.eval()  # a bias in front of batch norm learns nothing while the norm takes the mean away
    logits = network(torch.randn(2, 1, frontend.frames(frontend.rate), frontend.bands))
    assert logits.shape == (2, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


LOOKS = [((-1, 0), (1, 0)), ((0, -2), (0, 2))]


def test_as_the_scale_goes_to_zero_attention_is_all_that_is_left():
    condenser = AttentionCondenser(18, 6, (2, 2), LOOKS).eval()
    v = torch.randn(2, 9, 26, 10)
    condenser.scale.data.zero_()
    q = shift_channels(nn.functional.max_pool2d(v, 2), LOOKS)
    k = condenser.pointwise_norm(condenser.pointwise(torch.relu(condenser.grouped_norm(condenser.grouped(q)))))
    torch.testing.assert_close(condenser(v), condenser.norm(k.repeat_interleave(2, 2).repeat_interleave(2, 3)))


def test_the_steps_of_a_condenser_come_in_the_order_of_the_paper():
    """The pictures and `forward` take them from one place."""
    condenser, v = AttentionCondenser(18, 6, (2, 5), LOOKS).eval(), torch.randn(2, 9, 27, 10)
    maps = dict(condenser.steps(v))
    shapes = {"V": (9, 27, 10), "Q": (9, 14, 2), "K": (6, 14, 2), "A": (6, 27, 10), "V'": (6, 27, 10)}
    assert {name: tuple(x.shape[1:]) for name, x in maps.items()} == shapes and list(maps) == list(shapes)
    assert torch.equal(maps["V'"], condenser(v))


def test_a_condenser_has_the_arguments_of_the_lesson():
    assert list(inspect.signature(AttentionCondenser).parameters) == ["a", "b", "pool", "offsets"]


@pytest.mark.parametrize("pool, keeps, copies, form", list(product(((1, 1), (2, 3), (1, None)), ("max", "mean"), (1, 2), FORMS)))
def test_a_searched_condenser_against_its_steps_written_out(pool, keeps, copies, form):
    """3 x 1 kernels spread over two frames, every window, both means of all bands, one copy or two, every F; in float64."""
    a = 4 * copies
    condenser = SearchedCondenser(a, 5, pool, LOOKS if copies == 2 else None, (3, 1), form, "silu", keeps, spread=2).double().eval()
    v = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    q = {(1, 1): v, (2, 3): nn.functional.max_pool2d(v, (2, 3), ceil_mode=True)}.get(pool)
    q = q if pool[1] else v.max(3, keepdim=True).values if keeps == "max" else v.sum(3, keepdim=True) / 6
    x = nn.functional.pad(shift_channels(q, LOOKS) if copies == 2 else q, (0, 0, 2, 2))  # two frames more on either side
    h = q.shape[2]
    x = sum(condenser.grouped.weight[:, :, i] * x[:, :, 2 * i : 2 * i + h] for i in range(3))
    k = condenser.pointwise_norm(condenser.pointwise(nn.functional.silu(condenser.grouped_norm(x))))
    rows, columns = pool[0], pool[1] or 6
    grown = k.repeat_interleave(rows, 2).repeat_interleave(columns, 3)[:, :, :7, :6]
    expected = condenser.norm(FORMS[form](match_channels(v, 5), grown, condenser.scale))
    torch.testing.assert_close(condenser(v), expected)
    assert torch.equal(dict(condenser.steps(v))["V'"], condenser(v))


LOGITS = json.loads(Path(__file__).with_name("logits.json").read_text(encoding="utf-8"))  # for `sweep`


def sweep() -> torch.Tensor:
    """A second of a tone that climbs from 100 Hz to 4 kHz, and fades: float64 [1, 16000]."""
    t = torch.arange(16_000, dtype=torch.float64) / 16_000
    return (torch.sin(2 * torch.pi * (100 * t + 1_950 * t * t)) * (1 - t) / 4)[None]


@pytest.mark.parametrize("name", sorted(checkpoint.shipped()))
def test_a_shipped_network_answers_as_it_always_did(name):
    """In float64. Only the front end's tables are float32; a whole recogniser in float32 is within 1e-4 of this."""
    recogniser = checkpoint.load(name).double()
    with torch.no_grad():
        found = recogniser(sweep())[0]
    torch.testing.assert_close(found, torch.tensor(LOGITS[name], dtype=torch.float64), atol=1e-3, rtol=0)


def test_every_variant_of_the_ablation_begins_as_tinyspeech_does():
    """The ablation changes one thing; without it, its network is TinySpeech-M: the same weights by the same seed, the same gradients."""
    x, found = torch.randn(3, 1, 101, 40), []
    for build in (lambda: models.build("tinyspeech-m", 10), lambda: lesson03.VARIANTS["ours"].build(10)):
        torch.manual_seed(0)
        network = build().train()
        network(x).square().sum().backward()
        found.append([p.grad for p in network.parameters()] + list(network.state_dict().values()))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("form, limit", [("add", "A"), ("gated add", "A"), ("gate", "V")])
def test_the_limit_tells_the_forms_apart(form, limit):
    v, a = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    assert torch.equal(FORMS[form](v, a, torch.zeros(3, 1, 1)), {"A": a, "V": v}[limit])


def test_looking_aside_against_a_slow_reference():
    x = torch.randn(2, 5, 7, 6)
    y, channel = shift_channels(x, LOOKS), 0
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
    assert shift_channels(torch.ones(1, 2, 9, 3), pairs).shape == (1, 4, 9, 3)


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
