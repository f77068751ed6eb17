"""Block-sparse storage: a matrix without its empty blocks, and what it costs in bytes, indices included.

A weight [outputs, ...] is read as a matrix [outputs, inputs]: a convolution's inputs are its taps. A block is (rows, columns) = (outputs,
inputs), so the paper's 8x1 is eight outputs that one input feeds. Blocks at the lower and right edge may be smaller.
Leaving out weights saves less than the sparsity says: somebody has to write down where the others belong.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from tinycourse.errors import TinycourseError

Block = tuple[int, int]  # outputs x inputs
PANEL = 8  # outputs that a kernel takes at a time


def parse_block(text: str) -> Block:
    """'8x1' to (8, 1): outputs x inputs. Raises TinycourseError for anything else."""
    rows, _, columns = text.partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise TinycourseError(f"{text!r} is no block; write outputs x inputs, such as 8x1 or 1x1.")
    return int(rows), int(columns)


def grid(shape: tuple[int, ...], block: Block) -> Block:
    """Blocks down and across a weight of this shape, those at the edge counted."""
    rows, columns = shape[0], math.prod(shape[1:])
    return math.ceil(rows / block[0]), math.ceil(columns / block[1])


def cut(weight: np.ndarray, block: Block) -> np.ndarray:
    """A weight as its blocks, [down, across, rows, columns], filled up with zeros at the edge."""
    matrix = weight.reshape(len(weight), -1)
    down, across = grid(weight.shape, block)
    full = np.zeros((down * block[0], across * block[1]), weight.dtype)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    return full.reshape(down, block[0], across, block[1]).swapaxes(1, 2)


def joined(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `cut`."""
    full = blocks.swapaxes(1, 2).reshape(len(blocks) * blocks.shape[2], -1)
    return full[: shape[0], : math.prod(shape[1:])].reshape(shape)


def panels(weight: np.ndarray, group: int, sparse: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A matrix [outputs, inputs] for kernels that take 8 outputs, a panel, and `group` inputs at a time: weights [groups, 8, group], starts
    int32 [panels + 1] (panel p has the groups starts[p] to starts[p + 1]), columns uint16 [groups, group].

    A `sparse` one leaves out empty 8x1 blocks; groups that have a place to spare are filled up with zeros that meet input 0.
    """
    blocks = cut(weight, (PANEL, 1))[:, :, :, 0]  # [panels, inputs, 8]
    down, inputs = blocks.shape[:2]
    kept = [np.flatnonzero(panel.any(1)) if sparse else np.arange(inputs) for panel in blocks]
    starts = np.concatenate([[0], np.cumsum([-(-len(k) // group) for k in kept])]).astype(np.int32)
    weights = np.zeros((starts[-1] * group, PANEL), weight.dtype)
    columns = np.zeros(starts[-1] * group, np.uint16)
    for panel, keep, start in zip(blocks, kept, starts * group):
        weights[start : start + len(keep)] = panel[keep]
        columns[start : start + len(keep)] = keep
    grouped = weights.reshape(-1, group, PANEL).swapaxes(1, 2)  # [groups, 8, group]
    return np.ascontiguousarray(grouped), starts, columns.reshape(-1, group)


@dataclass(frozen=True)
class BlockSparse:
    """The blocks that are not empty, row of blocks by row of blocks, from left to right.

    values [blocks, rows, columns]; columns uint16 [blocks]: where each stands in its row of blocks; starts int32
    [down + 1]: row r of blocks has the blocks starts[r] to starts[r + 1].
    """

    shape: tuple[int, ...]
    block: Block
    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, weight: np.ndarray, block: Block) -> "BlockSparse":
        """Keep every block that has a weight other than 0. Raises TinycourseError where there are over 65,536 columns of blocks."""
        blocks = cut(weight, block)
        if blocks.shape[1] > 2**16:
            raise TinycourseError(f"A matrix of {blocks.shape[1]:,} columns of blocks is too wide for 16-bit indices; use wider blocks.")
        keep = blocks.any((2, 3))  # [down, across]
        starts = np.concatenate([[0], keep.sum(1).cumsum()]).astype(np.int32)
        return cls(weight.shape, block, blocks[keep], np.nonzero(keep)[1].astype(np.uint16), starts)

    def dense(self) -> np.ndarray:
        """The weight as it was."""
        down, across = grid(self.shape, self.block)
        blocks = np.zeros((down, across, *self.block), self.values.dtype)
        blocks[np.repeat(np.arange(down), np.diff(self.starts)), self.columns] = self.values
        return joined(blocks, self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory: values, one 16-bit index per block, one 32-bit start per row of blocks."""
        return self.values.nbytes + self.columns.nbytes + self.starts.nbytes


@dataclass(frozen=True)
class Size:
    """Bytes of one weight in each form. `bitmap`: values, and one bit per block that says whether it is there."""

    weights: int
    nonzero: int
    dense: int
    indexed: int
    bitmap: int

    @property
    def least(self) -> int:
        """Bytes of the smallest form."""
        return min(self.dense, self.indexed, self.bitmap)


def size(weight: np.ndarray, block: Block, bits: int = 32) -> Size:
    """What a weight costs when each number takes `bits` bits and empty blocks are left out. Padding at the edge is counted."""
    blocks = cut(weight, block)
    down, across = blocks.shape[:2]
    kept, nonzero = int(blocks.any((2, 3)).sum()), int(np.count_nonzero(weight))
    values = math.ceil(kept * math.prod(block) * bits / 8)
    return Size(
        weights=weight.size,
        nonzero=nonzero,
        dense=math.ceil(weight.size * bits / 8),
        indexed=values + 2 * kept + 4 * (down + 1),
        bitmap=values + math.ceil(down * across / 8),
    )


def total(weights: dict[str, np.ndarray], block: Block, bits: int = 32) -> Size:
    """The sizes of several weights, added up."""
    sizes = [size(w, block, bits) for w in weights.values()]
    return Size(*(sum(getattr(s, f.name) for s in sizes) for f in fields(Size)))
