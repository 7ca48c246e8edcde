"""What programs take from autograd's tracer: the plain value of a recorded one."""

from __future__ import annotations

import numpy as np

import adjoint as ad
from adjoint.tracer import getval, isbox


def test_the_plain_value_below_every_level_of_recording() -> None:
    seen = []

    def f(x):
        seen.append((isbox(x), getval(x), x._value))
        return x * getval(x) ** 2

    assert ad.grad(f)(3.0) == 9.0  # the plain factor is a constant
    assert ad.grad(ad.grad(lambda x: f(x) * x))(3.0) == 18.0
    for box, value, private in seen:
        assert box and type(value) is float and value == private == 3.0


def test_what_is_not_recorded_is_its_own_value() -> None:
    x = np.arange(3.0)
    assert getval(x) is x and not isbox(x)
    assert getval("name") == "name"
