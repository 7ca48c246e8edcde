"""Training: batches of sentences of about equal length, one compiled step for each length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import adjoint as ad
from adjoint import nn, optim

from .model import DROPOUT, Params, loss
from .text import PAD, Vocabulary

LENGTHS = (16, 24, 36)  # sentences are padded to one of these; what is longer is cut off


class Progress(NamedTuple):
    """How far training has come.

    Attributes:
        step: updates done.
        loss: mean of the last training losses, in nats per word.
        perplexity: on the validation text.
    """

    step: int
    loss: float
    perplexity: float


def blocks(vocabulary: Vocabulary, texts: Sequence[str]) -> list[np.ndarray]:
    """The sentences by length: (T, N) int32 for every T of LENGTHS, time first."""
    lengths = np.array([len(vocabulary.encode(text)) + 1 for text in texts])
    bucket = np.minimum(np.searchsorted(LENGTHS, lengths), len(LENGTHS) - 1)
    rows = np.array(texts, dtype=object)
    return [
        np.ascontiguousarray(vocabulary.block(rows[bucket == k], T).T)
        for k, T in enumerate(LENGTHS)
        if np.any(bucket == k)
    ]


def batches(parts: Sequence[np.ndarray], size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches (T, size) without end, every sentence once per pass (except a rest of each length)."""
    while True:
        found = []
        for part in parts:
            order = rng.permutation(part.shape[1])
            found += [part[:, order[i : i + size]] for i in range(0, len(order) - size + 1, size)]
        if not found:
            raise ValueError(f"no length has the {size} sentences that make a batch; ask for smaller batches")
        for k in rng.permutation(len(found)):
            yield np.ascontiguousarray(found[k])


_nats = ad.compile(loss)


def perplexity(params: Params, parts: Sequence[np.ndarray]) -> float:
    """exp of the mean −log p of all words and ends: what the model hesitates between."""
    total = count = 0.0
    for tokens in parts:
        for i in range(0, tokens.shape[1], 128):
            piece = tokens[:, i : i + 128]
            if piece.shape[1] < 128:
                rest = np.full((len(tokens), 128 - piece.shape[1]), PAD, np.int32)
                piece = np.concatenate([piece, rest], axis=1)
            words = np.sum(piece != PAD)
            total += float(_nats(params, np.ascontiguousarray(piece))) * words
            count += words
    return float(np.exp(total / count))


def make_step(f: Callable[..., Any], optimizer: optim.Optimizer, clip: float = 1.0) -> Callable[..., Any]:
    """One compiled update that lessens f(params, *data): (params, state, *data) → params, state, f.

    What is given for params and state is used up (donated).
    """
    shorten = optim.clip_by_global_norm(clip)

    def step(params: Params, state: Any, *data: Any) -> Any:
        value, gradient = ad.value_and_grad(f)(params, *data)
        return *optimizer.update(shorten(gradient), state, params), value

    return ad.compile(step, donate=(0, 1))


def train(
    params: Params,
    vocabulary: Vocabulary,
    texts: Sequence[str],
    validation: Sequence[str],
    *,
    rng: np.random.Generator,
    steps: int = 1500,
    size: int = 32,
    rate: float = 4e-3,
    every: int = 250,
    callback: Callable[[Progress], None] | None = None,
) -> Params:
    """AdamW with warm-up and a cosine, on batches of `size` sentences.

    Args:
        params: where to start; left as they are.
        vocabulary: numbers of words.
        texts: the training text.
        validation: the text that perplexity is measured on.
        rng: order of sentences, and dropout.
        steps: updates, 2 or more.
        size: sentences in a batch.
        rate: largest learning rate.
        every: updates between two measurements.
        callback: told of each.

    Returns:
        The trained parameters.
    """
    schedule = optim.warmup_cosine(rate, steps, warmup=max(1, min(50, steps // 4)))
    optimizer = optim.adamw(schedule, weight_decay=0.01)
    step = make_step(loss, optimizer)
    params = ad.tree_map(np.copy, params)  # donated below
    state, losses = optimizer.init(params), []
    units = params["gru"]["state"]["W"].shape[0]
    judged = blocks(vocabulary, validation)
    for k, tokens in enumerate(batches(blocks(vocabulary, texts), size, rng), 1):
        kept = tuple(nn.dropout_mask(rng, (1, size, units), DROPOUT) for _ in range(2))
        params, state, value = step(params, state, tokens, kept)
        losses.append(float(value))
        if callback is not None and (k % every == 0 or k == steps):
            callback(Progress(k, float(np.mean(losses[-every:])), perplexity(params, judged)))
        if k == steps:
            break
    return params
