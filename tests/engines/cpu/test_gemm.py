"""Matrix products of native steps against np.matmul."""

import ctypes
import itertools

import numpy as np
import pytest

from adjoint.engines.cpu import gemm
from adjoint.engines.cpu.gemm import plan_gemm

DTYPES = np.float32, np.float64
SIZES = 0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100
GUARD = 7.0  # what surrounds C must stay this


def strides(x):
    return tuple(s // x.itemsize for s in x.strides[-2:])


def run(step, a, b, c, order=1):
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(step.address)
    block = step.block(a.ctypes.data, b.ctypes.data, c.ctypes.data)
    for chunk in range(step.chunks)[::order]:
        call(block.ctypes.data, chunk)


def product(a, b, c, *, order=1, **options):
    """C = A @ B by a step planned for these arrays; returns C."""
    step = plan_gemm(
        a.dtype,
        *(*c.shape[-2:], a.shape[-1]),
        a_strides=strides(a),
        b_strides=strides(b),
        ldc=strides(c)[0],
        **options,
    )
    run(step, a, b, c, order)
    return c


def operand(rng, rows, columns, dtype, layout="C"):
    """Normal numbers, as rows ("C"), transposed ("F"), every second column ("step") or backwards ("back")."""
    x = rng.normal(size=(rows, columns)).astype(dtype)
    if layout == "F":
        return np.ascontiguousarray(x.T).T
    if layout == "step":
        wide = np.full((rows, 2 * columns + 1), np.nan, dtype)
        wide[:, : 2 * columns : 2] = x
        return wide[:, : 2 * columns : 2]
    if layout == "back":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    return x


def guarded(m, n, dtype):
    """(the whole buffer, C inside it): two rows and three columns of guard on every side."""
    whole = np.full((m + 4, n + 6), GUARD, dtype)
    c = whole[2 : m + 2, 3 : n + 3]
    c[...] = np.nan
    return whole, c


def tolerance(dtype, k):
    """Absolute, for sums of k products of normal numbers."""
    return 4 * np.finfo(dtype).eps * max(k, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("layout_a", "layout_b"), ["CC", "FC", "CF", "FF"])
def test_every_shape_equals_matmul_and_leaves_the_surroundings(dtype, layout_a, layout_b):
    rng = np.random.default_rng(0)
    for m, n, k in itertools.product(SIZES, SIZES, (0, 1, 2, 7, 33)):
        a, b = operand(rng, m, k, dtype, layout_a), operand(rng, k, n, dtype, layout_b)
        whole, c = guarded(m, n, dtype)
        product(a, b, c)
        np.testing.assert_allclose(c, a @ b, rtol=0, atol=tolerance(dtype, k), err_msg=str((m, n, k)))
        c[...] = GUARD
        assert (whole == GUARD).all(), (m, n, k)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("layout_a", "layout_b"), list(itertools.product(("C", "F", "step", "back"), repeat=2))
)
@pytest.mark.parametrize("shape", [(1, 300, 1100), (300, 1, 1100), (70, 130, 1030), (270, 70, 513)])
def test_several_blocks_of_terms_and_any_strides(dtype, layout_a, layout_b, shape):
    rng = np.random.default_rng(1)
    m, n, k = shape
    a, b = operand(rng, m, k, dtype, layout_a), operand(rng, k, n, dtype, layout_b)
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    _, c = guarded(m, n, dtype)
    np.testing.assert_allclose(product(a, b, c), exact.astype(dtype), rtol=0, atol=tolerance(dtype, k))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [0, 3, 1200])
def test_accumulate_adds(dtype, k):
    rng = np.random.default_rng(2)
    a, b, start = operand(rng, 21, k, dtype), operand(rng, k, 37, dtype), operand(rng, 21, 37, dtype)
    c = product(a, b, start.copy(), accumulate=True)
    np.testing.assert_allclose(c, start + a @ b, rtol=0, atol=tolerance(dtype, k))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 4), (70, 33, 40), (200, 200, 150)])
def test_a_batch_repeats_an_operand_of_stride_zero(dtype, shape):
    rng = np.random.default_rng(3)
    m, n, k = shape
    count = 9
    a = rng.normal(size=(count, m, k)).astype(dtype)
    b = rng.normal(size=(count, k, n)).astype(dtype)
    for batched_a, batched_b in itertools.product((True, False), repeat=2):
        left, right = a if batched_a else a[0], b if batched_b else b[0]
        c = np.full((count, m, n), np.nan, dtype)
        product(left, right, c, batch=(count, m * k * batched_a, k * n * batched_b, m * n))
        whole = np.broadcast_to(left @ right, c.shape)
        np.testing.assert_allclose(c, whole, rtol=0, atol=tolerance(dtype, k))
    assert (
        plan_gemm(dtype, m, n, k, a_strides=(k, 1), b_strides=(n, 1), ldc=n, batch=(0, 0, 0, 0)).chunks == 0
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["C", "F"])
def test_bits_do_not_depend_on_chunks_their_order_or_the_other_sizes(dtype, layout):
    rng = np.random.default_rng(4)
    a, b = operand(rng, 150, 1040, dtype, layout), operand(rng, 1040, 90, dtype, layout)
    c = product(a, b, np.empty((150, 90), dtype))
    for rows in (1, 3, 8, 40, 150):
        assert (product(a, b, np.empty_like(c), rows=rows, order=-1) == c).all()
    for m, n in ((1, 90), (2, 17), (9, 33), (150, 2)):
        assert (product(a[:m], b[:, :n], np.empty((m, n), dtype)) == c[:m, :n]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_matrix_times_a_vector_may_be_cut_anywhere(dtype, layout):
    rng = np.random.default_rng(7)
    a, x = operand(rng, 150, 1040, dtype, layout), operand(rng, 1040, 1, dtype)
    c, row = np.empty((150, 1), dtype), np.empty((1, 150), dtype)
    np.testing.assert_allclose(product(a, x, c), a @ x, rtol=0, atol=tolerance(dtype, 1040))
    for rows in (1, 3, 8, 40):
        assert (product(a, x, np.empty_like(c), rows=rows, order=-1) == c).all()
    np.testing.assert_array_equal(product(x.T, a.T, row).T, c)


def test_a_chunk_of_given_height_writes_its_rows_alone():
    rng = np.random.default_rng(5)
    a, b, c = (
        operand(rng, 50, 20, np.float32),
        operand(rng, 20, 30, np.float32),
        np.zeros((50, 30), np.float32),
    )
    step = plan_gemm(np.float32, 50, 30, 20, a_strides=(20, 1), b_strides=(30, 1), ldc=30, rows=16)
    assert step.chunks == 4
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(step.address)
    call(step.block(a.ctypes.data, b.ctypes.data, c.ctypes.data).ctypes.data, 2)
    np.testing.assert_allclose(c[32:48], (a @ b)[32:48], rtol=0, atol=1e-4)
    assert not c[:32].any() and not c[48:].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("layout_a", "layout_b"), ["CC", "FF"])
def test_nan_and_infinity_propagate_as_in_matmul(dtype, layout_a, layout_b):
    rng = np.random.default_rng(6)
    a, b = operand(rng, 11, 20, dtype, layout_a), operand(rng, 20, 19, dtype, layout_b)
    a[2, 3], b[5, 18], a[10, 19], b[19, 0] = np.nan, np.inf, -np.inf, 0
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_allclose(product(a, b, np.empty((11, 19), dtype)), expected, rtol=1e-3, atol=1e-3)


def test_the_plan_counts_its_work():
    step = plan_gemm(np.float64, 512, 256, 784, a_strides=(784, 1), b_strides=(256, 1), ldc=256)
    assert step.flops == 2 * 512 * 256 * 784
    assert step.chunks > 4 and step.scratch == 0
    assert step.block(1, 2, 3)[[gemm.A, gemm.B, gemm.C, gemm.M]].tolist() == [1, 2, 3, 512]
