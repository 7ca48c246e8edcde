"""The eight workloads for torch, eager and through `torch.compile` (Inductor)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from harness import Run, Skip

from . import Case, map_leaves
from .eight import BETA

Function = Callable[..., Any]


# ------------------------------------------------------------------------------------- the programs
def scalar(x: Any, a: Any, b: Any, steps: int) -> Any:
    total = 0.0
    for _ in range(steps):
        x = torch.sin(x) * a + b * x
        total = total + x
    return total


def chain(x: Any) -> Any:
    return torch.sum(torch.tanh(x) * torch.exp(-x * x) + torch.log1p(torch.exp(x)) * torch.sigmoid(x))


def mlp(params: Any, x: Any, y: Any) -> Any:
    h = x
    for w, b in params[:-1]:
        h = torch.relu(torch.addmm(b, h, w))
    return torch.nn.functional.cross_entropy(torch.addmm(params[-1][1], h, params[-1][0]), y)


def dual(lam: Any, log_ref: Any, r: Any, g: Any) -> Any:
    s = log_ref + (r + lam[0] * g[0] + lam[1] * g[1]) / BETA
    return BETA * torch.mean(torch.logsumexp(s, dim=1))


def dual_by_moments(lam: Any, log_ref: Any, r: Any, g: Any) -> Any:
    s = log_ref + (r + lam[0] * g[0] + lam[1] * g[1]) / BETA
    value = BETA * torch.mean(torch.logsumexp(s, dim=1))
    p = torch.softmax(s, dim=1)
    first = [torch.sum(p * g[i], dim=1) for i in (0, 1)]
    second = {(i, j): torch.mean(torch.sum(p * g[i] * g[j], dim=1)) for i, j in ((0, 0), (0, 1), (1, 1))}
    hessian = [
        [(second[min(i, j), max(i, j)] - torch.mean(first[i] * first[j])) / BETA for j in (0, 1)]
        for i in (0, 1)
    ]
    return (
        value,
        torch.stack([torch.mean(f) for f in first]),
        torch.stack([torch.stack(row) for row in hessian]),
    )


def log_policy(params: Any, x: Any) -> Any:
    h = x
    for w, b in params[:-1]:
        h = torch.tanh(torch.addmm(b, h, w))
    return torch.log_softmax(torch.addmm(params[-1][1], h, params[-1][0]), dim=1)


def policy_loss(params: Any, x: Any, act: Any, adv: Any) -> Any:
    return -torch.mean(log_policy(params, x).gather(1, act[:, None])[:, 0] * adv)


def recurrence_step(z: Any, total: Any, w: Any, v: Any, b: Any, u: Any, y: Any) -> Any:
    z = torch.tanh(z @ w + u @ v + b)
    return z, total + torch.sum((z - y) ** 2)


def recurrence(w: Any, v: Any, b: Any, u: Any, y: Any, step: Function = recurrence_step) -> Any:
    z, total = torch.zeros_like(y[0]), torch.zeros((), dtype=y.dtype)
    for now, wish in zip(u, y, strict=True):
        z, total = step(z, total, w, v, b, now, wish)
    return total / len(u)


def ridge(w: Any, x: Any, y: Any) -> Any:
    return 0.5 * torch.mean((x @ w - y) ** 2) + 0.5e-3 * torch.dot(w, w)


def logistic(w: Any, x: Any, y: Any) -> Any:
    return torch.mean(torch.nn.functional.softplus(-y * (x @ w))) + 0.5e-3 * torch.dot(w, w)


def call(w: Any, x: Any) -> Any:
    return torch.sum(torch.tanh(w @ x))


# ------------------------------------------------------------------------------------ the questions
def own(x: Any, requires_grad: bool = False) -> Any:
    """Arrays as tensors; Python numbers stay."""

    def one(a: Any) -> Any:
        if type(a) in (int, float):
            return a
        t = torch.tensor(np.asarray(a))
        return t.requires_grad_(requires_grad and t.is_floating_point())

    return map_leaves(one, x)


def flat(params: Any) -> list[Any]:
    return [t for p in params for t in (p if isinstance(p, (list, tuple)) else [p])]


def gradient(case: Case, transform: Function) -> Run:
    f, data = globals()[case.program], own(case.data)
    parameters = own(case.parameters, True)
    wanted = parameters[0] if isinstance(parameters[0], list) else parameters
    variables = [t for p in wanted for t in (p if isinstance(p, tuple) else [p])]
    if case.program == "recurrence" and transform is not eager:
        step = transform(recurrence_step)  # unrolled a thousand times, Inductor compiles for an hour
        compiled: Function = lambda *args: recurrence(*args, step)  # noqa: E731
    elif case.program == "scalar" and transform is not eager:
        raise Skip("an unrolled graph of 10⁴ scalars does not compile in reasonable time")
    else:
        compiled = transform(f)

    def run() -> Any:
        value = compiled(*parameters, *data)
        return value, torch.autograd.grad(value, variables)

    return run


def adam(case: Case, transform: Function) -> Run:
    """torch's own fused optimizer, in place; after the first call with rate 0, so that the network stays."""
    f, data, extra = transform(globals()[case.program]), own(case.data), case.extra
    params = own(case.parameters[0], True)
    variables = flat(params)
    optimizer = torch.optim.Adam(variables, lr=extra["rate"], fused=True)
    for t, m, v in zip(variables, flat(own(extra["m"])), flat(own(extra["v"])), strict=True):
        optimizer.state[t] = {"step": torch.tensor(extra["t"] - 1), "exp_avg": m, "exp_avg_sq": v}
    first: list[Any] = []

    def run() -> Any:
        value = f(params, *data)
        for t, g in zip(variables, torch.autograd.grad(value, variables), strict=True):
            t.grad = g
        optimizer.step()
        if first:
            return value
        optimizer.param_groups[0]["lr"] = 0.0
        for t in variables:  # looked at after the next call has changed it
            first.append(
                [t.detach().clone(), *(optimizer.state[t][k].clone() for k in ("exp_avg", "exp_avg_sq"))]
            )
        return value, *([one[k] for one in first] for k in range(3))

    return run


def hessian(case: Case, transform: Function) -> Run:
    if transform is not eager:
        raise Skip("torch.compile does not take double derivatives; see the closed form")
    f, data = globals()[case.program], own(case.data)
    (lam,) = own(case.parameters, True)

    def run() -> Any:
        value = f(lam, *data)
        (g,) = torch.autograd.grad(value, lam, create_graph=True)
        return value, g, torch.stack([torch.autograd.grad(part, lam, retain_graph=True)[0] for part in g])

    return run


def hessian_by_moments(case: Case, transform: Function) -> Run:
    if case.ask != "hessian":
        raise Skip
    f, args = transform(dual_by_moments), own((*case.parameters, *case.data))

    def run() -> Any:
        with torch.no_grad():
            return f(*args)

    return run


def hvp(case: Case, transform: Function) -> Run:
    f, data = globals()[case.program], own(case.data)

    def product(params: Any, v: Any) -> Any:
        return torch.func.jvp(torch.func.grad(lambda p: f(p, *data)), (params,), (v,))[1]

    if transform is not eager:
        compiled, params, v = transform(product), own(case.parameters[0]), own(case.extra["v"])
        return lambda: compiled(params, v)
    params = own(case.parameters[0], True)
    variables, along = flat(params), flat(own(case.extra["v"]))

    def twice() -> Any:
        """Two sweeps: the derivative of ⟨gradient, v⟩, in eager mode faster than a tangent of the sweep."""
        gradients = torch.autograd.grad(f(params, *data), variables, create_graph=True)
        return torch.autograd.grad(gradients, variables, along)

    return twice


def fisher(case: Case, transform: Function) -> Run:
    f, (x,) = globals()[case.program], own(case.data)

    def product(params: Any, v: Any) -> Any:
        log_p, push = torch.func.jvp(lambda p: f(p, x), (params,), (v,))
        _, pull = torch.func.vjp(lambda p: f(p, x), params)
        return pull(torch.exp(log_p) * push / len(x))[0]

    compiled, params, v = transform(product), own(case.parameters[0]), own(case.extra["v"])
    return lambda: compiled(params, v)


ASKED = {"gradient": gradient, "adam": adam, "hessian": hessian, "hvp": hvp, "fisher": fisher}


def eager(f: Function) -> Function:
    return f


def inductor(f: Function) -> Function:
    return torch.compile(f, dynamic=False)


def build(case: Case) -> Run:
    return ASKED[case.ask](case, eager)


def build_compiled(case: Case) -> Run:
    return ASKED[case.ask](case, inductor)


def build_moments(case: Case) -> Run:
    return hessian_by_moments(case, eager)


def build_moments_compiled(case: Case) -> Run:
    return hessian_by_moments(case, inductor)
