"""Bornes gaussiennes : formes closes, Monte-Carlo, modèle linéaire où ln p(x) est connu."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from course_lib.generative.gaussian import gaussian_kl, importance_bound

examples = settings(max_examples=40, deadline=None)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_posteriors(n, d, seed=0):
    rng = generator(seed)
    mean = 2 * torch.randn(n, d, generator=rng, dtype=torch.float64)
    return mean, torch.randn(n, d, generator=rng, dtype=torch.float64)


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(Wz, s² I) : ln p(x) et p(z | x) sont des formules."""

    def __init__(self, seed=0, n_x=4, n_z=2, noise=0.7):
        rng = generator(seed)
        self.weight = torch.randn(n_x, n_z, generator=rng, dtype=torch.float64)
        self.noise, eye = noise, torch.eye(n_z, dtype=torch.float64)
        self.covariance = torch.linalg.inv(eye + self.weight.T @ self.weight / noise**2)
        marginal = self.weight @ self.weight.T + noise**2 * torch.eye(n_x, dtype=torch.float64)
        self.marginal = MultivariateNormal(torch.zeros(n_x, dtype=torch.float64), marginal)
        z = torch.randn(12, n_z, generator=rng, dtype=torch.float64)
        noise_x = torch.randn(12, n_x, generator=rng, dtype=torch.float64)
        self.x = z @ self.weight.T + noise * noise_x  # (N, D)

    def posterior_mean(self):
        return self.x @ self.weight @ self.covariance / self.noise**2

    def log_weights(self, mean, log_var, k, seed=1):
        """ln p(x, z) − ln q(z | x), (K, N), pour q diagonale."""
        std = (0.5 * log_var).exp()
        noise = torch.randn(k, *mean.shape, generator=generator(seed), dtype=torch.float64)
        z = mean + std * noise  # (K, N, n_z)
        prior = Normal(0.0, 1.0).log_prob(z).sum(-1)
        likelihood = Normal(z @ self.weight.T, self.noise).log_prob(self.x).sum(-1)
        return prior + likelihood - Normal(mean, std).log_prob(z).sum(-1)


def test_kl_equals_torch_distributions():
    mean, log_var = random_posteriors(20, 5)
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl(mean, log_var, sum_dims=False), expected)
    torch.testing.assert_close(gaussian_kl(mean, log_var), expected.sum(1))


def test_kl_equals_its_monte_carlo_average():
    mean, log_var = random_posteriors(3, 2, seed=4)
    std = (0.5 * log_var).exp()
    z = mean + std * torch.randn(40_000, 3, 2, generator=generator(), dtype=torch.float64)
    ratio = (Normal(mean, std).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(-1)  # (K, N)
    error = 4 * ratio.std(0) / math.sqrt(len(z))
    assert ((ratio.mean(0) - gaussian_kl(mean, log_var)).abs() < error).all()


def test_kl_is_zero_only_at_the_standard_normal_and_precise_near_it():
    zero = torch.zeros(1, 3)
    assert gaussian_kl(zero, zero).item() == 0
    tiny = torch.full((1, 1), 1e-3)
    assert gaussian_kl(torch.zeros(1, 1), tiny).item() == pytest.approx(1e-6 / 4, rel=1e-2)
    assert gaussian_kl(zero, zero + 1).item() > 0
    assert gaussian_kl(zero, zero - 1).item() > 0


def test_gradient_of_the_kl_pulls_back_to_the_prior():
    mean, log_var = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, -1.0]])
    mean.requires_grad_(), log_var.requires_grad_()
    gaussian_kl(mean, log_var).sum().backward()
    torch.testing.assert_close(mean.grad, mean.detach())
    torch.testing.assert_close(log_var.grad, log_var.detach().expm1() / 2)


@examples
@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 999))
def test_kl_is_nonnegative_and_additive(n, d, seed):
    mean, log_var = random_posteriors(n, d, seed)
    terms = gaussian_kl(mean, log_var, sum_dims=False)
    assert terms.shape == (n, d)
    assert (terms >= 0).all()
    torch.testing.assert_close(terms.sum(1), gaussian_kl(mean, log_var))


def test_with_the_true_posterior_every_draw_gives_the_exact_log_likelihood():
    """Une seule dimension latente : q diagonale peut être la vraie loi a posteriori."""
    model = LinearGaussian(n_z=1)
    mean = model.posterior_mean()
    log_var = model.covariance.diagonal().log().expand_as(mean)
    exact = model.marginal.log_prob(model.x)
    for k in (1, 3):
        bound = importance_bound(model.log_weights(mean, log_var, k))
        torch.testing.assert_close(bound, exact)


def test_the_bound_rises_with_the_draws_towards_the_exact_log_likelihood():
    model = LinearGaussian()
    mean = model.posterior_mean() + 0.4
    log_var = torch.full_like(mean, -1.0)
    weights = model.log_weights(mean, log_var, 60_000)  # (K, N)
    exact = model.marginal.log_prob(model.x)
    averages = []
    for k in (1, 5, 50, 500):
        groups = weights.reshape(k, -1, len(exact))  # k tirages par groupe
        averages.append(importance_bound(groups, dim=0).mean(0))
    gaps = torch.stack([exact - average for average in averages])  # (4, N)
    assert (gaps[:-1] > gaps[1:]).all()
    assert (gaps[0] > 0.1).all()
    assert gaps[-1].abs().max() < 0.02


def test_the_gap_of_one_draw_is_the_divergence_to_the_true_posterior():
    model = LinearGaussian(seed=2)
    mean = model.posterior_mean() + 0.3
    log_var = torch.full_like(mean, -0.5)
    weights = model.log_weights(mean, log_var, 40_000)
    q = MultivariateNormal(mean, torch.diag_embed(log_var.exp()))
    gap = kl_divergence(q, MultivariateNormal(model.posterior_mean(), model.covariance))
    error = 4 * weights.std(0) / math.sqrt(len(weights))
    bound = importance_bound(weights[None], dim=0).mean(0)  # K = 1, moyenne des répétitions
    assert ((model.marginal.log_prob(model.x) - bound - gap).abs() < error).all()


@examples
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 999))
def test_the_bound_lies_between_the_mean_and_the_largest_weight(k, n, seed):
    weights = 300 * torch.randn(k, n, generator=generator(seed), dtype=torch.float64)
    bound = importance_bound(weights)
    assert (bound >= weights.mean(0) - 1e-9).all()
    assert (bound <= weights.amax(0) + 1e-9).all()
    torch.testing.assert_close(importance_bound(weights.T, dim=1), bound)
    torch.testing.assert_close(importance_bound(weights + 7), bound + 7)


def test_a_null_weight_counts_as_a_draw():
    weights = torch.tensor([[0.0], [-math.inf]])
    assert importance_bound(weights).item() == pytest.approx(-math.log(2))


@pytest.mark.parametrize(
    ("mean", "log_var", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 2), "même forme"),
        (torch.zeros(3), torch.zeros(3), "forme"),
        (torch.zeros(2, 3), torch.full((2, 3), math.nan), "log_var contient"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3), "mean"),
        (torch.zeros(0, 3), torch.zeros(0, 3), "vide"),
    ],
)
def test_gaussian_kl_refuses_bad_input(mean, log_var, message):
    with pytest.raises(ValueError, match=message):
        gaussian_kl(mean, log_var)


@pytest.mark.parametrize(
    ("weights", "dim", "message"),
    [
        ([0.0, 1.0], 0, "tenseur flottant"),
        (torch.zeros(2, dtype=torch.int64), 0, "tenseur flottant"),
        (torch.zeros(2, 3), 2, "axe 2"),
        (torch.zeros(0, 3), 0, "vide"),
        (torch.tensor([math.nan, 0.0]), 0, "NaN"),
        (torch.tensor([math.inf, 0.0]), 0, r"\+∞"),
    ],
)
def test_importance_bound_refuses_bad_input(weights, dim, message):
    with pytest.raises(ValueError, match=message):
        importance_bound(weights, dim=dim)
