"""Maps of features, once their libraries are imported and compiled."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import reference
from bench.rows import Options, Row, Wanted, faster
from bench.timing import interleaved
from benchmark.features import projections as embeddings

SAMPLES, DIMENSIONS, CLASSES = 10_000, 512, 10
NEIGHBOURS = 15
Map = Callable[[], NDArray[Any]]


def features(samples: int, dimensions: int) -> NDArray[np.float32]:
    """Return features of ten classes, as a trained model's: positive, with a centre a class and few wide directions."""
    rng = np.random.default_rng(0)
    centres = rng.exponential(1.0, (CLASSES, dimensions))
    wide = rng.normal(0, 1, (20, dimensions)) / np.sqrt(dimensions)
    spread = rng.normal(0, 4, (samples, len(wide))) @ wide + rng.normal(0, 0.2, (samples, dimensions))
    return np.maximum(centres[rng.integers(0, CLASSES, samples)] + spread, 0).astype(np.float32)


def rows(options: Options) -> list[Row]:
    """Return a row for t-SNE and for UMAP, after PCA to 50, beside scikit-learn's t-SNE and UMAP without PCA.

    Their trustworthiness (Venna and Kaski, 2001: 1 where no map puts a sample beside others that were not near it) says
    what the speed costs.
    """
    given = features(options.size(SAMPLES, 200), options.size(DIMENSIONS, 60))
    threads = options.threads
    pieces: dict[str, tuple[Map, Map, float]] = {
        "UMAP": (
            lambda: embeddings.umap(embeddings.reduced(given.astype(np.float64)), 0),
            lambda: reference.umap(given, 0),
            6.0,
        ),
        "t-SNE": (
            lambda: embeddings.tsne(embeddings.reduced(given.astype(np.float64)), 0, threads),
            lambda: reference.tsne(given, 0, threads),
            12.0,
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as `embeddings.maps` does
        return [_row(name, given, *piece, options) for name, piece in pieces.items()]


def _row(name: str, given: NDArray[np.float32], ours: Map, plain: Map, limit: float, options: Options) -> Row:
    from sklearn.manifold import trustworthiness

    seconds = interleaved({"ours": ours, "reference": plain}, options.repeats)
    mine, theirs = (statistics.median(seconds[who]) for who in ("ours", "reference"))
    return Row(
        "{} of {:,} x {}".format(name, *given.shape),
        "s",
        mine,
        theirs,
        faster(seconds["ours"], seconds["reference"]),
        figures={
            "trustworthiness": trustworthiness(given, ours(), n_neighbors=NEIGHBOURS),
            "trustworthiness of the reference": trustworthiness(given, plain(), n_neighbors=NEIGHBOURS),
        },
        wanted=(Wanted("ours", "<=", limit),),
        seconds=seconds,
    )
