"""Tests de course_lib.data.toys."""

import math

import numpy as np
import pytest
import sklearn.datasets
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import make_blobs, make_moons, make_polynomial, make_spirals, make_xor
from course_lib.runtime import make_generator

MAKERS = {
    "moons": make_moons,
    "spirals": make_spirals,
    "xor": make_xor,
    "blobs": lambda n, **options: make_blobs(n, centers=[(0, 0), (2, 2)], **options),
    "polynomial": lambda n, **options: make_polynomial(
        n, coefficients=[1, 2], noise=0.1, **options
    ),
}
CLASSIFIERS = [name for name in MAKERS if name != "polynomial"]


def sorted_rows(points):
    points = np.round(np.asarray(points, dtype=np.float64), 4) + 0.0  # efface les −0
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("n", [7, 100])
def test_moons_without_noise_are_those_of_scikit_learn(n):
    ours = make_moons(n, noise=0.0, generator=make_generator(0))
    x, y = sklearn.datasets.make_moons(n, noise=None, shuffle=False)
    for k in (0, 1):
        np.testing.assert_allclose(
            sorted_rows(ours.x[ours.y == k]), sorted_rows(x[y == k]), atol=2e-4
        )


def test_spirals_without_noise_obey_their_equation():
    data = make_spirals(500, n_turns=1.5, noise=0.0, generator=make_generator(0))
    radius = data.x.norm(dim=1)
    angle = 2 * math.pi * 1.5 * radius + math.pi * data.y
    expected = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    torch.testing.assert_close(data.x, expected, atol=1e-4, rtol=0)
    assert radius.max() <= 1 + 1e-6
    assert radius.max() > 0.9


def test_spirals_cannot_be_split_by_a_line():
    data = make_spirals(400, generator=make_generator(0))
    design = torch.cat([data.x, torch.ones(400, 1)], dim=1)
    weights = torch.linalg.lstsq(design, 2.0 * data.y[:, None] - 1).solution
    assert (((design @ weights)[:, 0] > 0) == data.y.bool()).float().mean() < 0.75


def test_xor_is_the_product_of_the_signs():
    data = make_xor(400, noise=0.1, generator=make_generator(0))
    assert torch.equal(data.y.bool(), data.x[:, 0] * data.x[:, 1] < 0)
    torch.testing.assert_close(data.x.abs().mean(0), torch.ones(2), atol=0.03, rtol=0)


def test_blobs_have_the_asked_means_and_spread():
    centers = torch.tensor([[0.0, 5.0], [3.0, -1.0], [-4.0, 2.0]])
    data = make_blobs(6000, centers=centers, spread=0.5, generator=make_generator(0))
    for k, center in enumerate(centers):
        cloud = data.x[data.y == k]
        torch.testing.assert_close(cloud.mean(0), center, atol=0.05, rtol=0)
        torch.testing.assert_close(cloud.std(0), torch.full((2,), 0.5), atol=0.03, rtol=0)


def test_polynomial_without_noise_is_numpy_polyval():
    coefficients = [0.5, -1.0, 0.0, 2.0]
    data = make_polynomial(200, coefficients=coefficients, noise=0.0, generator=make_generator(0))
    expected = np.polynomial.polynomial.polyval(data.x.numpy(), coefficients)
    np.testing.assert_allclose(data.y, expected, atol=1e-5)
    assert data.x.abs().max() <= 1
    assert data.x.min() < -0.9
    assert data.y.dtype == torch.float32


def test_polynomial_noise_has_the_asked_deviation():
    data = make_polynomial(5000, coefficients=[0.0], noise=0.3, generator=make_generator(0))
    assert abs(data.y.std().item() - 0.3) < 0.02


def test_noise_spreads_the_moons_by_the_asked_deviation():
    clean = make_moons(4000, noise=0.0, generator=make_generator(0))
    noisy = make_moons(4000, noise=0.2, generator=make_generator(0))
    deviation = (noisy.x - clean.x).std()  # même graine, même ordre
    assert abs(deviation.item() - 0.2) < 0.01


@pytest.mark.parametrize("name", CLASSIFIERS)
@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 60), seed=st.integers(0, 100))
def test_classes_are_balanced_and_shapes_are_right(name, n, seed):
    data = MAKERS[name](n, generator=make_generator(seed))
    assert data.x.shape == (n, 2)
    assert data.x.dtype == torch.float32
    assert data.y.shape == (n,)
    assert data.y.dtype == torch.int64
    assert abs(int(data.y.sum()) - n / 2) <= 1


@pytest.mark.parametrize("name", MAKERS)
def test_same_seed_same_points(name):
    first, again, other = (MAKERS[name](50, generator=make_generator(s)) for s in (3, 3, 4))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_order_of_the_classes_is_shuffled(name):
    labels = MAKERS[name](200, generator=make_generator(0)).y
    assert 50 < (labels.diff() != 0).sum() < 150


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("n", [0, -3, 2.5, "10", True, None])
def test_a_wrong_number_of_points_is_refused(name, n):
    with pytest.raises(ValueError, match="n doit être un entier ≥ 1, reçu"):
        MAKERS[name](n, generator=make_generator(0))


@pytest.mark.parametrize("maker", [make_moons, make_spirals, make_xor])
@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf"), "0.1"])
def test_a_wrong_noise_is_refused(maker, noise):
    with pytest.raises(ValueError, match="noise doit être un nombre fini ≥ 0, reçu"):
        maker(10, noise=noise, generator=make_generator(0))


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_in_place_of_a_generator_is_refused(name):
    with pytest.raises(ValueError, match="make_generator"):
        MAKERS[name](10, generator=0)


@pytest.mark.parametrize(
    "centers", [[], [0.0, 1.0], [[1.0, 2.0, 3.0]], [[float("nan"), 0.0]], "ab", [[1], [2, 3]]]
)
def test_wrong_centers_are_refused(centers):
    with pytest.raises(ValueError, match="centers"):
        make_blobs(10, centers=centers, generator=make_generator(0))


def test_other_wrong_options_are_refused():
    with pytest.raises(ValueError, match="spread doit être"):
        make_blobs(10, centers=[(0, 0)], spread=-1, generator=make_generator(0))
    with pytest.raises(ValueError, match="n_turns doit être"):
        make_spirals(10, n_turns=-1, generator=make_generator(0))
    for coefficients in ([], [[1.0]], [float("nan")]):
        with pytest.raises(ValueError, match="coefficients"):
            make_polynomial(10, coefficients=coefficients, noise=0, generator=make_generator(0))
    with pytest.raises(ValueError, match="noise doit être"):
        make_polynomial(10, coefficients=[1.0], noise=-1, generator=make_generator(0))
