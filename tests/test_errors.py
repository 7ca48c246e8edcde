"""Errors: one formatter, and classes that NumPy users catch."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import errors
from adjoint.errors import Origin, describe, format_error, user_instruction

from .helpers import message, points_at

BASES: dict[str, tuple[type[Exception], ...]] = {
    "ShapeError": (ValueError,),
    "DTypeError": (TypeError,),
    "DomainError": (np.linalg.LinAlgError, ValueError),
    "IndexingError": (IndexError, LookupError),
    "ConversionError": (TypeError,),
    "MutationError": (TypeError,),
    "LeakError": (RuntimeError,),
    "MissingPackageError": (ImportError,),
    "MissingRuleError": (TypeError,),
    "RuleError": (RuntimeError,),
    "TreeError": (ValueError,),
    "TraceError": (TypeError,),
    "ConvergenceError": (RuntimeError,),
    "DeviceError": (RuntimeError,),
    "UnknownNameError": (KeyError,),
    "AdjointError": (Exception,),
}


@pytest.mark.parametrize("name", BASES)
def test_errors_are_what_numpy_users_catch(name: str) -> None:
    kind = getattr(ad, name)
    assert issubclass(kind, (ad.AdjointError, *BASES[name]))
    assert all(issubclass(kind, base) for base in BASES[name])
    assert kind.__doc__


def test_every_error_class_is_public_and_listed_here() -> None:
    classes = {k for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert classes == set(BASES)


def test_format() -> None:
    origin = Origin(*user_instruction())
    text = format_error(
        "what", origin=origin, scope="a/b", operands=["x: (3,)", "", "y: (2,)"], remedy="do this"
    )
    first, second, third, fourth = text.split("\n")
    assert (first, third, fourth) == ("what", "  x: (3,);  ;  y: (2,)", "  do this")
    assert second.endswith('in scope "a/b":  origin = Origin(*user_instruction())')
    assert format_error("what") == "what"


def test_place_is_relative_below_the_working_directory(monkeypatch: Any, tmp_path: Any) -> None:
    origin = Origin(*user_instruction())
    monkeypatch.chdir(os.path.dirname(__file__))
    assert origin.place == f"test_errors.py:{origin.line}"
    monkeypatch.chdir(tmp_path)
    assert origin.place == f"test_errors.py:{origin.line}"
    assert origin.file == __file__
    assert (errors.NOWHERE.place, errors.NOWHERE.line, errors.NOWHERE.source) == ("<unknown>", 0, "")


def test_code_without_a_file_has_a_line_all_the_same() -> None:
    space: dict[str, Any] = {"np": np, "ad": ad}
    exec("def f(x):\n    return x @ np.ones((2, 2))", space)
    with pytest.raises(ad.ShapeError) as caught:
        ad.grad(space["f"])(np.ones(3))
    assert "<string>:2" in str(caught.value)


def test_what_a_dataclass_of_the_library_refuses_is_recorded_at_the_users_line() -> None:
    """Python writes its `__init__`, in a file called <string>."""
    text = message(ad.models.DataError, lambda: ad.models.alignment.Constraint("safe", np.nan))
    assert points_at(text, 'Constraint("safe", np.nan)')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((2, 3), np.float32), "x: (2, 3) float32"),
        (np.float64(1.0), "x: () float64"),
        (1.5, "x: float 1.5"),
        (True, "x: bool True"),
        (3, "x: int 3"),
        ([1], "x: list"),
        (None, "x: NoneType"),
        ("abc", "x: str"),
    ],
)
def test_describe(value: Any, text: str) -> None:
    assert describe(value, "x") == text
    assert describe(value, "x", "constant") == f"{text} constant"
