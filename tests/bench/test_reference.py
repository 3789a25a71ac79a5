"""The benchmark agrees with the plain reference, on the same images in float32."""

import multiprocessing

import numpy as np
import pytest
import torch
from torch import nn

from bench import work
from benchmark.models.layers import Dropout
from benchmark.training.batches import Images
from benchmark.training.device import Device

CPU = Device(torch.device("cpu"), "float32")
BATCH = 8


@pytest.fixture(scope="module")
def plain():
    """The plain reference; it imports torchvision, which only the worker that needs it should pay for."""
    from bench import reference

    return reference


@pytest.fixture(scope="module")
def training():
    from bench import training

    return training


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return work.arrays(train=5 * BATCH, test=12)


@pytest.mark.parametrize("method", ["ft", "coun"])
def test_a_training_step_moves_the_weights_as_the_reference_does(method, data, plain):
    settings = {"lambda": 0.7, "tau": 0.2} if method == "coun" else {}
    trainer = work.trainer(method, "convnet", data, CPU, BATCH, forget=BATCH, **settings)
    views, load = [], trainer.context.load
    trainer.context.load = lambda part, generator: views.append(load(part, generator)) or views[-1]
    batch = trainer.method.batches(0)[0]
    model = work.model("convnet", data)
    before = [weight.clone() for weight in model.parameters()]
    trainer.train_step(batch, progress=0.0)
    inputs = [*(view.contiguous() for view in views), batch["retain"].label]
    getattr(plain, method)(model, plain.optimiser(model), *settings.values(), *inputs)
    for (name, ours), theirs in zip(trainer.model.state_dict().items(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs, rtol=1e-4, atol=1e-6, msg=name)
    assert all((weight != old).any() for weight, old in zip(model.parameters(), before, strict=True))


def test_evaluation_gives_the_same_predictions_and_losses(data, training):
    frame = training.evaluation("convnet", CPU, data, threads=1)()
    theirs = training.plain_evaluation("convnet", CPU, data, threads=1)()
    for split, (prediction, loss) in zip(("train", "test"), theirs, strict=True):
        samples = frame[frame["split"] == split]
        np.testing.assert_array_equal(samples["prediction"], prediction)
        np.testing.assert_allclose(samples["loss"], loss, rtol=1e-4, atol=1e-5)


def test_the_reference_replaces_every_dropout_of_a_model(plain):
    model = nn.Sequential(Dropout(0.2), nn.Sequential(nn.Linear(2, 2), Dropout(0.3)))
    plain.use_torchs_dropout(model)
    dropouts = [(type(part), part.p) for part in model.modules() if isinstance(part, nn.Dropout)]
    assert dropouts == [(nn.Dropout, 0.2), (nn.Dropout, 0.3)]


@pytest.fixture
def pictures(data, plain):
    return plain.Pictures(*data.split("train"), plain.transform("N", work.AUGMENTATION, 32))


def test_normalisation_is_that_of_torchvision(data, pictures):
    ours = next(Images(data, work.AUGMENTATION, CPU.device).plain("train"))[:4]
    torch.testing.assert_close(ours.contiguous(), torch.stack([pictures[n][0] for n in range(4)]), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than this machine has cores
def test_a_loader_has_a_few_workers_at_most_and_evaluation_starts_them_once(data, pictures, plain, training):
    assert plain.loader(pictures, BATCH, workers=64).num_workers == plain.WORKERS
    evaluate = training.plain_evaluation("convnet", CPU, data, threads=1)
    workers = []
    for _ in range(2):
        evaluate()
        workers.append({child.pid for child in multiprocessing.active_children()})
    assert workers[0] and workers[0] == workers[1]


def test_float32_is_not_tf32_in_the_plain_reference(data, training, monkeypatch):
    for make, *arguments in (
        (training.plain_step, "ft", "convnet", CPU, 4, 1),
        (training.plain_evaluation, "convnet", CPU, data, 1),
    ):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # torch's default
        make(*arguments)
        assert torch.backends.cudnn.allow_tf32 is False
