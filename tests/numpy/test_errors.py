"""What cannot be done is refused in words: what, where in the user's code, which shapes, and the remedy."""

from __future__ import annotations

import re

import numpy as np
import pytest

import adjoint.numpy as anp
from adjoint.errors import (
    ConversionError,
    DomainError,
    DTypeError,
    IndexingError,
    MissingRuleError,
    MutationError,
    ShapeError,
)
from adjoint.ops import linalg as la
from adjoint.ops import segment as sg
from adjoint.tape import Tape

X = np.arange(6.0).reshape(2, 3)
OUT = np.empty(())

# program on a (2, 3) Variable → error, and patterns that its text must contain
REFUSED = {
    # options without a rule
    "add where": (lambda v: np.add(v, v, where=X > 0), MissingRuleError, "np.add with where="),
    "reduce initial": (
        lambda v: np.add.reduce(v, initial=1.0),
        MissingRuleError,
        "np.add.reduce with initial=",
        "np.where",
    ),
    "reduceat": (lambda v: np.add.reduceat(v, [0, 1]), MissingRuleError, "np.add.reduceat"),
    "maximum.accumulate": (lambda v: np.maximum.accumulate(v), MissingRuleError, "np.maximum.accumulate"),
    "einsum dtype": (lambda v: np.einsum("ij->i", v, dtype=float), MissingRuleError, "np.einsum with dtype="),
    "concatenate casting": (lambda v: np.concatenate([v, v], casting="no"), MissingRuleError, "casting="),
    "sort order": (lambda v: np.sort(v, order="a"), MissingRuleError, "order="),
    "reshape order": (lambda v: np.reshape(v, 6, order="A"), MissingRuleError, "order='A'", "'C' or 'F'"),
    "pad mode": (lambda v: np.pad(v, 1, mode="mean"), MissingRuleError, "mode='mean'", "reflect"),
    "qr raw": (lambda v: np.linalg.qr(v, mode="raw"), MissingRuleError, "mode='reduced'"),
    "lstsq rows": (lambda v: np.linalg.lstsq(v, np.ones(3)), DomainError, r"\(2, 3\) and \(3,\)"),
    "tensorsolve": (lambda v: np.linalg.tensorsolve(v, np.ones(2)), DomainError, "square system"),
    "no rule": (lambda v: np.histogram(v), MissingRuleError, r"np\.histogram", r"x\.value"),
    # writes into plain arrays
    "sum out": (lambda v: np.sum(v, out=OUT), MutationError, "out="),
    "sum out by position": (lambda v: np.sum(v, None, None, OUT), MutationError, "out="),
    "clip out by position": (lambda v: np.clip(v, 0, 1, OUT), MutationError, r"np\.clip"),
    "dot out by position": (lambda v: np.dot(v, v.T, OUT), MutationError, r"np\.dot"),
    "add out": (lambda v: np.add(v, v, out=np.empty((2, 3))), MutationError, "out="),
    "augmented": (lambda v: np.ones((2, 3)).__iadd__(v), MutationError, r"a = a \+ b"),
    "add.at": (
        lambda v: np.add.at(np.zeros(3), [0], v[0, 0]),
        MutationError,
        r"np\.add\.at",
        r"x\.at\[index\]",
    ),
    "copyto": (lambda v: np.copyto(np.zeros((2, 3)), v), MutationError, r"x\.at"),
    "fill_diagonal": (lambda v: np.fill_diagonal(v, 0.0), MutationError, r"x\.at"),
    "setitem": (lambda v: v.__setitem__(0, 1.0), MutationError, r"x\.at\[…\]\.set"),
    # lists that NumPy would turn into object arrays
    "sum list": (lambda v: np.sum([v, v]), ConversionError, r"np\.stack", r"adjoint\.numpy\.array"),
    "array list": (lambda v: np.array([v[0, 0], 1.0]), ConversionError, r"adjoint\.numpy\.array"),
    "object array": (
        lambda v: v * np.array([1, None, 2], dtype=object),
        DTypeError,
        "object array",
        r"np\.stack",
    ),
    "string": (lambda v: np.add(v, "a"), DTypeError, "add"),
    # indices
    "index": (lambda v: v[5], IndexingError, r"\(2, 3\)", "out of bounds", "count from 0"),
    "too many": (lambda v: v[0, 1, 2], IndexingError, "too many", "one index per axis"),
    "mask": (lambda v: v[np.array([True, False, True])], IndexingError, "A mask has the size"),
    "index arrays": (lambda v: v[[0, 1], [0, 1, 2]], IndexingError, "shape mismatch", r"np\.ix_"),
    "float index": (lambda v: v[1.5], IndexingError, "float64", r"astype\(int\)"),
    "float array index": (lambda v: v[np.ones(2)], IndexingError, "float64", r"astype\(int\)"),
    "recorded float index": (lambda v: v[v[0, 0]], IndexingError, "float64"),
    "string index": (lambda v: v["a"], IndexingError, "integers or booleans"),
    "set shape": (lambda v: v.at[0].set(np.ones(2)), ShapeError, r"x \(2, 3\), v \(2,\)", "broadcast"),
    "set index": (lambda v: v.at[7].set(1.0), IndexingError, "out of bounds"),
    "take": (lambda v: np.take(v, [9]), IndexingError, "out of bounds"),
    "take_along_axis": (
        lambda v: np.take_along_axis(v, np.array([0]), axis=1),
        ShapeError,
        r"\(2, 3\) and \(1,\)",
        "expand_dims",
    ),
    # axes
    **{
        f"axis {name}": (f, ShapeError, "axis -?[45]")
        for name, f in {
            "sum": lambda v: np.sum(v, axis=5),
            "norm": lambda v: np.linalg.norm(v, axis=5),
            "norm pair": lambda v: np.linalg.norm(v, axis=(0, 5)),
            "roll": lambda v: np.roll(v, 1, axis=4),
            "moveaxis": lambda v: np.moveaxis(v, 0, 4),
            "rollaxis": lambda v: np.rollaxis(v, 4),
            "swapaxes": lambda v: np.swapaxes(v, 0, -5),
            "transpose": lambda v: np.transpose(v, (0, 5)),
            "take": lambda v: np.take(v, 0, axis=4),
            "tensordot": lambda v: np.tensordot(v, v, axes=(5, 0)),
            "stack": lambda v: np.stack([v, v], axis=5),
            "sort": lambda v: np.sort(v, axis=4),
            "concatenate": lambda v: np.concatenate([v, v], axis=4),
            "flip": lambda v: np.flip(v, 4),
            "cumsum": lambda v: np.cumsum(v, 4),
            "split": lambda v: np.split(v, 2, axis=4),
            "diff": lambda v: np.diff(v, axis=4),
            "unstack": lambda v: np.unstack(v, axis=4),
            "squeeze": lambda v: np.squeeze(v, 4),
            "repeat": lambda v: np.repeat(v, 2, axis=5),
            "expand_dims": lambda v: np.expand_dims(v, 5),
            "linspace": lambda v: np.linspace(v, v, 3, axis=5),
            "cumprod": lambda v: np.cumprod(v, 5),
        }.items()
    },
    "axis twice": (lambda v: np.sum(v, axis=(0, -2)), ShapeError, "twice"),
    "moveaxis twice": (lambda v: np.moveaxis(v, (0, 1), (0, 0)), ShapeError, "twice"),
    "transpose twice": (lambda v: np.transpose(v, (0, 0)), ShapeError, "repeated axis"),
    # shapes
    "broadcast": (
        lambda v: v + np.ones(4),
        ShapeError,
        r"add needs shapes that broadcast: \(2, 3\) and \(4,\)",
        'input "v"',
        r"x\[:, None\]",
    ),
    "reshape": (lambda v: v.reshape(4, 2), ShapeError, r"size 6 into shape \(4,2\)"),
    "reshape −1": (lambda v: v.reshape(4, -1), ShapeError, r"size 6 into shape \(4,"),
    "concatenate": (
        lambda v: np.concatenate([v, np.ones((2, 2))]),
        ShapeError,
        r"\(2, 3\), \(2, 2\)",
        r"np\.stack",
    ),
    "concatenate scalars": (
        lambda v: np.concatenate([v[0, 0], v[0, 1]]),
        ShapeError,
        r"np\.stack joins scalars",
    ),
    "stack": (lambda v: np.stack([v, v[0]]), ShapeError, r"\(2, 3\), \(3,\)", r"np\.concatenate"),
    "array": (lambda v: anp.array([v, v[0]]), ShapeError, r"\(2, 3\), \(3,\)"),
    "split": (lambda v: np.split(v, 2, axis=1), ShapeError, "2 equal parts", r"np\.array_split"),
    "squeeze": (lambda v: np.squeeze(v, 0), ShapeError, "axis 0", "2 elements"),
    "max of nothing": (lambda v: np.max(v[:0]), ShapeError, r"\(0, 3\)", "no value over nothing"),
    "matmul": (
        lambda v: v @ np.ones((4, 3)),
        ShapeError,
        r"\(2, 3\) @ \(4, 3\)",
        r"second operand transposed \(\.T\)",
    ),
    "matmul scalar": (lambda v: v @ 2.0, ShapeError, r"Use \* for scalars"),
    "matmul batch": (
        lambda v: np.ones((2, 3, 2)) @ (v * np.ones((3, 1, 1))),
        ShapeError,
        "leading axes that broadcast",
    ),
    "tensordot": (
        lambda v: np.tensordot(v, np.ones((4, 2)), 1),
        ShapeError,
        r"axes \(1,\) of \(2, 3\)",
        "last n axes",
    ),
    "einsum size": (
        lambda v: np.einsum("ij,jk->ik", v, np.ones((4, 3))),
        ShapeError,
        "letter 'j' stands for sizes 3 and 4",
    ),
    "einsum letters": (lambda v: np.einsum("ijk->i", v), ShapeError, "'ijk' names 3 axes", "ellipsis"),
    "einsum output": (lambda v: np.einsum("ij->il", v), ShapeError, "output letter 'l'"),
    "einsum operands": (lambda v: np.einsum("ij,j->i", v), ShapeError, "names 2 operands, 1 were given"),
    "einsum diagonal": (lambda v: np.einsum("ii", v), ShapeError, "letter 'i' stands for both 2 and 3"),
    "cross": (lambda v: np.cross(v, np.ones(2)), ShapeError, r"\(2, 3\) and \(2,\)"),
    "average": (lambda v: np.average(v, weights=np.ones(2)), ShapeError, "weights", "axis="),
    "bincount": (lambda v: np.bincount([0, 1], v[0]), ShapeError, "one weight per element"),
    "diag": (lambda v: np.diag(v[None]), ShapeError, r"\(1, 2, 3\)", r"np\.diagonal"),
    "norm of three axes": (lambda v: np.linalg.norm(v[None], 1), ShapeError, "axis=", r"np\.ravel"),
    "linalg.outer": (lambda v: np.linalg.outer(v, v), ShapeError, r"np\.outer flattens"),
    "offsets": (
        lambda v: sg.segment_sum(v, np.array([0, 1])),
        ShapeError,
        r"\[0 1\]",
        r"np\.cumsum\(lengths\)",
    ),
    "offsets fall": (lambda v: sg.segment_max(v, np.array([0, 2, 1, 2])), ShapeError, "rise from 0 to len"),
    "offsets float": (lambda v: sg.segment_logsumexp(v, np.array([0.0, 2.0])), ShapeError, "integers"),
    # matrices
    **{
        f"square {name}": (
            lambda v, name=name: getattr(np.linalg, name)(v),
            DomainError,
            f"linalg.{name} needs a square matrix",
            r"\(2, 3\)",
        )
        for name in ("inv", "det", "slogdet", "cholesky", "eigh")
    },
    "vector": (lambda v: np.linalg.inv(v[0]), DomainError, r"not \(3,\)"),
    "solve singular": (
        lambda v: np.linalg.solve(np.ones((3, 3)) * v[0, 1], np.ones(3)),
        DomainError,
        "ingular",
        "ridge",
    ),
    "solve right-hand side": (
        lambda v: np.linalg.solve(np.eye(3) * v[0, 1], np.ones(4)),
        ShapeError,
        r"\(4, 1\)",
        r"\(…, n, k\)",
    ),
    "triangular singular": (
        lambda v: la.solve_triangular(0 * v @ v.T, np.ones((2, 1)), lower=True, transposed=False, unit=False),
        DomainError,
        "ingular",
    ),
    "cholesky": (
        lambda v: np.linalg.cholesky(-np.eye(2) * v[0, 1]),
        DomainError,
        "positive definite",
        "is -1",
        "identity",
    ),
    "svd of NaN": (lambda v: np.linalg.svdvals(v * np.nan), DomainError, "NaN or infinite"),
}

NUMPYS_OWN = {  # NumPy's exception and NumPy's text are good enough
    "max where": (lambda v: np.max(v, where=X > 0), ValueError, "initial="),
    "where": (lambda v: np.where(v, v), ValueError, "both or neither"),
    "norm ord": (lambda v: np.linalg.norm(v, "abc"), ValueError, "Invalid norm order"),
    "vector norm ord": (lambda v: np.linalg.norm(v[0], "abc"), ValueError, "Invalid norm order"),
    "diff": (lambda v: np.diff(v, -1), ValueError, "non-negative"),
    "matrix_power": (lambda v: np.linalg.matrix_power(v @ v.T, 0.5), TypeError, "integer"),
    "UPLO": (lambda v: np.linalg.eigh(v @ v.T, "X"), ValueError, "UPLO"),
    **{
        f"{name}: one axis": (f, TypeError, "integer")
        for name, f in {
            "diff": lambda v: np.diff(v, axis=None),
            "fft": lambda v: np.fft.fft(v, axis=(1, 0)),
            "take": lambda v: np.take(v, 0, axis=(0,)),
            "trapezoid": lambda v: np.trapezoid(v, axis=None),
            "cumsum": lambda v: np.cumsum(v, (0,)),
            "delete": lambda v: np.delete(v, 0, (0,)),
            "tensordot": lambda v: np.tensordot(v, v, (((0,),), ((0,),))),
        }.items()
    },
}


@pytest.mark.parametrize("name", [*REFUSED, *NUMPYS_OWN])
def test_refusal(name):
    f, kind, *patterns = {**REFUSED, **NUMPYS_OWN}[name]
    with Tape() as tape:
        v = tape.input(X, name="v")
        with np.errstate(invalid="ignore"), pytest.raises(kind) as caught:
            f(v)
    for pattern in patterns:
        assert re.search(pattern, str(caught.value)), f"{pattern!r} is not in:\n{caught.value}"


WITHOUT_LINE = ("array list", "sum list", "object array")  # raised while NumPy converts


@pytest.mark.parametrize("name", [n for n in REFUSED if not n.startswith("axis") and n not in WITHOUT_LINE])
def test_refusal_names_the_line(name):
    with Tape() as tape:
        v = tape.input(X, name="v")
        with np.errstate(invalid="ignore"), pytest.raises(REFUSED[name][1]) as caught:
            REFUSED[name][0](v)
    assert "recorded at " in str(caught.value) and "test_errors.py:" in str(caught.value)


# NumPy accepts these, has no such function, or (average, cross) says it otherwise
NOT_NUMPYS = (
    "svd of NaN",
    "array",
    "average",
    "cross",
    "offsets",
    "offsets fall",
    "offsets float",
    "set shape",
    "set index",
)
KINDS = {ShapeError: (ValueError, IndexError), IndexingError: IndexError, DomainError: np.linalg.LinAlgError}


@pytest.mark.parametrize("name", [n for n, row in REFUSED.items() if row[1] in KINDS and n not in NOT_NUMPYS])
def test_numpy_refuses_it_too(name):
    """What NumPy raises for the same mistake is caught by the same `except`."""
    f, kind, *_ = REFUSED[name]
    with pytest.raises(KINDS[kind]):
        f(X)
