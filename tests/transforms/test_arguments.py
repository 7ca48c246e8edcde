"""What functions may take and return: argnum, containers, dtypes, outputs; what is said when they may not."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DTypeError, LeakError, ShapeError, TreeError

from ..helpers import close, message, normal, nothing_is_open, points_at, same_kind

X = np.array([1.0, 2.0, 3.0])


class Pair(NamedTuple):
    left: Any
    right: Any


def f(x: Any, y: Any, z: Any = 1.0) -> Any:
    return np.sum(x**2 * y) * z


# ------------------------------------------------------------------------------------------- argnum
def test_argnum() -> None:
    x, y = X, X + 1
    dx, dy, dz = 2 * x * y * 2.0, x**2 * 2.0, np.sum(x**2 * y)
    args = (x, y, 2.0)
    close(ad.grad(f)(*args), dx)
    close(ad.grad(f, 1)(*args), dy)
    close(ad.grad(f, -1)(*args), dz)
    close(ad.grad(f, (0, 2))(*args), (dx, dz))
    close(ad.grad(f, [2, 1])(*args), (dz, dy))
    close(ad.grad(f, (1,))(*args), (dy,))
    close(ad.grad(f, (-1, 0))(*args), (dz, dx))
    close(ad.grad(f, np.int64(1))(*args), dy)
    close(ad.grad(f, argnum=())(*args), ())
    close(ad.value_and_grad(f, 1)(*args), (dz * 2.0, dy))


def test_argnum_that_does_not_fit() -> None:
    text = message(TreeError, ad.grad(f, 3), X, X)
    assert "argnum=3, but the function was called with 2 positional arguments" in text
    assert "by position" in text
    assert "argnum=0" in message(TreeError, ad.grad(f), x=X, y=X)
    for twice in ((0, 0), (0, -2), [1, 0, 1]):
        assert "twice" in message(TreeError, ad.grad(f, twice), X, X)
    assert nothing_is_open()


def test_keyword_arguments_pass_through() -> None:
    close(ad.grad(f)(X, y=X, z=3.0), 6 * X**2)
    close(ad.grad(f)(X, y=X, z=np.array(2.0)), 4 * X**2)
    close(ad.jacobian(lambda x, *, k: x * k)(X, k=2.0), 2 * np.eye(3))
    close(ad.hessian_vector_product(f)(X, X, X, z=2.0), 4 * X**2)
    close(ad.elementwise_grad(lambda x, k: np.sin(x * k))(X, k=2.0), 2 * np.cos(2 * X))


def test_with_multipliers_keeps_name_and_docstring() -> None:
    def loss(x: Any) -> Any:
        """The loss."""
        return np.sum(x)

    transformed = ad.with_multipliers(loss)
    assert (transformed.__name__, transformed.__doc__) == ("loss", "The loss.")


# --------------------------------------------------------------------------------------- containers
CONTAINERS: dict[str, Any] = {
    "scalar": np.float64(2.0),
    "array": X,
    "empty array": np.zeros((0, 2)),
    "list": [X, np.float64(1.0)],
    "tuple": (X, X),
    "nested": {
        "layers": [{"W": normal(2, 2), "b": normal(2)}, {"W": normal(2), "b": None}],
        "scale": np.float64(0.5),
    },
    "named tuple": Pair(X, {"deep": Pair(normal(2), ())}),
    "with none": [None, X, None],
    "empty": [],
    "none": None,
    "float32": {"a": X.astype(np.float32), "b": X},
    "0-d": np.array(2.0),
}


def squares(tree: Any) -> Any:
    return sum((np.sum(leaf.astype(np.float64) ** 2) for leaf in ad.tree.flatten(tree)[0]), 0.0)


@pytest.mark.parametrize("x", CONTAINERS.values(), ids=CONTAINERS)
def test_gradient_comes_in_the_container_of_the_argument(x: Any) -> None:
    expected = ad.tree_map(lambda leaf: (2 * leaf).astype(leaf.dtype), x)
    found = ad.grad(squares)(x)
    close(found, expected, 1e-6)
    same_kind(found, expected)
    both = ad.grad(lambda x, y: squares(x) + squares(y), (0, 1))(x, x)
    same_kind(both, (expected, expected))


def test_ordered_dicts_come_back_as_dicts_and_keys_of_any_type() -> None:
    g = ad.grad(lambda p: p["b"] * p["a"])(OrderedDict(b=2.0, a=3.0))
    assert g == {"a": 2.0, "b": 3.0}
    close(
        ad.grad(lambda p: p[1] * p["a"] * p[None])({1: 2.0, "a": 3.0, None: 4.0}),
        {1: np.float64(12.0), "a": np.float64(8.0), None: np.float64(6.0)},
    )


def test_disconnected_arguments_have_zero_gradients_and_are_named() -> None:
    params = {"used": X, "spare": np.ones((2, 3), np.float32), "deep": [1.0]}
    g = ad.grad(lambda p: np.sum(p["used"]))(params)
    assert g["spare"].shape == (2, 3) and g["spare"].dtype == np.float32 and not g["spare"].any()
    assert g["deep"] == [0.0]
    _, _, m = ad.with_multipliers(lambda p: np.sum(p["used"]))(params)
    assert m.disconnected == ["deep/0", "spare"]
    assert "0 (disconnected)" in repr(m)
    with ad.Tape() as tape:
        p = tape.parameter(params)
        loss = np.sum(p["used"])
    certificate = ad.Lagrangian(tape, loss).residuals()
    assert certificate.disconnected == ("deep/0", "spare")
    assert "zero gradient: the loss does not depend on deep/0, spare" in repr(certificate)
    assert certificate.holds


def test_connected_only_through_integers_counts_as_disconnected() -> None:
    g = ad.grad(lambda x: 1.0 * np.argmax(x) + np.sum(np.floor(x)) + np.sum(x > 1.5))(X)
    close(g, np.zeros(3))


# ------------------------------------------------------------------------------------------- dtypes
INPUTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "int": (3, ("int 3", "int64", "Pass 3.0, or leave the argument out of argnum")),
    "bool": (True, ("bool True", "its dtype is bool", "Pass 1.0")),
    "integer array": (np.arange(3), ("(3,) int64", "x.astype(float)")),
    "integer leaf": ({"w": X, "n": np.arange(2)}, ('input "n"', "x.astype(float)")),
    "boolean array": (X > 1, ("(3,) bool", "x.astype(float)")),
    "string": ("abc", ("str", "functools.partial")),
    "object array": (np.array([1.0, None]), ("object", "Pass floats")),
    "function": (np.sin, ("object", "leave strings, objects and options out of argnum")),
    "set": ({1.0, 2.0}, ("set", "Pass floats")),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), ("datetime64",)),
    "list with an int": ([1.0, 2], ("int 2", 'input "1"')),
}


@pytest.mark.parametrize("what", INPUTS)
def test_inputs_that_are_no_floats_are_refused_with_a_remedy(what: str) -> None:
    x, words = INPUTS[what]
    for transform in (ad.grad, ad.jacobian, ad.elementwise_grad, ad.with_multipliers):
        text = message(DTypeError, transform(lambda x: 1.0), x)
        for word in words:
            assert word in text, text
    assert nothing_is_open()


def test_other_arguments_may_be_anything() -> None:
    g = ad.grad(lambda x, n, s, flag, g: np.sum(x**n) if flag and s == "sum" else g(x))(
        X, 3, "sum", True, np.max
    )
    close(g, 3 * X**2)


def test_half_and_long_precision_are_kept() -> None:
    for kind in (np.float16, np.longdouble):
        assert ad.grad(lambda x: np.sum(x * x))(X.astype(kind)).dtype == kind


# ------------------------------------------------------------------------------------------ outputs
def test_vector_output_names_the_line_and_remedies() -> None:
    def vector(x: Any) -> Any:
        with ad.scope("head"):
            h = np.sin(x) * 2
        return h

    text = message(ShapeError, ad.grad(vector), X)
    assert text.startswith("grad needs a scalar output, got shape (3,)")
    assert points_at(text, "h = np.sin(x) * 2")
    assert 'in scope "head"' in text
    assert "np.sum, np.mean), or use jacobian, elementwise_grad or make_vjp" in text
    assert "with_multipliers needs a scalar output" in message(ShapeError, ad.with_multipliers(vector), X)


OUTPUTS: dict[str, tuple[Any, type[Exception], tuple[str, ...]]] = {
    "none": (lambda x: None, DTypeError, ("returns one scalar, not NoneType", "Is a `return` missing?")),
    "tuple": (lambda x: (np.sum(x), x), DTypeError, ("not tuple", "grad_and_aux takes (loss, aux)")),
    "list of one": (lambda x: [np.sum(x)], DTypeError, ("not list",)),
    "dict": (lambda x: {"loss": np.sum(x)}, DTypeError, ("not dict",)),
    "string": (lambda x: "loss", DTypeError, ("float output",)),
    "int": (lambda x: 3, DTypeError, ("float output, got int64", "return a float")),
    "recorded int": (lambda x: np.argmax(x), DTypeError, ("float output, got int64",)),
    "recorded bool": (lambda x: np.sum(x) > 0, DTypeError, ("float output, got bool",)),
    "plain vector": (lambda x: np.ones(2), ShapeError, ("scalar output, got shape (2,)",)),
    "empty": (lambda x: x[:0], ShapeError, ("got shape (0,)",)),
    "function": (lambda x: np.sin, DTypeError, ()),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_outputs_that_are_no_scalars(what: str) -> None:
    g, kind, words = OUTPUTS[what]
    text = message(kind, ad.grad(g), X)
    for word in words:
        assert word in text, text
    assert nothing_is_open()


def test_constant_and_size_one_outputs() -> None:
    close(ad.value_and_grad(lambda x: 5.0)(X), (5.0, np.zeros(3)))
    close(ad.grad(lambda x: np.float32(5.0))(X), np.zeros(3))
    close(ad.value_and_grad(lambda x: np.sum(x, keepdims=True))(X), (np.array([6.0]), np.ones(3)))
    close(ad.grad(lambda x: x[:1].reshape(1, 1))(X), np.array([1.0, 0, 0]))
    close(ad.grad(lambda x: x)(2.0), np.float64(1.0))
    _, g, m = ad.with_multipliers(lambda x: 5.0)(X)
    close(g, np.zeros(3))
    assert m.disconnected == ["parameter#0"]


def test_functions_without_a_result_are_refused_by_every_transform() -> None:
    for transform in (ad.elementwise_grad, ad.jacobian, ad.hessian):
        assert "NoneType" in message(DTypeError, transform(lambda x: None), X)


def test_grad_and_aux() -> None:
    def g(x: Any, k: float) -> Any:
        return np.sum(x**2) * k, {"h": x * 2, "const": 1, "x": x, "text": "kept"}

    gradient, aux = ad.grad_and_aux(g)(X, 2.0)
    close(gradient, 4 * X)
    assert aux["text"] == "kept" and aux["const"] == 1
    close([aux["h"], aux["x"]], [2 * X, X])
    assert not any(isinstance(a, ad.Variable) for a in aux.values())
    aux["x"][0] = 7.0
    assert X[0] == 1.0
    assert "returns (loss, aux), not Variable" in message(TreeError, ad.grad_and_aux(np.sum), X)
    close(ad.grad(lambda x: ad.grad_and_aux(lambda y: (np.sum(y**3), y**2))(x)[1] @ np.ones(3))(X), 2 * X)


# ----------------------------------------------------------------------------- cotangents, tangents
def test_cotangents_and_tangents_are_checked() -> None:
    pullback, _ = ad.make_vjp(lambda x: {"a": np.sin(x), "b": np.sum(x)})(X)
    close(pullback({"a": np.ones(3), "b": 2.0}), np.cos(X) + 2)
    close(pullback({"a": np.ones(3, int), "b": 1}), np.cos(X) + 1)
    text = message(ShapeError, pullback, {"a": np.ones(2), "b": 1.0})
    assert "the cotangent must have the shape of the output: (3,), got (2,)" in text
    for wrong in (np.ones(3), {"a": np.ones(3), "c": 1.0}, {"a": np.ones(3)}):
        assert "the cotangent must have the structure of the output" in message(TreeError, pullback, wrong)
    push = ad.make_jvp(lambda p: p["x"] * p["y"])({"x": X, "y": 2.0})
    close(push({"x": np.ones(3), "y": 0.0})[1], np.full(3, 2.0))
    assert "tangent must have the structure of the argument" in message(
        TreeError, push, {"x": np.ones(3), "z": 0.0}
    )
    assert "tangent must have the shape of the argument" in message(ShapeError, push, {"x": 1.0, "y": 0.0})


def test_cotangents_take_the_dtype_of_the_output() -> None:
    x = X.astype(np.float32)
    for f in (lambda x: x * 2, lambda x: x[::-1], lambda x: np.reshape(x, (3, 1))[:, 0], lambda x: x):
        value, pullback = ad.vjp(f, x)
        assert pullback(np.ones(3))[0].dtype == value.dtype == np.float32
        assert ad.jvp(f, (x,), (np.ones(3),))[1].dtype == np.float32


def test_variables_as_arguments_of_explicit_transforms() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(X)
        g = ad.grad(lambda y: np.sum(y**3))(x)
        loss = np.sum(g)
    close(ad.Lagrangian(tape, loss).gradient(x), 6 * X)
    assert "closed" in message(LeakError, ad.grad(lambda y: np.sum(y**3)), x)


def test_jacobian_and_hessian_of_containers_nest() -> None:
    def f(p):
        return np.sum(p["a"] ** 2 * p["b"][0]) + p["b"][0] ** 3

    p = {"a": np.arange(3.0), "b": (2.0,)}
    second = ad.hessian(f)(p)
    np.testing.assert_array_equal(second["a"]["a"], 4 * np.eye(3))
    np.testing.assert_array_equal(second["a"]["b"][0], 2 * p["a"])
    np.testing.assert_array_equal(second["b"][0]["a"], 2 * p["a"])
    assert second["b"][0]["b"][0] == 12.0
    both = ad.jacobian(lambda x, y: (x * y, {"s": np.sum(x)}), (0, 1))(np.arange(2.0), 3.0)
    np.testing.assert_array_equal(both[0][0], 3 * np.eye(2))
    np.testing.assert_array_equal(both[0][1], [0, 1])
    np.testing.assert_array_equal(both[1]["s"][0], [1, 1])
    assert ad.jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)


@pytest.mark.parametrize("result", [None, "text"], ids=["None", "str"])
@pytest.mark.parametrize("transform", [ad.jacobian, ad.elementwise_grad])
def test_results_that_are_no_arrays_are_refused(transform, result) -> None:
    with pytest.raises(
        ad.DTypeError, match=f"{transform.__name__} needs a function that returns arrays, not"
    ):
        transform(lambda x: result)(np.ones(2))
