"""Checkers of gradients behind one question: is this derivative right?

Each gets a case of the catalogue (tests/check/catalogue), wrapped as its users would wrap a derivative by
hand, and its own defaults. Containers are taken apart for those that know arrays only. What a checker cannot
take is "not applicable", with the reason, and counts neither way.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from cases import Case, Pair, Report, checked, trees
from environment import clock

LARGE = 5_000  # inputs from which a checker's cheaper mode is asked for, where it has one


class NotApplicable(Exception):
    """Why a checker cannot take a case."""


class Rejected(Exception):
    """A checker that returns a number or a report said no; the text is its own."""

    def __init__(self, text: str, report: Report | None = None) -> None:
        super().__init__(text)
        self.report = report


@dataclass(frozen=True)
class Answer:
    """What a checker said of a case.

    Attributes:
        passed: its verdict; None if it cannot take the case.
        text: its message, or the reason why it cannot.
        values: evaluations of f.
        derivatives: evaluations of the gradient, vjp, jvp and hvp.
        seconds: of the whole check.
        report: our own, to read its places.
    """

    passed: bool | None
    text: str
    values: int = 0
    derivatives: int = 0
    seconds: float = 0.0
    report: Report | None = None


@dataclass
class Checker:
    """A library's check.

    Attributes:
        name: the row of the table.
        package: the distribution.
        defaults: what it does when nothing else is asked for.
        check: (pair) → None, raising whatever it raises when it fails.
        impossible: names of faults that cannot be made under this library, and why.
    """

    name: str
    package: str
    defaults: str
    check: Callable[[Pair], None]
    impossible: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, case: Case) -> Answer:
        """The answer to a case, with what it cost."""
        if case.name in self.impossible:
            return Answer(None, self.impossible[case.name])
        return self.answer(case.build)

    def answer(self, build: Callable[[], Pair]) -> Answer:
        """The answer to a freshly built pair."""
        counts = {"values": 0, "derivatives": 0}
        pair = counted(build(), counts)
        begun, passed, text, report = clock(), True, "", None
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                self.check(pair)
            except NotApplicable as why:
                return Answer(None, str(why))
            except Exception as error:  # whatever a checker raises is its way to say no
                passed, text = False, f"{type(error).__name__}: {error}"
                report = getattr(error, "report", None)
        return Answer(passed, text, **counts, seconds=clock() - begun, report=report)


def counted(pair: Pair, counts: dict[str, int]) -> Pair:
    """The pair, its evaluations counted."""

    def count(g: Any, kind: str) -> Any:
        if g is None:
            return None

        @functools.wraps(g)
        def call(*args: Any) -> Any:
            counts[kind] += 1
            return g(*args)

        return call

    derivatives = {
        name: count(getattr(pair, name), "derivatives") for name in ("gradient", "vjp", "jvp", "hvp")
    }
    return replace(pair, f=count(pair.f, "values"), **derivatives)


# ------------------------------------------------------------------------------- arrays in, arrays out
class Flat:
    """A pair as functions of a list of arrays."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.x, self.structure = trees.flatten([pair.args[k] for k in pair.positions])
        self.kinds = [np.asarray(x).dtype for x in self.x]
        self.size = sum(np.size(x) for x in self.x)

    @cached_property
    def results(self) -> tuple[list[Any], Any]:
        """The results of f at the arguments, and their structure."""
        found, structure = trees.flatten(self.pair.f(*self.arguments(self.x)))
        return [np.asarray(z) for z in found], structure

    def arguments(self, x: Sequence[Any]) -> list[Any]:
        """Those of f, from a list of arrays; a plain number stays one."""
        x = [type(b)(a) if isinstance(b, float) else a for a, b in zip(x, self.x, strict=True)]
        given = trees.unflatten(self.structure, x)
        args = list(self.pair.args)
        for k, a in zip(self.pair.positions, given, strict=True):
            args[k] = a
        return args

    def f(self, *x: Any) -> list[Any]:
        """The results."""
        return [np.asarray(z) for z in trees.flatten(self.pair.f(*self.arguments(x)))[0]]

    def scalar(self, *x: Any) -> Any:
        """The result of a scalar f."""
        return self.f(*x)[0]

    def leaves(self, derivative: Any) -> list[Any]:
        """What belongs to each array; zeros where somebody returned None."""
        parts = (derivative,) if len(self.pair.positions) == 1 else derivative
        structures = trees.unflatten(self.structure, list(range(len(self.x))))
        found = []
        for part, places in zip(parts, structures, strict=True):
            at = trees.flatten(places)[0]
            found += [np.zeros_like(self.x[k]) for k in at] if part is None else trees.flatten(part)[0]
        return [np.asarray(a) for a in found]

    def pull(self, lam: Sequence[Any], x: Sequence[Any]) -> list[Any]:
        """Jᵀλ."""
        args = self.arguments(x)
        if self.pair.gradient is not None:
            return [np.asarray(lam[0] * a) for a in self.leaves(self.pair.gradient(*args))]
        assert self.pair.vjp is not None
        return self.leaves(self.pair.vjp(trees.unflatten(self.results[1], list(lam)), *args))

    def push(self, v: Sequence[Any], x: Sequence[Any]) -> list[Any]:
        """J v."""
        assert self.pair.jvp is not None
        given = trees.unflatten(self.structure, list(v))
        one = given[0] if len(self.pair.positions) == 1 else tuple(given)
        return [np.asarray(z) for z in trees.flatten(self.pair.jvp(one, *self.arguments(x)))[0]]

    def bend(self, v: Sequence[Any], x: Sequence[Any]) -> list[Any]:
        """∇²f v of a scalar f."""
        assert self.pair.hvp is not None
        given = trees.unflatten(self.structure, list(v))
        one = given[0] if len(self.pair.positions) == 1 else tuple(given)
        return self.leaves(self.pair.hvp(one, *self.arguments(x)))

    def refuse(self, *names: str) -> None:
        """Raise NotApplicable if an argument is of one of these dtypes."""
        for kind in self.kinds:
            if kind.name in names:
                raise NotApplicable(f"takes no {kind.name}")


# ------------------------------------------------------------------------------------------------ ours
def ours(pair: Pair) -> None:
    """check.pair with its defaults."""
    report = checked(pair)
    if report.failures:  # an inconclusive report is neither a detection nor an alarm
        raise Rejected(repr(report), report)


# ----------------------------------------------------------------------------------------------- torch
def by_torch(pair: Pair) -> None:
    """gradcheck of an autograd.Function; gradgradcheck too where there is an hvp."""
    import torch

    flat = Flat(pair)
    if not all(np.size(a) for a in flat.x):
        raise NotApplicable("takes no empty arrays")
    flat.refuse("float16", "float32", "complex64", "float128")  # "designed for inputs of double precision"

    def tensor(a: Any) -> Any:
        shared = isinstance(a, np.ndarray) and a.flags.writeable and min(a.strides, default=0) >= 0
        return torch.from_numpy(a if shared else np.array(a))

    def tensors(arrays: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(tensor(a) for a in arrays)

    def out(arrays: Sequence[Any]) -> Any:
        found = tensors(arrays)
        return found[0] if len(found) == 1 else found

    def arrays(given: Sequence[Any]) -> list[Any]:
        return [t.detach().resolve_conj().numpy() for t in given]

    # torch's λ of a complex number is the conjugate of ours
    class Hessian(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, lam: Any, *x: Any) -> Any:
            ctx.save_for_backward(lam, *x)
            return tensors(flat.pull(arrays([lam]), arrays(x)))

        @staticmethod
        def backward(ctx: Any, *v: Any) -> Any:
            lam, *x = ctx.saved_tensors
            g = flat.pull([np.ones(())], arrays(x))
            share = sum(float(np.sum(a * b)) for a, b in zip(arrays(v), g, strict=True))
            bent = flat.bend(arrays(v), arrays(x))
            return (
                torch.tensor(share, dtype=lam.dtype),
                *(lam * torch.from_numpy(np.array(b)) for b in bent),
            )

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(*x: Any) -> Any:
            return out(flat.f(*arrays(x)))

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, *lam: Any) -> Any:
            x = ctx.saved_tensors
            if pair.hvp:
                return Hessian.apply(lam[0], *x)
            pulled = [np.conj(a) for a in flat.pull([np.conj(a) for a in arrays(lam)], arrays(x))]
            if any(np.ndim(a) > np.ndim(b) for a, b in zip(pulled, x, strict=True)):
                raise NotApplicable("torch itself sums what was broadcast")
            return tensors(pulled)

        @staticmethod
        def jvp(ctx: Any, *v: Any) -> Any:
            return out(flat.push(arrays(v), arrays(ctx.saved_tensors)))

    x = [torch.from_numpy(np.array(a, order="K")).requires_grad_() for a in flat.x]  # moved in place
    options = {"fast_mode": flat.size > LARGE, "check_forward_ad": pair.jvp is not None}
    torch.autograd.gradcheck(Function.apply, x, **options)
    if pair.hvp:
        torch.autograd.gradgradcheck(Function.apply, x)


# ------------------------------------------------------------------------------------------------- jax
def by_jax(pair: Pair) -> None:
    """check_grads of a custom_vjp in mode "rev"; of a custom_jvp where there is one."""
    import jax
    from jax.test_util import check_grads

    flat = Flat(pair)
    flat.refuse("float128")
    like = [jax.ShapeDtypeStruct(np.shape(z), z.dtype) for z in flat.results[0]]
    inputs = [jax.ShapeDtypeStruct(np.shape(a), np.asarray(a).dtype) for a in flat.x]

    def host(g: Callable[..., Any], shapes: Any, *args: Any) -> Any:
        def call(*given: Any) -> Any:
            found = g(*[[np.array(a) for a in part] for part in given])
            # a callback must return what it announced: where shapes differ, that is an error of the case
            for a, s in zip(found, shapes, strict=True):
                if np.shape(a) != s.shape:
                    raise ValueError(f"derivative is {np.shape(a)}, argument is {s.shape}")
            return [np.asarray(a, s.dtype) for a, s in zip(found, shapes, strict=True)]

        if not any(isinstance(a, jax.core.Tracer) for part in args for a in part):
            return [jax.numpy.asarray(a) for a in call(*args)]  # the usual case, without a callback's cost
        return jax.pure_callback(call, shapes, *args, vmap_method="sequential")

    def value(*x: Any) -> Any:
        return host(lambda x: flat.f(*x), like, x)

    @jax.custom_vjp
    def pulled(lam: Any, x: Any) -> Any:
        return host(flat.pull, inputs, lam, x)

    def bend(kept: Any, v: Any) -> Any:
        lam, x = kept
        (share,) = host(
            lambda v, x: [sum(np.sum(a * b) for a, b in zip(v, flat.pull([1.0], x), strict=True))], like, v, x
        )
        return [share], [lam[0] * b for b in host(flat.bend, inputs, v, x)]

    pulled.defvjp(lambda lam, x: (pulled(lam, x), (lam, x)), bend)

    @jax.custom_vjp
    def f(*x: Any) -> Any:
        return value(*x)

    f.defvjp(lambda *x: (f(*x), x), lambda x, lam: tuple(pulled(list(lam), list(x))))
    x = [jax.numpy.asarray(a) for a in flat.x]
    check_grads(f, x, order=2 if pair.hvp else 1, modes=["rev"])
    if pair.jvp:
        forward = jax.custom_jvp(value)
        forward.defjvp(lambda x, v: (value(*x), host(flat.push, like, v, x)))
        check_grads(forward, x, order=1, modes=["fwd"])


# -------------------------------------------------------------------------------------------- autograd
def by_autograd(pair: Pair) -> None:
    """check_grads of a primitive with defvjp, and defjvp where there is a jvp; order 2 with an hvp."""
    from autograd.extend import defjvp_argnums, defvjp_argnums, primitive
    from autograd.test_util import check_grads

    flat = Flat(pair)
    flat.refuse("float128")
    single = len(flat.results[0]) == 1

    @primitive
    def f(*x: Any) -> Any:
        found = [z[()] for z in flat.f(*x)]
        return found[0] if single else tuple(found)

    @primitive
    def pulled(lam: Any, *x: Any) -> Any:
        return tuple(a[()] for a in flat.pull([lam] if single else list(lam), x))

    def pulled_vjps(argnums: Any, result: Any, args: Any, kwargs: Any) -> Any:
        lam, *x = args

        def pull(v: Any) -> Any:
            shares = [sum(np.sum(a * b) for a, b in zip(v, flat.pull([1.0], x), strict=True))]
            shares += [lam * b for b in flat.bend(v, x)]
            return tuple(shares[k] for k in argnums)

        return pull

    if pair.hvp:
        defvjp_argnums(pulled, pulled_vjps)

    def vjps(argnums: Any, result: Any, args: Any, kwargs: Any) -> Any:
        def pull(lam: Any) -> Any:
            found = pulled(lam, *args)
            return tuple(found[k] for k in argnums)

        return pull

    def jvps(argnums: Any, tangents: Any, result: Any, args: Any, kwargs: Any) -> Any:
        v = [np.zeros_like(a) for a in args]
        for k, t in zip(argnums, tangents, strict=True):
            v[k] = t
        found = flat.push(v, args)
        return found[0] if single else tuple(found)

    defvjp_argnums(f, vjps)
    modes = ["rev"]
    if pair.jvp:
        defjvp_argnums(f, jvps)
        modes = ["fwd", "rev"]
    argnum = tuple(range(len(flat.x))) if len(flat.x) > 1 else 0
    check_grads(f, argnum, modes=modes, order=2 if pair.hvp else 1)(*flat.x)


# ----------------------------------------------------------------------------------------------- scipy
def by_scipy(pair: Pair) -> None:
    """check_grad, which returns ‖difference‖: rejected above 10⁻⁵ of the gradient's own length (or of 1)."""
    from scipy.optimize import check_grad

    flat = Flat(pair)
    flat.refuse("complex64", "complex128", "float128")
    if pair.gradient is None or flat.results[0][0].shape != ():
        raise NotApplicable("takes no function of several results")
    if pair.hvp:
        raise NotApplicable("takes no second derivatives")
    sizes = np.cumsum([np.size(a) for a in flat.x])[:-1]

    def apart(v: Any) -> list[Any]:
        parts = zip(np.split(v, sizes), flat.x, flat.kinds, strict=True)
        return [a.reshape(np.shape(b)).astype(kind)[()] for a, b, kind in parts]

    def gradient(v: Any) -> Any:
        found = flat.pull([1.0], apart(v))
        for a, b in zip(found, flat.x, strict=True):
            if a.shape != np.shape(b):
                raise Rejected(f"derivative is {a.shape}, argument is {np.shape(b)}")
        return np.concatenate([np.ravel(a) for a in found])

    start = np.concatenate([np.ravel(a) for a in flat.x])
    options: dict[str, Any] = {}
    if flat.size > LARGE:
        options = {"direction": "random", "rng": np.random.default_rng(0)}
    error = check_grad(lambda v: float(flat.scalar(*apart(v))), gradient, start, **options)
    limit = 1e-5 * max(1.0, float(np.linalg.norm(gradient(start))))
    if not error <= limit:
        raise Rejected(f"‖difference‖ = {error:.2e} > {limit:.1e}")


LAYOUT = dict.fromkeys(("strided input", "column layout"), "hands contiguous arrays on")
FROZEN = dict.fromkeys(
    ("mutated input", "input sorted in place", "reused buffer"), "arrays cannot be changed"
)

CHECKERS = [
    Checker("adjoint", "adjoint-autodiff", "check.pair(f, gradient, args)", ours),
    Checker(
        "torch gradcheck",
        "torch",
        f"eps=1e-6, atol=1e-5, rtol=1e-3; fast_mode above {LARGE:,} inputs",
        by_torch,
        {"strided input": "a tensor hides the array that it looks into"},
    ),
    Checker(
        "jax check_grads",
        "jax",
        'order=1, modes=["rev"], steps and tolerances by dtype; 64 bits',
        by_jax,
        LAYOUT | FROZEN,
    ),
    Checker(
        "autograd check_grads", "autograd", 'steps and tolerances 1e-6; order=1, modes=["rev"]', by_autograd
    ),
    Checker(
        "scipy check_grad",
        "scipy",
        f"epsilon=1.5e-8; along a random direction above {LARGE:,} inputs",
        by_scipy,
        LAYOUT,
    ),
]
