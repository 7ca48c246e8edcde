"""What primitives with rules from outside share: results are checked, a missing twin is derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import RuleError
from ..ops.broadcast import astype
from ..ops.device import as_array
from ..ops.primitive import Primitive, dtype_of, shape_of
from .derivatives import vjp

Rule = Callable[..., Any]


class Foreign(Primitive):
    """A primitive made of functions; what they return is checked, since nobody else has."""

    foreign = True
    register_both = "Give both rules to ad.primitive."  # what helps when one cannot be transposed

    def transposed(self, linear: Rule, at: Any, cotangent: Any, rule: str) -> Any:
        """The transpose of a linear function, from its recording at `at`, applied to a cotangent."""
        try:
            return vjp(linear, at)[1](cotangent)[0]
        except RuleError:
            raise
        except Exception as error:
            twin = "tangent" if rule == "adjoint" else "adjoint"
            raise RuleError(
                f"{twin} of {self.name}: cannot be derived from the {rule} rule, which is not written with "
                f"differentiable functions: {error}\n  {self.register_both}"
            ) from error

    def checked(self, rule: str, result: Any, like: Any, whose: str) -> Any:
        """What a rule returned, in the shape and dtype that it must have.

        Raises:
            RuleError: it has another shape.
        """
        if shape_of(result) != shape_of(like):
            raise RuleError(
                f"{rule} of {self.name}: returned {shape_of(result)}, {whose} is {shape_of(like)}"
            )
        if isinstance(result, np.ndarray):
            # it may be an array of the user's: a view is copied before the user gets it back
            result = result.view()
        # of a complex contribution to a real operand, astype keeps the real part: ⟨λ, ẋ⟩ = Re Σ λ ẋ
        return result if dtype_of(result) == dtype_of(like) else astype(result, dtype=dtype_of(like))


def plain_result(z: Any) -> Any:
    """What a function of the user's returned, as an array or scalar."""
    return z if isinstance(z, (float, np.generic)) else as_array(z)[()]
