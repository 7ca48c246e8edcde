"""The language model for torch: eager with its own recurrent layer, and compiled, with its fused optimizer.

`torch.compile` does not take `torch.nn.GRU`: a model that touches one runs eagerly as a whole, silently.
So what is before and behind the layer is compiled apart (`around`), or the recurrence is a loop that Inductor
sees into (`loop`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from harness import Run

from .language_text import CLIP, DECAY, END, KEEP, LOUD, PAD, RATE, Data, turns


def own(x: Any) -> Any:
    return torch.nn.Parameter(torch.tensor(np.ascontiguousarray(x)))


class Ends(torch.nn.Module):
    """The embedding at both ends of the recurrence."""

    def __init__(self, params: Any) -> None:
        super().__init__()
        self.E, self.b = own(params["embedding"]["W"]), own(params["bias"])
        self.units = self.E.shape[1]

    def read(self, tokens: Any, inner: Any) -> Any:
        before = torch.cat([torch.full_like(tokens[:1], END), tokens[:-1]])
        return F.embedding(before, self.E) * (LOUD * self.units**0.5 / KEEP) * inner

    def judge(self, h: Any, tokens: Any, outer: Any) -> Any:
        z = F.linear((h * outer / KEEP).reshape(-1, self.units), self.E, self.b)
        return F.cross_entropy(z, tokens.reshape(-1), ignore_index=PAD)


class Loop(torch.nn.Module):
    """The recurrence step by step, the inputs' product before it."""

    def __init__(self, gru: Any) -> None:
        super().__init__()
        self.W, self.c = own(gru["input"]["W"]), own(gru["input"]["b"])
        self.U, self.d = own(gru["state"]["W"]), own(gru["state"]["b"])

    def forward(self, x: Any) -> Any:
        h, hs = torch.zeros_like(x[0]), []
        for z in (x @ self.W + self.c).unbind():
            s = torch.addmm(self.d, h, self.U)
            (zr, zu, zn), (sr, su, sn) = z.chunk(3, -1), s.chunk(3, -1)
            r, u = torch.sigmoid(zr + sr), torch.sigmoid(zu + su)
            n = torch.tanh(zn + r * sn)
            h = n + u * (h - n)
            hs.append(h)
        return torch.stack(hs)


def layer(gru: Any) -> torch.nn.GRU:
    """torch's own layer with these parameters."""
    units = gru["state"]["W"].shape[0]
    found = torch.nn.GRU(units, units)
    with torch.no_grad():
        for name, part in (("ih", "input"), ("hh", "state")):
            getattr(found, f"weight_{name}_l0").copy_(torch.tensor(gru[part]["W"].T.copy()))
            getattr(found, f"bias_{name}_l0").copy_(torch.tensor(gru[part]["b"]))
    return found


def training(data: Data, modules: list[torch.nn.Module], loss: Any) -> Run:
    variables = [p for module in modules for p in module.parameters()]
    optimizer = torch.optim.AdamW(variables, RATE, weight_decay=DECAY, fused=True)
    batches = [tuple(torch.tensor(x) for x in (t.astype(np.int64), i, o)) for t, i, o in data.batches]

    def step(batch: Any) -> Any:
        value = loss(*batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(variables, CLIP, foreach=True)
        optimizer.step()
        return value.detach()

    return turns(step, batches)


def eager(data: Data) -> Run:
    """As users write it."""
    ends, gru = Ends(data.params), layer(data.params["gru"])
    return training(data, [ends, gru], lambda t, i, o: ends.judge(gru(ends.read(t, i))[0], t, o))


def around(data: Data) -> Run:
    """`torch.compile` of all but the recurrence, which stays torch's own layer."""
    ends, gru = Ends(data.params), layer(data.params["gru"])
    read, judge = (torch.compile(f, dynamic=False) for f in (ends.read, ends.judge))
    return training(data, [ends, gru], lambda t, i, o: judge(gru(read(t, i))[0], t, o))


def loop(data: Data) -> Run:
    """`torch.compile` of all of it, in one piece."""
    ends, steps = Ends(data.params), Loop(data.params["gru"])

    @torch.compile(dynamic=False, fullgraph=True)
    def loss(t: Any, i: Any, o: Any) -> Any:
        return ends.judge(steps(ends.read(t, i)), t, o)

    return training(data, [ends, steps], loss)
