"""Structured primitives: what the NumPy-shaped front ends do not show."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DomainError, IndexingError, RuleError
from adjoint.ops import broadcast as bc
from adjoint.ops import determinants as dt
from adjoint.ops import factorize as fz
from adjoint.ops import formula
from adjoint.ops import index as ix
from adjoint.ops import linalg as la
from adjoint.ops import reduce as rd
from adjoint.ops import segment as sg
from adjoint.ops import shape as sh
from adjoint.ops.primitive import PRIMITIVES, Linear, Primitive, register
from adjoint.tape import Tape

STRUCTURED = [
    op for op in PRIMITIVES.values() if type(op).__module__ in {m.__name__ for m in (bc, ix, la, rd, sg, sh)}
]


@pytest.mark.parametrize("op", STRUCTURED, ids=lambda op: op.name)
def test_registered_primitives_pickle_by_name(op):
    assert pickle.loads(pickle.dumps(op)) is op


def test_a_rule_without_its_twin_cannot_be_registered():
    class Half(Primitive):
        name = "half of a rule"

        def value(self, x):
            return x

        def tangent(self, args, z, dots):
            return dots[0]

    class Untransposed(Linear):
        name = "linear without transpose"

        def value(self, x):
            return x

    for kind in (Half, Untransposed):
        with pytest.raises(RuleError, match="twin"):
            register(kind())
        assert kind.name not in PRIMITIVES


# --------------------------------------------------------------------------------------------------- fit
@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((2, 3), (1, 3)),
        ((2, 3), ()),
        ((4, 2, 3), (2, 1)),
        ((), (2, 3)),
        ((1, 3), (2, 3)),
        ((3,), (1, 1, 3)),
        ((2, 4, 1), (2, 1, 3)),
        ((5, 2, 1), (1, 3)),
        ((0, 3), (3,)),
        ((0, 3), (1, 3)),
    ],
)
def test_fit_undoes_broadcasting(shape, target):
    """`fit` is the transpose of broadcasting: ⟨λ, spread(x)⟩ = ⟨fit(λ), x⟩, in x's shape and dtype."""
    rng = np.random.default_rng(0)
    lam = rng.standard_normal(shape)
    x = rng.standard_normal(target).astype(np.float32)[()]
    fitted = bc.fit(np.asarray(lam)[()], x)
    assert np.shape(fitted) == target and fitted.dtype == np.float32
    if np.broadcast_shapes(shape, target) == shape:
        np.testing.assert_allclose(np.sum(fitted * x), np.sum(lam * x), rtol=1e-5, atol=1e-6)


def test_fit_gives_integers_nothing():
    assert bc.fit(np.ones(3), np.arange(3)) is None
    assert bc.fit(np.ones(3), np.ones(3, bool)) is None


# --------------------------------------------------------------------------------------------------- index
def test_split_and_join_are_inverse():
    array = np.array([2, 0])
    for index in (
        (1, slice(None), None, ...),
        array,
        (array, slice(1, 3)),
        ([1, 2], ...),
        True,
        (np.int64(1), array),
    ):
        template, arrays = ix.split_index(index)
        hash(tuple(p if not isinstance(p, slice) else (p.start, p.stop, p.step) for p in template))
        x = np.arange(27).reshape(3, 3, 3)
        assert np.array_equal(x[ix.join_index(template, arrays)], x[index])


def test_split_refuses_floats():
    with pytest.raises(IndexingError, match="float64"):
        ix.split_index(np.ones(2))


def test_recorded_indices_follow_the_values():
    """A mask made from values is an operand: solving again with other values selects anew."""
    with Tape() as tape:
        x = tape.input(np.array([1.0, 2.0, 3.0]))
        top = x[np.argsort(x)[-1:]]
    moved = tape.replay({x.index: np.array([9.0, 0.0, 0.0])})
    assert moved.values[top.index].tolist() == [10.0]


def test_scatter_set_gives_the_derivative_to_the_last_writer():
    index = np.array([1, 1, 0, 1])
    gradient = ad.grad(
        lambda v: np.sum(
            np.array([1.0, 10.0, 100.0]) * ix.scatter_set(np.zeros(3), v, index, template=(ix.ARRAY,))
        )
    )
    assert gradient(np.ones(4)).tolist() == [0, 0, 1, 10]


# --------------------------------------------------------------------------------------------------- values
def test_logsumexp_matches_scipy():
    from scipy.special import logsumexp

    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        x = rng.standard_normal((4, 5)) * 10.0 ** rng.integers(-3, 4, (4, 5))
    x[0] = -np.inf
    x[1, 2] = -np.inf
    x[2, 0] = np.inf
    for axis in (0, 1, (0, 1)):
        axes = axis if isinstance(axis, tuple) else (axis,)
        np.testing.assert_allclose(rd.logsumexp(x, axis=axes), logsumexp(x, axis=axis), rtol=1e-14)
    assert rd.logsumexp(np.zeros((0, 2)), axis=(0,)).tolist() == [-np.inf, -np.inf]
    assert rd.logsumexp(np.float32([1, 2]), axis=(0,)).dtype == np.float32


def test_norm_neither_overflows_nor_vanishes():
    for scale in (1e-300, 1.0, 1e300):
        assert rd.norm(np.array([3.0, 4.0]) * scale, axis=(0,)) == pytest.approx(5 * scale, rel=1e-15)
    assert rd.norm(np.array([np.inf, 1.0]), axis=(0,)) == np.inf
    assert rd.norm(np.zeros((0,)), axis=(0,)) == 0


OFFSETS = np.array([0, 2, 2, 5, 6])


@pytest.mark.parametrize(
    ("op", "reference", "empty"),
    [
        (sg.segment_sum, np.sum, 0),
        (sg.segment_max, np.max, -np.inf),
        (sg.segment_logsumexp, lambda x, axis: np.logaddexp.reduce(x, axis), -np.inf),
    ],
    ids=["sum", "max", "logsumexp"],
)
@pytest.mark.parametrize("shape", [(6,), (6, 3)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_segments_are_reductions_of_rows(op, reference, empty, shape, kind):
    x = np.random.default_rng(0).standard_normal(shape).astype(kind)
    z = op(x, OFFSETS)
    assert z.dtype == kind and z.shape == (4, *shape[1:])
    for k, (start, stop) in enumerate(pairwise(OFFSETS)):
        expected = reference(x[start:stop], axis=0) if stop > start else empty
        np.testing.assert_allclose(z[k], expected, rtol=1e-5 if kind is np.float32 else 1e-13)
    assert op(np.zeros((0, 2)), np.array([0])).shape == (0, 2)
    assert op(np.zeros((0, 2)), [0, 0]).tolist() == [[empty, empty]]


@pytest.mark.parametrize("op", [sg.segment_sum, sg.segment_max, sg.segment_logsumexp], ids=lambda op: op.name)
def test_segments_are_differentiated_past_empty_ones(op):
    x = np.random.default_rng(0).standard_normal((6, 2))
    weights = np.random.default_rng(1).standard_normal((4, 2))

    def f(x):
        return np.sum((weights * op(x, OFFSETS))[[0, 2, 3]])

    eye = np.eye(12).reshape(12, 6, 2)
    differences = np.array([(f(x + 1e-6 * e) - f(x - 1e-6 * e)) / 2e-6 for e in eye]).reshape(6, 2)
    np.testing.assert_allclose(ad.grad(f)(x), differences, atol=1e-8)


# --------------------------------------------------------------------------------------------------- matrices
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_triangular_solve_reads_one_triangle(lower, transposed):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 4, 4)) + 3 * np.eye(4), rng.standard_normal((4, 2))
    triangle = np.tril(a) if lower else np.triu(a)
    full = np.swapaxes(triangle, -1, -2) if transposed else triangle
    how = {"lower": lower, "transposed": transposed, "unit": False}
    np.testing.assert_allclose(
        la.solve_triangular(a, b, **how), np.linalg.solve(full, np.broadcast_to(b, (2, 4, 2))), rtol=1e-10
    )
    gradient = ad.grad(lambda a: np.sum(la.solve_triangular(a, b, **how)))(a)
    assert np.array_equal(gradient, np.tril(gradient) if lower else np.triu(gradient))
    assert np.all(
        gradient[np.broadcast_to(np.tri(4, dtype=bool) if lower else np.tri(4, dtype=bool).T, a.shape)] != 0
    )


def test_factorisations_read_one_triangle():
    a = np.array([[4.0, 99.0], [1.0, 3.0]])  # symmetric only by its lower triangle
    for f in (np.linalg.cholesky, lambda a: np.linalg.eigvalsh(a)[:1], lambda a: np.linalg.eigh(a)[1] ** 2):
        with Tape() as tape:
            np.testing.assert_allclose(f(tape.input(a)).value, f(a), rtol=1e-14)
        gradient = ad.grad(lambda a, f=f: np.sum(f(a) ** 3))(a)
        assert gradient[0, 1] == 0 and gradient[1, 0] != 0
    gradient = ad.grad(lambda a: np.sum(np.linalg.eigvalsh(a.T, "U")[0]))(a)
    assert gradient[0, 1] == 0 and gradient[1, 0] != 0


@pytest.mark.parametrize("f", [np.linalg.eigvalsh, np.linalg.svdvals], ids=["eigvalsh", "svdvals"])
def test_equal_values_have_first_derivatives_and_no_made_up_second_ones(f):
    """Σ w² = tr a² has a second derivative at the identity that w and v cannot tell: NaN, not wrong."""
    np.testing.assert_allclose(ad.grad(lambda a: np.sum(f(a) ** 2))(np.eye(2)), 2 * np.eye(2), atol=1e-14)
    assert np.isnan(ad.hessian(lambda a: np.sum(f(a) ** 2))(np.eye(2))).any()


def test_vectors_of_equal_values_have_no_derivative():
    """eᵃ by its eigenvectors: the limit of (eʷⁱ − eʷʲ) / (wᵢ − wⱼ) cannot be had from 0 / 0."""
    gradient = ad.grad(lambda a: (lambda w, v: (v * np.exp(w)) @ v.T)(*np.linalg.eigh(a))[1, 0])
    assert np.isnan(gradient(2 * np.eye(2))[1, 0])
    apart = gradient(np.diag([2.0, 2.0 + 1e-6]))[1, 0]
    np.testing.assert_allclose(apart, np.exp(2), rtol=1e-5)


def test_qr_of_a_wide_matrix_is_refused_by_the_primitive():
    with pytest.raises(DomainError, match=r"\(2, 3\)"):
        fz.qr(np.ones((2, 3)))


def test_det_lemma_is_the_determinant_of_any_matrix():
    """The identity behind `det_of_singular` holds for every matrix, whichever directions are filled up."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 5, 5))
    u, _, vt = np.linalg.svd(a)
    for k in (1, 2, 4, 5):
        found = dt.det_of_singular(a, u[..., -k:], vt[..., -k:, :])
        np.testing.assert_allclose(found, np.linalg.det(a), rtol=1e-11)


def test_directions_only_where_they_are_needed():
    assert dt.smallest_directions(np.eye(3)) is None
    assert dt.smallest_directions(1e-200 * np.eye(3)) is None
    u, vh = dt.smallest_directions(np.diag([1.0, 0.0, 1e-9]))
    assert u.shape == (3, 2) and vh.shape == (2, 3)


@pytest.mark.parametrize("op", STRUCTURED, ids=lambda op: op.name)
def test_formula_of_every_primitive_is_well_formed(op):
    params = {"template": (1, slice(0, 2), ix.ARRAY), "subscripts": "ij,jk->ik", "k": 0}
    made = op.formula([formula.name(x) for x in "xyw"], params)
    text = made.latex()
    assert text.count("{") == text.count("}") and "\\\\" not in text
    ET.fromstring(made.mathml())
