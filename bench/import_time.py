"""What `import adjoint` costs above `import numpy`: whole processes, in turn, compiled bytecode in place."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
from environment import heading, options, prepare
from harness import emit, table

TARGET = 50.0  # ms above NumPy


def seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    given = options(__doc__).parse_args()
    prepare(given)
    print(heading())
    statements = ("import numpy", "import adjoint")
    for statement in statements:  # writes the bytecode
        seconds(statement)
    times = 1e3 * np.array([[seconds(s) for s in statements] for _ in range(given.rounds)])
    above = times[:, 1] - times[:, 0]
    named = {**dict(zip(statements, times.T, strict=True)), "difference": above}
    rows = [[name, f"{np.median(t):.0f}", f"{np.min(t):.0f}"] for name, t in named.items()]
    table(f"import, ms of whole processes, {given.rounds} rounds", ["", "median", "min"], rows)
    found = float(np.median(above))
    verdict = "met" if found <= TARGET else "MISSED"
    print(f"\ntarget: at most {TARGET:.0f} ms above NumPy: {found:.0f} ms, {verdict}")
    emit("import_time", "import adjoint", "above NumPy", found, "ms", given.rounds)


if __name__ == "__main__":
    main()
