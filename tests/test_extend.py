"""Primitives registered as in HIPS/autograd: rules per argument, derived twins, containers, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check, extend
from adjoint.errors import LeakError, MissingRuleError, RuleError
from adjoint.util import quick_grad_check

from .helpers import close, message, normal, points_at

X, Y = normal(3), normal(3, seed=1)


def product_rule(*modes: str, **covered: Any) -> Any:
    """z = x² y with the rules of these modes."""

    @extend.primitive
    def mixed(x: Any, y: Any) -> Any:
        """The square of x times y."""
        return np.asarray(x) ** 2 * np.asarray(y)

    if "rev" in modes:
        extend.defvjp(mixed, lambda ans, x, y: lambda g: 2 * x * y * g, lambda ans, x, y: lambda g: x**2 * g)
    if "fwd" in modes:
        extend.defjvp(mixed, lambda g, ans, x, y: 2 * x * y * g, "same")
    return mixed


@pytest.mark.parametrize("modes", [("rev",), ("fwd",), ("rev", "fwd")], ids="+".join)
def test_either_mode_is_enough(modes: tuple[str, ...]) -> None:
    f = product_rule(*modes)
    check.gradients(f, (X, Y)).raise_on_failure()
    close(ad.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(X, Y), (2 * X * Y, X**2))
    close(ad.jvp(f, (X, Y), (np.ones(3), X))[1], 2 * X * Y + X**3)
    close(ad.hessian(lambda x: np.sum(f(x, Y)))(X), np.diag(2 * Y))
    close(ad.grad(ad.grad(ad.grad(lambda x: f(x, 1.0 * x))))(2.0), np.float64(6.0))
    assert (f.__name__, f.__doc__) == ("mixed", "The square of x times y.")


def test_each_argument_may_have_its_rule_in_another_mode() -> None:
    f = product_rule()
    extend.defvjp(f, lambda ans, x, y: lambda g: 2 * x * y * g)
    extend.defjvp(f, "same", argnums=[1])
    check.gradients(f, (X, Y)).raise_on_failure()


def factor(k: int, x: Any, y: Any) -> Any:
    return (2 * x * y, x**2)[k]


@pytest.mark.parametrize(
    "register",
    [
        lambda f: extend.defvjp_argnum(f, lambda k, ans, args, kwargs: lambda g: factor(k, *args) * g),
        lambda f: extend.defvjp_argnums(
            f, lambda ks, ans, args, kwargs: lambda g: [factor(k, *args) * g for k in ks]
        ),
        lambda f: extend.defjvp_argnum(f, lambda k, g, ans, args, kwargs: factor(k, *args) * g),
        lambda f: extend.defjvp_argnums(
            f,
            lambda ks, gs, ans, args, kwargs: sum(factor(k, *args) * g for k, g in zip(ks, gs, strict=True)),
        ),
    ],
    ids=["defvjp_argnum", "defvjp_argnums", "defjvp_argnum", "defjvp_argnums"],
)
def test_one_maker_for_all_arguments(register: Any) -> None:
    f = product_rule()
    register(f)
    check.gradients(f, (X, Y)).raise_on_failure()
    close(ad.grad(lambda y: np.sum(f(X, y)))(Y), X**2)


def test_linear_functions_are_their_own_tangent() -> None:
    @extend.primitive
    def convolved(x: Any, y: Any) -> Any:
        return np.stack([np.sum(np.asarray(x)[: k + 1] * np.asarray(y)[k::-1]) for k in range(3)])

    extend.def_linear(convolved)
    close(ad.jvp(convolved, (X, Y), (Y, X))[1], convolved(Y, Y) + convolved(X, X))
    check.gradients(convolved, (X, Y)).raise_on_failure()  # the pullback, from one call per element

    @extend.primitive
    def itself(x: Any) -> Any:
        return 2 * np.asarray(x)

    extend.defjvp(itself, lambda g, ans, x: itself(g))
    text = message(RuleError, ad.grad(lambda x: np.sum(itself(x))), X)
    assert text.startswith("adjoint of itself: cannot be derived from the tangent rule") and len(text) < 400


def test_none_is_zero_and_a_second_registration_replaces() -> None:
    f = product_rule()
    extend.defvjp(f, lambda ans, x, y: lambda g: 2 * x * y * g, None)
    close(ad.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(X, Y), (2 * X * Y, np.zeros(3)))
    close(ad.jvp(f, (X, Y), (X, X))[1], 2 * X * X * Y)
    extend.defvjp(f, None, lambda ans, x, y: lambda g: x**2 * g)
    close(ad.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(X, Y), (np.zeros(3), X**2))
    extend.defjvp(f, None, lambda g, ans, x, y: 5 * g)
    close(ad.jvp(f, (X, Y), (X, X))[1], 5 * X)


def test_plain_arguments_are_passed_as_they_are() -> None:
    seen: list[Any] = []

    @extend.primitive
    def power(x: Any, n: Any, how: Any, *, scale: float = 1.0) -> Any:
        seen.append((type(n), how))
        return scale * np.asarray(x) ** n

    extend.defvjp(power, lambda ans, x, n, how, scale=1.0: lambda g: scale * n * x ** (n - 1) * g)
    assert type(power(2.0, 3, print)) is np.float64
    close(ad.grad(lambda x: np.sum(power(x, 3, print, scale=2.0)))(X), 6 * X**2)
    close(ad.deriv(lambda x: power(x, 3, "how"))(2.0), np.float64(12.0))
    assert seen == [(int, print), (int, print), (int, "how")]
    text = message(MissingRuleError, ad.grad(lambda x: power(2.0, 3, "", scale=x)), 2.0)
    assert "power got a recorded value as keyword argument 'scale'" in text and "by position" in text


def test_containers_in_and_out() -> None:
    @extend.primitive
    def affine(p: Any, x: Any) -> Any:
        return {"y": p["w"] * x + p["b"][0], "sizes": (np.sum(x),)}

    def pull_p(ans: Any, p: Any, x: Any) -> Any:
        return lambda g: {"w": g["y"] * x, "b": [np.sum(g["y"])], "n": 0.0}

    extend.defvjp(affine, pull_p, lambda ans, p, x: lambda g: p["w"] * g["y"] + g["sizes"][0])
    p = {"w": X, "b": [np.float64(0.5)], "n": 3}

    def f(w: Any, b: Any, x: Any) -> Any:
        z = affine({"w": w, "b": [b], "n": 3}, x)
        return np.sum(np.sin(z["y"])) * z["sizes"][0]

    def plain(w: Any, b: Any, x: Any) -> Any:
        return np.sum(np.sin(w * x + b)) * np.sum(x)

    everything = (0, 1, 2)
    close(ad.grad(f, everything)(X, 0.5, Y), ad.grad(plain, everything)(X, 0.5, Y))
    check.gradients(f, (X, 0.5, Y)).raise_on_failure()  # the tangent is derived through the containers
    assert affine(p, Y)["y"].shape == (3,)
    wrong = product_rule()
    extend.defvjp(wrong, lambda ans, x, y: lambda g: (g, g))
    text = message(RuleError, ad.grad(lambda x: np.sum(wrong(x, Y))), X)
    assert text == "adjoint of mixed: returned (*, *) for argument 0, which is *"
    extend.defvjp(wrong, lambda ans, x, y: lambda g: np.sum(g))
    text = message(RuleError, ad.grad(lambda x: np.sum(wrong(x, Y))), X)
    assert text == "adjoint of mixed: returned (), argument 0 is (3,)"
    extend.defjvp(wrong, lambda g, ans, x, y: (g, g))
    text = message(RuleError, ad.jvp, lambda x: wrong(x, Y), (X,), (X,))
    assert text == "tangent of mixed: returned (*, *), the result is *"


def test_results_of_which_one_is_an_integer() -> None:
    @extend.primitive
    def largest(x: Any) -> Any:
        return np.max(x), np.argmax(x)

    extend.defvjp(largest, lambda ans, x: lambda g: g[0] * (np.arange(3) == ans[1]))
    close(ad.grad(lambda x: largest(x)[0] ** 2)(X), 2 * np.max(X) * (np.max(X) == X))
    close(ad.jvp(lambda x: largest(x)[0], (X,), (Y,))[1], Y[np.argmax(X)])


def test_missing_rules_name_function_and_argument() -> None:
    f = product_rule()
    extend.defvjp(f, lambda ans, x, y: lambda g: 2 * x * y * g)
    for run in (
        lambda: ad.grad(lambda y: np.sum(f(X, y)))(Y),
        lambda: ad.jvp(lambda y: np.sum(f(X, y)), (Y,), (Y,)),
    ):
        text = message(MissingRuleError, run)
        assert text.startswith("mixed has no rule for its argument 1 (y)\n")
        assert "adjoint.extend.defvjp(mixed, …, argnums=(1,))" in text and points_at(text, "np.sum(f(X, y))")
    builtin = extend.primitive(np.hypot)
    text = message(MissingRuleError, ad.grad(lambda x: builtin(x, 1.0)), 2.0)
    assert text.startswith("hypot has no rule for its argument 0")
    close(ad.compile(f)(X, Y), X**2 * Y)  # no derivative, no rule


def test_what_registration_refuses() -> None:
    f = product_rule()
    assert "defvjp needs a function made by adjoint.extend.primitive, not" in message(
        RuleError, extend.defvjp, np.sin, None
    )
    assert "argnums=(0, 0) do not fit 2 rules" in message(
        RuleError, extend.defvjp, f, None, None, argnums=(0, 0)
    )
    assert "argnums=(1,) do not fit 2 rules" in message(RuleError, extend.defjvp, f, None, None, argnums=(1,))
    assert "None or \"same\", not 'equal'" in message(RuleError, extend.defjvp, f, "equal")
    assert "takes a name first" in message(TypeError, ad.primitive, np.sin, np.cos)
    assert "'lonely' needs a value" in message(TypeError, ad.primitive, "lonely")


def test_what_values_refuse() -> None:
    @extend.primitive
    def returns(x: Any, what: Any) -> Any:
        return what() if callable(what) else what

    assert "returns returned None; a primitive returns arrays" in message(
        RuleError, ad.grad(lambda x: returns(x, None)), 1.0
    )
    assert "returns returned () <U4; a primitive returns arrays" in message(
        RuleError, ad.grad(lambda x: returns(x, "text")), 1.0
    )
    text = message(LeakError, ad.grad(lambda x: returns(x, lambda: x * 2.0)), 1.0)
    assert "returns uses a recorded value (multiply#1) of its surroundings" in text


def test_compiled_calls_run_by_numpy() -> None:
    f = product_rule("rev")

    def program(x: Any, y: Any) -> Any:
        value, gradient = ad.value_and_grad(lambda x, y: np.sum(np.tanh(f(x, y))), (0, 1))(x, y)
        return value, gradient, ad.hvp(lambda x: np.sum(f(x, y) ** 2), x, y)

    compiled = ad.compile(program)
    close(compiled(X, Y), program(X, Y))
    assert "mixed" in repr(compiled.explain())


def test_decorated_without_a_name_at_top_level_and_as_a_method() -> None:
    class Model:
        scale = 3.0

        @ad.primitive
        def __call__(self, x: Any) -> Any:
            return self.scale * np.asarray(x) ** 2

    extend.defvjp(Model.__call__, lambda ans, self, x: lambda g: 2 * self.scale * x * g, argnums=[1])
    close(ad.grad(Model())(2.0), np.float64(12.0))


def test_notrace_functions_see_plain_values() -> None:
    @extend.notrace_primitive
    def kind(x: Any) -> Any:
        return type(x)

    kinds: list[Any] = []
    ad.grad(lambda x: kinds.append(kind([x])) or kinds.append(kind(x)) or np.sum(x))(X)
    assert kinds == [list, np.ndarray]


# ------------------------------------------------------------------------------------------- complex numbers
Z = normal(3) + 1j * normal(3, seed=2)


def rotated(*modes: str) -> Any:
    """x e^{iy} z̄ for real x, y and complex z."""

    @extend.primitive
    def f(x: Any, y: Any, z: Any) -> Any:
        return np.asarray(x) * np.exp(1j * np.asarray(y)) * np.conj(z)

    if "rev" in modes:  # what a real argument gets of a complex λ is its real part
        extend.defvjp(
            f,
            lambda ans, x, y, z: lambda g: g * np.exp(1j * y) * np.conj(z),
            lambda ans, x, y, z: lambda g: np.real(1j * g * ans),
            lambda ans, x, y, z: lambda g: np.conj(g * x * np.exp(1j * y)),
        )
    if "fwd" in modes:
        extend.defjvp(f, "same", lambda g, ans, x, y, z: 1j * g * ans, "same")
    return f


@pytest.mark.parametrize("modes", [("rev",), ("fwd",), ("rev", "fwd")], ids="+".join)
def test_complex_arguments_and_results(modes: tuple[str, ...]) -> None:
    f = rotated(*modes)
    check.gradients(f, (X, Y, Z)).raise_on_failure()

    def loss(x: Any, y: Any, z: Any) -> Any:
        return np.sum(np.real(f(x, y, z)) ** 2)

    def plain(x: Any, y: Any, z: Any) -> Any:
        return np.sum(np.real(x * np.exp(1j * y) * np.conj(z)) ** 2)

    found = ad.grad(loss, (0, 1, 2))(X, Y, Z)
    close(found, ad.grad(plain, (0, 1, 2))(X, Y, Z))
    assert [g.dtype for g in found] == [np.float64, np.float64, np.complex128]


def test_multipliers_of_a_wrapped_function() -> None:
    """Every constraint around one of several results has its λ, eagerly and compiled."""

    @extend.primitive
    def two(x: Any, y: Any) -> Any:
        return {"u": np.asarray(x) * y, "v": np.sum(x)}

    extend.defvjp(
        two,
        lambda ans, x, y: lambda g: g["u"] * y + g["v"],
        lambda ans, x, y: lambda g: np.sum(g["u"] * x),
    )

    def loss(x: Any, y: Any) -> Any:
        z = two(x, y)
        return np.sum(ad.name(np.sin(z["u"]), "h")) * z["v"]

    check.multipliers(loss, (X, 2.0)).raise_on_failure()
    close(ad.compile(ad.with_multipliers(loss, "h"))(X, 2.0)[2]["h"], np.full(3, np.sum(X)))
    close(ad.compile(ad.hessian(loss))(X, 2.0), ad.hessian(loss)(X, 2.0))


def test_methods_that_autograd_deprecates_warn_and_work() -> None:
    @extend.primitive
    def product(x: Any, y: Any) -> Any:
        return x * y

    with pytest.warns(DeprecationWarning, match=r"product.defgrad is deprecated: use adjoint.extend.defvjp"):
        product.defgrad(lambda ans, x, y: lambda g: y * g)
    with pytest.warns(DeprecationWarning, match=r"product.defvjp"):
        product.defvjp(lambda g, ans, vs, gvs, x, y: x * g, argnum=1)
    assert ad.grad(product, (0, 1))(2.0, 3.0) == (3.0, 2.0)
    with pytest.warns(DeprecationWarning, match=r"product.defvjp_is_zero"):
        product.defvjp_is_zero([1])
    assert ad.grad(product, (0, 1))(2.0, 3.0) == (3.0, 0.0)
    with pytest.warns(DeprecationWarning, match=r"check_grads"):
        quick_grad_check(lambda x, y: x**2 + y, 1.0, (2.0,))
    with pytest.warns(DeprecationWarning), pytest.raises(AssertionError):
        quick_grad_check(lambda y: product(2.0, y), 1.0)
