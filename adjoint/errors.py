"""Errors are part of the interface: what went wrong, where, with which shapes, and the remedy.

Every exception of the library is an `AdjointError` *and* the built-in a NumPy user would catch, so
`except ValueError` keeps working. `format_error` is the one formatter; it lays the parts out as

    ShapeError: matmul needs inner sizes to agree: (32, 10) @ (12, 4)
      recorded at train.py:41  in scope "encoder/layer2":  h = x @ W
      x0: (32, 10) float64 input;  x1: (12, 4) float64 parameter "W2"
      Did you mean W.T, or an input of 12 features?
"""

from __future__ import annotations

import linecache
import os
import sys
import warnings
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import NamedTuple, TypeVar

import numpy as np

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# Frames below these folders are not the user's; except the demos', which play the user's part.
_NUMPY = os.path.dirname(os.path.abspath(np.__file__))
INTERNAL = (_PACKAGE, _NUMPY + os.sep, os.path.join(os.path.dirname(_NUMPY), "scipy") + os.sep)
_DEMOS = os.path.join(_PACKAGE, "demos") + os.sep


class _Internal(dict[str, bool]):
    """Whether a file's frames are not the user's; each name is looked at once, for every operation asks."""

    def __missing__(self, file: str) -> bool:
        self[file] = found = file.startswith(INTERNAL) and not file.startswith(_DEMOS)
        return found


is_internal = _Internal().__getitem__


def user_instruction() -> tuple[CodeType, int]:
    """Code object and offset of the user's innermost frame; of the outermost when none is the user's."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if not is_internal(file) and (file != "<string>" or not _generated(frame)):
            break
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def warn(text: str, kind: type[Warning]) -> None:
    """Warn at the user's line, however many functions of the library lie between."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and is_internal(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)


def _generated(frame: FrameType) -> bool:
    """Whether a frame without a file runs a method that `dataclass` wrote for a class of the library."""
    return str(frame.f_globals.get("__name__")).startswith(f"{__package__}.")


class AdjointError(Exception):
    """Base of every error the library raises on purpose."""


E = TypeVar("E", bound=AdjointError)


class ShapeError(AdjointError, ValueError):
    """Shapes do not fit the operation."""


class DTypeError(AdjointError, TypeError):
    """A dtype that cannot be differentiated, or cannot be mixed: integers, objects, strings."""


class DomainError(AdjointError, np.linalg.LinAlgError):
    """A value outside an operation's domain: a singular matrix, a matrix that is not positive definite."""


class IndexingError(AdjointError, IndexError):
    """An index that does not fit the array, or a form of indexing that cannot be recorded."""


class ConversionError(AdjointError, TypeError):
    """A recorded value was about to become a plain number, which would lose its derivative silently."""


class MutationError(AdjointError, TypeError):
    """An in-place write that would lose a derivative silently."""


class LeakError(AdjointError, RuntimeError):
    """A Variable is used after its tape was closed, or outside the thread that records it."""


class MissingRuleError(AdjointError, TypeError, NotImplementedError):
    """A function without a rule was called on a Variable."""


class RuleError(AdjointError, RuntimeError):
    """A rule contradicts its primitive in shape or number of results, or its twin cannot be derived."""


class TreeError(AdjointError, ValueError):
    """Two nested containers differ where they should agree, or a leaf is neither number nor array."""


class TraceError(AdjointError, TypeError):
    """A program to be compiled asks for a value, or for randomness, while only shapes are known."""


class UnknownNameError(AdjointError, KeyError):
    """No value has that name; the message lists those there are."""

    __str__ = Exception.__str__  # KeyError would print the message in quotes


class ConvergenceError(AdjointError, RuntimeError):
    """An iteration stopped before it met its tolerance."""


class DeviceError(AdjointError, RuntimeError):
    """A GPU, its driver, its memory or its compiler is not there or refuses."""


class MissingPackageError(AdjointError, ImportError):
    """A package is asked for that only an extra installs; the message has the command."""


def need(package: str, why: str, extra: str) -> None:
    """Raise MissingPackageError, naming the install command, unless a package of an extra is there."""
    try:
        __import__(package)
    except ImportError:
        command = f"pip install 'adjoint-autodiff[{extra}]'"
        raise MissingPackageError(f"{why} needs {package}, which is not installed\n  {command}") from None


class Origin(NamedTuple):
    """The user's instruction that recorded a node: a code object and an offset, formatted only when asked."""

    code: CodeType | None
    offset: int

    @property
    def line(self) -> int:
        """Line number in the user's file, 0 when unknown."""
        return self._position()[0]

    @property
    def file(self) -> str:
        """Path of the user's file as Python knows it."""
        return self.code.co_filename if self.code is not None else "<unknown>"

    @property
    def source(self) -> str:
        """The user's line of source, stripped; empty when it cannot be read."""
        return linecache.getline(self.file, self.line).strip() if self.code is not None else ""

    @property
    def place(self) -> str:
        """`file.py:41`, the file's path relative to the working directory when it lies below it."""
        if self.code is None:
            return "<unknown>"
        path = self.file
        if os.path.isabs(path):
            relative = os.path.relpath(path)
            path = relative if not relative.startswith("..") else os.path.basename(path)
        return f"{path}:{self.line}"

    def _position(self) -> tuple[int, int]:
        if self.code is None:
            return 0, 0
        for k, (line, _, column, _) in enumerate(self.code.co_positions()):
            if 2 * k == self.offset:
                return line or self.code.co_firstlineno, column or 0
        return self.code.co_firstlineno, 0


NOWHERE = Origin(None, 0)


def origin_of(error: BaseException) -> Origin:
    """The user's instruction, called by the library, below which an error came up; `NOWHERE` if none."""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not is_internal(code.co_filename):
            return Origin(code, trace.tb_lasti)
        trace = trace.tb_next
    return NOWHERE


def format_error(
    what: str, *, origin: Origin = NOWHERE, scope: str = "", operands: Iterable[str] = (), remedy: str = ""
) -> str:
    """Lay out one error message; every part but `what` may be empty.

    Args:
        what: the sentence a reader needs first.
        origin: where the user's code recorded the operation.
        scope: the scope's path, `"encoder/layer2"`.
        operands: one description per operand, from `describe`.
        remedy: what to do about it.

    Returns:
        The message, indented lines after the first.
    """
    lines = [what]
    if origin.code is not None:
        place = f"recorded at {origin.place}"
        if scope:
            place += f'  in scope "{scope}"'
        if origin.source:
            place += f":  {origin.source}"
        lines.append(place)
    described = ";  ".join(operands)
    if described:
        lines.append(described)
    if remedy:
        lines.append(remedy)
    return "\n  ".join(lines)


def refusal(kind: type[E], what: str, remedy: str = "", operands: Iterable[str] = ()) -> E:
    """An error with the user's line in it, for what is refused before anything is recorded.

    The remedy may also follow the first line of `what`; `operands` as in `format_error`.
    """
    what, _, following = what.partition("\n  ")
    origin = Origin(*user_instruction())
    return kind(format_error(what, origin=origin, operands=operands, remedy=remedy or following))


def describe(value: object, label: str = "", role: str = "") -> str:
    """One operand in words: `W: (12, 4) float64 parameter "W2"`."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None:
        text = (
            f"{type(value).__name__} {value!r}"
            if isinstance(value, (bool, int, float))
            else type(value).__name__
        )
    else:
        text = f"{tuple(shape)} {dtype}"
    return " ".join(part for part in (f"{label}:" if label else "", text, role) if part)
