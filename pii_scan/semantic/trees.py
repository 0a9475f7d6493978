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
        trees, size = nodes.shape[:2]
        self._roots = np.arange(trees, dtype=np.intp) * size
        self._feature = feature.astype(np.intp).ravel()
        self._threshold = nodes[:, :, 1].ravel()
        below = np.stack([left, right], axis=2).astype(np.intp) + self._roots[:, None, None]
        self._next = below.ravel()  # of node n: 2n when the value is at most the threshold, 2n + 1 when above
        self._worth = nodes[:, :, 4].ravel()
        self._leaf = (below == np.arange(trees * size).reshape(trees, size, 1)).all(axis=2).ravel()
        self._deepest = size

    def worth(self, values: Floats) -> float:
        """The sum over all trees for the features `values`."""
        at = self._roots
        seen = values.astype(np.float32).astype(np.float64)
        for _ in range(self._deepest):
            if self._leaf[at].all():
                break
            at = self._next[2 * at + (seen[self._feature[at]] > self._threshold[at])]
        return float(self._worth[at].sum())
