"""The C kernels for this computer agree with their numpy references: integers on every bit, floats within the bound of rounding."""

import numpy as np
import pytest

from tests.processors import X86
from tinycourse.errors import TinycourseError
from tinycourse.host import products
from tinycourse.host.products import FloatProduct, HybridProduct, IntegerProduct
from tinycourse.program.fixed_point import fixed_point, requantize

SHAPES = [(64, 40), (8, 4), (9, 5), (1, 1), (37, 130), (256, 640)]  # whole panels and groups, and not
SPARSITIES = [None, 0.0, 0.5, 0.9, 1.0]  # None: dense
BUILDS = {"this processor": (), "plain C": ("-DTN_PLAIN",), "VNNI, modelled": ("-DTN_MODEL_VNNI",)}
BUILDS |= {"x86 without AVX": ("-mcpu=x86_64",)} if X86 else {}


@pytest.fixture(params=BUILDS)
def flags(request) -> tuple[str, ...]:
    return BUILDS[request.param]


def matrix(shape, sparsity, rng) -> np.ndarray:
    keep = rng.random((-(-shape[0] // 8), shape[1])) >= (sparsity or 0.0)
    return (rng.normal(size=shape) * np.repeat(keep, 8, 0)[: shape[0]]).astype(np.float32)


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_float(shape, sparsity):
    rng = np.random.default_rng(0)
    weight, x = matrix(shape, sparsity, rng), rng.normal(size=shape[1]).astype(np.float32)
    product = FloatProduct(weight, sparsity is not None)
    bound = shape[1] * 2.0**-23 * (np.abs(weight) @ np.abs(x)) + 1e-30
    y = product(x)
    assert y.dtype == np.float32 and (np.abs(y - product.reference(x)) <= bound).all()


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("per_row", [False, True])
def test_hybrid_to_the_bit(shape, sparsity, per_row, flags):
    rng = np.random.default_rng(1)
    weight = matrix(shape, sparsity, rng)
    product = HybridProduct(weight, sparsity is not None, per_row, flags)
    for scale in (1e-3, 1.0, 50.0, 0.0):
        x = (scale * rng.normal(size=shape[1])).astype(np.float32)
        y = product(x)
        assert y.dtype == np.float32 and np.array_equal(y, product.reference(x))


def test_hybrid_is_near_the_float_product():
    """Each factor is off by at most half a step of its grid: the bound that follows, with the rounding of floats on top."""
    rng = np.random.default_rng(2)
    weight, x = matrix((64, 200), 0.5, rng), rng.normal(size=200).astype(np.float32)
    product = HybridProduct(weight, sparse=True)
    half_w, half_x = np.abs(weight).max() / 254, np.abs(x).max() / 254
    bound = half_w * np.abs(x).sum() + half_x * np.abs(weight).sum(1) + 200 * half_w * half_x
    error = np.abs(product(x) - weight.astype(np.float64) @ x)
    assert (error <= 1.001 * bound).all() and error.max() > 0


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_integer_to_the_bit(shape, sparsity, flags):
    rng = np.random.default_rng(3)
    weight = np.rint(matrix(shape, sparsity, rng).clip(-3, 3) * (127 / 3)).astype(np.int8)
    bias = rng.integers(-5_000, 5_000, shape[0]).astype(np.int32)
    multiplier, shift = fixed_point(rng.uniform(0.0005, 0.9, shape[0]))
    for clamp in ((-128, 127), (-(2**15), 2**15 - 1), (0, 90)):
        product = IntegerProduct(weight, bias, multiplier, shift, 7, -5, clamp, sparsity is not None, flags)
        for x in (rng.integers(-128, 128, shape[1]), np.full(shape[1], -128), np.full(shape[1], 127)):
            x = x.astype(np.int8)
            y = product(x)
            assert y.dtype == np.int16 and np.array_equal(y, product.reference(x))


def test_the_reference_is_the_interpreter_s():
    rng = np.random.default_rng(4)
    weight = rng.integers(-127, 128, (16, 30)).astype(np.int8)
    bias, (multiplier, shift) = rng.integers(-500, 500, 16).astype(np.int32), fixed_point(np.full(16, 0.003))
    x = rng.integers(-128, 128, 30).astype(np.int8)
    sums = weight.astype(np.int64) @ (x.astype(np.int64) - 3) + bias
    expected = np.clip(requantize(sums, multiplier, shift) + 1, -128, 127)
    assert np.array_equal(IntegerProduct(weight, bias, multiplier, shift, 3, 1, (-128, 127))(x), expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_products_do_not_saturate(sign, flags):
    """-128 and 127 everywhere: two such products added fill 16 bits to the last."""
    weight = np.full((16, 64), sign * 127, np.int8)
    multiplier, shift = fixed_point(np.full(16, 0.01))
    for sparse in (False, True):
        product = IntegerProduct(weight, np.zeros(16, np.int32), multiplier, shift, sparse=sparse, flags=flags)
        for value in (-128, 127):
            y = product(np.full(64, value, np.int8))
            assert (product.sums == sign * 127 * 64 * value).all() and np.array_equal(y, product.reference(np.full(64, value, np.int8)))


def test_half_is_rounded_up():
    weight = np.array([[1], [3], [-1], [-3]], np.int8)
    multiplier, shift = fixed_point(np.full(4, 0.5))
    product = IntegerProduct(weight, np.zeros(4, np.int32), multiplier, shift)
    assert product(np.array([1], np.int8)).tolist() == [1, 2, 0, -1]


def test_bytes_are_those_of_the_blocks_and_their_indices():
    rng = np.random.default_rng(5)
    weight = matrix((64, 100), 0.5, rng)
    blocks = int(np.abs(weight.reshape(8, 8, 100)).sum(1).astype(bool).sum())
    assert FloatProduct(weight).nbytes == weight.nbytes
    assert FloatProduct(weight, sparse=True).nbytes == blocks * (8 * 4 + 2) + 9 * 4
    hybrid = HybridProduct(weight, sparse=True)
    assert blocks * (8 + 2) <= hybrid.nbytes - 9 * 4 <= (blocks + 8 * 3) * (8 + 2)  # a panel fills up its last group of four


def test_what_the_kernels_do_not_take():
    with pytest.raises(TinycourseError, match="65,536 inputs"):
        FloatProduct(np.ones((1, 2**16 + 1), np.float32))
    with pytest.raises(TinycourseError, match="overflow 32 bits"):
        multiplier, shift = fixed_point(np.array([0.01]))
        IntegerProduct(np.full((1, 4), -128, np.int8), np.zeros(1, np.int32), multiplier, shift)
    with pytest.raises(TinycourseError, match="overflow 32 bits"):
        multiplier, shift = fixed_point(np.array([30_000.0]))  # moves sums far to the left
        IntegerProduct(np.full((1, 4000), 127, np.int8), np.zeros(1, np.int32), multiplier, shift)


def test_the_library_is_compiled_once():
    assert products.library() is products.library() and products.library("-DTN_PLAIN") is not products.library()


def test_an_input_of_another_kind_or_length_is_refused():
    float_product, hybrid = FloatProduct(np.ones((8, 4), np.float32)), HybridProduct(np.ones((8, 4), np.float32))
    for product, wrong in ((float_product, np.ones(4)), (hybrid, np.ones(5, np.float32)), (hybrid, np.ones((1, 4), np.float32))):
        with pytest.raises(TinycourseError, match="takes float32 \\[4\\]"):
            product(wrong)
    assert float_product(np.ones(8, np.float32)[::2]).tolist() == [4.0] * 8  # what is not contiguous is copied
