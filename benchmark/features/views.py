"""How far apart a model puts augmented views of one image: the quantities of the paper's theory."""

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
    from benchmark.features.trained_model import TrainedModel


def view_distances(trained: TrainedModel) -> pd.DataFrame:
    """Measure distances between sampled views (Theorem 1, Lemma 1), in evaluation mode.

    An image's views are ``view_pairs`` pairs drawn from the training transform CHN, the same for every model, and the
    image itself. Features have unit length; images are normalised. All columns but the first four are measured within
    a group of samples, the retained or the forgotten.

    Columns ``index, membership, label, prediction``; ``nearest``, the class whose centre is nearest to the image;
    ``max_distance`` and ``mean_distance`` of features over all pairs of the sample's views; ``lipschitz``, the largest
    ratio of feature distance to image distance over these pairs and over the nearest views of the sample and any other
    of its class; ``reach``, from `benchmark.metrics.theory.peel`; ``centre_square`` and ``centre_product``, equal for
    all samples of a class: its centre's product with itself, and the largest with another class's, NaN without any.
    """
    frame, features = trained.sampled()
    index = frame["index"].to_numpy()
    means = torch.empty_like(features)
    for label, rows in frame.groupby("label").indices.items():
        images, views = views_of(trained, index[rows], int(label))
        means[rows] = views[:-1].mean(0).cpu()
        frame.loc[rows, ["max_distance", "mean_distance", "lipschitz"]] = _pair_statistics(images, views)
        for positions in frame.iloc[rows].groupby("membership").indices.values():
            distance, ratio = nearest_views(images[:, positions], views[:, positions])
            frame.loc[rows[positions], "lipschitz"] = np.maximum(frame["lipschitz"].to_numpy()[rows[positions]], ratio)
            frame.loc[rows[positions], "reach"] = peel(distance)
    for group in GROUPS:
        rows = np.flatnonzero(frame["membership"] == group)
        if len(rows):
            statistics = _centres(F.normalize(features[rows]), means[rows], frame["label"].to_numpy()[rows])
            frame.loc[rows, list(statistics)] = pd.DataFrame(statistics, index=frame.index[rows])
    return frame.astype({"nearest": "int64"})


@torch.no_grad()
def views_of(trained: TrainedModel, index: np.ndarray, label: int) -> tuple[Tensor, Tensor]:
    """Return the views of a class's samples, (V, n, pixels), and their unit features (V, n, D); the plain image last.

    Each view of each class has its own random stream on the CPU, so that every model and device sees the same views.
    """
    count = 2 * trained.study.view_pairs
    position = torch.from_numpy(index).to(trained.device.device)
    part = Part(position, position)
    draws = [(part, trained.streams.generator("views", label * count + view)) for view in range(count)]
    draws.append((Part(position, position, "N"), draws[0][1]))
    trained.model.eval()
    images, features = [], []
    for drawn_part, generator in draws:
        batch = trained.images.load(drawn_part, generator)
        with trained.device.autocast():
            batch_features = torch.cat([trained.model(piece)[0].float() for piece in batch.split(BATCH)])
        images.append(batch.flatten(1))
        features.append(F.normalize(batch_features))
    return torch.stack(images), torch.stack(features)


def _pair_statistics(images: Tensor, features: Tensor) -> np.ndarray:
    """Return the largest distance, mean distance and largest ratio over pairs of each sample's views, (n, 3)."""
    rows = []
    for start in range(0, images.shape[1], BATCH):
        chunk = slice(start, start + BATCH)
        feature_distance, image_distance = (_exact(part[:, chunk].transpose(0, 1)) for part in (features, images))
        pairs = feature_distance.shape[1] * (feature_distance.shape[1] - 1)
        ratio = torch.where(image_distance > 0, feature_distance / image_distance, 0.0)
        largest, mean = feature_distance.amax((1, 2)), feature_distance.sum((1, 2)) / pairs
        rows.append(torch.stack([largest, mean, ratio.amax((1, 2))], 1))
    return torch.cat(rows).cpu().numpy()


def _exact(points: Tensor) -> Tensor:
    """Return distances between points, (n, V, D) to (n, V, V), by differences, so that those of equal points are 0."""
    points = points.contiguous()
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def nearest_views(images: Tensor, features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the augmented distances d_A, (n, n), between the nearest views of two samples, and each sample's largest
    ratio of feature distance to image distance over these views, (n,).
    """
    count = len(images)
    nearest = torch.full((images.shape[1], images.shape[1]), torch.inf, device=images.device)
    feature_distance = torch.zeros_like(nearest)
    for first in range(count):
        for second in range(first, count):
            image_distance = torch.cdist(images[first], images[second])
            closer = image_distance < nearest
            nearest = torch.where(closer, image_distance, nearest)
            feature_distance = torch.where(closer, torch.cdist(features[first], features[second]), feature_distance)
    # Above, the row's sample has the earlier of the two views; the transpose covers the other order.
    feature_distance = torch.where(nearest > nearest.T, feature_distance.T, feature_distance)
    nearest = torch.minimum(nearest, nearest.T)
    distinct = ~torch.eye(len(nearest), dtype=torch.bool, device=nearest.device) & (nearest > 0)
    ratio = torch.where(distinct, feature_distance / nearest, 0.0).amax(1)
    return nearest.cpu().numpy(), ratio.cpu().numpy()


def _centres(features: Tensor, means: Tensor, label: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of class centres for each sample; a centre is the mean over a class's samples and views."""
    classes, class_index = np.unique(label, return_inverse=True)
    masks = [torch.from_numpy(class_index == number) for number in range(len(classes))]
    centres = torch.stack([means[mask].mean(0) for mask in masks]).double()
    products = (centres @ centres.T).numpy()
    square = np.diag(products).copy()
    np.fill_diagonal(products, -np.inf)
    largest = products.max(1) if len(classes) > 1 else np.full(1, np.nan)
    nearest = torch.cdist(features.double(), centres).argmin(1).numpy()
    return {"nearest": classes[nearest], "centre_square": square[class_index], "centre_product": largest[class_index]}
