"""Apprentissage Q profond : cibles, réseau cible et boucle d'entraînement (DQN et Double DQN)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor, nn

from course_lib._checks import check_count, check_generator, check_real
from course_lib.rl.replay import ReplayMemory, Transitions


def q_targets(
    rewards: Tensor, terminated: Tensor, next_q: Tensor, *, gamma: float,
    next_q_online: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Rend les cibles y = r + γ · Q⁻(s′, a*), et y = r quand s′ est final.

    DQN choisit a* = argmax Q⁻(s′, ·) ; Double DQN, si ``next_q_online`` est donné, choisit avec le
    réseau en ligne, a* = argmax Q(s′, ·), et évalue avec le réseau cible.

    **Formes** : ``rewards`` (B,) ; ``terminated`` (B,) bool, jamais ``truncated`` ; ``next_q`` et
    ``next_q_online`` (B, A), valeurs de s′ → (B,) ; ``gamma`` dans [0 ; 1].

    **Lève** : ``ValueError`` si les formes ne vont pas ensemble, si ``terminated`` n'est pas
    booléen ou si ``gamma`` sort de [0 ; 1].

    **Réf.** : mnih2015human, vanhasselt2016deep

    >>> q = torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    >>> q_targets(torch.ones(2), torch.tensor([False, True]), q, gamma=0.5)
    tensor([2.5000, 1.0000])
    """
    if check_real(gamma, name="gamma", minimum=0.0) > 1:
        raise ValueError(f"gamma doit être au plus 1, reçu {gamma!r}.")
    chooser = next_q if next_q_online is None else next_q_online
    if terminated.dtype != torch.bool or not (
        rewards.shape == terminated.shape == next_q.shape[:1] and chooser.shape == next_q.shape
    ):
        shapes = [tuple(t.shape) for t in (rewards, terminated, next_q, chooser)]
        raise ValueError(f"Attendu (B,), (B,) booléen, (B, A) et (B, A) ; reçu {shapes}.")
    chosen = chooser.argmax(dim=1, keepdim=True)  # (B, 1)
    return rewards + gamma * next_q.gather(1, chosen)[:, 0] * ~terminated


def update_target(target: nn.Module, online: nn.Module, *, tau: float = 1.0) -> None:
    """Rapproche le réseau cible du réseau en ligne : θ⁻ ← (1 − τ) θ⁻ + τ θ.

    ``tau`` = 1 : copie dure (DQN) ; petit, à chaque pas : copie lissée.

    **Lève** : ``ValueError`` si ``tau`` sort de ]0 ; 1].

    **Réf.** : mnih2015human, lillicrap2016continuous

    >>> slow, fast = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> update_target(slow, fast); bool(slow.weight == fast.weight)
    True
    """
    if check_real(tau, name="tau", minimum=0.0, strict=True) > 1:
        raise ValueError(f"tau doit être au plus 1, reçu {tau!r}.")
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
            slow.lerp_(fast, tau)


def td_loss(
    batch: Transitions, network: nn.Module, target: nn.Module, *, gamma: float, double: bool = False
) -> Tensor:
    """Perte de Huber (seuil 1) entre Q(s, a) et sa cible, sans gradient à travers la cible.

    **Formes** : réseaux (B, …) float32 → (B, A) ; rend un scalaire, moyenne sur le lot.

    **Réf.** : mnih2015human

    >>> one = torch.ones(2, 1)
    >>> batch = Transitions(one, torch.zeros(2).long(), torch.zeros(2), one, torch.ones(2) > 0)
    >>> td_loss(batch, nn.Identity(), nn.Identity(), gamma=0.9)
    tensor(0.5000)
    """
    with torch.no_grad():  # semi-gradient : la cible est traitée comme une étiquette
        after = batch.next_obs.float()
        online = network(after) if double else None
        y = q_targets(
            batch.rewards, batch.terminated, target(after), gamma=gamma, next_q_online=online
        )
    q = network(batch.obs.float()).gather(1, batch.actions[:, None])[:, 0]  # (B,)
    return nn.functional.smooth_l1_loss(q, y)


def train_dqn(
    envs: gymnasium.vector.VectorEnv, network: nn.Module, *, n_updates: int,
    generator: torch.Generator, gamma: float = 0.95, lr: float = 3e-3, batch_size: int = 128,
    capacity: int = 20_000, warmup: int = 1_000, target_period: int | None = 50, tau: float = 1.0,
    double: bool = False, epsilons: tuple[float, float] = (1.0, 0.05), exploration: float = 0.3,
    on_update: Callable[[int], None] | None = None,
) -> list[float]:  # fmt: skip
    """Entraîne ``network`` à jouer et rend les scores des parties finies, dans l'ordre.

    Après ``warmup`` transitions jouées au hasard, chaque mise à jour suit un pas de toutes les
    parties. Politique ε-gloutonne : ε descend en ligne droite de ``epsilons[0]`` à ``epsilons[1]``
    pendant la part ``exploration`` des mises à jour. Perte de Huber, Adam. Le réseau cible est
    rapproché toutes les ``target_period`` mises à jour (None : pas de réseau cible). Une
    ``capacity`` égale au nombre de parties supprime le rejeu. ``on_update(k)`` suit la mise à jour k.

    **Formes** : ``envs`` vectorisé, actions discrètes, ``AutoresetMode.SAME_STEP`` ; ``network`` :
    (B, …) float32 → (B, A).

    **Lève** : ``ValueError`` si ``envs`` ne recommence pas une partie dans le pas qui la finit, ou
    si un réglage sort de son domaine.

    **Réf.** : mnih2013playing, mnih2015human, vanhasselt2016deep

    >>> make = lambda: gymnasium.make("CartPole-v1")
    >>> mode = AutoresetMode.SAME_STEP
    >>> envs = gymnasium.vector.SyncVectorEnv([make], autoreset_mode=mode)
    >>> rng = torch.Generator().manual_seed(0)
    >>> len(train_dqn(envs, nn.Linear(4, 2), n_updates=3, warmup=100, generator=rng)) > 0
    True
    """
    check_count(n_updates, name="n_updates")
    check_generator(generator)
    if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
        raise ValueError("envs doit être créé avec autoreset_mode=AutoresetMode.SAME_STEP.")
    target = network if target_period is None else copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    space, scores = envs.single_observation_space, []
    memory = ReplayMemory(capacity, space.shape, dtype=space.dtype)
    play = _play(envs, network, memory, scores, generator)
    next(play)
    for _ in range(math.ceil(warmup / envs.num_envs)):
        play.send(1.0)
    for k in range(1, n_updates + 1):
        progress = min(1.0, k / max(1.0, exploration * n_updates))
        play.send(epsilons[0] + progress * (epsilons[1] - epsilons[0]))
        batch = memory.sample(batch_size, generator=generator)
        optimizer.zero_grad()
        td_loss(batch, network, target, gamma=gamma, double=double).backward()
        optimizer.step()
        if target_period is not None and k % target_period == 0:
            update_target(target, network, tau=tau)
        if on_update is not None:
            on_update(k)
    return scores


def _play(envs, network, memory, scores, generator):
    """Coroutine : à chaque ε reçu, joue un pas de toutes les parties et range les transitions."""
    n = envs.num_envs
    obs, _ = envs.reset(seed=int(torch.randint(2**31, (1,), generator=generator)))
    totals = np.zeros(n)
    while True:
        epsilon = yield
        random = torch.randint(int(envs.single_action_space.n), (n,), generator=generator)
        with torch.no_grad():
            greedy = network(torch.as_tensor(obs).float()).argmax(dim=1)
        explores = torch.rand(n, generator=generator) < epsilon
        actions = torch.where(explores, random, greedy).numpy()
        after, rewards, terminated, truncated, info = envs.step(actions)
        ended, last = terminated | truncated, after.copy()
        if ended.any():  # ``after`` y est déjà le début d'une autre partie : reprendre la vraie fin
            last[ended] = np.stack(info["final_obs"][ended])
        memory.add(obs, actions, rewards, last, terminated)
        totals += rewards
        scores.extend(totals[ended].tolist())
        totals[ended], obs = 0, after
