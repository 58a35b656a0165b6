"""Acteur-critique : lois, récolte, pertes PPO et A2C contre des calculs indépendants."""

import math

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from course_lib.rl.policy import ActorCritic, Collector, clipped_loss, improve

BOX = spaces.Box(-1, 1, (3,))


class Counter(gymnasium.Env):
    """L'observation compte les pas ; coupé (ou terminé) au troisième ; récompense 1."""

    observation_space = spaces.Box(0, 10, (1,))
    action_space = spaces.Box(-1, 1, (1,))

    def __init__(self, ends=False):
        self.ends, self.played = ends, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.t += 1
        self.played.append(float(action[0]))
        done = self.t == 3
        observation = np.full(1, self.t, np.float32)
        return observation, 1.0, done and self.ends, done and not self.ends, {}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def agent(action_space, seed=0, observation_space=BOX):
    torch.manual_seed(seed)
    return ActorCritic(observation_space, action_space, hidden=16)


def test_probabilities_and_entropies_equal_torch_distributions():
    x = torch.randn(7, 3, generator=generator())
    model = agent(spaces.Discrete(4))
    actions = torch.tensor([0, 1, 2, 3, 0, 1, 2])
    law = torch.distributions.Categorical(logits=model.actor(x))
    log_probs, entropy, _ = model.evaluate(x, actions)
    torch.testing.assert_close(log_probs, law.log_prob(actions))
    torch.testing.assert_close(entropy, law.entropy())
    model = agent(spaces.Box(-2, 2, (2,)))
    model.log_std.data = torch.tensor([-0.5, 0.3])
    actions = torch.randn(7, 2, generator=generator(1))
    law = torch.distributions.Normal(model.actor(x), model.log_std.exp())
    log_probs, entropy, _ = model.evaluate(x, actions)
    torch.testing.assert_close(log_probs, law.log_prob(actions).sum(-1))
    torch.testing.assert_close(entropy, law.entropy().sum(-1))


def test_actions_follow_the_law_and_the_seed():
    model = agent(spaces.Discrete(3))
    model.actor[-1].bias.data = torch.tensor([0.0, 1.0, 2.0])
    x = torch.zeros(20_000, 3)
    drawn = model.act(x, generator=generator())
    frequency = torch.bincount(drawn) / len(x)
    torch.testing.assert_close(frequency, model.actor(x[0]).softmax(0).detach(), atol=0.012, rtol=0)
    assert torch.equal(drawn, model.act(x, generator=generator()))
    assert set(model.act(x).tolist()) == {2}  # sans générateur : la plus probable
    model = agent(spaces.Box(-2, 2, (1,)))
    drawn = model.act(x, generator=generator()) - model.actor(x)
    assert abs(drawn.mean().item()) < 0.03
    assert abs(drawn.std().item() - 1) < 0.03


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("ends", [False, True])
def test_a_rollout_keeps_the_last_observation_and_skips_the_resets(mode, ends):
    envs = SyncVectorEnv([lambda: Counter(ends)] * 2, autoreset_mode=mode)
    model = agent(envs.single_action_space, observation_space=envs.single_observation_space)
    collector = Collector(envs, model, generator=generator())
    first, second = collector.collect(5), collector.collect(3)  # deux récoltes qui se suivent
    data = [torch.cat(pair) for pair in zip(first, second, strict=True)]
    x, _, rewards, reached, terminated, truncated, valid = data
    assert torch.equal(reached[valid], x[valid] + 1)  # jamais l'observation du nouvel épisode
    done = (terminated, truncated)[not ends]
    assert torch.equal(done, (reached[..., 0] == 3) & valid)
    assert not (terminated, truncated)[ends].any()
    assert valid.sum() == collector.n_steps == (12 if mode == AutoresetMode.NEXT_STEP else 16)
    assert torch.equal(rewards, valid.float())
    assert [total for _, total in collector.finished] == [3.0] * 4
    assert all(abs(a) <= 1 for env in envs.envs for a in env.played)  # écrêtées avant de jouer


def test_clipped_loss_equals_the_hand_computation():
    ratio = torch.tensor([1.5, 1.5, 0.6, 0.6, 1.1], dtype=torch.float64)
    gains = torch.tensor([2.0, -2.0, 2.0, -2.0, 1.0], dtype=torch.float64)
    log_probs = ratio.log().requires_grad_()
    loss = clipped_loss(log_probs, torch.zeros(5), gains, clip=0.2)
    by_hand = -(1.2 * 2 - 1.5 * 2 + 0.6 * 2 - 0.8 * 2 + 1.1) / 5
    assert loss.item() == pytest.approx(by_hand)
    (gradient,) = torch.autograd.grad(loss, log_probs)
    expected = -torch.tensor([0.0, 1.5 * -2, 0.6 * 2, 0.0, 1.1], dtype=torch.float64) / 5
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("clip", [0.2, math.inf])
def test_at_ratio_one_the_gradient_is_that_of_a2c(clip):
    log_probs = torch.randn(9, generator=generator()).requires_grad_()
    gains = torch.randn(9, generator=generator(1))
    ppo = torch.autograd.grad(
        clipped_loss(log_probs, log_probs.detach(), gains, clip=clip), log_probs
    )
    a2c = torch.autograd.grad(-(gains * log_probs).mean(), log_probs)
    torch.testing.assert_close(ppo, a2c)


def cartpole_agent(seed, *, n_rollouts, **options):
    envs = gymnasium.make_vec("CartPole-v1", num_envs=8, vectorization_mode="vector_entry_point")
    torch.manual_seed(seed)
    model = ActorCritic(envs.single_observation_space, envs.single_action_space)
    collector = Collector(envs, model, generator=generator(seed))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(n_rollouts):
        improve(model, optimizer, collector.collect(64), generator=generator(seed), **options)
    return model, [total for _, total in collector.finished]


def test_ppo_learns_to_balance_and_is_reproducible():
    options = {"n_epochs": 4, "batch_size": 128, "clip": 0.2, "n_rollouts": 24}
    model, returns = cartpole_agent(0, **options)
    assert np.mean(returns[:20]) < 40
    assert np.mean(returns[-20:]) > 80
    twin, _ = cartpole_agent(0, **options)
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def test_without_bootstrap_the_critic_sees_no_future_beyond_a_cut():
    values = {}
    for bootstrap in (True, False):
        envs = SyncVectorEnv([Counter] * 8, autoreset_mode=AutoresetMode.SAME_STEP)
        model = agent(envs.single_action_space, observation_space=envs.single_observation_space)
        collector = Collector(envs, model, generator=generator())
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(150):
            data = collector.collect(6)
            improve(model, optimizer, data, generator=generator(), gamma=0.8, bootstrap=bootstrap)
        values[bootstrap] = model.value(torch.tensor([2.0])).item()  # le pas d'avant la coupure
    assert abs(values[False] - 1.0) < 0.3  # une seule récompense, croit-il
    assert values[True] > 2.0  # vers 1 / (1 − γ) = 5


def test_unsupported_spaces_and_reset_modes_are_refused():
    with pytest.raises(ValueError, match="Box"):
        ActorCritic(spaces.Discrete(3), spaces.Discrete(2))
    with pytest.raises(ValueError, match="Discrete"):
        ActorCritic(BOX, spaces.MultiBinary(2))
    envs = SyncVectorEnv([Counter], autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="SAME_STEP"):
        Collector(envs, agent(envs.single_action_space), generator=generator())
