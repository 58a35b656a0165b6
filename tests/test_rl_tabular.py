"""Méthodes tabulaires : programme linéaire, résolution directe, contraction, apprentissages."""

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from course_lib.rl.gridworld import GridWorld
from course_lib.rl.tabular import (
    epsilon_greedy,
    evaluate_policy,
    q_learning,
    sarsa,
    value_iteration,
)

examples = settings(max_examples=30, deadline=None)
MAZE = ["S.#G", "..#.", "....", "P..."]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def model(slip=0.2, **options):
    options = {"step_reward": -0.1, "rewards": {"G": 5.0, "P": -5.0}, **options}
    return GridWorld(MAZE, slip=slip, **options)


@st.composite
def processes(draw):
    """Un processus de décision quelconque : P (S, A, S), R (S, A), fins (S,)."""
    n_states, n_actions = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    P = rng.dirichlet(np.full(n_states, 0.5), size=(n_states, n_actions))
    return P, rng.normal(size=(n_states, n_actions)), rng.random(n_states) < 0.3


def linear_programme(P, R, gamma, terminal):
    n_states = len(R)
    left = (gamma * P - np.eye(n_states)[:, None]).reshape(-1, n_states)
    left, right = left[np.repeat(~terminal, R.shape[1])], -R[~terminal].ravel()
    bounds = [(0, 0) if end else (None, None) for end in terminal]
    if terminal.all():
        return np.zeros(n_states)
    return linprog(np.ones(n_states), A_ub=left, b_ub=right, bounds=bounds).x


@examples
@given(processes(), st.sampled_from([0.0, 0.5, 0.9]))
def test_value_iteration_equals_the_linear_programme(process, gamma):
    P, R, terminal = process
    plan = value_iteration(P, R, gamma=gamma, terminal=terminal)
    np.testing.assert_allclose(
        plan.values, linear_programme(P, R, gamma, terminal), atol=1e-6, rtol=1e-6
    )
    assert (plan.values[terminal] == 0).all()


@examples
@given(processes(), st.sampled_from([0.0, 0.5, 0.9]))
def test_the_greedy_policy_has_the_optimal_values(process, gamma):
    P, R, terminal = process
    plan = value_iteration(P, R, gamma=gamma, terminal=terminal)
    values = evaluate_policy(P, R, plan.policy, gamma=gamma, terminal=terminal)
    np.testing.assert_allclose(values, plan.values, atol=1e-8)
    np.testing.assert_allclose(plan.q.max(axis=1), plan.values, atol=1e-9)


@examples
@given(processes(), st.sampled_from([0.3, 0.9]))
def test_the_error_is_below_the_stopping_bound(process, gamma):
    P, R, terminal = process
    exact = value_iteration(P, R, gamma=gamma, terminal=terminal, tolerance=1e-12).values
    rough = value_iteration(P, R, gamma=gamma, terminal=terminal, tolerance=0.05)
    assert np.abs(rough.values - exact).max() <= 0.05 + 1e-9


def test_a_smaller_tolerance_takes_the_sweeps_that_the_contraction_predicts():
    P, R = np.ones((1, 1, 1)), np.ones((1, 1))
    sweeps = [value_iteration(P, R, gamma=0.9, tolerance=10.0**-k).n_sweeps for k in (2, 6)]
    assert sweeps[1] - sweeps[0] == pytest.approx(4 * np.log(10) / -np.log(0.9), abs=1)


def test_policy_evaluation_equals_the_mean_of_simulated_returns():
    env, rng, returns = model(), np.random.default_rng(0), []
    P, R, terminal = env.transitions()
    exact = evaluate_policy(P, R, np.full(R.shape, 0.25), gamma=0.9, terminal=terminal)[0]
    env.reset(seed=0)
    for _ in range(2000):
        env.reset()
        total, weight, done = 0.0, 1.0, False
        while not done:
            _, reward, terminated, truncated, _ = env.step(int(rng.integers(4)))
            total, weight = total + weight * reward, 0.9 * weight
            done = terminated or truncated
        returns.append(total)
    assert abs(np.mean(returns) - exact) < 4 * np.std(returns) / 2000**0.5


def test_the_cliff_is_solved_without_discount():
    P, R, terminal = GridWorld.cliff().transitions()
    plan = value_iteration(P, R, gamma=1, terminal=terminal)
    assert plan.values[36] == -13
    np.testing.assert_array_equal(plan.values[24:36], np.arange(-12.0, 0.0))


def test_a_policy_may_be_given_as_actions_or_as_probabilities():
    P, R, terminal = model().transitions()
    policy = np.arange(len(R)) % 4
    both = [
        evaluate_policy(P, R, pi, gamma=0.8, terminal=terminal)
        for pi in (policy, np.eye(4)[policy])
    ]
    np.testing.assert_array_equal(*both)


def test_epsilon_greedy_shares_epsilon_and_splits_ties():
    q = np.array([[1.0, 3.0, 3.0, 0.0], [5.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        epsilon_greedy(q, 0.2), [[0.05, 0.45, 0.45, 0.05], [0.85, 0.05, 0.05, 0.05]]
    )
    np.testing.assert_allclose(epsilon_greedy(q, 1.0), 0.25)


def test_q_learning_reaches_q_star_even_when_it_only_plays_at_random():
    env = model()
    P, R, terminal = env.transitions()
    plan = value_iteration(P, R, gamma=0.9, terminal=terminal)
    run = q_learning(
        env, n_episodes=3000, gamma=0.9, lr=lambda k: k**-0.7, epsilon=1, generator=generator()
    )
    errors = np.abs(run.q - plan.q)[~terminal]
    assert np.median(errors) < 0.1
    assert errors.max() < 0.6  # un couple rarement visité


def test_sarsa_reaches_the_values_of_the_policy_that_it_plays():
    env = model()
    P, R, terminal = env.transitions()
    V = evaluate_policy(P, R, np.full(R.shape, 0.25), gamma=0.9, terminal=terminal)
    run = sarsa(
        env, n_episodes=3000, gamma=0.9, lr=lambda k: k**-0.7, epsilon=1, generator=generator()
    )
    np.testing.assert_allclose(run.q[~terminal], (R + 0.9 * P @ V)[~terminal], atol=0.4)


def test_without_exploration_noise_one_update_is_the_formula():
    """Une seule transition, en trois cases : la cible de chaque méthode, à la main."""
    q = np.array([[0.0, 9.0, 0.0, 0.0], [4.0, 1.0, 1.0, 1.0], [0.0] * 4])
    env = GridWorld(["S.G"], max_steps=1)
    for method in (q_learning, sarsa):
        run = method(env, n_episodes=1, gamma=0.5, lr=0.1, epsilon=0, generator=generator(), q=q)
        assert run.q[0, 1] == pytest.approx(9 + 0.1 * (-1 + 0.5 * 4 - 9))
        assert q[0, 1] == 9.0  # le point de départ n'est pas modifié


def test_the_two_targets_differ_only_by_the_action_that_will_be_played():
    q = np.array([[0.0] * 4, [8.0, 0.0, 0.0, 0.0], [0.0] * 4])
    env = GridWorld(["S.G"], max_steps=1)
    options = {"n_episodes": 1, "gamma": 1, "lr": 1, "epsilon": 1, "q": q}
    found = {sarsa: set(), q_learning: set()}
    for seed in range(60):
        for method, values in found.items():
            run = method(env, **options, generator=generator(seed))
            values.add(float(run.q[0, 1]))
    assert found[q_learning] == {0.0, 7.0}  # 0 : une autre action a été jouée
    assert found[sarsa] == {0.0, 7.0, -1.0}


class TruncationIsAnEnd(gymnasium.Wrapper):
    """La faute : rendre une troncature comme une fin."""

    def step(self, action):
        state, reward, terminated, truncated, info = self.env.step(action)
        return state, reward, terminated or truncated, False, info


@pytest.mark.parametrize(("method", "tolerance"), [(q_learning, 0.8), (sarsa, 0.2)])
def test_bootstrapping_after_a_truncation_removes_the_bias_of_confusing_it_with_an_end(
    method, tolerance
):
    """Le maximum de quatre estimations bruitées surestime un peu : tolérance plus large pour Q."""
    env = GridWorld(["S"], step_reward=1.0, max_steps=10)
    options = {"n_episodes": 1500, "gamma": 0.9, "lr": lambda k: k**-0.6, "epsilon": 1}
    right = method(env, **options, generator=generator()).q.mean()
    wrong = method(TruncationIsAnEnd(env), **options, generator=generator()).q.mean()
    assert right == pytest.approx(10, abs=0.15)
    assert wrong == pytest.approx(1 / (1 - 0.9 * 0.9), abs=tolerance)


def test_optimistic_values_explore_without_any_randomness():
    env = GridWorld(["S......G"], step_reward=0.0, rewards={"G": 1.0})
    run = q_learning(env, n_episodes=30, gamma=0.9, lr=1, epsilon=0, q=1.0, generator=generator())
    assert run.lengths[-1] == 7
    np.testing.assert_allclose(run.q[np.arange(7), 1], 0.9 ** np.arange(6, -1, -1))


@pytest.mark.parametrize("method", [q_learning, sarsa])
def test_the_same_generator_gives_the_same_learning_and_counts_what_happened(method):
    options = {"n_episodes": 25, "gamma": 1, "lr": 0.5, "epsilon": lambda k: 0.5 / (k + 1)}
    runs = [method(GridWorld.cliff(slip=0.1), **options, generator=generator(s)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].q, runs[1].q)
    assert (runs[0].q != runs[2].q).any()
    assert runs[0].returns.shape == runs[0].lengths.shape == (25,)
    falls = -(runs[0].returns + runs[0].lengths) / 99
    np.testing.assert_allclose(falls, falls.round())


@pytest.mark.parametrize(
    "change",
    [
        {"gamma": 1.2}, {"lr": 2}, {"epsilon": -0.1}, {"n_episodes": 0}, {"generator": 3},
        {"q": np.zeros((2, 2))}, {"env": gymnasium.make("CartPole-v1")},
    ],
)  # fmt: skip
def test_bad_settings_of_a_learning_are_refused(change):
    good = {"env": model(), "n_episodes": 1, "gamma": 1, "lr": 1, "epsilon": 0}
    options = {**good, "generator": generator(), **change}
    with pytest.raises(ValueError, match="reçu"):
        q_learning(options.pop("env"), **options)


def test_bad_models_and_policies_are_refused():
    P, R, _ = model().transitions()
    for arguments, options in [
        ((P[:, :, :3], R), {"gamma": 0.5}), ((P * 2, R), {"gamma": 0.5}), ((P, R), {"gamma": 1.5}),
        ((P, R), {"gamma": 0.5, "terminal": np.zeros(2)}),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match="gamma|attendus"):
            value_iteration(*arguments, **options)
    with pytest.raises(ValueError, match="probabilités"):
        evaluate_policy(P, R, np.full(R.shape, 0.3), gamma=0.5)
    with pytest.raises(ValueError, match="fin"):
        evaluate_policy(P, R, np.zeros(len(R), dtype=int), gamma=1)
    with pytest.raises(ValueError, match="suffi"):
        value_iteration(np.ones((1, 1, 1)), np.ones((1, 1)), gamma=1, max_sweeps=50)
    with pytest.raises(ValueError, match="epsilon"):
        epsilon_greedy(R, 1.5)
