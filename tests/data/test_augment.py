import pytest
import torch

from benchmark.data import augment, colour
from benchmark.data.augment import Transform
from benchmark.errors import BadInput
from benchmark.settings import Augmentation

torch.set_num_threads(1)
NAMES = ["CHN", "CN", "CH", "C", "H", "N", "CHJN", "CHJGN", "CHGN"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def reference():
    """torchvision's functions. Their import takes a second, so only the worker that needs them does it."""
    from torchvision.transforms import functional

    return functional


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randint(0, 256, (70, 12, 10, 3), dtype=torch.uint8, generator=seeded(9))


@pytest.mark.parametrize("name", NAMES)
def test_every_transform_keeps_the_contract(name, batch, monkeypatch):
    transform = Transform(name, Augmentation())
    before, state = batch.clone(), torch.get_rng_state()
    first = transform(batch, seeded())
    assert torch.equal(state, torch.get_rng_state())  # only the given generator is drawn from
    assert first.dtype == torch.float32 and first.shape == (70, 3, 12, 10)
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, before)
    assert torch.equal(first, transform(batch, seeded()))
    share_alike = (first == transform(batch, seeded(1))).flatten(1).all(1).float().mean()
    assert share_alike == 1 if name == "N" else share_alike < 0.7  # of 70 images, half are flipped alike
    # Working in parts gives what working on all images at once gives, as on a GPU.
    assert torch.equal(first, transform.apply(batch, transform.draw(batch, seeded())))
    monkeypatch.setattr(augment, "CACHED", 32 * 12 * 10)
    assert torch.equal(first, transform(batch, seeded()))
    for count in (0, 1):
        view = transform(batch[:count], seeded())
        assert view.shape == (count, 3, 12, 10) and not view.isnan().any()


def test_greyscale_images_are_augmented_and_crop_and_flip_can_be_off():
    batch = torch.randint(0, 256, (8, 8, 8, 1), dtype=torch.uint8, generator=seeded())
    grey = Augmentation(padding=1, mean=[0.3], std=[0.2])
    without = grey.model_copy(update={"padding": 0, "flip": False})
    view = Transform("CHN", grey)(batch, seeded())
    assert view.shape == (8, 1, 8, 8) and view.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(Transform("CHN", without)(batch, seeded()), Transform("N", without)(batch))
    for name in ("CHJN", "CHGN"):
        with pytest.raises(BadInput, match="needs colour images"):
            Transform(name, grey)(batch, seeded())
    with pytest.raises(BadInput, match=r"augmentation\.mean has 3 number"):
        Transform("N", Augmentation())(batch)


def test_unknown_names_and_random_transforms_without_a_generator_are_refused(batch):
    for name in ("", "HC", "CHX", "chn", "CCN"):
        with pytest.raises(BadInput, match="in this order"):
            Transform(name, Augmentation())
    with pytest.raises(ValueError, match="generator"):
        Transform("CHN", Augmentation())(batch)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_colour_agrees_with_torchvision(name, reference):
    ours, theirs = getattr(colour, name), getattr(reference, f"adjust_{name}")
    factors = [-0.2, -0.05, 0.0, 0.2] if name == "hue" else [0.2, 0.7, 1.0, 1.8]
    images = torch.rand(len(factors), 3, 16, 16, generator=seeded())
    images[:, :, 0] = torch.tensor([[0.0, 1.0, 0.5, 0.25]]).repeat(1, 4)  # greys: no hue
    images[:, 1, 1] = images[:, 0, 1]  # two equal channels
    adjusted = ours(images, torch.tensor(factors))
    expected = torch.stack([theirs(image, factor) for image, factor in zip(images, factors, strict=True)])
    torch.testing.assert_close(adjusted, expected, rtol=0, atol=0.1 / 255)
    torch.testing.assert_close(colour.grey(images), reference.rgb_to_grayscale(images))


@pytest.mark.parametrize("name", NAMES)
def test_every_transform_agrees_with_torchvision_image_by_image(name, batch, reference, monkeypatch):
    # More images than one part holds, and no whole number of parts.
    monkeypatch.setattr(augment, "CACHED", 32 * 12 * 10)
    settings, generator, count = Augmentation(), seeded(5), len(batch)
    view = Transform(name, settings)(batch, seeded(5))
    flips, greys, chances = torch.zeros(count), torch.zeros(count), torch.ones(count)
    down, right = torch.full((2, count, 1), 4)
    if "H" in name:
        flips = torch.rand(count, 1, generator=generator) < 0.5
    if "C" in name:
        down, right = torch.randint(0, 9, (2, count, 1), generator=generator)
    if "J" in name:
        chances, *spreads = torch.rand(5, count, generator=generator)
        order = torch.randperm(4, generator=generator).tolist()
    if "G" in name:
        greys = torch.rand(count, generator=generator) < 0.2
    adjust = [
        lambda image, spread: reference.adjust_brightness(image, 1 + 0.8 * spread),
        lambda image, spread: reference.adjust_contrast(image, 1 + 0.8 * spread),
        lambda image, spread: reference.adjust_saturation(image, 1 + 0.8 * spread),
        lambda image, spread: reference.adjust_hue(image, 0.2 * spread),
    ]
    for number, image in enumerate(batch.permute(0, 3, 1, 2) / 255):
        image = reference.crop(reference.pad(image, 4), int(down[number]), int(right[number]), 12, 10)
        image = reference.hflip(image) if flips[number] else image
        for operation in order if chances[number] < 0.8 else []:
            image = adjust[operation](image, 2 * float(spreads[operation][number]) - 1)
        image = reference.rgb_to_grayscale(image, 3) if greys[number] else image
        image = reference.normalize(image, settings.mean, settings.std) if "N" in name else image
        atol = 0.1 / 255 / min(settings.std) if {*"JG"} & {*name} else 1e-6
        torch.testing.assert_close(view[number], image, rtol=1e-5, atol=atol)
    for letter, applied in (("H", flips), ("J", chances < 0.8), ("G", greys)):
        assert letter not in name or 0 < applied.sum() < count
