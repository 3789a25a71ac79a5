"""How far apart a model puts two augmented views of one image: what the paper's theory speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from benchmark.training.embed import Embedding


def view_distances(embedding: Embedding) -> pd.DataFrame:
    """Measure distances between sampled pairs of views (Theorem 1, Lemma 1)."""
    raise NotImplementedError
