"""Layers on images: convolution and pooling, channels last.

Images are (N, rows, columns, channels), elsewhere called NHWC: the channels of a pixel lie together, so that
a convolution is one product of matrices without transposing anything.
"""

from __future__ import annotations

import math

import numpy as np

from ..ops.broadcast import reshape_to
from ..ops.primitive import shape_of
from ..ops.products import matmul
from ..ops.reduce import max_, mean
from ..ops.sides import same_side
from .base import Array, Params, misfit

Pair = int | tuple[int, int]  # one number for both axes, or (height, width)
Padding = str | int  # "same", "valid" or pixels on every side


@same_side
def conv2d(params: Params, x: Array, *, stride: Pair = 1, padding: Padding = "same") -> Array:
    """Cross-correlation of every image with a bank of filters, plus a bias per filter.

    Args:
        params: "W" (height, width, channels, filters); "b" (filters,), which may be missing.
        x: (N, rows, columns, channels).
        stride: pixels from one window to the next.
        padding: zeros around the image: "valid" (none); "same" (⌈rows / stride⌉ windows, an odd one more
            below and to the right); or their number on every side.

    Returns:
        (N, rows', columns', filters).

    Raises:
        ShapeError: x is not four-dimensional, its channels are not W's, b does not fit, or the window is
            larger than the padded image.
        ValueError: a stride below 1, or another word for padding.

    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d({"W": np.ones((2, 2, 1, 1))}, x, padding="valid")[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    W, b = params["W"], params.get("b")
    if len(shape_of(W)) != 4:
        remedy = "W is (height, width, channels, filters)."
        raise misfit(f"conv2d needs filters of four axes, not {shape_of(W)}", remedy, W=W)
    height, width, channels, filters = shape_of(W)
    _check_images("conv2d", x)
    if shape_of(x)[-1] != channels:
        what = f"conv2d needs images of {channels} channels: x {shape_of(x)}, W {shape_of(W)}"
        remedy = (
            "Channels come last: x is (N, rows, columns, channels); np.moveaxis(x, 1, -1) puts them there."
        )
        raise misfit(what, remedy, x=x, W=W)
    if b is not None and shape_of(b) != (filters,):
        what = f"conv2d needs a bias that fits W: b {shape_of(b)}, W {shape_of(W)}"
        raise misfit(what, f"b holds one number per filter: ({filters},).", W=W, b=b)
    views = _windows("conv2d", x, (height, width), _pair("stride", stride), padding, 0.0)
    patches = views[0] if len(views) == 1 else np.concatenate(views, axis=-1)
    shape, inside = shape_of(patches)[:-1], height * width * channels
    z = matmul(reshape_to(patches, (math.prod(shape), inside)), reshape_to(W, (inside, filters)))
    return reshape_to(z if b is None else z + b, (*shape, filters))


def max_pool2d(x: Array, size: Pair = 2, *, stride: Pair | None = None, padding: Padding = "valid") -> Array:
    """The largest value of every window, channel by channel; ties share the derivative in equal parts.

    Args:
        x: (N, rows, columns, channels).
        size: of the window.
        stride: pixels from one window to the next; by default the size, windows side by side.
        padding: as in `conv2d`, with −∞ around the image.

    Returns:
        (N, rows', columns', channels).

    Raises:
        ShapeError: x is not four-dimensional, or the window is larger than the padded image.
        ValueError: a size or stride below 1, or another word for padding.

    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return max_(_pooled("max_pool2d", x, size, stride, padding, -np.inf), axis=(3,))


def avg_pool2d(x: Array, size: Pair = 2, *, stride: Pair | None = None, padding: Padding = "valid") -> Array:
    """The mean of every window, channel by channel; zeros of the padding count, as in PyTorch.

    Args:
        x: (N, rows, columns, channels).
        size: of the window.
        stride: pixels from one window to the next; by default the size, windows side by side.
        padding: as in `conv2d`.

    Returns:
        (N, rows', columns', channels).

    Raises:
        ShapeError: x is not four-dimensional, or the window is larger than the padded image.
        ValueError: a size or stride below 1, or another word for padding.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    return mean(_pooled("avg_pool2d", x, size, stride, padding, 0.0), axis=(3,))


def _pooled(layer: str, x: Array, size: Pair, stride: Pair | None, padding: Padding, around: float) -> Array:
    """The windows' pixels along axis 3: (N, rows', columns', pixels, channels)."""
    _check_images(layer, x)
    window = _pair("size", size)
    strides = window if stride is None else _pair("stride", stride)
    return np.stack(_windows(layer, x, window, strides, padding, around), axis=3)


def _windows(
    layer: str, x: Array, window: tuple[int, int], strides: tuple[int, int], padding: Padding, around: float
) -> list[Array]:
    """For every pixel of a window, the (N, rows', columns', channels) view of it in all windows."""
    sizes = shape_of(x)[1:3]
    widths = [_widths(padding, n, k, s) for n, k, s in zip(sizes, window, strides, strict=True)]
    counts = [(n + sum(w) - k) // s + 1 for n, w, k, s in zip(sizes, widths, window, strides, strict=True)]
    if min(counts) < 1:
        what = f"{layer} needs images at least as large as its window: x {shape_of(x)}, window {window}"
        raise misfit(what, 'padding="same" makes room for it.', x=x)
    if any(map(any, widths)):
        x = np.pad(x, ((0, 0), *widths, (0, 0)), constant_values=around)
    rows, columns = (
        [slice(i, i + (n - 1) * s + 1, s) for i in range(k)]
        for n, k, s in zip(counts, window, strides, strict=True)
    )
    return [x[:, i, j] for i in rows for j in columns]


def _widths(padding: Padding, size: int, window: int, stride: int) -> tuple[int, int]:
    """How many pixels to add before and after along one axis."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
        return total // 2, total - total // 2
    if isinstance(padding, int) and padding >= 0:
        return padding, padding
    raise ValueError(f'padding is "same", "valid" or a number of pixels ≥ 0, not {padding!r}')


def _pair(name: str, value: Pair) -> tuple[int, int]:
    height, width = value if isinstance(value, tuple) else (value, value)
    if height < 1 or width < 1:
        raise ValueError(f"{name} is a number of pixels ≥ 1, or (height, width), not {value!r}")
    return height, width


def _check_images(layer: str, x: Array) -> None:
    if len(shape_of(x)) != 4:
        remedy = "x is (N, rows, columns, channels); x[None] adds N, x[..., None] adds a channel."
        raise misfit(f"{layer} needs images of four axes, not {shape_of(x)}", remedy, x=x)
