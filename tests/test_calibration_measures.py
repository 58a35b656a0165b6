"""Mesures de calibration : oracles indépendants, identités, invariants, refus des entrées fausses."""

import math

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_calibration_error,
)

from course_lib.calibration import (
    bootstrap_bands,
    brier_decomposition,
    brier_score,
    expected_calibration_error,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    top_label,
)

examples = settings(max_examples=40, deadline=None)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@st.composite
def multiclass(draw):
    """Des probabilités (N, C) et des étiquettes (N,), loin des bords d'intervalle."""
    n, n_classes = draw(st.integers(1, 60)), draw(st.integers(2, 6))
    rng = generator(draw(st.integers(0, 10_000)))
    logits = 3 * torch.randn(n, n_classes, generator=rng, dtype=torch.float64)
    return logits.softmax(1), torch.randint(n_classes, (n,), generator=rng)


@st.composite
def binary(draw):
    """Des annonces (N,) et des issues (N,), parfois toutes égales."""
    n, rng = draw(st.integers(1, 80)), generator(draw(st.integers(0, 10_000)))
    p = torch.rand(n, generator=rng, dtype=torch.float64)
    if draw(st.booleans()):
        p = (4 * p).round() / 4  # des ex æquo, et les bords 0 et 1
    return p, torch.randint(draw(st.integers(1, 2)), (n,), generator=rng)


@examples
@given(multiclass(), st.integers(1, 30))
def test_ece_and_mce_equal_torchmetrics_on_the_top_label(data, n_bins):
    p, y = data
    for ours, norm in ((expected_calibration_error, "l1"), (maximum_calibration_error, "max")):
        expected = multiclass_calibration_error(p, y, p.shape[1], n_bins=n_bins, norm=norm)
        assert ours(p, y, n_bins=n_bins) == pytest.approx(expected.item(), abs=2e-6)


def test_binary_ece_equals_torchmetrics():
    """torchmetrics range la confiance max(p, 1 − p) en binaire : comparer là où p > 1/2."""
    rng = generator(3)
    p = 0.5 + torch.rand(500, generator=rng, dtype=torch.float64) / 2
    y = torch.randint(2, (500,), generator=rng)
    expected = binary_calibration_error(p, y, n_bins=12)
    assert expected_calibration_error(p, y, n_bins=12) == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_reliability_bins_equal_the_calibration_curve_of_scikit_learn(strategy):
    rng = generator(1)
    p = torch.rand(600, generator=rng, dtype=torch.float64)
    y = (torch.rand(600, generator=rng) < p).long()
    bins = reliability_bins(p, y, n_bins=10, adaptive=strategy == "quantile")
    frequency, confidence = sklearn.calibration.calibration_curve(
        y.numpy(), p.numpy(), n_bins=10, strategy=strategy
    )
    tolerance = 1e-12 if strategy == "uniform" else 0.02  # quantiles interpolés chez eux
    np.testing.assert_allclose(bins.frequency, frequency, atol=tolerance)
    np.testing.assert_allclose(bins.confidence, confidence, atol=tolerance)


def test_adaptive_bins_are_the_chunks_of_the_sorted_confidences():
    p = torch.rand(60, generator=generator(2), dtype=torch.float64)
    y = torch.randint(2, (60,), generator=generator(3))
    order = p.argsort()
    gaps = [abs(p[k].mean() - y[k].double().mean()).item() for k in order.split(6)]
    assert reliability_bins(p, y, n_bins=10, adaptive=True).count.tolist() == [6] * 10
    ece = expected_calibration_error(p, y, n_bins=10, adaptive=True)
    assert ece == pytest.approx(np.mean(gaps))


def test_bins_are_open_on_the_left_and_closed_on_the_right():
    p = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    y = torch.tensor([0, 0, 1, 1, 1])
    assert reliability_bins(p, y, n_bins=4).count.tolist() == [2, 1, 1, 1]


def test_an_empty_bin_has_no_mean_and_weighs_nothing():
    bins = reliability_bins(torch.tensor([0.9, 0.9]), torch.tensor([1, 0]), n_bins=2)
    assert bins.count.tolist() == [0, 2]
    assert bins.confidence[0].isnan()
    assert bins.frequency[0].isnan()
    assert bins.gaps.tolist() == pytest.approx([0, 0.4])


@examples
@given(binary(), st.integers(1, 20), st.booleans())
def test_counts_and_means_are_conserved_and_ece_is_below_mce(data, n_bins, adaptive):
    p, y = data
    bins = reliability_bins(p, y, n_bins=n_bins, adaptive=adaptive)
    assert bins.count.sum() == len(p)
    assert (bins.confidence.nan_to_num() @ bins.count.double()) / len(p) == pytest.approx(p.mean())
    assert (bins.edges.diff() >= 0).all()
    ece = expected_calibration_error(p, y, n_bins=n_bins, adaptive=adaptive)
    mce = maximum_calibration_error(p, y, n_bins=n_bins, adaptive=adaptive)
    assert abs(p.mean() - y.double().mean()) - 1e-9 <= ece <= mce + 1e-9 <= 1 + 1e-9


@examples
@given(multiclass())
def test_scores_equal_scikit_learn(data):
    p, y = data
    labels = list(range(p.shape[1]))
    nll = sklearn.metrics.log_loss(y, p, labels=labels)
    assert negative_log_likelihood(p, y) == pytest.approx(nll, rel=1e-6)
    event, outcomes = top_label(p, y)
    expected = np.mean((event.numpy() - outcomes.numpy()) ** 2)
    assert brier_score(event, outcomes) == pytest.approx(expected)


@examples
@given(binary())
def test_the_two_class_brier_score_is_twice_the_binary_one(data):
    p, y = data
    two = torch.stack([1 - p, p], dim=1)
    assert brier_score(two, y) == pytest.approx(2 * brier_score(p, y))


@examples
@given(binary(), st.one_of(st.none(), st.integers(1, 20)))
def test_the_brier_terms_add_up_exactly(data, n_bins):
    p, y = data
    terms = brier_decomposition(p, y, n_bins=n_bins)
    assert terms.score == pytest.approx(brier_score(p, y), abs=1e-12)
    assert min(terms.reliability, terms.resolution, terms.uncertainty) >= 0
    if n_bins is None:
        assert terms.within == pytest.approx(0, abs=1e-12)


def test_a_constant_forecast_has_no_resolution():
    y = torch.arange(100) % 4 // 3  # un quart de 1
    terms = brier_decomposition(torch.full((100,), 0.5), y, n_bins=5)
    assert terms.resolution == 0
    assert terms.reliability == pytest.approx(1 / 16)
    assert terms.uncertainty == pytest.approx(3 / 16)


def test_a_certain_mistake_costs_an_infinite_log_likelihood():
    assert negative_log_likelihood(torch.tensor([0.0]), torch.tensor([1])) == math.inf


def test_bootstrap_bands_match_the_binomial_law_and_repeat_with_the_seed():
    p = torch.full((400,), 0.75)
    y = (torch.arange(400) % 4 > 0).long()  # trois quarts de 1
    low, high = bootstrap_bands(p, y, n_bins=1, n_resamples=2000, generator=generator())
    half = 1.645 * math.sqrt(0.75 * 0.25 / 400)
    assert low.item() == pytest.approx(0.75 - half, abs=0.006)
    assert high.item() == pytest.approx(0.75 + half, abs=0.006)
    again = bootstrap_bands(p, y, n_bins=1, n_resamples=2000, generator=generator())
    assert torch.equal(torch.stack(again), torch.stack((low, high)))


def test_inputs_are_left_untouched_and_float32_is_accepted():
    p, y = torch.tensor([[0.2, 0.8], [0.6, 0.4]]), torch.tensor([1, 1])
    before = p.clone()
    expected_calibration_error(p, y), brier_score(p, y), top_label(p, y)
    assert torch.equal(p, before)
    assert top_label(p, y)[0].dtype == torch.float64


P, Y = torch.tensor([[0.2, 0.8], [0.6, 0.4]]), torch.tensor([1, 0])


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (P, torch.tensor([1, 2]), "hors de 0 … 1"),
        (P, torch.tensor([-1, 0]), "hors de 0 … 1"),
        (P, torch.tensor([0.0, 1.0]), "entiers"),
        (P, torch.tensor([0, 1, 0]), "une étiquette par prédiction"),
        (P * 1.01, Y, "somme 1 ; la ligne 0"),
        (torch.tensor([[1.2, -0.2], [0.5, 0.5]]), Y, "softmax"),
        (torch.tensor([[math.nan, 1.0], [0.5, 0.5]]), Y, "NaN"),
        (torch.zeros(0, 2), torch.zeros(0).long(), "non vide"),
        (torch.tensor([[1.0], [1.0]]), Y, "C ≥ 2"),
        ([[0.5, 0.5]], Y, "reçu list"),
        (torch.tensor([[1, 0], [0, 1]]), Y, "int64"),
    ],
)
def test_bad_inputs_are_refused_in_french(probabilities, labels, message):
    measures = (expected_calibration_error, brier_score, negative_log_likelihood, top_label)
    for measure in measures:
        with pytest.raises(ValueError, match=message):
            measure(probabilities, labels)


@pytest.mark.parametrize("n_bins", [0, -3, 2.5, True])
def test_the_number_of_bins_is_a_positive_integer(n_bins):
    with pytest.raises(ValueError, match="n_bins doit être un entier ≥ 1"):
        reliability_bins(P[:, 1], Y, n_bins=n_bins)


def test_bootstrap_refuses_a_bad_level_or_no_generator():
    with pytest.raises(ValueError, match="level doit être un réel"):
        bootstrap_bands(P[:, 1], Y, level=1.5, generator=generator())
    with pytest.raises(ValueError, match="generator"):
        bootstrap_bands(P[:, 1], Y, generator=None)
