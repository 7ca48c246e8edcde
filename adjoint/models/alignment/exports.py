"""What a trainer reads: preference pairs, weights of rewards, weights of responses.

With λ* at hand, a constrained alignment is an unconstrained one with the reward s = r + λ*ᵀg; its solution
is π ∝ π_ref e^{s/β}. Three kinds of trainers get there: by preferences (DPO) through P(a ≻ b) = σ(s_a − s_b),
by a weighted sum of rewards (PPO, GRPO), by weighted fine-tuning through π itself.

Source: Huang et al. 2024, arXiv:2405.19544 (one-shot alignment, MoCAN and PeCAN); Rafailov et al. 2023,
arXiv:2305.18290 (DPO).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ShapeError, UnknownNameError, need, refusal
from ..base import Floats
from .columns import complaint
from .outputs import same_file
from .reading import FileScores, Texts, texts_of
from .scores import Scores
from .source import Progress

LABELS = ("sampled", "likely")


def combined(scores: Scores, multipliers: Mapping[str, float]) -> Floats:
    """The reward of the unconstrained alignment, s = r + λᵀg (n,).

    Raises:
        UnknownNameError: a multiplier of a utility that is not there.

    >>> from adjoint.models.alignment import Scores
    >>> combined(Scores.dense([[1.0, 2.0]], {"safe": [[3.0, 5.0]]}), {"safe": 0.5})
    array([2.5, 4.5])
    """
    s = scores.reward.copy()
    for name, lam in multipliers.items():
        if name not in scores.utilities:
            there = ", ".join(repr(one) for one in scores.utilities) or "none"
            raise refusal(UnknownNameError, f"no utility {name!r} to weigh; there are {there}")
        if lam:
            s += lam * scores.utilities[name]
    return s


def write_preferences(
    path: str | os.PathLike[str], scores: Scores, multipliers: Mapping[str, float], *, pairs: int | None = 1,
    labels: str = "sampled", rng: np.random.Generator | None = None, progress: Progress | None = None,
) -> dict[str, int]:  # fmt: skip
    """Write preference pairs for DPO as JSON lines: prompt, chosen, rejected, p.

    P(a ≻ b) = σ(s_a − s_b) with s = r + λᵀg. For scores β·log π_•/π_ref of preference-trained policies this
    is PeCAN's σ(β(Δ log-ratio + λᵀΔ log-ratios)). `p` is that of the pair as it is written.

    Args:
        path: where to.
        scores: with their texts.
        multipliers: λ by utility.
        pairs: at most so many of a prompt, drawn evenly without repetition; None: all K(K − 1)/2.
        labels: "sampled" draws which one is chosen with probability p, so that DPO on the pairs recovers π;
            "likely" always chooses the one with the higher s, which is sharper than π.
        rng: draws pairs and labels.
        progress: called with prompts done and in all.

    Returns:
        Counts: "pairs" written, prompts "without" a pair, "equal" pairs left out as both texts agree.

    Raises:
        DataError: no texts, a prompt that is a number, unknown labels, the path of the scores themselves.
        UnknownNameError: a multiplier of a utility that is not there.
    """
    if labels not in LABELS:
        raise complaint(f"labels should be 'sampled' or 'likely', got {labels!r}")
    whole = isinstance(pairs, (int, np.integer)) and not isinstance(pairs, bool)
    if pairs is not None and not (whole and pairs >= 1):
        raise complaint(f"pairs should be a number ≥ 1, or None for all, got {pairs!r}")
    rng = np.random.default_rng() if rng is None else rng
    s = combined(scores, multipliers)
    check_texts(scores, "preference pairs")
    counts = {"pairs": 0, "without": 0, "equal": 0}
    with _target(path, scores).open("w", encoding="utf-8") as file:
        for x, texts in _complete(scores):
            prompt, answers = _messages(texts, x)
            mine = s[scores.offsets[x] : scores.offsets[x + 1]]
            lines = 0
            for a, b in zip(*_pairs(len(answers), pairs, rng), strict=True):
                if answers[a] == answers[b]:
                    counts["equal"] += 1
                    continue
                p = _sigmoid(mine[a] - mine[b])
                if (rng.random() >= p) if labels == "sampled" else p < 0.5:
                    a, b, p = b, a, _sigmoid(mine[b] - mine[a])
                row = {"prompt": prompt, "chosen": answers[a], "rejected": answers[b], "p": p}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                lines += 1
            counts["pairs"] += lines
            counts["without"] += not lines
            if progress and x % 256 == 0:
                progress(x, scores.n_prompts)
    return counts


def write_reward_weights(
    path: str | os.PathLike[str], reward: str, multipliers: Mapping[str, float], beta: float,
    scale: float = 1.0,
) -> None:  # fmt: skip
    """Write the weights of a weighted-sum trainer as JSON: 1 for the reward, λ for each utility.

    `reward_funcs`, `reward_weights` and `beta` are what TRL's trainers call them; training with that sum of
    rewards and that KL weight is the one-shot alignment.

    Args:
        path: where to.
        reward: column of the reward.
        multipliers: λ by utility; a utility that is the reward itself adds to its 1.
        beta: weight of the KL term.
        scale: what columns were multiplied by to be scores (β for log-ratios); goes into the weights.
    """
    weights = {reward: 1.0}
    for name, lam in multipliers.items():
        weights[name] = weights.get(name, 0.0) + float(lam)
    content = {
        "reward_funcs": list(weights),
        "reward_weights": [scale * w for w in weights.values()],
        "beta": float(beta),
    }
    Path(path).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_weights(
    path: str | os.PathLike[str], scores: Scores, weights: Floats, *, parquet: bool = False,
    progress: Progress | None = None,
) -> int:  # fmt: skip
    """Write the tilted weight π_λ(y|x) of every response, for weighted fine-tuning.

    Rows have prompt, completion, weight, and id where there is one; the weights of a prompt add up to 1.

    Args:
        path: where to.
        scores: with their texts, or ids at least.
        weights: (n,) tilted weights.
        parquet: whether to write Parquet rather than JSON lines.
        progress: called with prompts done and in all.

    Returns:
        The number of rows.

    Raises:
        DataError: there are neither texts nor ids, or the path is that of the scores themselves.
        ShapeError: weights are not (n,).
        MissingPackageError: Parquet without pyarrow.
    """
    if np.shape(weights) != (scores.n_responses,):
        what = f"weights should be ({scores.n_responses},), one per response; got {np.shape(weights)}"
        raise refusal(ShapeError, what)
    check_texts(scores, "weights of responses", ids=True)
    target, rows = _target(path, scores), _weight_rows(scores, weights, progress)
    if parquet:
        return _write_parquet(target, rows)
    count = 0
    with target.open("w", encoding="utf-8") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007  (the last number is the answer)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def check_texts(scores: Scores, what: str, *, ids: bool = False) -> None:
    """Raise DataError unless there is something to say of a response.

    Args:
        scores: whose responses.
        what: what is to be written, for the message.
        ids: whether a response's id does as well as its text.
    """
    if not isinstance(scores, FileScores):
        there = scores.prompts is not None and scores.responses is not None
        remedy = "Give Scores(…, prompts=, responses=)."
    else:
        c, file = scores.file.columns, scores.file
        there = c.response is not None or (ids and c.id is not None)
        remedy = (
            f"Name it with --response (response=); {file.name} has {', '.join(file.others) or 'none left'}."
        )
    if not there:
        raise complaint(f"{what} need a column of responses, and there is none", remedy)


def _target(path: str | os.PathLike[str], scores: Scores) -> Path:
    """Where to write; not to the scores, which are read again meanwhile."""
    target = Path(path)
    if isinstance(scores, FileScores) and same_file(target, scores.file.path):
        raise complaint(f"{str(target)!r} is the file of the scores", "Give another name.")
    return target


def _complete(scores: Scores) -> Iterator[tuple[int, Texts]]:
    """Every prompt with its number and texts, of which none is missing."""
    for x, texts in enumerate(texts_of(scores)):
        if texts.responses is not None and any(response is None for response in texts.responses):
            raise complaint(f"a response to prompt {x + 1} is null", "Fill it in, or leave the row out.")
        yield x, texts


def _weight_rows(scores: Scores, weights: Floats, progress: Progress | None) -> Iterator[dict[str, Any]]:
    for x, texts in _complete(scores):
        own = weights[scores.offsets[x] : scores.offsets[x + 1]].tolist()
        for k, weight in enumerate(own):
            row: dict[str, Any] = {"prompt": texts.prompt}
            if texts.ids is not None:
                row["id"] = texts.ids[k]
            if texts.responses is not None:
                row["completion"] = texts.responses[k]
            yield row | {"weight": weight}
        if progress and x % 256 == 0:
            progress(x, scores.n_prompts)


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    need("pyarrow", "writing Parquet", "align")
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, count, batch = None, 0, list[dict[str, Any]]()

    def flush() -> None:
        nonlocal writer, count, batch
        schema = writer.schema if writer else None
        table = pa.Table.from_pylist(batch, schema=schema)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
        count, batch = count + len(batch), []

    try:
        for row in rows:
            batch.append(row)
            if len(batch) == 1 << 14:
                flush()
        if batch:
            flush()
    finally:
        if writer is not None:
            writer.close()
    return count


def _messages(texts: Texts, x: int) -> tuple[Any, list[Any]]:
    """Prompt and responses as TRL takes them: texts, or conversations in both."""
    prompt, answers = texts.prompt, texts.responses or []
    if isinstance(prompt, (int, float)):
        raise complaint(
            f"prompt {x + 1} is the number {prompt}, and a preference needs its text",
            "Name the column of texts with --prompt (prompt=).",
        )
    if isinstance(prompt, list):
        answers = [[{"role": "assistant", "content": a}] if isinstance(a, str) else a for a in answers]
    return prompt, answers


def _pairs(count: int, most: int | None, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Positions a < b of pairs among `count` responses."""
    total = count * (count - 1) // 2
    few = most is not None and most < total
    index = rng.choice(total, most, replace=False) if few else np.arange(total)
    # pairs (0,1) (0,2) (1,2) (0,3) …: b is the root of b(b − 1)/2 ≤ index
    b = ((1 + np.sqrt(1 + 8 * index.astype(np.float64))) / 2).astype(np.int64)
    b -= b * (b - 1) // 2 > index
    return (index - b * (b - 1) // 2).tolist(), b.tolist()


def _sigmoid(x: float) -> float:
    """σ(x) = 1/(1 + e^−x), without overflow."""
    return float(1 / (1 + np.exp(-x))) if x >= 0 else float(np.exp(x) / (1 + np.exp(x)))
