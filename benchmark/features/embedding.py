"""A trained model with what its features are looked at through: its images, and what is forgotten of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from benchmark.data.splits import forgotten
from benchmark.models import build
from benchmark.results.records import forget
from benchmark.seeds import Streams
from benchmark.study.prepare import held_out, load
from benchmark.study.runs import Derived
from benchmark.study.study import Study
from benchmark.training.batches import Images, outputs
from benchmark.training.device import Device
from benchmark.training.outcome import weights_of


class Embedding:
    """A run's model, its dataset, and which training samples a scenario forgets; `StaleOutput` where one is missing."""

    def __init__(self, study: Study, one: Derived):
        self.study, self.one = study, one
        name = one.run.name
        self.device = Device.choose(study.precision, study.threads)
        self.arrays = load(study, name.dataset)
        self.images = Images(self.arrays, study.datasets[name.dataset].augmentation, self.device.device)
        self.model = build(name.arch, self.images.classes, self.images.image_shape)
        self.model.load_state_dict(weights_of(study, one.run))
        self.device.place(self.model)
        self.streams = Streams(study.seed, (name.dataset,))
        self.labels = np.asarray(self.arrays.train_labels)
        self.forgotten = np.zeros(len(self.labels), bool)
        self.forgotten[forgotten(forget(study, one.run, one.scenario))] = True
        self.retained = ~self.forgotten
        self.retained[held_out(study, one.run, len(self.labels))] = False

    def sampled(self) -> tuple[pd.DataFrame, torch.Tensor]:
        """Return up to ``map_samples`` training samples, a row each in order, and their features (N, D).

        They are one random draw per dataset, the same for every model and scenario, so that what is made from them can
        be compared. What is held out is not among them. Columns ``index, membership, label, prediction``.
        """
        order = self.streams.numpy("map-samples").permutation(len(self.labels))
        order = order[(self.forgotten | self.retained)[order]]
        index = np.sort(order[: self.study.map_samples])
        features, logits = self.features(index)
        membership = np.where(self.forgotten[index], "forget", "retain")
        columns = {"index": index, "membership": membership, "label": self.labels[index]}
        return pd.DataFrame(columns | {"prediction": logits.argmax(1).numpy()}), features

    def features(self, index: np.ndarray | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (N, D) and logits (N, K) of training samples, all unless given, without augmentation."""
        positions = None if index is None else torch.from_numpy(index).to(self.device.device)
        batches = outputs(self.model, self.images, "train", self.device, positions)
        features, logits = (torch.cat(column).cpu() for column in zip(*batches, strict=True))
        return features, logits
