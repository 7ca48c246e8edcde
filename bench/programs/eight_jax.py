"""The eight workloads for jax: NumPy's text under `jax.jit`, loops as `lax.scan`, the better algorithms too.

Data are arguments of the compiled function, committed to the device beforehand: closed over, they would be
constants that XLA folds for minutes.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from harness import Run, Skip

from . import Case, Function, map_leaves, read_as

jax.config.update("jax_enable_x64", True)
text = read_as("eight", jnp)


def scalar(x: Any, a: Any, b: Any, steps: Any) -> Any:
    """W1 as a scan: unrolled, 10⁴ scalars crash the compiler."""

    def step(x: Any, _: Any) -> Any:
        x = jnp.sin(x) * a + b * x
        return x, x

    return jnp.sum(jax.lax.scan(step, x, length=steps)[1])


def recurrence(w: Any, v: Any, b: Any, u: Any, y: Any) -> Any:
    """W6 as a scan."""

    def step(z: Any, now: Any) -> Any:
        z = jnp.tanh(z @ w + now[0] @ v + b)
        return z, jnp.sum((z - now[1]) ** 2)

    return jnp.sum(jax.lax.scan(step, jnp.zeros_like(y[0]), (u, y))[1]) / len(u)


def program(case: Case) -> Function:
    return {"scalar": scalar, "recurrence": recurrence}.get(case.program) or getattr(text, case.program)


def device(x: Any) -> Any:
    return map_leaves(jnp.asarray, x)


def called(f: Function, *args: Any) -> Run:
    """f compiled, on arguments that live on the device; returns when the numbers are there."""
    args = tuple(device(a) for a in args)
    compiled = jax.jit(f)
    return lambda: jax.block_until_ready(compiled(*args))


def gradient(case: Case) -> Run:
    f = program(case)
    count = len(case.parameters)
    derivative = jax.value_and_grad(f, argnums=tuple(range(count)))
    if case.program == "scalar":
        return called(lambda *p: derivative(*p, *case.data), *case.parameters)
    return called(derivative, *case.parameters, *case.data)


def adam(case: Case) -> Run:
    """The state is donated: each call updates what the call before returned."""
    extra, f = case.extra, program(case)

    def step(params: Any, m: Any, v: Any, rate: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(f)(params, x, y)
        return value, *text.adam(params, gradients, m, v, extra["t"], rate)

    compiled = jax.jit(step, donate_argnums=(0, 1, 2))
    state = [
        map_leaves(jnp.copy, device(x)) for x in (case.parameters[0], extra["m"], extra["v"])
    ]  # not NumPy's
    data, rates = device(case.data), [jnp.zeros((), case.dtype), jnp.asarray(extra["rate"], case.dtype)]

    def run() -> Any:
        found = jax.block_until_ready(compiled(*state, rates[-1], *data))
        state[:] = found[1:]
        if len(rates) == 1:
            return found
        rates.pop()  # from now on the work is the same and the network stays where it is
        return map_leaves(jnp.copy, found)  # the first result is looked at after its arrays are given away

    return run


def hessian(case: Case) -> Run:
    f = program(case)

    def derivatives(lam: Any, *data: Any) -> Any:
        value, gradient = jax.value_and_grad(f)(lam, *data)
        return value, gradient, jax.hessian(f)(lam, *data)

    return called(derivatives, *case.parameters, *case.data)


def hessian_by_moments(case: Case) -> Run:
    if case.ask != "hessian":
        raise Skip
    return called(text.dual_by_moments, *case.parameters, *case.data)


def hvp(case: Case) -> Run:
    gradient = jax.grad(program(case))

    def product(params: Any, v: Any, *data: Any) -> Any:
        return jax.jvp(lambda p: gradient(p, *data), (params,), (v,))[1]

    return called(product, case.parameters[0], case.extra["v"], *case.data)


def fisher(case: Case) -> Run:
    f = program(case)

    def product(params: Any, v: Any, x: Any) -> Any:
        log_p, push = jax.linearize(lambda p: f(p, x), params)
        pull = jax.linear_transpose(push, params)
        return pull(text.policy_metric(log_p, push(v)))[0]

    return called(product, case.parameters[0], case.extra["v"], *case.data)


ASKED = {"gradient": gradient, "adam": adam, "hessian": hessian, "hvp": hvp, "fisher": fisher}


def build(case: Case) -> Run:
    return ASKED[case.ask](case)
