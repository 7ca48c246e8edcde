"""Derivatives with a memory: caches, buffers, changed inputs, chance; pullbacks that are not linear."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .pairs import Pair, normal, positive, wrong

X = normal(4)
W = normal(4, 4, seed=1)


@wrong(
    "the derivative uses what the last call of f left behind",
    "",
    says="cache|stale|earlier|repeat|determin|call",
)
def stale_cache() -> Pair:
    memory: dict[str, Any] = {}

    def f(x: Any) -> Any:
        memory["s"] = np.sin(x)
        return np.sum(memory["s"] ** 2)

    def gradient(x: Any) -> Any:
        return 2 * memory.get("s", np.sin(x)) * np.cos(x)

    return Pair(f, (X,), gradient)


@wrong("the derivative at the first point, for ever", "", says="cache|stale|earlier|first|another point|call")
def cached_by_shape() -> Pair:
    memory: dict[Any, Any] = {}

    def gradient(x: Any) -> Any:
        if x.shape not in memory:
            memory[x.shape] = 3 * x**2
        return memory[x.shape].copy()

    return Pair(lambda x: np.sum(x**3), (X,), gradient)


@wrong(
    "one buffer for every result: the next call overwrites the last result",
    "",
    says="buffer|shared|alias|overw|same",
)
def reused_buffer() -> Pair:
    out = np.empty(4)

    def gradient(x: Any) -> Any:
        np.multiply(np.exp(x), 1.0, out=out)
        return out

    return Pair(lambda x: np.sum(np.exp(x)), (X,), gradient)


@wrong("derivatives add up from call to call", "", says="accumul|call|determin|repeat")
def never_zeroed() -> Pair:
    total = np.zeros(4)

    def gradient(x: Any) -> Any:
        total[:] += np.cos(x)
        return total.copy()

    return Pair(lambda x: np.sum(np.sin(x)), (X,), gradient)


@wrong("the derivative scales its input in place", "", says="mutat|chang|modif|overw")
def mutated_input() -> Pair:
    def gradient(x: Any) -> Any:
        x *= 2
        return np.cos(x / 2)

    return Pair(lambda x: np.sum(np.sin(x)), (X.copy(),), gradient)


@wrong("f sorts its input in place", "", says="mutat|chang|modif|overw")
def input_sorted_in_place() -> Pair:
    def f(x: Any) -> Any:
        x.sort()
        return np.sum(np.arange(4.0) * x)

    return Pair(f, (np.array([0.3, -0.2, 1.0, 0.7]),), lambda x: np.argsort(np.argsort(x)) * 1.0)


@wrong("a mask drawn anew at every call of the derivative", "", says="determin|stochast|random|repeat|call")
def fresh_dropout_mask() -> Pair:
    rng = np.random.default_rng(3)

    def gradient(x: Any) -> Any:
        return np.cos(x) * (rng.random(4) > 0.5) * 2

    return Pair(lambda x: np.sum(np.sin(x)), (X,), gradient)


@wrong("an unbiased estimate in place of the derivative", "", says="determin|stochast|random|repeat|call")
def monte_carlo_derivative() -> Pair:
    rng = np.random.default_rng(3)
    return Pair(lambda x: np.sum(x**3), (X,), lambda x: 3 * x**2 + 0.1 * rng.standard_normal(4))


@wrong("the derivative decays with the number of calls", "", says="determin|repeat|call|stochast")
def schedule_inside() -> Pair:
    calls = itertools.count()
    return Pair(lambda x: np.sum(x**2), (X,), lambda x: 2 * x * 0.9 ** next(calls))


@wrong(
    "right at the first call only: the backward pass consumes its record",
    "",
    says="determin|repeat|call|nan|zero",
)
def second_call() -> Pair:
    record: list[int] = [1]

    def gradient(x: Any) -> Any:
        return np.cos(x) * (record.pop() if record else 0)

    return Pair(lambda x: np.sum(np.sin(x)), (X,), gradient)


@wrong("uninitialised rows: np.empty and a loop that misses one", index=[(2,)])
def uninitialised() -> Pair:
    def gradient(x: Any) -> Any:
        out = np.full_like(x, 1e30)  # what happened to lie there
        for i in (0, 1, 3):
            out[i] = np.cos(x[i])
        return out

    return Pair(lambda x: np.sum(np.sin(x)), (X,), gradient)


# ------------------------------------------------------------------------------------------- pullbacks
@wrong("the pullback ignores λ, as if it were 1", says="linear|λ|cotangent")
def lam_ignored() -> Pair:
    return Pair(np.sin, (X,), vjp=lambda lam, x: np.cos(x))


@wrong("the pullback clips λ to [−1, 1]", says="linear")
def lam_clipped() -> Pair:
    return Pair(lambda x: 3 * np.sin(x), (X,), vjp=lambda lam, x: 3 * np.clip(lam, -0.1, 0.1) * np.cos(x))


@wrong("the pullback takes λ's magnitude", says="linear|sign")
def lam_absolute() -> Pair:
    return Pair(np.sin, (X,), vjp=lambda lam, x: np.abs(lam) * np.cos(x))


@wrong("the pullback multiplies by λ twice", says="linear")
def lam_twice() -> Pair:
    return Pair(np.sin, (X,), vjp=lambda lam, x: lam**2 * np.cos(x))


@wrong("the pullback adds a constant", says="linear")
def lam_shifted() -> Pair:
    return Pair(np.sin, (X,), vjp=lambda lam, x: lam * np.cos(x) + 0.01)


@wrong("the pullback normalizes its result", says="linear")
def lam_normalized() -> Pair:
    def vjp(lam: Any, x: Any) -> Any:
        out = W.T @ (lam * np.cos(W @ x))
        return out / (np.sqrt(np.sum(out**2)) + 1e-12)

    return Pair(lambda x: np.sin(W @ x), (X,), vjp=vjp)


@wrong("pushforward in place of the pullback", says="transpos|adjoint|dot")
def pushforward_for_pullback() -> Pair:
    return Pair(lambda x: np.sin(W @ x), (X,), vjp=lambda lam, x: np.cos(W @ x) * (W @ lam))


@wrong("tangent right, pullback without the weights' transpose", says="dot|adjoint|transpos")
def right_tangent_wrong_pullback() -> Pair:
    return Pair(
        lambda x: np.sin(W @ x),
        (X,),
        vjp=lambda lam, x: W @ (np.cos(W @ x) * lam),
        jvp=lambda v, x: np.cos(W @ x) * (W @ v),
    )


@wrong("pullback right, tangent without the derivative of sin", says="tangent|jvp|J v|Jv")
def right_pullback_wrong_tangent() -> Pair:
    return Pair(
        lambda x: np.sin(W @ x),
        (X,),
        vjp=lambda lam, x: W.T @ (np.cos(W @ x) * lam),
        jvp=lambda v, x: W @ v,
    )


@wrong("one of two outputs sends nothing back")
def output_forgotten() -> Pair:
    def vjp(lam: Any, x: Any) -> Any:
        return lam[0] * np.cos(x)

    return Pair(lambda x: (np.sin(x), np.exp(x)), (X,), vjp=vjp)


@wrong("the second use of an input overwrites the first one's share")
def fan_out() -> Pair:
    def vjp(lam: Any, x: Any) -> Any:
        out = lam * np.cos(x)
        out = lam * 2 * x  # should be +=
        return out

    return Pair(lambda x: np.sin(x) + x**2, (X,), vjp=vjp)


@wrong("an input used in two places of a list: one share is lost", "1")
def shared_parameter() -> Pair:
    return Pair(
        lambda x, s: np.sum(np.sin(s * x)) + np.sum(np.exp(-s * x)),
        (positive(3), 0.7),
        lambda x, s: (s * np.cos(s * x) - s * np.exp(-s * x), np.sum(x * np.cos(s * x))),
    )
