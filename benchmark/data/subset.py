"""A smaller dataset with the same classes."""

from __future__ import annotations

import numpy as np

from benchmark.data.arrays import Labels
from benchmark.errors import BadInput


def stratified(labels: Labels, count: int, rng: np.random.Generator, where: str) -> Labels:
    """Return ``count`` indices spread as evenly over the classes as the data allow, in dataset order.

    Each class gives an equal number; where a class has fewer, the others make up for it; a remainder goes to the
    first classes that still have samples.

    Parameters
    ----------
    labels : int64 (N,).
    count : how many indices are kept.
    rng : decides which samples of a class are kept.
    where : key of the study, for the message.

    Raises
    ------
    BadInput
        If ``count`` exceeds N or leaves a class without samples.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    if count > len(labels):
        raise BadInput(f"{where}: {count} images of {len(labels)}; accepted are {len(classes)} to {len(labels)}")
    if count < len(classes):
        raise BadInput(
            f"{where}: {count} images leave some of {len(classes)} classes empty; accepted are at least that"
        )
    quota = np.zeros(len(classes), dtype=np.int64)
    while (missing := count - int(quota.sum())) > 0:
        open_classes = np.flatnonzero(quota < sizes)
        share = missing // len(open_classes)
        if share:
            quota[open_classes] = np.minimum(quota[open_classes] + share, sizes[open_classes])
        else:
            quota[open_classes[:missing]] += 1
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:size] for label, size in zip(classes, quota, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
