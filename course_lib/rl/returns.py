"""Retours actualisés et avantages : ce qui suit une action, compté jusqu'à la fin ou à la coupure.

Une **fin** (``terminated``) annule l'avenir ; une **coupure** (``truncated``) arrête seulement de
le regarder : on y amorce par la valeur de l'observation qui suivait.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib._checks import check_real


def discounted_returns(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor, *, gamma: float
) -> Tensor:
    """Rend le retour actualisé de chaque pas, amorcé là où l'on a cessé de regarder.

    G[t] = r[t] après une fin, r[t] + γ V(s[t+1]) à une coupure ou au dernier pas, sinon
    r[t] + γ G[t+1]. Pour ne rien amorcer : ``next_values`` nul.

    **Formes** : quatre tenseurs (T, ...), par exemple (T, N) pour N environnements ;
    ``next_values[t]`` est la valeur de l'observation **atteinte** par le pas t, avant toute remise
    à zéro ; fins et coupures booléennes ; ``gamma`` dans [0 ; 1] → (T, ...).

    **Lève** : ``ValueError`` si les formes ou les types diffèrent, ou si ``gamma`` sort de [0 ; 1].

    **Réf.** : sutton2018reinforcement, pardo2018time

    >>> never = torch.tensor([False, False])
    >>> discounted_returns(torch.ones(2), torch.tensor([0.0, 8.0]), never, never, gamma=0.5)
    tensor([3.5000, 5.0000])
    """
    _check_same((rewards, next_values, next_values, terminated, truncated), gamma=gamma)
    cut = truncated.clone()
    cut[-1] = True
    paid, zero = rewards + gamma * next_values * (cut & ~terminated), torch.zeros_like(rewards)
    return gae(paid, zero, zero, terminated, truncated, gamma=gamma, lambda_=1.0)


def gae(
    rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor,
    *, gamma: float, lambda_: float,
) -> Tensor:  # fmt: skip
    """Estime l'avantage de chaque action : somme des erreurs TD à venir, pesées par (γλ)ᵏ.

    δ[t] = r[t] + γ V(s[t+1]) − V(s[t]), sans le terme en γ après une fin ;
    A[t] = δ[t] + γλ A[t+1], sans le terme en γλ après une fin **ou** une coupure.

    **Formes** : comme ``discounted_returns`` ; ``values`` (T, ...) valeurs V(s[t]) ; ``lambda_``
    dans [0 ; 1] : 0 rend δ, 1 le retour amorcé moins la valeur → (T, ...).

    **Lève** : ``ValueError`` si les formes ou les types diffèrent, ou si un facteur sort de [0 ; 1].

    **Réf.** : schulman2016gae

    >>> end = torch.tensor([False, True])
    >>> gae(torch.ones(2), torch.ones(2), torch.ones(2), end, ~end & False, gamma=1, lambda_=0.5)
    tensor([1., 0.])
    """
    tensors = (rewards, values, next_values, terminated, truncated)
    _check_same(tensors, gamma=gamma, lambda_=lambda_)
    delta = rewards + gamma * next_values * ~terminated - values  # (T, ...)
    carry = gamma * lambda_ * (~(terminated | truncated)).to(delta.dtype)  # (T, ...)
    advantages, following = torch.empty_like(delta), torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        following = delta[t] + carry[t] * following
        advantages[t] = following
    return advantages


def _check_same(tensors: tuple[Tensor, ...], **factors: float) -> None:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    kinds = [t.is_floating_point() for t in tensors[:3]] + [
        t.dtype == torch.bool for t in tensors[3:]
    ]
    if len(set(shapes)) > 1 or not shapes[0] or not shapes[0][0] or not all(kinds):
        raise ValueError(
            "Attendu des tenseurs (T, ...) de même forme, T ≥ 1 : récompenses et valeurs flottantes, "
            f"fins et coupures booléennes ; reçu {[(tuple(t.shape), str(t.dtype)) for t in tensors]}."
        )
    for name, factor in factors.items():
        if check_real(factor, name=name, minimum=0) > 1:
            raise ValueError(f"{name} doit être dans [0 ; 1], reçu {factor!r}.")
