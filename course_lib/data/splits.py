"""Découpage stratifié en ensembles d'entraînement, de validation et de test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib._checks import check_float_tensor, check_generator, check_real


class Split(NamedTuple):
    """Un ensemble d'exemples : entrées ``x`` (float32) et cibles ``y`` (int64 pour des classes).

    **Formes** : ``x`` (N, …), ``y`` (N,) pour des classes, (N, 1) pour une régression.
    Le nombre d'exemples est ``data.x.shape[0]`` (``len(data)`` vaut toujours 2, un couple).

    >>> Split(torch.zeros(3, 2), torch.tensor([0, 1, 0])).x.shape[0]
    3
    """

    x: Tensor
    y: Tensor


class Splits(NamedTuple):
    """Les trois ensembles disjoints d'un même jeu : ``train``, ``validation`` et ``test``.

    >>> x, y = torch.zeros(10, 2), torch.arange(10) % 2
    >>> [part.x.shape[0] for part in split(x, y, generator=torch.Generator())]
    [6, 2, 2]
    """

    train: Split
    validation: Split
    test: Split


def split(
    x: Tensor,
    y: Tensor,
    *,
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
    generator: torch.Generator,
) -> Splits:
    """Mélange les exemples et les répartit en trois ensembles, chaque classe en mêmes proportions.

    Les tailles sont exactes à l'arrondi près ; une cible flottante (régression) forme une seule
    strate.

    **Formes** : ``x`` (N, …) flottant, ``y`` (N,) entier ou (N, …) flottant ; ``fractions`` :
    trois nombres de somme 1.
    **Lève** : ``ValueError`` si les formes, les types ou les fractions ne conviennent pas, ou si un
    ensemble demandé (fraction non nulle) serait vide.
    **Réf.** : hastie2009elements

    >>> parts = split(torch.rand(100, 2), torch.arange(100) % 4, generator=torch.Generator())
    >>> parts.train.y.bincount().tolist()
    [15, 15, 15, 15]
    """
    _check_pair(x, y)
    check_generator(generator)
    sizes = _part_sizes(x.shape[0], fractions)
    shuffled = torch.randperm(x.shape[0], generator=generator)  # (N,)
    strata = torch.zeros(x.shape[0]) if y.is_floating_point() else y.cpu()[shuffled]
    by_class = torch.argsort(strata, stable=True)  # classe par classe, au hasard dans chacune
    part = torch.empty(x.shape[0], dtype=torch.long)
    part[by_class] = _interleaved_parts(sizes)
    indices = [shuffled[part == k] for k in range(3)]
    return Splits(*(Split(x[i], y[i]) for i in indices))


def _interleaved_parts(sizes: list[int]) -> Tensor:
    """Suite (N,) de numéros 0, 1, 2 où tout tronçon contient les trois ensembles en proportion."""
    keys = torch.cat(
        [(torch.arange(size, dtype=torch.float64) + 0.5) / max(size, 1) for size in sizes]
    )
    parts = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    return parts[torch.argsort(keys, stable=True)]


def _part_sizes(n: int, fractions: Sequence[float]) -> list[int]:
    """Trois tailles entières de somme ``n``, au plus près des fractions."""
    if len(fractions) != 3:
        raise ValueError(
            "fractions doit donner trois nombres (entraînement, validation, test), "
            f"reçu {fractions!r}."
        )
    values = [check_real(f, name="chaque fraction", minimum=0.0) for f in fractions]
    if abs(sum(values) - 1) > 1e-6:
        raise ValueError(
            "les fractions doivent avoir pour somme 1, "
            f"reçu {fractions!r}, de somme {sum(values):g}."
        )
    edges = [round(n * sum(values[:k])) for k in range(3)] + [n]
    sizes = [stop - start for start, stop in pairwise(edges)]
    if any(size == 0 and value > 1e-6 for size, value in zip(sizes, values, strict=True)):
        raise ValueError(
            f"{n} exemple(s) ne suffisent pas pour les fractions {fractions!r} (tailles {sizes}) : "
            "donner plus d'exemples, ou une fraction nulle à l'ensemble inutile."
        )
    return sizes


def _check_pair(x: Tensor, y: Tensor) -> None:
    """Refuse des entrées et des cibles qui ne vont pas ensemble."""
    check_float_tensor(x, name="x")
    if not isinstance(y, Tensor) or y.dtype == torch.bool or y.is_complex():
        received = f"un tenseur {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"y doit être un tenseur entier (classes) ou flottant, reçu {received}.")
    if y.ndim == 0 or y.shape[0] != x.shape[0]:
        raise ValueError(
            "x et y doivent avoir autant d'exemples, "
            f"reçu les formes {tuple(x.shape)} et {tuple(y.shape)}."
        )
    if y.is_floating_point():
        check_float_tensor(y, name="y")
    elif y.ndim != 1:
        raise ValueError(
            f"les classes y doivent être de forme (N,), reçu {tuple(y.shape)} : "
            "appeler y.flatten()."
        )
