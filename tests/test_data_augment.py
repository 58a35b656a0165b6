"""Tests de course_lib.data.augment."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import shift_images
from course_lib.runtime import make_generator


def single_pixel(n, size=9):
    """Un point blanc au centre de chaque image : sa position dit le décalage subi."""
    x = torch.zeros(n, 1, size, size)
    x[:, :, size // 2, size // 2] = 1
    return x


def test_every_shift_of_the_square_is_drawn_equally_often():
    n = 9000
    shifted = shift_images(single_pixel(n), max_shift=1, generator=make_generator(0))
    counts = shifted.sum((0, 1))
    assert counts.sum() == n
    assert counts[3:6, 3:6].sum() == n
    assert (counts[3:6, 3:6] / n - 1 / 9).abs().max() < 0.02


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 6),
    channels=st.integers(1, 3),
    height=st.integers(3, 8),
    width=st.integers(3, 8),
    max_shift=st.integers(0, 2),
    seed=st.integers(0, 1000),
)
def test_each_image_is_a_zero_padded_translation_of_itself(
    n, channels, height, width, max_shift, seed
):
    x = 1 + torch.arange(n * channels * height * width, dtype=torch.float32)
    x = x.reshape(n, channels, height, width)
    original = x.clone()
    shifted = shift_images(x, max_shift=max_shift, generator=make_generator(seed))
    assert torch.equal(x, original)
    assert shifted.shape == x.shape
    for before, after in zip(x, shifted, strict=True):
        assert any(
            torch.equal(after, translated(before, down, right))
            for down in range(-max_shift, max_shift + 1)
            for right in range(-max_shift, max_shift + 1)
        )


def translated(image, down, right):
    """Translation écrite pixel par pixel, par indépendance avec le code testé."""
    _, height, width = image.shape
    result = torch.zeros_like(image)
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                result[:, i, j] = image[:, i - down, j - right]
    return result


def test_no_shift_is_the_identity_and_same_seed_same_result():
    x = torch.rand(20, 2, 6, 7)
    assert torch.equal(shift_images(x, max_shift=0, generator=make_generator(0)), x)
    first, again, other = (
        shift_images(x, max_shift=2, generator=make_generator(s)) for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("x", "max_shift", "message"),
    [
        (torch.zeros(0, 1, 4, 4), 1, "vide"),
        (torch.zeros(4, 4), 1, r"\(N, C, H, W\).*\(4, 4\)"),
        (torch.zeros(2, 1, 4, 4).byte(), 1, "uint8"),
        (torch.full((1, 1, 4, 4), float("nan")), 1, "NaN"),
        (torch.zeros(2, 1, 4, 8), 4, "max_shift = 4"),
        (torch.zeros(2, 1, 4, 4), -1, "max_shift doit être un entier ≥ 0, reçu -1"),
        (torch.zeros(2, 1, 4, 4), 1.5, "max_shift doit être un entier"),
    ],
)
def test_wrong_input_is_refused(x, max_shift, message):
    with pytest.raises(ValueError, match=message):
        shift_images(x, max_shift=max_shift, generator=make_generator(0))


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(ValueError, match="make_generator"):
        shift_images(torch.zeros(1, 1, 4, 4), max_shift=1, generator=0)
