"""Checks of lesson 07: the schedule, block masks, a step of training behind a mask, and the sparse product."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close


def drawn(random, *shape: int) -> Tensor:
    """Random numbers, float32."""
    return torch.tensor(random.normal(size=shape), dtype=torch.float32)


# ----------------------------------------------------------------------------------------------- the schedule


def slow_sparsity_at(step: int, start: int, end: int, initial: float, final: float) -> float:
    """0 before start, final from end on, between them final + (initial - final) (1 - progress)**3."""
    if step < start:
        return 0.0
    if step >= end:
        return final
    left = (end - step) / (end - start)
    return final + (initial - final) * left * left * left


def straight_line(step, start, end, initial, final):
    """The sparsity climbs along a straight line: what is left of the way has to be taken to the third power."""
    if step < start:
        return 0.0
    return final if step >= end else final + (initial - final) * (end - step) / (end - start)


def slow_then_fast(step, start, end, initial, final):
    """It begins slowly and ends fast: the third power belongs to what is *left* of the time, 1 - progress, not to the progress."""
    if step < start:
        return 0.0
    return final if step >= end else initial + (final - initial) * ((step - start) / (end - start)) ** 3


def squared(step, start, end, initial, final):
    """The power is 2: it has to be 3."""
    if step < start:
        return 0.0
    return final if step >= end else final + (initial - final) * ((end - step) / (end - start)) ** 2


def never_ends(step, start, end, initial, final):
    """Beyond the end the curve runs on: from `end` on the sparsity stays at `final`."""
    return 0.0 if step < start else final + (initial - final) * ((end - step) / (end - start)) ** 3


def from_the_beginning(step, start, end, initial, final):
    """Before `start` nothing is pruned: the sparsity there is 0, not `initial`."""
    left = min(1.0, max(0.0, (end - step) / (end - start)))
    return final + (initial - final) * left**3


def counts_from_zero(step, start, end, initial, final):
    """Progress is measured from step 0: it is (step - start) / (end - start)."""
    if step < start:
        return 0.0
    return final if step >= end else final + (initial - final) * (1 - step / end) ** 3


@exercise(
    reference=slow_sparsity_at,
    wrong=[straight_line, slow_then_fast, squared, never_ends, from_the_beginning, counts_from_zero],
)
def sparsity_at(candidate, random):
    """sparsity_at(step, start, end, initial, final) -> float. A few operations on numbers up to 1: 16 roundings of float64."""
    start, length = int(random.integers(50, 200)), int(random.integers(100, 400))
    end, initial, final = start + length, float(random.uniform(0.1, 0.3)), float(random.uniform(0.6, 0.95))
    inside = start + int(length * random.uniform(0.3, 0.7))
    places = {"between": inside, "the start": start, "the end": end, "long after the end": end + 3 * length, "before the start": start - 1}
    for case, step in places.items():
        said = f"{case}: step {step} of {start} to {end}, from {initial:.2f} to {final:.2f}"
        got = candidate(step, start, end, initial, final)
        expect(isinstance(got, float | int), said, "a number", type(got).__name__)
        expect_close(got, slow_sparsity_at(step, start, end, initial, final), 16 * 2.0**-53, said)


# ------------------------------------------------------------------------------------------------ block masks


def slow_block_mask(weight: Tensor, rows: int, sparsity: float) -> Tensor:
    """False for the int(sparsity * blocks) blocks of `rows` outputs x 1 input whose mean |w| is smallest."""
    outputs, inputs = weight.shape
    blocks = []
    for first in range(0, outputs, rows):
        for i in range(inputs):
            blocks.append((weight[first : first + rows, i].abs().mean().item(), first, i))
    mask = torch.ones(outputs, inputs, dtype=torch.bool)
    for _, first, i in sorted(blocks)[: int(sparsity * len(blocks))]:
        mask[first : first + rows, i] = False
    return mask


def masked(scores: Tensor, rows: int, sparsity: float) -> Tensor:
    """A mask from the scores of blocks [outputs / rows, inputs]."""
    keep = torch.ones(scores.numel(), dtype=torch.bool)
    keep[scores.flatten().argsort(stable=True)[: int(sparsity * scores.numel())]] = False
    return keep.view(scores.shape).repeat_interleave(rows, 0)


def in_blocks(weight: Tensor, rows: int) -> Tensor:
    """[outputs / rows, rows, inputs]"""
    return weight.view(-1, rows, weight.shape[1])


def signed(weight, rows, sparsity):
    """Large weights of both signs cancel each other: take the absolute value first, and then the mean."""
    return masked(in_blocks(weight, rows).mean(1).abs(), rows, sparsity)


def one_by_one(weight, rows, sparsity):
    """Single weights go here: a block goes as a whole, or stays."""
    return masked(weight.abs(), 1, sparsity)


def along_inputs(weight, rows, sparsity):
    """The blocks were laid along the inputs: a block is `rows` outputs of one input, a piece of a column."""
    return masked(weight.view(len(weight), -1, rows).abs().mean(2).T, rows, sparsity).T if weight.shape[1] % rows == 0 else weight > 0


def largest_go(weight, rows, sparsity):
    """The largest blocks went: those whose weights are small are the ones to go."""
    return masked(-in_blocks(weight, rows).abs().mean(1), rows, sparsity)


def strongest(weight, rows, sparsity):
    """Judged by its largest weight: the paper's criterion is the mean of |w| over the block."""
    return masked(in_blocks(weight, rows).abs().amax(1), rows, sparsity)


def row_by_row(weight, rows, sparsity):
    """Every row of blocks loses the same number: compare all blocks of the matrix with each other."""
    return torch.cat([masked(part.abs().mean(0, keepdim=True), rows, sparsity) for part in in_blocks(weight, rows)])


def tiled(weight, rows, sparsity):
    """The mask of the blocks was repeated as a whole: each of its rows has to stand `rows` times, one below the other."""
    scores = in_blocks(weight, rows).abs().mean(1)
    return masked(scores, 1, sparsity).repeat(rows, 1)


def inverted(weight, rows, sparsity):
    """The mask is the wrong way round: True stays."""
    return ~masked(in_blocks(weight, rows).abs().mean(1), rows, sparsity)


@exercise(
    reference=slow_block_mask,
    wrong=[signed, one_by_one, along_inputs, largest_go, strongest, row_by_row, tiled, inverted],
)
def block_mask(candidate, random):
    """block_mask(weight float32 [outputs, inputs], rows, sparsity) -> bool [outputs, inputs]. Drawn means differ by far more than
    rounding, so the mask is decided: exact."""
    for case, rows in (("blocks of 8 x 1", 8), ("blocks of 4 x 1", 4), ("single weights", 1)):
        outputs, inputs = rows * int(random.integers(4, 7)), rows * int(random.integers(4, 7))
        sparsity = float(random.choice([0.25, 0.375, 0.75]))
        weight = drawn(random, outputs, inputs) * drawn(random, outputs, 1).exp()
        said = f"{case}: weight [{outputs}, {inputs}], sparsity {sparsity}"
        expected = slow_block_mask(weight, rows, sparsity)
        got = candidate(weight, rows, sparsity)
        expect_array(got, expected.shape, torch.bool, said)
        expect((~got).sum() == (~expected).sum(), said, f"{int((~expected).sum())} weights go", f"{int((~got).sum())} go")
        expect(torch.equal(got, expected), said, "the blocks with the smallest mean |w| go", "others go")


# ------------------------------------------------------------------------------------- a step behind the mask


def slow_step(weight: Tensor, mask: Tensor, gradient: Callable[[Tensor], Tensor], rate: float) -> Tensor:
    """Gradient where the network is, at the pruned weights; descent where the weights are, behind the mask too."""
    seen = torch.where(mask, weight, torch.zeros_like(weight))
    return weight - rate * gradient(seen)


def gradient_at_the_dense_weights(weight, mask, gradient, rate):
    """The gradient was taken at the weights as they are behind the mask: the network computes with weight * mask, so take it there."""
    return weight - rate * gradient(weight)


def hidden_weights_stay(weight, mask, gradient, rate):
    """Weights behind the mask did not move, and so they can never grow and come back: the gradient passes straight through the mask."""
    return weight - rate * gradient(weight * mask) * mask


def pruned_for_good(weight, mask, gradient, rate):
    """Returned are the pruned weights, and the values behind the mask are lost: the mask is for the forward pass alone."""
    return (weight - rate * gradient(weight * mask)) * mask


def started_from_the_pruned(weight, mask, gradient, rate):
    """The step was made from weight * mask, so every hidden weight starts again at 0: make it from the weight itself."""
    return weight * mask - rate * gradient(weight * mask)


def uphill(weight, mask, gradient, rate):
    """The weights moved up the gradient: descent subtracts it."""
    return weight + rate * gradient(weight * mask)


@exercise(
    reference=slow_step,
    wrong=[gradient_at_the_dense_weights, hidden_weights_stay, pruned_for_good, started_from_the_pruned, uphill],
)
def pruned_step(candidate, random):
    """pruned_step(weight float32 [O, I], mask bool [O, I], gradient, rate) -> float32 [O, I]. Two products and a sum: 4 roundings."""
    outputs, inputs = int(random.integers(3, 6)), int(random.integers(3, 6))
    weight, slope, target = drawn(random, outputs, inputs), drawn(random, outputs, inputs).exp(), drawn(random, outputs, inputs)
    mask = torch.tensor(random.permutation(outputs * inputs).reshape(outputs, inputs) % 2 == 0)
    rate = float(random.uniform(0.05, 0.3))
    for case, gradient in (
        ("a loss that is a bowl", lambda w: slope * (w - target)),
        ("a loss that is a slope", lambda w: slope.clone()),
    ):
        said = f"{case}: weight [{outputs}, {inputs}], rate {rate:.2f}"
        expected = slow_step(weight, mask, gradient, rate)
        got = candidate(weight, mask, gradient, rate)
        expect_array(got, expected.shape, torch.float32, said)
        size = weight.abs() + rate * slope * (weight.abs() + target.abs() + 1)
        expect_close(got, expected, 4 * UNIT * size, said)


# ------------------------------------------------------------------------------------------ the sparse product


def slow_sparse_product(values: np.ndarray, columns: np.ndarray, starts: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y = W x, block by block."""
    rows = values.shape[1]
    y = np.zeros((len(starts) - 1) * rows)
    for panel in range(len(starts) - 1):
        for block in range(starts[panel], starts[panel + 1]):
            for row in range(rows):
                y[panel * rows + row] += values[block, row] * x[columns[block]]
    return y


def panels_of(starts, length) -> np.ndarray:
    """The panel of every block."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))[:length]


def inputs_in_order(values, columns, starts, x):
    """Each block met the input of its number in the panel: `columns` says which input a block belongs to."""
    panel = panels_of(starts, len(values))
    y = np.zeros((len(starts) - 1, values.shape[1]))
    np.add.at(y, panel, values * x[(np.arange(len(values)) - starts[panel]) % len(x)][:, None])
    return y.ravel()


def last_block_wins(values, columns, starts, x):
    """A panel ends with its last block alone: the products of all its blocks add up."""
    y = np.zeros((len(starts) - 1, values.shape[1]))
    y[panels_of(starts, len(values))] = values * x[columns][:, None]
    return y.ravel()


def even_panels(values, columns, starts, x):
    """The blocks were shared out evenly: panel p has those from starts[p] up to starts[p + 1], many or few."""
    panels = len(starts) - 1
    panel = np.minimum(np.arange(len(values)) * panels // max(1, len(values)), panels - 1)
    y = np.zeros((panels, values.shape[1]))
    np.add.at(y, panel, values * x[columns][:, None])
    return y.ravel()


def one_block_short(values, columns, starts, x):
    """Every panel lost its last block: starts[p + 1] is where the next panel begins, and range() leaves it out by itself."""
    rows, y = values.shape[1], np.zeros((len(starts) - 1) * values.shape[1])
    for panel in range(len(starts) - 1):
        for block in range(starts[panel], starts[panel + 1] - 1):
            y[panel * rows : (panel + 1) * rows] += values[block] * x[columns[block]]
    return y


def interleaved(values, columns, starts, x):
    """The outputs are in the wrong order: panel p holds the outputs p * rows to (p + 1) * rows - 1, side by side."""
    return slow_sparse_product(values, columns, starts, x).reshape(-1, values.shape[1]).T.ravel()


@exercise(
    reference=slow_sparse_product,
    wrong=[inputs_in_order, last_block_wins, even_panels, one_block_short, interleaved],
)
def sparse_product(candidate, random):
    """sparse_product(values float64 [blocks, rows], columns, starts [panels + 1], x float64 [inputs]) -> float64 [panels * rows].
    Sums of at most `inputs` products: so many roundings of float64."""
    for case, panels in (("some panels", int(random.integers(3, 6))), ("the first panel is empty", 3), ("one panel", 1)):
        inputs, rows = int(random.integers(9, 14)), int(random.choice([4, 8]))
        counts = random.permutation(np.arange(2, inputs))[:panels]  # another number of blocks in each panel
        if case == "the first panel is empty":
            counts[0] = 0
        columns = np.concatenate([np.sort(random.permutation(np.arange(inputs))[:count]) for count in counts]).astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        values, x = random.normal(size=(len(columns), rows)), random.normal(size=inputs)
        said = f"{case}: {len(columns)} blocks of {rows} x 1 in {panels} panel{'s' * (panels > 1)}"
        expected = slow_sparse_product(values, columns, starts, x)
        got = candidate(values, columns, starts, x)
        expect_array(got, expected.shape, np.dtype(np.float64), said)
        bound = (inputs + 1) * 2.0**-53 * (slow_sparse_product(np.abs(values), columns, starts, np.abs(x)) + 1e-300)
        expect_close(got, expected, bound, said)
