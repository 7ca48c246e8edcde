"""The public names of each part, by what they do with arrays of cupy."""

from __future__ import annotations

# they compute where the arrays are; tests/cupy_cases has a case of each
TAKEN: dict[str, list[str]] = {
    "adjoint.models": [],
    "adjoint.models.alignment": ["dpo_loss", "policy_advantages", "policy_gradient_loss"],
    "adjoint.models.trpo": ["Categorical", "DiagonalGaussian", "mlp_policy", "tabular_policy"],
}
# they compute on the host, and refuse
HOST: dict[str, list[str]] = {
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
