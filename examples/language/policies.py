"""From λ* to a policy, in the two ways that trainers have: preferences, and rewards.

    s = r + λᵀg,   ρ = log π_θ(y|x) − log π_ref(y|x)

    DPO               σ(β (ρ_a − ρ_b)) fitted to σ(s_a − s_b), on responses of the reference
    policy gradient   ∇(E s − β KL) from responses of the policy itself, drawn anew each step

Both start from the reference and step by Adam, one compiled program each. What is trained are the biases of
the model, of words and of gates: 5,000 numbers of 0.9 million. With a few thousand noisy responses all the
weights wander off in directions that nobody asked for (100 steps of policy gradient at β = 0.25: sharp 0.03
for 1.08 nats of KL, where biases gave 0.06 for 0.52).

Source: Ben Zaken, Goldberg & Ravfogel 2022, "BitFit", arXiv:2106.10199.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import adjoint as ad
from adjoint import optim
from adjoint.models.alignment import Pair, dpo_loss, policy_advantages, policy_gradient_loss

from .model import Params, Responses, log_prob, sample
from .scorers import Scorer
from .text import Vocabulary
from .training import make_step

CLIP = 1.0  # largest norm of a gradient, which DPO needs at small β
# of a learner's Adam: with 1e-8 the first time that a rare word is met moves its bias by some thirty steps,
# and 60 to 80 steps at β = 0.5 cost 0.45 nats of KL instead of 0.13, for the same scores
EPS = 5e-3
KEPT = np.float32(0.9)  # of the running mean of a learner's biases, at each step
ROWS = 256  # responses at a time: a row of the softmax has thousands of words
MULTIPLE = 4  # responses are cut to a length that this divides: few programs, little padding
_log_prob = ad.compile(log_prob)


class Speaker(NamedTuple):
    """What a policy says to a set of prompts, judged.

    Attributes:
        prompts: (P, L) int32.
        said: K responses to each, with log π.
        ratios: (P, K) ρ = log π − log π_ref.
        texts: P lists of K whole sentences, prompt and response.
        scores: name of a scorer → (P, K).
    """

    prompts: np.ndarray
    said: Responses
    ratios: np.ndarray
    texts: list[list[str]]
    scores: dict[str, np.ndarray]


class Reference(NamedTuple):
    """The language model as it was trained, and how it is asked.

    Attributes:
        params: of the model.
        vocabulary: its words.
        temperature: τ of the policy.
        steps: the most words that a response has.
    """

    params: Params
    vocabulary: Vocabulary
    temperature: float = 1.0
    steps: int = 20

    def speak(
        self, params: Params, prompts: np.ndarray, k: int, scorers: Sequence[Scorer], rng: np.random.Generator
    ) -> Speaker:
        """Draw k responses to each prompt from a policy (P, L), and let them be judged."""
        size = max(ROWS // k, 1)
        pieces = [
            sample(params, prompts[i : i + size], k, rng, steps=self.steps, temperature=self.temperature)
            for i in range(0, len(prompts), size)
        ]
        tokens, log_prob = (np.concatenate(part) for part in zip(*pieces, strict=True))
        said = Responses(cut(tokens), log_prob)
        if params is self.params:
            ratios = np.zeros(said.log_prob.shape)
        else:
            ratios = np.asarray(said.log_prob, float) - self.log_prob(prompts, said.tokens)
        texts = self.sentences(prompts, said.tokens)
        flat = [text for row in texts for text in row]
        scores = {one.name: one(flat).reshape(said.log_prob.shape) for one in scorers}
        return Speaker(prompts, said, ratios, texts, scores)

    def log_prob(self, prompts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """log π_ref (P, K)."""
        temperature, size = np.float32(self.temperature), max(ROWS // tokens.shape[1], 1)
        found = [
            _log_prob(self.params, prompts[i : i + size], tokens[i : i + size], temperature)
            for i in range(0, len(prompts), size)
        ]
        return np.concatenate(found).astype(float)

    def sentences(self, prompts: np.ndarray, tokens: np.ndarray) -> list[list[str]]:
        """Whole sentences, prompt and response, K of each of P prompts."""
        decode = self.vocabulary.decode
        return [
            [decode([*p, *row]) for row in rows]
            for p, rows in zip(prompts.tolist(), tokens.tolist(), strict=True)
        ]


def biases(params: Params) -> Params:
    """A copy of the biases, which are what is trained: of words, of the gates' inputs and of their states."""
    gru = params["gru"]
    return ad.tree_map(
        np.copy, {"word": params["bias"], "input": gru["input"]["b"], "state": gru["state"]["b"]}
    )


def with_biases(params: Params, own: Params) -> Params:
    """The model with other biases; everything else is shared."""
    gru = {side: {"W": params["gru"][side]["W"], "b": own[side]} for side in ("input", "state")}
    return {**params, "gru": gru, "bias": own["word"]}


def cut(tokens: np.ndarray) -> np.ndarray:
    """(P, K, T) without the last columns in which all are padding, T a multiple of 4."""
    used = int(np.max(np.flatnonzero(tokens.any(axis=(0, 1))), initial=0)) + 1
    return np.ascontiguousarray(tokens[..., : min(-(-used // MULTIPLE) * MULTIPLE, tokens.shape[-1])])


# -------------------------------------------------------------------------------------------------- DPO
class Comparisons(NamedTuple):
    """Pairs of responses to prompts, as rows of one table of responses.

    Attributes:
        prompt: (n,) which prompt.
        chosen, rejected: (n,) which of its K responses.
        p: (n,) P(chosen ≻ rejected).
    """

    prompt: np.ndarray
    chosen: np.ndarray
    rejected: np.ndarray
    p: np.ndarray


def located(pairs: Sequence[Pair], prompts: Sequence[str], responses: Sequence[Sequence[str]]) -> Comparisons:
    """Pairs of texts, as a file has them, by their places among P prompts with K responses each.

    Raises:
        KeyError: a text that was not said.
    """
    at = {name: x for x, name in enumerate(prompts)}
    said = [{text: k for k, text in enumerate(row)} for row in responses]
    rows = [(at[q.prompt], said[at[q.prompt]][q.chosen], said[at[q.prompt]][q.rejected], q.p) for q in pairs]
    x, a, b, p = zip(*rows, strict=True)
    return Comparisons(np.array(x), np.array(a), np.array(b), np.array(p, np.float32))


Update = tuple[optim.Optimizer, Callable[..., Any]]


@cache  # compiled once for all β
def dpo_update(rate: float, steps: int) -> Update:
    """Adam, whose rate falls to 0 along a cosine, and its step.

    The step's data: the reference's parameters, prompts, tokens, log π_ref, chosen, rejected, p, β, τ.
    """

    def loss(
        own: Any, base: Any, prompts: Any, tokens: Any, old: Any, a: Any, b: Any, p: Any, beta: Any, tau: Any
    ):
        rho = np.reshape(log_prob(with_biases(base, own), prompts, tokens, tau) - old, -1)
        return dpo_loss(rho[a], rho[b], beta=beta, p=p)

    optimizer = optim.adam(optim.cosine(rate, steps))
    return optimizer, make_step(loss, optimizer, CLIP)


def dpo(
    reference: Reference, heard: Speaker, pairs: Comparisons, *, beta: float, rng: np.random.Generator,
    passes: int = 1, size: int = 8, rate: float = 1e-3,
) -> Params:  # fmt: skip
    """Fit a policy to preferences, starting from the reference.

    Args:
        reference: where to start.
        heard: the responses that the pairs speak of, drawn from the reference.
        pairs: which was preferred, with its probability.
        beta: β.
        rng: order of the prompts.
        passes: how often every prompt is met.
        size: prompts in a batch.
        rate: Adam's first rate; it falls to 0 along a cosine.

    Returns:
        The policy's parameters.
    """
    P, K = heard.said.log_prob.shape
    order = np.argsort(pairs.prompt, kind="stable")
    starts = np.searchsorted(pairs.prompt[order], np.arange(P + 1))
    rows_of = [order[starts[x] : starts[x + 1]] for x in range(P)]
    some = np.array([x for x in range(P) if len(rows_of[x])])
    size = min(size, len(some))
    most = max(map(len, rows_of))
    steps = passes * (len(some) // size)
    optimizer, step = dpo_update(rate, steps)
    own = biases(reference.params)
    state = optimizer.init(own)
    for _ in range(passes):
        for batch in np.split(rng.permutation(some)[: len(some) // size * size], len(some) // size):
            # equally many pairs of each prompt; where there are fewer, some of them count twice
            rows = np.concatenate([np.resize(rows_of[x], most) for x in batch])
            place = np.repeat(np.arange(size) * K, most)
            own, state, _ = step(
                own, state, reference.params, heard.prompts[batch], heard.said.tokens[batch],
                heard.said.log_prob[batch],
                place + pairs.chosen[rows], place + pairs.rejected[rows], pairs.p[rows],
                np.float32(beta), np.float32(reference.temperature),
            )  # fmt: skip
    return with_biases(reference.params, own)


# -------------------------------------------------------------------------------------- policy gradient
class Learner:
    """A policy under KL-regularised policy gradient, which goes on from where it is at any λ.

    The policy that it stands for is a running mean of its last steps, which are noisy: each sees 64
    responses.

    Args:
        reference: where it starts, and what KL is measured from.
        prompts: (P, L) that it practices on.
        scorers: of the reward and the constraint, in that order.
        beta: β.
        rng: of batches and responses.
        size: prompts in a batch.
        k: responses to each.
        rate: Adam's rate.

    Attributes:
        params: of the policy.
    """

    def __init__(
        self, reference: Reference, prompts: np.ndarray, scorers: Sequence[Scorer], *, beta: float,
        rng: np.random.Generator, size: int = 16, k: int = 4, rate: float = 1e-3,
    ) -> None:  # fmt: skip
        self.reference, self.prompts, self.scorers, self.beta = reference, prompts, scorers, beta
        self.rng, self.size, self.k = rng, min(size, len(prompts)), k
        optimizer, self._step = policy_gradient_update(rate)
        self._own = biases(reference.params)
        self._mean = biases(reference.params)
        self._state = optimizer.init(self._own)

    def copy(self) -> Learner:
        """Another one at the same place, with the same random numbers ahead of it."""
        other = copy.copy(self)
        other.rng, other._own, other._mean, other._state = copy.deepcopy(
            (self.rng, self._own, self._mean, self._state)
        )
        return other

    @property
    def params(self) -> Params:
        """Of the policy."""
        return with_biases(self.reference.params, self._mean)

    def learn(self, lam: float, steps: int) -> None:
        """Take steps at λ."""
        reward, constraint = self.scorers
        for _ in range(steps):
            batch = self.prompts[self.rng.choice(len(self.prompts), self.size, replace=False)]
            now = with_biases(self.reference.params, self._own)
            heard = self.reference.speak(now, batch, self.k, self.scorers, self.rng)
            s = heard.scores[reward.name] + lam * heard.scores[constraint.name]
            A = policy_advantages(s, heard.ratios, beta=self.beta).astype(np.float32)
            tau = np.float32(self.reference.temperature)
            self._own, self._state, _ = self._step(
                self._own, self._state, self.reference.params, batch, heard.said.tokens, A, tau
            )
            self._mean = ad.tree_map(lambda m, b: KEPT * m + (1 - KEPT) * b, self._mean, self._own)


@cache
def policy_gradient_update(rate: float) -> Update:
    """Adam and its step, whose data are the reference's parameters, prompts, tokens, advantages, τ."""

    def loss(own: Any, base: Any, prompts: Any, tokens: Any, advantages: Any, tau: Any) -> Any:
        return policy_gradient_loss(log_prob(with_biases(base, own), prompts, tokens, tau), advantages)

    optimizer = optim.adam(rate, eps=EPS)
    return optimizer, make_step(loss, optimizer, CLIP)
