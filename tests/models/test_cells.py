"""LSTM, CIFG and SRU: torch's own LSTM, one frame at a time against all at once, finite differences, and counts by formula."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tinycourse.errors import TinycourseError
from tinycourse.models.cells import GATES, CellConfig, Recurrent

VARIANTS = [
    CellConfig(kind, 6, projection, norm, clip) for kind, projection, norm, clip in product(GATES, (None, 4), (False, True), (None, 0.4))
]


def layer(config: CellConfig, inputs: int = 5, dtype=torch.float32) -> Recurrent:
    torch.manual_seed(0)
    made = Recurrent(inputs, config).to(dtype)
    for p in made.parameters():  # away from scales of one and biases of zero
        p.data += 0.3 * torch.randn_like(p)
    return made


def one_by_one(cell: Recurrent, x, state):
    """`step` for every frame of x [B, T, inputs]."""
    outputs = []
    for t in range(x.shape[1]):
        y, state = cell.step(x[:, t], state)
        outputs.append(y)
    return torch.stack(outputs, 1), state


def gradients(cell: Recurrent, run, x, state):
    """Outputs, and the gradients of a random function of outputs and last state by every weight, input and state before."""
    x, m, c = (v.clone().requires_grad_() for v in (x, *state))
    y, (last_m, last_c) = run(x, (m, c))
    g = torch.Generator().manual_seed(1)
    loss = sum((torch.randn(v.shape, generator=g, dtype=v.dtype) * v).sum() for v in (y, last_m, last_c))
    wanted = [x, c, *([] if cell.config.kind == "sru" else [m]), *cell.parameters()]
    return y, torch.autograd.grad(loss, wanted)


@pytest.mark.parametrize("config", VARIANTS)
def test_all_at_once_is_one_by_one_and_so_is_the_gradient(config):
    cell = layer(config, dtype=torch.float64)
    x, state = torch.randn(3, 7, 5, dtype=torch.float64), tuple(0.3 * torch.randn_like(v) for v in cell.start(3))
    fast, slow = gradients(cell, cell, x, state), gradients(cell, lambda x, s: one_by_one(cell, x, s), x, state)
    torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("config", VARIANTS)
def test_finite_differences(config):
    cell = layer(config, dtype=torch.float64)
    x, state = torch.randn(2, 4, 5, dtype=torch.float64), tuple(0.2 * torch.randn_like(v) for v in cell.start(2))
    inputs = [v.requires_grad_() for v in (x, state[1], *([] if config.kind == "sru" else [state[0]]))]
    assert torch.autograd.gradcheck(lambda x, c, m=state[0]: (lambda y, s: (y, *s))(*cell(x, (m, c))), inputs)


@pytest.mark.parametrize("projection", [None, 12])
def test_our_lstm_is_torchs(projection):
    torch.manual_seed(0)
    theirs = nn.LSTM(10, 24, batch_first=True, proj_size=projection or 0).double()
    ours = Recurrent(10, CellConfig("lstm", 24, projection)).double()
    order = [2, 0, 1, 3]  # torch has i, f, g, o
    ours.weight_input.data = theirs.weight_ih_l0.data.view(4, 24, -1)[order].reshape(96, -1)
    ours.weight_recurrent.data = theirs.weight_hh_l0.data.view(4, 24, -1)[order].reshape(96, -1)
    ours.bias.data = (theirs.bias_ih_l0 + theirs.bias_hh_l0).data.view(4, 24)[order].flatten()
    if projection:
        ours.weight_projection.data = theirs.weight_hr_l0.data
    x = torch.randn(4, 30, 10, dtype=torch.float64)
    (a, (m, c)), (b, (h, cell)) = ours(x), theirs(x)
    torch.testing.assert_close((a, m, c), (b, h[0], cell[0]))
    (a.square().sum()).backward()
    (b.square().sum()).backward()
    torch.testing.assert_close(ours.weight_input.grad, theirs.weight_ih_l0.grad.view(4, 24, -1)[order].reshape(96, -1))


@pytest.mark.parametrize("config", VARIANTS)
def test_chunks_of_every_size_give_the_whole(config):
    cell, x = layer(config).double(), torch.randn(2, 50, 5, dtype=torch.float64)  # the same products, summed in another order
    with torch.no_grad():
        whole, last = cell(x)
        for size in range(1, 51):
            state, parts = None, []
            for chunk in x.split(size, dim=1):
                y, state = cell(chunk, state)
                parts.append(y)
            torch.testing.assert_close((torch.cat(parts, 1), state), (whole, last), rtol=0, atol=1e-11)


def test_no_frames_leave_the_state_alone():
    cell = layer(CellConfig(units=6, projection=4))
    y, state = cell(torch.zeros(2, 0, 5), before := tuple(torch.randn_like(v) for v in cell.start(2)))
    assert y.shape == (2, 0, 4) and all(torch.equal(a, b) for a, b in zip(state, before))


@pytest.mark.parametrize("config", VARIANTS)
def test_counts_by_formula(config):
    cell = layer(config)
    assert sum(p.numel() for p in cell.parameters()) == config.parameters(5)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        cell(torch.zeros(1, 3, 5))
    assert counter.get_total_flops() == 2 * 3 * config.multiply_adds(5)


def test_counts_of_the_papers_layers():
    """2,048 units projected to 640: a quarter of an LSTM's gates is gone in a CIFG, and all recurrent ones in an SRU."""
    lstm, cifg, sru = (CellConfig(kind, 2048, 640).matrices(640) for kind in GATES)
    assert lstm == {"input": 5_242_880, "recurrent": 5_242_880, "projection": 1_310_720}
    assert cifg["input"] * 4 == lstm["input"] * 3 and cifg["recurrent"] * 4 == lstm["recurrent"] * 3
    assert sru == lstm | {"recurrent": 0}


def test_the_cell_state_stays_within_its_bound():
    for kind in ("lstm", "cifg"):
        cell = layer(CellConfig(kind, 6, clip=0.25))
        _, (_, c) = cell(5 * torch.randn(2, 40, 5))
        assert c.abs().max() <= 0.25


def test_unknown_cell():
    with pytest.raises(TinycourseError, match="no cell called 'gru'"):
        Recurrent(3, CellConfig("gru"))
