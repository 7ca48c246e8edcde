"""Transforms of programs over cupy's arrays: results are cupy's, equal to NumPy's; mixtures are refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check, nn, optim
from adjoint import tree as trees
from adjoint.errors import DTypeError, MissingPackageError
from adjoint.ops import device
from adjoint.ops.index import ARRAY, scatter_add
from tests.cuda_emulator.cupy_standin import CONTROL
from tests.device_programs import fetched, sent, stay, with_cupy
from tests.engines.gpu.machine import EAGER, machine
from tests.helpers import FUNCTIONS, fresh, message, normal, points_at, rng


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


def agree(cupy: Any, got: Any, want: Any, tolerance: float = 1e-9) -> None:
    stay(cupy, got, want)
    leaves = zip(trees.flatten(fetched(cupy, got))[0], trees.flatten(want)[0], strict=True)
    for a, b in leaves:
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def of(f: Any, args: Any) -> Any:
    return ad.value_and_grad(f, tuple(range(len(args))))(*args)


# ------------------------------------------------------------------------------------- programs
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "i8", "u8", "f2", "f4"])
def test_sums_by_index_and_of_segments_in_every_dtype(cupy, dtype):
    """CUDA has no atomics for most integers; all wrap as NumPy's."""
    x = (np.array([100, -3, 0, 7, 120]) if dtype != "f2" else np.arange(5.0)).astype(dtype)
    at = np.array([1, -1, 1, 0, 1])
    for f in (
        lambda x, at: ad.segment_sum(x, np.array([0, 3, 3, 5])),
        lambda x, at: scatter_add.value(x, at, template=(ARRAY,), shape=(4,)),
    ):
        want, got = f(x, at), f(*sent(cupy, (x, at)))
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(fetched(cupy, got), want)


def test_value_and_gradient_of_every_program(cupy):
    for p in FUNCTIONS:
        agree(cupy, of(with_cupy(p.function, cupy), sent(cupy, p.args)), of(p.function, p.args))


def test_second_derivatives_of_every_program(cupy):
    """H v with v = (1, …): the tangent of the gradient."""
    for p in FUNCTIONS:
        ones = trees.tree_map(np.ones_like, p.args)
        ones = trees.tree_map(lambda x: x if isinstance(x, np.ndarray) else 1.0, ones)
        for f, args, v in (
            (p.function, p.args, ones),
            (with_cupy(p.function, cupy), sent(cupy, p.args), sent(cupy, ones)),
        ):
            found = ad.jvp(lambda *xs, f=f: ad.grad(f, tuple(range(len(xs))))(*xs), args, v)
            if f is p.function:
                want = found
        agree(cupy, found, want, 1e-3 if p.name == "single_precision" else 1e-8)


def test_every_transform_gives_arrays_of_the_device(cupy):
    a, x = normal(4, 3), normal(3, seed=1)

    def loss(x: Any, a: Any) -> Any:
        return np.sum(np.tanh(a @ x) ** 2)

    def field(x: Any, a: Any) -> Any:
        return np.tanh(a @ x) * np.exp(x[0])

    there = sent(cupy, (x, a))
    for transform in (
        lambda x, a: ad.grad(loss)(x, a),
        lambda x, a: ad.value_and_grad(loss)(x, a),
        lambda x, a: ad.jacobian(field)(x, a),
        lambda x, a: ad.hessian(loss)(x, a),
        lambda x, a: ad.vjp(field, x, a)[1](a[:, 0]),
        lambda x, a: ad.jvp(field, (x, a), (x * 2, a * 3)),
        lambda x, a: ad.grad(lambda y: np.sum(ad.grad(loss)(y, a) * x))(x),
        lambda x, a: ad.checkpoint(loss)(x, a),
        lambda x, a: ad.elementwise_grad(lambda y: np.sin(y) * 2)(x),
        lambda x, a: ad.with_multipliers(lambda x, a: loss(ad.name(x * 2, "h"), a), "h")(x, a),
    ):
        agree(cupy, transform(*there), transform(x, a))


def test_a_tape_of_device_arrays_has_multipliers_and_a_certificate(cupy):
    w, x, y = normal(4, seed=2), normal(6, 4), normal(6, seed=1)

    def program(w: Any, x: Any, y: Any) -> Any:
        with ad.Tape() as tape:
            W = tape.parameter(w, name="w")
            h = ad.name(np.tanh(x @ W), "h")
            return ad.Lagrangian(tape, np.mean((h - y) ** 2))

    here, there = program(w, x, y), program(*sent(cupy, (w, x, y)))
    for name in ("w", "h"):
        agree(cupy, there.multiplier(name), here.multiplier(name))
    agree(cupy, there.gradient("w"), here.gradient("w"))
    report = there.residuals()
    assert report, repr(report)
    change = 0.01 * normal(4, seed=3)
    predicted, known = there.perturb({"w": cupy.asarray(change)}), here.perturb({"w": change})
    assert repr(predicted).splitlines()[1:] == repr(known).splitlines()[1:]
    assert there.nan_origin() is None and "h" in repr(there.multipliers) and there.latex() == here.latex()


def test_checks_of_functions_over_device_arrays(cupy):
    """Dot products, differences, rates, second order, residuals at every node; a wrong rule is seen."""
    a, x = sent(cupy, (normal(3, 4), normal(4, seed=1)))

    def loss(x: Any) -> Any:
        return np.sum(np.tanh(a @ x) ** 2)

    assert check.gradients(loss, (x,)) and check.gradients(lambda x: np.exp(a @ x), (x,))
    assert check.multipliers(loss, (x,))
    wrong = ad.elementwise(next(fresh), lambda m, x: m.sin(x), lambda m, x, z: 1.01 * m.cos(x))
    report = check.gradients(lambda x: np.sum(wrong(x)), (x,), order=1)
    assert not report and "received" in repr(report)
    assert not check.multipliers(lambda x: np.sum(wrong(x)), (x,))


def test_what_rounding_the_weights_does(cupy):
    w, x = normal(4, 3, seed=2), normal(5, 4)

    def loss(w: Any, x: Any) -> Any:
        return np.mean(np.tanh(x @ w) ** 2)

    here = ad.explain_difference(loss, ad.changes.quantize(4), w, x)
    there = ad.explain_difference(loss, ad.changes.quantize(4), *sent(cupy, (w, x)))
    assert repr(there) == repr(here)


def test_training_by_layers_and_an_optimizer(cupy, tmp_path):
    layers = {"hidden": nn.init_dense(rng(), 4, 8), "output": nn.init_dense(rng(1), 8, 3)}
    x, labels = normal(10, 4).astype(np.float32), np.arange(10) % 3

    def loss(layers: Any, x: Any, labels: Any) -> Any:
        return nn.cross_entropy(nn.dense(layers["output"], nn.gelu(nn.dense(layers["hidden"], x))), labels)

    def trained(layers: Any, x: Any, labels: Any) -> Any:
        adam = optim.adam(1e-2)
        state = adam.init(layers)
        for _ in range(3):
            gradient = ad.grad(loss)(layers, x, labels)
            layers, state = adam.update(gradient, state, layers)
        return layers

    there = trained(*sent(cupy, (layers, x, labels)))
    agree(cupy, there, trained(layers, x, labels), 1e-4)
    ad.save(tmp_path / "layers.npz", there)
    np.testing.assert_array_equal(
        ad.load(tmp_path / "layers.npz")["output"]["W"], cupy.asnumpy(there["output"]["W"])
    )


@pytest.mark.parametrize("size", [5, 1 << 18])  # large arrays are compared before they are copied again
def test_what_is_recorded_is_a_copy(cupy, size):
    """Changing an input or a constant later does not change the record."""
    x, c = cupy.asarray(normal(size)), cupy.asarray(normal(size, seed=1))
    before = cupy.asnumpy(x), cupy.asnumpy(c)
    with ad.Tape() as tape:
        X = tape.parameter(x)
        y = X * X * c
        c[...] = 2.0
        loss = np.sum(y * c)
        x[...] = 0.0
        c[...] = 0.0
    gradient = ad.Lagrangian(tape, loss).gradient(X)
    np.testing.assert_allclose(cupy.asnumpy(gradient), 4 * before[0] * before[1])
    X.value[...] = 7.0  # a copy: a device's arrays cannot be made read-only
    assert not (cupy.asnumpy(X.value) == 7.0).any()


def test_a_large_constant_is_copied_again_where_a_nan_became_a_number(cupy):
    c = cupy.asarray(normal(1 << 18))
    c[0] = np.nan
    with ad.Tape() as tape:
        x = tape.parameter(cupy.asarray(normal(1 << 18)))
        _ = x * c
        again = x * c
        c[0] = 2.0
        z = x * c
    first, second, last = (tape.constants[node.index][1] for node in (_, again, z))
    assert first is second and last is not first and float(last[0]) == 2.0


def test_results_are_the_callers_own(cupy):
    x = cupy.asarray(normal(3))
    _, gradient = ad.value_and_grad(lambda x: np.sum(x))(x)
    gradient[...] = 5.0
    assert cupy.asnumpy(ad.grad(lambda x: np.sum(x))(x)).tolist() == [1.0, 1.0, 1.0]
    assert gradient.base is None and gradient.strides == (8,)  # not a view of one number


def test_operators_meet_from_both_sides(cupy):
    """cupy's array beside a Variable: NumPy asks both, and the Variable records."""
    c, x = normal(3), normal(3, seed=1)
    cases = (
        lambda c, v: c * v, lambda c, v: v * c, lambda c, v: c @ v, lambda c, v: v @ c, lambda c, v: c - v,
        lambda c, v: c / v, lambda c, v: np.hypot(c, v), lambda c, v: np.concatenate([c, v]),
        lambda c, v: np.where(c > 0, v, c), lambda c, v: np.dot(c, v),
        lambda c, v: (c > v) * v, lambda c, v: abs(c) ** v,
    )  # fmt: skip
    for case in cases:
        got = ad.grad(lambda v, c, case=case: np.sum(case(c, v)))(*sent(cupy, (x, c)))
        agree(cupy, got, ad.grad(lambda v, c, case=case: np.sum(case(c, v)))(x, c))


def test_a_program_waits_for_nothing(cupy):
    """Recording and sweeping copy nothing to the host: a branch on a value would."""
    if cupy.__spec__ is not None:
        pytest.skip("only the stand-in counts copies")
    w, x = sent(cupy, (normal(4, 3), normal(5, 4, seed=1)))
    before = CONTROL.counts.device_to_host
    ad.value_and_grad(lambda w: np.mean(np.logaddexp(0.0, x @ w) ** 2))(w)
    assert CONTROL.counts.device_to_host == before


# ------------------------------------------------------------------------------------- mixtures
def test_host_and_device_mixed_is_refused_with_the_remedy(cupy):
    x, labels = cupy.asarray(normal(3)), normal(3, seed=1)

    def loss(x: Any) -> Any:
        return np.sum((x - labels) ** 2)

    text = message(DTypeError, ad.grad(loss), x)
    assert "subtract got an array of the host and one of the device" in text
    assert (
        "x0: (3,) float64 parameter" in text
        and "on the device;  x1: (3,) float64 constant, on the host" in text
    )
    assert "cupy.asarray" in text and "x1" in text.splitlines()[-1]
    assert points_at(text, "return np.sum((x - labels) ** 2)")


@pytest.mark.parametrize(
    "case",
    [
        lambda d, h: h * d, lambda d, h: d @ h, lambda d, h: np.concatenate([d, h]),
        lambda d, h: np.where(d > 0, d, h),
        lambda d, h: d.at[1:3].set(h[1:3]), lambda d, h: np.hypot(h, d),
        lambda d, h: np.linalg.solve(np.outer(d, d) + d, h),
        lambda d, h: np.einsum("i,i->", d, h),
    ],
)  # fmt: skip
def test_mixtures_are_refused_wherever_they_happen(cupy, case):
    text = message(DTypeError, ad.grad(lambda d: np.sum(case(d, normal(4, seed=1)))), cupy.asarray(normal(4)))
    assert "got an array of the host and one of the device" in text and "cupy.asarray" in text


def test_a_cotangent_of_the_host_is_refused_where_it_is_used(cupy):
    _, pull = ad.vjp(np.tanh, cupy.asarray(normal(3)))
    text = message(DTypeError, pull, normal(3))
    assert "host" in text and "cupy.asarray" in text


def test_two_sides_that_meet_in_numbers_alone_are_refused_in_the_sweep(cupy):
    def loss(w: Any, x: Any) -> Any:
        return np.sum(np.tanh(w)) * np.sum(np.sin(x))  # numbers of both sides multiply

    text = message(DTypeError, ad.grad(loss, (0, 1)), normal(3), cupy.asarray(normal(3)))
    assert "tanh: its operands are arrays of the host, its multiplier is one of the device" in text
    assert "cupy.asarray(x)" in text and points_at(text, "return np.sum(np.tanh(w)) * np.sum(np.sin(x))")


def test_parameters_on_both_sides_are_refused(cupy):
    params = {"w": cupy.asarray(normal(3)), "b": normal(3)}
    text = message(DTypeError, ad.grad(lambda p: np.sum(p["w"] * p["b"])), params)
    assert 'parameter "b", on the host' in text


# ------------------------------------------------------------------------------------- other libraries
class Tensor:
    """A device array of another library, seen through `__cuda_array_interface__`."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype

    @property
    def __cuda_array_interface__(self) -> Any:
        return self.array.__cuda_array_interface__


class Packed:
    """The same through DLPack alone."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("kind", [Tensor, Packed])
def test_device_arrays_of_other_libraries_are_taken(cupy, kind):
    x, c = normal(3), normal(3, seed=1)
    foreign = [kind(cupy.asarray(each)) for each in (x, c)]
    got = ad.value_and_grad(lambda x: np.sum(np.sin(x) * foreign[1]))(foreign[0])
    agree(cupy, got, ad.value_and_grad(lambda x: np.sum(np.sin(x) * c))(x))
    assert isinstance(got[1], cupy.ndarray)


def test_a_tensor_that_requires_a_gradient_says_so(cupy):
    class Attached(Tensor):
        @property
        def __cuda_array_interface__(self) -> Any:
            raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")

    text = message(DTypeError, ad.grad(np.sum), Attached(cupy.asarray(normal(3))))
    assert "requires grad" in text and ".detach()" in text


def test_a_device_array_without_cupy_names_the_command(monkeypatch):
    class Foreign:
        __cuda_array_interface__ = None

    monkeypatch.setattr(Foreign, "__cuda_array_interface__", {"shape": (1,)})
    monkeypatch.setitem(sys.modules, "cupy", None)
    text = message(MissingPackageError, device.adopted, Foreign())
    assert "needs cupy, which is not installed" in text and "pip install 'adjoint-autodiff[gpu]'" in text
