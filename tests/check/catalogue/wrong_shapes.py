"""Sums, axes, indices and layouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, normal, positive, wrong

A = normal(4, 4)
X = normal(4, seed=1)
Y = normal(4, seed=2)


@wrong("the bias's derivative is not summed over the batch", "1", says="shape|broadcast")
def broadcast_sum_missing() -> Pair:
    return Pair(
        lambda x, b: 0.5 * np.sum((x + b) ** 2),
        (normal(5, 3), normal(3, seed=1)),
        lambda x, b: (x + b, x + b),
    )


@wrong("a number's derivative is not summed", "1", says="shape|broadcast")
def number_not_summed() -> Pair:
    return Pair(lambda x, s: np.sum(s * np.sin(x)), (X, 1.5), lambda x, s: (s * np.cos(x), np.sin(x)))


@wrong("the mean over the batch in place of the sum", "1", says="factor|5|mean")
def mean_instead_of_sum() -> Pair:
    def gradient(x: Any, b: Any) -> Any:
        return x + b, np.mean(x + b, axis=0)

    return Pair(lambda x, b: 0.5 * np.sum((x + b) ** 2), (normal(5, 3), normal(3, seed=1)), gradient)


@wrong("summed over the wrong axis of a square batch", "1")
def wrong_axis() -> Pair:
    return Pair(lambda x, b: 0.5 * np.sum((x + b) ** 2), (A, X), lambda x, b: (x + b, np.sum(x + b, axis=1)))


@wrong("a row's norm divided along columns")
def wrong_axis_of_a_norm() -> Pair:
    return Pair(
        lambda x: np.sum(np.sqrt(np.sum(x**2, axis=1))), (A,), lambda x: x / np.sqrt(np.sum(x**2, axis=0))
    )


@wrong("∂(xᵀAy)/∂A = y xᵀ", "0", says="transpos")
def transposed() -> Pair:
    return Pair(lambda a: X @ a @ Y, (A,), lambda a: np.outer(Y, X))


@wrong("a layer's weights: λxᵀ in place of xλᵀ", "1", says="transpos")
def transposed_weights() -> Pair:
    def gradient(x: Any, w: Any) -> Any:
        lam = np.cos(x @ w)
        return lam @ w.T, lam.T @ x

    return Pair(lambda x, w: np.sum(np.sin(x @ w)), (normal(6, 4), A), gradient)


@wrong("W in place of Wᵀ in the derivative of the input", "0")
def weights_not_transposed() -> Pair:
    def gradient(x: Any, w: Any) -> Any:
        lam = np.cos(x @ w)
        return lam @ w, x.T @ lam

    return Pair(lambda x, w: np.sum(np.sin(x @ w)), (normal(6, 4), A), gradient)


@wrong("∂(xᵀAx) = 2Ax for an A that is not symmetric")
def quadratic_form() -> Pair:
    return Pair(lambda x: x @ A @ x, (X,), lambda x: 2 * A @ x)


@wrong("differences: the last entry is forgotten", index=(3,))
def off_by_one() -> Pair:
    def gradient(x: Any) -> Any:
        d = 2 * np.diff(x)
        out = np.zeros_like(x)
        out[:-1] -= d
        out[1:-1] += d[:-1]  # should be out[1:] += d
        return out

    return Pair(lambda x: np.sum(np.diff(x) ** 2), (X,), gradient)


@wrong("differences: shifted by one index")
def shifted() -> Pair:
    return Pair(lambda x: np.sum(np.arange(1.0, 5) * np.sin(x)), (X,), lambda x: np.arange(4.0) * np.cos(x))


@wrong("a reflected border that sends nothing back", index=[(1,), (2,)])
def padding() -> Pair:
    def f(x: Any) -> Any:
        return np.sum(np.arange(8.0) * np.concatenate([x[2:0:-1], x, x[2:0:-1]]) ** 2)

    return Pair(f, (X,), lambda x: 2 * np.arange(2.0, 6.0) * x)


@wrong("convolution: the kernel is not flipped in the input's derivative", "0")
def kernel_not_flipped() -> Pair:
    def gradient(x: Any, k: Any) -> Any:
        lam = np.cos(np.convolve(x, k, "valid"))
        return np.convolve(lam, k, "full"), np.convolve(x[::-1], lam, "valid")

    return Pair(
        lambda x, k: np.sum(np.sin(np.convolve(x, k, "valid"))), (normal(8), normal(3, seed=1)), gradient
    )


@wrong("convolution: the kernel's own derivative comes out flipped", "1", [(0,), (2,)])
def kernel_derivative_flipped() -> Pair:
    def gradient(x: Any, k: Any) -> Any:
        lam = np.cos(np.convolve(x, k, "valid"))
        return np.convolve(lam, k[::-1], "full"), np.convolve(x[::-1], lam, "valid")[::-1]

    return Pair(
        lambda x, k: np.sum(np.sin(np.convolve(x, k, "valid"))), (normal(8), normal(3, seed=1)), gradient
    )


@wrong("repeated indices: out[i] = λ where out[i] += λ is right", index=(0,))
def scatter_without_add() -> Pair:
    index, weights = np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0])

    def gradient(x: Any) -> Any:
        out = np.zeros_like(x)
        out[index] = weights * np.cos(x[index])
        return out

    return Pair(lambda x: np.sum(weights * np.sin(x[index])), (X,), gradient)


@wrong("repeated indices: out[i] += λ, which NumPy does once", index=(2,))
def buffered_scatter() -> Pair:
    index = np.array([1, 2, 2, 2])

    def gradient(x: Any) -> Any:
        out = np.zeros_like(x)
        out[index] += 2 * x[index]  # np.add.at is needed
        return out

    return Pair(lambda x: np.sum(x[index] ** 2), (X,), gradient)


@wrong("embedding: a token that occurs twice is counted once", index=[(1, 0), (1, 1), (1, 2)])
def repeated_token() -> Pair:
    tokens = np.array([1, 3, 1, 0])

    def gradient(table: Any) -> Any:
        out = np.zeros_like(table)
        out[tokens] = 3 * table[tokens] ** 2
        return out

    return Pair(lambda table: np.sum(table[tokens] ** 3), (normal(5, 3),), gradient)


@wrong("cumulative sums run the same way back")
def cumulative_sum() -> Pair:
    return Pair(lambda x: np.sum(np.sin(np.cumsum(x))), (X,), lambda x: np.cumsum(np.cos(np.cumsum(x))))


@wrong("a shift shifted further instead of back")
def roll() -> Pair:
    return Pair(lambda x: np.sum(Y * np.roll(x, 1)), (X,), lambda x: np.roll(Y, 1))


@wrong("a permutation of axes in place of its inverse")
def axes_permuted_again() -> Pair:
    w = normal(3, 3, 3, seed=5)
    return Pair(
        lambda x: np.sum(w * np.transpose(x, (1, 2, 0))),
        (normal(3, 3, 3),),
        lambda x: np.transpose(w, (1, 2, 0)),
    )


@wrong("reshaped back by columns")
def reshape_order() -> Pair:
    w = normal(6, seed=5)
    return Pair(
        lambda x: np.sum(w * np.sin(x).reshape(6)),
        (normal(2, 3),),
        lambda x: w.reshape(2, 3, order="F") * np.cos(x),
    )


@wrong("pieces of a concatenation handed to the wrong arguments", "0 1")
def swapped_pieces() -> Pair:
    w = normal(8, seed=5)

    def gradient(x: Any, y: Any) -> Any:
        lam = w * np.cos(np.concatenate([x, y]))
        return lam[4:], lam[:4]

    return Pair(lambda x, y: np.sum(w * np.sin(np.concatenate([x, y]))), (X, Y), gradient)


@wrong("the mask of a triangle forgotten", index=[(1, 0), (2, 0), (2, 1)])
def triangle_mask() -> Pair:
    return Pair(lambda a: np.sum(np.triu(a) ** 2), (normal(3, 3),), lambda a: 2 * a)


@wrong("trace: ones everywhere", index=[(i, j) for i in range(3) for j in range(3) if i != j])
def trace() -> Pair:
    return Pair(lambda a: np.trace(a), (normal(3, 3),), lambda a: np.ones((3, 3)))


@wrong("a batched product summed over the batch", "1")
def batch_summed() -> Pair:
    def gradient(x: Any, w: Any) -> Any:
        lam = np.cos(np.einsum("bi,bij->bj", x, w))
        return np.einsum("bj,bij->bi", lam, w), np.broadcast_to(
            np.einsum("bj,bi->ij", lam, x), w.shape
        ).copy()

    f = lambda x, w: np.sum(np.sin(np.einsum("bi,bij->bj", x, w)))  # noqa: E731
    return Pair(f, (normal(3, 2), normal(3, 2, 2, seed=1)), gradient)


@wrong("∏x / xᵢ where a factor is 0", index=(1,), says="nan")
def product_with_a_zero() -> Pair:
    def gradient(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.prod(x) / x

    return Pair(lambda x: np.prod(x), (np.array([2.0, 0.0, 3.0]),), gradient)


@wrong("sorted derivatives are not put back in their places")
def sort_not_undone() -> Pair:
    w = np.arange(1.0, 6)
    x = np.array([0.8, -0.4, 1.7, 0.1, -1.2])
    return Pair(lambda x: np.sum(w * np.sort(x)), (x,), lambda x: w)


@wrong("the whole weight of an even median on one of two", index=[(0,), (3,)])
def even_median() -> Pair:
    x = np.array([0.2, -1.0, 2.0, 0.9])
    return Pair(lambda x: np.median(x), (x,), lambda x: np.array([1.0, 0, 0, 0]))


@wrong("the maximum's derivative handed to the minimum", index=[(1,), (2,)])
def argmin_for_argmax() -> Pair:
    x = np.array([0.2, -1.0, 2.0, 0.9])
    return Pair(lambda x: 2 * np.max(x), (x,), lambda x: 2.0 * (np.arange(4) == np.argmin(x)))


@wrong("variance divided by n − 1 in the derivative alone", says="factor|1\\.3")
def degrees_of_freedom() -> Pair:
    return Pair(lambda x: np.var(x), (X,), lambda x: 2 * (x - np.mean(x)) / (len(x) - 1))


@wrong("variance about 0 in the derivative")
def variance_about_zero() -> Pair:
    return Pair(lambda x: np.var(x), (X + 1,), lambda x: 2 * x / len(x))


@wrong("the layout of an array by columns is read by rows")
def column_layout() -> Pair:
    x = np.asfortranarray(normal(3, 3))

    def gradient(x: Any) -> Any:
        flat = np.cos(x.ravel(order="K"))  # in memory order
        return flat.reshape(x.shape)

    return Pair(lambda x: np.sum(np.sin(x)), (x,), gradient)


@wrong("strides ignored: every second entry is read as if contiguous")
def strided_input() -> Pair:
    x = normal(8)[::2]

    def gradient(x: Any) -> Any:
        base = x if x.base is None else x.base
        return np.cos(base[: len(x)])

    return Pair(lambda x: np.sum(np.sin(x)), (x,), gradient)


@wrong("one entry of 10⁶ wrong by half", index=(123456,))
def one_in_a_million() -> Pair:
    x = positive(10**6)

    def gradient(x: Any) -> Any:
        out = 2 * x
        out[123456] *= 1.5
        return out

    return Pair(lambda x: np.sum(x**2), (x,), gradient)


@wrong("the rest behind the last whole block of 64 is forgotten", index=[(k,) for k in range(9984, 10_000)])
def last_block() -> Pair:
    def gradient(x: Any) -> Any:
        out = np.cos(x)
        out[len(x) // 64 * 64 :] = 0
        return out

    return Pair(lambda x: np.sum(np.sin(x)), (positive(10_000) / 2,), gradient)


@wrong("the first entry of each row of a large array", index=[(k, 0) for k in range(300)])
def first_column() -> Pair:
    def gradient(x: Any) -> Any:
        out = np.cos(x)
        out[:, 0] = out[:, 1]
        return out

    return Pair(lambda x: np.sum(np.sin(x)), (normal(300, 300),), gradient)


@wrong("one leaf of nested parameters", "0/layers/1/b")
def nested_parameters() -> Pair:
    params = {
        "scale": 1.3,
        "layers": [{"w": normal(2), "b": normal(3)}, {"w": positive(2), "b": positive(3)}],
    }

    def f(p: Any) -> Any:
        return p["scale"] * sum(np.sum(np.sin(q["w"])) + np.sum(np.exp(q["b"])) for q in p["layers"])

    def gradient(p: Any) -> Any:
        s = p["scale"]
        layers = [{"w": s * np.cos(q["w"]), "b": s * np.exp(q["b"])} for q in p["layers"]]
        layers[1]["b"] = np.exp(p["layers"][1]["b"])
        return {"scale": f(p) / s, "layers": layers}

    return Pair(f, (params,), gradient)
