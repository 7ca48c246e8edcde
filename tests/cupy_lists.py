"""The public names of each part, by what they do with arrays of cupy."""

from __future__ import annotations

# they compute where the arrays are; tests/cupy_cases.py has a case of each
TAKEN: dict[str, list[str]] = {
    "adjoint": [
        "grad", "value_and_grad", "grad_and_aux", "grad_named", "multigrad_dict", "elementwise_grad", "egrad",
        "deriv", "holomorphic_grad", "jacobian", "hessian", "make_vjp", "make_jvp", "make_hvp", "make_ggnvp",
        "hessian_vector_product", "hessian_tensor_product", "tensor_jacobian_product",
        "vector_jacobian_product", "jacobian_vector_product", "hvp", "vjp", "jvp", "Tape", "name", "scope",
        "with_multipliers", "Lagrangian", "MultiplierHistory", "nan_origin", "explain_difference",
        "constrain", "draw", "primitive", "elementwise", "root", "fixed_point", "checkpoint", "scan", "cond",
        "segment_sum", "segment_max", "segment_logsumexp", "tree_map", "save", "compile",
    ],
    "adjoint.nn": [
        "dense", "conv2d", "embedding", "attention", "gru_cell", "lstm_cell", "max_pool2d", "avg_pool2d",
        "layer_norm", "rms_norm", "dropout", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus",
        "softmax", "log_softmax", "cross_entropy", "binary_cross_entropy_with_logits", "mse", "huber",
        "sequence_log_prob",
    ],
    "adjoint.optim": [
        "sgd", "momentum", "adam", "adamw", "rmsprop", "adagrad", "clip_by_global_norm", "global_norm",
        "constant", "exponential", "cosine", "warmup_cosine",
    ],
    "adjoint.problems": ["constrain"],
    "adjoint.check": ["gradients", "multipliers", "pair"],
    "adjoint.changes": ["precision", "quantize", "prune", "replace", "combine"],
    "adjoint.test_util": [
        "scalar_close", "check_equivalent", "make_numerical_jvp", "check_vjp", "check_jvp", "check_grads",
        "combo_check",
    ],
    "adjoint.plot": [],
    "adjoint.models": [],
    "adjoint.models.alignment": ["dpo_loss", "policy_advantages", "policy_gradient_loss"],
    "adjoint.models.trpo": ["Categorical", "DiagonalGaussian", "mlp_policy", "tabular_policy"],
}  # fmt: skip
# they compute on the host, and refuse
HOST: dict[str, list[str]] = {
    "adjoint": ["minimize", "Problem"],
    "adjoint.nn": [],
    "adjoint.optim": [],
    "adjoint.problems": ["minimize", "Problem", "Residuals"],
    "adjoint.check": ["certificate"],
    "adjoint.changes": [],
    "adjoint.test_util": [],
    "adjoint.plot": ["multiplier_norms", "residuals", "path", "pareto"],
    "adjoint.models": [
        "Ridge", "ridge_path", "Lasso", "ElasticNet", "lasso_path", "enet_path", "LassoPath",
        "LogisticRegression", "Categorical", "PCA", "SVC", "OneClassSVM", "MaxEnt", "Interval", "align",
        "Estimator", "Regressor", "Classifier", "Transformer",
    ],
    "adjoint.models.alignment": [
        "align", "Scores", "Constraint", "Alignment", "Report", "Preferences", "sample_preferences",
        "fit_bradley_terry", "mocan_scores", "pecan_scores", "FiniteProblem", "Everything", "Floor",
        "SimplexGrid", "Union", "LogLinear", "Network", "dualize", "Dualization", "constant_rate",
        "decreasing_rate", "polyak_rate", "projected_gradient", "minimize_dual", "certify", "image",
        "upper_boundary", "lower_boundary", "SupportingLine",
    ],
    "adjoint.models.trpo": [
        "trpo_step", "cpo_step", "TrustRegion", "TRPO", "CPO", "MDP", "CartPole", "LQR", "Walk", "Box",
    ],
}  # fmt: skip
# results, verdicts, errors, modules, protocols; functions of numbers and files
NO_ARRAYS: dict[str, list[str]] = {
    "adjoint": [
        "Variable", "Multiplier", "Multipliers", "Certificate", "Perturbation", "NonFinite", "Difference",
        "Solution", "Status", "Picture", "set_num_threads", "get_num_threads", "numpy", "load",
        "AdjointError", "ConvergenceError", "ConversionError", "DeviceError", "DomainError", "DTypeError",
        "IndexingError", "LayoutError", "LeakError", "MissingPackageError", "MissingRuleError",
        "MutationError", "RuleError", "ShapeError", "TraceError", "TreeError", "UnknownNameError",
        "__version__",
    ],
    "adjoint.nn": [
        "dropout_mask", "init_dense", "init_conv2d", "init_embedding", "init_layer_norm", "init_rms_norm",
        "init_attention", "init_gru", "init_lstm",
    ],
    "adjoint.optim": ["Optimizer", "DescentState", "MomentumState", "AdamState", "SquareState"],
    "adjoint.problems": [
        "Ascent", "Constraint", "Doubt", "Sensitivity", "Settings", "Solution", "Status", "Step",
    ],
    "adjoint.check": [
        "CheckError", "Finding", "KKTReport", "Place", "Report", "Summary", "TrainingReport", "all_rules",
        "rule", "training",
    ],
    "adjoint.changes": ["Change", "Site"],
    "adjoint.test_util": [],
    "adjoint.plot": [],
    "adjoint.models": [
        "Path", "FitStatus", "FitWarning", "Verdict", "alignment", "trpo", "NotFittedError", "DataError",
        "DataConversionWarning",
    ],
    "adjoint.models.alignment": [
        "Partitions", "Status", "Certificate", "Bootstrap", "Diagnostic", "Infeasibility", "Pareto",
        "Progress", "read_scores", "FileScores", "write_preferences", "write_reward_weights",
        "write_weights", "read_preferences", "Pair", "BradleyTerry", "Family", "ParametrizedDual",
        "GapCertificate", "Bound",
    ],
    "adjoint.models.trpo": [
        "PolicyStep", "StepStatus", "Trial", "Case", "Iteration", "Policy", "Distribution", "random_mdp",
        "hazard_grid", "Environment", "Discrete",
    ],
}  # fmt: skip
