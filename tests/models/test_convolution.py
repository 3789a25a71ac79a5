import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmark.models import build, layers
from benchmark.models.layers import Convolution, Covering, Unfolded

torch.set_num_threads(1)
KERNELS = [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), (2, 2, 0), (3, 3, 2)]  # side, stride, padding
# With sizes of images that all outputs see whole.
COVERED = [(3, 1, 1, 2, 2), (3, 2, 1, 2, 1), (3, 1, 0, 3, 3), (5, 1, 2, 3, 2), (5, 3, 1, 4, 4), (1, 1, 0, 1, 1)]


@pytest.fixture
def unfolded(monkeypatch) -> list[torch.Size]:
    """The shapes of the images that were unfolded."""
    return spied(monkeypatch, Unfolded)


@pytest.fixture
def covered(monkeypatch) -> list[torch.Size]:
    """The shapes of the images that every output saw whole."""
    return spied(monkeypatch, Covering)


def spied(monkeypatch, product) -> list[torch.Size]:
    """Return a list to which each call of a product adds its images' shape."""
    seen: list[torch.Size] = []
    apply = product.apply
    monkeypatch.setattr(product, "apply", lambda images, *rest: (seen.append(images.shape), apply(images, *rest))[1])
    return seen


def random_tensor(*shape: int, dtype=torch.float64, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("product", [Unfolded, Covering])
def test_a_product_is_the_convolution_with_its_gradients(product, layout):
    for side, stride, padding, *size in COVERED if product is Covering else [(*kernel, 7, 6) for kernel in KERNELS]:
        images = random_tensor(3, 5, *size).contiguous(memory_format=layout).requires_grad_()
        weight = random_tensor(4, 5, side, side, seed=1).contiguous(memory_format=layout).requires_grad_()
        ours = product.apply(images, weight, stride, padding)
        theirs = functional.conv2d(images, weight, None, stride, padding)
        torch.testing.assert_close(ours, theirs)
        upstream = random_tensor(*theirs.shape, seed=2)
        gradients = [torch.autograd.grad(output, (images, weight), upstream) for output in (ours, theirs)]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("product", [Unfolded, Covering])
def test_only_the_requested_gradients_are_computed(product):
    images, weight = random_tensor(2, 3, 2, 2), random_tensor(4, 3, 3, 3).requires_grad_()
    product.apply(images, weight, 1, 1).sum().backward()
    assert weight.grad is not None and images.grad is None
    fixed = weight.detach()
    images.requires_grad_()
    product.apply(images, fixed, 1, 1).sum().backward()
    assert images.grad is not None and fixed.grad is None


def test_images_that_every_output_sees_whole_are_one_product_in_every_precision(covered):
    def is_product(rows, columns, dtype=torch.float32, **settings):
        before = len(covered)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            layer = Convolution(3, 4, **{"kernel_size": 3, "padding": 1} | settings)
            layer(random_tensor(2, 3, rows, columns, dtype=torch.float32))
        return len(covered) > before

    assert is_product(2, 2) and is_product(1, 2) and is_product(2, 2, torch.bfloat16)
    assert not is_product(3, 2) and not is_product(2, 3) and not is_product(2, 2, torch.float16)
    assert is_product(3, 3, padding=0) and is_product(1, 1, padding=2) and not is_product(2, 2, padding=2)
    assert is_product(2, 2, stride=2) and not is_product(2, 2, kernel_size=1, padding=0)


def test_only_small_outputs_in_bfloat16_are_products_and_none_that_is_compiled(unfolded, monkeypatch):
    def is_product(side, channels, dtype=torch.bfloat16):
        before = len(unfolded)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            Convolution(3, channels, 3, 2, padding=1)(random_tensor(2, 3, side, side, dtype=torch.float32))
        return len(unfolded) > before

    sizes = {(4, 8): True, (5, 255): False, (7, 255): False, (7, 256): True, (9, 256): False}
    assert {size: is_product(*size) for size in sizes} == sizes
    assert not is_product(4, 8, torch.float32) and not is_product(4, 8, torch.float16)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not is_product(4, 8)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("side", [2, 4])
def test_a_layer_gives_what_torchs_gives_in_bfloat16(unfolded, covered, side, bias):
    layer = Convolution(16, 32, 3, 2, padding=1, bias=bias)
    images = random_tensor(8, 16, side, side, dtype=torch.float32)
    plain = nn.Conv2d(16, 32, 3, 2, padding=1, bias=bias)
    plain.load_state_dict(layer.state_dict())
    outputs = []
    for module in (layer, plain):
        with torch.autocast("cpu", torch.bfloat16):
            outputs.append(module(images))
        outputs[-1].float().square().mean().backward()
    ours, theirs = outputs
    assert (len(unfolded), len(covered)) == ((0, 1) if side == 2 else (1, 0))
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs, rtol=2**-6, atol=2**-6)
    for weight, target in zip(layer.parameters(), plain.parameters(), strict=True):
        assert weight.grad.dtype == torch.float32
        torch.testing.assert_close(weight.grad, target.grad, rtol=2**-6, atol=2**-6 * float(target.grad.abs().max()))


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 0.02), (torch.float32, 1e-5)])
def test_only_the_last_stages_are_products(unfolded, covered, dtype, tolerance):
    in_bfloat16 = dtype is torch.bfloat16
    expected = {"resnet18": (5, 0), "resnet18-w32": (5, 0), "resnet18-w16": (0, 0)}
    expected |= {"resnet18-w16-s2": (2, 3), "vgg16": (3, 3)}
    for arch, (unfolds, covers) in expected.items():
        model = build(arch, 10, (3, 32, 32)).to(memory_format=torch.channels_last)
        images = random_tensor(4, 3, 32, 32, dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
            features, _ = model(images)
            assert (len(unfolded), len(covered)) == (unfolds * in_bfloat16, covers), arch
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(torch.compiler, "is_compiling", lambda: True)
                convolved, _ = model(images)
        assert ((features - convolved).norm() / convolved.norm()).item() < tolerance
        unfolded.clear()
        covered.clear()


def test_a_product_counts_as_many_operations_as_a_convolution(unfolded):
    layer, images = Convolution(16, 32, 3, 2, padding=1, bias=False), random_tensor(8, 16, 4, 4, dtype=torch.float32)
    counts = []
    for small in (True, False):
        with pytest.MonkeyPatch.context() as patch, FlopCounterMode(display=False) as counter:
            patch.setattr(layers, "is_small", lambda *output, small=small: small)
            with torch.autocast("cpu", torch.bfloat16):
                layer(images)
        counts.append(counter.get_total_flops())
    assert len(unfolded) == 1
    assert counts[0] == counts[1] > 0
