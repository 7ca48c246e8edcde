"""What puts the nodes of a graph in a simpler form: one rule for each primitive that has one.

A rule takes the graph, the operands, the parameters, and the shape and dtype of the result. It returns a node
or a number that is the same, made through the graph, so that other rules have their turn; or None, and the
node is made as it stands. Where several have something to say of one primitive they ask each other in turn:
`masks`, then `ragged`, then `indexing`.
"""

from __future__ import annotations

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops import index as ix
from ...ops import linalg
from ...ops import reduce as rd
from ...ops import shape as sh
from ...ops.primitive import Primitive, item
from ...ops.products import einsum, matmul
from ..graph import Rule
from . import (
    algebra,
    contractions,
    factors,
    joining,
    layout,
    masks,
    matrices,
    ragged,
    rearranging,
    reductions,
)

RULES: dict[Primitive, Rule] = {
    # rows
    ew.multiply: ragged.product,
    ew.add: joining.united,
    ew.divide: algebra.quotient,
    ew.power: algebra.power,
    ew.positive: algebra.positive,
    ew.negative: algebra.negative,
    # the same elements, elsewhere
    bc.astype: layout.converted,
    bc.reshape: layout.reshaped,
    bc.broadcast_to: layout.broadcast,
    sh.transpose: layout.transposed,
    sh.concatenate: joining.concatenated,
    sh.pad: joining.padded,
    sh.roll: rearranging.rolled,
    linalg.triangle: rearranging.triangular,
    linalg.mirror: rearranging.mirrored,
    # indices
    ix.getitem: masks.getitem,
    ix.scatter_add: masks.scatter_add,
    ix.scatter_set: rearranging.scatter_set,
    # fewer elements
    bc.sum_: reductions.total,
    rd.mean: reductions.mean,
    rd.max_: reductions.extremum,
    rd.min_: reductions.extremum,
    # matrices
    matmul: matrices.product,
    einsum: contractions.contracted,
    item: factors.item,
    linalg.solve: factors.solve,
}
