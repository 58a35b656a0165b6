"""Retours et avantages : définitions naïves, identités en λ, biais d'une coupure prise pour une fin."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.rl.returns import discounted_returns, gae

examples = settings(max_examples=30, deadline=None)


def naive_gae(r, v, v_next, terminated, truncated, gamma, lambda_):
    """La somme de la définition, pas à pas, sans récurrence."""
    result = torch.zeros_like(r)
    for t in range(len(r)):
        for n in range(r.shape[1]):
            factor = 1.0
            for k in range(t, len(r)):
                future = 0.0 if terminated[k, n] else gamma * v_next[k, n]
                result[t, n] += factor * (r[k, n] + future - v[k, n])
                if terminated[k, n] or truncated[k, n]:
                    break
                factor *= gamma * lambda_
    return result


@st.composite
def trajectories(draw):
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 3)))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    numbers = torch.randn(3, *shape, generator=rng, dtype=torch.float64)
    ends = torch.rand(2, *shape, generator=rng) < draw(st.sampled_from([0.0, 0.2, 1.0]))
    return (*numbers, *ends)


@examples
@given(trajectories(), st.floats(0, 1), st.floats(0, 1))
def test_gae_equals_the_naive_sum(case, gamma, lambda_):
    expected = naive_gae(*case, gamma, lambda_)
    torch.testing.assert_close(gae(*case, gamma=gamma, lambda_=lambda_), expected)


@examples
@given(trajectories(), st.floats(0, 1))
def test_lambda_zero_is_the_td_error_and_lambda_one_the_return_minus_the_value(case, gamma):
    r, v, v_next, terminated, truncated = case
    delta = r + gamma * torch.where(terminated, 0.0, v_next) - v
    torch.testing.assert_close(gae(*case, gamma=gamma, lambda_=0.0), delta)
    going_on = ~(terminated | truncated)[:-1]
    v_next[:-1] = torch.where(going_on, v[1:], v_next[:-1])  # l'état atteint est le suivant
    returns = discounted_returns(r, v_next, terminated, truncated, gamma=gamma)
    advantages = gae(r, v, v_next, terminated, truncated, gamma=gamma, lambda_=1.0)
    torch.testing.assert_close(advantages, returns - v)


def test_returns_follow_the_definition_and_never_cross_an_episode():
    r = torch.tensor([1.0, 2.0, 4.0, 8.0])
    end = torch.tensor([False, True, False, False])
    nothing, never = torch.zeros(4), torch.zeros(4, dtype=torch.bool)
    returns = discounted_returns(r, nothing, end, never, gamma=0.5)
    assert returns.tolist() == [1 + 0.5 * 2, 2.0, 4 + 0.5 * 8, 8.0]


def test_confusing_a_truncation_with_an_end_biases_the_value():
    """Récompense 1 à chaque pas, pour toujours, γ = 0,9 : la valeur est 10 ; on coupe à 5 pas."""
    truncated = torch.tensor([False] * 4 + [True])
    never, reward, value = torch.zeros(5, dtype=torch.bool), torch.ones(5), torch.full((5,), 10.0)
    right = discounted_returns(reward, value, never, truncated, gamma=0.9)
    torch.testing.assert_close(right, value)
    wrong = discounted_returns(reward, value, truncated, truncated, gamma=0.9)
    torch.testing.assert_close(wrong[0], torch.tensor((1 - 0.9**5) / 0.1))
    assert bool((wrong < 5).all())


def test_bad_shapes_types_and_factors_are_refused():
    x, flag = torch.ones(3), torch.zeros(3, dtype=torch.bool)
    with pytest.raises(ValueError, match="même forme"):
        gae(x, x, torch.ones(2), flag, flag, gamma=0.9, lambda_=0.9)
    with pytest.raises(ValueError, match="booléennes"):
        gae(x, x, x, x, flag, gamma=0.9, lambda_=0.9)
    with pytest.raises(ValueError, match="T ≥ 1"):
        discounted_returns(x[:0], x[:0], flag[:0], flag[:0], gamma=0.9)
    with pytest.raises(ValueError, match="lambda_"):
        gae(x, x, x, flag, flag, gamma=0.9, lambda_=1.5)
