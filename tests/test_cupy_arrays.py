"""Which public functions take arrays of cupy, and which compute on the host and say so.

Every public name of the parts below stands in one list of `cupy_lists`; a new one must be put into one.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import models, nn
from adjoint import tree as trees
from adjoint.errors import DTypeError
from adjoint.ops.sides import _within
from tests.cupy_cases import CASES
from tests.cupy_lists import HOST, NO_ARRAYS, TAKEN
from tests.device_programs import on_both_sides, sent
from tests.engines.gpu.machine import EAGER, machine
from tests.helpers import message, points_at

ELSEWHERE = {"compile"}  # tests/nn/test_device.py: it takes kernels, and so a compiler


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


def names_of(part: str) -> set[str]:
    """What a module says is public, or the functions and classes that it defines."""
    module = import_module(part)
    own = (k for k, v in vars(module).items() if getattr(v, "__module__", "") == part and k[0] != "_")
    return set(getattr(module, "__all__", own))


@pytest.mark.parametrize("part", TAKEN)
def test_every_public_name_is_in_one_list(part):
    public = names_of(part)
    lists = TAKEN[part], HOST[part], NO_ARRAYS[part]
    assert public == set().union(*lists), "a new name belongs into one of the lists of tests/cupy_lists.py"
    assert len(public) == sum(map(len, lists)), "a name stands in two lists"


@pytest.mark.parametrize("part", TAKEN)
def test_what_takes_them_has_a_case(part):
    cases = {name.split()[0] for name in CASES[part]} - {"nesterov"}
    assert cases | ELSEWHERE == set(TAKEN[part]) | ELSEWHERE


# ------------------------------------------------------------------------------------ where the arrays are
@pytest.mark.parametrize("part", TAKEN)
def test_what_takes_them_computes_there_what_it_computes_on_the_host(part, cupy):
    """Device arrays where NumPy's are arrays, the same numbers, dtypes, texts; only `WAITING` waits."""
    waiting = set()
    for name, (f, args) in CASES[part].items():
        got, want, waited = on_both_sides(cupy, f"{part}.{name}", f, args)
        if waited:
            waiting.add(name.split()[0])
        for a, b in zip(trees.flatten(got)[0], trees.flatten(want)[0], strict=True):
            if isinstance(b, (np.ndarray, np.generic)):
                assert a.dtype == b.dtype, name
                tolerance = 1e-5 if b.dtype == np.float32 else 1e-9
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)
            else:
                assert a == b or cupy.__spec__ is not None, name  # a card's reports differ in last digits
    if cupy.__spec__ is None:  # only the stand-in counts
        assert waiting == WAITING & {name.split()[0] for name in CASES[part]}


# they read numbers, to report them, to see whether they are done, or to refuse an index
WAITING = frozenset({
    "Lagrangian", "nan_origin", "explain_difference", "MultiplierHistory", "root", "fixed_point", "cond",
    "save", "draw", "segment_sum", "segment_max", "segment_logsumexp", "cross_entropy", "sequence_log_prob",
    "embedding",
    "gradients", "multipliers", "pair", "precision", "quantize", "prune", "replace", "combine",
    "scalar_close", "check_equivalent", "make_numerical_jvp", "check_vjp", "check_jvp", "check_grads",
    "combo_check", "dpo_loss", "policy_advantages",
})  # fmt: skip


# offsets of rows are read on the host; what is saved or compared may lie anywhere; f mixes them itself
EITHER = {
    "segment_sum",
    "segment_max",
    "segment_logsumexp",
    "save",
    "check_equivalent",
    "combo_check",
    "pair",
}


@pytest.mark.parametrize("part", TAKEN)
def test_one_argument_of_the_other_side_is_refused_with_the_remedy(part, cupy):
    """Each in turn is NumPy's where the others are cupy's, and the reverse."""
    for name, (f, args) in CASES[part].items():
        if len(args) == 1 or name.split()[0] in EITHER:
            continue
        there = sent(cupy, args)
        for k, others in itertools.product(range(len(args)), (args, there)):
            mixed = list(others)
            mixed[k] = (there if others is args else args)[k]
            text = message(DTypeError, f, *mixed)
            assert "of the host" in text and "of the device" in text, name
            assert "recorded at" in text and "cupy.asarray" in text.splitlines()[-1], name


@pytest.mark.parametrize("part", ["adjoint.nn", "adjoint.optim", "adjoint.models.alignment"])
def test_layers_and_optimizers_say_which_argument_is_to_be_sent(part, cupy):
    for name, (f, args) in CASES[part].items():
        for k in range(len(args) if len(args) > 1 else 0):
            mixed = sent(cupy, args[:k]) + args[k : k + 1] + sent(cupy, args[k + 1 :])
            what, _, operands, remedy = message(DTypeError, f, *mixed).splitlines()
            assert what.endswith(" got an array of the host and one of the device"), name
            assert remedy.startswith("  Send what is on the host there once, before the computation: "), name
            argument = remedy.rpartition(" ")[2].rpartition("(")[2].rstrip(").")
            assert argument and f"  {argument}" in operands, name


# ------------------------------------------------------------------------------------ on the host alone
def entries(part: str) -> Iterator[tuple[str, Any, Any]]:
    """What can be called of a part that computes on the host: its name, the function, whose method it is."""
    for name in HOST[part]:
        found = getattr(import_module(part), name)
        if not isinstance(found, type):
            yield name, found, None
            continue
        for attribute in dir(found):
            member = getattr(found, attribute)
            own = getattr(member, "__module__", None) or ""
            if own.startswith("adjoint") and (inspect.isfunction(member) or inspect.ismethod(member)):
                if attribute == "__init__":
                    yield name, member, found
                elif attribute == "__call__" or not attribute.startswith("_"):
                    yield f"{name}.{attribute}", member, found


def bare(kind: type) -> Any:
    """An object that nobody has made: nothing but the refusal can come of its methods."""
    return kind.__new__(kind, *[None] * len(kind._fields)) if issubclass(kind, tuple) else kind.__new__(kind)


@pytest.mark.parametrize("part", HOST)
def test_what_computes_on_the_host_refuses_each_argument_before_anything_is_done(part, cupy):
    """All other arguments are None: whatever was done with them would fail otherwise."""
    there = cupy.ones(3)
    tried = 0
    for who, function, kind in entries(part):
        unbound = kind is not None and inspect.isfunction(function)
        names = [n for n, p in inspect.signature(function).parameters.items()]
        for name in names[1:] if unbound else names:
            for value, place, remedy in (
                (there, "", f"{name}.get(), or cupy.asnumpy({name})"),
                ({"a": [there]}, "/a/0", f"ad.tree_map(cupy.asnumpy, {name})"),
            ):
                owner = [bare(kind)] if unbound else []
                call, label = called(function, owner, name, value)
                what, _, operand, advice = message(DTypeError, call).splitlines()
                assert what == f"{who} computes on the host, and {label}{place} is an array of a device"
                assert operand == f"  {label}{place}: (3,) float64, on the device"
                assert advice == f"  Copy it to the host first: {remedy}." or label != name
                assert not owner or not getattr(owner[0], "__dict__", None)
                tried += 1
    assert tried >= 2 * len(HOST[part])


def called(function: Any, owner: list[Any], name: str, value: Any) -> tuple[Any, str]:
    """A call with one argument given and all others None, and what the error calls that argument."""
    args, kwargs, label = list(owner), {}, name
    for p in list(inspect.signature(function).parameters.values())[len(owner) :]:
        x = value if p.name == name else None
        if p.kind is p.VAR_KEYWORD:
            kwargs |= {"option": x} if p.name == name else {}
            label = "option" if p.name == name else label
        elif p.kind is p.KEYWORD_ONLY:
            kwargs[p.name] = x
        else:
            args.append(x)
            label = f"{name}/0" if p.kind is p.VAR_POSITIONAL and p.name == name else label
    return (lambda: function(*args, **kwargs)), label


def test_a_fitted_model_stays_as_it_was(cupy):
    """X is NumPy's and has other columns than before; y is refused before they are counted."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = models.Ridge().fit(X, X[:, 0])
    before = dict(vars(model))
    text = message(DTypeError, lambda: model.fit(X[:, :2], cupy.asarray(X[:, 0])))
    assert text.startswith("Ridge.fit computes on the host, and y is an array of a device")
    assert points_at(text, "model.fit(X[:, :2]")
    assert vars(model) == before


def test_lists_of_numbers_are_passed_over_as_a_whole(cupy):
    """Data may come as lists of millions of numbers."""
    x = cupy.zeros(2)
    assert list(_within([[1.0, 2, True], (), [x, 1.0]], "X")) == [("X/2/0", x), ("X/2/1", 1.0)]


def test_a_list_of_device_arrays_is_refused_too(cupy):
    y = [cupy.asarray(1.0), cupy.asarray(2.0)]
    text = message(DTypeError, models.Ridge().fit, [[1.0], [2.0]], y)
    assert "y/0 is an array of a device" in text and "ad.tree_map(cupy.asnumpy, y)" in text


class Tensor:
    """A device array of another library, as a model meets it."""

    shape, dtype = (3, 2), np.dtype(float)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape}


def test_device_arrays_of_other_libraries_are_refused_too(cupy):
    text = message(DTypeError, models.PCA().fit, Tensor())
    assert text.startswith("PCA.fit computes on the host, and X is an array of a device")
    assert text.endswith("Copy it to the host first; torch has x.cpu().")


def test_sparse_matrices_of_cupy_say_how_they_become_dense():
    sparse = type("csr_matrix", (), {"__module__": "cupyx.scipy.sparse._csr"})
    text = message(models.DataError, models.PCA().fit, sparse())
    assert "sparse data is not supported by PCA" in text and "Pass X.get().toarray()" in text


def test_functions_of_the_user_that_return_device_arrays(cupy):
    """They are called with NumPy's arrays, and must return such."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    send = cupy.asarray
    die = models.MaxEnt(range(1, 7), moments={"mean": 4.5}).fit()
    cases = {
        "the kernel": lambda: models.SVC(kernel=lambda x, z: send(x @ z.T)).fit(X, X[:, 0] > 0),
        "feature 'a'": lambda: models.MaxEnt(range(4), features={"a": send}, moments={"a": 1.0}).fit(),
        "the features": lambda: models.MaxEnt(range(4), features=lambda x: [send(x)], moments=[1.0]).fit(),
        "the prior": lambda: models.MaxEnt(range(4), moments={"mean": 1.0}, prior=send).fit(),
        "the function": lambda: die.predict(send),
    }
    for what, call in cases.items():
        text = message(DTypeError, call)
        assert text.startswith(f"{what} returned an array of a device, where all else is on the host"), text
        assert "Let it return x.get(), or cupy.asnumpy(x)." in text


# ------------------------------------------------------------------------------------ problems
def test_a_problem_that_takes_device_arrays_from_its_surroundings(cupy):
    """f is called with x on the host: the line where both meet is named."""
    c, x = cupy.asarray(np.ones(3)), np.zeros(3)
    params = {"W": cupy.asarray(np.eye(3))}

    def distance(x: Any) -> Any:
        return np.sum((x - c) ** 2)

    cases = (
        lambda: ad.minimize(distance, x),
        lambda: ad.minimize(np.sum, x, eq={"plane": lambda x: x @ c}),
        lambda: ad.minimize(lambda x: np.sum(nn.dense(params, x)), x),
        lambda: ad.minimize(distance, x, batches=lambda rng: (), max_steps=1),
    )
    for call in cases:
        text = message(DTypeError, call)
        assert text.startswith(
            "f or a constraint computes with an array of a device, and minimize calls them"
        )
        assert text.endswith("from their surroundings to the host first: cupy.asnumpy(…).")
    assert "they meet at tests/test_cupy_arrays.py" in message(DTypeError, ad.minimize, distance, x)
    assert "return np.sum((x - c) ** 2)" in message(DTypeError, ad.minimize, distance, x)


def test_a_mistake_of_the_users_is_no_matter_of_devices(cupy):
    text = message(TypeError, ad.minimize, lambda x: {x: 1}, np.zeros(2))
    assert text == "unhashable type: 'numpy.ndarray'"


def test_a_problem_whose_functions_return_device_arrays(cupy):
    x, one = np.ones(2), cupy.asarray(1.0)
    both = {"sum": lambda x: np.sum(x) - 1}
    inner = {"method": "dual", "inner": lambda lam: cupy.asarray(x), "eq": both}
    cases = {
        "f returned": lambda: ad.minimize(lambda x: one, x),
        "constraint 'c' returned": lambda: ad.minimize(np.sum, x, ineq={"c": lambda x: one}),
        "inner returned": lambda: ad.minimize(np.sum, x, **inner),
        "minimize computes on the host, and batches/0": lambda: ad.minimize(
            lambda x, b: np.sum(x * b), x, batches=lambda rng: cupy.asarray(x)
        ),
    }
    for what, call in cases.items():
        assert message(DTypeError, call).startswith(f"{what} ")


def test_a_problem_within_a_gradient_over_device_arrays(cupy):
    """The Variable stands for an array of the device, and is refused as that."""

    def best(a: Any) -> Any:
        return ad.minimize(lambda x, a: np.sum((x - a) ** 2), np.zeros(2), args=(a,)).fun

    text = message(DTypeError, ad.grad(best), cupy.asarray(np.ones(2)))
    assert text.startswith("minimize computes on the host, and args/0 is an array of a device")
