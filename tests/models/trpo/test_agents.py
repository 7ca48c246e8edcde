"""Agents: the same from the same seed, resumed bit for bit, interrupted cleanly; and they learn."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adjoint.errors import DTypeError, MissingPackageError, TreeError
from adjoint.models import DataError
from adjoint.models.trpo import (
    CPO,
    LQR,
    TRPO,
    Box,
    CartPole,
    Categorical,
    DiagonalGaussian,
    Discrete,
    Policy,
    TrustRegion,
    Walk,
    hazard_grid,
    mlp_policy,
    trpo_step,
)
from adjoint.models.trpo.rollouts import (
    Rollout,
    advantages,
    as_action,
    collect,
    distribution_for,
    features_of,
)
from adjoint.transforms.vectors import flatten

from ..harness import refused

SMALL: dict[str, Any] = {"steps": 60, "hidden": (8,), "value_epochs": 2, "seed": 3}


def bits(agent: TRPO) -> bytes:
    state = agent.state()
    return b"".join(
        np.asarray(flatten(state[k])[0]).tobytes() for k in ("params", "value_params", "value_state")
    )


# ------------------------------------------------------------------------------------------ the same again
@pytest.mark.parametrize(
    "make",
    [
        lambda: TRPO(CartPole, environments=2, **SMALL),
        lambda: CPO(lambda: Walk(hazard_grid(3), 20), cost_limit=1.0, **SMALL),
    ],
    ids=["TRPO", "CPO"],
)
def test_a_seed_reproduces_a_run_and_a_checkpoint_continues_it(make: Any, tmp_path: Path) -> None:
    whole, again = make().learn(480), make().learn(480)
    assert bits(whole) == bits(again) and repr(whole.history) == repr(again.history)
    assert whole.history[-1].steps == 480
    make().learn(240, checkpoint=tmp_path / "half.npz")
    resumed = make().load(tmp_path / "half.npz").learn(240)
    assert bits(resumed) == bits(whole) and repr(resumed.history) == repr(whole.history)
    if isinstance(whole, CPO):
        assert flatten(resumed.cost_params)[0].tobytes() == flatten(whole.cost_params)[0].tobytes()
    other = TRPO(CartPole, **{**SMALL, "seed": 4}).learn(480)
    assert repr(other.history) != repr(whole.history)


def test_every_iteration_draws_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def spy(environments: Any, act: Any, noise: Any, **options: Any) -> Any:
        drawn.append((noise.copy(), options["seed"]))
        return collect(environments, act, noise, **options)

    monkeypatch.setattr("adjoint.models.trpo.agents.collect", spy)
    TRPO(CartPole, **SMALL).learn(120)
    (first, one), (second, two) = drawn
    assert not np.any(first == second) and one != two


class Impatient(CartPole):
    """Somebody presses Ctrl-C in the third rollout."""

    count = 0

    def step(self, action: Any) -> Any:
        type(self).count += 1
        if type(self).count == 150:
            raise KeyboardInterrupt
        return super().step(action)


def test_an_interruption_keeps_whole_iterations_and_the_checkpoint(tmp_path: Path) -> None:
    Impatient.count = 0
    agent = TRPO(Impatient, **SMALL).learn(600, checkpoint=tmp_path / "c.npz")
    assert agent.interrupted and len(agent.history) == 2
    undisturbed = TRPO(CartPole, **SMALL).learn(120)
    assert bits(agent) == bits(undisturbed) == bits(TRPO(CartPole, **SMALL).load(tmp_path / "c.npz"))
    assert not agent.learn(60).interrupted and len(agent.history) == 3


@pytest.mark.parametrize(
    "make",
    [lambda: TRPO(CartPole, **SMALL), lambda: CPO(lambda: Walk(hazard_grid(3), 20), cost_limit=1.0, **SMALL)],
    ids=["TRPO", "CPO"],
)
def test_an_interruption_on_any_line_leaves_a_whole_number_of_iterations(make: Any) -> None:
    def interrupted_at(line: int) -> TRPO:
        agent, passed = make(), 0

        def trace(frame: Any, event: str, _: Any) -> Any:
            nonlocal passed
            if frame.f_code is not TRPO.iterate.__code__:
                return None
            if event == "line":
                passed += 1
                if passed == line:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return agent.learn(60)
        finally:
            sys.settrace(before)

    wholes = {bits(make()): 0, bits(make().learn(60)): 1}
    line, agent = 6, interrupted_at(6)  # before, nothing has been computed
    while agent.interrupted:
        assert wholes[bits(agent)] == len(agent.history)
        line += 1
        agent = interrupted_at(line)
    assert line > 9 and len(agent.history) == 1


class Broken(CartPole):
    """Its reward is NaN after a hundred steps."""

    count = 0

    def step(self, action: Any) -> Any:
        type(self).count += 1
        seen, reward, *rest = super().step(action)
        return seen, reward if type(self).count < 100 else np.nan, *rest


def test_a_reward_that_is_no_number_is_named_and_nothing_is_learned_from_it() -> None:
    Broken.count = 0
    agent = TRPO(Broken, **SMALL)
    with pytest.raises(DataError, match="the reward of step 39 in environment 0 is not finite"):
        agent.learn(600)
    assert bits(agent) == bits(TRPO(CartPole, **SMALL).learn(60)) and len(agent.history) == 1


def test_a_checkpoint_is_written_whatever_ends_training_and_asks_for_its_folder_first(tmp_path: Path) -> None:
    Broken.count = 0
    agent = TRPO(Broken, **SMALL)
    with pytest.raises(DataError, match="not finite"):
        agent.learn(600, checkpoint=tmp_path / "c.npz")
    assert bits(TRPO(CartPole, **SMALL).load(tmp_path / "c.npz")) == bits(agent)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere for the checkpoint"):
        agent.learn(600, checkpoint=tmp_path / "nowhere" / "c.npz")
    assert len(agent.history) == 1


class Lost(CartPole):
    """What it shows last, after the rollout's last step, is NaN."""

    count = 0

    def step(self, action: Any) -> Any:
        type(self).count += 1
        seen, *rest = super().step(action)
        return seen * np.nan if type(self).count == 60 else seen, *rest


def test_the_last_observation_counts_too() -> None:
    Lost.count = 0
    with pytest.raises(DataError, match="the next observation of step 59 in environment 0 is not finite"):
        TRPO(Lost, **SMALL).learn(60)


# ------------------------------------------------------------------------------------------ the parts
def test_advantages_are_the_sums_that_define_them() -> None:
    rng = np.random.default_rng(0)
    T, E, gamma, decay = 12, 2, 0.9, 0.8
    signal, values, after = rng.standard_normal((3, T, E))
    done, terminal = np.zeros((T, E), bool), np.zeros((T, E), bool)
    done[[4, 11], 0], terminal[4, 0], done[[7, 11], 1] = True, True, True
    rollout = Rollout(*[np.zeros(0)] * 4, done=done, reached=np.zeros(0), terminal=terminal, episodes=())
    found = advantages(signal, values, after, rollout, gamma=gamma, decay=decay)
    for e in range(E):
        for t in range(T):
            end = next(k for k in range(t, T) if done[k, e])
            expected = sum(
                (gamma * decay) ** (k - t)
                * (signal[k, e] + gamma * (0 if terminal[k, e] else after[k, e]) - values[k, e])
                for k in range(t, end + 1)
            )
            assert found[t, e] == pytest.approx(expected, rel=1e-12)


def test_rollouts_hold_whole_episodes() -> None:
    noise = np.random.default_rng(0).random((200, 2, 1))
    rollout = collect(
        [CartPole(), CartPole()], lambda seen, drawn: (drawn[:, 0] < 0.5).astype(int), noise, seed=(1, 1)
    )
    ends = np.argwhere(rollout.terminal)
    assert len(rollout.episodes) == len(ends) > 4
    assert sum(e.reward for e in rollout.episodes) == sum(e.steps for e in rollout.episodes)
    for t, e in ends[:3]:
        fallen = rollout.reached[t, e]
        assert abs(fallen[0]) > 2.4 or abs(fallen[2]) > np.radians(12)
        assert np.max(np.abs(rollout.observations[t + 1, e])) <= 0.05  # a new episode
    inside = ~rollout.done[:-1]
    np.testing.assert_array_equal(rollout.reached[:-1][inside], rollout.observations[1:][inside])
    assert np.any(rollout.observations[:, 0] != rollout.observations[:, 1])


def test_cart_pole_is_gymnasiums() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours = gymnasium.make("CartPole-v1"), CartPole()
    rng = np.random.default_rng(1)
    for _ in range(5):
        seen, _ = theirs.reset(seed=int(rng.integers(1000)))
        ours.reset()
        ours._state = tuple(theirs.unwrapped.state)
        for _ in range(500):
            action = int(rng.integers(2))
            seen, reward, ended, cut, _ = theirs.step(action)
            got, ours_reward, ours_ended, ours_cut, _ = ours.step(action)
            np.testing.assert_allclose(got, seen, rtol=2e-6, atol=1e-7)  # theirs is float32
            assert (reward, ended, cut) == (ours_reward, ours_ended, ours_cut)
            if ended or cut:
                break


def test_lqr_steps_find_riccatis_gain() -> None:
    """Exact advantages of a linear policy: natural-gradient steps go to the optimum."""
    A, B = np.array([[1.0, 0.2], [0.0, 0.9]]), np.array([[0.0], [0.5]])
    env, gamma = LQR(A, B, np.eye(2), 0.1 * np.eye(1), noise=0.0), 0.95
    K = np.zeros((1, 2))
    policy = Policy(lambda K, x: (-(x @ K.T), np.full((len(x), 1), np.log(0.3))), DiagonalGaussian(1))
    rng = np.random.default_rng(0)
    for k in range(200):
        closed = A - B @ K
        P = np.eye(2)  # V(x) = −xᵀPx + constant
        for _ in range(400):
            P = env.Q + K.T @ env.R @ K + gamma * closed.T @ P @ closed
        x = rng.standard_normal((2000, 2))
        u = policy.distribution.sample(policy.apply(K, x), rng.standard_normal((2000, 1)))
        after = x @ A.T + u @ B.T
        forms = [(x, env.Q), (u, env.R), (after, gamma * P), (x, -P)]
        Q = -sum(np.einsum("ni,ij,nj->n", v, M, v) for v, M in forms)
        delta = 0.05 * 0.97**k
        K = trpo_step(policy, K, x, u, Q, delta=delta, damping=1e-9, compiled=False).x
    np.testing.assert_allclose(K, env.gain(gamma), atol=0.02)


# ------------------------------------------------------------------------------------------ learning
def test_trpo_learns_cart_pole_within_its_trust_region(tmp_path: Path) -> None:
    agent = TRPO(CartPole, steps=500, seed=0, region=TrustRegion(delta=0.02)).learn(10_000)
    returns = [line.mean_return for line in agent.history]
    assert returns[0] < 60 and agent.evaluate(episodes=5).mean() > 200
    assert max(line.kl for line in agent.history) <= 0.02 * (1 + 1e-6)
    assert all(line.lam > 0 and line.nu == 0 for line in agent.history)
    assert agent.predict(np.zeros(4)) in (0, 1)
    drawn = [agent.predict(np.zeros(4), deterministic=False, rng=np.random.default_rng(k)) for k in range(30)]
    assert set(drawn) == {0, 1}
    agent.save_history(tmp_path / "log.csv")
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 and float(rows[-1]["lam"]) == agent.history[-1].lam


def test_learning_curves_are_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    agent = CPO(lambda: Walk(hazard_grid(3), 20), cost_limit=0.5, **SMALL).learn(240)
    agent.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_cpo_keeps_its_limit_from_samples() -> None:
    """Where TRPO crosses the hazards, CPO goes around them, at a price."""
    grid = hazard_grid(3, slip=0.0)
    options = {"steps": 800, "hidden": (16,), "seed": 0, "region": TrustRegion(delta=0.02)}
    free = TRPO(lambda: Walk(grid, 20), **options).learn(24_000)
    safe = CPO(lambda: Walk(grid, 20), cost_limit=0.3, **options).learn(24_000)
    spent = np.mean([line.mean_cost for line in safe.history[-5:]])
    assert spent < 0.45 and max(line.nu for line in safe.history) > 0
    # of 20 steps the goal earns 18 through the hazard and 16 around it
    across, around = (np.mean([line.mean_return for line in a.history[-5:]]) for a in (free, safe))
    assert across > 17 and 15 < around < 16.9, (across, around)
    assert {line.case for line in safe.history} & {"BOTH", "RECOVERY"}


def test_a_limit_that_nothing_meets_is_recovery_in_every_line() -> None:
    agent = CPO(lambda: Walk(hazard_grid(3), 20), cost_limit=-1.0, **SMALL).learn(300)
    assert {line.case for line in agent.history} == {"RECOVERY"}
    assert all(line.nu == line.lam == 0 for line in agent.history)


def test_every_iteration_is_told_and_another_environment_judges() -> None:
    told: list[Any] = []
    agent = TRPO(CartPole, **SMALL).learn(180, callback=told.append)
    assert told == agent.history and len(told) == 3
    assert agent.evaluate(lambda: CartPole(limit=5), episodes=3).tolist() == [5.0] * 3


def test_a_cost_of_ones_own_counts_and_an_episode_without_an_end_stands_for_a_whole_one() -> None:
    def pushed_right(observation: Any, action: Any, info: dict[str, Any]) -> float:
        return float(action == 1)

    agent = CPO(CartPole, cost=pushed_right, cost_limit=2.0, **SMALL).learn(60)
    assert 0 < agent.history[0].mean_cost < agent.history[0].mean_length
    unended = Rollout(
        *[np.zeros(0)] * 3, costs=np.full((10, 2), 0.5), done=np.zeros((10, 2), bool), reached=np.zeros(0),
        terminal=np.zeros((10, 2), bool), episodes=(),
    )  # fmt: skip
    assert agent.excess(unended) == pytest.approx((10 * 0.5 - 2.0) / 10)


def test_box_actions_stay_within_bounds() -> None:
    class Bounded(LQR):
        def __init__(self) -> None:
            super().__init__(np.eye(2), np.eye(2), np.eye(2), np.eye(2), limit=10)
            self.action_space = Box(np.full(2, -0.1), np.full(2, 0.1))

        def step(self, action: Any) -> Any:
            assert action.shape == (2,) and np.max(np.abs(action)) <= 0.1
            return super().step(action)

    agent = TRPO(Bounded, **SMALL).learn(120)
    assert agent.predict(np.full(2, 100.0)).shape == (2,)
    assert np.isfinite(agent.history[-1].mean_return)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_gymnasiums_cart_pole_is_solved_with_the_defaults(seed: int) -> None:
    pytest.importorskip("gymnasium")
    agent = TRPO("CartPole-v1", seed=seed).learn(50_000)
    assert agent.history[-1].steps == 50_000
    assert agent.evaluate(episodes=20, seed=123).tolist() == [500.0] * 20
    assert max(line.kl for line in agent.history) <= 0.01 * (1 + 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_gymnasiums_pendulum_swings_up(seed: int) -> None:
    pytest.importorskip("gymnasium")
    tuned = {"environments": 2, "steps": 1024, "gamma": 0.9, "decay": 0.95, "value_epochs": 15}
    agent = TRPO("Pendulum-v1", seed=seed, **tuned).learn(100_000)
    assert agent.evaluate(episodes=50, seed=1000).mean() >= -200


# ------------------------------------------------------------------------------------------ errors
class Strange(CartPole):
    def __init__(self, **spaces: Any) -> None:
        super().__init__()
        vars(self).update(spaces)


MISUSE = [
    (DataError, "actions should be discrete or a box of vectors (d,), this environment has a dictionary",
     lambda: TRPO(Strange(action_space="a dictionary"))),
    (DataError, "observations should be discrete or a box", lambda: TRPO(Strange(observation_space="text"))),
    (DataError, "2 environments cannot be made from one object", lambda: TRPO(CartPole(), environments=2)),
    (DataError, "no reset in 42", lambda: TRPO(42)),
    (DataError, "no reset in <adjoint.models.trpo.mdp.MDP", lambda: CPO(hazard_grid, cost_limit=1.0)),
    (DataError, "steps should be a whole number ≥ 1, got 0", lambda: TRPO(CartPole, steps=0)),
    (DataError, "steps should be a whole number ≥ 1, got 2.5", lambda: TRPO(CartPole, steps=2.5)),
    (DataError, "steps should be a whole number ≥ 1, got inf", lambda: TRPO(CartPole, **SMALL).learn(np.inf)),
    (DataError, "hidden should be a whole number ≥ 1, got 0", lambda: TRPO(CartPole, hidden=(8, 0))),
    (DataError, "samples Categorical(5), the environment's actions need Categorical(2)",
     lambda: TRPO(CartPole, policy=mlp_policy(np.random.default_rng(0), 4, Categorical(5)))),
    (DataError, "samples DiagonalGaussian(2), the environment's actions need Categorical(2)",
     lambda: TRPO(CartPole, policy=mlp_policy(np.random.default_rng(0), 4, DiagonalGaussian(2)))),
    (DataError, "there are no learning curves before", lambda: TRPO(CartPole, **SMALL).plot("never.png")),
    (DataError, "this is no agent's state", lambda: TRPO(CartPole, **SMALL).restore({"a": 1})),
    (DataError, "this is no agent's state", lambda: CPO(CartPole, cost_limit=1, **SMALL).restore({"a": 1})),
    (DataError, "episodes should be a whole number ≥ 1, got 0",
     lambda: TRPO(CartPole, **SMALL).evaluate(episodes=0)),
    (DTypeError, "seed should be an integer ≥ 0", lambda: TRPO(CartPole, **SMALL).evaluate(seed=-1)),
    (DataError, "gamma should be a number ≥ 0 and ≤ 1", lambda: TRPO(CartPole, gamma=1.5)),
    (DataError, "delta should be a finite number > 0", lambda: TRPO(CartPole, region=TrustRegion(delta=0.0))),
    (DTypeError, "seed should be an integer ≥ 0, got -1", lambda: TRPO(CartPole, seed=-1)),
    (DataError, "info has no 'cost'; it has nothing", lambda: CPO(CartPole, cost_limit=1, **SMALL).learn(60)),
    (DataError, "cost_limit should be a number", lambda: CPO(CartPole, cost_limit=np.nan)),
    (DataError, "a draw needs a random generator",
     lambda: TRPO(CartPole, **SMALL).predict(np.zeros(4), deterministic=False)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind: Any, text: str, call: Any) -> None:
    refused(kind, text, call)


class Odd(CartPole):
    """Answers as others do."""

    def __init__(self, reset: Any = None, step: Any = None) -> None:
        super().__init__()
        self._first, self._then = reset, step

    def reset(self, *, seed: int | None = None) -> Any:
        found = super().reset(seed=seed)
        return found if self._first is None else self._first(*found)

    def step(self, action: Any) -> Any:
        found = super().step(action)
        return found if self._then is None else self._then(*found)


class Unseeded(CartPole):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


MANNERS = [
    ("reset of the environment gives (4,) float64", lambda: Odd(reset=lambda seen, info: seen)),
    ("step of the environment gives 4 values", lambda: Odd(step=lambda s, r, end, cut, i: (s, r, end, i))),
    ("an observation (3,) came, the observation space has 4", lambda: Odd(reset=lambda s, i: (s[:3], i))),
    ("a reward should be a number", lambda: Odd(step=lambda s, r, *rest: (s, "1", *rest))),
    ("a reward should be a number", lambda: Odd(step=lambda s, r, *rest: (s, np.ones(1), *rest))),
    ("of the environment fails", Unseeded),
]


@pytest.mark.parametrize(("text", "make"), MANNERS, ids=[text for text, _ in MANNERS])
def test_an_environment_of_other_manners_is_told_which(text: str, make: Any) -> None:
    refused(DataError, text, lambda: TRPO(make, **SMALL).learn(60))


@pytest.mark.parametrize("k", [0, 1, 3])
def test_evaluation_tells_which_too(k: int) -> None:
    text, make = MANNERS[k]
    refused(DataError, text, lambda: TRPO(CartPole, **SMALL).evaluate(make))


def test_checkpoints_of_others_are_refused(tmp_path: Path) -> None:
    agent = TRPO(CartPole, **SMALL)
    agent.save(tmp_path / "c.npz")
    with pytest.raises(DataError, match="Make the agent with the same environment"):
        TRPO(CartPole, **{**SMALL, "hidden": (4,)}).load(tmp_path / "c.npz")
    with pytest.raises(DataError, match="the checkpoint is one of TRPO"):
        CPO(CartPole, cost_limit=1.0, **SMALL).load(tmp_path / "c.npz")
    (tmp_path / "d.npz").write_bytes(b"nothing")
    with pytest.raises(TreeError, match="was not written by"):
        agent.load(tmp_path / "d.npz")


def test_an_id_without_gymnasium_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'adjoint-autodiff\[rl\]'"):
        TRPO("CartPole-v1")


def test_discrete_spaces_that_start_elsewhere_are_refused() -> None:
    class Shifted(Discrete):
        start = 1

    with pytest.raises(DataError, match="should start at 0"):
        TRPO(Strange(action_space=Shifted(2)))


def test_a_distribution_of_ones_own_may_build_on_the_usual_one() -> None:
    class Bolder(Categorical):
        """Twice the logits."""

        def log_prob(self, outputs: Any, actions: Any) -> Any:
            return super().log_prob(2.0 * outputs, actions)

    policy = mlp_policy(np.random.default_rng(0), 4, Bolder(2), (8,))
    assert TRPO(CartPole, policy=policy, **SMALL).policy is policy[0]


def test_vectors_of_bits_are_not_taken_for_integers() -> None:
    class MultiBinary:
        """As in Gymnasium: it has an n, and a shape."""

        n, shape = 3, (3,)

    with pytest.raises(DataError, match="actions should be discrete or a box"):
        distribution_for(MultiBinary())
    with pytest.raises(DataError, match="FlattenObservation"):
        features_of(MultiBinary())


def test_discrete_observations_may_start_elsewhere_and_whole_actions_are_rounded() -> None:
    class Shifted(Discrete):
        start = 1

    size, vector = features_of(Shifted(3))
    assert size == 3 and [vector(k).tolist() for k in (1, 3)] == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    whole = as_action(Box(np.full(3, -2), np.full(3, 2)))(np.array([1.9, -1.9, 7.0]))
    assert whole.tolist() == [2, -2, 2] and whole.dtype.kind == "i"
