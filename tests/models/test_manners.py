"""scikit-learn's own checks of estimators, for every model; and that scikit-learn is not needed."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from adjoint import models

MODELS = [
    models.Ridge(),
    models.Ridge(budget=0.5),
    models.Lasso(),
    models.Lasso(budget=0.5),
    models.ElasticNet(),
    models.ElasticNet(budget=0.5),
    models.PCA(),
    models.PCA(whiten=True),
    models.LogisticRegression(),
    models.LogisticRegression(class_weight="balanced"),
    models.SVC(),
    models.SVC(kernel="poly", coef0=1.0),
    models.OneClassSVM(),
    models.MaxEnt(),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_scikit_learn_accepts_it(model):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that we do not inherit from BaseEstimator; its data's own warnings
        results = checks.check_estimator(model, on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) >= 40


def test_pipelines_and_searches_take_our_models():
    datasets, pipeline = pytest.importorskip("sklearn.datasets"), pytest.importorskip("sklearn.pipeline")
    search = pytest.importorskip("sklearn.model_selection").GridSearchCV
    X, y = datasets.load_wine(return_X_y=True)
    steps = pipeline.make_pipeline(models.PCA(5, whiten=True), models.LogisticRegression())
    found = search(steps, {"logisticregression__C": [1e-3, 1.0]}, cv=3).fit(X, y)
    assert found.best_score_ > 0.9
    X, y = datasets.load_diabetes(return_X_y=True)
    found = search(models.Lasso(), {"budget": [10.0, 1000.0]}, cv=3).fit(X, y)
    assert found.best_params_ == {"budget": 1000.0}


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_fitted_models_pickle_with_their_certificates(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    fitted = type(model)(**model.get_params()).fit(X, X[:, 0] > 0)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.residuals_ == fitted.residuals_
    assert again.multipliers_.keys() == fitted.multipliers_.keys()


def test_warnings_point_at_the_users_lines():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # once for each line
        models.Lasso().fit(X, y[:, None])
        models.ElasticNet().fit(X, y[:, None])
        models.LogisticRegression().fit(X, y[:, None])
        models.SVC().fit(X, y[:, None])
    assert [w.filename for w in caught] == [__file__] * 4
    assert len({w.lineno for w in caught}) == 4


def test_scikit_learn_is_not_needed():
    code = """
import sys, numpy as np
sys.modules["sklearn"] = None
from adjoint.models import *
from adjoint import models
X = np.random.default_rng(0).normal(size=(20, 3))
models.Ridge().fit(X, X[:, 0]).predict(X)
try:
    models.Ridge().predict(X)
except models.NotFittedError:
    print("ok")
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "ok", run.stderr


def test_importing_models_is_light():
    code = "import sys, adjoint.models; print('scipy' in sys.modules, 'sklearn' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False False"


def test_an_unfitted_model_is_unfitted_for_scikit_learn_too():
    exceptions = pytest.importorskip("sklearn.exceptions")
    with pytest.raises(exceptions.NotFittedError) as caught:
        models.Ridge().predict([[1.0]])
    assert isinstance(caught.value, models.NotFittedError)
