"""Properties of the tape and its multipliers that every program of FUNCTIONS must have."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint import tree as trees

from ..helpers import Program, close, each_program, nothing_is_open, record, same_kind


def gradient(p: Program) -> Any:
    return ad.grad(p.function, tuple(range(len(p.args))))(*p.args)


@each_program
def test_derivatives_to_second_order(p: Program) -> None:
    check.gradients(p.function, p.args).raise_on_failure()


@each_program
def test_residual_injection_at_every_node(p: Program) -> None:
    check.multipliers(p.function, p.args).raise_on_failure()


@each_program
def test_certificate_holds(p: Program) -> None:
    tape, loss, _ = record(p.function, *p.args)
    certificate = ad.Lagrangian(tape, loss).residuals()
    assert certificate.holds, repr(certificate)
    assert certificate.nodes == len(tape)


@each_program
def test_replay_without_changes_is_bit_identical(p: Program) -> None:
    tape, _, _ = record(p.function, *p.args)
    for z, again in zip(tape.values, tape.replay({}).values, strict=True):
        for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (z, again)), strict=True):
            assert np.asarray(a).dtype == np.asarray(b).dtype
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@each_program
def test_value_is_that_of_plain_numpy(p: Program) -> None:
    value, _ = ad.value_and_grad(p.function)(*p.args)
    plain = p.function(*p.args)
    np.testing.assert_allclose(value, plain, rtol=1e-6 if np.asarray(plain).dtype == np.float32 else 1e-13)


@each_program
def test_gradient_has_the_containers_shapes_and_dtypes_of_the_arguments(p: Program) -> None:
    as_arrays = trees.tree_map(lambda x: np.float64(x) if isinstance(x, float) else x, p.args)
    same_kind(gradient(p), as_arrays)
    assert nothing_is_open()


@each_program
def test_gradient_twice_is_the_same_to_the_bit(p: Program) -> None:
    first, second = (trees.flatten(gradient(p))[0] for _ in range(2))
    assert [np.asarray(a).tobytes() for a in first] == [np.asarray(b).tobytes() for b in second]


@each_program
def test_lagrangian_with_multipliers_and_grad_agree(p: Program) -> None:
    expected = gradient(p)
    tape, loss, inputs = record(p.function, *p.args)
    lagrangian = ad.Lagrangian(tape, loss)
    leaves, structure = trees.flatten(p.args)
    assert len(leaves) == len(inputs)
    close(trees.unflatten(structure, lagrangian.gradient(inputs)), expected, 1e-12)
    _, found, multipliers = ad.with_multipliers(p.function, argnum=tuple(range(len(p.args))))(*p.args)
    close(found, expected, 1e-12)
    assert len(multipliers) == len(tape)


@each_program
def test_multipliers_pickle_without_the_tape(p: Program) -> None:
    _, _, multipliers = ad.with_multipliers(p.function)(*p.args)
    again = pickle.loads(pickle.dumps(multipliers))
    assert repr(again) == repr(multipliers)
    assert again.norms() == multipliers.norms()


@each_program
def test_arguments_may_change_once_they_are_recorded(p: Program) -> None:
    expected = gradient(p)
    args = trees.tree_map(lambda x: np.array(x) if isinstance(x, np.ndarray) else x, p.args)
    tape, loss, inputs = record(p.function, *args)
    for leaf in trees.flatten(args)[0]:
        if isinstance(leaf, np.ndarray):
            leaf[...] = np.nan
    found = ad.Lagrangian(tape, loss).gradient(inputs)
    close(found, trees.flatten(expected)[0], 1e-12)


@each_program
def test_constants_may_change_once_they_are_recorded(p: Program) -> None:
    expected = gradient(p)
    for k in range(len(p.args)):
        args = trees.tree_map(lambda x: np.array(x) if isinstance(x, np.ndarray) else x, p.args)

        def f(x: Any, k: int = k, args: Any = args) -> Any:
            loss = p.function(*args[:k], x, *args[k + 1 :])
            for leaf in trees.flatten(args)[0]:
                if isinstance(leaf, np.ndarray):
                    leaf[...] = np.nan
            return loss

        close(ad.grad(f)(p.args[k]), expected[k], 1e-12)


@each_program
def test_tangent_sweep_agrees_with_the_adjoint_sweep(p: Program) -> None:
    """⟨∇f, v⟩ by forward mode, in one direction of all arguments together."""
    rng = np.random.default_rng(3)
    v = trees.tree_map(
        lambda x: np.asarray(rng.standard_normal(np.shape(x)), np.asarray(x).dtype)[()], p.args
    )
    _, slope = ad.jvp(p.function, p.args, v)
    pairs = zip(trees.flatten(gradient(p))[0], trees.flatten(v)[0], strict=True)
    expected = sum(np.sum(np.multiply(a, b, dtype=float)) for a, b in pairs)
    np.testing.assert_allclose(slope, expected, rtol=1e-4 if np.asarray(slope).dtype == np.float32 else 1e-9)


@each_program
def test_sweep_solves_the_adjoint_system(p: Program) -> None:
    """λ from back substitution equals the solution of (I − J)ᵀλ = ∇ℓ, J built densely from tangent rules."""
    tape, loss, _ = record(p.function, *p.args)
    sizes = [sum(np.size(part) for part in _float_parts(z)) for z in tape.values]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    if starts[-1] > 700:
        pytest.fail("too large for a dense system; take a smaller program")
    jacobian = np.zeros((starts[-1], starts[-1]))
    for i, op in enumerate(tape.operations):
        if op is None or not sizes[i]:
            continue
        for j in {q for q in tape.parents[i] if q >= 0 and sizes[q]}:
            for column, direction in enumerate(_basis(tape.values[j])):
                dots = [direction if q == j else None for q in tape.parents[i]]
                pushed = op.tangent(tape.operands(i), tape.values[i], dots, **tape.params[i])
                if pushed is not None:
                    jacobian[starts[i] : starts[i + 1], starts[j] + column] = _flat(pushed)
    right = np.zeros(starts[-1])
    right[starts[loss.index]] = 1.0
    expected = np.linalg.solve((np.eye(len(right)) - jacobian).T, right)
    multipliers = ad.Lagrangian(tape, loss).multipliers
    single = any(np.asarray(part).dtype == np.float32 for z in tape.values for part in _float_parts(z))
    for i, size in enumerate(sizes):
        if size:
            np.testing.assert_allclose(
                _flat(multipliers[i]),
                expected[starts[i] : starts[i + 1]],
                rtol=1e-9,
                atol=1e-5 if single else 1e-9,
            )


def _parts(z: Any) -> tuple[Any, ...]:
    return z if isinstance(z, tuple) else (z,)


def _float_parts(z: Any) -> list[Any]:
    return [part for part in _parts(z) if np.asarray(part).dtype.kind == "f"]


def _flat(z: Any) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in _parts(z) if part is not None])


def _basis(z: Any) -> list[Any]:
    parts = _parts(z)
    directions = []
    for k, part in enumerate(parts):
        for unit in np.eye(np.size(part), dtype=np.asarray(part).dtype):
            zeros = [np.zeros(np.shape(other), np.asarray(other).dtype)[()] for other in parts]
            zeros[k] = unit.reshape(np.shape(part))[()]
            directions.append(tuple(zeros) if isinstance(z, tuple) else zeros[0])
    return directions
