import subprocess
import sys

import pytest
import torch
from torch import nn
from vit_pytorch import vit_for_small_dataset

from benchmark.errors import BadInput
from benchmark.models import build, forward_flops
from benchmark.models.classifier import Classifier
from benchmark.models.layers import Convolution, Dropout
from benchmark.registry import ARCHITECTURES

torch.set_num_threads(1)
SHAPE = (3, 32, 32)
VIT = {"image_size": 32, "patch_size": 4, "dim": 512, "depth": 6, "heads": 12, "dim_head": 64, "mlp_dim": 1024}


def built(arch: str, shape=SHAPE, classes: int = 10) -> Classifier:
    torch.manual_seed(0)
    return build(arch, classes, shape)


def library(arch: str) -> nn.Module:
    """Return the library's own model, with weights of another seed."""
    import torchvision

    torch.manual_seed(1)
    if arch == "vit":
        return vit_for_small_dataset.ViT(num_classes=10, dropout=0.1, emb_dropout=0.1, **VIT)
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return model


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def arch(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(arch) -> Classifier:
    return built(arch).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_are_those_of_features_through_a_head_in_float32(model, images, precision):
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        features, logits = model(images)
    assert features.shape == (2, model.head.in_features) and logits.shape == (2, 10)
    assert features.dtype == logits.dtype == torch.float32 and features.std() > 0
    torch.testing.assert_close(logits, features @ model.head.weight.T + model.head.bias)


def test_the_head_comes_last_the_negated_weights_first_and_one_seed_gives_one_model(model, arch):
    names = [name for name, _ in model.named_parameters()]
    assert names[-2:] == ["head.weight", "head.bias"]
    assert model.negated[0] == names[0] and set(model.negated) <= set(names)
    repeated = built(arch).state_dict()
    assert all(torch.equal(value, repeated[name]) for name, value in model.state_dict().items())
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Dropout)]
    assert arch == "convnet" or {type(layer) for layer in layers} == {Dropout if arch == "vit" else Convolution}


@pytest.mark.parametrize("arch", ["resnet18", "resnet18-w16", "vgg16", "vgg16-bn"])
def test_weights_come_from_the_seed_in_an_order_that_results_depend_on(arch):
    """First every layer of the body as torch draws it, then again as He et al. do, then the head."""
    model = built(arch)
    weights = [weight.clone() for weight in model.parameters()]
    *layers, head = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    torch.manual_seed(0)
    for layer in layers:
        layer.reset_parameters()
    for layer in layers:
        mode = "fan_in" if isinstance(layer, nn.Linear) else "fan_out"
        nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    head.reset_parameters()
    assert all(torch.equal(*pair) for pair in zip(weights, model.parameters(), strict=True))


def test_every_parameter_learns_from_larger_grey_images_and_counting_draws_no_number(arch):
    model = built(arch, (1, 40, 40))
    state = torch.get_rng_state()
    assert forward_flops(arch, 7, SHAPE) > 0
    assert torch.equal(state, torch.get_rng_state())
    _, logits = model(torch.randn(2, 1, 40, 40))
    assert logits.shape == (2, 10)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_unknown_architectures_and_image_sizes_are_refused():
    for arch, side, message in (
        ("resnet81", 32, "unknown architecture 'resnet81'; did you mean 'resnet18'"),
        ("vgg16", 16, "VGG-16: images of 16x16 pixels: accepted are sides of 32 pixels or more$"),
        ("vit", 30, "ViT: images of 30x30 pixels: accepted are sides of 4 pixels or more that 4 divides"),
    ):
        with pytest.raises(BadInput, match=message):
            build(arch, 10, (3, side, side))


def test_the_seed_gives_the_vit_librarys_weights_and_not_negates_those_of_the_paper():
    model = built("vit")
    torch.manual_seed(0)
    theirs = vit_for_small_dataset.ViT(num_classes=10, **VIT)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), theirs.parameters(), strict=True))
    names = [name for name, _ in model.named_parameters()]
    assert model.negated == (names[0], names[4])
    assert model.negated[0].endswith("pos_embedding")
    assert dict(model.named_parameters())[names[4]].shape == (512, 4 * 4 * 5 * 3)  # five shifted images of RGB patches


def test_forward_flops_are_the_papers_and_those_counted_by_hand():
    costs = {"resnet18": 1110.8, "vgg16": 632.9, "vgg16-w16": 40.3, "vit": 2138.4}
    for arch, mflops in costs.items():
        classes = 10 if arch == "resnet18" else 100
        assert forward_flops(arch, classes, SHAPE) / 1e6 == pytest.approx(mflops, abs=0.05)
    sizes = [(3, 32, 32 * 32), (32, 64, 16 * 16), (64, 64, 16 * 16)]
    by_hand = sum(2 * 9 * before * after * pixels for before, after, pixels in sizes) + 2 * 64 * 10
    assert forward_flops("convnet", 10, SHAPE) == by_hand
    # Four times the pixels cost four times as much, except for the head.
    small, large = (forward_flops("resnet18", 10, (3, side, side)) - 2 * 512 * 10 for side in (32, 64))
    assert large == 4 * small


@pytest.mark.parametrize(
    ("arch", "prefixes"),
    [
        ("resnet18", {"fc.": "head.", "": "body."}),
        ("vit", {"mlp_head.0.": "body.mlp_head.", "mlp_head.1.": "head.", "": "body."}),
    ],
)
def test_logits_and_gradients_are_the_librarys_to_the_last_bit(arch, prefixes, images):
    ours, theirs = built(arch), library(arch)
    shares = [sorted(part.p for part in model.modules() if isinstance(part, nn.Dropout)) for model in (ours, theirs)]
    assert shares[0] == shares[1]
    weights = {}
    for name, value in theirs.state_dict().items():
        prefix = next(prefix for prefix in prefixes if name.startswith(prefix))
        weights[prefixes[prefix] + name.removeprefix(prefix)] = value
    ours.load_state_dict(weights)  # strict: the same names and shapes
    for module in [*ours.modules(), *theirs.modules()]:
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # each draws its own numbers
    outcomes = []
    for model in (ours, theirs):
        logits = model.train()(images)
        logits = logits[1] if model is ours else logits
        logits.square().sum().backward()
        outcomes.append([logits, *(parameter.grad for parameter in model.parameters())])
    assert all(torch.equal(*pair) for pair in zip(*outcomes, strict=True))
    with torch.no_grad():
        assert torch.equal(ours.eval()(images)[1], theirs.eval()(images))


def test_a_resnets_name_decides_its_width_and_stride():
    models = [built(arch) for arch in ("resnet18", "resnet18-w32", "resnet18-w16", "resnet18-w16-s2")]
    assert [model.head.in_features for model in models] == [512, 256, 128, 128]
    assert [model.body.conv1.stride for model in models] == [(1, 1), (1, 1), (1, 1), (2, 2)]


@pytest.mark.parametrize("arch", ["vgg16", "vgg16-bn"])
def test_the_convolutions_of_vgg_are_torchvisions(arch, images):
    ours = built(arch).body[0]
    import torchvision

    theirs = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"], batch_norm=arch.endswith("bn"))
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)  # the last three are products


IMPORTS = """
import sys
import benchmark.data.store, benchmark.models
print(*sys.modules)
from benchmark.metrics import arithmetic, gaps, mia, reported, samples, theory, verdicts
print(*sys.modules)
benchmark.models.build("convnet", 10, (3, 32, 32))
print(*sys.modules)
"""


def test_data_models_and_metrics_import_no_needless_library():
    ended = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    needless = ["torch torchvision sklearn pyarrow PIL", "torch sklearn", "torchvision vit_pytorch torch._dynamo"]
    for loaded, heavy in zip(ended.stdout.splitlines(), needless, strict=True):
        assert set(heavy.split()).isdisjoint(loaded.split())
