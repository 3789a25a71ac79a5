"""The plain way: per-image torchvision transforms in a DataLoader, float32, contiguous tensors, an exact SVC.

Written for comparison, in the style of the public unlearning repositories; nothing else uses it. Tests hold the fast
path to the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms

from benchmark.data.arrays import Arrays
from benchmark.settings import Augmentation

WORKERS = 4  # of a loader, at most: they feed any step here, and several loaders are alive at a time
BATCHES = 10**9  # more than any measurement asks for


def prepare_process(threads: int) -> None:
    """Give this process so many threads, and keep a GPU's convolutions from taking TF32 for float32, as ours do.

    Freed memory goes back to the system, as in a plain script.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False


def transform(letters: str, augmentation: Augmentation, size: int) -> transforms.Compose:
    """Return torchvision's pipeline for letters of C, H, J, G, N; the paper's strengths of J and G."""
    steps: list[object] = []
    if "C" in letters:
        steps.append(transforms.RandomCrop(size, padding=augmentation.padding))
    if "H" in letters and augmentation.flip:
        steps.append(transforms.RandomHorizontalFlip())
    if "J" in letters:
        steps.append(transforms.RandomApply([transforms.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8))
    if "G" in letters:
        steps.append(transforms.RandomGrayscale(p=0.2))
    steps.append(transforms.ToTensor())
    if "N" in letters:
        steps.append(transforms.Normalize(augmentation.mean, augmentation.std))
    return transforms.Compose(steps)


class Plain(Dataset[tuple[Tensor, ...]]):
    """Images one by one: as many augmented views as there are transforms, then the label.

    Parameters
    ----------
    images : uint8 (N, H, W, 3).
    labels : (N,).
    views : one transform a view.
    """

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], *views: transforms.Compose):
        self.images, self.labels, self.views = images, labels, views

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        image = Image.fromarray(self.images[number])
        return (*(view(image) for view in self.views), torch.tensor(self.labels[number]))


def endless(data: Plain, batch_size: int, workers: int) -> Iterator[list[Tensor]]:
    """Yield shuffled batches without end; workers, `WORKERS` at most, go on loading while a batch is used.

    To the loader all epochs are one: it fetches nothing ahead beyond an epoch's end, and few images end soon.
    """
    order = RandomSampler(data, num_samples=batch_size * BATCHES)  # one permutation of the images after another
    return iter(DataLoader(data, batch_size, sampler=order, num_workers=min(workers, WORKERS), drop_last=True))


def use_torchs_dropout(model: nn.Module) -> None:
    """Replace what drops values within ``model`` by `torch.nn.Dropout`, as the public ViT has it."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Dropout(child.p))


# --- steps ----------------------------------------------------------------------------------------------------------


def optimiser(model: nn.Module, lr: float = 0.05) -> torch.optim.SGD:
    """Return the optimiser of every method here."""
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)


def ft(model: nn.Module, opt: torch.optim.SGD, images: Tensor, labels: Tensor) -> float:
    """Do a step of FT and return the loss."""
    loss = F.cross_entropy(model(images)[1], labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()


def neggrad_plus(
    model: nn.Module, opt: torch.optim.SGD, retain: list[Tensor], forget: list[Tensor], beta: float
) -> float:
    """Do a step of NegGrad+: down on the retain batch, up on the forget batch."""
    kept = F.cross_entropy(model(retain[0])[1], retain[1])
    gone = F.cross_entropy(model(forget[0])[1], forget[1])
    loss = beta * kept - (1 - beta) * gone
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()


def salun(model: nn.Module, opt: torch.optim.SGD, mask: dict[str, Tensor], images: Tensor, labels: Tensor) -> float:
    """Do a step of SalUn: gradients pass the mask, then momentum and weight decay move every weight."""
    loss = F.cross_entropy(model(images)[1], labels)
    opt.zero_grad()
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            parameter.grad *= mask[name]
    opt.step()
    return loss.item()


def coun(
    model: nn.Module, opt: torch.optim.SGD, weight: float, tau: float, first: Tensor, second: Tensor, labels: Tensor
) -> float:
    """Do a step of CoUn: cross-entropy of the first view, InfoNCE between both."""
    features, logits = model(first)
    others, _ = model(second)
    similarity = F.normalize(features) @ F.normalize(others).T / tau
    target = torch.arange(len(labels), device=labels.device)
    contrast = F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)
    loss = F.cross_entropy(logits, labels) + weight * contrast
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()


# --- evaluation and attack ------------------------------------------------------------------------------------------


def loaders(
    arrays: Arrays, augmentation: Augmentation, batch_size: int, workers: int
) -> dict[str, DataLoader[tuple[Tensor, ...]]]:
    """Return a loader of train and one of test data, in order; each starts its workers, `WORKERS` at most, once."""
    plain = transform("N", augmentation, arrays.image_shape[1])
    count = min(workers, WORKERS)
    return {
        split: DataLoader(
            Plain(*arrays.split(split), plain), batch_size, num_workers=count, persistent_workers=count > 0
        )
        for split in ("train", "test")
    }


@torch.no_grad()
def evaluate(
    model: nn.Module, data: dict[str, DataLoader[tuple[Tensor, ...]]], device: torch.device
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return predictions and losses of the data of each loader, one forward pass over each."""
    model.eval()
    found = {}
    for split, loader in data.items():
        predictions, losses = [], []
        for images, labels in loader:
            logits = model(images.to(device))[1]
            predictions.append(logits.argmax(1).cpu())
            losses.append(F.cross_entropy(logits, labels.to(device), reduction="none").cpu())
        found[split] = torch.cat(predictions), torch.cat(losses)
    return found


def attack(
    members: NDArray[np.float64], nonmembers: NDArray[np.float64], queries: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which queries the exact SVC takes for members, as in the public code."""
    from sklearn.svm import SVC

    svc = SVC(C=3, gamma="auto", kernel="rbf")
    sides = np.concatenate([np.ones(len(members)), np.zeros(len(nonmembers))])
    svc.fit(np.concatenate([members, nonmembers]).reshape(-1, 1), sides)
    return np.asarray(svc.predict(queries.reshape(-1, 1)) == 1)


def tsne(features: NDArray[np.float32], seed: int, threads: int) -> NDArray[np.float32]:
    """Return scikit-learn's t-SNE map."""
    from sklearn.manifold import TSNE

    return np.asarray(TSNE(random_state=seed, n_jobs=threads).fit_transform(features))


def umap(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return the UMAP map of the features as they are."""
    from umap import UMAP

    return np.asarray(UMAP(random_state=seed, n_jobs=1).fit_transform(features))
