"""The user's handle on a node: behaves like the array it stands for, and records what is done to it.

`__array_ufunc__` and `__array_function__` make plain NumPy code differentiable. What would lose a derivative
silently (conversion to a plain number, assignment to elements) raises with the remedy.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ConversionError, MissingRuleError, MutationError, refusal, warn
from ..numpy import dispatch
from ..ops import elementwise as ew
from ..ops import index as ix
from ..ops.broadcast import astype
from ..ops.device import as_array, on_device
from ..ops.primitive import FLOAT64, beside, innermost
from ..ops.shape import swap_last, transpose
from .operators import Operators, record_binary, record_unary

numpy: Any = np  # for calls that come back through the protocols: NumPy's stubs know only arrays


_STAY = (
    "Use NumPy functions (np.sin, not math.sin); print with f'{x:.3f}'; to fill an array, collect a list and "
    "np.stack it, or write x = x.at[i].set(v) instead of a[i] = v"
)
_STACK = (
    "Join Variables with np.stack or adjoint.numpy.array; where an argument was a list, pass np.array([…]); "
    "SciPy's other functions are in adjoint.scipy"
)


class Variable(Operators):
    """A recorded value. Made by `Tape.input`, by transforms, and by every operation on a Variable.

    It has those attributes and methods of an ndarray that have a derivative (NumPy's functions have more);
    `value` is the plain array, detached from the tape.
    """

    __slots__ = ()

    # -------------------------------------------------------------------------------- what it stands for
    @property
    def value(self) -> Any:
        """The plain value, detached: nothing done with it is recorded. Arrays are read-only.

        An array of a device is a copy, for nothing can make it read-only.
        """
        value = innermost(self)
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        elif on_device(value):
            return value.copy()  # a device's arrays can always be written to
        return value

    _value = value  # its name in HIPS/autograd, where programs use it though it is private

    @property
    def shape(self) -> tuple[int, ...]:
        """Tuple of sizes."""
        return getattr(self.tape.values[self.index], "shape", ())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The value's dtype; a Python float is float64."""
        value = self.tape.values[self.index]
        return getattr(value, "dtype", None) or (FLOAT64 if type(value) is float else np.asarray(value).dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def T(self) -> Variable:
        """The axes reversed."""
        return transpose(self, axes=tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Variable:
        """The last two axes exchanged."""
        return swap_last(self)

    @property
    def real(self) -> Variable:
        """As np.real: itself if it is real."""
        return numpy.real(self)

    @property
    def imag(self) -> Any:
        """As np.imag: plain zeros if it is real."""
        return numpy.imag(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an unsized (0-d) Variable")
        return self.shape[0]

    def __iter__(self) -> Iterator[Variable]:
        if not self.shape:
            raise TypeError("iteration over a 0-d Variable")
        return (self[k] for k in range(self.shape[0]))

    def __repr__(self) -> str:
        name = self.tape.names.get(self.index)
        return f"Variable({innermost(self)!r}{f', name={name!r}' if name else ''})"

    def __format__(self, spec: str) -> str:
        return format(innermost(self), spec)

    # -------------------------------------------------------------------------------- no silent conversion
    def _plain(self, what: str, instead: str) -> Any:
        """Integers and booleans carry no derivative and convert freely; a float would lose its own."""
        value = innermost(self)
        if as_array(value).dtype.kind in "iub":  # (of a trace there is no value: this raises)
            return value
        operand = f"a recorded value {self.shape} {self.dtype}"
        text = f"{what} would turn {operand} into a plain one and lose its derivative"
        remedy = f"{instead}; .value if the derivative is to be dropped."
        made = f"made at {self.tape.where(self.index)} by {self.tape.label(self.index)}"
        raise refusal(ConversionError, text, remedy, operands=[made])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self._plain("conversion to an ndarray", _STACK), dtype=dtype)

    def __float__(self) -> float:
        return float(self._plain("float()", _STAY))

    def __int__(self) -> int:
        return int(self._plain("int()", _STAY))

    def __index__(self) -> int:
        return operator.index(self._plain("use as an index", "An index must be an integer"))

    def __complex__(self) -> complex:
        return complex(self._plain("complex()", _STAY))

    def item(self, *index: Any) -> Any:
        """Raises for floats, like float(): use `.value.item()`."""
        return self._plain(".item()", "Go on with the Variable itself").item(*index)

    def tolist(self) -> Any:
        """Raises for floats, like float(): use `.value.tolist()`."""
        return self._plain(".tolist()", "Iterate over the Variable itself").tolist()

    def __round__(self, digits: int | None = None) -> Any:
        return numpy.round(self, digits or 0)

    def __divmod__(self, other: Any) -> Any:
        return numpy.divmod(self, other)

    def __bool__(self) -> bool:
        return bool(innermost(self))

    def __contains__(self, x: Any) -> bool:
        return bool(np.any(innermost(self) == innermost(x)))

    def __copy__(self) -> Variable:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        return self

    def __reduce__(self) -> Any:
        raise ConversionError("a Variable cannot be pickled: it belongs to a tape. Save its .value")

    # -------------------------------------------------------------------------------- NumPy's protocols
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if out is not None:
            raise self._in_place(f"np.{ufunc.__name__} with out= (or an augmented assignment to an ndarray)")
        if method == "__call__" and not options:
            op = dispatch.ufunc_rule(ufunc)
            if op is None:
                raise self._missing(_named(ufunc))
            # a row of that ufunc's name: the ufunc itself computes it; but one of SciPy's would copy an array
            # of a device into the text of its refusal
            here = "cupy" not in sys.modules or getattr(np, ufunc.__name__, None) is ufunc
            if type(op) is ew.Elementwise and here:
                if len(inputs) == 1:
                    return record_unary(op, ufunc, self)
                if len(inputs) == 2:
                    return record_binary(op, ufunc, *inputs)
            return op(*inputs)
        rule = dispatch.ufunc_rule(ufunc) if method == "__call__" else dispatch.METHODS.get((ufunc, method))
        dtype = options.pop("dtype", None) if method == "__call__" else None
        if rule is None or (method == "__call__" and options):
            named = _named(ufunc) if method == "__call__" else f"{_named(ufunc)}.{method}"
            raise self._missing(
                named if rule is None else f"{named} with {', '.join(f'{o}=' for o in options)}"
            )
        if dtype is not None:  # NumPy computes in that dtype, rather than casting the result
            inputs = tuple(astype(x, dtype=np.dtype(dtype)) for x in inputs)
        return rule(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = dispatch.FUNCTIONS.get(function)
        if kwargs.get("out") is not None:
            raise self._in_place(f"np.{function.__name__} with out=")
        if rule is None:
            raise self._missing(f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}")
        try:
            return rule(*args, **kwargs)
        except TypeError:
            unknown = dispatch.unknown_options(rule, args, kwargs)
            if unknown:
                raise self._missing(f"np.{function.__name__} with {unknown}") from None
            raise

    def _missing(self, what: str) -> MissingRuleError:
        remedy = (
            "Write it with functions that have one, register it with ad.elementwise or ad.primitive, "
            "or take x.value if no derivative is meant."
        )
        return refusal(MissingRuleError, f"{what} has no rule for recorded values", remedy)

    def _in_place(self, what: str) -> MutationError:
        text = f"{what} would write a recorded value into a plain array and lose its derivative"
        return refusal(MutationError, text, "Write a = a + b instead of a += b, and leave out= away.")

    # -------------------------------------------------------------------------------- indexing
    def __getitem__(self, index: Any) -> Variable:
        template, arrays = ix.split_index(index)
        return ix.getitem(self, *arrays, template=template)

    def __setitem__(self, index: Any, value: Any) -> None:
        text = (
            f"x[…] = v on a recorded value {self.shape} {self.dtype} would change it behind the tape's back"
        )
        raise refusal(MutationError, text, "Write x = x.at[…].set(v), or .at[…].add(v) for +=.")

    @property
    def at(self) -> At:
        """Functional updates: `x = x.at[i].set(v)`, also `.add`, `.subtract`, `.multiply`, `.divide`."""
        return At(self)

    # -------------------------------------------------------------------------------- methods of ndarray
    def sum(self, *args: Any, **options: Any) -> Variable:
        """As np.sum."""
        return numpy.sum(self, *args, **options)

    def mean(self, *args: Any, **options: Any) -> Variable:
        """As np.mean."""
        return numpy.mean(self, *args, **options)

    def var(self, *args: Any, **options: Any) -> Variable:
        """As np.var."""
        return numpy.var(self, *args, **options)

    def std(self, *args: Any, **options: Any) -> Variable:
        """As np.std."""
        return numpy.std(self, *args, **options)

    def prod(self, *args: Any, **options: Any) -> Variable:
        """As np.prod."""
        return numpy.prod(self, *args, **options)

    def max(self, *args: Any, **options: Any) -> Variable:
        """As np.max."""
        return numpy.max(self, *args, **options)

    def min(self, *args: Any, **options: Any) -> Variable:
        """As np.min."""
        return numpy.min(self, *args, **options)

    def cumsum(self, *args: Any, **options: Any) -> Variable:
        """As np.cumsum."""
        return numpy.cumsum(self, *args, **options)

    def cumprod(self, *args: Any, **options: Any) -> Variable:
        """As np.cumprod."""
        return numpy.cumprod(self, *args, **options)

    def argmax(self, *args: Any, **options: Any) -> Variable:
        """As np.argmax: integers, recorded so that a replay follows the values."""
        return numpy.argmax(self, *args, **options)

    def argmin(self, *args: Any, **options: Any) -> Variable:
        """As np.argmin."""
        return numpy.argmin(self, *args, **options)

    def argsort(self, *args: Any, **options: Any) -> Variable:
        """As np.argsort."""
        return numpy.argsort(self, *args, **options)

    def argpartition(self, kth: Any, *args: Any, **options: Any) -> Variable:
        """As np.argpartition."""
        return numpy.argpartition(self, kth, *args, **options)

    def searchsorted(self, v: Any, *args: Any, **options: Any) -> Any:
        """As np.searchsorted; a plain result."""
        return numpy.searchsorted(self, v, *args, **options)

    def nonzero(self) -> Any:
        """As np.nonzero; a plain result."""
        return numpy.nonzero(self)

    def all(self, *args: Any, **options: Any) -> Any:
        """As np.all; a plain result."""
        return numpy.all(self, *args, **options)

    def any(self, *args: Any, **options: Any) -> Any:
        """As np.any; a plain result."""
        return numpy.any(self, *args, **options)

    def reshape(self, *shape: Any, **options: Any) -> Variable:
        """As ndarray.reshape: sizes one by one or as a tuple."""
        return numpy.reshape(self, shape[0] if len(shape) == 1 else shape, **options)

    def ravel(self, order: str = "C") -> Variable:
        """As np.ravel."""
        return numpy.ravel(self, order)

    def flatten(self, order: str = "C") -> Variable:
        """As ndarray.flatten."""
        return numpy.ravel(self, order)

    def transpose(self, *axes: Any) -> Variable:
        """As ndarray.transpose: axes one by one, as a tuple, or none."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return numpy.transpose(self, order or None)

    def swapaxes(self, axis1: int, axis2: int) -> Variable:
        """As np.swapaxes."""
        return numpy.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Variable:
        """As np.squeeze."""
        return numpy.squeeze(self, axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> Variable:
        """As np.repeat."""
        return numpy.repeat(self, repeats, axis)

    def take(self, indices: Any, *args: Any, **options: Any) -> Variable:
        """As np.take."""
        return numpy.take(self, indices, *args, **options)

    def diagonal(self, *args: Any, **options: Any) -> Variable:
        """As np.diagonal."""
        return numpy.diagonal(self, *args, **options)

    def trace(self, *args: Any, **options: Any) -> Variable:
        """As np.trace."""
        return numpy.trace(self, *args, **options)

    def dot(self, other: Any) -> Variable:
        """As np.dot."""
        return numpy.dot(self, other)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Variable:
        """As np.clip."""
        return numpy.clip(self, min, max, out)

    def conj(self) -> Variable:
        """As np.conjugate."""
        return numpy.conjugate(self)

    def conjugate(self) -> Variable:
        """As np.conjugate."""
        return numpy.conjugate(self)

    def round(self, decimals: int = 0, out: Any = None) -> Variable:
        """As np.round."""
        return numpy.round(self, decimals, out)

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Variable:
        """As ndarray.astype; order, casting and copy mean nothing for a value that never changes."""
        if self.dtype.kind == "c" and np.dtype(dtype).kind in "fiu":
            what = "Casting complex values to real discards the imaginary part"
            warn(what, np.exceptions.ComplexWarning)
        return astype(self, dtype=np.dtype(dtype))

    def copy(self, order: str = "C") -> Variable:
        """Itself: a recorded value never changes."""
        return self


class At:
    """The other end of `x.at`.

    Index it, then say what to write. An index that occurs twice counts once, except in `add`.
    """

    __slots__ = ("_arrays", "_template", "_x")

    def __init__(self, x: Variable) -> None:
        self._x = x
        self._template: tuple[Any, ...] | None = None
        self._arrays: list[Any] = []

    def __getitem__(self, index: Any) -> At:
        self._template, self._arrays = ix.split_index(index)
        return self

    def _where(self) -> dict[str, Any]:
        if self._template is None:
            raise TypeError("write x.at[index].set(v): the index is missing")
        return {"template": self._template}

    def _read(self) -> Any:
        return ix.getitem(self._x, *self._arrays, **self._where())

    def set(self, v: Any) -> Variable:
        """A copy with x[index] = v."""
        return ix.scatter_set(self._x, v, *self._arrays, **self._where())

    def add(self, v: Any) -> Variable:
        """A copy with v added at index; an index that occurs twice counts twice (as np.add.at)."""
        spread = beside(self._x).zeros(np.shape(self._read()), self._x.dtype)
        v = astype(v + spread, dtype=self._x.dtype)
        return self._x + ix.scatter_add(v, *self._arrays, **self._where(), shape=self._x.shape)

    def subtract(self, v: Any) -> Variable:
        """As `add` of −v."""
        return self.add(-v)

    def multiply(self, v: Any) -> Variable:
        """A copy with x[index] *= v."""
        return self.set(self._read() * v)

    def divide(self, v: Any) -> Variable:
        """A copy with x[index] /= v."""
        return self.set(self._read() / v)


def _named(ufunc: Any) -> str:
    """`np.sin`, `scipy.special.j0`."""
    return f"{'np' if getattr(np, ufunc.__name__, None) is ufunc else 'scipy.special'}.{ufunc.__name__}"
