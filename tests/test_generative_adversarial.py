"""Jeux antagonistes : pertes contre leurs formes closes, pénalité exacte, équilibre BEGAN."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.generative import (
    began_step,
    critic_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)

examples = settings(max_examples=30, deadline=None)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def test_discriminator_loss_is_the_binary_cross_entropy_with_targets_one_and_zero():
    real, fake = normal(7), normal(5, seed=1)
    expected = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    expected = expected + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    torch.testing.assert_close(discriminator_loss(real, fake), expected)


def test_an_undecided_discriminator_pays_two_ln_2():
    assert discriminator_loss(torch.zeros(3), torch.zeros(9)).item() == pytest.approx(
        2 * math.log(2)
    )


@examples
@given(st.floats(-30, 30))
def test_generator_losses_have_their_closed_forms_and_slopes(logit):
    a = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
    d = torch.sigmoid(a.detach()).item()
    slopes = {"saturating": -d, "non_saturating": d - 1, "wasserstein": -1.0}
    for kind, slope in slopes.items():
        (gradient,) = torch.autograd.grad(generator_loss(a, kind=kind), a)
        assert gradient.item() == pytest.approx(slope, abs=1e-8)  # softplus, linéaire dès 20
    assert generator_loss(a, kind="saturating").item() == pytest.approx(
        -math.log1p(math.exp(logit))
    )


def test_losses_stay_finite_for_extreme_logits():
    far = torch.tensor([-1e4, 1e4])
    assert discriminator_loss(far, far).isfinite()
    assert generator_loss(far, kind="saturating").isfinite()


def test_the_two_generator_losses_pull_the_logit_the_same_way_but_not_as_hard():
    rejected = torch.tensor([-8.0], requires_grad=True)
    pulls = [
        torch.autograd.grad(generator_loss(rejected, kind=kind), rejected)[0].item()
        for kind in ("saturating", "non_saturating")
    ]
    assert pulls[0] < 0 > pulls[1]
    assert pulls[1] / pulls[0] > 1000


def test_critic_loss_is_the_gap_between_the_two_means():
    assert critic_loss(torch.tensor([1.0, 3.0]), torch.tensor([7.0])).item() == 5.0


@pytest.mark.parametrize("weights", [[3.0, 4.0], [0.6, 0.8], [0.0, 0.0]])
def test_penalty_of_a_linear_critic_is_exactly_its_slope_minus_one_squared(weights):
    w = torch.tensor(weights, dtype=torch.float64)
    value = gradient_penalty(lambda x: x @ w, normal(6, 2), normal(6, 2, seed=1), generator=rng())
    assert value.item() == pytest.approx((w.norm().item() - 1) ** 2)


def test_penalty_of_a_quadratic_critic_lies_on_the_segments():
    real, fake = torch.full((500, 1), 2.0), torch.full((500, 1), 4.0)
    value = gradient_penalty(lambda x: x.square() / 2, real, fake, generator=rng())
    # ∇f = x̃, uniforme sur [2 ; 4] : E[(x̃ − 1)²] = (3³ − 1³) / 6
    assert value.item() == pytest.approx(26 / 6, rel=0.03)


def test_penalty_treats_each_image_and_each_network_of_a_batch_apart():
    real, fake = normal(4, 1, 3, 3), normal(4, 1, 3, 3, seed=1)
    value = gradient_penalty(lambda x: 2 * x.flatten(1).sum(1), real, fake, generator=rng())
    assert value.item() == pytest.approx((2 * 3 - 1) ** 2)  # ‖(2, …, 2)‖ = 2 √9
    slopes = torch.tensor([1.0, 3.0], dtype=torch.float64)[:, None, None]
    pair = gradient_penalty(
        lambda x: slopes * x,
        normal(2, 5, 1),
        normal(2, 5, 1, seed=1),
        batch_dims=2,
        generator=rng(),
    )
    assert pair.item() == pytest.approx((0 + 4) / 2)


def test_penalty_can_be_minimised_and_brings_the_slope_to_one():
    torch.manual_seed(0)
    critic, generator = nn.Linear(2, 1), rng()
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.05)
    real, fake = torch.randn(32, 2, generator=generator), torch.randn(32, 2, generator=generator)
    for _ in range(200):
        loss = gradient_penalty(critic, real, fake, generator=generator)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    assert critic.weight.norm().item() == pytest.approx(1, abs=0.01)


def test_penalty_sends_no_gradient_to_the_samples_and_repeats_with_the_same_seed():
    real, fake = normal(5, 2), normal(5, 2, seed=1).requires_grad_()
    critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    first, again = (gradient_penalty(critic, real, fake, generator=rng(3)) for _ in range(2))
    assert first.item() == again.item()
    first.backward()
    assert fake.grad is None
    assert critic[0].weight.grad.abs().sum() > 0


def test_began_raises_k_when_the_generator_is_too_good_and_lowers_it_otherwise():
    assert began_step(0.5, 1.0, 0.2, gamma=0.5, rate=0.1).k == pytest.approx(0.53)
    assert began_step(0.5, 1.0, 0.8, gamma=0.5, rate=0.1).k == pytest.approx(0.47)
    assert began_step(0.5, 1.0, 0.5, gamma=0.5, rate=0.1) == (0.5, 1.0)


@examples
@given(st.floats(0, 1), st.floats(0, 50), st.floats(0, 50), st.floats(0, 1), st.floats(0.001, 5))
def test_began_keeps_k_between_0_and_1_and_its_measure_above_the_real_loss(k, real, fake, g, rate):
    state = began_step(k, real, fake, gamma=g, rate=rate)
    assert 0 <= state.k <= 1
    assert state.measure >= real


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: generator_loss(torch.zeros(2), kind="hinge"), "choisissez parmi saturating"),
        (lambda: critic_loss(torch.zeros(2), torch.zeros(0)), "ne doit pas être vide"),
        (lambda: discriminator_loss(torch.zeros(2).long(), torch.zeros(2)), "flottant"),
        (lambda: began_step(1.5, 1.0, 1.0), "k doit être dans"),
        (lambda: began_step(0.5, -1.0, 1.0), "real_loss"),
        (
            lambda: gradient_penalty(nn.Identity(), normal(3, 2), normal(4, 2), generator=rng()),
            "même forme",
        ),
        (lambda: gradient_penalty(nn.Identity(), normal(3), normal(3), generator=rng()), "axe"),
        (
            lambda: gradient_penalty(
                nn.Identity(), normal(3, 1) / 0, normal(3, 1), generator=rng()
            ),
            "real contient des valeurs NaN",
        ),
        (lambda: gradient_penalty(nn.Identity(), normal(3, 1), normal(3, 1), generator=0), "torch"),
    ],
)
def test_bad_arguments_are_refused_in_french(call, message):
    with pytest.raises(ValueError, match=message):
        call()
