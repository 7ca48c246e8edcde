"""The Lagrangian of a recorded program, and what can be asked of it.

    L(z, W, λ) = ℓ(z_N) + Σ_i λ_iᵀ ( f_i(z_<i, W) − z_i )

    ∂L/∂λ_i = 0   the forward sweep: every constraint holds          ∂L/∂z_i = 0   the adjoint sweep gives λ_i
    ∂L/∂W = Σ_i (∂f_i/∂W)ᵀ λ_i   is the gradient, zero only where W is optimal

λ_i = dℓ/dε when constraint i is relaxed to z_i = f_i + ε.
An input is the constraint z_W = W, so its λ is the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DTypeError, LeakError, ShapeError, TreeError, describe, refusal
from ..ops.device import as_array, is_array
from ..ops.formula import Formula, document
from ..ops.primitive import Recorded, beside, dtype_of, innermost, shape_of
from ..tape import Tape, Variable
from .adjoint import adjoint_sweep
from .certificate import Certificate, NonFinite, certify, first_non_finite
from .multipliers import Multipliers
from .pairing import default_rng
from .perturbation import Perturbation, perturb
from .typeset import typeset


class Lagrangian:
    """L = ℓ + Σ λᵀ(f − z) of a recorded program.

    Args:
        tape: the record; open or closed.
        loss: ℓ, a scalar Variable of that tape.

    Raises:
        ShapeError: the loss is not a scalar.
        DTypeError: the loss is not a float.
        TreeError: the loss is not recorded on this tape.
    """

    def __init__(self, tape: Tape, loss: Variable) -> None:
        if not isinstance(loss, Recorded) or loss.tape is not tape:
            raise refusal(
                TreeError, "the loss is not recorded on this tape; compute it inside its `with` block"
            )
        if loss.size != 1:
            raise refusal(
                ShapeError,
                f"the loss must be a scalar, got shape {loss.shape}\n  Reduce it with np.sum or np.mean.",
            )
        if loss.dtype.kind != "f":
            raise refusal(
                DTypeError,
                f"the loss must be a float, got {loss.dtype}\n  Integers and booleans have no derivative.",
            )
        self.tape, self.loss = tape, loss
        self._nodes = 0  # how many the tape had when it was swept
        self._lam: list[Any] = []
        self._multipliers: Multipliers | None = None

    @property
    def lam(self) -> list[Any]:
        """λ of every node; None is a structural zero."""
        if self._nodes != len(self.tape):  # not swept yet, or an open tape has grown
            one = beside(self.loss).ones(self.loss.shape, self.loss.dtype)[()]
            self._lam = adjoint_sweep(self.tape, {self.loss.index: one})
            self._nodes, self._multipliers = len(self.tape), None
        return self._lam

    @property
    def multipliers(self) -> Multipliers:
        """All multipliers, with names, scopes and lines."""
        lam = self.lam
        if self._multipliers is None:
            self._multipliers = Multipliers.from_sweep(self.tape, lam)
        return self._multipliers

    def multiplier(self, z: Any) -> Any:
        """λ of a node, in its shape and dtype.

        Args:
            z: a Variable, a name (a repeated name gives a list), or a node number.
        """
        return self.multipliers[self._ours(z)]

    def _ours(self, key: Any) -> Any:
        if isinstance(key, Recorded) and key.tape is not self.tape:
            raise refusal(
                TreeError, "this Variable is recorded on another tape; its Lagrangian is another one"
            )
        return key

    def gradient(self, w: Any) -> Any:
        """∂L/∂W: the multiplier of the constraint z_W = W.

        Args:
            w: an input's Variable or name, or a container of these.
        """
        return trees.tree_map(self._gradient_of, w)

    def _gradient_of(self, w: Any) -> Any:
        for entry in self.multipliers.entries(self._ours(w)):
            if entry.operation not in ("input", "parameter"):
                raise refusal(
                    TreeError, f"{entry.label} is not an input; multiplier() gives λ of any constraint"
                )
        lam = self.multipliers[w]
        return trees.tree_map(lambda x: x.copy() if is_array(x) else x, lam)

    def residuals(self, rng: np.random.Generator | None = None) -> Certificate:
        """The KKT certificate: constraints evaluated again, stationarity by the tangent rules, ‖∂L/∂W‖.

        It shows that sweep and tape agree with the rules. A partial derivative that is wrong in a row is
        wrong for tangent and adjoint alike: that shows in `check.multipliers`, which injects residuals.

        Args:
            rng: source of the random directions of the stationarity test; a fixed one by default.

        Raises:
            LeakError: the tape is nested in an open one (inside another transform).
        """
        self._check_plain("residuals")
        return certify(self.tape, self.loss.index, self.lam, rng or default_rng())

    def _check_plain(self, method: str) -> None:
        if any(isinstance(z, Recorded) for z in self.tape.values):
            what = f"{method}() needs plain values, but this tape is recorded inside another transform"
            raise refusal(LeakError, what, "Build the Lagrangian outside of grad, jvp and the like.")

    def perturb(self, residuals: Mapping[Any, Any]) -> Perturbation:
        """Dual-weighted residuals: what happens to the loss when constraints are relaxed to z_i = f_i + r_i.

        Args:
            residuals: r by Variable, name or node number, in the node's shape. Rounding a weight W to W' is
                r = W' − W.

        Returns:
            Predicted change, first order Σ λᵀr and trapezoidal Σ ½(λ⁰ + λ¹)ᵀr, beside the measured one, with
            the share of every constraint.
        """
        self._check_plain("perturb")
        if not isinstance(residuals, Mapping):
            raise TypeError(f"perturb takes {{name: residual}}, not {describe(residuals)}")
        changes: dict[int, Any] = {}
        for key, r in residuals.items():
            entries = self.multipliers.entries(self._ours(key))
            if len(entries) > 1:
                raise refusal(
                    TreeError,
                    f"{key!r} names {len(entries)} constraints",
                    f"Give each its residual: {key}#1, {key}#2, …",
                )
            i = entries[0].node
            if i in changes:
                raise refusal(
                    TreeError, f"{entries[0].label} is given two residuals, by different keys; add them up"
                )
            if dtype_of(self.tape.values[i]).kind not in "fc":
                raise refusal(DTypeError, f"{entries[0].label} is no float: its constraint cannot be relaxed")
            if np.shape(r) != shape_of(self.tape.values[i]):
                raise refusal(
                    ShapeError,
                    f"the residual of {key!r} must have shape {shape_of(self.tape.values[i])}, "
                    f"got {np.shape(r)}",
                )
            changes[i] = as_array(r, dtype_of(self.tape.values[i]))
        return perturb(self.tape, self.loss.index, self.lam, changes)

    def nan_origin(self) -> NonFinite | None:
        """The first constraint whose value, or else whose multiplier, is not finite; None when all are."""
        return first_non_finite(self.tape, self.lam)

    def latex(self, limit: int = 40) -> str:
        """The Lagrangian of this very program in LaTeX (an `aligned` environment).

        Args:
            limit: lines at most; the rest is an ellipsis. Constraints that repeat are one sum over k.
        """
        return self.formula(limit).latex()

    def mathml(self, limit: int = 40) -> str:
        """The same as a `<math>` element, which browsers typeset without help.

        Args:
            limit: as for `latex`.
        """
        return document(self.formula(limit))

    def formula(self, limit: int = 40) -> Formula:
        """The same in symbols, before it is written.

        Args:
            limit: as for `latex`.
        """
        return typeset(self.tape, self.loss.index, self.lam, limit)

    def __repr__(self) -> str:
        loss = innermost(self.loss)
        return f"<Lagrangian of {len(self.tape)} constraints, loss {float(np.reshape(loss, ())):.6g}>"
