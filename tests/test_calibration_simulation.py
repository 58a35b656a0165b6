"""Simulateur à η connue et prédiction conforme : contre Monte-Carlo, formules et lois exactes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from course_lib.calibration import (
    KnownEta,
    brier_score,
    conformal_threshold,
    coverage_interval,
    expected_calibration_error,
    prediction_sets,
)

examples = settings(max_examples=25, deadline=None)
WORLDS = [
    KnownEta(slope=1.0),
    KnownEta(slope=0.5),
    KnownEta(slope=2.0, intercept=-0.4, hidden=0.9, mean=0.3, scale=1.2),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("world", WORLDS)
def test_the_true_error_equals_adaptive_quadrature(world):
    def curve(z):
        center = world.slope * z + world.intercept
        return np.mean([1 / (1 + np.exp(-center - s * world.hidden)) for s in (-1, 1)])

    def integrand(z, norm):
        gap = abs(curve(z) - 1 / (1 + np.exp(-z))) ** norm
        return gap * stats.norm.pdf(z, world.mean, world.scale)

    for norm in (1, 2):
        low, high = world.mean - 8 * world.scale, world.mean + 8 * world.scale
        value, _ = integrate.quad(integrand, low, high, args=(norm,), limit=400)
        assert world.calibration_error(norm=norm) == pytest.approx(value ** (1 / norm), abs=1e-6)


@pytest.mark.parametrize("world", WORLDS)
def test_terms_curve_and_error_agree_with_monte_carlo(world):
    d = world.sample(400_000, generator=generator())
    terms, gap = world.brier_terms(), (world.calibration_curve(d.eta_hat) - d.eta_hat).abs()
    assert brier_score(d.eta_hat, d.y) == pytest.approx(terms.score, abs=2e-3)
    assert gap.mean().item() == pytest.approx(world.calibration_error(), abs=1e-3)
    irreducible = (d.eta * (1 - d.eta)).mean().item()
    assert irreducible == pytest.approx(terms.irreducible, abs=1e-3)
    assert terms.calibration == pytest.approx(world.calibration_error(norm=2) ** 2)
    near = (d.eta_hat - 0.7).abs() < 0.02
    expected = world.calibration_curve(torch.tensor([0.7])).item()
    assert d.y[near].double().mean().item() == pytest.approx(expected, abs=0.015)


def test_a_calibrated_world_has_no_error_but_a_biased_estimate():
    world = KnownEta(slope=1.0)
    assert world.calibration_error() == 0
    rng = generator()
    values = [
        expected_calibration_error(d.eta_hat, d.y)
        for d in (world.sample(1000, generator=rng) for _ in range(30))
    ]
    assert 0.03 < np.mean(values) < 0.045
    big = world.sample(200_000, generator=rng)
    assert expected_calibration_error(big.eta_hat, big.y) < 0.005


def test_hidden_information_is_lost_without_breaking_the_marginal_frequency():
    terms = KnownEta(hidden=1.0).brier_terms()
    assert terms.grouping > 0.02
    assert KnownEta(hidden=0.0).brier_terms().grouping == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_world():
    first, second = (KnownEta().sample(50, generator=generator(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale = 0"),
        ({"scale": -1.0}, "scale doit être"),
        ({"slope": math.nan}, "slope doit être un nombre fini"),
    ],
)
def test_an_impossible_world_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        KnownEta(**options)


def test_sampling_and_norm_are_checked():
    for call in (lambda: KnownEta().sample(0, generator=generator()),
                 lambda: KnownEta().sample(5, generator=None),
                 lambda: KnownEta().calibration_error(norm=0)):  # fmt: skip
        with pytest.raises(ValueError, match="doit être"):
            call()


def draw(n, seed=0, n_classes=5):
    rng = generator(seed)
    p = (3 * torch.randn(n, n_classes, generator=rng, dtype=torch.float64)).softmax(1)
    return p, torch.randint(n_classes, (n,), generator=rng)  # un modèle franchement mauvais


@examples
@given(st.integers(1, 60), st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_the_threshold_is_the_right_order_statistic(n, seed, alpha):
    p, y = draw(n, seed)
    scores = sorted(1 - p[i, y[i]].item() for i in range(n))
    k = math.ceil(round((n + 1) * (1 - alpha), 9))
    threshold = conformal_threshold(p, y, alpha=alpha)
    assert threshold == (math.inf if k > n else scores[k - 1])
    sets = prediction_sets(p, threshold)
    assert sets[torch.arange(n), y].sum() == min(k, n)  # les k plus petits scores sont couverts


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_coverage_is_guaranteed_and_follows_the_beta_binomial_law(alpha):
    coverages = []
    for seed in range(400):
        p, y = draw(150, seed)
        threshold = conformal_threshold(p[:50], y[:50], alpha=alpha)
        covered = prediction_sets(p[50:], threshold)[torch.arange(100), y[50:]]
        coverages.append(covered.double().mean().item())
    k = math.ceil(51 * (1 - alpha))
    law = stats.betabinom(100, k, 51 - k)
    assert np.mean(coverages) == pytest.approx(k / 51, abs=3.3 * law.std() / 100 / 20)
    assert np.std(coverages) == pytest.approx(law.std() / 100, rel=0.15)
    low, high = coverage_interval(50, 100, alpha=alpha)
    assert 0.92 < np.mean([low <= c <= high for c in coverages]) <= 1


def test_too_few_examples_keep_every_class():
    p, y = draw(8)
    assert conformal_threshold(p, y, alpha=0.1) == math.inf
    assert prediction_sets(p, math.inf).all()
    with pytest.raises(ValueError, match="au moins 9"):
        coverage_interval(8, 100, alpha=0.1)


def test_a_larger_alpha_gives_smaller_sets():
    p, y = draw(200)
    sizes = [prediction_sets(p, conformal_threshold(p, y, alpha=a)).sum() for a in (0.05, 0.2, 0.5)]
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1, "0.1"])
def test_alpha_is_a_real_between_zero_and_one(alpha):
    with pytest.raises(ValueError, match="alpha doit être un réel de ]0 ; 1\\["):
        conformal_threshold(*draw(20), alpha=alpha)


def test_bad_probabilities_and_thresholds_are_refused():
    p, y = draw(20)
    with pytest.raises(ValueError, match="somme 1"):
        conformal_threshold(0.9 * p, y, alpha=0.1)
    with pytest.raises(ValueError, match="NaN"):
        prediction_sets(p, math.nan)
