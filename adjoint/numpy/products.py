"""Products, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from ..ops.broadcast import reshape
from ..ops.elementwise import multiply
from ..ops.index import ARRAY, getitem
from ..ops.primitive import Recorded, shape_of
from ..ops.products import einsum as einsum_op
from ..ops.products import matmul as matmul_op
from .complexes import conjugate
from .creation import asarray, together
from .dispatch import UFUNCS, implements
from .shaping import single_axis

UFUNCS[np.matmul] = matmul_op


@implements(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """As np.matmul."""
    return matmul_op(x1, x2)


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """As np.dot."""
    a, b = together((a, b))
    if not shape_of(a) or not shape_of(b):
        return multiply(a, b)
    if len(shape_of(b)) <= 2:
        return matmul_op(a, b)
    return tensordot(a, b, axes=((-1,), (-2,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """As np.vdot."""
    return matmul_op(conjugate(np.ravel(a)), np.ravel(b))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """As np.inner."""
    a, b = together((a, b))
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
    sizes = [shape_of(x)[axis] for x in (x1, x2)]
    if sizes[0] != sizes[1]:  # one element is not broadcast here
        what = f"vecdot needs vectors of one length along axis {axis}: {shape_of(x1)} and {shape_of(x2)}"
        raise refusal(ShapeError, what, "np.sum(x * y, axis=-1) broadcasts.")
    return np.sum(multiply(conjugate(np.moveaxis(x1, axis, -1)), np.moveaxis(x2, axis, -1)), axis=-1)


def matvec(x1: Any, x2: Any, /) -> Any:
    """As np.matvec: (…, n, m) and (…, m) → (…, n)."""
    x2 = asarray(x2)
    return np.squeeze(matmul_op(x1, reshape(x2, shape=(*shape_of(x2), 1))), -1)


def vecmat(x1: Any, x2: Any, /) -> Any:
    """As np.vecmat: (…, n) and (…, n, m) → (…, m)."""
    x1 = conjugate(asarray(x1))
    return np.squeeze(matmul_op(reshape(x1, shape=(*shape_of(x1)[:-1], 1, *shape_of(x1)[-1:])), x2), -2)


UFUNCS.update({np.vecdot: vecdot, np.matvec: matvec, np.vecmat: vecmat})


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, /, axes: Any = 2) -> Any:
    """As np.tensordot: both operands as matrices, one product."""
    a, b = together((a, b))
    shape_a, shape_b = shape_of(a), shape_of(b)
    if isinstance(axes, (int, np.integer)):
        axes = (range(-int(axes), 0), range(int(axes)))
    chosen_a, chosen_b = (tuple(s) if isinstance(s, (tuple, list, range)) else (s,) for s in axes)
    axes_a = tuple(single_axis(k, a) for k in chosen_a)
    axes_b = tuple(single_axis(k, b) for k in chosen_b)
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
    return reshape(matmul_op(left, right), shape=(*rows, *columns))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """As np.kron."""
    a, b = together((a, b))
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
        subscripts, arrays = operands[0].replace(" ", ""), [asarray(a) for a in operands[1:]]
    else:
        arrays = [asarray(a) for a in operands[0 : len(operands) - len(operands) % 2 : 2]]
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
    return einsum_op(*arrays, subscripts=",".join(words) + "->" + output)


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: Any = False) -> Any:
    """As np.einsum_path: shapes alone decide."""
    blanks = [np.broadcast_to(0.0, shape_of(x)) if isinstance(x, Recorded) else x for x in operands]
    return np.einsum_path(*blanks, optimize=optimize, einsum_call=einsum_call)


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
