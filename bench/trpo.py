"""TRPO beside sb3-contrib's: 50,000 steps of Gymnasium's CartPole-v1, one thread, runs in turn.

Each side plays with its own defaults. What is timed is training alone, from the first step of the environment
to the last update; compiling is in ours. Afterwards both play twenty episodes greedily: time says nothing
where nothing was learned.
"""

from __future__ import annotations

import warnings

import harness
import numpy as np
from environment import heading, options, prepare, versions
from harness import clock

ENVIRONMENT, STEPS, EPISODES = "CartPole-v1", 50_000, 20
PACKAGES = ("adjoint-autodiff", "sb3-contrib", "torch", "gymnasium", "numpy")


def ours(seed: int) -> tuple[float, float]:
    """Seconds, and the mean return of greedy episodes."""
    from adjoint.models.trpo import TRPO

    agent = TRPO(ENVIRONMENT, seed=seed)
    begun = clock()
    agent.learn(STEPS)
    seconds = clock() - begun
    assert max(line.kl for line in agent.history) <= agent.region.delta
    return seconds, float(np.mean(agent.evaluate(episodes=EPISODES, seed=1000)))


def theirs(seed: int) -> tuple[float, float]:
    """The same by sb3-contrib."""
    import torch
    from sb3_contrib import TRPO
    from stable_baselines3.common.evaluation import evaluate_policy

    torch.set_num_threads(1)
    agent = TRPO("MlpPolicy", ENVIRONMENT, seed=seed, device="cpu")
    begun = clock()
    agent.learn(STEPS)
    seconds = clock() - begun
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the environment has no monitor: nothing here changes rewards
        return seconds, float(evaluate_policy(agent, agent.get_env(), EPISODES)[0])


def main() -> None:
    given = options(__doc__, rounds=3).parse_args()
    prepare(given)
    print(heading())
    rows, medians = [], {}
    contestants = {"adjoint": ours, "sb3-contrib": theirs}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for seed in range(given.rounds):
        for name, run in contestants.items():
            try:
                runs[name].append(run(seed))
            except ImportError as why:
                rows.append([name, f"not installed: {why}"])
    for name, found in runs.items():
        if not found:
            continue
        seconds, returns = (np.array(column) for column in zip(*found, strict=True))
        medians[name] = float(np.median(seconds))
        harness.emit(
            "trpo", ENVIRONMENT, name, medians[name], "s", STEPS, runs=seconds.tolist(),
            returns=returns.tolist(), versions=versions(PACKAGES),
        )  # fmt: skip
        spread = f"{np.min(seconds):.1f} … {np.max(seconds):.1f}"
        each = f"{1e6 * medians[name] / STEPS:.0f}"
        ratio = f"{medians[name] / medians['adjoint']:.1f}"
        rows.append([name, f"{medians[name]:.1f}", spread, each, f"{np.mean(returns):.0f}", ratio])
    header = ["", "median s", "runs", "µs per step", "greedy return", "over ours"]
    harness.table(f"TRPO, {ENVIRONMENT}, {STEPS:,} steps, seeds 0–{given.rounds - 1}", header, rows)
    if len(medians) == 2:
        share = medians["adjoint"] / medians["sb3-contrib"]
        verdict = "met" if share <= 1 / 3 else "MISSED"
        print(f"\n  time per step: {share:.3f} of sb3-contrib's (asked ≤ 1/3: {verdict})")


if __name__ == "__main__":
    main()
