"""What check.pair makes of a case, and what it should have said and did not."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from adjoint import check
from adjoint.check import Report

from .pairs import Case, Function, Pair
from .truth import Truth, wrong_entries


def checked(pair: Pair) -> Report:
    """check.pair of a case, with its defaults."""
    given: dict[str, Any] = {}
    for name in ("vjp", "jvp", "hvp"):
        written = getattr(pair, name)
        if written is not None:
            given[name] = _with_arguments_first(written, bare=name != "vjp" and len(pair.positions) == 1)
    if pair.argnum is not None:
        given["argnum"] = pair.argnum
    with np.errstate(all="ignore"):
        return check.pair(pair.f, pair.gradient, pair.args, **given)


@functools.cache
def report_of(case: Case) -> Report:
    """check.pair of a case as it is built, once for all who ask: a million inputs take a second."""
    return checked(case.build())


def _with_arguments_first(written: Function, bare: bool) -> Function:
    """The order of check.pair, (args, v); of a single argument the catalogue's functions take v itself."""
    return lambda args, v: written(v[0] if bare else v, *args)


def paths(report: Report) -> list[tuple[str, tuple[int, ...]]]:
    """Path and index of every place that a report names, in the catalogue's manner: "0/layers/1/b"."""
    return [
        ("/".join([str(p.position), *p.argument.split("/")[1:]]), tuple(int(i) for i in p.index))
        for p in report.places
    ]


def missed(case: Case) -> str:
    """What a report about a wrong derivative lacks; empty when it detects, locates and says what it must."""
    report = checked(case.build())
    if not report.failures:
        return "not detected"
    lack = misplaced(case, report)
    said = "\n".join([*map(str, report.failures), *report.notes])  # what passed is named too
    if not lack and case.says and not re.search(case.says, said):
        lack = f"does not say {case.says}"
    return lack and f"{lack}\n{report!r}"


def misplaced(case: Case, report: Report, truth: Truth | None = None) -> str:
    """What is wrong with the places that a failing report names; empty when they are right."""
    if truth is None:
        truth = wrong_entries(case) if case.arguments and case.theme != "wrong second order" else {}
    if not truth:  # wrong in memory, in the tangent alone, in second derivatives, or at the second call only
        return ""
    named = paths(report)
    if not named:
        return "no place named"
    for path, index in named:
        if path not in truth:
            return f"argument {path} is right"
        if index and index not in truth[path]:
            return f"entry {list(index)} of argument {path} is right"
    return ""


def alarm(case: Case) -> str:
    """The false alarm about a hard function, or what should have been said of it; empty when all is well."""
    report = report_of(case)
    if report.failures or not report.findings:
        return f"false alarm\n{report!r}"
    if case.says and not re.search(case.says, repr(report)):
        return f"does not say {case.says}\n{report!r}"
    return ""
