"""A trained model with its images and the scenario that says which of them are forgotten."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from benchmark.data.splits import forgotten
from benchmark.models import build
from benchmark.results.records import forget_rows
from benchmark.seeds import Streams
from benchmark.study.prepare import held_out, load
from benchmark.study.runs import Derived
from benchmark.study.study import Study
from benchmark.training.batches import Images, outputs
from benchmark.training.device import Device
from benchmark.training.run_files import weights_of


class TrainedModel:
    """A run's model, its dataset and the training samples that a scenario forgets; `StaleOutput` if one is missing."""

    def __init__(self, study: Study, derived: Derived):
        self.study, self.derived = study, derived
        run_name = derived.run.name
        self.device = Device.choose(study.precision, study.threads)
        self.arrays = load(study, run_name.dataset)
        self.images = Images(self.arrays, study.datasets[run_name.dataset].augmentation, self.device.device)
        self.model = build(run_name.arch, self.images.classes, self.images.image_shape)
        self.model.load_state_dict(weights_of(study, derived.run))
        self.device.place(self.model)
        self.streams = Streams(study.seed, (run_name.dataset,))
        self.labels = np.asarray(self.arrays.train_labels)
        self.forgotten = np.zeros(len(self.labels), bool)
        self.forgotten[forgotten(forget_rows(study, derived.run, derived.scenario))] = True
        self.retained = ~self.forgotten
        self.retained[held_out(study, derived.run, len(self.labels))] = False

    def sampled(self) -> tuple[pd.DataFrame, torch.Tensor]:
        """Return up to ``map_samples`` training samples, one row each in order, and their features (N, D).

        The random draw is the same for every model and scenario of a dataset, so that results can be compared.
        Held-out samples are excluded. Columns ``index, membership, label, prediction``.
        """
        order = self.streams.numpy("map-samples").permutation(len(self.labels))
        order = order[(self.forgotten | self.retained)[order]]
        index = np.sort(order[: self.study.map_samples])
        features, logits = self.features(index)
        membership = np.where(self.forgotten[index], "forget", "retain")
        columns = {"index": index, "membership": membership, "label": self.labels[index]}
        return pd.DataFrame(columns | {"prediction": logits.argmax(1).numpy()}), features

    def features(self, index: np.ndarray | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (N, D) and logits (N, K) of training samples, by default all, without augmentation."""
        positions = None if index is None else torch.from_numpy(index).to(self.device.device)
        batches = outputs(self.model, self.images, "train", self.device, positions)
        features, logits = (torch.cat(column).cpu() for column in zip(*batches, strict=True))
        return features, logits
