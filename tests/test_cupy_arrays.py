"""Which public functions take arrays of cupy, and which compute on the host and say so.

Every public name of the parts below stands in one list of `cupy_lists`; a new one must be put into one.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from adjoint import models
from adjoint.errors import DTypeError
from tests.cupy_lists import HOST, NO_ARRAYS, TAKEN
from tests.engines.gpu.machine import EAGER, machine
from tests.helpers import message, points_at


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


@pytest.mark.parametrize("part", TAKEN)
def test_every_public_name_is_in_one_list(part):
    public = set(import_module(part).__all__)
    lists = TAKEN[part], HOST[part], NO_ARRAYS[part]
    assert public == set().union(*lists), "a new name belongs into one of the lists of tests/cupy_lists.py"
    assert len(public) == sum(map(len, lists)), "a name stands in two lists"


# ------------------------------------------------------------------------------------ on the host alone
def entries(part: str) -> Iterator[tuple[str, Any, Any]]:
    """What can be called of a part that computes on the host: its name, the function, whose method it is."""
    for name in HOST[part]:
        found = getattr(import_module(part), name)
        if not isinstance(found, type):
            yield name, found, None
            continue
        for attribute in dir(found):
            member = getattr(found, attribute)
            own = getattr(member, "__module__", None) or ""
            if own.startswith("adjoint") and (inspect.isfunction(member) or inspect.ismethod(member)):
                if attribute == "__init__":
                    yield name, member, found
                elif attribute == "__call__" or not attribute.startswith("_"):
                    yield f"{name}.{attribute}", member, found


def bare(kind: type) -> Any:
    """An object that nobody has made: nothing but the refusal can come of its methods."""
    return kind.__new__(kind, *[None] * len(kind._fields)) if issubclass(kind, tuple) else kind.__new__(kind)


@pytest.mark.parametrize("part", HOST)
def test_what_computes_on_the_host_refuses_each_argument_before_anything_is_done(part, cupy):
    """All other arguments are None: whatever was done with them would fail otherwise."""
    there = cupy.ones(3)
    tried = 0
    for who, function, kind in entries(part):
        unbound = kind is not None and inspect.isfunction(function)
        names = [n for n, p in inspect.signature(function).parameters.items()]
        for name in names[1:] if unbound else names:
            for value, label, remedy in (
                (there, name, f"{name}.get(), or cupy.asnumpy({name})"),
                ({"a": [there]}, f"{name}/a/0", f"ad.tree_map(cupy.asnumpy, {name})"),
            ):
                owner = [bare(kind)] if unbound else []
                call, given = called(function, owner, name, value)
                text = message(DTypeError, call)
                what, *lines = text.splitlines()
                assert what == f"{who} computes on the host, and {given or label} is an array of a device"
                assert lines[1].startswith(f"  {given or label}: (3,) float64, on the device")
                assert given or lines[-1] == f"  Copy it to the host first: {remedy}."
                assert not owner or not getattr(owner[0], "__dict__", None)
                tried += 1
    assert tried >= 2 * len(HOST[part])


def called(function: Any, owner: list[Any], name: str, value: Any) -> tuple[Any, str]:
    """A call with one argument given and all others None; the label of what goes into *args or **kwargs."""
    args, kwargs, label = list(owner), {}, ""
    for p in list(inspect.signature(function).parameters.values())[len(owner) :]:
        x = value if p.name == name else None
        if p.kind is p.VAR_KEYWORD:
            if p.name == name:
                kwargs["option"], label = x, "option/a/0" if isinstance(x, dict) else "option"
        elif p.kind is p.KEYWORD_ONLY:
            kwargs[p.name] = x
        else:
            args.append(x)
    return (lambda: function(*args, **kwargs)), label


def test_a_fitted_model_stays_as_it_was(cupy):
    """X is NumPy's and has other columns than before; y is refused before they are counted."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = models.Ridge().fit(X, X[:, 0])
    before = dict(vars(model))
    text = message(DTypeError, lambda: model.fit(X[:, :2], cupy.asarray(X[:, 0])))
    assert text.startswith("Ridge.fit computes on the host, and y is an array of a device")
    assert points_at(text, "model.fit(X[:, :2]")
    assert vars(model) == before


def test_a_list_of_device_arrays_is_refused_too(cupy):
    y = [cupy.asarray(1.0), cupy.asarray(2.0)]
    text = message(DTypeError, models.Ridge().fit, [[1.0], [2.0]], y)
    assert "y/0 is an array of a device" in text and "ad.tree_map(cupy.asnumpy, y)" in text


def test_functions_of_the_user_that_return_device_arrays(cupy):
    """They are called with NumPy's arrays, and must return such."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    send = cupy.asarray
    die = models.MaxEnt(range(1, 7), moments={"mean": 4.5}).fit()
    cases = {
        "the kernel": lambda: models.SVC(kernel=lambda x, z: send(x @ z.T)).fit(X, X[:, 0] > 0),
        "feature 'a'": lambda: models.MaxEnt(range(4), features={"a": send}, moments={"a": 1.0}).fit(),
        "the features": lambda: models.MaxEnt(range(4), features=lambda x: [send(x)], moments=[1.0]).fit(),
        "the prior": lambda: models.MaxEnt(range(4), moments={"mean": 1.0}, prior=send).fit(),
        "the function": lambda: die.predict(send),
    }
    for what, call in cases.items():
        text = message(DTypeError, call)
        assert text.startswith(f"{what} returned an array of a device, where all else is on the host"), text
        assert "Let it return x.get(), or cupy.asnumpy(x)." in text
