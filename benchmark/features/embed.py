"""What is made from a run's weights: maps, distances between classes and between views, and relearning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmark import paths
from benchmark.errors import unknown
from benchmark.features.embedding import Embedding
from benchmark.features.projections import COORDINATES, maps
from benchmark.features.relearning import relearning
from benchmark.features.views import view_distances
from benchmark.files import write_parquet
from benchmark.study.outputs import DISTANCES, MAPS, RELEARNING, VIEWS
from benchmark.study.study import Study
from benchmark.training.device import explained


def sample_maps(embedding: Embedding) -> pd.DataFrame:
    """Map a draw of training samples by t-SNE and by UMAP (Figures 1, 3, 11 and 12).

    Columns ``index, membership, label, prediction, tsne_x, tsne_y, umap_x, umap_y``; places are NaN where the run
    diverged to features that are no numbers.
    """
    frame, features = embedding.sampled()
    if not features.isfinite().all():
        return frame.assign(**dict.fromkeys(COORDINATES, np.nan))
    seed = embedding.streams.integer("map") % 2**31
    return pd.concat([frame, maps(features.numpy(), seed=seed, threads=embedding.study.threads)], axis=1)


def class_distances(embedding: Embedding) -> pd.DataFrame:
    """Measure how far each class's forget samples lie from every class's retain samples (Table 4).

    Columns ``label``, the class of the forget samples; ``centroid``, a class that has retain samples; ``distance``,
    the mean L2 distance of the former's features to the mean feature of the latter; ``samples``, how many.
    """
    features = embedding.features()[0].double()
    labels, gone = embedding.labels, embedding.forgotten
    kept = np.unique(labels[embedding.retained]).tolist()
    retained = [torch.from_numpy(embedding.retained & (labels == label)) for label in kept]
    centroids = torch.stack([features[mask].mean(0) for mask in retained])
    rows = []
    for label in np.unique(labels[gone]):
        of = features[torch.from_numpy(gone & (labels == label))]
        distances = torch.cdist(of, centroids).mean(0)
        rows += [(label, centroid, float(far), len(of)) for centroid, far in zip(kept, distances, strict=True)]
    return pd.DataFrame(rows, columns=["label", "centroid", "distance", "samples"])


MAKERS = {MAPS: sample_maps, DISTANCES: class_distances, VIEWS: view_distances, RELEARNING: relearning}


def embed(study: Study, what: str, name: str, scenario: str) -> Path:
    """Make one derived file, ``what``, of the run ``name``, whose weights are kept, and return its path.

    The scenario says which samples count as forgotten: Original has none of its own.
    """
    if what not in MAKERS:
        raise unknown("derived file", what, MAKERS, "embed")
    one = study.derive(what, study.run(name), scenario)
    path = paths.derived(one.place)
    with explained(f"{what} of {name}"):
        write_parquet(path, MAKERS[what](Embedding(study, one)), one.origin)
    return path
