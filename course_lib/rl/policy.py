"""Apprendre la politique elle-même : réseau acteur-critique, récolte de pas, pertes A2C et PPO."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn

from course_lib._checks import check_count, check_generator
from course_lib.rl.returns import gae


class ActorCritic(nn.Module):
    """Deux perceptrons : l'acteur donne une loi sur les actions, le critique une valeur.

    Espace ``Discrete`` : loi catégorielle. Espace ``Box`` (D,) : D gaussiennes indépendantes, de
    moyenne calculée et d'écart-type appris mais constant ; une action échantillonnée peut sortir
    de l'espace, ``Collector`` l'écrête avant de la jouer.

    **Formes** : observations (..., O) ; actions (...) entières ou (..., D) réelles.

    **Lève** : ``ValueError`` si un espace n'est pas pris en charge.

    **Réf.** : sutton2000policy, mnih2016asynchronous

    >>> agent = ActorCritic(spaces.Box(-1, 1, (3,)), spaces.Discrete(2))
    >>> log_probs, entropy, values = agent.evaluate(torch.zeros(5, 3), torch.zeros(5).long())
    >>> values.shape
    torch.Size([5])
    """

    def __init__(self, observation_space, action_space, *, hidden: int = 64) -> None:
        super().__init__()
        self.discrete = isinstance(action_space, spaces.Discrete)
        boxes = (observation_space,) if self.discrete else (observation_space, action_space)
        if not all(isinstance(s, spaces.Box) and len(s.shape) == 1 for s in boxes):
            kinds = "observations Box (O,), actions Discrete ou Box (D,)"
            raise ValueError(f"Attendu {kinds} ; reçu {observation_space} et {action_space}.")
        n_inputs, n_outputs = observation_space.shape[0], spaces.flatdim(action_space)
        self.actor = _mlp(n_inputs, hidden, hidden, n_outputs, gain=0.01)
        self.critic = _mlp(n_inputs, hidden, hidden, 1, gain=1.0)
        self.log_std = None if self.discrete else nn.Parameter(torch.zeros(n_outputs))

    def value(self, observations: Tensor) -> Tensor:
        """Rend les valeurs estimées : (..., O) → (...)."""
        return self.critic(observations).squeeze(-1)

    def act(self, observations: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Tire une action par observation ; sans ``generator``, rend la plus probable."""
        output = self.actor(observations)  # (..., C) logits, ou (..., D) moyennes
        if generator is None:
            return output.argmax(-1) if self.discrete else output
        if not self.discrete:
            return output + self.log_std.exp() * torch.randn(output.shape, generator=generator)
        gumbel = -torch.empty_like(output).exponential_(generator=generator).log()
        return (output + gumbel).argmax(-1)  # tirage de Gumbel : suit softmax(logits)

    def evaluate(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rend ln π(a|s), l'entropie de π(·|s) en nats, et V(s), de forme (...)."""
        output, values = self.actor(observations), self.value(observations)
        if self.discrete:
            log_p = output.log_softmax(-1)  # (..., C)
            chosen = log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
            return chosen, -(log_p.exp() * log_p).sum(-1), values
        half = 0.5 * ((actions - output) / self.log_std.exp()) ** 2  # (..., D)
        constant = self.log_std + 0.5 * math.log(2 * math.pi)
        return -(half + constant).sum(-1), (0.5 + constant).sum().expand(values.shape), values


def _mlp(*sizes: int, gain: float) -> nn.Sequential:
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    for layer, scale in zip(layers, (2**0.5, 2**0.5, gain), strict=True):
        nn.init.orthogonal_(layer.weight, scale)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


class Rollout(NamedTuple):
    """T pas dans N environnements : chaque champ est (T, N), sauf ceux qui disent mieux.

    ``observations`` et ``next_observations`` (T, N, O) ; ``actions`` (T, N) ou (T, N, D) ;
    ``next_observations`` est ce que le pas a **atteint**, jamais l'observation d'un nouvel épisode ;
    ``valid`` est faux aux pas de remise à zéro, que l'apprentissage doit ignorer.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor
    truncated: Tensor
    valid: Tensor


class Collector:
    """Fait agir une politique dans N environnements, et reprend où la récolte précédente s'arrêtait.

    Deux remises à zéro automatiques de Gymnasium sont comprises. ``NEXT_STEP`` : le pas qui suit
    une fin ne joue pas, il est rendu ``valid`` = faux. ``SAME_STEP`` : l'observation rendue est
    déjà celle du nouvel épisode, la dernière de l'ancien est lue dans ``info["final_obs"]``.

    - ``finished`` : liste (numéro du pas, retour non actualisé) des épisodes achevés ;
      ``n_steps`` : pas réellement joués.

    **Lève** : ``ValueError`` si le mode de remise à zéro n'est pas l'un des deux.

    **Réf.** : towers2024gymnasium
    """

    def __init__(self, envs: VectorEnv, agent: ActorCritic, *, generator: torch.Generator) -> None:
        self._late = envs.metadata.get("autoreset_mode") == AutoresetMode.NEXT_STEP
        if not self._late and envs.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ValueError(f"{envs} : il faut une remise à zéro NEXT_STEP ou SAME_STEP.")
        self.envs, self.agent, self.generator = envs, agent, check_generator(generator)
        seed = int(torch.randint(2**31, (1,), generator=generator))
        self._observation = envs.reset(seed=seed)[0]  # (N, O)
        self._totals, self._resetting = np.zeros(envs.num_envs), np.zeros(envs.num_envs, bool)
        self.finished, self.n_steps = [], 0

    @torch.no_grad()
    def collect(self, n_steps: int) -> Rollout:
        """Joue ``n_steps`` pas dans chaque environnement et les rend, empilés."""
        steps = [self._step() for _ in range(check_count(n_steps, name="n_steps"))]
        return Rollout(*(torch.as_tensor(np.stack(field)) for field in zip(*steps, strict=True)))

    def _step(self) -> tuple:
        observation, valid = self._observation, ~self._resetting
        action = self.agent.act(torch.as_tensor(observation), generator=self.generator).numpy()
        space = self.envs.action_space
        played = action if self.agent.discrete else np.clip(action, space.low, space.high)
        self._observation, reward, terminated, truncated, info = self.envs.step(played)
        reached, done = self._observation.copy(), terminated | truncated
        if done.any() and not self._late:
            reached[done] = np.stack(info["final_obs"][done])
        self._resetting = done & self._late
        self.n_steps += int(valid.sum())
        self._totals += reward
        self.finished += [(self.n_steps, total) for total in self._totals[done].tolist()]
        self._totals[done] = 0.0
        return observation, action, np.float32(reward), reached, terminated, truncated, valid


def clipped_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, *, clip: float) -> Tensor:
    """Perte de l'acteur PPO : −moyenne de min(ρ A, écrêté(ρ, 1 − ε, 1 + ε) A), ρ = π / π_ancienne.

    **Formes** : ``log_probs``, ``old``, ``advantages`` (N,) ; ``clip`` = ε ; ``math.inf`` ne rogne
    rien, et là où ``log_probs`` = ``old`` le gradient est alors celui d'A2C → scalaire.

    **Réf.** : schulman2017proximal

    >>> clipped_loss(torch.tensor([0.7]), torch.tensor([0.0]), torch.tensor([1.0]), clip=0.2)
    tensor(-1.2000)
    """
    ratio = (log_probs - old).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()


def improve(
    agent: ActorCritic, optimizer: torch.optim.Optimizer, rollout: Rollout, *,
    generator: torch.Generator, gamma: float = 0.99, lambda_: float = 0.95, n_epochs: int = 1,
    batch_size: int | None = None, clip: float = math.inf, entropy_weight: float = 0.01,
    bootstrap: bool = True,
) -> None:  # fmt: skip
    """Améliore l'agent, à sa place, avec une récolte : A2C par défaut, PPO avec ``clip=0.2``.

    Avantages par GAE ; perte de l'acteur (``clipped_loss``, avantages centrés et réduits par lot),
    plus 0,5 fois l'erreur quadratique du critique, moins ``entropy_weight`` fois l'entropie ;
    norme du gradient bornée à 0,5. A2C : un passage sur toute la récolte. PPO : ``n_epochs``
    passages par lots de ``batch_size``, tirés de ``generator``.

    - ``bootstrap=False`` traite les coupures comme des fins : l'erreur que montre le chapitre.

    **Réf.** : mnih2016asynchronous, schulman2017proximal
    """
    with torch.no_grad():
        old, _, values = agent.evaluate(rollout.observations, rollout.actions)  # (T, N)
        following = agent.value(rollout.next_observations)
        ends = (rollout.terminated | (rollout.truncated & (not bootstrap)), rollout.truncated)
        gains = gae(rollout.rewards, values, following, *ends, gamma=gamma, lambda_=lambda_)
    fields = (rollout.observations, rollout.actions, old, gains, gains + values)
    data = [field[rollout.valid] for field in fields]  # (M, ...) : M pas réellement joués
    for _ in range(n_epochs):
        order = torch.randperm(len(data[0]), generator=generator)
        for batch in order.split(batch_size or len(order)):
            agent.zero_grad()
            _batch_loss(agent, *(field[batch] for field in data), clip, entropy_weight).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()


def _batch_loss(agent, observations, actions, old, gains, targets, clip, entropy_weight) -> Tensor:
    log_probs, entropy, values = agent.evaluate(observations, actions)
    scaled = (gains - gains.mean()) / (gains.std(correction=0) + 1e-8)
    actor = clipped_loss(log_probs, old, scaled, clip=clip)
    return actor + 0.5 * (values - targets).square().mean() - entropy_weight * entropy.mean()
