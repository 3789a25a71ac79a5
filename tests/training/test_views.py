from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmark import paths
from benchmark.errors import DamagedFile
from benchmark.features.embed import class_distances, embed, sample_maps
from benchmark.features.projections import COORDINATES
from benchmark.features.trained_model import TrainedModel
from benchmark.features.views import nearest_views, view_distances, views_of
from benchmark.files import read_record, write_record
from benchmark.metrics.theory import GROUPS, theorem1
from benchmark.results.records import derived
from benchmark.seeds import Streams
from benchmark.study.prepare import held_out, split
from tests.pool import run_folder

CPU = torch.device("cpu")
FAR = {"kind": "distances", "cells": ["digits/convnet/random-10"], "methods": ["original"], "classes": ["8", "1"]}

COLUMNS = ["index", "membership", "label", "prediction", "max_distance", "mean_distance", "lipschitz", "reach"]
COLUMNS += ["nearest", "centre_square", "centre_product"]


class Direction(nn.Module):
    """A model whose features and logits are the image itself, of two pixels."""

    def forward(self, images):
        return images.flatten(1), images.flatten(1)


def hand_made(angles, label, forgotten, turns) -> SimpleNamespace:
    """Return a model of images that are points on the unit circle; view k of one turns it by ``turns[k]``."""
    angles, label, forgotten = np.asarray(angles, float), np.asarray(label), np.asarray(forgotten)
    remaining = {number: iter([*turns, 0.0]) for number in np.unique(label)}

    def on_circle(angle):
        return torch.tensor(np.stack([np.cos(angle), np.sin(angle)], 1), dtype=torch.float32)

    def load(part, generator):
        index = part.index.numpy()
        return on_circle(angles[index] + next(remaining[label[index[0]]]))[:, :, None, None]

    columns = {"index": np.arange(len(angles)), "membership": np.where(forgotten, "forget", "retain"), "label": label}
    columns["prediction"] = on_circle(angles).argmax(1).numpy()
    return SimpleNamespace(
        study=SimpleNamespace(view_pairs=len(turns) // 2),
        device=SimpleNamespace(device=CPU, autocast=nullcontext),
        streams=Streams(0, ("hand-made",)),
        images=SimpleNamespace(load=load),
        model=Direction(),
        sampled=lambda: (pd.DataFrame(columns), on_circle(angles)),
    )


def trained_model(study, name, scenario="random-10") -> TrainedModel:
    return TrainedModel(study, study.derive("views", study.run(name), scenario))


def test_known_turns_have_known_distances_and_identical_views_none() -> None:
    """Views turned by 0.3 and -0.2 beside the image itself: the farthest two are a chord of 0.5 apart."""
    frame = view_distances(hand_made([0.0, 0.1, 1.5, 1.6], [0, 0, 1, 1], [False] * 4, [0.3, -0.2]))
    chord = [2 * np.sin(turn / 2) for turn in (0.5, 0.3, 0.2)]
    np.testing.assert_allclose(frame["max_distance"], chord[0], rtol=1e-5)
    np.testing.assert_allclose(frame["mean_distance"], np.mean(chord), rtol=1e-5)
    np.testing.assert_allclose(frame["lipschitz"], 1.0, rtol=1e-4)  # features are the images
    # The nearest views of two that are 0.1 apart: turned by 0 and -0.2, or by 0.3 and 0.3.
    np.testing.assert_allclose(sorted(frame["reach"]), [0, 0, 2 * np.sin(0.05), 2 * np.sin(0.05)], rtol=1e-4)
    frame = view_distances(hand_made([0.0, 0.1, 1.5, 1.6], [0, 0, 1, 1], [False] * 4, [0.0, 0.0]))
    assert frame["max_distance"].max() < 1e-5 and frame["mean_distance"].max() < 1e-5
    assert frame["lipschitz"].max() > 0  # of different samples


def test_centres_are_those_of_the_views_in_the_samples_own_group() -> None:
    """Retained: classes at 0 and at a right angle. Forgotten: one class, turned by 0.4, with no other to compare."""
    frame = view_distances(hand_made([0.0, np.pi / 2, 1.0], [0, 1, 1], [False, False, True], [0.4, 0.0]))
    inner = np.cos(0.2)  # the mean of two unit vectors 0.4 apart is this long
    np.testing.assert_allclose(frame["centre_square"], inner**2, rtol=1e-5)
    assert frame["centre_product"].tolist()[:2] == pytest.approx([0, 0], abs=1e-6)
    assert np.isnan(frame["centre_product"][2])
    assert frame["nearest"].tolist() == [0, 1, 1] and frame["nearest"].dtype == "int64"


def test_augmented_distance_is_over_all_pairs_of_views_and_symmetric() -> None:
    torch.manual_seed(0)
    images, features = torch.randn(3, 6, 40), torch.nn.functional.normalize(torch.randn(3, 6, 5), dim=2)
    distance, ratio = nearest_views(images, features)
    for sample in range(6):
        ratios = []
        for other in set(range(6)) - {sample}:
            distances = torch.linalg.norm(images[:, None, sample] - images[None, :, other], dim=2)
            feature_distances = torch.linalg.norm(features[:, None, sample] - features[None, :, other], dim=2)
            assert distance[sample, other] == pytest.approx(float(distances.min()), rel=1e-4)
            ratios.append(float((feature_distances / distances).flatten()[distances.argmin()]))
        assert ratio[sample] == pytest.approx(max(ratios), rel=1e-4)


def test_the_theorem_is_not_contradicted_by_samples_and_views() -> None:
    """Huang's proof holds for finitely many samples and views: where it bounds the error, the error is no larger."""
    bounded = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        label = np.repeat([0, 1], 30)
        spread = 10 ** rng.uniform(-5, -1)
        angles = label * np.pi / 2 + rng.normal(0, spread, 60)
        angles[:1] += rng.choice([0, np.pi / 2])  # perhaps one that looks like the other class
        frame = view_distances(hand_made(angles, label, [False] * 60, rng.normal(0, spread, 4)))
        theorem = theorem1(frame)
        if not theorem.vacuous:
            bounded += 1
            assert (frame["nearest"] != frame["label"]).mean() <= theorem.bound + 1e-12
    assert bounded >= 10


def test_every_model_and_scenario_sees_the_same_views(project) -> None:
    study = project.study({"figures": {"r": {"kind": "theory", "cells": [project.cell], "methods": ["ft"]}}})
    project.run(study, project.name("ft"))
    index = np.array([3, 4, 9])
    first, of_first = views_of(trained_model(study, project.original, "class-8"), index, 7)
    second, of_second = views_of(trained_model(study, project.name("ft")), index, 7)
    assert first.shape == (17, 3, 64) and torch.equal(first, second)
    assert not torch.equal(of_first, of_second)
    assert len(torch.unique(first[:, 0], dim=0)) > 4  # of the nine crops
    other, _ = views_of(trained_model(study, project.original), index, 6)
    assert not torch.equal(first[:-1], other[:-1]) and torch.equal(first[-1], other[-1])


def test_distances_are_from_each_forgotten_sample_to_the_mean_of_the_retained_ones_of_each_class(project) -> None:
    study = project.study({"hold_out": 20, "tables": {"far": FAR}})
    split(study, "digits", "random-10", 0)
    project.run(study, project.original)
    trained = TrainedModel(study, study.derive("distances", study.run(project.original), "random-10"))
    features, (train,) = trained.features()[0].double().numpy(), trained.forgotten.nonzero()
    held = held_out(study, trained.derived.run, 160)
    retained = np.setdiff1d(np.arange(160), [*train, *held])
    frame = class_distances(trained).set_index(["label", "centroid"])
    assert len(frame) == 10 * len(np.unique(trained.labels[train])) and not {*train} & {*held}
    for (label, centroid), row in frame.iterrows():
        forgotten = features[train[trained.labels[train] == label]]
        mean = features[retained[trained.labels[retained] == centroid]].mean(0)
        assert row["samples"] == len(forgotten)
        assert row["distance"] == pytest.approx(np.linalg.norm(forgotten - mean, axis=1).mean(), rel=1e-9)


def test_features_that_are_no_numbers_have_no_position_on_a_map(project, monkeypatch) -> None:
    study = project.study()
    trained = trained_model(study, project.original, "class-8")
    sampled, features = trained.sampled()
    monkeypatch.setattr(trained, "sampled", lambda: (sampled, features.fill_(torch.nan)))
    frame = sample_maps(trained)
    assert frame[COORDINATES].isna().all(axis=None) and frame["prediction"].notna().all()


def test_a_file_of_other_weights_than_the_run_has_now_is_damaged(project) -> None:
    study = project.study()
    path = embed(study, "distances", project.original, "class-8")
    file = study.derive("distances", study.run(project.original), "class-8")
    assert len(derived(file)) == 9
    record_file = run_folder(study, project.original) / paths.RUN
    record = read_record(record_file)
    record["sha256"][paths.MODEL] = "0" * 64
    write_record(record_file, record)
    with pytest.raises(DamagedFile, match=f"{path} is damaged: it was made from other weights than"):
        derived(file)
    record_file.unlink()  # a checkout may hold derived files without their runs
    assert len(derived(file)) == 9


def test_the_file_opens_in_plain_pandas(project) -> None:
    study = project.study({"view_pairs": 2, "map_samples": 100})
    frame = pd.read_parquet(embed(study, "views", project.original, "class-8"))
    repeated = view_distances(trained_model(study, project.original, "class-8"))
    pd.testing.assert_frame_equal(frame, repeated, check_dtype=False)  # the same model gives the same numbers
    assert list(frame) == COLUMNS and len(frame) == 100
    assert len(list(paths.RESULTS.glob("views/digits/convnet/class-8/original/trial-0-*.parquet"))) == 1
    assert (frame["membership"] == "forget").equals(frame["label"] == 8)
    assert (frame["max_distance"] >= frame["mean_distance"]).all() and frame["max_distance"].between(0, 2).all()
    retained, forgotten = (frame[frame["membership"] == group] for group in GROUPS)
    assert retained.notna().all(axis=None) and forgotten["centre_product"].isna().all()
    assert (frame.groupby(["membership", "label"])["reach"].min() == 0).all()
    assert (retained["centre_product"] <= retained["centre_square"].max()).all()
