"""Where vectors point, and how far from where they usually do.

The length of an embedding mostly says something of the model, its direction what the embedding is of. So the centre is
the mean direction, the sum of the vectors at length 1: the maximum-likelihood estimate for a von Mises-Fisher
distribution (Mardia & Jupp 2000, Directional Statistics, 10.3; Banerjee et al. 2005, JMLR 6). The distance from it is
1 - cosine: 0 in its direction, 1 at a right angle, 2 opposite.

>>> centre = Centre(2)
>>> centre.learn(np.array([[3.0, 0.0], [0.0, 0.5]]))
>>> centre.distances(np.array([[2.0, 2.0], [1.0, 0.0], [-1.0, -1.0]])).round(3).tolist()
[0.0, 0.293, 2.0]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.bank import F64


def lengths(vectors: F64) -> F64:
    """Of each row; infinite where it is beyond a float."""
    peak, root, _ = _parts(vectors)
    with np.errstate(over="ignore"):
        found: F64 = peak * root
    return found


def units(vectors: F64) -> F64:
    """Each row at length 1; one of zeros, which has no direction, stays as it is."""
    _, root, scaled = _parts(vectors)
    found: F64 = scaled / np.where(root > 0.0, root, 1.0)[:, None]
    return found


def _parts(vectors: F64) -> tuple[F64, F64, F64]:
    """The greatest size of a row, its length in that, and the row in that: so no square overflows."""
    peak = np.abs(vectors).max(axis=1)
    scaled = vectors / np.where(peak > 0.0, peak, 1.0)[:, None]
    return peak, np.sqrt((scaled * scaled).sum(axis=1)), scaled


class Centre:
    """The mean direction of the vectors that were learned."""

    def __init__(self, dimensions: int) -> None:
        self.n = 0
        self.total = np.zeros(dimensions)

    def learn(self, vectors: F64) -> None:
        """One by one, so that no cutting into batches shows."""
        for unit in units(vectors):
            self.total = self.total + unit
        self.n += len(vectors)

    def distances(self, vectors: F64) -> F64:
        """NaN for a vector, or with a centre, that has no direction."""
        centre, own = units(self.total[None, :])[0], units(vectors)
        cosine = np.clip((own * centre).sum(axis=1), -1.0, 1.0)
        found: F64 = np.where(own.any(axis=1) & centre.any(), 1.0 - cosine, np.nan)
        return found

    def dump(self) -> list[Any]:
        return [self.n, self.total.copy()]

    @classmethod
    def load(cls, state: Any) -> Centre:
        """ValueError for an invalid state."""
        n, total = state
        if int(n) < 0 or not np.isfinite(total).all():
            raise ValueError("invalid centre")
        centre = cls(len(total))
        centre.n, centre.total = int(n), np.array(total, np.float64)
        return centre
