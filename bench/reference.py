"""The plain code: per-image torchvision transforms in a DataLoader, float32, contiguous tensors, `torch.optim.SGD`.

Written for comparison, in the style of the public unlearning repositories. Tests hold ours to the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms

from benchmark.settings import Augmentation

WORKERS = 4  # the most of a loader: enough for any step here, and several loaders are alive at a time
BATCHES = 10**9  # more than any measurement needs


def prepare_process(threads: int) -> None:
    """Set this process's threads and turn TF32 off on GPUs. As by default, freed memory goes back to the system."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False


def transform(letters: str, augmentation: Augmentation, size: int) -> transforms.Compose:
    """Return torchvision's pipeline for some of the letters C, H, J, G, N; J and G are as strong as in the paper."""
    steps = {
        "C": transforms.RandomCrop(size, padding=augmentation.padding),
        "H": transforms.RandomHorizontalFlip(),
        "J": transforms.RandomApply([transforms.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
        "G": transforms.RandomGrayscale(p=0.2),
        "N": transforms.Compose([transforms.ToTensor(), transforms.Normalize(augmentation.mean, augmentation.std)]),
    }
    return transforms.Compose([steps[letter] for letter in letters])


class Pictures(Dataset[tuple[Tensor, ...]]):
    """Images (N, H, W, 3) one by one: an augmented view for each transform, then the label."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], *views: transforms.Compose):
        self.images, self.labels, self.views = images, labels, views

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        image = Image.fromarray(self.images[index])
        return (*(view(image) for view in self.views), torch.tensor(self.labels[index]))


def loader(data: Pictures, batch_size: int, workers: int, **options: Any) -> DataLoader[tuple[Tensor, ...]]:
    """Return a loader whose workers, `WORKERS` at most, are started once."""
    count = min(workers, WORKERS)
    return DataLoader(data, batch_size, num_workers=count, persistent_workers=count > 0, **options)


def endless(data: Pictures, batch_size: int, workers: int) -> Iterator[list[Tensor]]:
    """Yield shuffled batches without end.

    The loader sees a single epoch: at an epoch's end it would stop fetching ahead, and few images make short epochs.
    """
    order = RandomSampler(data, num_samples=batch_size * BATCHES)  # one permutation of the images after another
    return iter(loader(data, batch_size, workers, sampler=order, drop_last=True))


def use_torchs_dropout(model: nn.Module) -> None:
    """Replace every dropout of a model by `torch.nn.Dropout`, as in the public ViT."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Dropout(child.p))


def optimiser(model: nn.Module) -> SGD:
    """Return the optimiser of every method."""
    return SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def ft(model: nn.Module, sgd: SGD, images: Tensor, labels: Tensor) -> None:
    """Do a step of FT."""
    _step(sgd, F.cross_entropy(model(images)[1], labels))


def coun(model: nn.Module, sgd: SGD, weight: float, tau: float, view1: Tensor, view2: Tensor, labels: Tensor) -> None:
    """Do a step of CoUn: cross-entropy of the first view, InfoNCE between the two."""
    features1, logits = model(view1)
    features2, _ = model(view2)
    similarity = F.normalize(features1) @ F.normalize(features2).T / tau
    target = torch.arange(len(labels), device=labels.device)
    contrast = F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)
    _step(sgd, F.cross_entropy(logits, labels) + weight * contrast)


def _step(sgd: SGD, loss: Tensor) -> float:
    sgd.zero_grad()
    loss.backward()
    sgd.step()
    return loss.item()  # waits for the device, as in plain scripts


@torch.no_grad()
def evaluate(model: nn.Module, data: DataLoader[tuple[Tensor, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the predictions and losses on a loader's data."""
    model.eval()
    predictions, losses = [], []
    for images, labels in data:
        logits = model(images.to(device))[1]
        predictions.append(logits.argmax(1).cpu())
        losses.append(F.cross_entropy(logits, labels.to(device), reduction="none").cpu())
    return torch.cat(predictions), torch.cat(losses)


def membership_attack(
    members: NDArray[np.float64], nonmembers: NDArray[np.float64], queries: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return, for each query, whether the exact SVC takes it for a member, as in the public code."""
    svc = SVC(C=3, gamma="auto", kernel="rbf")
    svc.fit(np.r_[members, nonmembers].reshape(-1, 1), np.repeat([1, 0], [len(members), len(nonmembers)]))
    return np.asarray(svc.predict(queries.reshape(-1, 1)) == 1)
