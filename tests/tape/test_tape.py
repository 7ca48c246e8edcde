"""Recording: places, names, scopes; failures leave the tape as it was; closed tapes are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DomainError, DTypeError, IndexingError, LeakError, MissingRuleError, ShapeError

from ..helpers import close, message, normal, nothing_is_open, points_at

X = np.array([1.0, 2.0, 3.0])


# ------------------------------------------------------------------------------- failing operations
FAILURES: dict[str, tuple[Any, type[Exception], tuple[str, ...]]] = {
    "matmul": (lambda x: x @ np.ones((2, 2)), ShapeError, ("matmul", "(3,)", "(2, 2)")),
    "add": (
        lambda x: x + np.ones(2),
        ShapeError,
        ("add needs shapes that broadcast: (3,) and (2,)", "x[:, None]"),
    ),
    "radd": (
        lambda x: np.ones((4, 2)) * x,
        ShapeError,
        ("multiply needs shapes that broadcast: (4, 2) and (3,)",),
    ),
    "reshape": (lambda x: np.reshape(x, (2, 2)), ShapeError, ("reshape",)),
    "index": (lambda x: x[5], IndexingError, ("5",)),
    "concatenate": (lambda x: np.concatenate([x, np.ones((2, 2))]), ShapeError, ("concatenate",)),
    "cholesky": (
        lambda x: np.linalg.cholesky(-np.outer(x, x)),
        DomainError,
        ("cholesky", "positive definite"),
    ),
    "singular solve": (lambda x: np.linalg.solve(np.zeros((3, 3)), x), DomainError, ("singular",)),
    "string": (lambda x: x + "one", DTypeError, ("add", "str")),
    "none": (lambda x: x * None, DTypeError, ("multiply", "NoneType")),
    "no rule": (
        lambda x: np.frexp(x),
        MissingRuleError,
        ("np.frexp has no rule for recorded values", "ad.primitive"),
    ),
    "no function": (lambda x: np.packbits(x), MissingRuleError, ("np.packbits has no rule", "x.value")),
    "no option": (lambda x: np.add(x, x, where=X > 1), MissingRuleError, ("np.add with where=",)),
}


@pytest.mark.parametrize("what", FAILURES)
def test_failing_operation_names_the_line_and_leaves_the_tape_as_it_was(what: str) -> None:
    f, kind, words = FAILURES[what]
    with ad.Tape() as tape:
        x = tape.parameter(X, "x")
        with ad.scope("encoder"):
            text = message(kind, f, x)
        loss = np.sum(x * x)
    assert "test_tape.py" in text
    for word in words:
        assert word in text, text
    columns = (
        tape.operations,
        tape.parents,
        tape.constants,
        tape.params,
        tape.values,
        tape.codes,
        tape.offsets,
    )
    assert len({len(column) for column in columns}) == 1
    prepared = {"cholesky": 5, "singular solve": 1}  # nodes recorded before the failing one
    assert len(tape) == 3 + prepared.get(what, 0)
    close(ad.Lagrangian(tape, loss).gradient(x), 2 * X)


def test_error_shows_scope_source_operands_roles_and_names() -> None:
    def f(w: Any, x: Any) -> Any:
        with ad.scope("encoder"), ad.scope("layer2"):
            h = x @ w
        return h

    with ad.Tape() as tape:
        w, x = tape.parameter(np.ones((12, 4)), "W2"), tape.input(np.ones((32, 10)))
        text = message(ShapeError, f, w, x)
        length = len(tape)
    assert length == 2
    assert points_at(text, "h = x @ w")
    assert 'in scope "encoder/layer2":  h = x @ w' in text
    assert "(32, 10) float64 input" in text
    assert '(12, 4) float64 parameter "W2"' in text
    assert "(32, 10) @ (12, 4)" in text


def test_float_errors_of_numpy_leave_the_tape_as_it_was() -> None:
    with ad.Tape() as tape:
        x = tape.input(np.array([0.0, 1.0]))
        for f in (lambda: np.log(x), lambda: 1 / x, lambda: np.sqrt(x - 3)):
            with pytest.raises(RuntimeWarning):  # the suite turns warnings into errors
                f()
        with pytest.raises(FloatingPointError), np.errstate(divide="raise"):
            np.log(x)
    assert [op.name for op in tape.operations if op] == ["subtract"]


def test_overflow_of_python_scalars_is_infinite_and_division_by_zero_an_error() -> None:
    with ad.Tape() as tape:
        x = tape.input(1e200)
        assert (x**2).value == np.inf
        with pytest.raises(ZeroDivisionError):
            1 / (x - x)
    assert [op.name for op in tape.operations if op] == ["square", "subtract"]


# ------------------------------------------------------------------------- exceptions of the user's
class Surprise(Exception):
    pass


def test_exception_inside_the_function_closes_the_tape_and_restores_the_scope() -> None:
    leaked: list[Any] = []

    def f(x: Any) -> Any:
        with ad.scope("a"), ad.scope("b"):
            leaked.append(x * 2)
            raise Surprise

    for _ in range(3):
        with pytest.raises(Surprise):
            ad.grad(f)(1.0)
        assert nothing_is_open()
    with ad.Tape() as tape:
        tape.input(1.0) * 2
    assert [tape.scope(i) for i in range(2)] == ["", ""]
    assert "closed" in message(LeakError, lambda: leaked[0] + 1)


def test_exception_in_a_nested_gradient_leaves_the_outer_one_intact() -> None:
    def bad(y: Any) -> Any:
        with ad.scope("inner"):
            np.sin(y)
            raise Surprise

    def f(x: Any) -> Any:
        h = x**3
        with pytest.raises(Surprise):
            ad.grad(bad)(h)
        with pytest.raises(ShapeError):
            ad.grad(lambda y: y * np.ones(3))(h)
        return h * ad.grad(np.sin)(x)

    close(ad.grad(f)(0.7), 3 * 0.7**2 * np.cos(0.7) - 0.7**3 * np.sin(0.7))
    assert nothing_is_open()


def test_exception_in_an_adjoint_rule_of_a_nested_sweep_restores_attribution() -> None:
    def fail(args: Any, z: Any, lam: Any) -> Any:
        args[0] * lam
        raise Surprise

    broken = ad.primitive("test_broken_adjoint", lambda x: x * 1.0, adjoint=fail)
    with ad.Tape() as tape:
        x = tape.parameter(2.0)
        with ad.scope("user"):
            with pytest.raises(Surprise):
                ad.grad(lambda y: broken(y) * 2)(x)
            after = x * x
        last = after * 1.0
    assert tape.attribution is None
    assert tape.origin(after.index).source == "after = x * x"
    assert tape.scope(after.index) == "user"
    assert tape.scope(last.index) == ""


# -------------------------------------------------------------------------------------------- leaks
def test_leaked_variable_names_the_users_line() -> None:
    leaked: list[Any] = []
    ad.grad(lambda x: leaked.append(x * 2) or x * 1.0)(3.0)

    def use(v: Any) -> Any:
        return v + 1.0

    text = message(LeakError, use, leaked[0])
    assert text.startswith(
        "add got a Variable of a tape that is closed: the computation it belonged to has finished"
    )
    assert points_at(text, "return v + 1.0")
    assert ".value" in text
    assert leaked[0].value == 6.0


@pytest.mark.parametrize(
    "use",
    [
        lambda v: -v,
        lambda v: 1.0 - v,
        lambda v: np.sin(v),
        lambda v: v[0],
        lambda v: np.sum(v),
        lambda v: v > 0,
        lambda v: np.concatenate([v, v]),
        lambda v: v.at[0].set(1.0),
        lambda v: v.T,
        lambda v: ad.grad(lambda y: np.sum(y * v))(X),
        lambda v: ad.grad(np.sum)(v * 1.0),
        lambda v: np.ones(3) @ v,
    ],
)
def test_every_kind_of_operation_refuses_a_closed_tape(use: Any) -> None:
    with ad.Tape() as tape:
        v = tape.input(X)
    length = len(tape)
    assert "closed" in message(LeakError, use, v)
    assert len(tape) == length
    assert nothing_is_open()


def test_leak_from_an_inner_tape_into_the_outer_function() -> None:
    def f(x: Any) -> Any:
        leaked: list[Any] = []
        ad.grad(lambda y: leaked.append(y) or y * 2)(x)
        return x * leaked[0]

    assert "closed" in message(LeakError, ad.grad(f), 1.0)
    assert nothing_is_open()


def test_sibling_tapes_do_not_mix() -> None:
    with ad.Tape() as first:
        a = first.input(1.0)
    with ad.Tape() as second:
        b = second.input(2.0)
        assert "closed" in message(LeakError, lambda: a + b)
        assert "closed" in message(LeakError, lambda: b + a)
    assert len(second) == 1


def test_inputs_need_an_open_tape_and_a_tape_opens_once() -> None:
    tape = ad.Tape()
    assert "only while the tape is open" in message(LeakError, tape.input, 1.0)
    with tape:
        assert "open already" in message(LeakError, tape.__enter__)
        tape.input(1.0)
    assert "only while the tape is open" in message(LeakError, tape.input, 1.0)
    assert repr(tape) == "<Tape of 1 nodes, 1 of them inputs, closed>"


def test_a_tape_may_be_opened_again_to_go_on_recording() -> None:
    tape = ad.Tape()
    with tape:
        x = tape.parameter(3.0, "x")
    with tape:
        loss = x * x
    close(ad.Lagrangian(tape, loss).gradient("x"), np.float64(6.0))


# --------------------------------------------------------------------------------------- generators
def test_generators_may_interleave_their_tapes() -> None:
    def losses(w: float) -> Iterator[Any]:
        with ad.Tape() as tape:
            x = tape.parameter(w, "x")
            loss = x * 1.0
            for _ in range(3):
                loss = loss * x
                yield None
            yield ad.Lagrangian(tape, loss).gradient("x")

    a, b = losses(2.0), losses(3.0)
    for _ in range(3):
        next(a), next(b)
    close([next(a), next(b)], [np.float64(4 * 2.0**3), np.float64(4 * 3.0**3)])
    a.close()
    close(ad.hessian(lambda x: x**3)(2.0), np.float64(12.0))
    b.close()
    assert nothing_is_open()


def test_tapes_may_be_closed_in_any_order() -> None:
    first, second = ad.Tape(), ad.Tape()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert second.input(1.0) * 2 == 2.0
    second.__exit__(None, None, None)
    assert nothing_is_open()


def test_abandoned_generator_does_not_disturb_later_gradients() -> None:
    def generate() -> Iterator[Any]:
        with ad.Tape() as tape, ad.scope("generator"):
            yield tape.input(1.0)

    generator = generate()
    next(generator)
    close(ad.grad(lambda x: ad.grad(np.sin)(x) * x)(0.3), np.cos(0.3) - 0.3 * np.sin(0.3))
    generator.close()
    assert nothing_is_open()


# ---------------------------------------------------------------------------- names, scopes, places
def test_names_repeat_with_numbers_and_take_the_scope() -> None:
    with ad.Tape() as tape:
        x = tape.input(X, "x")
        for _ in range(2):
            ad.name(np.sin(x), "h")
            with ad.scope("block"):
                ad.name(np.cos(x), "h")
    assert list(tape.names.values()) == ["x", "h", "block/h", "h#2", "block/h#2"]
    assert [tape.label(k) for k in (1, 3)] == ["h", "h#2"]


def test_name_passes_plain_values_and_refuses_bad_names() -> None:
    assert ad.name(3.0, "h") == 3.0
    with ad.Tape() as tape:
        x = tape.input(1.0)
        assert ad.name(x, "h") is x
        again = ad.name(x, "again")  # a second name is a node of its own
        assert again is not x and (tape.label(x.index), tape.label(again.index)) == ("h", "again")
        for bad in ("", "h#2"):
            assert "free of '#'" in message(ValueError, ad.name, x * 1.0, bad)
        length = len(tape)
        assert "free of '#'" in message(ValueError, tape.input, 1.0, "a#b")
        assert len(tape) == length and len(tape.roles) == 1


def test_dict_keys_may_contain_anything() -> None:
    params = {"a#b": 1.0, "": 2.0, "c/d": 3.0, "c": {"d": 4.0}}
    gradient = ad.grad(lambda p: p["a#b"] * p[""] * p["c/d"] * p["c"]["d"])(params)
    assert gradient == {"a#b": 24.0, "": 12.0, "c/d": 8.0, "c": {"d": 6.0}}


def test_containers_name_their_leaves() -> None:
    with ad.Tape() as tape:
        tape.parameter({"layers": [{"W": 1.0}, {"W": 2.0}], "b": None}, "net")
        tape.input((1.0, 2.0))
    assert list(tape.names.values()) == ["net/layers/0/W", "net/layers/1/W", "0", "1"]


def test_places_are_the_users_lines_also_inside_transforms() -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)
        g = ad.grad(lambda y: y**3)(y)
        return g * 2.0

    with ad.Tape() as tape:
        x = tape.parameter(0.4)
        f(x)
    sources = [tape.origin(i).source for i in range(len(tape))]
    assert sources[0] == "x = tape.parameter(0.4)"
    assert sources[1] == "y = np.sin(x)"
    assert set(sources[2:-1]) == {"g = ad.grad(lambda y: y**3)(y)"}
    assert sources[-1] == "return g * 2.0"


def test_places_of_a_nested_sweep_are_those_of_the_lines_it_sweeps_over() -> None:
    def block(y: Any) -> Any:
        return np.cos(y) * y

    def inner(y: Any) -> Any:
        with ad.scope("deep"):
            a = np.sum(np.sin(y))
            b = ad.checkpoint(block)(a)
        return np.sum(b) * 1.0

    with ad.Tape() as tape:
        x = tape.parameter(X)
        with ad.scope("outer"):
            g = ad.grad(inner)(x)
            after = g * 2.0
    sources = [tape.origin(i).source for i in range(1, len(tape))]
    assert set(sources[:-1]) == {
        "a = np.sum(np.sin(y))",
        "b = ad.checkpoint(block)(a)",
        "return np.sum(b) * 1.0",
    }
    assert sources.index("b = ad.checkpoint(block)(a)") < len(sources) - 2
    scopes = {tape.origin(i).source: tape.scope(i) for i in range(len(tape))}
    assert scopes["b = ad.checkpoint(block)(a)"] == scopes["a = np.sum(np.sin(y))"] == "outer/deep"
    assert scopes["after = g * 2.0"] == tape.scope(after.index) == "outer"


def test_multiline_expressions_point_at_their_own_line() -> None:
    with ad.Tape() as tape:
        x = tape.input(X)
        np.sum(
            np.exp(x)
            + np.sin(x)
        )  # fmt: skip
    first = tape.origin(1).line
    assert [tape.origin(i).line - first for i in (1, 2)] == [0, 1]


def test_values_of_wide_operations_keep_all_operands() -> None:
    """More operands than the shared row of wanted flags is long."""
    xs = [np.float64(k) for k in range(100)]
    gradient = ad.grad(
        lambda xs: np.sum(np.stack(xs) * np.arange(100.0)) + np.sum(np.concatenate([x[None] for x in xs]))
    )(xs)
    close(gradient, [np.float64(k + 1.0) for k in range(100)])
    assert normal(1).shape == (1,)
