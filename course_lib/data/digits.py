"""Chiffres manuscrits réels de l'UCI, en 8×8, livrés avec scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import sklearn.datasets
import torch

from course_lib.data.splits import Splits, split


def load_digits(
    *, generator: torch.Generator, fractions: Sequence[float] = (0.6, 0.2, 0.2)
) -> Splits:
    """Charge les 1 797 chiffres de l'UCI, mélangés et découpés en ensembles stratifiés.

    Les pixels d'origine, entiers de 0 à 16, sont ramenés dans [0 ; 1].

    **Formes** : ``x`` (N, 1, 8, 8) float32, ``y`` (N,) int64, de 0 à 9.
    **Lève** : ``ValueError`` si ``fractions`` ou ``generator`` ne conviennent pas.
    **Réf.** : alpaydin1998digits

    >>> load_digits(generator=torch.Generator()).train.x.shape
    torch.Size([1078, 1, 8, 8])
    """
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    x = torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16
    y = torch.from_numpy(labels).long()
    return split(x, y, fractions=fractions, generator=generator)
