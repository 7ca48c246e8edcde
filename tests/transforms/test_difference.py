"""explain_difference: the change it measures is the one a changed program makes, and the cause is found."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import changes
from adjoint.errors import DomainError, LeakError, ShapeError, TreeError, UnknownNameError

from ..helpers import message, normal

PARAMETERS = {
    f"layer{k}": {"W": normal(n, m, seed=k) / n**0.5, "b": 0.1 * normal(m, seed=9 + k)}
    for k, (n, m) in enumerate(((6, 8), (8, 8), (8, 3)), start=1)
}
X, LABELS = normal(20, 6, seed=5), np.arange(20) % 3


def loss(parameters: dict[str, Any], x: Any, labels: Any, scale: Any = 1.0) -> Any:
    for name in parameters:
        with ad.scope(name):
            x = ad.name(np.tanh(scale * (x @ parameters[name]["W"] + parameters[name]["b"])), "h")
    return np.mean(np.log(np.sum(np.exp(x), axis=1)) - x[np.arange(len(labels)), labels])


def explained(change: Any, **options: Any) -> ad.Difference:
    return ad.explain_difference(loss, change, PARAMETERS, X, LABELS, **options)


def change_of(parameters: Any, x: Any = X) -> float:
    return float(loss(parameters, x, LABELS)) - float(loss(PARAMETERS, X, LABELS))


@pytest.mark.parametrize(("kind", "tolerance"), [("float32", 1e-6), ("float16", 1e-3)])
def test_precision_is_that_of_a_program_run_in_it(kind: str, tolerance: float) -> None:
    """Sums inside of a product round as they do there, not only its result."""
    found = explained(changes.precision(kind))
    cast = ad.tree_map(lambda a: a.astype(kind), PARAMETERS)
    np.testing.assert_allclose(found.measured, change_of(cast, X.astype(kind)), rtol=tolerance)
    assert abs(found.unexplained) < 1e-2 * sum(abs(c.contribution) for c in found.causes)
    assert not {c.label for c in found.causes} & {"transpose", "reshape"}  # what only moves does not round


def test_long_sums_round_as_they_do_in_single_precision() -> None:
    """Not once, at their end: BLAS adds 20,000 products up in float32."""
    x, w = normal(20_000), normal(20_000, seed=1)
    found = ad.explain_difference(lambda w, x: x @ w, changes.precision("float32"), w, x)
    single = float(x.astype(np.float32) @ w.astype(np.float32))
    np.testing.assert_allclose(found.loss + found.measured, single, rtol=1e-12)
    exact = float(x.astype(np.float32).astype(float) @ w.astype(np.float32).astype(float))
    assert abs(single - exact) > np.spacing(np.float32(single))  # that is more than one rounding


def test_bfloat16_keeps_eight_bits() -> None:
    w = np.array([1 + 2.0**-7, 1 + 2.0**-9, -0.0])
    found = ad.explain_difference(lambda w: w @ np.ones(3), changes.precision("bfloat16"), w)
    assert [c.label for c in found.causes] == ["matmul#1", "w"]
    np.testing.assert_allclose([c.contribution for c in found.causes], [-(2.0**-7), -(2.0**-9)])  # to even
    assert "is not finite any more" in message(
        DomainError, ad.explain_difference, np.sum, changes.precision("bfloat16"), np.array([1e39])
    )


def test_quantized_and_pruned_parameters_give_the_loss_of_a_rerun() -> None:
    def int8(w: Any) -> Any:
        scale = np.max(np.abs(w)) / 127
        return np.round(w / scale) * scale

    found = explained(changes.quantize(8))
    np.testing.assert_allclose(found.measured, change_of(ad.tree_map(int8, PARAMETERS)), rtol=1e-9)
    assert found.perturbation.relative_error < 0.02
    assert sorted(c.label for c in found.causes) == sorted(f"layer{k}/{p}" for k in (1, 2, 3) for p in "Wb")

    def half(w: Any) -> Any:
        return np.where(np.abs(w) > np.sort(np.abs(w), axis=None)[w.size // 2 - 1], w, 0.0)

    pruned = explained(changes.prune(0.5, at="layer2/W"))
    changed = PARAMETERS | {"layer2": PARAMETERS["layer2"] | {"W": half(PARAMETERS["layer2"]["W"])}}
    np.testing.assert_allclose(pruned.measured, change_of(changed), rtol=1e-9)
    assert [c.label for c in pruned.causes] == ["layer2/W"]


def test_scales_by_column_round_no_worse() -> None:
    whole, columns = (explained(changes.quantize(4, at="*/W", axis=axis)).causes for axis in (None, -1))
    for label in ("layer1/W", "layer2/W", "layer3/W"):
        a, b = (next(c for c in causes if c.label == label) for causes in (whole, columns))
        assert b.residual_norm < a.residual_norm
    beyond, plain = (explained(changes.quantize(4, axis=axis)).measured for axis in (2, None))
    assert beyond == plain  # no W has a third axis
    zero = ad.explain_difference(lambda w: np.sum(w**2), changes.quantize(8), np.zeros(3))
    assert zero.causes == () and zero.measured == 0.0


def test_prediction_errs_in_second_and_third_order() -> None:
    v = normal(20, 8, seed=3)
    errors = []
    for k in range(3, 7):
        found = explained({"layer2/h": lambda h, t=2.0**-k: h + t * v})
        errors.append((abs(found.perturbation.first_order - found.measured), abs(found.unexplained)))
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(rates[-1], [2, 3], atol=0.3)


def test_the_layer_that_is_patched_is_the_first_cause() -> None:
    """Another program: only what it does itself counts against a layer, not what it inherits."""

    def patched(parameters: Any, x: Any, labels: Any) -> Any:
        wrong = {**parameters, "layer2": {**parameters["layer2"], "b": parameters["layer2"]["b"] + 0.1}}
        return loss(wrong, x, labels)

    found = explained(patched)
    np.testing.assert_allclose(
        found.measured, float(patched(PARAMETERS, X, LABELS) - loss(PARAMETERS, X, LABELS))
    )
    assert found.causes[0].label == "layer2/h"
    assert abs(found.causes[0].contribution) > 1e6 * sum(abs(c.contribution) for c in found.causes[1:])
    assert repr(found).startswith("patched in its place: the loss ")
    assert explained(loss).causes == ()


def test_the_one_rough_operation_is_found_among_many() -> None:
    """1 − cos x in single precision near 0: cancellation, which a float32 run hides in its result."""

    def program(x: Any) -> Any:
        small = ad.name(1 - np.cos(x), "small")
        return np.sum(np.sqrt(small) / x)

    found = ad.explain_difference(program, changes.precision("float32"), np.array([1e-3, 2e-3]))
    assert found.causes[0].label.startswith("cos#") or found.causes[0].label == "small"
    assert "np.cos(x)" in found.causes[0].source
    assert found.causes[0].place.split(":")[0].endswith("test_difference.py")


def test_scopes_and_combinations() -> None:
    first = explained(changes.precision("float32", at="layer1/*"))
    assert {c.scope or c.label.split("/")[0] for c in first.causes} == {"layer1"}
    both = explained(
        changes.combine(changes.quantize(8, at="*/W"), changes.precision("float16", at="layer3/*"))
    )
    assert both.words == "int8 parameters at */W, float16 at layer3/*"
    assert set(both.by_scope()) == {"layer1", "layer2", "layer3"}
    np.testing.assert_allclose(sum(both.by_scope().values()), both.predicted)
    np.testing.assert_allclose(both.measured - both.unexplained, both.predicted)


def test_report_ranks_and_adds_up() -> None:
    found = explained(changes.precision("float16"))
    sizes = [abs(c.contribution) for c in found.causes]
    assert sizes == sorted(sizes, reverse=True)
    np.testing.assert_allclose(sum(c.contribution for c in found.causes), found.predicted)
    text = repr(found)
    for words in ("float16: the loss ", "predicted to first order ", "with both multipliers ", "share",
                  "more  ", "by scope: ", "x = ad.name(np.tanh("):  # fmt: skip
        assert words in text, text
    assert len(found.table(3).splitlines()) == 2 + 3 + 1
    assert "recorded at" not in repr(explained(changes.quantize(8)))
    assert "unexplained: " in repr(explained({"layer1/h": 0.0, "layer2/h": lambda h: -5 * h}))


def test_picture_has_shares_for_heat(tmp_path: Any) -> None:
    found = explained(changes.quantize(4))
    picture = ad.draw(found)
    text = picture.text()
    assert text.startswith("int4 parameters, loss ") and "Δℓ measured" in text
    top = next(line for line in text.splitlines() if found.causes[0].label in line)
    assert top.startswith("  █ ") and "Δℓ " in top and "share " in top
    assert "|Δℓ| " in picture.dot() and "‖λ‖" not in picture.dot()
    folded = ad.draw(explained(changes.precision("float32")), limit=4).text()
    assert "|Δℓ| " in folded
    again = pickle.loads(pickle.dumps(found))
    assert again == found and repr(again) == repr(found)
    assert "has travelled without its program" in message(LeakError, ad.draw, again)


def test_lagrangian_and_keywords() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(np.array([0.3, -0.21]), name="w")
        total = np.sum(w**3)
    found = ad.explain_difference(ad.Lagrangian(tape, total), changes.quantize(4))
    assert [c.label for c in found.causes] == ["w"]
    a, b = (explained(changes.quantize(4), **k).measured for k in ({}, {"scale": 0.5}))
    assert a != b
    inputs = explained(changes.quantize(4), argnum=1)  # the data are the parameters now
    assert [c.label for c in inputs.causes] == ["x"]


def test_misuse() -> None:
    text = message(UnknownNameError, explained, changes.precision("float32", at="layr1/*"))
    assert "nothing in the program matches 'layr1/*'; names: layer1/W" in text and "scopes: layer1, " in text
    assert "must have shape (20, 8)" in message(ShapeError, explained, {"layer1/h": np.ones((3, 7))})
    overflow = message(
        DomainError,
        ad.explain_difference,
        lambda x: np.sum(np.exp(x)),
        changes.precision("float16"),
        np.array([12.0]),
    )
    assert overflow.startswith("float16: exp#1 at ") and "it was from 1.628e+05 to 1.628e+05" in overflow
    with np.errstate(invalid="ignore"):
        assert "the loss is nan before any change" in message(
            DomainError, ad.explain_difference, lambda w: np.sum(np.log(w)), changes.quantize(8), -X
        )
    with pytest.raises(ValueError, match="not 'float8'"):
        changes.precision("float8")
    with pytest.raises(ValueError, match="bits must be from 2 to 16"):
        changes.quantize(1)
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        changes.prune(50)
    with pytest.raises(TypeError, match="replace takes"):
        changes.replace([1.0])
    with pytest.raises(TypeError, match="a perturbation is a Change"):
        explained(3.0)
    with pytest.raises(TypeError, match="a Lagrangian is recorded already"):
        ad.explain_difference(_lagrangian(), changes.prune(0.5), 1.0)
    assert "does not depend on its arguments" in message(
        TreeError, ad.explain_difference, lambda x: 1.0, changes.prune(0.5), X
    )


def _lagrangian() -> ad.Lagrangian:
    with ad.Tape() as tape:
        return ad.Lagrangian(tape, tape.parameter(1.0) ** 2)
