"""The language model: a gated recurrent unit between one embedding, used at both ends.

    x_t = c E[y_{t−1}],   h_t = GRU(h_{t−1}, x_t),   p(y_t | y_<t) = softmax(E h_t + b)

A sentence starts and ends with END. Everything is a function of the parameters, a dict of arrays; sequences
are laid out time first, (T, N), because that is how the recurrence walks through them.

The policy π that is sampled from and aligned is the model that may not say <pad> or <unknown>, at a
temperature τ: π(y_t | y_<t) = softmax((E h_t + b + forbidden) / τ). `sample` and `log_prob` both mean it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import adjoint as ad
from adjoint import nn

from .text import END, PAD, UNKNOWN

Params = dict[str, Any]
Array = Any  # a NumPy array, or what stands for one while a program is differentiated or compiled

DROPOUT = 0.3  # share of the inputs and outputs of the recurrence that a step of training leaves out
ROW = 0.3  # length of the rows of E at first: about right for the softmax
LOUD = 1.6  # the recurrence reads LOUD √units E[y], numbers of size LOUD · ROW
NEVER = -1e9  # added to logits of words that the policy may not say
STEPS = 28  # the most words that a response has


def init(rng: np.random.Generator, vocabulary: int, *, units: int = 192) -> Params:
    """First parameters: "embedding", "gru" and the "bias" of the softmax.

    Words are numbered from frequent to rare, so that the bias can begin with Zipf's law, p(word k) ∝
    1 / (k + 3): after 600 steps perplexity is 123 instead of 130.

    >>> init(np.random.default_rng(0), 100, units=8)["embedding"]["W"].shape
    (100, 8)
    """
    E = ROW / np.sqrt(units) * rng.standard_normal((vocabulary, units))
    bias = -np.log(np.arange(vocabulary) + 3.0)
    bias[PAD] = bias[-1]
    return {
        "embedding": {"W": E.astype(np.float32)},
        "gru": nn.init_gru(rng, units, units),
        "bias": bias.astype(np.float32),
    }


def states(
    params: Params, h: Array, tokens: Array, valid: Array | None = None, kept: Array | None = None
) -> Array:
    """The states after each token.

    Args:
        params: of `init`.
        h: (N, units), the state before the first token.
        tokens: (T, N) int.
        valid: (T, N) bool: False where a token is padding and the state stays as it is.
        kept: (…, N, units) bool, what dropout keeps of the inputs.

    Returns:
        (T, N, units).
    """
    x = nn.embedding(params["embedding"], tokens) * (LOUD * h.shape[-1] ** 0.5)
    x = nn.dropout(x, DROPOUT, mask=kept)
    if valid is None:
        return ad.scan(lambda h, x: (nn.gru_cell(params["gru"], h, x),) * 2, h, x)[1]

    def step(h: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        x, counts = at
        h = np.where(counts[:, None], nn.gru_cell(params["gru"], h, x), h)
        return h, h

    return ad.scan(step, h, (x, valid))[1]


def logits(params: Params, h: Array, bias: Array | float = 0.0, temperature: Array | float = 1.0) -> Array:
    """What the softmax is taken of, (E h + b + bias) / temperature: (…, vocabulary) for h (…, units)."""
    rows = np.reshape(h, (-1, h.shape[-1])) @ params["embedding"]["W"].T
    return np.reshape((rows + (params["bias"] + bias)) / temperature, (*h.shape[:-1], -1))


def loss(params: Params, tokens: Array, kept: tuple[Array, Array] | None = None) -> Array:
    """Mean of −log p(y_t | y_<t) over the words and ends of all sentences, in nats.

    Args:
        params: of `init`.
        tokens: (T, N) int32, sentences with their ends, then padding.
        kept: two masks of dropout, (1, N, units), for the recurrence's inputs and its outputs; none when the
            model is judged.
    """
    N = tokens.shape[1]
    before = np.concatenate([np.full((1, N), END, np.int32), tokens[:-1]])
    units = params["gru"]["state"]["W"].shape[0]
    inner, outer = kept if kept is not None else (None, None)
    h = states(params, np.zeros((N, units), np.float32), before, kept=inner)
    h = nn.dropout(h, DROPOUT, mask=outer)
    return nn.cross_entropy(logits(params, h), tokens, mask=tokens != PAD)


# ------------------------------------------------------------------------------------------ the policy
class Responses(NamedTuple):
    """What was said to each prompt: K times, each with its probability.

    Attributes:
        tokens: (P, K, T) int32, up to END if there was one within T, then PAD.
        log_prob: (P, K) float32, log π(response | prompt) in nats.
    """

    tokens: np.ndarray
    log_prob: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(P, K, T) bool, True for the words and the END."""
        return self.tokens != PAD


def _forbidden(vocabulary: int) -> np.ndarray:
    row = np.zeros(vocabulary, np.float32)
    row[[PAD, UNKNOWN]] = NEVER
    return row


def _policy(params: Params, h: Array, temperature: Array) -> Array:
    """What π is the softmax of: (…, vocabulary)."""
    return logits(params, h, _forbidden(params["bias"].shape[0]), temperature)


def after(params: Params, prompts: Array) -> Array:
    """The states after prompts (P, L), which may be padded on the right: (P, units)."""
    P = prompts.shape[0]
    tokens = np.concatenate([np.full((1, P), END, np.int32), prompts.T])
    units = params["gru"]["state"]["W"].shape[0]
    return states(params, np.zeros((P, units), np.float32), tokens, tokens != PAD)[-1]


def log_prob(params: Params, prompts: Array, responses: Array, temperature: float | Array = 1.0) -> Array:
    """log π(response | prompt), in nats: differentiable in params, and compiles.

    Args:
        params: of `init`.
        prompts: (P, L) int32, padded on the right if they differ in length.
        responses: (P, K, T) int32, with END where they end, then PAD.
        temperature: τ > 0.

    Returns:
        (P, K).
    """
    P, K, T = responses.shape
    tokens = np.reshape(responses, (P * K, T))
    units = params["gru"]["state"]["W"].shape[0]
    start = np.reshape(np.broadcast_to(after(params, prompts)[:, None, :], (P, K, units)), (P * K, units))
    rest = states(params, start, tokens[:, :-1].T)  # what comes after the end is not counted below
    h = np.swapaxes(np.concatenate([start[None], rest]), 0, 1)
    words = nn.sequence_log_prob(_policy(params, h, temperature), tokens, mask=tokens != PAD)
    return np.reshape(words, (P, K))


def _say(params: Params, h: Array, u: Array, temperature: Array) -> tuple[Array, Array, Array]:
    """One word each, by the inverse of the distribution function at u, its log π, and the states after it."""
    log_pi = nn.log_softmax(_policy(params, h, temperature))
    below = np.cumsum(np.exp(log_pi), axis=-1)
    # ≤, because u may be 0, where words that cannot be said begin; in float32 u times the sum may be the sum
    word = np.sum(below <= u[:, None] * below[:, -1:], axis=-1)
    word = np.minimum(word, below.shape[-1] - 1).astype(np.int32)
    return word, np.take_along_axis(log_pi, word[:, None], axis=-1)[:, 0], states(params, h, word[None])[0]


_after, _next = ad.compile(after), ad.compile(_say)


def sample(
    params: Params,
    prompts: np.ndarray,
    k: int,
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    temperature: float = 1.0,
) -> Responses:
    """Draw k responses to each prompt from π, all at once, a word at a time, from the carried states.

    Args:
        params: of `init`.
        prompts: (P, L) int32, padded on the right if they differ in length.
        k: responses per prompt.
        rng: what is drawn from.
        steps: T, the most words a response has; one that has no END by then is cut off.
        temperature: τ > 0.
    """
    h = np.repeat(_after(params, prompts), k, axis=0)
    tokens, total = np.full((len(h), steps), PAD, np.int32), np.zeros(len(h), np.float32)
    rows, going = np.arange(len(h)), np.ones(len(h), bool)
    u = rng.random((steps, len(h)), np.float32)
    for t in range(steps):
        word, log_pi, h = _next(params, h, u[t, rows], np.float32(temperature))
        tokens[rows[going], t] = word[going]
        total[rows[going]] += log_pi[going]
        going &= word != END
        if not np.any(going):
            break
        half = len(rows) // 2  # always a half, so that few sizes are planned
        if half >= 32 and np.sum(going) <= half:
            first = np.argsort(~going, kind="stable")[:half]
            h, rows, going = h[first], rows[first], going[first]
    shape = (len(prompts), k)
    return Responses(tokens.reshape(*shape, steps), total.reshape(shape))
