"""A case of every public function that takes arrays of cupy: the function, and its arguments as NumPy's.

What a case makes itself, it makes beside its arguments (`beside`), as a user's program would.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import adjoint as ad
from adjoint import check, extend, optim, test_util
from adjoint.models import trpo
from adjoint.models.alignment import dpo_loss, policy_advantages, policy_gradient_loss
from adjoint.ops.primitive import beside
from tests.helpers import normal
from tests.nn import test_trace as networks

Case = tuple[Callable[..., Any], tuple[Any, ...]]

A, X, V, Y = normal(4, 3), normal(3, seed=1), normal(3, seed=2), normal(4, seed=3)
OFFSETS = np.array([0, 1, 4])


# ------------------------------------------------------------------------------------------ programs
def loss(x: Any, a: Any) -> Any:
    return np.sum(np.tanh(ad.name(a @ x, "h")) ** 2)


def field(x: Any, a: Any) -> Any:
    return np.tanh(a @ x) * np.exp(x[0])


def lagrangian(x: Any, a: Any) -> Any:
    with ad.Tape() as tape:
        with ad.scope("layer"):
            h = ad.name(np.tanh(a @ tape.parameter(x, name="x")), "h")
        return ad.Lagrangian(tape, np.sum(h**2))


def of(f: Any) -> Any:
    """f's gradient in its first argument."""
    return lambda *args: ad.grad(f)(*args)


sine = ad.elementwise("sine_of_a_case", lambda m, x: m.sin(x), lambda m, x, z: m.cos(x))


@ad.primitive
def doubled_sine(x: Any) -> Any:
    return 2 * np.sin(x)


extend.defvjp(doubled_sine, lambda z, x: lambda lam: 2 * lam * np.cos(x))


def segments(reduce: Any) -> Case:
    return of(lambda a, offsets: np.sum(reduce(a, offsets) ** 2)), (A, OFFSETS)


def saved(x: Any, a: Any) -> Any:
    """What comes back from a file: it is NumPy's, and is sent where x is."""
    with tempfile.TemporaryDirectory() as folder:
        ad.save(Path(folder, "x.npz"), {"x": x, "more": [a]})
        return ad.tree_map(beside(x).asarray, ad.load(Path(folder, "x.npz")))


TRANSFORMS: dict[str, Case] = {
    "grad": (ad.grad(loss), (X, A)),
    "value_and_grad": (ad.value_and_grad(loss, (0, 1)), (X, A)),
    "grad_and_aux": (ad.grad_and_aux(lambda x, a: (loss(x, a), field(x, a))), (X, A)),
    "grad_named": (ad.grad_named(loss, "a"), (X, A)),
    "multigrad_dict": (ad.multigrad_dict(loss), (X, A)),
    "elementwise_grad": (ad.elementwise_grad(lambda x: np.sin(x) * 2), (X,)),
    "egrad": (ad.egrad(np.sin), (X,)),
    "deriv": (lambda x: ad.deriv(np.sin)(x[0]), (X,)),
    "holomorphic_grad": (ad.holomorphic_grad(lambda z: np.sum(z**2)), (X + 1j * V,)),
    "jacobian": (ad.jacobian(field), (X, A)),
    "hessian": (ad.hessian(loss), (X, A)),
    "make_vjp": (lambda x, a, lam: ad.make_vjp(field)(x, a)[0](lam), (X, A, Y)),
    "make_jvp": (lambda x, a, v: ad.make_jvp(field)(x, a)(v), (X, A, V)),
    "make_hvp": (lambda x, a, v: ad.make_hvp(loss)(x, a)[0](v), (X, A, V)),
    "make_ggnvp": (lambda x, a, v: ad.make_ggnvp(field, lambda y: np.sum(np.exp(y)))(x, a)(v), (X, A, V)),
    "hessian_vector_product": (ad.hessian_vector_product(loss), (X, A, V)),
    "hessian_tensor_product": (ad.hessian_tensor_product(loss), (X, A, V)),
    "tensor_jacobian_product": (ad.tensor_jacobian_product(field), (X, A, Y)),
    "vector_jacobian_product": (ad.vector_jacobian_product(field), (X, A, Y)),
    "jacobian_vector_product": (ad.jacobian_vector_product(field), (X, A, V)),
    "hvp": (lambda x, a, v: ad.hvp(lambda x: loss(x, a), x, v), (X, A, V)),
    "vjp": (lambda x, a, lam: ad.vjp(field, x, a)[1](lam), (X, A, Y)),
    "jvp": (lambda x, a, v: ad.jvp(lambda x: field(x, a), (x,), (v,)), (X, A, V)),
    "Tape": (lambda x, a: lagrangian(x, a).gradient("x"), (X, A)),
    "name": (lambda x: ad.name(x, "x"), (X,)),
    "scope": (lambda x, a: lagrangian(x, a).multiplier("layer/h"), (X, A)),
    "Lagrangian": (
        lambda x, a: [bool((L := lagrangian(x, a)).residuals()), L.latex(), repr(L.multipliers)],
        (X, A),
    ),
    "with_multipliers": (ad.with_multipliers(loss, "h"), (X, A)),
    "nan_origin": (lambda x: repr(ad.nan_origin(lambda x: np.sum(np.sqrt(x)), x)), (X,)),
    "explain_difference": (
        lambda x, a: repr(ad.explain_difference(loss, ad.changes.quantize(4), x, a)),
        (X, A),
    ),
    "MultiplierHistory": (lambda x, a: recorded(x, a).rms.tolist(), (X, A)),
    "primitive": (of(lambda x: np.sum(doubled_sine(x))), (X,)),
    "elementwise": (of(lambda x: np.sum(sine(x))), (X,)),
    "root": (of(lambda a: np.sum(ad.root(lambda z, a: z**3 + z - a, a * 0.1, a))), (X,)),
    "fixed_point": (of(lambda a: np.sum(ad.fixed_point(lambda z, a: np.cos(a * z) / 4, a * 0, a))), (X,)),
    "checkpoint": (of(ad.checkpoint(loss)), (X, A)),
    "scan": (of(lambda x, a: np.sum(ad.scan(lambda c, y: (np.tanh(c * y), c), x, a)[0])), (X, A)),
    "cond": (of(lambda x, a: ad.cond(np.sum(x) > 9, loss, lambda x, a: loss(3 * x, a), x, a)), (X, A)),
    "segment_sum": segments(ad.segment_sum),
    "segment_max": segments(ad.segment_max),
    "segment_logsumexp": segments(ad.segment_logsumexp),
    "tree_map": (lambda x: ad.tree_map(lambda leaf: 2 * leaf, {"x": [x]}), (X,)),
    "constrain": (lambda x: ad.constrain(x, upper=1.0, name="x"), (X,)),
    "save": (saved, (X, A)),
    "draw": (lambda x, a: ad.draw(lagrangian(x, a)).dot(), (X, A)),
}


def recorded(x: Any, a: Any) -> ad.MultiplierHistory:
    history = ad.MultiplierHistory()
    history.record(lagrangian(x, a).multipliers)
    return history


# ------------------------------------------------------------------------------------------ the others
def steps(opt: optim.Optimizer) -> Callable[..., Any]:
    """Three updates of a container; with the state, apart from the count of steps."""

    def run(w: Any, g: Any) -> Any:
        params, gradient = {"W": w, "b": w[0]}, {"W": g, "b": g[1]}
        state = opt.init(params)
        for _ in range(3):
            params, state = opt.update(gradient, state, params)
        return params, tuple(state[1:])

    return run


W, G = normal(4, 3, seed=4).astype(np.float32), normal(4, 3, seed=5).astype(np.float32)
OPTIM: dict[str, Case] = {
    **{name: (steps(opt), (W, G)) for name, opt in networks.OPTIMIZERS.items()},
    "momentum": (steps(optim.momentum(0.1)), (W, G)),
    **{
        name: (steps(optim.sgd(schedule)), (W, G))
        for name, schedule in {
            "constant": optim.constant(0.1),
            "exponential": optim.exponential(0.1, 0.9),
            "cosine": optim.cosine(0.1, 8),
            "warmup_cosine": optim.warmup_cosine(0.1, 8, warmup=2),
        }.items()
    },
    "global_norm": (lambda w, g: optim.global_norm([w, {"g": g}]), (W, G)),
    "clip_by_global_norm": (lambda w, g: optim.clip_by_global_norm(0.5)([w, g]), (W, G)),
}


def cubes(w: Any) -> Any:
    return np.sum(np.tanh(w) ** 3)


def slope(w: Any) -> Any:
    return 3 * np.tanh(w) ** 2 * (1 - np.tanh(w) ** 2)


def written_into(w: Any) -> Any:
    w += 1.0
    return cubes(w)


CHECK: dict[str, Case] = {
    "gradients": (lambda x: repr(check.gradients(cubes, (x,), order=2)), (X,)),
    "multipliers": (lambda x: repr(check.multipliers(cubes, (x,))), (X,)),
    "pair": (lambda x: repr(check.pair(cubes, slope, (x,), hessian=ad.hessian(cubes))), (X,)),
    "pair with a value": (
        lambda x: repr(check.pair(cubes, lambda w: (cubes(w), slope(w)), (x,), has_value=True)),
        (X,),
    ),
    "pair of products": (
        lambda x, a: repr(
            check.pair(
                lambda x: field(x, a), None, (x,),
                vjp=lambda args, lam: ad.vjp(lambda x: field(x, a), *args)[1](lam),
                jvp=lambda args, v: ad.jvp(lambda x: field(x, a), args, v)[1],
            )
        ),
        (X, A),
    ),
    "pair that writes into x": (lambda x: repr(check.pair(written_into, slope, (x + 0.0,))), (X,)),
    "pair whose gradient writes into x": (lambda x: repr(check.pair(cubes, written_into, (x + 0.0,))), (X,)),
    "pair that is wrong": (lambda x: repr(check.pair(cubes, lambda w: -slope(w), (x,))), (X,)),
}  # fmt: skip


def changed(change: Callable[[Any], ad.changes.Change]) -> Case:
    return lambda x, a: repr(ad.explain_difference(loss, change(x), x, a)), (X, A)


CHANGES: dict[str, Case] = {
    "precision": changed(lambda x: ad.changes.precision("float16")),
    "quantize": changed(lambda x: ad.changes.quantize(4, axis=0)),
    "prune": changed(lambda x: ad.changes.prune(0.3)),
    "replace": changed(lambda x: ad.changes.replace({"x": 1.1 * x})),
    "combine": changed(lambda x: ad.changes.combine(ad.changes.prune(0.2), ad.changes.quantize(6))),
}


def said(check: Callable[..., None]) -> Callable[..., str]:
    """The text of the error that a check raises; "" where it passes."""

    def text(*args: Any) -> str:
        try:
            check(*args)
        except AssertionError as error:
            return str(error)
        return ""

    return text


wrong = ad.elementwise("wrong_sine_of_a_case", lambda m, x: m.sin(x), lambda m, x, z: 1.1 * m.cos(x))
TEST_UTIL: dict[str, Case] = {
    "scalar_close": (lambda x: test_util.scalar_close(x[0], x[0] + 1e-7), (X,)),
    "check_equivalent": (said(lambda x, v: test_util.check_equivalent({"x": x}, {"x": v})), (X, V)),
    "make_numerical_jvp": (lambda x, v: test_util.make_numerical_jvp(np.sin, x)(v), (X, V)),
    "check_vjp": (said(lambda x: test_util.check_vjp(wrong, x)), (X,)),
    "check_jvp": (said(lambda x: test_util.check_jvp(wrong, x)), (X,)),
    "check_grads": (said(test_util.check_grads(loss, (0, 1))), (X, A)),
    "combo_check": (said(lambda x, a: test_util.combo_check(np.sum, 0)([x, a], axis=[None, 0])), (X, A)),
}

S, R = normal(5, 3), normal(5, 3, seed=1)
ALIGNMENT: dict[str, Case] = {
    "dpo_loss": (
        ad.value_and_grad(lambda c, r, p: dpo_loss(c, r, beta=0.5, p=p), (0, 1)),
        (X, V, np.abs(np.sin(X))),
    ),
    "policy_advantages": (lambda s, r: policy_advantages(s, r, beta=0.3), (S, R)),
    "policy_gradient_loss": (ad.value_and_grad(policy_gradient_loss), (S, R)),
}  # fmt: skip

ACTIONS = np.array([0, 2, 1, 1, 0])
three, two = trpo.Categorical(3), trpo.DiagonalGaussian(3)
policy, PARAMS = trpo.mlp_policy(np.random.default_rng(0), 3, three, (4,))


def every_part(pi: Any) -> Callable[..., Any]:
    def parts(outputs: Any, others: Any, noise: Any, actions: Any) -> Any:
        sampled = pi.sample(outputs, noise), pi.mode(outputs), pi.entropy(outputs)
        return *sampled, pi.log_prob(outputs, actions), pi.divergence(outputs, others)

    return parts


TRPO: dict[str, Case] = {
    "Categorical": (every_part(three), (S, R, np.abs(np.sin(S[:, :1])), ACTIONS)),
    "DiagonalGaussian": (every_part(two), ((S, R), (R, S), S, R)),
    "mlp_policy": (of(lambda params, x: np.sum(policy.apply(params, x) ** 2)), (PARAMS, S)),
    "tabular_policy": (trpo.tabular_policy(3).apply, (S, ACTIONS)),
}

CASES: dict[str, dict[str, Case]] = {
    "adjoint": TRANSFORMS,
    "adjoint.nn": {
        name: (networks.with_gradient(f), tuple(args)) for name, (f, *args) in networks.CASES.items()
    },
    "adjoint.optim": OPTIM,
    "adjoint.problems": {"constrain": TRANSFORMS["constrain"]},
    "adjoint.check": CHECK,
    "adjoint.changes": CHANGES,
    "adjoint.test_util": TEST_UTIL,
    "adjoint.plot": {},
    "adjoint.models": {},
    "adjoint.models.alignment": ALIGNMENT,
    "adjoint.models.trpo": TRPO,
}
