"""Block-sparse storage gives every bit back, and says what it costs."""

import warnings

import numpy as np
import pytest
import torch

from tinycourse.errors import TinycourseError
from tinycourse.program import block_sparse
from tinycourse.pruning import packing
from tinycourse.pruning.masks import choose, prunable
from tinycourse.training import checkpoint, classifiers

BLOCKS = [(8, 1), (1, 8), (1, 1), (4, 4)]


def pruned(shape, block, sparsity=0.6, seed=0) -> np.ndarray:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return (weight * choose({"w": weight}, block, sparsity)["w"]).numpy()


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shape", [(16, 24), (17, 11), (12, 3, 3, 2), (8, 1, 3, 3)])
def test_dense_again_is_the_same(shape, block):
    weight = pruned(shape, block)
    stored = block_sparse.BlockSparse.of(weight, block)
    assert np.array_equal(stored.dense(), weight) and stored.dense().shape == weight.shape
    assert all(block.any() for block in stored.values)  # no empty one is kept


def test_empty_and_full_matrices():
    for weight in (np.zeros((16, 8), np.float32), np.ones((16, 8), np.float32)):
        stored = block_sparse.BlockSparse.of(weight, (8, 1))
        assert np.array_equal(stored.dense(), weight) and len(stored.values) == np.count_nonzero(weight) / 8


def test_block_sparse_rows_are_scipy_s_and_torch_s():
    weight = pruned((16, 32), (8, 2))
    stored = block_sparse.BlockSparse.of(weight, (8, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its format a beta
        theirs = torch.from_numpy(weight).to_sparse_bsr((8, 2))
    assert theirs.crow_indices().tolist() == stored.starts.tolist()
    assert theirs.col_indices().tolist() == stored.columns.tolist()
    assert np.array_equal(theirs.values().numpy(), stored.values)


def test_indices_are_counted():
    """By hand: 64 x 100 with 8x1 blocks at 75 %: 200 of 800 blocks stay."""
    size = block_sparse.size(pruned((64, 100), (8, 1), 0.75), (8, 1))
    assert (size.weights, size.nonzero) == (6400, 1600)
    assert (size.dense, size.indexed, size.bitmap) == (25_600, 1600 * 4 + 200 * 2 + 9 * 4, 1600 * 4 + 100)
    assert block_sparse.size(pruned((64, 100), (8, 1), 0.75), (8, 1), bits=8).indexed == 1600 + 200 * 2 + 9 * 4
    single = block_sparse.size(pruned((64, 100), (1, 1), 0.75), (1, 1), bits=8)
    assert single.indexed == 1600 + 1600 * 2 + 65 * 4 and single.bitmap == 1600 + 800
    assert single.least == single.bitmap < single.dense < 2 * single.indexed
    assert block_sparse.BlockSparse.of(pruned((64, 100), (8, 1), 0.75), (8, 1)).nbytes == size.indexed


def test_padding_at_the_edge_is_counted():
    full = block_sparse.size(np.ones((9, 5), np.float32), (8, 1))
    assert full.bitmap == 2 * 5 * 8 * 4 + 2 and full.least == full.dense == 9 * 5 * 4


def test_sizes_add_up():
    weights = {"a": pruned((16, 16), (8, 1)), "b": pruned((24, 5), (8, 1))}
    both = [block_sparse.size(w, (8, 1)) for w in weights.values()]
    assert block_sparse.total(weights, (8, 1)).bitmap == both[0].bitmap + both[1].bitmap


def test_a_packed_checkpoint_comes_back_bit_for_bit_and_is_smaller(tmp_path):
    recogniser = classifiers.seeded("ds-cnn-s", ("silence", "unknown", "yes"), 0)
    weights = prunable(recogniser.network)
    with torch.no_grad():
        for name, mask in choose(weights, (8, 1), 0.8, "lamp").items():
            weights[name].mul_(mask)
    plain, small, again = (tmp_path / f"{name}.safetensors" for name in ("plain", "packed", "again"))
    checkpoint.save(recogniser, plain)
    packing.pack(plain, small, [f"network.{name}" for name in weights], (8, 1))
    packing.unpack(small, again)
    (tensors, header), (expected, head) = (checkpoint.read(path, checkpoint.FORMAT) for path in (again, plain))
    assert header == head and tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    saved = block_sparse.total({name: w.detach().numpy() for name, w in weights.items()}, (8, 1))
    assert plain.stat().st_size - small.stat().st_size > 0.9 * (saved.dense - saved.bitmap)
    with pytest.raises(TinycourseError, match="tinycourse-sparse-1"):
        packing.unpack(plain, again)


def test_blocks_are_written_outputs_x_inputs():
    assert block_sparse.parse_block("8x1") == (8, 1)
    for wrong in ("8", "0x1", "x", "8x", "8x1x1", "axb"):
        with pytest.raises(TinycourseError, match="outputs x inputs"):
            block_sparse.parse_block(wrong)


def test_too_wide_for_its_indices():
    with pytest.raises(TinycourseError, match="too wide"):
        block_sparse.BlockSparse.of(np.ones((1, 2**16 + 1), np.float32), (1, 1))
