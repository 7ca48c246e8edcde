"""Products and linear algebra, with NumPy's signatures."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..errors import DomainError, MissingRuleError, ShapeError, refusal
from ..ops import linalg as la
from ..ops.broadcast import reshape
from ..ops.elementwise import multiply
from ..ops.index import ARRAY, getitem
from ..ops.primitive import Recorded, dtype_of, innermost, normalize_axis, shape_of
from ..ops.shape import swap_last
from .dispatch import UFUNCS, implements

UFUNCS[np.matmul] = la.matmul


@implements(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """As np.matmul."""
    return la.matmul(x1, x2)


def _array(x: Any) -> Any:
    return x if isinstance(x, Recorded) else np.asarray(x)


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """As np.dot."""
    a, b = _array(a), _array(b)
    if not shape_of(a) or not shape_of(b):
        return multiply(a, b)
    if len(shape_of(b)) <= 2:
        return la.matmul(a, b)
    return tensordot(a, b, axes=((-1,), (-2,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """As np.vdot."""
    return la.matmul(np.ravel(a), np.ravel(b))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """As np.inner."""
    a, b = _array(a), _array(b)
    return multiply(a, b) if not shape_of(a) or not shape_of(b) else tensordot(a, b, axes=((-1,), (-1,)))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """As np.outer."""
    return multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@implements(np.linalg.outer)
def vector_outer(x1: Any, x2: Any, /) -> Any:
    """As np.linalg.outer: vectors only."""
    if len(shape_of(x1)) != 1 or len(shape_of(x2)) != 1:
        what = f"linalg.outer needs two vectors: {shape_of(x1)} and {shape_of(x2)}"
        raise refusal(ShapeError, what, "np.outer flattens; np.multiply.outer keeps the axes.")
    return outer(x1, x2)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As np.vecdot."""
    return np.sum(multiply(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)), axis=-1)


def matvec(x1: Any, x2: Any, /) -> Any:
    """As np.matvec: (…, n, m) and (…, m) → (…, n)."""
    x2 = _array(x2)
    return np.squeeze(la.matmul(x1, reshape(x2, shape=(*shape_of(x2), 1))), -1)


def vecmat(x1: Any, x2: Any, /) -> Any:
    """As np.vecmat: (…, n) and (…, n, m) → (…, m)."""
    x1 = _array(x1)
    return np.squeeze(la.matmul(reshape(x1, shape=(*shape_of(x1)[:-1], 1, *shape_of(x1)[-1:])), x2), -2)


UFUNCS.update({np.vecdot: vecdot, np.matvec: matvec, np.vecmat: vecmat})


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    """As np.tensordot: both operands as matrices, one product."""
    a, b = _array(a), _array(b)
    shape_a, shape_b = shape_of(a), shape_of(b)
    if isinstance(axes, (int, np.integer)):
        axes = (range(-int(axes), 0), range(int(axes)))
    chosen_a, chosen_b = (tuple(s) if isinstance(s, (tuple, list, range)) else (s,) for s in axes)
    axes_a = tuple(normalize_axis(k, len(shape_a))[0] for k in chosen_a)
    axes_b = tuple(normalize_axis(k, len(shape_b))[0] for k in chosen_b)
    if [shape_a[k] for k in axes_a] != [shape_b[k] for k in axes_b]:
        what = f"tensordot: axes {axes_a} of {shape_a} do not match axes {axes_b} of {shape_b}"
        raise refusal(
            ShapeError,
            what,
            "axes=n joins the last n axes of the first operand with the first n of the second.",
        )
    free_a = tuple(k for k in range(len(shape_a)) if k not in axes_a)
    free_b = tuple(k for k in range(len(shape_b)) if k not in axes_b)
    inside = int(np.prod([shape_a[k] for k in axes_a], dtype=int))
    rows, columns = [shape_a[k] for k in free_a], [shape_b[k] for k in free_b]
    left = reshape(np.transpose(a, free_a + axes_a), shape=(int(np.prod(rows, dtype=int)), inside))
    right = reshape(np.transpose(b, axes_b + free_b), shape=(inside, int(np.prod(columns, dtype=int))))
    return reshape(la.matmul(left, right), shape=(*rows, *columns))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """As np.kron."""
    a, b = _array(a), _array(b)
    ndim = max(len(shape_of(a)), len(shape_of(b)))
    shape_a, shape_b = ((1,) * (ndim - len(s)) + s for s in (shape_of(a), shape_of(b)))
    left = reshape(a, shape=tuple(m for n in shape_a for m in (n, 1)))
    right = reshape(b, shape=tuple(m for n in shape_b for m in (1, n)))
    return reshape(left * right, shape=tuple(n * m for n, m in zip(shape_a, shape_b, strict=True)))


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@implements(np.einsum)
def einsum(*operands: Any, optimize: Any = False) -> Any:
    """As np.einsum, in both calling forms; ellipsis and letters repeated in one operand included."""
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0].replace(" ", ""), [_array(a) for a in operands[1:]]
    else:
        arrays = [_array(a) for a in operands[0 : len(operands) - len(operands) % 2 : 2]]
        words = ["".join("..." if c is Ellipsis else LETTERS[c] for c in w) for w in operands[1::2]]
        tail = (
            ["".join("..." if c is Ellipsis else LETTERS[c] for c in operands[-1])]
            if len(operands) % 2
            else []
        )
        subscripts = "->".join([",".join(words), *tail])
    inputs, arrow, output = subscripts.partition("->")
    words = inputs.split(",")
    if len(words) != len(arrays):
        raise refusal(
            ShapeError, f"einsum: {subscripts!r} names {len(words)} operands, {len(arrays)} were given"
        )
    if not arrow:
        letters = inputs.replace(",", "").replace(".", "")
        output = ("..." if "..." in inputs else "") + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1)
        )
    words, output = _without_ellipsis(words, output, arrays)
    for k, word in enumerate(words):
        arrays[k], words[k] = _without_repeats(arrays[k], word)
    return la.einsum(*arrays, subscripts=",".join(words) + "->" + output)


def _without_ellipsis(words: list[str], output: str, arrays: list[Any]) -> tuple[list[str], str]:
    """Name the axes behind each ellipsis, aligned from the right."""
    free = [c for c in LETTERS if c not in "".join(words)]
    counts = [len(shape_of(a)) - len(w.replace("...", "")) for w, a in zip(words, arrays, strict=True)]
    most = max([n for n, w in zip(counts, words, strict=True) if "..." in w], default=0)
    dots = "".join(free[:most])
    named = [
        w.replace("...", dots[most - n :]) if "..." in w else w for n, w in zip(counts, words, strict=True)
    ]
    for word, a in zip(named, arrays, strict=True):
        if len(word) != len(shape_of(a)):
            what = (
                f"einsum: {word!r} names {len(word)} axes of an operand of {len(shape_of(a))}: {shape_of(a)}"
            )
            raise refusal(ShapeError, what, "An ellipsis (...) stands for axes without a letter.")
    return named, output.replace("...", dots)


def _without_repeats(a: Any, word: str) -> tuple[Any, str]:
    """Take the diagonal over letters that occur twice: 'ii' → 'i'."""
    unique = "".join(dict.fromkeys(word))
    if len(unique) == len(word):
        return a, word
    shape = shape_of(a)
    sizes = {c: shape[word.index(c)] for c in unique}
    for c, n in zip(word, shape, strict=True):
        if sizes[c] != n:
            raise refusal(
                ShapeError, f"einsum: letter {c!r} stands for both {sizes[c]} and {n} in {word!r} of {shape}"
            )
    grids = dict(zip(unique, np.ix_(*(np.arange(sizes[c]) for c in unique)), strict=True))
    return getitem(a, *(grids[c] for c in word), template=(ARRAY,) * len(word)), unique


# ---------------------------------------------------------------------------------------------- numpy.linalg
# NumPy's named tuples, which it keeps to itself
SLOGDET: Any = type(np.linalg.slogdet(np.eye(1)))
EIGH: Any = type(np.linalg.eigh(np.eye(1)))
SVD: Any = type(np.linalg.svd(np.eye(1)))
QR: Any = type(np.linalg.qr(np.eye(1)))


def _matrix(name: str, a: Any, square: bool = True) -> Any:
    """The operand, once it is known to have rows and columns (a DomainError is NumPy's LinAlgError)."""
    a = _array(a)
    shape = shape_of(a)
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        kind = "a square matrix" if square else "a matrix"
        raise refusal(DomainError, f"linalg.{name} needs {kind} or a stack of them, not {shape}")
    return a


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """As np.linalg.solve: b is a vector only if it has one dimension."""
    a, b = _matrix("solve", a), _array(b)
    if len(shape_of(b)) == 1:
        z = la.solve(a, reshape(b, shape=(*shape_of(b), 1)))
        return reshape(z, shape=shape_of(z)[:-1])
    return la.solve(a, b)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """As np.linalg.inv."""
    return la.inv(_matrix("inv", a))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """As np.linalg.det; differentiable, to every order, for singular matrices too."""
    plain = innermost(_matrix("det", a))
    directions = la.smallest_directions(plain) if plain.size and np.isfinite(plain).all() else None
    return la.det(a) if directions is None else la.det_of_singular(a, *directions)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """As np.linalg.slogdet."""
    return SLOGDET(*la.slogdet(_matrix("slogdet", a)))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """As np.linalg.cholesky, which reads one triangle: the derivative has entries in that triangle only."""
    factor = la.cholesky(la.mirror(_matrix("cholesky", a), lower=not upper))
    return swap_last(factor) if upper else factor


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """As np.linalg.eigh, which reads one triangle: the derivative has entries in that triangle only."""
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    lower = UPLO.upper() == "L"
    return EIGH(*la.eigh(la.mirror(_matrix("eigh", a), lower=lower), lower=lower))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """As np.linalg.eigvalsh."""
    return eigh(a, UPLO)[0]


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """As np.linalg.svd; not square: only with full_matrices=False (the rest is not unique)."""
    shape = shape_of(_matrix("svd", a, square=False))
    if hermitian:
        raise refusal(
            MissingRuleError, "np.linalg.svd with hermitian=True has no rule", "Leave it away, or use eigh."
        )
    if compute_uv and full_matrices and shape[-1] != shape[-2]:
        what = f"np.linalg.svd of {shape} with full_matrices=True has no derivative: its extra vectors vary"
        raise refusal(MissingRuleError, what, "Pass full_matrices=False.")
    result = SVD(*la.svd(a))
    return result if compute_uv else result.S


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """As np.linalg.svdvals."""
    return svd(x, compute_uv=False)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """As np.linalg.qr, modes reduced and r."""
    if mode not in ("reduced", "r"):
        raise refusal(
            MissingRuleError, f"np.linalg.qr with mode={mode!r} has no rule", "Pass mode='reduced' or 'r'."
        )
    rows, columns = shape_of(_matrix("qr", a, square=False))[-2:]
    if rows >= columns:
        q, r = la.qr(a)
    else:  # the leading square block decides q; the other columns follow from it
        q, leading = la.qr(a[..., :rows])
        r = np.concatenate([leading, la.matmul(swap_last(q), a[..., rows:])], axis=-1)
    return r if mode == "r" else QR(q, r)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """As np.linalg.matrix_power, by repeated squaring."""
    shape, n = shape_of(_matrix("matrix_power", a)), operator.index(n)
    if n <= 0:
        return (
            matrix_power(la.inv(a), -n)
            if n
            else np.broadcast_to(np.eye(shape[-1], dtype=dtype_of(a)), shape).copy()
        )
    result, square = None, a
    while True:
        if n & 1:
            result = square if result is None else la.matmul(result, square)
        n >>= 1
        if not n:
            return result
        square = la.matmul(square, square)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """As np.linalg.multi_dot, from the left."""
    result, *others = arrays
    for a in others:
        result = dot(result, a)
    return result


@implements(np.linalg.cross)
def cross_of_three(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As np.linalg.cross."""
    return cross(x1, x2, axis=axis)


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """As np.cross for vectors of three components."""
    axisa, axisb, axisc = (axis,) * 3 if axis is not None else (axisa, axisb, axisc)
    a, b = np.moveaxis(_array(a), axisa, -1), np.moveaxis(_array(b), axisb, -1)
    if shape_of(a)[-1] != 3 or shape_of(b)[-1] != 3:
        raise refusal(ShapeError, f"cross needs vectors of three components: {shape_of(a)} and {shape_of(b)}")
    following, previous = np.array([1, 2, 0]), np.array([2, 0, 1])
    z = a[..., following] * b[..., previous] - a[..., previous] * b[..., following]
    return np.moveaxis(z, -1, axisc)
