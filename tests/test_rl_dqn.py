"""DQN : cibles à la main, réseau cible exact, semi-gradient, fins et coupures, apprentissage."""

import copy

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.rl.dqn import q_targets, td_loss, train_dqn, update_target
from course_lib.rl.replay import Transitions

examples = settings(max_examples=40, deadline=None)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class Loop(gymnasium.Env):
    """Un seul état, deux actions : l'action 1 paie 0,2. Coupé tous les ``length`` pas.

    Sans coupure, la valeur est 0,2 / (1 − γ). ``confused`` annonce la coupure comme une fin.
    """

    observation_space = spaces.Box(0, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, length=5, confused=False):
        self.length, self.confused = length, confused

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n_steps = 0
        return np.ones(1, np.float32), {}

    def step(self, action):
        self.n_steps += 1
        cut = self.n_steps == self.length
        return np.ones(1, np.float32), 0.2 * action, cut and self.confused, cut, {}


class Corridor(gymnasium.Env):
    """Quatre cases ; à droite de la dernière, +1 et la partie est finie."""

    observation_space = spaces.Box(0, 1, (4,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(4))
        return np.eye(5, 4, dtype=np.float32)[self.place], {}

    def step(self, action):
        self.place = max(0, self.place + 2 * int(action) - 1)
        over = self.place == 4
        return np.eye(5, 4, dtype=np.float32)[self.place], float(over), over, False, {}


def vector(make, n=4, mode=AutoresetMode.SAME_STEP):
    return SyncVectorEnv([make] * n, autoreset_mode=mode)


def hand_target(r, end, q, q_online, gamma):
    if end:
        return r
    best = max(range(len(q_online)), key=lambda a: q_online[a])
    return r + gamma * q[best]


@examples
@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 999), st.floats(0, 1), st.booleans())
def test_targets_equal_the_formula_by_hand(n, n_actions, seed, gamma, double):
    q, online = torch.randn(2, n, n_actions, generator=rng(seed), dtype=torch.float64)
    r = torch.randn(n, generator=rng(seed + 1), dtype=torch.float64)
    end = torch.rand(n, generator=rng(seed + 2)) < 0.5
    chooser = online if double else q
    y = q_targets(r, end, q, gamma=gamma, next_q_online=online if double else None)
    rows = zip(r.tolist(), end.tolist(), q.tolist(), chooser.tolist(), strict=True)
    assert y.tolist() == pytest.approx([hand_target(*row, gamma) for row in rows])


def test_double_never_exceeds_the_plain_target():
    q, online = torch.randn(2, 500, 6, generator=rng(3))
    r, end = torch.zeros(500), torch.zeros(500, dtype=torch.bool)
    plain = q_targets(r, end, q, gamma=0.9)
    double = q_targets(r, end, q, gamma=0.9, next_q_online=online)
    assert (double <= plain).all()
    assert (double < plain).any()


def test_the_target_network_moves_exactly_by_tau():
    slow, fast = nn.Linear(3, 2), nn.Linear(3, 2)
    before = [p.clone() for p in slow.parameters()]
    goal = [p.clone() for p in fast.parameters()]
    update_target(slow, fast, tau=0.25)
    for now, old, new in zip(slow.parameters(), before, goal, strict=True):
        torch.testing.assert_close(now, 0.75 * old + 0.25 * new)
    for now, new in zip(fast.parameters(), goal, strict=True):
        assert torch.equal(now, new)
    update_target(slow, fast)
    for now, new in zip(slow.parameters(), goal, strict=True):
        assert torch.equal(now, new)
        assert now.data_ptr() != new.data_ptr()


def some_batch(n=6):
    obs, after = torch.randn(2, n, 3, generator=rng(7))
    actions = torch.randint(2, (n,), generator=rng(8))
    return Transitions(obs, actions, torch.ones(n), after, torch.arange(n) == 0)


@pytest.mark.parametrize("double", [False, True])
def test_the_loss_is_the_huber_of_the_error_and_no_gradient_crosses_the_target(double):
    online, target = nn.Linear(3, 2), nn.Linear(3, 2)
    batch = some_batch()
    loss = td_loss(batch, online, target, gamma=0.9, double=double)
    loss.backward()
    gradient = online.weight.grad.clone()
    assert target.weight.grad is None
    with torch.no_grad():
        chooser = online(batch.next_obs) if double else None
        y = q_targets(batch.rewards, batch.terminated, target(batch.next_obs), gamma=0.9,
                      next_q_online=chooser)  # fmt: skip
    online.zero_grad()
    q = online(batch.obs)[torch.arange(6), batch.actions]
    error = (q - y).abs()
    huber = torch.where(error < 1, error**2 / 2, error - 0.5).mean()
    torch.testing.assert_close(loss, huber)
    huber.backward()
    torch.testing.assert_close(online.weight.grad, gradient)


def test_without_a_target_network_the_target_is_still_a_label():
    network = nn.Linear(3, 2)
    batch = some_batch()
    td_loss(batch, network, network, gamma=0.9).backward()
    frozen = copy.deepcopy(network)
    gradient = network.weight.grad.clone()
    network.zero_grad()
    td_loss(batch, network, frozen, gamma=0.9).backward()
    torch.testing.assert_close(network.weight.grad, gradient)


def value_of_the_loop(confused, gamma=0.8, length=5):
    network = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(network.weight)
    train_dqn(
        vector(lambda: Loop(length, confused)), network, n_updates=600, generator=rng(1),
        gamma=gamma, lr=0.05, batch_size=64, warmup=400, target_period=10,
    )  # fmt: skip
    return network.weight.max().item()


def test_taking_a_cut_for_an_end_biases_the_value():
    """Exact : r/(1 − γ) ; confondu, une transition sur 5 perd sa suite : r/(1 − γ(1 − 1/5)).

    r = 0,2 : les écarts restent sous 1, où la perte de Huber est quadratique et vise la moyenne.
    """
    right, wrong = 0.2 / (1 - 0.8), 0.2 / (1 - 0.8 * 0.8)
    assert value_of_the_loop(False) == pytest.approx(right, rel=0.03)
    assert value_of_the_loop(True) == pytest.approx(wrong, rel=0.06)


def train_corridor(seed, **options):
    torch.manual_seed(seed)
    network = nn.Linear(4, 2)
    settled = {"gamma": 0.5, "lr": 0.02, "batch_size": 32, "warmup": 100, "target_period": 20}
    scores = train_dqn(
        vector(Corridor), network, n_updates=500, generator=rng(seed), **{**settled, **options}
    )
    return network, scores


@pytest.mark.parametrize("options", [{}, {"double": True}, {"target_period": 1, "tau": 0.1}])
def test_it_learns_the_exact_values_of_a_corridor(options):
    q = train_corridor(0, **options)[0](torch.eye(4)).detach()
    expected = torch.tensor([0.125, 0.25, 0.5, 1.0])  # γ puissance la distance
    torch.testing.assert_close(q[:, 1], expected, atol=0.04, rtol=0)
    assert (q.argmax(dim=1) == 1).all()


def test_the_same_seed_trains_the_same_network_and_another_one_does_not():
    first, second, third = (train_corridor(seed)[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_each_piece_changes_what_is_learned():
    plain = train_corridor(0)[0].weight
    for options in ({"double": True}, {"target_period": None}, {"capacity": 8}):
        assert not torch.equal(plain, train_corridor(0, **options)[0].weight), options


def test_scores_are_those_of_the_finished_games():
    scores = train_corridor(0)[1]
    assert len(scores) > 50
    assert set(scores) == {1.0}
    called = []
    network = nn.Linear(1, 2)
    games = train_dqn(vector(Loop, n=2), network, n_updates=10, generator=rng(), warmup=10,
                      batch_size=4, epsilons=(0.0, 0.0), on_update=called.append)  # fmt: skip
    assert called == list(range(1, 11))
    assert len(games) == 2 * 3  # 5 pas de hasard puis 10 appris, deux parties de 5 pas de front
    assert all(0 <= score <= 1 + 1e-9 for score in games)


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_a_bad_discount_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma"):
        q_targets(torch.ones(1), torch.zeros(1).bool(), torch.ones(1, 2), gamma=gamma)


def test_bad_targets_are_refused_in_french():
    r, end, q = torch.ones(2), torch.zeros(2).bool(), torch.ones(2, 3)
    for wrong in ((r[:1], end, q, None), (r, end.float(), q, None), (r, end, q, q[:, :2])):
        with pytest.raises(ValueError, match=r"Attendu \(B,\)"):
            q_targets(*wrong[:3], gamma=0.9, next_q_online=wrong[3])


def test_bad_training_settings_are_refused_in_french():
    network = nn.Linear(1, 2)
    with pytest.raises(ValueError, match="SAME_STEP"):
        train_dqn(vector(Loop, mode=AutoresetMode.NEXT_STEP), network, n_updates=1, generator=rng())
    with pytest.raises(ValueError, match="n_updates"):
        train_dqn(vector(Loop), network, n_updates=0, generator=rng())
    with pytest.raises(ValueError, match="generator"):
        train_dqn(vector(Loop), network, n_updates=1, generator=None)
    for tau in (0.0, 1.5):
        with pytest.raises(ValueError, match="tau"):
            update_target(network, network, tau=tau)
