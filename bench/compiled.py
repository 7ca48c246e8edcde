"""What the compiled engine gains: the eight workloads, ours against its peers, with targets and floors.

Ours is NumPy's text through `ad.compile`, data closed over, arguments plain arrays, outputs fresh at every
call. Peers get the same mathematics in their own dialect, data on their side, loops as scans, and the
better algorithm where there is one: the closed form of W4's derivatives, Jᵀ(F(Jv)) for W5's Fisher product.
A ratio is the best other library's median over ours; NumPy by hand is shown and does not count as a library.
The floor is what the measured rates of the machine allow (`rates.py`).

    python bench/compiled.py --threads 2 --only W2,W4 --peers jax,torch --rounds 5
"""

from __future__ import annotations

from typing import Any

import contest
from agreement import along, direction, inner, mixed
from contest import HAND, OURS, Entry, late
from environment import heading, options, prepare
from programs import Case, Function, eight, eight_by_hand, eight_cases, in_float64

ENTRIES: list[Entry] = [
    (OURS, OURS, "adjoint-autodiff", late("eight_others", "ours")),
    (HAND, "numpy", "numpy", late("eight_others", "by_hand")),
    ("jax.jit", "jax", "jax", late("eight_jax", "build")),
    ("jax.jit, closed form", "jax", "jax", late("eight_jax", "hessian_by_moments")),
    ("torch eager", "torch", "torch", late("eight_torch", "build")),
    ("torch eager, closed form", "torch", "torch", late("eight_torch", "build_moments")),
    ("torch.compile", "inductor", "torch", late("eight_torch", "build_compiled")),
    ("torch.compile, closed form", "inductor", "torch", late("eight_torch", "build_moments_compiled")),
    ("autograd", "autograd", "autograd", late("eight_others", "autograd")),
    ("casadi", "casadi", "casadi", late("eight_others", "casadi")),
]


# ----------------------------------------------------------------------------------------- the truth
def reference(case: Case) -> Any:
    """What is asked for in float64, by hand; certified by differences of the program itself.

    Raises:
        AssertionError: the derivatives by hand are not those of the program.
    """
    parameters, data, extra = in_float64(case.parameters), in_float64(case.data), in_float64(dict(case.extra))
    f: Function = eight_by_hand.ASKED.get((case.program, case.ask)) or getattr(eight_by_hand, case.program)
    found = f(*parameters, *data, *extra.values())
    program = getattr(eight, case.program)
    u = direction(parameters, 1)

    def loss(*p: Any) -> Any:
        return program(*p, *data)

    if case.ask == "hvp":
        (expected, size), seen = inner(found, u[0]), mixed(loss, parameters, u, (extra["v"],))
    elif case.ask == "fisher":
        (expected, size) = inner(found, u[0])
        metric = eight.policy_metric(loss(*parameters), along(loss, parameters, (extra["v"],)))
        seen = inner(metric, along(loss, parameters, u))[0]
    else:
        gradient = found[1] if case.ask != "adam" else eight_by_hand.mlp(*parameters, *data)[1]
        h = 1e-7 if case.program == "mlp" else 1e-4  # ReLU: a step must not cross a kink
        (expected, size), seen = inner(gradient, u), along(loss, parameters, u, h)
        if case.ask == "hessian":
            v = direction(parameters, 2)
            second = inner(found[2] @ v[0], u[0])[0]
            assert abs(mixed(loss, parameters, u, v) - second) < 1e-5 * abs(second), case.title
    assert abs(seen - expected) < 1e-5 * (size + abs(expected)), f"{case.title}: {seen} is not {expected}"
    return found


def main() -> None:
    parser = options(__doc__, rounds=9)
    contest.add_filters(parser, ENTRIES)
    given = parser.parse_args()
    prepare(given)
    print(heading())
    contest.run("compiled", given, eight_cases.cases(given.threads, quick=given.quick), ENTRIES, reference)


if __name__ == "__main__":
    main()
