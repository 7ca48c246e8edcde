"""df*/db and dx*/db against solving again at b ± h, for every constraint of several problems."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

H = 1e-5


def hs071(change: dict[str, float]) -> ad.Solution:
    return ad.minimize(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
        np.array([1.0, 5, 5, 1]),
        eq={"ball": lambda x: np.sum(x**2) - 40 - change.get("ball", 0.0)},
        ineq={"product": lambda x: 25 - np.prod(x) - change.get("product", 0.0)},
        bounds=(1.0 + change.get("lower", 0.0), 5.0 + change.get("upper", 0.0)),
    )


def marked(change: dict[str, float]) -> ad.Solution:
    """The same kind of limits stated inside the function; two bind, one does not."""

    def cost(x: np.ndarray) -> np.ndarray:
        with ad.scope("plant"):
            total = ad.constrain(np.sum(x), lower=3 + change.get("plant/total", 0.0), name="total")
        heat = ad.constrain(
            np.tanh(x[0]) * x[1], upper=0.5 + change.get("heat.upper", 0.0),
            lower=-2 + change.get("heat.lower", 0.0), name="heat",
        )  # fmt: skip
        ad.constrain(x[2] - x[1], equals=0.1 + change.get("tie", 0.0), name="tie")
        return np.sum(x**2) + 0.1 * heat + 0.05 * total

    return ad.minimize(cost, np.array([0.2, 0.3, 0.4]))


@pytest.mark.parametrize(
    ("solve", "name"),
    [(hs071, n) for n in ("ball", "product", "lower", "upper")]
    + [(marked, n) for n in ("plant/total", "heat.upper", "heat.lower", "tie")],
)
def test_solving_again_at_a_shifted_right_hand_side(solve, name) -> None:  # type: ignore[no-untyped-def]
    found = solve({})
    assert found.success
    up, down = solve({name: H}), solve({name: -H})
    price = (up.fun - down.fun) / (2 * H)
    response = (up.x - down.x) / (2 * H)
    claimed = found.sensitivity(name)
    x = claimed.x if np.ndim(claimed.fun) == 0 else claimed.x @ np.ones(np.shape(claimed.fun))
    np.testing.assert_allclose(np.sum(claimed.fun), price, atol=1e-7)
    np.testing.assert_allclose(x, response, atol=1e-6)
    sign = -1 if name in ("ball", "product", "upper", "heat.upper", "tie") else 1
    np.testing.assert_allclose(np.sum(found.multipliers[name]), sign * price, atol=1e-7)


def test_constrain_names_and_leaves_values_alone() -> None:
    found = marked({})
    assert list(found.multipliers) == ["tie", "plant/total", "heat.upper", "heat.lower"]
    assert found.active["plant/total"] and found.active["heat.upper"] and not found.active["heat.lower"]
    table = found.table()
    assert "plant/total" in table and "heat.lower" in table
    x = np.ones(3)
    assert ad.constrain(x, upper=0.0, name="outside") is x
    with pytest.raises(ValueError, match="constrain 'a' needs upper=, lower= or both, or equals= alone"):
        ad.constrain(x, name="a")
    with pytest.raises(ValueError, match="equals= alone"):
        ad.constrain(x, equals=1.0, upper=2.0, name="a")
    with pytest.raises(ad.ShapeError, match=r"'a': the limit must broadcast to the value's shape"):
        ad.constrain(x, upper=np.ones((2, 3)), name="a")
    with pytest.raises(ad.ShapeError, match=r"'a': the limit must broadcast to the value's shape"):
        ad.constrain(x, upper=np.ones(2), name="a")


def test_repeated_names_are_numbered() -> None:
    def f(x: np.ndarray) -> np.ndarray:
        for value in x:
            ad.constrain(value, lower=1.0, name="each")
        return np.sum(x**2)

    found = ad.minimize(f, np.zeros(3))
    assert list(found.multipliers) == ["each", "each#2", "each#3"]
    np.testing.assert_allclose(list(found.multipliers.values()), 2, atol=1e-9)


def test_a_limit_inside_is_an_argument_like_any_other() -> None:
    def optimum(limit: float) -> np.ndarray:
        def f(x: np.ndarray, limit: float) -> np.ndarray:
            ad.constrain(np.sum(x), lower=limit, name="demand")
            return np.sum(x**4)

        return ad.minimize(f, np.zeros(2), args=(limit,)).fun  # 2 (limit / 2)⁴

    np.testing.assert_allclose(ad.grad(optimum)(2.0), 4.0, rtol=1e-9)


def test_containers_of_unknowns() -> None:
    def f(p: dict) -> np.ndarray:
        return np.sum(p["a"] ** 2) + 2 * (p["b"] - 1) ** 2

    x0 = {"a": np.ones((2, 2)), "b": 3.0}
    found = ad.minimize(
        f, x0, eq={"sum": lambda p: np.sum(p["a"]) + p["b"] - 3}, bounds=(None, {"a": 0.3, "b": 9.0})
    )
    assert found.x["a"].shape == (2, 2)
    np.testing.assert_allclose(found.x["a"], 0.3, atol=1e-9)
    np.testing.assert_allclose(found.x["b"], 1.8, atol=1e-9)
    np.testing.assert_allclose(found.multipliers["sum"], -3.2, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["upper"]["a"], 3.2 - 0.6, atol=1e-8)
    response = found.sensitivity("upper").x
    assert response["a"].shape == (2, 2, 5)
    np.testing.assert_allclose(response["b"], [-1, -1, -1, -1, 0], atol=1e-9)
