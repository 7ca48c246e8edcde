"""What random programs are made of: operations (m, x, y, k) that make do with any shapes, real or complex.

`m` is the library, NumPy or jax.numpy; k chooses among variants, axes, indices. An operation that does not
fit its operands returns x. What would leave the domain of a function is brought into it first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..numpy.test_random import random_einsum, random_index

OPERATIONS: dict[str, Callable[..., Any]] = {}
LARGEST = 80  # elements of a value


def operation(f: Callable[..., Any]) -> Callable[..., Any]:
    """Enter an operation in the table."""
    OPERATIONS[f.__name__] = f
    return f


# ------------------------------------------------------------------------------------------- what there is
def is_complex(x: Any) -> bool:
    return np.dtype(x.dtype).kind == "c" if hasattr(x, "dtype") else isinstance(x, complex)


def square(m: Any, x: Any) -> Any:
    """|x|², smooth at 0."""
    return m.real(x) ** 2 + m.imag(x) ** 2 if is_complex(x) else x * x


def tamed(m: Any, x: Any) -> Any:
    """Of modulus below 1."""
    return x / m.sqrt(1 + square(m, x))


def real(m: Any, x: Any) -> Any:
    return m.real(x) + 0.5 * m.imag(x) if is_complex(x) else x


def axis_of(x: Any, k: int) -> int:
    """An axis, counted from either end."""
    return k % (2 * np.ndim(x)) - np.ndim(x)


def axes_of(x: Any, k: int) -> Any:
    """None, an int, or a tuple of axes, some counted from the end; possibly the empty tuple."""
    n = np.ndim(x)
    if k % 3 == 0 or not n:
        return None
    if k % 3 == 1:
        return axis_of(x, k // 3)
    return tuple(a - n * (k // 48 >> a & 1) for a in range(n) if k // 3 >> a & 1)


def fitting(m: Any, x: Any, y: Any) -> Any:
    """y, or its mean where the shapes do not broadcast or grow too much."""
    try:
        size = np.prod(np.broadcast_shapes(np.shape(x), np.shape(y)))
    except ValueError:
        size = LARGEST + 1
    return y if size <= LARGEST else m.sum(y) / max(np.size(y), 1)


def chosen(table: list[Any], k: int) -> Any:
    return table[k % len(table)]


# --------------------------------------------------------------------------------------------- elementwise
OF_ANY: list[Callable[..., Any]] = [
    lambda m, x: m.exp(0.5 * tamed(m, x)),
    lambda m, x: m.sin(x),
    lambda m, x: m.tanh(0.5 * tamed(m, x)),
    lambda m, x: m.sqrt(2 + tamed(m, x)),
    lambda m, x: m.log(3 + 2 * tamed(m, x)),
    lambda m, x: 1 / (2 + tamed(m, x)),
    lambda m, x: tamed(m, x) ** 3,
    lambda m, x: (2 + tamed(m, x)) ** -1.5,
    lambda m, x: m.square(x) - m.negative(x),
    lambda m, x: m.arctan(0.7 * tamed(m, x)),
    lambda m, x: m.arcsin(0.9 * tamed(m, x)) + m.arccos(0.9 * tamed(m, x)) ** 2,
    lambda m, x: m.sinh(tamed(m, x)) * m.cosh(tamed(m, x)),
    lambda m, x: m.arcsinh(0.8 * tamed(m, x)) - m.arctanh(0.9 * tamed(m, x)),
    lambda m, x: m.log1p(0.9 * tamed(m, x)) + m.expm1(tamed(m, x)),
    lambda m, x: m.reciprocal(3 + tamed(m, x)) + m.positive(x),
    lambda m, x: m.conjugate(x) * x,
    lambda m, x: m.abs(0.1 + tamed(m, x)),
    lambda m, x: m.real(x) * m.imag(x) + m.angle(2 + tamed(m, x)),
    lambda m, x: x * (1 + 2j) + 0.3j,
    lambda m, x: m.exp(1j * tamed(m, x)),
    lambda m, x: x * np.arange(np.shape(x)[-1]) if np.ndim(x) else 2 * x,
    lambda m, x: m.where(m.real(x) > 0.1, x, 0.3 * m.conj(x)),
    lambda m, x: m.nan_to_num(x) + 0 * x,
]
OF_REAL: list[Callable[..., Any]] = [
    lambda m, x: m.clip(x, -0.7, 0.9),
    lambda m, x: m.abs(x) - 0.5 * m.sign(x) * x,
    lambda m, x: m.cbrt(2 + tamed(m, x)),
    lambda m, x: m.exp2(tamed(m, x)) + m.log2(2 + tamed(m, x)) + m.log10(2 + tamed(m, x)),
    lambda m, x: m.arccosh(2 + tamed(m, x)) * m.cos(x),
    lambda m, x: m.tan(tamed(m, x)),
    lambda m, x: m.fabs(x + 0.2) + m.heaviside(x, 0.5),
    lambda m, x: m.floor(3 * x) * x,
    lambda m, x: m.deg2rad(30 * x) + m.degrees(0.01 * x),
    lambda m, x: m.sinc(x),
    lambda m, x: m.special.i0(x) + m.special.i1(x),
    lambda m, x: m.special.erf(x) + m.special.expit(2 * x),
    lambda m, x: m.special.gammaln(2 + tamed(m, x)),
    lambda m, x: m.special.digamma(2 + tamed(m, x)),
    lambda m, x: m.special.log_ndtr(2 * tamed(m, x)) + m.special.ndtr(x),
    lambda m, x: m.special.logit(0.5 + 0.4 * tamed(m, x)) + m.special.entr(1.5 + tamed(m, x)),
    lambda m, x: m.where(x > 2, m.exp(m.minimum(x, 2)), m.log1p(square(m, x))),
]
OF_TWO: list[Callable[..., Any]] = [
    lambda m, x, y: x + y,
    lambda m, x, y: y - 0.5 * x,
    lambda m, x, y: x * y,
    lambda m, x, y: m.multiply(tamed(m, x), m.conj(y)),
    lambda m, x, y: x / (2 + tamed(m, y)),
    lambda m, x, y: m.true_divide(1, 2 + tamed(m, x)) * y,
    lambda m, x, y: (2 + tamed(m, x)) ** tamed(m, y),
    lambda m, x, y: m.power(2 + tamed(m, y), 2) - x,
    lambda m, x, y: m.where(m.real(x) > m.real(y), 0.5 * x, y * y),
    lambda m, x, y: tamed(m, x) + 1j * tamed(m, y),
    lambda m, x, y: m.where(m.abs(x) < 0.7, x, y),
    lambda m, x, y: m.subtract(x, y) * m.add(x, 1),
]
OF_TWO_REAL: list[Callable[..., Any]] = [
    lambda m, x, y: m.maximum(x, 0.9 * y + 0.01),
    lambda m, x, y: m.minimum(x, 0.8 * y) + m.fmax(x, 0.3),
    lambda m, x, y: m.logaddexp(x, y) + m.logaddexp2(y, x),
    lambda m, x, y: m.hypot(x, y + 0.1),
    lambda m, x, y: m.arctan2(x, 1.5 + tamed(m, y)),
    lambda m, x, y: m.remainder(x, 3 + tamed(m, y)),
    lambda m, x, y: m.copysign(x + 0.2, y + 0.1),
    lambda m, x, y: m.clip(x, -m.abs(y), 1 + m.abs(y)),
    lambda m, x, y: m.float_power(2 + tamed(m, x), y),
    lambda m, x, y: m.special.xlogy(x, 2 + tamed(m, y)) + m.special.xlog1py(y, tamed(m, x) * 0.5),
    lambda m, x, y: m.special.betaln(2 + tamed(m, x), 2 + tamed(m, y)),
    lambda m, x, y: m.special.rel_entr(2 + tamed(m, x), 2 + tamed(m, y)),
    lambda m, x, y: m.select([x > 0.5, y > 0.2], [x * y, m.sin(y)], -x + 0 * y),
]


@operation
def same(m: Any, x: Any, y: Any, k: int) -> Any:
    """What others shrink to."""
    return x


@operation
def row(m: Any, x: Any, y: Any, k: int) -> Any:
    return chosen(OF_ANY, k)(m, x)


@operation
def real_row(m: Any, x: Any, y: Any, k: int) -> Any:
    return chosen(OF_REAL, k)(m, real(m, x))


@operation
def pair(m: Any, x: Any, y: Any, k: int) -> Any:
    return chosen(OF_TWO, k)(m, x, fitting(m, x, y))


@operation
def real_pair(m: Any, x: Any, y: Any, k: int) -> Any:
    return chosen(OF_TWO_REAL, k)(m, real(m, x), real(m, fitting(m, x, y)))


# ---------------------------------------------------------------------------------------------- reductions
def spread(m: Any, x: Any, **options: Any) -> Any:
    """The deviation where it is not 0, where it has no derivative."""
    if 1 in np.shape(x) or not np.shape(x):
        return m.mean(x, **options)
    return m.std(tamed(m, x) + np.linspace(0, 3, np.size(x)).reshape(np.shape(x)), **options)


REDUCTIONS: list[Callable[..., Any]] = [
    lambda m, x, **o: m.sum(x, **o),
    lambda m, x, **o: m.mean(x, **o),
    lambda m, x, **o: m.prod(tamed(m, x) + 0.5, **o),
    lambda m, x, **o: m.var(x, **o),
    lambda m, x, **o: spread(m, x, **o),
    lambda m, x, **o: m.max(real(m, x), **o),
    lambda m, x, **o: m.min(real(m, x), **o),
    lambda m, x, **o: m.ptp(real(m, x), **o),
    lambda m, x, **o: m.nansum(x, **o) + m.nanmean(x, **o),
    lambda m, x, **o: m.special.logsumexp(real(m, x), **o),
    lambda m, x, **o: m.median(real(m, x), **o),
    lambda m, x, **o: m.quantile(real(m, x), 0.3, **o),
    lambda m, x, **o: m.average(x, **o),
    lambda m, x, **o: m.nanmax(real(m, x), **o) - m.nanmin(real(m, x), **o),
    lambda m, x, **o: m.var(x, ddof=1, **o) if np.size(x) > 40 else m.sum(x, **o),
]


@operation
def reduction(m: Any, x: Any, y: Any, k: int) -> Any:
    axis = axes_of(x, k // 16)
    if 0 in np.shape(x) or axis == ():
        return m.sum(x, axis=axis, keepdims=bool(k % 2))
    if axis is None and k % 2:
        return chosen(REDUCTIONS, k)(m, x)
    return chosen(REDUCTIONS, k)(m, x, axis=axis, keepdims=bool(k // 999 % 2))


@operation
def norm(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x) or 0 in np.shape(x):
        return x
    x = tamed(m, x) + 0.3 + np.arange(np.size(x)).reshape(np.shape(x)) / 7
    order = chosen([None, 2, 1, 3, np.inf, -np.inf, -1, 2.5], k)
    return m.linalg.norm(x, order, axis_of(x, k // 8), bool(k // 64 % 2))


@operation
def scan(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x):
        return x
    axis = axis_of(x, k // 4) if k % 5 else None
    return chosen([
        lambda: m.cumsum(x, axis),
        lambda: m.cumprod(tamed(m, x), axis),
        lambda: m.diff(x, n=1 + k % 2, axis=axis_of(x, k)),
        lambda: m.trapezoid(x, dx=0.5, axis=axis_of(x, k)) if np.size(x) else x,
    ], k)()  # fmt: skip


@operation
def ordered(m: Any, x: Any, y: Any, k: int) -> Any:
    x, axis = real(m, x), axis_of(x, k // 4) if np.ndim(x) else 0
    if not np.ndim(x):
        return x
    return chosen([
        lambda: m.sort(x, axis=axis),
        lambda: m.sort(x, axis=None),
        lambda: m.take_along_axis(x * x, m.argsort(x, axis=axis), axis=axis),
        lambda: m.take_along_axis(m.sin(x), m.argmax(x, axis=axis, keepdims=True), axis=axis)
        if np.size(x) else x,
        lambda: m.sort(x)[..., ::-1],
    ], k)()  # fmt: skip


# -------------------------------------------------------------------------------------------------- shapes
@operation
def moved(m: Any, x: Any, y: Any, k: int) -> Any:
    n = np.ndim(x)
    if not n:
        return m.atleast_2d(x)
    a, b, rng = axis_of(x, k // 16), axis_of(x, k // 5), np.random.default_rng(k)
    return chosen([
        lambda: m.transpose(x, rng.permutation(n).tolist()),
        lambda: x.T,
        lambda: m.swapaxes(x, a, b),
        lambda: m.moveaxis(x, a, b),
        lambda: m.flip(x, axes_of(x, k // 16)),
        lambda: m.roll(x, k % 5 - 2, None if k % 3 else a),
        lambda: m.rot90(x, k) if n > 1 else x,
        lambda: m.rollaxis(x, a, 0),
        lambda: m.fft.fftshift(x, a),
    ], k)()  # fmt: skip


@operation
def reshaped(m: Any, x: Any, y: Any, k: int) -> Any:
    n = np.size(x)
    d = next((d for d in (3 + k % 3, 2, 5) if n % d == 0), 1)
    if not n:
        return m.reshape(x, chosen([(0,), (2, 0), (0, 1)], k))
    return chosen([
        lambda: m.reshape(x, (d, -1)),
        lambda: m.ravel(x),
        lambda: m.reshape(x, (-1, d), order="F"),
        lambda: m.expand_dims(x, (0, -1)) if np.ndim(x) < 3 else m.squeeze(x),
        lambda: x[None, ...] if np.ndim(x) < 4 else x[0],
        lambda: x.reshape(1, n, 1),
        lambda: m.squeeze(x),
        lambda: m.atleast_3d(x),
    ], k)()  # fmt: skip


@operation
def joined(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x):
        return m.stack([x, m.sum(y) / max(np.size(y), 1), 2 * x])
    y = y if np.shape(y) == np.shape(x) else m.sin(x) + m.sum(y) / max(np.size(y), 1)
    axis = axis_of(x, k // 8)
    return chosen([
        lambda: m.concatenate([x, y], axis=axis),
        lambda: m.stack([x, y], axis=axis),
        lambda: m.concatenate([y, 2 * x[..., :1], np.ones((*np.shape(x)[:-1], 1), np.int64), x], axis=-1),
        lambda: m.vstack([x, y]),
        lambda: m.hstack([x, y]),
        lambda: m.dstack([x, y]),
        lambda: m.concatenate([x, y], axis=None),
        lambda: m.column_stack([x, y]) if np.ndim(x) < 3 else m.append(x, y, axis=axis),
    ], k)()  # fmt: skip


@operation
def repeated(m: Any, x: Any, y: Any, k: int) -> Any:
    shape = np.shape(x)
    if not shape or not np.size(x):
        return m.broadcast_to(x, (2, *shape))
    axis = axis_of(x, k // 8)
    reflecting = min(shape) > 1
    return chosen([
        lambda: m.broadcast_to(x, (2, *shape)),
        lambda: m.tile(x, (2, 1)),
        lambda: m.repeat(x, 2, axis=axis),
        lambda: m.repeat(x, np.arange(shape[axis]) % 3, axis=axis),
        lambda: m.pad(x, [(1, 0)] + [(0, 2)] * (len(shape) - 1)),
        lambda: m.pad(x, 1, mode="edge"),
        lambda: m.pad(x, 1, mode="reflect" if reflecting else "symmetric"),
        lambda: m.pad(x, 1, mode="wrap"),
        lambda: m.pad(x, 1, constant_values=0.5),
        lambda: m.resize(x, (2, 3)),
    ], k)()  # fmt: skip


@operation
def split(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x):
        return x
    axis = axis_of(x, k // 4)
    parts = m.array_split(x, 2 + k % 2, axis=axis)
    return parts[k % len(parts)] * 2


# ------------------------------------------------------------------------------------------------ indexing
@operation
def indexed(m: Any, x: Any, y: Any, k: int) -> Any:
    """Integers, slices, None, an ellipsis, index arrays and masks in any order."""
    index = random_index(np.random.default_rng(k), np.shape(x)) if np.size(x) else (..., None)
    try:
        np.zeros(np.shape(x))[index]
    except IndexError:
        return x
    return x[index]


@operation
def written(m: Any, x: Any, y: Any, k: int) -> Any:
    """Set, added to or multiplied at an index in which places come once."""
    if not np.ndim(x):
        return x
    n = np.shape(x)[0]
    index = chosen([slice(0, None, 2), np.arange(n)[::-2], (..., slice(1, 3)), np.arange(n) % 2 == 0], k)
    v = m.sum(y) / max(np.size(y), 1)
    if is_complex(v) and not is_complex(x):
        v = m.real(v)
    return m.write(x, index, v, chosen(["set", "add", "multiply"], k // 4))


@operation
def gathered(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.size(x) or not np.ndim(x):
        return x
    rng, axis = np.random.default_rng(k), axis_of(x, k // 3)
    n = np.shape(x)[axis]
    where = rng.integers(-n, n, [(4,), (2, 2), ()][k % 3])
    mask = np.zeros(n, bool)
    mask[rng.integers(0, n, 2)] = True
    return chosen([
        lambda: m.take(x, where, axis=axis),
        lambda: m.take(x, where % np.size(x)),
        lambda: m.moveaxis(m.moveaxis(x, axis, 0)[mask], 0, -1),
        lambda: m.write(x, where if np.ndim(where) else [0, 0], m.sum(x) / np.size(x), "add")
        if axis == 0 else x,
    ], k)()  # fmt: skip


# ------------------------------------------------------------------------------------------------ spectra
@operation
def spectrum(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x) or 0 in np.shape(x):
        return x
    options = {"norm": chosen([None, "ortho", "forward"], k)}
    name = chosen(
        ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "irfft2", "rfftn", "ifftn"], k // 3
    )
    if name.endswith("2") and np.ndim(x) < 2:
        name = name[:-1]
    x = tamed(m, real(m, x) if name in ("rfft", "ihfft", "rfftn") else x)
    if name[-1] in "2n":
        return getattr(m.fft, name)(
            x, **options, **({"s": (3, 2), "axes": (-2, -1)} if name[-1] == "2" else {})
        )
    n, axis = chosen([None, 2, 3, 5], k // 32), axis_of(x, k)
    if n is None and np.shape(x)[axis] == 1:
        n = 2
    return getattr(m.fft, name)(x, n, axis, **options)


@operation
def contraction(m: Any, x: Any, y: Any, k: int) -> Any:
    """An einsum of random subscripts, its operands cut out of x and y."""
    subscripts, shapes = random_einsum(np.random.default_rng(k))
    parts = [m.resize(tamed(m, v), s) for v, s in zip((x, y, x), shapes, strict=False)]
    try:
        np.einsum(subscripts, *(np.zeros(s) for s in shapes))
    except ValueError:
        return x
    if any(1 in s for s in shapes):  # (jax does not stretch a letter's length of one)
        return x
    return m.einsum(subscripts, *parts)
