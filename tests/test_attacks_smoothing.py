"""Tests de course_lib.attacks.smoothing : votes, borne de Clopper-Pearson, rayon certifié."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from course_lib.attacks import certify, lower_confidence_bound, pgd, smoothed_counts
from course_lib.models import MLP
from course_lib.runtime import make_generator, set_seed


def half_space(d=5, seed=0):
    weights = torch.randn(d, generator=make_generator(seed))
    offset = 0.5 * weights.sum()

    def model(x):
        score = x @ weights - offset
        return torch.stack([0 * score, score], dim=1)

    x = torch.rand(30, d, generator=make_generator(seed + 1))
    signed = (x @ weights - offset) / weights.norm()
    return model, x, signed


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 400), share=st.floats(0, 1), alpha=st.floats(1e-4, 0.4))
def test_the_bound_is_the_one_of_scipy_and_lies_below_the_frequency(n, share, alpha):
    k = round(share * n)
    bound = lower_confidence_bound(torch.tensor([k]), n, alpha=alpha).item()
    exact = stats.binomtest(k, n, alternative="greater").proportion_ci(1 - alpha, method="exact")
    assert bound == pytest.approx(exact.low, abs=1e-9)
    assert 0 <= bound <= k / n + 1e-12


def test_the_bound_covers_the_true_probability_as_often_as_promised():
    p, n, alpha = 0.7, 60, 0.1
    hits = torch.arange(n + 1)
    weights = torch.from_numpy(stats.binom.pmf(hits.numpy(), n, p))
    covered = weights[lower_confidence_bound(hits, n, alpha=alpha) <= p].sum()
    assert 1 - alpha <= covered <= 1 - alpha / 3  # garantie, sans être vide


def test_unanimity_gives_the_root_of_the_risk():
    assert lower_confidence_bound(torch.tensor([50]), 50, alpha=0.01).item() == pytest.approx(
        0.01 ** (1 / 50)
    )


def test_counts_follow_the_normal_law_of_a_half_space():
    model, x, signed = half_space()
    counts = smoothed_counts(model, x, sigma=0.4, n_samples=4000, generator=make_generator(0))
    assert (counts.sum(dim=1) == 4000).all()
    expected = torch.distributions.Normal(0.0, 1.0).cdf(signed / 0.4)
    torch.testing.assert_close(counts[:, 1] / 4000, expected, atol=0.035, rtol=0)


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_the_certified_radius_of_a_half_space_is_just_below_the_distance(sigma):
    model, x, signed = half_space()
    result = certify(model, x, sigma=sigma, n_estimation=20_000, generator=make_generator(0))
    sure = result.prediction >= 0
    assert sure.float().mean() > 0.7
    assert torch.equal(result.prediction[sure], (signed > 0).long()[sure])
    assert (result.radius[sure] <= signed.abs()[sure] + 1e-6).all()
    near = sure & (signed.abs() < 2 * sigma)  # plus loin, le nombre de tirages plafonne le rayon
    assert near.any()
    assert (result.radius[near] >= signed.abs()[near] - 0.15 * sigma).all()
    assert (result.radius[~sure] == 0).all()


def test_no_certified_point_is_attacked_inside_its_radius():
    set_seed(0)
    model = MLP([6, 32, 3], activation=nn.Tanh)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(4)
    x, sigma = torch.rand(40, 6, generator=make_generator(0)), 0.3
    result = certify(model, x, sigma=sigma, n_estimation=2000, generator=make_generator(1))
    sure = result.prediction >= 0
    assert sure.sum() >= 10
    noise = sigma * torch.randn(64, 1, 6, generator=make_generator(2))

    def soft_vote(x):
        return model((x + noise).flatten(0, 1)).softmax(1).unflatten(0, (64, -1)).mean(0).log()

    points, answers, radius = x[sure], result.prediction[sure], result.radius[sure].float()
    flips = []
    for factor in (0.999, 8.0):
        x_adv = pgd(soft_vote, points, answers, epsilon=factor * radius, norm="l2")
        votes = smoothed_counts(model, x_adv, sigma=sigma, n_samples=4000,
                                generator=make_generator(3))  # fmt: skip
        flips.append((votes.argmax(1) != answers).sum().item())
    assert flips[0] == 0
    assert flips[1] > 0  # l'attaque n'est pas inoffensive


def test_an_undecided_vote_abstains():
    def undecided(x):
        side = (x[:, 0] > 0.5).float()
        return torch.stack([side, 1 - side], dim=1)

    result = certify(undecided, torch.full((4, 2), 0.5), sigma=0.2, generator=make_generator(0))
    assert (result.prediction == -1).all()
    assert (result.radius == 0).all()


def test_more_draws_never_depend_on_the_block_and_the_generator_decides():
    model, x, _ = half_space()
    first, again, other = (
        smoothed_counts(model, x, sigma=0.3, n_samples=700, generator=make_generator(s))
        for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.sum(1) == 700).all()  # 700 × 30 entrées : plusieurs blocs


def test_the_model_keeps_its_mode():
    set_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train()
    smoothed_counts(model, torch.rand(2, 4), sigma=0.1, n_samples=5, generator=make_generator(0))
    assert model.training


POINT = torch.full((1, 3), 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0}, "sigma"),
        ({"sigma": math.nan}, "sigma"),
        ({"alpha": 1.0}, "alpha"),
        ({"alpha": 0}, "alpha"),
        ({"n_estimation": 0}, "n_samples"),
        ({"generator": None}, "make_generator"),
        ({"x": POINT + 1}, r"\[0 ; 1\]"),
        ({"x": POINT[0]}, "ajoutez un axe"),
    ],
)
def test_bad_arguments_are_refused_in_french(options, message):
    arguments = {"x": POINT, "sigma": 0.1, "generator": make_generator(0)} | options
    with pytest.raises(ValueError, match=message):
        certify(lambda x: x, arguments.pop("x"), **arguments)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="hits"):
        lower_confidence_bound(torch.tensor([11]), 10, alpha=0.1)
