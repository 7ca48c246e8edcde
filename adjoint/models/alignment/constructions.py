"""Scores for `align` by two roads: reward models (MoCAN), or policies trained on preferences (PeCAN).

Source: X. Huang et al., "One-shot safety alignment for large language models via optimal dualization",
NeurIPS 2024, arXiv:2405.19544.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DomainError, ShapeError, refusal
from ...ops.sides import host_only
from ..base import Floats
from .bradley_terry import BradleyTerry
from .scores import Scores


@host_only
def mocan_scores(
    log_base: ArrayLike, reward: BradleyTerry | ArrayLike, utilities: Mapping[str, BradleyTerry | ArrayLike]
) -> Scores:
    """Scores by models (MoCAN): r and g as reward and utility models give them.

    Args:
        log_base: (N, K) log π_ref.
        reward: r (N, K), or a fitted model.
        utilities: g by name.

    Source: X. Huang et al., NeurIPS 2024, arXiv:2405.19544, section 4.

    >>> mocan_scores(np.log([[0.5, 0.5]]), [[1.0, 0.0]], {"safe": [[0.0, 1.0]]})
    Scores: 1 prompts, 2 responses (2 per prompt); reward and "safe", weighted by log_base
    """

    def values(model: BradleyTerry | ArrayLike) -> ArrayLike:
        return model.scores if isinstance(model, BradleyTerry) else model

    return Scores.dense(values(reward), {name: values(g) for name, g in utilities.items()}, log_base=log_base)


@host_only
def pecan_scores(
    log_base: ArrayLike,
    log_reward_policy: ArrayLike,
    log_utility_policies: Mapping[str, ArrayLike],
    *,
    beta: float,
) -> Scores:
    """Scores by preference-trained policies (PeCAN): β log π_•/π_ref, without any reward model.

    The optimum of preference training is π_• ∝ π_ref e^{•/β}, so that these are r and g up to a number per
    prompt. With relative constraints λ* is the same as by models; with absolute ones it is not.

    Args:
        log_base: (N, K) log π_ref.
        log_reward_policy: (N, K) log π_r, of the policy trained on helpfulness.
        log_utility_policies: log π_g (N, K) by name.
        beta: the β of that training, > 0.

    Raises:
        DomainError: beta ≤ 0.
        ShapeError: the policies are not all (N, K).

    Source: X. Huang et al., NeurIPS 2024, arXiv:2405.19544, section 4; R. Rafailov et al., arXiv:2305.18290.

    >>> trained = np.log([[0.8, 0.2]])
    >>> pecan_scores(np.log([[0.5, 0.5]]), trained, {}, beta=2.0).reward.round(4).tolist()
    [0.94, -1.8326]
    """
    if not (np.isfinite(beta) and beta > 0):
        raise refusal(
            DomainError, f"beta must be a number > 0, got {beta}", "It is the β of preference training."
        )
    base = np.asarray(log_base, float)

    def scores(name: str, log_policy: ArrayLike) -> Floats:
        values = np.asarray(log_policy, float)
        if values.shape != base.shape:  # broadcast, it would be another problem
            raise refusal(ShapeError, f"{name} must be {base.shape}, as log_base is; got {values.shape}")
        return beta * (values - base)

    utilities = {name: scores(f"log π of {name!r}", p) for name, p in log_utility_policies.items()}
    return Scores.dense(scores("log_reward_policy", log_reward_policy), utilities, log_base=base)
