"""Make a run's derived files from its weights: maps, distances between classes and between views, and relearning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmark import paths
from benchmark.errors import unknown
from benchmark.features.projections import COORDINATES, maps
from benchmark.features.relearning import relearning
from benchmark.features.trained_model import TrainedModel
from benchmark.features.views import view_distances
from benchmark.files import write_parquet
from benchmark.results.records import record
from benchmark.study.kinds import DISTANCES, MAPS, RELEARNING, VIEWS
from benchmark.study.study import Study
from benchmark.training.device import explained


def sample_maps(trained: TrainedModel) -> pd.DataFrame:
    """Map a random draw of training samples by t-SNE and by UMAP (Figures 1, 3, 11 and 12).

    Columns ``index, membership, label, prediction, tsne_x, tsne_y, umap_x, umap_y``. Coordinates are NaN where the run
    diverged and its features are not finite.
    """
    frame, features = trained.sampled()
    if not features.isfinite().all():
        return frame.assign(**dict.fromkeys(COORDINATES, np.nan))
    seed = trained.streams.integer("map") % 2**31
    return pd.concat([frame, maps(features.numpy(), seed=seed, threads=trained.study.threads)], axis=1)


def class_distances(trained: TrainedModel) -> pd.DataFrame:
    """Measure how far each class's forget samples lie from every class's retain samples (Table 4).

    Columns ``label``, the class of the forget samples; ``centroid``, a class that has retain samples; ``distance``,
    the mean L2 distance from the features of the former to the mean feature of the latter; ``samples``, the number of
    forget samples.
    """
    features = trained.features()[0].double()
    labels, forgotten = trained.labels, trained.forgotten
    classes = np.unique(labels[trained.retained]).tolist()
    retained = [torch.from_numpy(trained.retained & (labels == label)) for label in classes]
    centroids = torch.stack([features[mask].mean(0) for mask in retained])
    rows = []
    for label in np.unique(labels[forgotten]):
        samples = features[torch.from_numpy(forgotten & (labels == label))]
        distances = zip(classes, torch.cdist(samples, centroids).mean(0), strict=True)
        rows += [(label, centroid, float(distance), len(samples)) for centroid, distance in distances]
    return pd.DataFrame(rows, columns=["label", "centroid", "distance", "samples"])


MAKERS = {MAPS: sample_maps, DISTANCES: class_distances, VIEWS: view_distances, RELEARNING: relearning}


def embed(study: Study, kind: str, name: str, scenario: str) -> Path:
    """Make a derived file, such as the maps, from the saved weights of the run ``name`` and return its path.

    The scenario says which samples count as forgotten: Original has none of its own.
    """
    if kind not in MAKERS:
        raise unknown("derived file", kind, MAKERS, "embed")
    derived = study.derive(kind, study.run(name), scenario)
    path = paths.derived(derived.pool_path)
    with explained(f"{kind} of {name}"):
        frame = MAKERS[kind](TrainedModel(study, derived))
        weights = record(study, derived.run)["sha256"][paths.MODEL]
        write_parquet(path, frame, derived.origin | {"weights": weights})
    return path
