import subprocess
import sys

import pytest
import torch
import torchvision
from torch import nn
from vit_pytorch import vit_for_small_dataset

from benchmark.errors import BadInput
from benchmark.models import build, forward_flops
from benchmark.models.classifier import Classifier
from benchmark.registry import ARCHITECTURES

torch.set_num_threads(1)
SHAPE = (3, 32, 32)


def made(arch: str, shape=SHAPE, classes: int = 10) -> Classifier:
    torch.manual_seed(0)
    return build(arch, classes, shape)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def arch(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(arch) -> Classifier:
    return made(arch).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_features_through_the_head_are_the_logits(model, images):
    features, logits = model(images)
    assert features.shape == (2, model.head.in_features) and logits.shape == (2, 10)
    torch.testing.assert_close(logits, features @ model.head.weight.T + model.head.bias)
    assert features.std() > 0


@torch.no_grad()
def test_head_is_float32_under_autocast(model, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features, logits = model(images)
    assert features.dtype == logits.dtype == torch.float32
    torch.testing.assert_close(logits, features @ model.head.weight.T + model.head.bias)


def test_what_not_negates_exists_and_is_the_first_parameter(model):
    names = [name for name, _ in model.named_parameters()]
    assert model.negated[0] == names[0]
    assert set(model.negated) <= set(names)


def test_the_head_comes_last(model):
    assert [name for name, _ in model.named_parameters()][-2:] == ["head.weight", "head.bias"]


def test_one_seed_gives_one_model(arch, model):
    again = made(arch).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())


def test_every_parameter_learns(arch, images):
    model = made(arch)
    _, logits = model(images)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


@torch.no_grad()
def test_greyscale_and_larger_images(arch):
    _, logits = made(arch, (1, 64, 64)).eval()(torch.zeros(1, 1, 64, 64))
    assert logits.shape == (1, 10) and torch.isfinite(logits).all()


def test_counting_leaves_the_random_stream_alone(arch):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert forward_flops(arch, 7, SHAPE) > 0
    assert torch.equal(state, torch.get_rng_state())


def test_unknown_architecture_is_refused():
    with pytest.raises(BadInput, match="unknown architecture 'resnet81'; did you mean 'resnet18'"):
        build("resnet81", 10, SHAPE)


@pytest.mark.parametrize(("arch", "shape"), [("vgg16", (3, 16, 16)), ("vit", (3, 30, 30))])
def test_images_that_do_not_fit_are_refused(arch, shape):
    with pytest.raises(BadInput, match="accepted are"):
        build(arch, 10, shape)


def test_vit_negates_the_parameters_of_the_paper():
    model = made("vit")
    names = [name for name, _ in model.named_parameters()]
    assert model.negated == (names[0], names[4])
    assert model.negated[0].endswith("pos_embedding")
    assert dict(model.named_parameters())[names[4]].shape == (512, 4 * 4 * 5 * 3)  # five shifted images of RGB patches


@pytest.mark.parametrize(
    ("arch", "classes", "mflops"), [("resnet18", 10, 1110.8), ("vgg16", 100, 632.9), ("vit", 100, 2138.4)]
)
def test_forward_flops_are_the_papers(arch, classes, mflops):
    assert forward_flops(arch, classes, SHAPE) / 1e6 == pytest.approx(mflops, abs=0.05)


def test_vgg_meets_the_printed_cost_within_its_rounding():
    # The rounding of the printed PFLOPs leaves 633.1 to 633.3 MFLOPs; ReLU counts one operation a value.
    model, counted = made("vgg16").eval(), 0

    def count(_module, _inputs, output):
        nonlocal counted
        counted += output.numel()

    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, *SHAPE))
    assert 633.12 < (forward_flops("vgg16", 100, SHAPE) + counted) / 1e6 < 633.30


def test_four_times_the_pixels_cost_four_times_as_much():
    head = 2 * 512 * 10
    small, large = (forward_flops("resnet18", 10, (3, side, side)) - head for side in (32, 64))
    assert large == 4 * small


def test_flops_of_the_small_network_by_hand():
    sizes = [(3, 32, 32 * 32), (32, 64, 16 * 16), (64, 64, 16 * 16)]
    expected = sum(2 * 9 * before * after * pixels for before, after, pixels in sizes) + 2 * 64 * 10
    assert forward_flops("convnet", 10, SHAPE) == expected


def hold_alike(ours: Classifier, theirs: nn.Module, prefixes: dict[str, str], images: torch.Tensor) -> None:
    """Hold a model to a library's: the same parameters by name, the same logits and gradients to the last bit."""
    weights = {}
    for name, value in theirs.state_dict().items():
        prefix = next(prefix for prefix in prefixes if name.startswith(prefix))
        weights[prefixes[prefix] + name.removeprefix(prefix)] = value
    ours.load_state_dict(weights)  # strict: the same names and shapes
    for module in [*ours.modules(), *theirs.modules()]:
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # each draws its own numbers
    found = []
    for model in (ours, theirs):
        logits = model.train()(images)
        logits = logits[1] if model is ours else logits
        logits.square().sum().backward()
        found.append([logits, *(parameter.grad for parameter in model.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    with torch.no_grad():
        assert torch.equal(ours.eval()(images)[1], theirs.eval()(images))


def test_resnet18_is_torchvisions_apart_from_the_stem(images):
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    theirs.maxpool = nn.Identity()
    hold_alike(made("resnet18"), theirs, {"fc.": "head.", "": "body."}, images)


def test_widths_and_strides_of_the_slim_resnets():
    assert made("resnet18-w16").head.in_features == 128
    strides = [made(arch).body.conv1.stride for arch in ("resnet18", "resnet18-w16", "resnet18-w16-s2")]
    assert strides == [(1, 1), (1, 1), (2, 2)]


@pytest.mark.parametrize("arch", ["vgg16", "vgg16-bn"])
def test_the_convolutions_of_vgg_are_torchvisions(arch, images):
    ours = made(arch).body[0]
    theirs = getattr(torchvision.models, arch.replace("-", "_"))().features
    ours.load_state_dict(theirs.state_dict())
    assert all(isinstance(mine, type(other)) for mine, other in zip(ours, theirs, strict=True))
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_vit_is_that_of_vit_pytorch(images):
    torch.manual_seed(1)
    sizes = {"image_size": 32, "patch_size": 4, "dim": 512, "depth": 6, "heads": 12, "dim_head": 64, "mlp_dim": 1024}
    theirs = vit_for_small_dataset.ViT(num_classes=10, dropout=0.1, emb_dropout=0.1, **sizes)
    ours = made("vit")
    shares = [sorted(part.p for part in model.modules() if isinstance(part, nn.Dropout)) for model in (ours, theirs)]
    assert shares[0] == shares[1]
    hold_alike(ours, theirs, {"mlp_head.0.": "body.mlp_head.", "mlp_head.1.": "head.", "": "body."}, images)


@pytest.mark.parametrize("arch", list(ARCHITECTURES))
def test_a_model_imports_no_library_of_models(arch):
    code = f"from benchmark.models import build; build({arch!r}, 10, (3, 32, 32)); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torchvision", "vit_pytorch", "torch._dynamo"} & set(loaded)
