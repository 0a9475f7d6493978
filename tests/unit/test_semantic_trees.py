"""The decision trees of the message model: the sums they give, and tables that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from pii_scan.semantic.train import Recipe, fit_trees
from pii_scan.semantic.trees import Forest

STUMP = [[1, 0.5, 1, 2, 0], [0, 0, 1, 1, -2.0], [0, 0, 2, 2, 3.0]]


@pytest.mark.parametrize(("second", "worth"), [(0.4, -2.0), (0.5, -2.0), (0.6, 3.0)])
def test_a_value_at_the_threshold_goes_left(second: float, worth: float) -> None:
    assert Forest(np.array([STUMP]), 2).worth(np.array([9.0, second])) == worth


def test_trees_of_different_depth_are_added() -> None:
    single = [[0, 0, 0, 0, 10.0], [0, 0, 1, 1, 0], [0, 0, 2, 2, 0]]
    assert Forest(np.array([STUMP, single]), 2).worth(np.array([0.0, 1.0])) == 13.0


@pytest.mark.parametrize("change", [(0, 0, 0, 2), (0, 0, 0, -1), (0, 0, 2, 3), (0, 0, 3, -1), (0, 1, 4, np.nan)])
def test_a_tree_that_points_outside_itself_is_refused(change: tuple[int, int, int, float]) -> None:
    nodes = np.array([STUMP])
    nodes[change[:3]] = change[3]
    with pytest.raises(ValueError, match="outside"):
        Forest(nodes, 2)


def test_a_ring_of_nodes_ends() -> None:
    ring = np.array([[[0, 0.5, 1, 1, 0], [0, 0.5, 0, 0, 0], [0, 0, 2, 2, 0]]])
    assert Forest(ring, 1).worth(np.array([0.0])) == 0.0


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Forest(np.zeros((2, 3, 4)), 2)


def test_fitted_trees_say_what_their_library_says() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 6))
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(np.int64)
    weight = rng.uniform(0.5, 2.0, 400)
    recipe = Recipe(tree_share=1.0)
    nodes, start = fit_trees(x, y, weight, recipe)
    forest = Forest(nodes, 6)
    model = GradientBoostingClassifier(
        n_estimators=recipe.trees, learning_rate=recipe.tree_rate, max_depth=None, max_leaf_nodes=recipe.leaves,
        min_samples_leaf=recipe.least_in_leaf, subsample=0.5, max_features=0.2, random_state=7)
    expected = model.fit(x.astype(np.float32), y, sample_weight=weight).decision_function(x.astype(np.float32))
    np.testing.assert_allclose([start + forest.worth(row) for row in x], expected, atol=1e-9)
    assert ((expected > 0) == (y == 1)).mean() > 0.9
