"""Recalibrages : contre scikit-learn, invariants des décisions, bornes, refus des entrées fausses."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from course_lib.calibration import (
    HistogramBinning,
    Isotonic,
    KnownEta,
    Platt,
    Temperature,
    VectorScaling,
    expected_calibration_error,
    negative_log_likelihood,
)

examples = settings(max_examples=25, deadline=None)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def overconfident(n=400, n_classes=4, seed=0, factor=3.0):
    """Des logits trop longs d'un facteur connu : les étiquettes suivent softmax(z / factor)."""
    rng = generator(seed)
    logits = factor * 1.5 * torch.randn(n, n_classes, generator=rng, dtype=torch.float64)
    labels = torch.multinomial((logits / factor).softmax(1), 1, generator=rng)[:, 0]
    return logits, labels


def scores(n=300, seed=0):
    rng = generator(seed)
    s = torch.randn(n, generator=rng, dtype=torch.float64)
    return s, (torch.rand(n, generator=rng) < torch.sigmoid(2 * s - 0.5)).long()


def test_temperature_equals_a_scalar_minimisation_of_scipy():
    z, y = overconfident()
    best = minimize_scalar(
        lambda log_t: F.cross_entropy(z / math.exp(log_t), y).item(),
        bounds=(-4, 4), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    assert Temperature.fit(z, y).temperature == pytest.approx(math.exp(best.x), rel=1e-6)


def test_temperature_recovers_a_known_factor():
    fitted = Temperature.fit(*overconfident(n=20_000, factor=2.5))
    assert fitted.temperature == pytest.approx(2.5, rel=0.05)


def test_one_logit_and_two_logits_give_the_same_temperature():
    s, y = scores()
    pair = torch.stack([torch.zeros_like(s), s], dim=1)
    one, two = Temperature.fit(s, y), Temperature.fit(pair, y)
    assert one.temperature == pytest.approx(two.temperature)
    torch.testing.assert_close(one(s), two(pair)[:, 1])


def test_temperature_goes_to_its_bound_when_everything_is_right_or_wrong():
    z = torch.tensor([[0.0, 2.0], [3.0, 0.0]])
    assert Temperature.fit(z, torch.tensor([1, 0])).temperature == pytest.approx(0.01)
    assert Temperature.fit(z, torch.tensor([0, 1])).temperature == pytest.approx(100)


@examples
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_temperature_changes_no_decision_and_does_not_raise_the_fitted_loss(seed, n_classes):
    z, y = overconfident(n=60, n_classes=n_classes, seed=seed)
    fitted = Temperature.fit(z, y)
    assert torch.equal(fitted(z).argmax(1), z.argmax(1))
    before = negative_log_likelihood(z.softmax(1), y)
    assert negative_log_likelihood(fitted(z), y) <= before + 1e-9
    torch.testing.assert_close(fitted(z).sum(1), torch.ones(60, dtype=torch.float64))


def test_temperature_divides_a_known_miscalibration():
    z, y = overconfident(n=4000)
    new_z, new_y = overconfident(n=4000, seed=1)
    raw = expected_calibration_error(new_z.softmax(1), new_y)
    assert expected_calibration_error(Temperature.fit(z, y)(new_z), new_y) < raw / 4


def test_vector_scaling_beats_temperature_on_its_own_data_and_has_zero_gradient():
    z, y = overconfident()
    z = z * torch.tensor([0.5, 1, 2, 1]) + torch.tensor([1.0, 0, -1, 0])
    fitted = VectorScaling.fit(z, y)
    temperature_loss = negative_log_likelihood(Temperature.fit(z, y)(z), y)
    assert negative_log_likelihood(fitted(z), y) < temperature_loss - 1e-3
    residual = fitted(z) - F.one_hot(y, 4)  # dérivée de la perte par rapport aux logits
    assert residual.mean(0).abs().max() < 1e-6
    assert (residual * z).mean(0).abs().max() < 1e-6
    assert fitted.bias.mean().abs() < 1e-9


def test_platt_without_smoothing_is_the_logistic_regression_of_scikit_learn():
    s, y = scores()
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=2000).fit(s[:, None].numpy(), y)
    ours = Platt.fit(s, y, smooth=False)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-4)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_platt_with_smoothing_is_the_sigmoid_calibration_of_scikit_learn():
    s, y = scores(n=40)
    base = FrozenEstimator(LogisticRegression().fit(s[:, None].numpy(), y))
    theirs = CalibratedClassifierCV(base, method="sigmoid", ensemble=False)
    theirs.fit(s[:, None].numpy(), y)
    decision = torch.from_numpy(base.decision_function(s[:, None].numpy()))
    expected = theirs.predict_proba(s[:, None].numpy())[:, 1]
    np.testing.assert_allclose(Platt.fit(decision, y)(decision), expected, atol=1e-4)


def test_platt_stays_finite_on_separable_scores_and_does_not_depend_on_their_scale():
    s, y = torch.tensor([-2.0, -1.0, 1.0, 2.0]), torch.tensor([0, 0, 1, 1])
    small, large = Platt.fit(s, y), Platt.fit(1e6 * s, y)
    assert 0 < small.slope < 100
    torch.testing.assert_close(small(s), large(1e6 * s))


@examples
@given(st.integers(0, 10_000), st.integers(1, 60), st.booleans())
def test_isotonic_equals_scikit_learn_ties_and_extrapolation_included(seed, n, rounded):
    s, y = scores(n=n, seed=seed)
    s = (2 * s).round() / 2 if rounded else s
    new = torch.linspace(-4, 4, 200, dtype=torch.float64)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(s.numpy(), y.numpy())
    ours = Isotonic.fit(s, y)(new)
    np.testing.assert_allclose(ours, theirs.predict(new.numpy()), atol=1e-9)
    assert (ours.diff() >= -1e-12).all()


def test_histogram_binning_announces_the_observed_frequencies():
    p = torch.tensor([0.1, 0.2, 0.3, 0.9], dtype=torch.float64)
    fitted = HistogramBinning.fit(p, torch.tensor([0, 1, 1, 1]), n_bins=4)
    assert fitted.values.tolist() == [0.5, 1.0, 0.625, 1.0]  # le troisième est vide : son milieu
    assert fitted(p).tolist() == [0.5, 0.5, 1.0, 1.0]
    assert expected_calibration_error(fitted(p), torch.tensor([0, 1, 1, 1]), n_bins=4) == 0


@pytest.mark.parametrize("adaptive", [False, True])
def test_every_binary_method_approaches_the_known_curve(adaptive):
    world = KnownEta(slope=0.5, intercept=0.8)
    d = world.sample(20_000, generator=generator())
    p = torch.linspace(0.02, 0.98, 99, dtype=torch.float64)
    target = world.calibration_curve(p)
    histogram = HistogramBinning.fit(d.eta_hat, d.y, adaptive=adaptive)
    estimates = {
        "platt": (Platt.fit(d.eta_hat.logit(), d.y)(p.logit()), 0.02),
        "isotonic": (Isotonic.fit(d.eta_hat, d.y)(p), 0.06),
        "histogram": (histogram(p), 0.06),
    }
    for name, (estimate, tolerance) in estimates.items():
        assert (estimate - target).abs().mean() < tolerance, name


@pytest.mark.parametrize("method", [Temperature, VectorScaling])
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.tensor([[math.inf, 0.0]]), torch.tensor([0]), "NaN ou des infinis"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "hors de 0 … 2"),
        (torch.zeros(2, 3), torch.tensor([0]), "une étiquette par prédiction"),
        (torch.zeros(0, 3), torch.zeros(0).long(), "non vide"),
    ],
)
def test_bad_logits_are_refused(method, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        method.fit(logits, labels)


@pytest.mark.parametrize("method", [Platt, Isotonic, HistogramBinning])
def test_bad_scores_are_refused(method):
    with pytest.raises(ValueError, match="forme"):
        method.fit(torch.rand(4, 2), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(ValueError, match="hors de 0 … 1"):
        method.fit(torch.rand(2), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="NaN"):
        method.fit(torch.tensor([0.1, math.nan]), torch.tensor([0, 1]))
