"""Distances entre échantillons : oracles SciPy, formes closes, invariants, refus."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.generative import (
    covered_modes,
    discrete_wasserstein,
    energy_distance,
    wasserstein_1d,
)

examples = settings(max_examples=30, deadline=None)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@examples
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 999))
def test_wasserstein_1d_equals_scipy_even_with_ties_and_unequal_sizes(n, m, seed):
    x, y = normal(n, seed=seed).mul(2).round(), normal(m, seed=seed + 1)
    expected = scipy.stats.wasserstein_distance(x.numpy(), y.numpy())
    assert wasserstein_1d(x, y) == pytest.approx(expected, abs=1e-12)


def test_wasserstein_1d_between_shifted_gaussians_is_the_shift():
    quantiles = torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64)
    x = torch.distributions.Normal(0.0, 1.0).icdf(quantiles)
    assert wasserstein_1d(x, x + 1.7) == pytest.approx(1.7)
    # même moyenne, écarts types 1 et 3 : W₁ = 2 E|Z| = 2 √(2/π), aux queues coupées près
    assert wasserstein_1d(x, 3 * x) == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.005)


def test_wasserstein_1d_differs_from_the_gap_between_means():
    x, y = torch.tensor([-1.0, 1.0]), torch.tensor([0.0, 0.0])
    assert wasserstein_1d(x, y) == 1.0


@examples
@given(st.integers(1, 8), st.integers(1, 3), st.integers(0, 999))
def test_assignment_equals_the_linear_programme(n, d, seed):
    x, y = normal(n, d, seed=seed), normal(n, d, seed=seed + 1)
    uniform = torch.full((n,), 1 / n, dtype=torch.float64)
    fast, _ = discrete_wasserstein(x, y)
    slow, plan = discrete_wasserstein(x, y, x_weights=uniform)
    assert fast == pytest.approx(slow, abs=1e-8)
    torch.testing.assert_close(plan.sum(0), uniform, rtol=0, atol=1e-9)


@examples
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 999))
def test_discrete_wasserstein_on_the_line_equals_the_sorted_formula(n, m, seed):
    x, y = normal(n, seed=seed), normal(m, seed=seed + 1)
    assert discrete_wasserstein(x[:, None], y[:, None])[0] == pytest.approx(wasserstein_1d(x, y))


def test_the_plan_moves_each_weight_to_its_place_and_pays_the_announced_cost():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0], [5.0]])
    a, b = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.5, 0.25])
    distance, plan = discrete_wasserstein(x, y, x_weights=a, y_weights=b)
    assert distance == pytest.approx(0.25 * 0 + 0.25 * 2 + 0.25 * 1 + 0.25 * 4)
    torch.testing.assert_close(plan.sum(1), a.double())
    torch.testing.assert_close(plan.sum(0), b.double())
    assert (plan * torch.cdist(x, y)).sum().item() == pytest.approx(distance)


def test_discrete_wasserstein_of_a_translated_cloud_is_the_length_of_the_translation():
    x = normal(20, 2)
    assert discrete_wasserstein(x, x + torch.tensor([3.0, 4.0]))[0] == pytest.approx(5.0)


@examples
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 999))
def test_energy_distance_is_the_square_of_scipys_and_is_symmetric(n, m, seed):
    x, y = normal(n, seed=seed), normal(m, seed=seed + 1)
    ours = energy_distance(x[:, None], y[:, None])
    assert ours == pytest.approx(scipy.stats.energy_distance(x, y) ** 2, abs=1e-9)
    assert ours == pytest.approx(energy_distance(y[:, None], x[:, None]))


def test_energy_distance_sees_a_change_of_spread_that_the_means_do_not():
    x = normal(400, 3)
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-12)
    assert energy_distance(x, 2 * x) > 5 * energy_distance(x, normal(400, 3, seed=1))


def test_modes_count_only_those_with_enough_close_points():
    centers = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    samples = torch.cat([centers[[0]].repeat(97, 1), centers[[1]].repeat(2, 1), centers[[2]] + 3])
    assert covered_modes(samples, centers, radius=1, min_share=0.02) == (2, 0.99)
    assert covered_modes(samples, centers, radius=1, min_share=0.03) == (1, 0.99)
    assert covered_modes(samples, centers, radius=5, min_share=0.01) == (3, 1.0)


def test_a_cloud_around_every_center_covers_every_mode():
    centers = 5 * normal(6, 2)
    samples = centers.repeat(50, 1) + 0.01 * normal(300, 2, seed=1)
    n_modes, quality = covered_modes(samples, centers, radius=0.1)
    assert (n_modes, quality) == (6, 1.0)
    assert covered_modes(samples + 100, centers, radius=0.1) == (0, 0.0)


def test_inputs_are_not_modified_and_need_no_gradient():
    x = normal(5, 2).requires_grad_()
    before = x.detach().clone()
    discrete_wasserstein(x, x + 1), energy_distance(x, x)
    assert torch.equal(x.detach(), before)
    assert x.grad is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wasserstein_1d(normal(3, 1), normal(3)), "x doit être de forme \\(N,\\)"),
        (lambda: energy_distance(normal(3, 1), normal(3, 2)), "autant de coordonnées"),
        (lambda: discrete_wasserstein(normal(3, 1), normal(0, 1)), "ne doit pas être vide"),
        (lambda: discrete_wasserstein(normal(3, 1), normal(3, 1) / 0), "NaN"),
        (
            lambda: discrete_wasserstein(normal(2, 1), normal(2, 1), x_weights=torch.ones(2)),
            "x_weights doit contenir 2 poids positifs de somme 1",
        ),
        (lambda: covered_modes(normal(3, 2), normal(2, 2), radius=0.0), "radius"),
        (lambda: covered_modes(normal(3, 2), normal(2, 2), radius=1, min_share=0.0), "min_share"),
        (lambda: covered_modes(normal(3, 2), normal(2, 3), radius=1), "samples et centers"),
    ],
)
def test_bad_arguments_are_refused_in_french(call, message):
    with pytest.raises(ValueError, match=message):
        call()
