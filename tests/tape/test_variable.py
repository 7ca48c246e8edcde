"""A Variable never turns into a plain number silently, and in-place writes raise with the remedy."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ConversionError, IndexingError, MissingRuleError, MutationError, ShapeError

from ..helpers import close, message, normal, points_at


def during(f: Callable[[Any], Any], x: Any = 2.0) -> Callable[[], Any]:
    """Runs f on a Variable while its tape is open."""

    def run() -> Any:
        with ad.Tape() as tape:
            return f(tape.input(x))

    return run


def raises_at(kind: type[Exception], f: Callable[[Any], Any], source: str, x: Any = 2.0) -> str:
    text = message(kind, during(f, x))
    assert points_at(text, source)
    return text


# -------------------------------------------------------------------------------------- conversions
VECTOR = np.array([1.0, 2.0, 3.0])
CONVERSIONS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "float": (lambda v: float(v), 2.0),
    "float of np.float64": (lambda v: float(v), np.float64(2.0)),
    "float of 0-d": (lambda v: float(v), np.array(2.0)),
    "int": (lambda v: int(v), 2.0),
    "complex": (lambda v: complex(v), 2.0),
    "math.sin": (lambda v: math.sin(v), 2.0),
    "math.floor": (lambda v: math.floor(v), 2.5),
    "math.fsum": (lambda v: math.fsum([v, v]), 2.0),
    "percent format": (lambda v: "%.2f" % v, 2.0),  # noqa: UP031
    "range": (lambda v: range(v), 2.0),
    "list index": (lambda v: [1, 2, 3][v], 2.0),
    "item": (lambda v: v.item(), 2.0),
    "tolist": (lambda v: v.tolist(), VECTOR),
    "np.array of a list": (lambda v: np.array([v, v]), 2.0),
    "np.array of nested lists": (lambda v: np.array([[v, 1.0], [0.0, v]]), 2.0),
    "np.array of a mixed list": (lambda v: np.array([1.0, v]), np.float64(2.0)),
    "np.asarray": (lambda v: np.asarray(v), VECTOR),
    "np.array of vectors": (lambda v: np.array([v, v]), VECTOR),
    "np.float64": (lambda v: np.float64(v), 2.0),
    "np.fromiter": (lambda v: np.fromiter((x for x in v), float), VECTOR),
    "element of a plain array": (lambda v: np.zeros(3).__setitem__(1, v), 2.0),
    "slice of a plain array": (lambda v: np.zeros(4).__setitem__(slice(1, 4), v), VECTOR),
    "fancy elements of a plain array": (lambda v: np.zeros(4).__setitem__([0, 1, 3], v), VECTOR),
    "masked elements of a plain array": (lambda v: np.zeros(3).__setitem__(VECTOR > 1.5, v), 2.0),
    "fill": (lambda v: np.zeros(3).fill(v), 2.0),
    "bytes": (lambda v: np.asarray(v, np.float32).tobytes(), VECTOR),
    "object array": (lambda v: np.array([v, None], dtype=object).astype(float), 2.0),
}


@pytest.mark.parametrize("what", CONVERSIONS)
def test_conversion_to_a_plain_number_raises(what: str) -> None:
    f, x = CONVERSIONS[what]
    text = refusal(during(f, x))
    assert "recorded at" in text
    assert "test_variable.py" in text


def refusal(f: Callable[[], Any]) -> str:
    """The library's text; NumPy puts a ValueError in front of what float() raises inside a[i] = v."""
    with pytest.raises((ConversionError, MissingRuleError, ValueError)) as caught:
        f()
    error = caught.value if isinstance(caught.value, ad.AdjointError) else caught.value.__cause__
    assert isinstance(error, (ConversionError, MissingRuleError))
    return str(error)


def test_conversion_names_line_origin_and_remedy() -> None:
    def f(v: Any) -> Any:
        h = v * 3.0
        return math.sin(h)

    text = raises_at(ConversionError, f, "return math.sin(h)")
    assert text.startswith(
        "float() would turn a recorded value () float64 into a plain one and lose its derivative"
    )
    assert "by multiply#1" in text
    assert "np.sin, not math.sin" in text
    assert ".value" in text


def test_assignment_into_a_plain_array_names_line_and_remedy() -> None:
    a = np.zeros(3)

    def f(v: Any) -> Any:
        a[1] = v
        return a

    text = refusal(during(f))
    assert points_at(text, "a[1] = v")
    assert "x.at[i].set(v) instead of a[i] = v" in text
    assert not a.any()


def test_object_array_is_refused_as_operand() -> None:
    text = message(ad.DTypeError, during(lambda v: v * np.array([1.0, None], dtype=object)))
    assert "an object array cannot be recorded" in text
    assert "np.stack" in text


def test_a_list_where_an_array_was_meant() -> None:
    matrix = np.eye(2)
    text = message(ConversionError, lambda: ad.grad(lambda x: np.sum(x @ matrix))([1.0, 2.0]))
    assert "where an argument was a list, pass np.array([…])" in text


def test_integers_and_booleans_convert_freely() -> None:
    def f(v: Any) -> tuple[Any, ...]:
        k = np.argmax(v)
        return int(k), [10, 20, 30][k], bool(v[0] > 0), np.asarray(v > 1.5).tolist(), float(k), range(k)

    assert during(f, VECTOR)() == (2, 30, True, [False, True, True], 2.0, range(2))


def test_control_flow_and_builtins_that_only_compare() -> None:
    def f(v: Any) -> Any:
        w = v * 2
        assert (w > v) and not (w < v) and w != v and v == 2.0
        assert v in [1.0, v] and 2.0 in [v]
        return max([v, w]) * min(v, w) + sum([v, w]) + (1.0 if v > 0 else w)

    close(ad.grad(f)(2.0), np.float64(4 * 2.0 + 3))


def test_truth_of_an_array_is_as_ambiguous_as_numpy_says() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        during(lambda v: bool(v > 0), VECTOR)()


def test_comparison_with_none_is_as_in_numpy() -> None:
    assert not during(lambda v: bool(v == None))()  # noqa: E711
    assert during(lambda v: v is not None)()


def test_formatting_shows_the_value() -> None:
    assert during(lambda v: f"{v:.2f} {v!r}")() == "2.00 Variable(2.0)"


# ---------------------------------------------------------------------------------- in-place writes
def test_augmented_assignment_to_a_plain_array_raises() -> None:
    a = np.zeros(3)

    def f(v: Any) -> Any:
        nonlocal a
        a += v
        return a

    text = raises_at(MutationError, f, "a += v", VECTOR)
    assert text.startswith(
        "np.add with out= (or an augmented assignment to an ndarray) would write a recorded value"
    )
    assert "Write a = a + b instead of a += b" in text
    assert not a.any()


@pytest.mark.parametrize(
    "write",
    [
        lambda v, a: np.add(a, v, out=a),
        lambda v, a: np.sum(v[None], axis=0, out=a),
        lambda v, a: np.sum(v[None], 0, None, a),
        lambda v, a: np.exp(v, a),
        lambda v, a: np.matmul(np.eye(3), v, out=a),
        lambda v, a: np.clip(v, 0, 1, out=a),
        lambda v, a: np.add(v, v, out=(a,)),
        lambda v, a: v.sum(0, None, a[0]),
    ],
)
def test_out_raises(write: Any) -> None:
    a = np.zeros(3)
    assert "out=" in message(MutationError, during(lambda v: write(v, a), VECTOR))
    assert not a.any()


@pytest.mark.parametrize(
    "write",
    [
        lambda v, a: np.copyto(a, v),
        lambda v, a: np.put(a, [0], v),
        lambda v, a: np.add.at(a, [0, 1, 2], v),
        lambda v, a: np.fill_diagonal(np.eye(3), v),
        lambda v, a: np.place(a, a == 0, v),
        lambda v, a: np.putmask(a, a == 0, v),
    ],
)
def test_writing_functions_raise(write: Any) -> None:
    a = np.zeros(3)
    with pytest.raises((MissingRuleError, MutationError, ConversionError)):
        during(lambda v: write(v, a), VECTOR)()
    assert not a.any()


def test_setitem_raises_with_the_remedy() -> None:
    def f(x: Any) -> Any:
        x[0] = 5.0
        return x

    text = raises_at(MutationError, f, "x[0] = 5.0", VECTOR)
    assert "a recorded value (3,) float64" in text
    assert "x = x.at[…].set(v), or .at[…].add(v) for +=" in text


def test_augmented_setitem_raises() -> None:
    def f(x: Any) -> Any:
        x[1:] *= 2
        return x

    raises_at(MutationError, f, "x[1:] *= 2", VECTOR)


def test_augmented_assignment_to_a_variable_rebinds() -> None:
    def f(x: Any) -> Any:
        y = x
        y += x
        y **= 2
        return np.sum(y) + np.sum(x)

    close(ad.grad(f)(VECTOR), 8 * VECTOR + 1)


def test_a_variable_cannot_be_pickled() -> None:
    assert "cannot be pickled" in message(ConversionError, during(lambda v: pickle.dumps(v)))
    assert ".value" in message(ConversionError, during(lambda v: pickle.dumps({"v": [v]})))
    assert during(lambda v: copy.deepcopy([v])[0] is v and copy.copy(v) is v)()


def test_value_is_plain_detached_and_read_only() -> None:
    with ad.Tape() as tape:
        h = tape.input(VECTOR) * 2
        plain = h.value
        assert type(plain) is np.ndarray
        with pytest.raises(ValueError, match="read-only"):
            plain[0] = 1.0
    close(plain, 2 * VECTOR)
    assert ad.grad(lambda x: np.sum(x.value * x))(np.array([3.0])) == 3.0


# ---------------------------------------------------------------------------------------------- .at
X = normal(5)
INDICES: dict[str, Any] = {
    "integer": 2,
    "negative": -1,
    "slice": slice(1, 4),
    "reversed": slice(None, None, -2),
    "list": [3, 0],
    "array": np.array([4, 1]),
    "mask": np.array([True, False, True, False, False]),
    "ellipsis": ...,
    "empty": slice(2, 2),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("way", ["set", "add", "subtract", "multiply", "divide"])
def test_at_equals_numpy_assignment(way: str, index: Any) -> None:
    def numpy(x: Any, v: Any) -> Any:
        x = x.copy()
        if way == "set":
            x[index] = v
        elif way == "add":
            x[index] += v
        elif way == "subtract":
            x[index] -= v
        elif way == "multiply":
            x[index] *= v
        else:
            x[index] /= v
        return x

    v = normal(*np.shape(X[index]), seed=1)
    with ad.Tape() as tape:
        z = getattr(tape.input(X).at[index], way)(tape.input(v))
    close(z.value, numpy(X, v), 1e-14)
    weights = normal(5, seed=2)
    report = ad_check(lambda x, v: np.sum(weights * getattr((x * 1.0).at[index], way)(v) ** 2), X, v)
    assert report, repr(report)


def ad_check(f: Callable[..., Any], *args: Any) -> Any:
    from adjoint import check

    def lifted(*inner: Any) -> Any:  # `.at` exists on Variables only: evaluate through a tape of our own
        if any(isinstance(a, ad.Variable) for a in inner):
            return f(*(a if isinstance(a, ad.Variable) else ad.numpy.array(a) for a in inner))
        with ad.Tape() as tape:
            return f(*(tape.input(a) for a in inner)).value

    return check.gradients(lifted, args)


def test_at_add_counts_duplicates_and_set_takes_the_last() -> None:
    index = np.array([1, 1, 3])
    v = np.array([10.0, 20.0, 30.0])
    with ad.Tape() as tape:
        x, w = tape.parameter(np.zeros(4), "x"), tape.parameter(v, "v")
        added, put = x.at[index].add(w), x.at[index].set(w)
        loss = np.sum(added * np.arange(4.0)) + np.sum(put * np.arange(4.0))
    assert added.value.tolist() == [0, 30, 0, 30]
    assert put.value.tolist() == [0, 20, 0, 30]
    gradient = ad.Lagrangian(tape, loss).gradient(["x", "v"])
    assert gradient[0].tolist() == [0, 1 + 0, 4, 3 + 0]
    assert gradient[1].tolist() == [1 + 0, 1 + 1, 3 + 3]


def test_at_spreads_scalars_and_keeps_float32() -> None:
    x = np.ones((2, 3), np.float32)
    z = during(lambda v: v.at[:, 1].add(2.0), x)()
    assert z.dtype == np.float32
    assert z.value.tolist() == [[1, 3, 1], [1, 3, 1]]
    g = ad.grad(
        lambda s: np.sum(ad.numpy.array(np.ones(3)) * 1.0) + np.sum((s * np.ones(3)).at[:2].set(s * 2))
    )(1.0)
    close(g, np.float64(5.0))


def test_at_without_index_and_out_of_range() -> None:
    assert "the index is missing" in message(TypeError, during(lambda v: v.at.set(1.0), VECTOR))
    with pytest.raises(IndexingError):
        during(lambda v: v.at[7].set(1.0), VECTOR)()
    with pytest.raises(ShapeError):
        during(lambda v: v.at[:2].set(np.ones(5)), VECTOR)()


METHODS: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda x: x.reshape(3, 2, order="F"),
    "ravel": lambda x: x.ravel("F"),
    "flatten": lambda x: x.flatten(order="F"),
    "cumsum": lambda x: x.cumsum(0, dtype=np.float32),
    "cumprod": lambda x: x.cumprod(axis=1, out=None),
    "argmax": lambda x: x.argmax(1, keepdims=True),
    "argmin": lambda x: x.argmin(axis=0, keepdims=True),
    "argsort": lambda x: x.argsort(0, kind="stable"),
    "argpartition": lambda x: x.argpartition(1, axis=0),
    "take": lambda x: x.take([5, -9], mode="clip"),
    "trace": lambda x: x.trace(1, dtype=np.float32),
    "diagonal": lambda x: x.diagonal(offset=1),
    "clip": lambda x: x.clip(0, 1, out=None),
    "round": lambda x: x.round(1, out=None),
    "astype": lambda x: x.astype(np.float32, copy=False),
    "copy": lambda x: x.copy("F"),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_the_signatures_of_ndarray(name: str) -> None:
    x = np.array([[0.3, -1.2, 2.0], [4.1, 0.25, -0.5]])
    with ad.Tape() as tape:
        z = METHODS[name](tape.input(x))
    expected = METHODS[name](x)
    np.testing.assert_array_equal(z.value, expected)
    assert z.dtype == expected.dtype


def test_a_cast_that_drops_the_imaginary_part_warns_as_numpy_does() -> None:
    z = np.array([1 + 2j, 3.0])
    with ad.Tape() as tape:
        x = tape.input(z)
        with pytest.warns(np.exceptions.ComplexWarning, match="discards the imaginary part"):
            assert x.astype(np.float64).dtype == np.float64
        assert x.real.dtype == np.float64  # says what is meant, without a warning
