"""scikit-learn's digits: 1,797 handwritten digits of 8x8 pixels that come with the library, so nothing is downloaded.

Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (the test part of that dataset).
"""

from __future__ import annotations

import numpy as np

from benchmark.data.arrays import Arrays, stratified
from benchmark.settings import DatasetSettings

TEST = 600
SEED = 1998  # of the split and the order: facts of this dataset, not of a study


def read(name: str, settings: DatasetSettings) -> Arrays:
    """Return the digits as 1,197 training and 600 test images, uint8 (N, 8, 8, 1), values 0 to 255.

    The split is stratified and the order shuffled once: the membership attack takes the *first* retain samples, and
    neighbours in the original order were written by one person.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Counts of 0 to 16 become grey values of 0 to 255.
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(images))
    images, labels = images[order], bunch.target.astype(np.int64)[order]
    test = stratified(labels, TEST, rng, f"{name}: test split")
    train = np.setdiff1d(np.arange(len(labels)), test)
    origin = {"source": "sklearn.datasets.load_digits", "split_seed": SEED, "original_order_shuffled": True}
    return Arrays(images[train], labels[train], images[test], labels[test], list("0123456789"), origin, name)
