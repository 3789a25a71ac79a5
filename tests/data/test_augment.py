import numpy as np
import pytest
import torch
from torchvision.transforms import functional as reference

from benchmark.data import augment, colour
from benchmark.data.augment import Transform
from benchmark.errors import BadInput
from benchmark.settings import Augmentation

torch.set_num_threads(1)
PLAIN = Augmentation(padding=4, mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 1.0])
NAMES = ["CHN", "CN", "CH", "C", "H", "N", "CHJN", "CHJGN", "CHGN"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randint(0, 256, (70, 12, 10, 3), dtype=torch.uint8, generator=seeded(9))


@pytest.mark.parametrize("name", NAMES)
def test_contract_of_every_transform(name, batch):
    transform = Transform(name, Augmentation())
    before, state = batch.clone(), torch.get_rng_state()
    first = transform(batch, seeded())
    assert torch.equal(state, torch.get_rng_state())  # nothing but the generator is drawn from
    assert first.dtype == torch.float32 and first.shape == (70, 3, 12, 10)
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, before)
    assert torch.equal(first, transform(batch, seeded()))
    same = (first == transform(batch, seeded(1))).flatten(1).all(1).float().mean()
    assert same == 1 if name == "N" else same < 0.7  # of 70 images, half are flipped alike


def test_normalise_is_the_formula(batch):
    chosen = Augmentation()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (chosen.mean, chosen.std))
    expected = (batch.permute(0, 3, 1, 2) / 255 - mean) / std
    torch.testing.assert_close(Transform("N", chosen)(batch), expected, rtol=1e-5, atol=1e-6)
    view = Transform("CH", chosen)(batch, seeded())  # not normalised
    assert view.min() == 0 and view.max() == 1
    mapped = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    plain = (torch.tensor(mapped) / 255).permute(0, 3, 1, 2)
    torch.testing.assert_close(Transform("N", PLAIN)(torch.from_numpy(mapped)), plain)


def test_every_crop_is_a_slice_of_the_padded_image(batch):
    view = (Transform("C", PLAIN)(batch, seeded()) * 255).round().to(torch.uint8)
    padded = torch.nn.functional.pad(batch.permute(0, 3, 1, 2), (4, 4, 4, 4))
    crops = padded.unfold(2, 12, 1).unfold(3, 10, 1)  # (70, 3, 9, 9, 12, 10)
    number, y, x = (crops == view[:, :, None, None]).all(5).all(4).all(1).nonzero().T
    assert number.tolist() == list(range(70))  # one place each
    assert len(set(zip(y.tolist(), x.tolist(), strict=True))) > 30  # of 81: each image has an offset of its own
    assert set(y.tolist()) == set(range(9)) == set(x.tolist())


def test_flip_mirrors_half_of_the_images(batch):
    view = (Transform("H", PLAIN)(batch, seeded()) * 255).round().to(torch.uint8)
    image = batch.permute(0, 3, 1, 2)
    kept = [torch.equal(*pair) for pair in zip(view, image, strict=True)]
    mirrored = [torch.equal(*pair) for pair in zip(view, image.flip(3), strict=True)]
    assert all(one != other for one, other in zip(kept, mirrored, strict=True))
    assert 16 <= sum(mirrored) <= 48


def test_crop_then_flip_is_both(batch):
    only_crop = Augmentation(flip=False)
    generator = seeded()
    torch.rand(70, 1, generator=generator)  # what the flip draws before the crop
    cropped = Transform("CH", only_crop)(batch, generator)
    both = Transform("CH", Augmentation())(batch, seeded())
    same = (both == cropped).flatten(1).all(1)
    assert torch.equal(both[~same], cropped[~same].flip(3))
    assert 16 <= int(same.sum()) <= 48
    off = Augmentation(padding=0, flip=False)
    assert torch.equal(Transform("CHN", off)(batch, seeded()), Transform("N", off)(batch))


def test_greyscale_images():
    batch = torch.randint(0, 256, (8, 8, 8, 1), dtype=torch.uint8, generator=seeded())
    one = Augmentation(padding=1, mean=[0.3], std=[0.2])
    view = Transform("CHN", one)(batch, seeded())
    assert view.shape == (8, 1, 8, 8) and view.is_contiguous(memory_format=torch.channels_last)
    for name in ("CHJN", "CHGN"):
        with pytest.raises(BadInput, match="needs colour images"):
            Transform(name, one)(batch, seeded())
    with pytest.raises(BadInput, match=r"augmentation\.mean has 3 number"):
        Transform("N", Augmentation())(batch)


def test_other_names_and_chance_without_a_generator_are_refused(batch):
    for name in ("", "HC", "CHX", "chn", "CCN"):
        with pytest.raises(BadInput, match="in this order"):
            Transform(name, Augmentation())
    with pytest.raises(ValueError, match="generator"):
        Transform("CHN", Augmentation())(batch)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_colour_agrees_with_torchvision(name):
    ours, theirs = getattr(colour, name), getattr(reference, f"adjust_{name}")
    factors = [-0.2, -0.05, 0.0, 0.2] if name == "hue" else [0.2, 0.7, 1.0, 1.8]
    images = torch.rand(len(factors), 3, 16, 16, generator=seeded())
    images[:, :, 0] = torch.tensor([[0.0, 1.0, 0.5, 0.25]]).repeat(1, 4)  # greys: no hue
    images[:, 1, 1] = images[:, 0, 1]  # two equal channels
    got = ours(images, torch.tensor(factors))
    expected = torch.stack([theirs(image, factor) for image, factor in zip(images, factors, strict=True)])
    torch.testing.assert_close(got, expected, rtol=0, atol=0.1 / 255)
    torch.testing.assert_close(colour.grey(images), reference.rgb_to_grayscale(images))


def test_the_whole_pipeline_agrees_with_torchvision_image_by_image(batch, monkeypatch):
    # More images than are worked on together, and no whole number of such pieces.
    monkeypatch.setattr(augment, "CACHED", 32 * 12 * 10)
    chosen, draws, count = Augmentation(), seeded(5), len(batch)
    view = Transform("CHJGN", chosen)(batch, seeded(5))
    flips = torch.rand(count, 1, generator=draws) < 0.5
    down, right = torch.randint(0, 9, (2, count, 1), generator=draws)
    chances, *spreads = torch.rand(5, count, generator=draws)
    order = torch.randperm(4, generator=draws).tolist()
    greys = torch.rand(count, generator=draws) < 0.2
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
        expected = reference.normalize(image, chosen.mean, chosen.std)
        torch.testing.assert_close(view[number], expected, rtol=0, atol=0.1 / 255 / min(chosen.std))
    assert 0 < flips.sum() < count and 0 < greys.sum() < count and 0 < (chances < 0.8).sum() < count


@pytest.mark.parametrize("name", NAMES)
def test_in_parts_images_become_what_they_are_all_at_once_as_on_a_gpu(name, batch, monkeypatch):
    transform = Transform(name, Augmentation())
    at_once = transform.apply(batch, transform.draw(batch, seeded()))
    assert torch.equal(transform(batch, seeded()), at_once)
    monkeypatch.setattr(augment, "CACHED", 32 * 12 * 10)
    assert torch.equal(transform(batch, seeded()), at_once)
    for count in (0, 1):
        view = transform(batch[:count], seeded())
        assert view.shape == (count, 3, 12, 10) and not view.isnan().any()


def test_jitter_changes_four_in_five_and_greyscale_one_in_five():
    images = torch.rand(2000, 3, 4, 4, generator=seeded())
    changed = colour.jitter(images, *colour.draw_jitter(2000, seeded(1), images.device))
    share = (changed != images).flatten(1).any(1).float().mean()
    assert abs(share - 0.8) < 0.04 and changed.min() >= 0 and changed.max() <= 1
    changed = colour.turned_grey(images, colour.draw_grey(2000, seeded(1), images.device))
    equal = (changed[:, 0] == changed[:, 1]).flatten(1).all(1)
    assert abs(equal.float().mean() - 0.2) < 0.04
    assert torch.equal(changed[~equal], images[~equal])
