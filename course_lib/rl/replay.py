"""Mémoire de rejeu : les transitions passées, gardées puis tirées au hasard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from course_lib._checks import check_count, check_generator


class Transitions(NamedTuple):
    """Des transitions (s, a, r, s′, fin), une par ligne : tableaux en mémoire, tenseurs tirés.

    **Formes** : ``obs`` et ``next_obs`` (B, …) ; ``actions`` (B,) int64 ; ``rewards`` (B,) float32 ;
    ``terminated`` (B,) bool, vrai si s′ est un état **final**, faux si l'épisode a seulement été
    coupé (``truncated``) : alors s′ a encore une valeur, et la cible s'en sert.
    """

    obs: np.ndarray | torch.Tensor
    actions: np.ndarray | torch.Tensor
    rewards: np.ndarray | torch.Tensor
    next_obs: np.ndarray | torch.Tensor
    terminated: np.ndarray | torch.Tensor


class ReplayMemory:
    """Tampon circulaire de transitions : la plus récente chasse la plus ancienne.

    **Formes** : ``capacity`` ≥ 1 transitions ; observations de forme ``obs_shape`` et de type
    ``dtype`` (uint8 pour des images : quatre fois moins de mémoire que float32).

    **Lève** : ``ValueError`` si ``capacity`` < 1, si les champs ajoutés n'ont pas tous la même
    longueur ou la forme annoncée, si ``terminated`` n'est pas booléen, si l'on tire d'une mémoire
    vide ou si ``generator`` manque.

    **Réf.** : lin1992self, mnih2015human

    >>> memory = ReplayMemory(3, (2,))
    >>> fields = np.zeros((4, 2)), np.arange(4), np.zeros(4), np.ones((4, 2)), np.zeros(4, bool)
    >>> memory.add(*fields)
    >>> len(memory), sorted(memory.data.actions.tolist())
    (3, [1, 2, 3])
    """

    def __init__(self, capacity: int, obs_shape: Sequence[int], *, dtype=np.float32) -> None:
        n = self.capacity = check_count(capacity, name="capacity")
        shapes = ((n, *obs_shape), n, n, (n, *obs_shape), n)
        dtypes = (dtype, np.int64, np.float32, dtype, bool)
        self.data = Transitions(*map(np.zeros, shapes, dtypes))
        self._n_added = 0

    def __len__(self) -> int:
        return min(self._n_added, self.capacity)

    def add(self, obs, actions, rewards, next_obs, terminated) -> None:
        """Range B transitions, champs (B, …) ; ``terminated`` n'est vrai que pour une vraie fin."""
        fields = Transitions(*map(np.asarray, (obs, actions, rewards, next_obs, terminated)))
        n = len(fields.obs)
        wanted = [(n, *column.shape[1:]) for column in self.data]
        if [field.shape for field in fields] != wanted or fields.terminated.dtype != bool:
            received = [(field.shape, str(field.dtype)) for field in fields]
            raise ValueError(f"Formes attendues : {wanted}, la fin en bool ; reçu {received}.")
        first = max(0, n - self.capacity)  # plus tôt, une ligne serait écrite deux fois
        rows = (self._n_added + np.arange(first, n)) % self.capacity
        for column, field in zip(self.data, fields, strict=True):
            column[rows] = field[first:]
        self._n_added += n

    def sample(self, batch_size: int, *, generator: torch.Generator) -> Transitions:
        """Tire ``batch_size`` transitions (des tenseurs), uniformément et avec remise."""
        check_count(batch_size, name="batch_size")
        check_generator(generator)
        if len(self) == 0:
            raise ValueError("La mémoire est vide : appeler add() avant sample().")
        rows = torch.randint(len(self), (batch_size,), generator=generator).numpy()
        return Transitions(*(torch.from_numpy(column[rows]) for column in self.data))
