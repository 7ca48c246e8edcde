"""The eight workloads for ours, NumPy by hand, autograd and CasADi."""

from __future__ import annotations

from typing import Any

import numpy as np
from harness import Run, Skip

from . import Case, Function, eight, eight_by_hand, map_leaves, read_as


# ----------------------------------------------------------------------------------------------- ours
def ours(case: Case) -> Run:
    """NumPy's text through `ad.compile`, the data closed over; the arguments are plain arrays."""
    import adjoint as ad

    f, args = asked_of(ad, case)
    if case.ask == "adam":
        return training(ad.compile(f, donate=(0, 1, 2)), args)
    compiled = ad.compile(f)
    return lambda: compiled(*args)


def training(step: Any, args: tuple[Any, ...]) -> Run:
    """The state is donated: each call updates what the call before returned."""
    state = [map_leaves(np.copy, x) for x in args[:3]]
    rates = [0.0, args[3]]

    def run() -> Any:
        found = step(*state, rates[-1])
        state[:] = found[1:]
        if len(rates) == 1:
            return found
        rates.pop()  # from now on the work is the same and the network stays where it is
        return map_leaves(np.copy, found)  # the first result is looked at after its arrays are given away

    return run


def asked_of(ad: Any, case: Case) -> tuple[Any, tuple[Any, ...]]:
    """The function that answers the case's question, not yet compiled, and its arguments."""
    loss, count, extra = case.loss(eight), len(case.parameters), case.extra
    if case.ask == "gradient":
        return ad.value_and_grad(loss, argnum=tuple(range(count))), case.parameters
    if case.ask == "hessian":
        return lambda lam: (*ad.value_and_grad(loss)(lam), ad.hessian(loss)(lam)), case.parameters
    if case.ask == "hvp":
        return lambda p, v: ad.hvp(loss, p, v), (case.parameters[0], extra["v"])
    if case.ask == "fisher":
        return lambda p, v: fisher(ad, loss, p, v), (case.parameters[0], extra["v"])

    def step(params: Any, m: Any, v: Any, rate: Any) -> Any:
        value, gradients = ad.value_and_grad(loss)(params)
        return value, *eight.adam(params, gradients, m, v, extra["t"], rate)

    return step, (case.parameters[0], extra["m"], extra["v"], extra["rate"])


def fisher(ad: Any, log_policy: Any, params: Any, v: Any) -> Any:
    """Jᵀ F J v: the tangent, the metric at the output, the adjoint."""
    log_p, push = ad.jvp(log_policy, (params,), (v,))
    _, pull = ad.vjp(log_policy, params)
    return pull(eight.policy_metric(log_p, push))


# ------------------------------------------------------------------------------------- NumPy by hand
def by_hand(case: Case) -> Run:
    """Derivatives worked out by hand."""
    f: Function = eight_by_hand.ASKED.get((case.program, case.ask)) or getattr(eight_by_hand, case.program)
    args = (*case.parameters, *case.data, *case.extra.values())
    return lambda: f(*args)


# ------------------------------------------------------------------------------------------ autograd
def autograd(case: Case) -> Run:
    """HIPS autograd on NumPy's text."""
    import autograd as hips
    import autograd.numpy as anp

    text = read_as("eight", anp)
    loss, count = case.loss(text), len(case.parameters)
    if case.work == "W1" and case.data[0] > 10_000:
        raise Skip("seconds per call at 10⁴ scalars already decide it")
    if case.ask == "gradient":
        f = hips.value_and_grad(loss, tuple(range(count)))
        return lambda: f(*case.parameters)
    if case.ask == "hessian":
        first, second = hips.value_and_grad(loss), hips.hessian(loss)
        return lambda: (*first(*case.parameters), second(*case.parameters))
    raise Skip


# -------------------------------------------------------------------------------------------- CasADi
def casadi(case: Case) -> Run:
    """An expression graph of scalars in its virtual machine, called by its buffers, results copied out."""
    import casadi as ca

    if case.work not in ("W1", "W8") or case.dtype != "float64":
        raise Skip
    symbols = [ca.SX.sym(f"p{k}", *shape(p)) for k, p in enumerate(case.parameters)]
    if case.work == "W1":
        loss = read_as("eight", ca).scalar(*symbols, *case.data)
    else:
        loss = ca.sum1(ca.tanh(symbols[0] @ symbols[1]))
    f = ca.Function("f", symbols, [loss, *(ca.gradient(loss, s) for s in symbols)])
    args = [np.ravel(np.asarray(p, np.float64), order="F") for p in case.parameters]  # stored by columns
    results = [np.zeros(int(np.prod(f.size_out(k)))) for k in range(f.n_out())]
    buffer, evaluate = f.buffer()
    for k, a in enumerate(args):
        buffer.set_arg(k, memoryview(a))  # type: ignore[arg-type, call-arg, unused-ignore]
    for k, r in enumerate(results):
        buffer.set_res(k, memoryview(r))  # type: ignore[arg-type, call-arg, unused-ignore]
    shapes = [(), *(np.shape(p) for p in case.parameters)]
    views = [r.reshape(s, order="F", copy=False) for r, s in zip(results, shapes, strict=True)]

    alive = f, buffer, args, results  # `evaluate` holds bare addresses

    def run() -> Any:
        assert alive
        evaluate()
        return [view.copy() for view in views]

    return run


def shape(p: Any) -> tuple[int, int]:
    """The shape as rows and columns."""
    s = np.shape(p)
    return (s[0] if s else 1, s[1] if len(s) > 1 else 1)
