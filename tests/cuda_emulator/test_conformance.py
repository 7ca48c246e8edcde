"""The stand-in against the real cupy, which can be imported without a driver.

It can also make arrays without one, over memory that it is told to be the device's: so views, flags and
refusals are compared on real objects too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from . import cupy_standin
from .cupy_standin import linear, ufuncs
from .cupy_standin.signatures import FUNCTIONS, SPECIAL, UFUNCS, VIEWS

cupy = pytest.importorskip("cupy", reason="the real cupy is not installed")
import cupyx  # noqa: E402
import cupyx.scipy.special  # noqa: E402

VERSION = tuple(map(int, cupy.__version__.split(".")[:2]))
pytestmark = pytest.mark.skipif(
    VERSION != (14, 2), reason=f"the stand-in is cupy {cupy_standin.VERSION}, installed is {cupy.__version__}"
)


@pytest.fixture(scope="module")
def standing() -> Iterator[dict[str, ModuleType]]:
    """The stand-in's modules, beside the real ones."""
    with cupy_standin.standing_in():
        yield cupy_standin.build()


def real(path: str) -> Any:
    """An attribute of the real modules by its path; cupyx.scipy.linalg needs cuBLAS to be there."""
    found: Any = {"cupy": cupy, "cupyx": cupyx}[path.split(".")[0]]
    for part in path.split(".")[1:]:
        found = getattr(found, part)
    return found


# ------------------------------------------------------------------------------------ names
NOT_LOADED = {"cupyx.scipy.linalg", "cupy.cuda.cublas"}  # need cuBLAS, which is not installed here


def test_every_name_of_the_stand_in_is_cupys(standing: dict[str, ModuleType]) -> None:
    unknown = []
    for path, module in standing.items():
        if path in NOT_LOADED:
            continue
        there = real(path)
        for name in vars(module):
            if name.startswith("_"):
                continue
            try:
                getattr(there, name)
            except ImportError:
                continue
            except AttributeError:
                unknown.append(f"{path}.{name}")
    assert not unknown


CLASSES = {
    "cupy": ("ndarray", "RawKernel", "RawModule", "ufunc"),
    "cupy.cuda": ("Stream", "Event", "Graph", "Device", "MemoryPointer", "MemoryPool", "UnownedMemory"),
}


def test_every_member_of_its_classes_is_cupys(standing: dict[str, ModuleType]) -> None:
    own = {"push", "drain", "refuse_in_capture"}  # what only the stand-in asks of itself
    unknown = []
    for path, names in CLASSES.items():
        for name in names:
            kind, there = getattr(standing[path], name), getattr(real(path), name)
            members = {m for c in kind.__mro__[:-1] for m in vars(c) if not m.startswith("_")} - own
            unknown += [f"{path}.{name}.{m}" for m in members if not hasattr(there, m)]
    assert not unknown


SPECIAL_METHODS = [
    f"__{name}__"
    for name in [
        "array",
        "array_ufunc",
        "array_function",
        "cuda_array_interface",
        "dlpack",
        "dlpack_device",
        "len",
        "iter",
        "bool",
        "int",
        "float",
        "complex",
        "index",
        "matmul",
        "rmatmul",
        "iadd",
        "invert",
        "divmod",
        "format",
        "copy",
        "deepcopy",
    ]
]


def test_special_methods_are_those_of_cupy(standing: dict[str, ModuleType]) -> None:
    kind = standing["cupy"].ndarray
    wrong = [m for m in SPECIAL_METHODS if hasattr(kind, m) and not hasattr(cupy.ndarray, m)]
    assert not wrong
    assert cupy.ndarray.__array_priority__ == kind.__array_priority__ and cupy.ndarray.__hash__ is None


# ------------------------------------------------------------------------------------ signatures
def parameters(function: Callable[..., Any]) -> list[tuple[str, Any]] | None:
    """Names and defaults; of compiled functions from the first line of their documentation."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        found = re.match(r"[\w.]*\((.*?)\)", (function.__doc__ or "").replace("\\*", "*").replace("\n", " "))
        if not found:
            return None
        text = re.sub(r"(?<=[(, ])(?:[\w.]+ )+(?=\w+(?:[=,)]|$))", "", f"({found[1]})")[1:-1]
        try:
            signature = inspect.signature(eval(f"lambda {text}: None", {"np": np, "numpy": np}))
        except SyntaxError:
            return None
    return [(p.name, p.default) for p in signature.parameters.values() if p.name not in ("self", "_module")]


def test_the_tables_of_signatures_are_cupys() -> None:
    wrong = []
    for name, text in {**FUNCTIONS, **VIEWS}.items():
        found = re.sub(r": '[^']*'", "", str(inspect.signature(real(f"cupy.{name}")))).split(" ->")[0]
        if found != text:
            wrong.append((name, text, found))
    assert not wrong


def test_functions_written_by_hand_take_cupys_parameters(standing: dict[str, ModuleType]) -> None:
    wrong = []
    for path in ("cupy", "cupy.cuda", "cupy.cuda.runtime", "cupy.cuda.memory", "cupyx"):
        for name, function in vars(standing[path]).items():
            skip = name.startswith("_") or name in FUNCTIONS or name in VIEWS or name in UFUNCS
            if skip or not inspect.isfunction(function):
                continue
            there = parameters(getattr(real(path), name))
            if there is not None and parameters(function) != there:
                wrong.append((f"{path}.{name}", parameters(function), there))
    assert not wrong


METHODS = {
    "cupy.ndarray": (
        "get set copy astype fill view reshape transpose item dot flatten scatter_add sum max argsort"
    ),
    "cupy.cuda.Stream": "synchronize begin_capture end_capture is_capturing record wait_event use",
    "cupy.cuda.Graph": "launch upload",
    "cupy.cuda.MemoryPool": (
        "malloc free_all_blocks used_bytes free_bytes total_bytes n_free_blocks set_limit get_limit"
    ),
    "cupy.cuda.MemoryPointer": (
        "memset memset_async copy_from_device copy_from_device_async copy_from_host copy_from_host_async "
        "copy_to_host copy_to_host_async"
    ),
    "cupy.RawModule": "compile get_function",
    "cupy.RawKernel": "compile",
}


def test_methods_take_cupys_parameters(standing: dict[str, ModuleType]) -> None:
    wrong = []
    for path, names in METHODS.items():
        module, _, kind = path.rpartition(".")
        for name in names.split():
            there = parameters(getattr(real(path), name))
            here = parameters(getattr(getattr(standing[module], kind), name))
            variadic = here is not None and here and here[0][0] in ("args", "shape", "axes")
            if there is not None and here != there and not variadic:
                wrong.append((f"{path}.{name}", here, there))
    assert not wrong


def test_solve_triangular_takes_cupys_parameters() -> None:
    """Its module needs cuBLAS: its text is read."""
    folder = re.sub(r"__init__\.py$", "", cupyx.__file__)
    with open(f"{folder}/scipy/linalg/_solve_triangular.py") as file:
        found = re.search(r"def solve_triangular\((.*?)\):", file.read(), re.S)
    assert found is not None
    there = inspect.signature(eval(f"lambda {' '.join(found[1].split())}: None"))
    assert list(there.parameters) == list(inspect.signature(linear.solve_triangular).parameters)


# ------------------------------------------------------------------------------------ ufuncs
KINDS = [np.dtype(c) for c in ("?", "i4", "i8", "f4", "f8", "c16")]


def chosen_loop(ufunc: Any, kinds: tuple[np.dtype[Any], ...]) -> Any:
    """The results' dtypes of cupy's first loop to which the operands can be cast; None: there is none."""
    for loop in ufunc.types:
        into, out = loop.split("->")
        if "E" in loop:  # a complex number of two halves, which NumPy has not
            continue
        if all(np.can_cast(kind, np.dtype(c)) for kind, c in zip(kinds, into, strict=True)):
            return [np.dtype(c) for c in out]
    return None


def test_ufuncs_have_cupys_loops(standing: dict[str, ModuleType]) -> None:
    wrong = []
    tables = ((ufuncs.ufuncs, cupy), (ufuncs.special, cupyx.scipy.special))
    for table, module in tables:
        for name, ufunc in table.items():
            there = getattr(module, name)
            assert (ufunc.nin, ufunc.nout) == (there.nin, there.nout), name
            for kind in KINDS:
                kinds = (kind,) * ufunc.nin
                try:
                    here = ufunc._kinds([np.zeros((), k) for k in kinds], None)
                except TypeError:
                    here = None
                loop = chosen_loop(there, kinds)
                if here is not None and loop != here:
                    wrong.append((name, kind.name, here, loop))
    assert not wrong, wrong


def test_all_the_ufuncs_that_rows_need_are_there() -> None:
    assert {"tanh", "logaddexp", "maximum", "where"} - set(UFUNCS) == {"where"}
    assert {"erf", "digamma", "expit", "log_expit", "betainc", "ndtr"} <= set(SPECIAL)


# ------------------------------------------------------------------------------------ real arrays, no device
BUFFER = np.zeros(1 << 12, np.uint8)


def real_array(*shape: int, dtype: str = "f8") -> Any:
    memory = cupy.cuda.UnownedMemory(BUFFER.ctypes.data, BUFFER.nbytes, BUFFER, 0)
    return cupy.ndarray(shape, dtype, cupy.cuda.MemoryPointer(memory, 0))


VIEW_CASES: dict[str, Callable[[Any], Any]] = {
    "slice": lambda x: x[1:, ::2], "reversed": lambda x: x[::-1], "integer": lambda x: x[1],
    "element": lambda x: x[1, 2], "ellipsis": lambda x: x[..., 1], "new axis": lambda x: x[:, None],
    "()": lambda x: x[()], "empty": lambda x: x[3:], "T": lambda x: x.T, "reshape": lambda x: x.reshape(4, 3),
    "reshape tuple": lambda x: x.reshape((2, -1)),
    "transpose": lambda x: x.transpose(1, 0),
    "np.reshape": lambda x: np.reshape(x, (12,)), "np.transpose": lambda x: np.transpose(x),
    "np.broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "np.expand_dims": lambda x: np.expand_dims(x, 0),
    "np.squeeze": lambda x: np.squeeze(x[:1]),
    "np.swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "np.moveaxis": lambda x: np.moveaxis(x, 0, -1), "np.flip": lambda x: np.flip(x, (0, 1)),
    "np.ravel": lambda x: np.ravel(x), "np.diagonal": lambda x: np.diagonal(x),
    "view": lambda x: x.view("i8"),
    "real": lambda x: x.real, "astype": lambda x: x.astype("f8", copy=False), "mT": lambda x: x.mT,
    "split": lambda x: np.split(x, 2, axis=1)[1],
}  # fmt: skip


@pytest.mark.parametrize("name", VIEW_CASES)
def test_views_have_cupys_shapes_strides_flags_and_places(standing: dict[str, ModuleType], name: str) -> None:
    case, here = VIEW_CASES[name], standing["cupy"].empty((3, 4))
    there = real_array(3, 4)
    a, b = case(here), case(there)
    assert (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)
    if a.size:
        assert a.data.ptr - here.data.ptr == b.data.ptr - there.data.ptr
    assert (a.flags.c_contiguous, a.flags.f_contiguous) == (b.flags.c_contiguous, b.flags.f_contiguous)
    assert (a.base is None) == (b.base is None) or a is here


REFUSALS: dict[str, Callable[[Any], Any]] = {
    "np.asarray": lambda x: np.asarray(x), "np.array": lambda x: np.array([x, x]), "bool": lambda x: bool(x),
    "len": lambda x: len(x[0, 0]), "iter": lambda x: iter(x[0, 0]), "item": lambda x: x.item(),
    "set dtype": lambda x: x.set(np.zeros((3, 4), "f4")), "set shape": lambda x: x.set(np.zeros((4, 3))),
    "set strided": lambda x: x[:, ::2].set(np.zeros((3, 2))), "set list": lambda x: x.set([1.0]),
    "host in matmul": lambda x: x.T @ np.zeros((3, 4)), "index": lambda x: x[5],
    "too many": lambda x: x[0, 0, 0],
    "two ellipses": lambda x: x[..., ...], "hash": lambda x: hash(x), "attribute": lambda x: setattr(x,
    "tag", 1),
    "fill": lambda x: x.__setitem__(slice(None), np.zeros((3, 4))),
}  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_have_cupys_kind_and_text(standing: dict[str, ModuleType], name: str) -> None:
    texts = []
    for x in (standing["cupy"].zeros((3, 4)), real_array(3, 4)):
        with pytest.raises(Exception) as caught:
            REFUSALS[name](x)
        texts.append((type(caught.value), str(caught.value)))
    kinds, words = zip(*texts, strict=True)
    assert issubclass(kinds[0], kinds[1]), texts
    plain = [re.sub(r"[^a-z]+", " ", w.lower().replace("cupy._core.core._ndarray_base", "x")) for w in words]
    assert plain[0] == plain[1] or name in ("host in matmul", "attribute"), texts


def test_small_things_on_which_the_engine_relies(standing: dict[str, ModuleType]) -> None:
    """Numbers of devices, pointers to nothing, classes: the same in both."""
    at = cupy.cuda.UnownedMemory(BUFFER.ctypes.data, BUFFER.nbytes, BUFFER, 0)
    nothing = cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(0, 0, None, 0), 0)
    here = standing["cupy"]
    pairs = (
        (cupy, cupy.cuda.MemoryPointer(at, 0), nothing),
        (here, here.empty(512).data, here.empty(0).data),
    )
    for module, pointer, null in pairs:
        assert module.cuda.Device.__hash__ is None and module.cuda.Stream.__hash__ is not None
        assert (pointer + np.int64(8)).ptr == pointer.ptr + 8 and pointer.device_id == 0
        assert (null + 0).ptr == 0
        with pytest.raises(AssertionError):
            null + 8

        class Named(module.ndarray):  # type: ignore[misc, name-defined]
            pass

        x = Named((3, 4), "f8", pointer)
        assert type(module.ascontiguousarray(x)) is Named
        plain = module.ndarray(x.shape, x.dtype, x.data, [32, 8])
        assert type(plain) is module.ndarray and plain.flags.c_contiguous and plain.data.ptr == pointer.ptr
        assert issubclass(module.cuda.driver.CUDADriverError, RuntimeError)


def test_texts_of_errors_are_cupys() -> None:
    for numbers in ((1000, 2000, 3000), (1536, 0)):
        theirs = str(cupy.cuda.memory.OutOfMemoryError(*numbers))
        assert str(cupy_standin.OutOfMemoryError(*numbers)) == theirs
    with pytest.raises(TypeError) as caught:
        cupy.from_dlpack(np.ones(3))
    with cupy_standin.standing_in() as own, pytest.raises(TypeError) as ours:
        own.from_dlpack(np.ones(3))
    assert str(ours.value) == str(caught.value)
    if not cupy.cuda.is_available():
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError) as theirs_of_device:
            cupy.cuda.runtime.getDeviceCount()
        text = str(theirs_of_device.value)
        name = text.split(":")[0]
        assert str(cupy_standin.CUDARuntimeError(name)) == text
        assert cupy_standin.CUDARuntimeError(name).status == theirs_of_device.value.status


def test_what_a_device_needs_is_refused_as_cupy_refuses_it() -> None:
    """Without a driver, everything that needs one fails with the same error, in the stand-in as in cupy."""
    if cupy.cuda.is_available():
        pytest.skip("there is a driver")
    uses: dict[str, Callable[[Any], Any]] = {
        "zeros": lambda m: m.zeros(3), "asarray": lambda m: m.asarray([1.0]),
        "alloc": lambda m: m.cuda.alloc(8),
        "count": lambda m: m.cuda.runtime.getDeviceCount(), "event": lambda m: m.cuda.Event(),
        "properties": lambda m: m.cuda.runtime.getDeviceProperties(0),
        "capability": lambda m: m.cuda.Device(0).compute_capability,
    }  # fmt: skip
    with (
        cupy_standin.standing_in() as own,
        cupy_standin.CONTROL.playing(missing="cudaErrorInsufficientDriver", driver=0),
    ):
        assert not own.cuda.is_available() and own.cuda.runtime.driverGetVersion() == 0
        for name, use in uses.items():
            texts = []
            for module in (own, cupy):
                with pytest.raises(RuntimeError) as caught:
                    use(module)
                texts.append(str(caught.value))
            assert texts[0] == texts[1], name
