"""The language model for torch, with its own recurrent layer and its own fused optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from harness import Run

from .language_text import CLIP, DECAY, END, KEEP, LOUD, PAD, RATE, Data, turns


class Model(torch.nn.Module):
    """Embedding at both ends, `torch.nn.GRU` between."""

    def __init__(self, params: Any) -> None:
        super().__init__()
        V, n = params["embedding"]["W"].shape
        self.embedding, self.gru = torch.nn.Embedding(V, n), torch.nn.GRU(n, n)
        self.bias = torch.nn.Parameter(torch.zeros(V))
        pairs = [(self.embedding.weight, params["embedding"]["W"]), (self.bias, params["bias"])]
        for name, part in (("ih", "input"), ("hh", "state")):
            pairs += [(getattr(self.gru, f"weight_{name}_l0"), params["gru"][part]["W"].T)]
            pairs += [(getattr(self.gru, f"bias_{name}_l0"), params["gru"][part]["b"])]
        with torch.no_grad():
            for mine, theirs in pairs:
                mine.copy_(torch.tensor(np.ascontiguousarray(theirs)))

    def recur(self, x: Any) -> Any:
        return self.gru(x)[0]

    def forward(self, tokens: Any, inner: Any, outer: Any) -> Any:
        n = self.gru.hidden_size
        before = torch.cat([torch.full_like(tokens[:1], END), tokens[:-1]])
        h = self.recur(self.embedding(before) * (LOUD * n**0.5 / KEEP) * inner)
        z = F.linear((h * outer / KEEP).reshape(-1, n), self.embedding.weight, self.bias)
        return F.cross_entropy(z, tokens.reshape(-1), ignore_index=PAD)


def training(model: Model, data: Data, loss: Any) -> Run:
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY, fused=True)
    batches = [tuple(torch.tensor(x) for x in (t.astype(np.int64), i, o)) for t, i, o in data.batches]

    def step(batch: Any) -> Any:
        value = loss(*batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP, foreach=True)
        optimizer.step()
        return value.detach()

    return turns(step, batches)


def eager(data: Data) -> Run:
    """As it is written."""
    model = Model(data.params)
    return training(model, data, model)


def compiled(data: Data) -> Run:
    """`torch.compile` of the model, its recurrence included."""
    model = Model(data.params)
    return training(model, data, torch.compile(model))


def partly(data: Data) -> Run:
    """`torch.compile` of all but the recurrence, which stays torch's own layer."""
    model = Model(data.params)
    model.recur = torch.compiler.disable(model.recur)  # type: ignore[method-assign]
    return training(model, data, torch.compile(model))
