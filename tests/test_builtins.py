"""`isinstance` and `type` of recorded values; a star import leaves Python's own names alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import builtins as ab
from adjoint import dict as ad_dict
from adjoint import isinstance as ad_isinstance
from adjoint import list as ad_list
from adjoint import tuple as ad_tuple

from .helpers import close, normal

CASES: dict[str, tuple[Any, Any, Any]] = {  # x, what it is, what it is not
    "array": (np.ones(2), np.ndarray, float),
    "0-d array": (np.array(2.0), np.ndarray, list),
    "float": (2.0, float, np.ndarray),
    "numpy scalar": (np.float64(2.0), (np.floating, int), np.ndarray),
    "list": ([1.0], ad_list, tuple),
    "tuple": ((1.0,), ad_tuple, (list, dict)),
    "dict": ({"a": 1.0}, ad_dict, list),
    "empty": ([], list, np.ndarray),
}


@pytest.mark.parametrize("case", CASES)
def test_kinds_are_those_of_the_plain_value(case: str) -> None:
    x, is_a, is_none = CASES[case]
    seen = []

    def f(x: Any) -> Any:
        seen.append((ad_isinstance(x, is_a), ad_isinstance(x, is_none), ad.type(x)))
        return 1.0

    f(x)
    ad.grad(f)(x)
    ad.grad(lambda x: (ad.grad(f)(x), 1.0)[1])(x)
    assert seen == [(True, False, type(x))] * 3
    if case != "0-d array":  # which cannot be told from a scalar while a program is traced
        ad.compile(f)(x)
        assert seen[-1] == (True, False, type(x))


def test_variables_are_variables_too() -> None:
    kinds: list[bool] = []
    ad.grad(lambda x: kinds.append(ad_isinstance(x, ad.Variable)) or x)(1.0)
    assert kinds == [True] and not ad_isinstance(1.0, ad.Variable)
    assert ab.type("Made", (), {}).__name__ == "Made"


def test_containers_are_built_sliced_and_iterated_inside_a_function() -> None:
    x, y = normal(3), normal(3, seed=1)

    def f(p: Any) -> Any:
        assert ad_isinstance(p, ad_dict) and ad_isinstance(p["layers"], ad_list)
        pairs = ad_dict([("s", p["scale"])], t=ad_tuple((p["scale"], 2.0)))
        total = sum(np.sum(np.sin(v)) for v in ad_list(p["layers"][1:]))
        return total * pairs["s"] + pairs["t"][0] * sum(len(v) for v in p.values() if ad_isinstance(v, list))

    close(
        ad.grad(f)({"layers": [x, y], "scale": 2.0}),
        {"layers": [np.zeros(3), 2 * np.cos(y)], "scale": np.sum(np.sin(y)) + 2},
    )
    close(ad.jacobian(lambda t: ad_list((t, t * t)))(3.0), [1.0, 6.0])


def test_star_import_leaves_pythons_names() -> None:
    code = "from adjoint import *; print(isinstance.__module__, type.__module__, list.__module__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["builtins"] * 3
