"""Checks of lesson 06: what recurrent layers cost, a step of CIFG, two steps in one, and SRU's cells without a step after the other."""

import math

import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close


def drawn(random, *shape: int, size: float = 1.0) -> Tensor:
    """Random numbers, float32."""
    return torch.tensor(random.normal(0, size, shape), dtype=torch.float32)


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)) of one number."""
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0  # exp would overflow


# ----------------------------------------------------------------------------------------------- layer_weights


def slow_layer_weights(kind: str, inputs: int, units: int, projection: int) -> int:
    """Weights of a layer and its biases, counted matrix by matrix."""
    outputs = projection or units
    total = 0
    for _ in range({"lstm": 4, "cifg": 3, "sru": 4}[kind]):
        total += inputs * units  # from the input
        if kind != "sru":
            total += outputs * units  # from the output of the frame before
        total += units  # bias
    return total + units * projection


def weights(gates: int, inputs: int, units: int, outputs: int, projection: int, recurrent: bool = True, bias: int = 1) -> int:
    """The formula, open to mistakes."""
    return gates * units * (inputs + (outputs if recurrent else 0) + bias) + units * projection


GATES = {"lstm": 4, "cifg": 3, "sru": 4}


def bias_forgotten(kind, inputs, units, projection):
    """The biases are missing: one for each unit of each map."""
    return weights(GATES[kind], inputs, units, projection or units, projection, kind != "sru", bias=0)


def bias_twice(kind, inputs, units, projection):
    """Two biases were counted for each unit, as torch.nn.LSTM has them: one is enough, they are added anyway."""
    return weights(GATES[kind], inputs, units, projection or units, projection, kind != "sru", bias=2)


def feeds_back_the_cell(kind, inputs, units, projection):
    """What goes back is the output, which a projection makes narrower: the recurrent matrices have `projection` columns, not `units`."""
    return weights(GATES[kind], inputs, units, units, projection, kind != "sru")


def nothing_goes_back(kind, inputs, units, projection):
    """Without a projection the output is as wide as the cell: then `units` numbers go back, not 0."""
    return weights(GATES[kind], inputs, units, projection, projection, kind != "sru")


def projection_forgotten(kind, inputs, units, projection):
    """The projection has weights, too: units x projection."""
    return weights(GATES[kind], inputs, units, projection or units, 0, kind != "sru")


def four_of_everything(kind, inputs, units, projection):
    """CIFG has three maps: its input gate is 1 - f, which costs nothing."""
    return weights(4, inputs, units, projection or units, projection, kind != "sru")


def sru_looks_back(kind, inputs, units, projection):
    """SRU has no recurrent matrix: its gates see the input alone."""
    return weights(GATES[kind], inputs, units, projection or units, projection)


def sru_has_three(kind, inputs, units, projection):
    """SRU has four input matrices: the new value, what goes past the cell, and two gates."""
    gates = 3 if kind == "sru" else GATES[kind]
    return weights(gates, inputs, units, projection or units, projection, kind != "sru")


@exercise(
    reference=slow_layer_weights,
    wrong=[
        bias_forgotten,
        bias_twice,
        feeds_back_the_cell,
        nothing_goes_back,
        projection_forgotten,
        four_of_everything,
        sru_looks_back,
        sru_has_three,
    ],
)
def layer_weights(candidate, random):
    """layer_weights(kind, inputs, units, projection) -> int. Whole numbers: nothing is rounded."""
    inputs, units = int(random.integers(10, 50)), int(random.integers(60, 200))
    narrow = int(random.integers(10, 50))
    for case, projection in {"projected": narrow, "without projection": 0}.items():
        for kind in ("lstm", "cifg", "sru"):
            said = f"{case}: {kind}, inputs = {inputs}, units = {units}, projection = {projection}"
            got, expected = candidate(kind, inputs, units, projection), slow_layer_weights(kind, inputs, units, projection)
            expect(type(got) is int, said, "a whole number (int)", type(got).__name__)
            expect(got == expected, said, f"{expected:,}", f"{got:,}")


# --------------------------------------------------------------------------------------------------- cifg_step


def slow_cifg_step(z: Tensor, c: Tensor) -> Tensor:
    """Output and cell of CIFG, number by number: sums z [3, units] of g, f, o, cell c [units] -> [2, units], output first."""
    result = torch.zeros(2, len(c), dtype=z.dtype)
    for n in range(len(c)):
        g, f, o = math.tanh(z[0, n]), sigmoid(float(z[1, n])), sigmoid(float(z[2, n]))
        cell = f * float(c[n]) + (1 - f) * g
        result[0, n], result[1, n] = o * math.tanh(cell), cell
    return result


def step(z: Tensor, c: Tensor, keep=None, new=None, shape=torch.tanh) -> Tensor:
    """A step of CIFG with another share kept, or of the new value, or another readout."""
    g, f, o = z[0].tanh(), z[1].sigmoid(), z[2].sigmoid()
    cell = (f if keep is None else keep(f)) * c + (1 - f if new is None else new(f, o)) * g
    return torch.stack([o * shape(cell), cell])


def not_coupled(z, c):
    """The new value was added whole: its share is 1 - f, what forgetting made room for."""
    return step(z, c, new=lambda f, o: 1.0)


def coupled_the_wrong_way(z, c):
    """f keeps the old value and 1 - f lets the new one in; here it is the other way round."""
    return step(z, c, keep=lambda f: 1 - f, new=lambda f, o: f)


def squashed_forget_missing(z, c):
    """The gate needs a sigmoid, or it is no share between 0 and 1."""
    g, f, o = z[0].tanh(), z[1], z[2].sigmoid()
    cell = f * c + (1 - f) * g
    return torch.stack([o * cell.tanh(), cell])


def squashed_value_missing(z, c):
    """The new value passes tanh: the cell would take in numbers of any size."""
    f, o = z[1].sigmoid(), z[2].sigmoid()
    cell = f * c + (1 - f) * z[0]
    return torch.stack([o * cell.tanh(), cell])


def sigmoid_for_the_value(z, c):
    """The new value passes tanh, not a sigmoid: it may be negative."""
    f, o = z[1].sigmoid(), z[2].sigmoid()
    cell = f * c + (1 - f) * z[0].sigmoid()
    return torch.stack([o * cell.tanh(), cell])


def cell_read_raw(z, c):
    """The output is o * tanh(c): the cell passes tanh on its way out."""
    return step(z, c, shape=lambda cell: cell)


def old_cell_read(z, c):
    """The output reads the new cell, not the one before."""
    right = step(z, c)
    return torch.stack([z[2].sigmoid() * c.tanh(), right[1]])


def output_gate_lets_in(z, c):
    """o decides what goes out; what comes in is decided by 1 - f."""
    return step(z, c, new=lambda f, o: o)


def cell_first(z, c):
    """Output and cell changed places: the output comes first."""
    return step(z, c).flip(0)


@exercise(
    reference=slow_cifg_step,
    wrong=[
        not_coupled,
        coupled_the_wrong_way,
        squashed_forget_missing,
        squashed_value_missing,
        sigmoid_for_the_value,
        cell_read_raw,
        old_cell_read,
        output_gate_lets_in,
        cell_first,
    ],
)
def cifg_step(candidate, random):
    """cifg_step(z float32 [3, units], c float32 [units]) -> float32 [2, units].

    Bound: with u = 2**-24, tanh and sigmoid round by at most 4 u, the sum and product by u of the numbers that they meet, which are at most
    1 + |c|; what the cell is off by, tanh makes no larger.
    """
    units = int(random.integers(4, 9))
    for case, size in {"gates half open": 1.0, "gates shut or wide open": 6.0}.items():
        z, c = drawn(random, 3, units, size=size), drawn(random, units, size=2)
        said = f"{case}: z {list(z.shape)}, c {list(c.shape)}"
        got = candidate(z, c)
        expect_array(got, (2, units), torch.float32, said)
        expect_close(got, slow_cifg_step(z.double(), c.double()), UNIT * 24 * (1 + c.abs()).expand(2, -1), said)


# ----------------------------------------------------------------------------------------------------- compose


def slow_compose(first: Tensor, second: Tensor) -> Tensor:
    """Two steps c -> keep * c + add in one, [2, units] each: found by trying what becomes of 0 and of 1."""
    result = torch.zeros_like(first)
    for n in range(first.shape[1]):
        zero, one = (float(second[0, n]) * (float(first[0, n]) * c + float(first[1, n])) + float(second[1, n]) for c in (0.0, 1.0))
        result[0, n], result[1, n] = one - zero, zero
    return result


def other_order(first, second):
    """The steps changed places: `first` happens first, so what it adds is kept by the second one, not the other way round."""
    return torch.stack([first[0] * second[0], first[0] * second[1] + first[1]])


def first_addition_kept_whole(first, second):
    """What the first step adds does not stay whole: the second step keeps its share of it, too."""
    return torch.stack([first[0] * second[0], first[1] + second[1]])


def first_addition_lost(first, second):
    """What the first step added is missing: the second one keeps a share of it."""
    return torch.stack([first[0] * second[0], second[1]])


def keeps_added(first, second):
    """Shares that are kept multiply: half of a half is a quarter."""
    return torch.stack([first[0] + second[0], second[0] * first[1] + second[1]])


def kept_by_the_last_alone(first, second):
    """Only the second step's share is kept here: the first one forgets as well."""
    return torch.stack([second[0], second[0] * first[1] + second[1]])


def products_alone(first, second):
    """Both rows were multiplied: only the shares that are kept do that, additions add up."""
    return first * second


@exercise(
    reference=slow_compose,
    wrong=[other_order, first_addition_kept_whole, first_addition_lost, keeps_added, kept_by_the_last_alone, products_alone],
)
def compose(candidate, random):
    """compose(first float32 [2, units], second float32 [2, units]) -> float32 [2, units].

    Bound: with u = 2**-24, the product rounds by u, the product and sum by 2 u of the sum of their sizes. Float64 inside.
    """
    units = int(random.integers(3, 7))
    for case, low in {"shares that are kept": 0.1, "a step that forgets everything": 0.0}.items():
        first, second = (torch.tensor(random.uniform(0.1, 0.9, (2, units)), dtype=torch.float32) for _ in range(2))
        if not low:
            second[0, 0] = 0
        said = f"{case}: first {list(first.shape)}, second {list(second.shape)}"
        got = candidate(first, second)
        expect_array(got, (2, units), torch.float32, said)
        expect_close(got, slow_compose(first.double(), second.double()), 16 * UNIT, said)


# --------------------------------------------------------------------------------------------------- sru_cells


def slow_sru_cells(g: Tensor, f: Tensor) -> Tensor:
    """Cells c(t) = f(t) c(t - 1) + (1 - f(t)) g(t) from c = 0, one frame after the other: [T, units], [T, units] -> [T, units]."""
    cells, c = torch.zeros_like(g), torch.zeros_like(g[0])
    for t in range(len(g)):
        c = f[t] * c + (1 - f[t]) * g[t]
        cells[t] = c
    return cells


def joined(keep, add, before_keep, before_add):
    """What two stretches of frames do, one after the other."""
    return before_keep * keep, keep * before_add + add


def by_doubling(g: Tensor, f: Tensor, share: float | None = None, growth: int = 2, rounds: int | None = None, join=joined) -> Tensor:
    """The log-step scan: after the round of distance d every frame holds what the 2 d frames up to it do; `share` of g is new, or 1 - f."""
    keep, add, d, done = f.clone(), (1 - f if share is None else share) * g, 1, 0
    while d < len(f) and (rounds is None or done < rounds):
        before_keep = torch.cat([torch.ones_like(keep[:d]), keep[:-d]])
        before_add = torch.cat([torch.zeros_like(add[:d]), add[:-d]])
        keep, add = join(keep, add, before_keep, before_add)
        d, done = d * growth, done + 1
    return add


def one_frame_back(g, f):
    """Only the frame before was looked at: double the distance until it reaches the whole sequence."""
    return by_doubling(g, f, rounds=1)


def distance_not_doubled_far_enough(g, f):
    """The last rounds are missing: go on while the distance is smaller than the number of frames."""
    return by_doubling(g, f, rounds=max(1, math.ceil(math.log2(len(f))) - 1))


def distance_tripled(g, f):
    """After a round of distance d each frame holds 2 d frames: tripling leaves gaps, double it."""
    return by_doubling(g, f, growth=3)


def new_value_whole(g, f):
    """The share of the new value is missing: it is 1 - f."""
    return by_doubling(g, f, share=1.0)


def round_and_round(g, f):
    """The end of the sequence came round to its beginning (torch.roll): before the first frame there is nothing, keep 1 and add 0."""
    keep, add, d = f.clone(), (1 - f) * g, 1
    while d < len(f):
        keep, add = keep.roll(d, 0) * keep, keep * add.roll(d, 0) + add
        d *= 2
    return add


def keep_already_new(g, f):
    """The new add was made with the new keep: it needs the old one, so assign both in one line."""
    return by_doubling(g, f, join=lambda k, a, before_k, before_a: (before_k * k, before_k * k * before_a + a))


def earlier_and_later_swapped(g, f):
    """Earlier and later changed places: of what the earlier frames add, the later ones keep their share, not the other way round."""
    return by_doubling(g, f, join=lambda k, a, before_k, before_a: (before_k * k, before_k * a + before_a))


def divided(g, f):
    """Dividing by the product of all shares so far works for a few frames. Then that product is 0 in floats, and nothing is left."""
    product = f.cumprod(0)
    return product * ((1 - f) * g / product).cumsum(0)


def no_forgetting(g, f):
    """The new values were added up and nothing was forgotten: each frame keeps f of what was there."""
    return ((1 - f) * g).cumsum(0)


@exercise(
    reference=slow_sru_cells,
    wrong=[
        one_frame_back,
        distance_not_doubled_far_enough,
        distance_tripled,
        new_value_whole,
        round_and_round,
        keep_already_new,
        earlier_and_later_swapped,
        no_forgetting,
        divided,
    ],
)
def sru_cells(candidate, random):
    """sru_cells(g float32 [T, units], f float32 [T, units]) -> float32 [T, units].

    Bound: the cell is a mean of new values, weighted, so at most the largest |g|; with u = 2**-24 each of the log2(T) rounds, or each
    frame of a loop before its error is forgotten again, rounds by 4 u of that, and 1 - f by u.
    """
    frames = int(random.integers(11, 16))
    for case, (t, low, high) in {"a short sequence": (frames, 0.6, 0.95), "many frames that forget fast": (400, 0.2, 0.8)}.items():
        g = drawn(random, t, 3)
        f = torch.tensor(random.uniform(low, high, (t, 3)), dtype=torch.float32)
        said = f"{case}: g {list(g.shape)}, f {list(f.shape)}"
        got = candidate(g, f)
        expect_array(got, (t, 3), torch.float32, said)
        expect_close(got, slow_sru_cells(g.double(), f.double()), UNIT * 64 * (1 + float(g.abs().max())), said)
