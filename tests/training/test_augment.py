"""Random changes to images: what each may and may not do, held to plain arithmetic on single images."""

import numpy as np
import pytest
import torch

from fastscale_lib.training.augmentation import OPERATIONS, crop_and_flip, mixup, randaugment


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


def images(number: int = 6, channels: int = 3, side: int = 12) -> torch.Tensor:
    return torch.randint(256, (number, channels, side, side)).float()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_is_one_of_all_that_padding_allows_mirrored_or_not(channels):
    given = torch.randint(1, 256, (40, channels, 7, 7), dtype=torch.uint8)
    seen = set()
    for image, changed in zip(given, crop_and_flip(given, 2, flip=True), strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (2, 2), (2, 2)))
        crops = {(y, x): padded[:, y : y + 7, x : x + 7] for y in range(5) for x in range(5)}
        found = [(at, False) for at, crop in crops.items() if np.array_equal(changed, crop)]
        found += [(at, True) for at, crop in crops.items() if np.array_equal(changed, crop[:, :, ::-1])]
        assert len(found) == 1
        seen |= set(found)
    assert len({at for at, _ in seen}) > 10
    assert {mirrored for _, mirrored in seen} == {True, False}


def test_without_padding_and_flips_nothing_changes():
    given = images()
    assert crop_and_flip(given, 0, flip=False) is given
    assert set(map(bytes, crop_and_flip(given, 0, flip=True).numpy())) != set(map(bytes, given.numpy()))
    assert torch.equal(crop_and_flip(given, 0, flip=True).sum((2, 3)), given.sum((2, 3)))


def test_mixup_mixes_each_image_with_its_partner():
    given = images()
    mixed, partner, share = mixup(given, 0.2)
    assert 0 <= share <= 1
    assert torch.allclose(mixed, share * given + (1 - share) * given[partner], atol=1e-3)
    assert sorted(partner.tolist()) == list(range(6))


def strength(value: float, number: int = 6) -> torch.Tensor:
    return torch.full((number,), value)


NEUTRAL = ["identity", "solarize", "posterize", "brightness", "contrast", "color", "sharpness"]
MOVING = ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"]


@pytest.mark.parametrize("name", NEUTRAL + MOVING)
def test_an_operation_of_no_strength_changes_nothing(name):
    given = images()
    assert torch.allclose(OPERATIONS[name](given, strength(0.0)), given, atol=1e-2)


def test_operations_do_what_they_are_named_for():
    given = images()
    assert torch.equal(OPERATIONS["solarize"](given, strength(1.0)), 255 - given)
    assert torch.equal(OPERATIONS["posterize"](given, strength(1.0)), (given // 16) * 16)
    assert torch.allclose(OPERATIONS["brightness"](given, strength(-1.0)), 0.1 * given, atol=1e-3)
    gray = given[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(OPERATIONS["color"](gray, strength(1.0)), gray, atol=1e-2)
    flat = torch.full((6, 3, 12, 12), 40.0)
    for name in ("contrast", "sharpness", "autocontrast"):
        assert torch.allclose(OPERATIONS[name](flat, strength(1.0)), flat, atol=1e-3)
    stretched = OPERATIONS["autocontrast"](100 + given / 4, strength(0.0))
    assert torch.allclose(stretched.amin((2, 3)), torch.zeros(6, 3), atol=1e-3)
    assert torch.allclose(stretched.amax((2, 3)), torch.full((6, 3), 255.0), atol=1e-3)


def test_equalized_values_are_ranks():
    few = torch.tensor([10.0, 10.0, 50.0, 200.0]).reshape(1, 1, 2, 2)
    assert OPERATIONS["equalize"](few, strength(0.0, 1)).flatten().tolist() == pytest.approx([0, 0, 2 / 3 * 255, 255])
    flat = torch.full((1, 1, 2, 2), 7.0)
    assert OPERATIONS["equalize"](flat, strength(0.0, 1)).flatten().tolist() == [0, 0, 0, 0]


def test_moves_go_where_they_are_named_for():
    point = torch.zeros(1, 1, 11, 11)
    point[..., 5, 5] = 255

    def at(moved: torch.Tensor) -> tuple[float, float]:
        weight = moved / moved.sum()
        rows = columns = torch.arange(11.0)
        return float((weight.sum(3) * rows).sum()) - 5, float((weight.sum(2) * columns).sum()) - 5

    side = strength(331 / 150 / 11, 1)  # one pixel
    assert at(OPERATIONS["translate_x"](point, side)) == pytest.approx((0, -1), abs=1e-3)
    assert at(OPERATIONS["translate_y"](point, side)) == pytest.approx((-1, 0), abs=1e-3)
    point = point.roll(3, dims=2)  # below the centre
    assert at(OPERATIONS["shear_x"](point, strength(1.0, 1))) == pytest.approx((3, -0.9), abs=0.05)
    down, right = at(OPERATIONS["rotate"](point, strength(1.0, 1)))
    assert (abs(down), abs(right)) == pytest.approx((3 * np.cos(np.pi / 6), 3 * np.sin(np.pi / 6)), abs=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_randaugment_changes_images_each_by_its_own_operations(channels):
    given = images(40, channels)
    changed = randaugment(given, 2, 9.0)
    assert changed.shape == given.shape
    assert changed.isfinite().all()
    assert changed.min() >= 0
    assert changed.max() <= 255.01
    moved = (changed - given).abs().mean((1, 2, 3))
    assert len(moved.round(decimals=3).unique()) > 20
    torch.manual_seed(5)
    once = randaugment(given, 2, 9.0)
    torch.manual_seed(5)
    assert torch.equal(randaugment(given, 2, 9.0), once)
