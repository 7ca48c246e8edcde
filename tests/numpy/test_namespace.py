"""`adjoint.numpy` on plain arrays is NumPy; on Variables it is what NumPy would do if it dispatched."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp
from adjoint.numpy import dispatch
from adjoint.tape import Tape

from . import harness
from .cases import CASES


def test_every_other_name_is_numpys_own():
    """Itself, or as a function that also takes lists of Variables."""
    ours = set(anp.__all__)
    for name in np.__all__:
        if name not in ours:
            found, theirs = getattr(anp, name), getattr(np, name)
            if found is not theirs:
                assert found.__wrapped__ is theirs and found.__name__ == theirs.__name__, name
            assert getattr(anp, name) is found
    assert set(np.__all__) <= set(dir(anp))
    assert anp.linalg.solve.__wrapped__ is np.linalg.solve and anp.linalg.LinAlgError is np.linalg.LinAlgError
    assert "solve" in dir(anp.linalg)
    with pytest.raises(AttributeError):
        anp.no_such_function  # noqa: B018


def same(a, b):
    assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape
    assert np.array_equal(a, b)


PLAIN = [
    ("array", ([[1, 2], [3, 4]],), {}),
    ("array", ([1.0, 2],), {"dtype": np.float32}),
    ("array", (3.0,), {"ndmin": 2}),
    ("array", (np.arange(6).reshape(2, 3)[::-1],), {"order": "F", "copy": True}),
    ("array", ([],), {}),
    ("array", ([np.float32(1), np.float32(2)],), {}),
    ("asarray", ([1, 2],), {}),
    ("asarray", ([1, 2], float), {}),
    ("asarray", (np.arange(3),), {"copy": True}),
    ("full", ((2, 3), 1.5), {}),
    ("full", (3, [1, 2, 3]), {}),
    ("full", ([2, 2], 1), {"dtype": np.float32, "order": "F"}),
    ("full_like", (np.arange(3), 2.7), {}),
    ("full_like", (np.arange(3), 2.7), {"dtype": float, "shape": (2, 2)}),
]


@pytest.mark.parametrize(("name", "args", "options"), PLAIN)
def test_plain_arguments(name, args, options):
    same(getattr(anp, name)(*args, **options), getattr(np, name)(*args, **options))


RECORDED = [
    ("array", lambda f, v: f([v, v])),
    ("array", lambda f, v: f([[v, 2 * v], [[1, 2], [3, 4]]])),
    ("array", lambda f, v: f((v[0], 1, 2.5))),
    ("array", lambda f, v: f([v[0], np.float32(1)])),
    ("array", lambda f, v: f(v, ndmin=3)),
    ("array", lambda f, v: f([v, v], dtype=np.float32)),
    ("asarray", lambda f, v: f([v[0], v[1]])),
    ("asarray", lambda f, v: f(v)),
    ("full", lambda f, v: f((3, 2), v)),
    ("full", lambda f, v: f(2, v[0])),
    ("full", lambda f, v: f((2, 2), [v[1], 1.0])),
    ("full", lambda f, v: f((2, 2), v, dtype=np.float32)),
    ("full_like", lambda f, v: f(np.zeros((3, 2), np.float32), v)),
    ("full_like", lambda f, v: f(v, v[0])),
    ("full_like", lambda f, v: f(v, v, shape=(3, 2))),
]


@pytest.mark.parametrize(("name", "call"), RECORDED)
def test_recorded_arguments(name, call):
    x = np.array([1.5, -2.0])
    with Tape() as tape:
        z = call(getattr(anp, name), tape.input(x))
    expected = call(getattr(np, name), x)
    assert isinstance(z, ad.Variable)
    assert z.dtype == expected.dtype and z.shape == expected.shape
    assert np.array_equal(z.value, expected)


def test_asarray_of_a_variable_is_that_variable():
    with Tape() as tape:
        x = tape.input(np.ones(2))
        assert anp.asarray(x) is x and anp.array(x) is x


def test_every_rule_has_a_row(monkeypatch):
    """A function that has a rule stands in the table."""
    called = set()

    def watched(function, rule):
        def call(*args, **options):
            called.add(function)
            return rule(*args, **options)

        return call

    rules = {
        f: r
        for f, r in dispatch.FUNCTIONS.items()
        if r.__name__ != "write" and r.__module__ != dispatch.__name__
    }
    monkeypatch.setattr(
        dispatch, "FUNCTIONS", dispatch.FUNCTIONS | {f: watched(f, r) for f, r in rules.items()}
    )
    for case in CASES:
        with Tape() as tape:
            case.function(*(tape.input(x) for x in case.arguments()))
    tested_elsewhere = {np.argmin, np.einsum_path}
    assert {f.__name__ for f in set(rules) - called - tested_elsewhere} == set()


def test_functions_without_derivative_are_plain():
    x = np.array([[0.0, -2.0], [3.0, 1.0]])
    functions = (
        np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.count_nonzero, np.nonzero,
        np.flatnonzero, np.argwhere, np.all, np.any, np.iscomplexobj, np.isrealobj, np.array_str,
        np.array_repr, np.nanargmax, np.nanargmin, np.isreal, lambda v: np.allclose(v, v),
        lambda v: np.array_equal(v, v), lambda v: np.searchsorted(v[0], 1.0),
        lambda v: np.digitize(v, [0.5]), lambda v: np.digitize(v, [1.5, 0.5], right=True),
        lambda v: np.searchsorted([3.0, 1.0, 0.0], v, "right", sorter=[2, 1, 0]), lambda v: np.isin(v, [3.0]),
        lambda v: np.result_type(v, np.float32), lambda v: np.isclose(v, v), lambda v: np.lexsort(v),
    )  # fmt: skip
    for f in functions:
        with Tape() as tape:
            found = f(tape.input(x))
        expected = f(x)
        assert not isinstance(found, ad.Variable)
        assert np.array_equal(np.asarray(found), np.asarray(expected)), f


def test_einsum_path_needs_shapes_alone():
    x, y = np.ones((2, 30)), np.ones((30, 4))
    with Tape() as tape:
        found = np.einsum_path("ij,jk,kl", tape.input(x), tape.input(y), y.T, optimize="optimal")
    assert found == np.einsum_path("ij,jk,kl", x, y, y.T, optimize="optimal")


@pytest.mark.parametrize("f", [np.argmax, np.argmin, np.argsort], ids=lambda f: f.__name__)
def test_positions_follow_the_values(f):
    """Positions are recorded: solving the same constraints for other values moves them."""
    with Tape() as tape:
        x = tape.input(np.array([1.0, 3.0, 2.0]))
        k = f(x)
        z = x[k]
    assert np.array_equal(k.value, f(np.array([1.0, 3.0, 2.0])))
    moved = tape.replay({x.index: np.array([5.0, 0.0, 0.0])})
    assert np.array_equal(moved.values[k.index], f(np.array([6.0, 3.0, 2.0])))
    assert np.array_equal(moved.values[z.index], np.array([6.0, 3.0, 2.0])[f(np.array([6.0, 3.0, 2.0]))])


def test_a_fault_is_caught(monkeypatch):
    """The properties can fail: a fault planted in a rule is found by the check meant for it."""
    from adjoint.ops import reduce as rd

    row = next(c for c in CASES if c.name == "cumsum axis")
    monkeypatch.setattr(rd.CumSum, "transpose", lambda self, lam, x, axis: lam)
    with pytest.raises(AssertionError, match="⟨λ, Jv⟩"):
        harness.check_first_order(row, np.float64)
    monkeypatch.undo()

    row = next(c for c in CASES if c.name == "norm vector 2")
    monkeypatch.setattr(
        rd.Norm, "tangent", lambda self, args, z, dots, axis, keepdims=False: 2 * rd.sum_(dots[0], axis=axis)
    )
    with pytest.raises(AssertionError):
        harness.check_first_order(row, np.float64)
    monkeypatch.undo()

    # right to first order, wrong to second: the direction taken for a constant
    from adjoint.ops.primitive import innermost

    monkeypatch.setattr(rd.Norm, "weights", lambda self, x, z, axis: innermost(x) / innermost(z))
    harness.check_first_order(row, np.float64)
    with pytest.raises(AssertionError):
        harness.check_second_order(row)
    monkeypatch.undo()

    monkeypatch.setattr(
        rd.Norm,
        "value",
        lambda self, x, axis, keepdims=False: np.sqrt(
            np.sum(np.float64(x) ** 2, axis=axis, keepdims=keepdims)
        ),
    )
    with pytest.raises(AssertionError):
        harness.check_value(row, np.float32)
