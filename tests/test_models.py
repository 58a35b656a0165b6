"""Modèles : formes, nombres de paramètres, calcul refait à la main, refus des entrées fausses."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.models import MLP, SmallCNN, n_parameters

examples = settings(max_examples=30, deadline=None)


@examples
@given(st.lists(st.integers(1, 7), min_size=2, max_size=5), st.integers(1, 5))
def test_mlp_has_the_announced_shapes_and_number_of_parameters(sizes, n):
    model = MLP(sizes)
    expected = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    assert model(torch.zeros(n, sizes[0])).shape == (n, sizes[-1])
    assert n_parameters(model) == expected


def test_mlp_computes_affine_activation_affine_without_final_activation():
    model = MLP([3, 4, 2], activation=nn.Tanh)
    x = torch.randn(5, 3)
    first, second = (layer for layer in model.layers if isinstance(layer, nn.Linear))
    hidden = torch.tanh(x @ first.weight.T + first.bias)
    torch.testing.assert_close(model(x), hidden @ second.weight.T + second.bias)


def test_mlp_flattens_images_by_default():
    model = MLP([64, 10])
    images = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(model(images), model(images.reshape(3, 64)))


def test_mlp_without_flatten_acts_on_the_last_axis_of_a_sequence():
    model = MLP([4, 2], flatten=False)
    sequence = torch.randn(3, 5, 4)  # (N, T, D)
    assert model(sequence).shape == (3, 5, 2)
    torch.testing.assert_close(model(sequence)[:, 1], model(sequence[:, 1]))


@examples
@given(st.integers(1, 3), st.integers(1, 4), st.integers(4, 13), st.integers(1, 4))
def test_small_cnn_accepts_any_image_size_from_four(in_channels, width, image_size, n_classes):
    model = SmallCNN(
        in_channels=in_channels, n_classes=n_classes, width=width, image_size=image_size
    )
    assert model(torch.zeros(2, in_channels, image_size, image_size)).shape == (2, n_classes)


def test_small_cnn_equals_the_same_operations_written_one_by_one():
    model, x = SmallCNN(width=3), torch.randn(2, 1, 8, 8)
    conv1, conv2, conv3 = (layer for layer in model.features if isinstance(layer, nn.Conv2d))
    maps = F.relu(F.conv2d(x, conv1.weight, conv1.bias, padding=1))
    maps = F.max_pool2d(F.relu(F.conv2d(maps, conv2.weight, conv2.bias, padding=1)), 2)
    maps = F.max_pool2d(F.relu(F.conv2d(maps, conv3.weight, conv3.bias, padding=1)), 2)
    torch.testing.assert_close(model(x), model.classifier[1](maps.flatten(1)))
    assert n_parameters(model) == 3 * 10 + 3 * 28 + 6 * 28 + (6 * 4 + 1) * 10


def test_n_parameters_skips_frozen_tensors_and_counts_a_shared_one_once():
    layer = nn.Linear(4, 4)
    assert n_parameters(nn.Sequential(layer, layer)) == 20
    layer.bias.requires_grad_(False)
    assert n_parameters(layer) == 16


def test_n_parameters_refuses_what_is_not_a_model():
    with pytest.raises(ValueError, match=r"nn\.Module.*reçu int"):
        n_parameters(3)


@pytest.mark.parametrize("model", [MLP([64, 10]), SmallCNN()])
@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(64),
        torch.zeros(()),
        torch.zeros(0, 1, 8, 8),
        torch.zeros(2, 1, 8, 9),
        torch.zeros(2, 1, 8, 8, dtype=torch.int64),
    ],
    ids=["sans lot", "scalaire", "vide", "taille", "entiers"],
)
def test_models_refuse_a_bad_batch_and_say_what_they_expect(model, x):
    with pytest.raises(ValueError, match="attend un lot non vide") as error:
        model(x)
    assert str(tuple(x.shape)) in str(error.value)


@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, -1, 2], [3, 2.0], 5, None, "ab"])
def test_mlp_refuses_bad_sizes(sizes):
    with pytest.raises(ValueError, match="au moins deux entiers"):
        MLP(sizes)


@pytest.mark.parametrize(
    "setting", [{"in_channels": 0}, {"n_classes": -1}, {"width": 1.5}, {"image_size": 3}]
)
def test_small_cnn_refuses_bad_settings_by_name(setting):
    with pytest.raises(ValueError, match=f"{next(iter(setting))} doit être un entier ≥"):
        SmallCNN(**setting)


@pytest.mark.parametrize("make", [lambda: MLP([64, 16, 2]), lambda: SmallCNN(n_classes=2, width=4)])
def test_eight_random_images_are_learnt_by_heart(make):
    torch.manual_seed(0)
    model, x, y = make(), torch.randn(8, 1, 8, 8), torch.arange(8) % 2
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert (model(x).argmax(dim=1) == y).all()
