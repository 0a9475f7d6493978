"""Small decision trees over the message features: plain numbers in the weights file, read by numpy at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

COLUMNS = 5
"""Per node: feature, threshold, node when the value is at most the threshold, node when above, worth of a leaf."""
MOST_NODES = 1_000


class Forest:
    """Sums what every tree says of one message.

    `nodes` is float64[trees, nodes, COLUMNS]; a tree starts at its node 0 and a leaf points at itself. Raises
    ValueError for a table in which a tree points outside itself or beyond `features`.
    """

    def __init__(self, nodes: Floats, features: int) -> None:
        if nodes.ndim != 3 or nodes.shape[2] != COLUMNS or not 0 < nodes.shape[1] <= MOST_NODES:
            raise ValueError("trees of the wrong shape")
        feature, left, right = (nodes[:, :, i] for i in (0, 2, 3))
        inside = (left >= 0) & (left < nodes.shape[1]) & (right >= 0) & (right < nodes.shape[1])
        if not np.isfinite(nodes).all() or not inside.all() or not ((feature >= 0) & (feature < features)).all():
            raise ValueError("a tree that points outside itself")
        self._feature = feature.astype(np.intp)
        self._threshold = nodes[:, :, 1]
        self._next = np.stack([left, right], axis=2).astype(np.intp)
        self._worth = nodes[:, :, 4]
        self._trees = np.arange(len(nodes))
        self._leaf = (self._next == np.arange(nodes.shape[1])[None, :, None]).all(axis=2)

    def worth(self, values: Floats) -> float:
        """The sum over all trees for the features `values`."""
        at = np.zeros(len(self._trees), np.intp)
        seen = values.astype(np.float32).astype(np.float64)
        for _ in range(self._worth.shape[1]):
            if self._leaf[self._trees, at].all():
                break
            above = seen[self._feature[self._trees, at]] > self._threshold[self._trees, at]
            at = self._next[self._trees, at, above.astype(np.intp)]
        return float(self._worth[self._trees, at].sum())
