"""Tests de course_lib.data.images."""

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_image

from course_lib.data import NATURAL_IMAGES, load_natural_image


@pytest.mark.parametrize("name", NATURAL_IMAGES)
def test_every_image_loads_in_unit_range(name):
    image = load_natural_image(name)
    assert image.dtype == torch.float32
    assert image.shape[0] in (1, 3)
    assert min(image.shape[1:]) >= 256
    assert image.min() >= 0
    assert 0.5 < image.max() <= 1


def test_images_are_those_of_their_packages():
    china = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1) / 255
    torch.testing.assert_close(load_natural_image("china"), china)
    camera = torch.from_numpy(np.asarray(skimage.data.camera()).copy())[None] / 255
    torch.testing.assert_close(load_natural_image("camera"), camera)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 200), width=st.integers(1, 200))
def test_resized_images_have_the_asked_size_and_stay_in_range(height, width):
    image = load_natural_image("coffee", size=(height, width))
    assert image.shape == (3, height, width)
    assert image.min() >= 0
    assert image.max() <= 1


def test_an_integer_size_is_a_centred_square():
    image = load_natural_image("chelsea")  # (3, 300, 451)
    square = load_natural_image("chelsea", size=300)
    torch.testing.assert_close(square, image[:, :, 75:375])
    assert load_natural_image("moon", size=32).shape == (1, 32, 32)


def test_shrinking_averages_instead_of_dropping_pixels():
    image, small = load_natural_image("grass"), load_natural_image("grass", size=32)
    assert small.std() < 0.7 * image.std()
    assert abs(small.mean() - image.mean()) < 0.01


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"image inconnue 'lena'.*astronaut.*rocket"):
        load_natural_image("lena")


@pytest.mark.parametrize("size", [0, -4, 3.5, (8,), (8, 0), (8, 8, 3), "8"])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(ValueError, match="size doit être"):
        load_natural_image("moon", size=size)


def test_loading_twice_gives_independent_tensors():
    load_natural_image("moon").zero_()
    assert load_natural_image("moon").max() > 0.5
