"""Checks of the rules of primitives: every one in the registry, on samples that it brings along itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..errors import MissingRuleError
from ..ops.primitive import PRIMITIVES, Primitive, dtype_of, parts, shape_of
from ..sweeps.pairing import default_rng, direction_like, in_double
from ..transforms import make_jvp, make_vjp
from .battery import Battery
from .compiled import checked_names, of_floats, on_engine
from .gradients import own
from .report import Finding, Report, Summary


def rule(
    op: Primitive | str,
    *args: Any,
    engine: str = "numpy",
    rng: np.random.Generator | None = None,
    **params: Any,
) -> Report:
    """Check the rules of one primitive in both modes, to second order, in float64 and float32.

    Args:
        op: the primitive, or its name.
        *args: operands to check it on; its own samples by default.
        engine: "numpy"; or "numba", to hold value, pullback and pushforward of compiled kernels against it.
        rng: source of samples and directions; a fixed one by default.
        **params: parameters, with args.

    Returns:
        A report; on failure it names argument, index, received and expected.

    Raises:
        MissingRuleError: no args are given and the primitive has no samples.
        KeyError: there is no primitive of that name.
        ValueError: parameters without operands; or operands for an engine other than NumPy, whose kernels
            are checked on samples.
    """
    if isinstance(op, str) and op not in PRIMITIVES:
        near = get_close_matches(op, PRIMITIVES, n=1)
        raise KeyError(f"no primitive is called {op!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    op = PRIMITIVES[op] if isinstance(op, str) else op
    if params and not args:
        given = ", ".join(f"{name}={value!r}" for name, value in params.items())
        raise ValueError(f"check.rule({op.name}, {given}): parameters need operands, check.rule(op, x, …)")
    rng = rng or default_rng()
    if engine != "numpy":
        if args:
            raise ValueError(
                f"check.rule({op.name}, engine={engine!r}) takes the samples of {op.name}: no operands"
            )
        for _, report in on_engine([op], engine, rng):
            return report
    samples = [(args, params)] if args else op.samples(rng)
    if not samples:
        raise MissingRuleError(f"{op.name} has no samples; give operands: check.rule({op.name}, x, …)")
    findings: list[Finding] = []
    notes: list[str] = []
    not_checked: list[str] = []
    for operands, options in samples:
        label = f"{op.name}({', '.join(str(shape_of(a)).replace(' ', '') for a in operands)})"
        found = _check_sample(op, operands, options, rng)
        findings += [replace(f, what=f"{label} {f.what}") for f in found.findings]
        notes += [f"{label} {note}" for note in found.notes]
        not_checked += [f"{label} {what}" for what in found.not_checked]
    return Report(f"rule {op.name}", tuple(findings), tuple(notes), tuple(not_checked))


def all_rules(*, engine: str = "numpy", rng: np.random.Generator | None = None) -> Summary:
    """Check every primitive of the library on this machine.

    Args:
        engine: "numpy": the rules, some seconds; "numba": the compiled kernels too, a minute or more.
        rng: source of samples and directions; a fixed one by default.

    Returns:
        The reports by name, with a summary as its repr; true when all passed.
    """
    ops = [PRIMITIVES[name] for name in checked_names()]
    if engine == "numpy":
        return Summary(engine, {op.name: rule(op, rng=rng) for op in ops})
    return Summary(engine, {op.name: report for op, report in on_engine(ops, engine, rng)})


def _check_sample(
    op: Primitive, operands: Sequence[Any], params: dict[str, Any], rng: np.random.Generator
) -> Report:
    f, x = of_floats(op, operands, params)
    if not x:
        return Report(op.name, (_no_derivative(op, operands, params),))
    f.__name__ = op.name
    subject = own(f, x)
    subject.rng = rng
    if not subject.value(x):
        return Report(op.name, (_no_derivative(op, operands, params),))
    findings = [_shapes(f, x, "shapes and dtypes")]
    single: list[Any] = [np.asarray(a, _single_precision(a))[()] for a in x]
    # a function from outside may compute in float64 only, a dtype may be asked for:
    # derivatives must then fit that
    free = op.foreign or "dtype" in params
    findings.append(_shapes(f, single, "shapes and dtypes, float32" if free else "float32 is kept"))
    if all(f.passed for f in findings):
        findings.append(_agreement(f, x, single, rng))
    if not all(np.size(a) for a in x) or not findings[0].passed:
        return Report(op.name, tuple(findings))  # nothing to differ by, or nothing that fits
    report = Battery(subject, 2, thorough=False).run().report()
    return replace(report, findings=(*findings, *report.findings))


def _no_derivative(op: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Finding:
    """An integer or boolean result: the primitive computes, and carries no derivative."""
    z = op(*operands, **params)
    return Finding("computes; no derivative", 0.0, 0.0, np.asarray(z).dtype.kind in "iub")


def _shapes(f: Any, x: Sequence[Any], what: str) -> Finding:
    """ż has the shape and dtype of z, λ_x those of x."""
    everything = tuple(range(len(x)))
    pulled, value = make_vjp(f, everything)(*x)
    values = parts(value)
    lam = tuple(np.ones(shape_of(z), dtype_of(z))[()] for z in values)
    back = pulled(lam if isinstance(value, tuple) else lam[0])
    _, pushed = make_jvp(f, everything)(*x)(tuple(x))
    pushed = parts(pushed)
    wrong = [
        f"{name} is {shape_of(a)} {dtype_of(a)}, should be {shape_of(b)} {dtype_of(b)}"
        for name, got, expected in (("tangent", pushed, values), ("adjoint", back, x))
        for a, b in zip(got, expected, strict=True)
        if (shape_of(a), dtype_of(a)) != (shape_of(b), dtype_of(b))
    ]
    if what == "float32 is kept":
        wrong += [
            f"value is {dtype_of(z)}"
            for z in values
            if dtype_of(z) not in (np.float32, np.complex64, np.bool_, np.int64)
        ]
    return Finding(what, float(len(wrong)), 0.0, not wrong, "; ".join(wrong))


def _single_precision(x: Any) -> type:
    return np.complex64 if dtype_of(x).kind == "c" else np.float32


def _agreement(f: Any, x: Sequence[Any], single: Sequence[Any], rng: np.random.Generator) -> Finding:
    """float32 derivatives against float64 ones at the same (rounded) point."""
    everything = tuple(range(len(x)))
    double = [in_double(a)[()] for a in single]
    pull64, value = make_vjp(f, everything)(*double)
    pull32, _ = make_vjp(f, everything)(*single)
    as64 = tuple(direction_like(z, rng) for z in parts(value))
    as32: tuple[Any, ...] = tuple(np.asarray(a, _single_precision(a))[()] for a in as64)
    exact = pull64(as64 if isinstance(value, tuple) else as64[0])
    rough = pull32(as32 if isinstance(value, tuple) else as32[0])
    error = max(
        (
            float(np.max(np.abs(a - b), initial=0) / max(1.0, float(np.max(np.abs(a), initial=0))))
            for a, b in zip(exact, rough, strict=True)
        ),
        default=0.0,
    )
    return Finding("float32 against float64", error, 2e-3, error <= 2e-3)
