"""Neural networks as functions: a layer takes its parameters, a dict of arrays, and its input.

    rng = np.random.default_rng(0)
    params = {"hidden": nn.init_dense(rng, 784, 128), "output": nn.init_dense(rng, 128, 10)}

    def loss(params, x, labels):
        h = nn.relu(nn.dense(params["hidden"], x))
        return nn.cross_entropy(nn.dense(params["output"], h), labels)

    gradient = ad.grad(loss)(params, x, labels)

Nothing has hidden state: parameters, carried states and random generators are arguments. Layers are written
with array functions that have rules, so they run on arrays and Variables, and compile; float32 stays float32.
Arrays may be cupy's: all of a call on one side, parameters by `ad.tree_map(cupy.asarray, params)`.
"""

from .activations import elu, gelu, leaky_relu, log_softmax, relu, silu, softmax, softplus
from .attention import attention
from .images import avg_pool2d, conv2d, max_pool2d
from .initialize import (
    init_attention,
    init_conv2d,
    init_dense,
    init_embedding,
    init_gru,
    init_layer_norm,
    init_lstm,
    init_rms_norm,
)
from .layers import dense, dropout, dropout_mask, embedding, layer_norm, rms_norm
from .losses import binary_cross_entropy_with_logits, cross_entropy, huber, mse, sequence_log_prob
from .recurrent import gru_cell, lstm_cell

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    "dense", "conv2d", "embedding", "attention", "gru_cell", "lstm_cell",
    "max_pool2d", "avg_pool2d", "layer_norm", "rms_norm", "dropout", "dropout_mask",
    "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax", "log_softmax",
    "cross_entropy", "binary_cross_entropy_with_logits", "mse", "huber",
    "sequence_log_prob",
    "init_dense", "init_conv2d", "init_embedding", "init_layer_norm", "init_rms_norm", "init_attention",
    "init_gru", "init_lstm",
]
# fmt: on
