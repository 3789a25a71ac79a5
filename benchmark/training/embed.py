"""Features of a run's model, and their two-dimensional maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import forgotten
from benchmark.files import write_parquet
from benchmark.models import build
from benchmark.report.embeddings import maps
from benchmark.results import forget
from benchmark.seeds import Streams
from benchmark.study import Study
from benchmark.training.device import Device
from benchmark.training.evaluate import outputs
from benchmark.training.images import Images
from benchmark.training.job import weights


def embed(study: Study, name: str, scenario: str) -> None:
    """Map the penultimate features of up to ``map_samples`` training samples by t-SNE and by UMAP (Figures 1, 3, 11).

    The samples are one random draw per dataset, the same for every model and scenario, so that maps can be compared.

    Raises
    ------
    StaleOutput
        If the run, its weights, the dataset or the split is missing or damaged.
    """
    run = study.run(name)
    device = Device.choose(study.precision, study.threads)
    arrays = store.load(study.dataset_folder(run.name.dataset))
    images = Images(arrays, study.datasets[run.name.dataset].augmentation, device.device)
    model = build(run.name.arch, images.classes, images.image_shape)
    model.load_state_dict(weights(study, run))
    device.place(model)
    total = len(arrays.train_labels)
    streams = Streams(study.seed, (run.name.dataset,))
    index = np.sort(streams.numpy("map-samples").permutation(total)[: study.map_samples])
    found = outputs(model, images, "train", device, torch.from_numpy(index).to(device.device))
    features, logits = (torch.cat(column).cpu() for column in zip(*found, strict=True))
    gone = np.isin(index, forgotten(forget(study, run, scenario)))
    frame = pd.DataFrame(
        {
            "index": index,
            "membership": np.where(gone, "forget", "retain"),
            "label": arrays.train_labels[index],
            "prediction": logits.argmax(1).numpy(),
        }
    )
    mapped = maps(features.numpy(), seed=streams.integer("map") % 2**31, threads=study.threads)
    write_parquet(paths.embedding(study.name, study.embedding_name(run, scenario)), pd.concat([frame, mapped], axis=1))
