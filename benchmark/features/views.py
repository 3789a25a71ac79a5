"""How far apart a model puts augmented views of one image: what the paper's theory speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.methods.base import Part
from benchmark.metrics.theory import GROUPS, peel
from benchmark.training.batches import BATCH

if TYPE_CHECKING:
    from benchmark.features.embedding import Embedding


def view_distances(embedding: Embedding) -> pd.DataFrame:
    """Measure distances between sampled views (Theorem 1, Lemma 1), in evaluation mode.

    The views of an image are ``view_pairs`` pairs from the training transform CHN, the same for every model, and the
    image itself. Features have unit length; images are normalised. All but the first four columns are measured among
    the samples of the same group: those retained, or those forgotten.

    Columns ``index, membership, label, prediction``; ``nearest``, the class whose centre is nearest to the image;
    ``max_distance`` and ``mean_distance`` of features over all pairs of the sample's views; ``lipschitz``, the largest
    ratio of feature distance to image distance among those pairs and among the nearest views of the sample and any of
    its class; ``reach``, from `benchmark.metrics.theory.peel`; ``centre_square`` and ``centre_product``, equal for all
    samples of a class: its centre's product with itself and the largest with another class's, NaN where there is none.
    """
    frame, features = embedding.sampled()
    index = frame["index"].to_numpy()
    means = torch.empty_like(features)
    for label, rows in frame.groupby("label").indices.items():
        images, views = views_of(embedding, index[rows], int(label))
        means[rows] = views[:-1].mean(0).cpu()
        frame.loc[rows, ["max_distance", "mean_distance", "lipschitz"]] = _own(images, views)
        for mine in frame.iloc[rows].groupby("membership").indices.values():
            distance, ratio = nearest_views(images[:, mine], views[:, mine])
            frame.loc[rows[mine], "lipschitz"] = np.maximum(frame["lipschitz"].to_numpy()[rows[mine]], ratio)
            frame.loc[rows[mine], "reach"] = peel(distance)
    for group in GROUPS:
        rows = np.flatnonzero(frame["membership"] == group)
        if len(rows):
            facts = _centres(F.normalize(features[rows]), means[rows], frame["label"].to_numpy()[rows])
            frame.loc[rows, list(facts)] = pd.DataFrame(facts, index=frame.index[rows])
    return frame.astype({"nearest": "int64"})


@torch.no_grad()
def views_of(embedding: Embedding, index: np.ndarray, label: int) -> tuple[Tensor, Tensor]:
    """Return the views of a class's samples, (V, n, pixels), and their unit features (V, n, D); the plain image last.

    Each view of each class has a stream of its own, drawn on the CPU, so that every model and device sees the same.
    """
    count = 2 * embedding.study.view_pairs
    position = torch.from_numpy(index).to(embedding.device.device)
    part = Part(position, position)
    draws = [(part, embedding.streams.generator("views", label * count + view)) for view in range(count)]
    draws.append((Part(position, position, "N"), draws[0][1]))
    embedding.model.eval()
    images, features = [], []
    for which, generator in draws:
        batch = embedding.images.load(which, generator)
        with embedding.device.autocast():
            of_batch = torch.cat([embedding.model(piece)[0].float() for piece in batch.split(BATCH)])
        images.append(batch.flatten(1))
        features.append(F.normalize(of_batch))
    return torch.stack(images), torch.stack(features)


def _own(images: Tensor, features: Tensor) -> np.ndarray:
    """Return max distance, mean distance and largest ratio over pairs of each sample's own views, (n, 3)."""
    rows = []
    for start in range(0, images.shape[1], BATCH):
        here = slice(start, start + BATCH)
        far, apart = (_exact(part[:, here].transpose(0, 1)) for part in (features, images))
        pairs = far.shape[1] * (far.shape[1] - 1)
        ratio = torch.where(apart > 0, far / apart, 0.0)
        rows.append(torch.stack([far.amax((1, 2)), far.sum((1, 2)) / pairs, ratio.amax((1, 2))], 1))
    return torch.cat(rows).cpu().numpy()


def _exact(points: Tensor) -> Tensor:
    """Return distances between points, (n, V, D) to (n, V, V), by differences: equal points are at distance 0."""
    points = points.contiguous()
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def nearest_views(images: Tensor, features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return augmented distances d_A (n, n), over the nearest views of two samples, and each sample's largest ratio of
    feature distance to image distance there (n,).
    """
    count = len(images)
    nearest = torch.full((images.shape[1], images.shape[1]), torch.inf, device=images.device)
    far = torch.zeros_like(nearest)
    for one in range(count):
        for other in range(one, count):
            apart = torch.cdist(images[one], images[other])
            closer = apart < nearest
            nearest = torch.where(closer, apart, nearest)
            far = torch.where(closer, torch.cdist(features[one], features[other]), far)
    # Above, the first sample's view was always the earlier one of the two.
    far = torch.where(nearest > nearest.T, far.T, far)
    nearest = torch.minimum(nearest, nearest.T)
    off = ~torch.eye(len(nearest), dtype=torch.bool, device=nearest.device) & (nearest > 0)
    ratio = torch.where(off, far / nearest, 0.0).amax(1)
    return nearest.cpu().numpy(), ratio.cpu().numpy()


def _centres(plain: Tensor, means: Tensor, label: np.ndarray) -> dict[str, np.ndarray]:
    """Return, per sample of a group, what class centres say: the mean feature over a class's samples and views."""
    classes, place = np.unique(label, return_inverse=True)
    centres = torch.stack([means[torch.from_numpy(place == number)].mean(0) for number in range(len(classes))]).double()
    products = (centres @ centres.T).numpy()
    square = np.diag(products).copy()
    np.fill_diagonal(products, -np.inf)
    largest = products.max(1) if len(classes) > 1 else np.full(1, np.nan)
    nearest = torch.cdist(plain.double(), centres).argmin(1).numpy()
    return {"nearest": classes[nearest], "centre_square": square[place], "centre_product": largest[place]}
