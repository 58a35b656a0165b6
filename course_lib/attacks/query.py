"""Attaque par requêtes seules : Square Attack, qui ne voit que les scores du modèle."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real
from course_lib.attacks import _validation as check
from course_lib.attacks._validation import Model, margin

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # sur 10 000 requêtes


class QueryResult(NamedTuple):
    """Entrées (N, C, H, W) et nombre de requêtes (N,) dépensées pour chacune."""

    x: Tensor
    n_queries: Tensor


def square_attack(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    epsilon: float | Tensor,
    n_queries: int = 500,
    fraction: float = 0.8,
    generator: torch.Generator,
) -> QueryResult:
    """Attaque ℓ∞ sans gradient : essayer des carrés de ±ε, garder ceux qui aident.

    Départ : des bandes verticales de ±ε. À chaque requête, un carré tiré au hasard prend la valeur
    ±ε (une par canal) ; on le garde s'il augmente ``margin``. Le carré couvre d'abord une part
    ``fraction`` de l'image, puis cette part est divisée par deux aux dates de l'article. Une
    image trompée ne coûte plus de requête. ``n_queries`` est le budget de chaque image.

    **Formes** : ``x`` (N, C, H, W) dans [0 ; 1], ``y`` (N,) int64 → ``QueryResult``.
    **Lève** : ``ValueError`` si une entrée sort de son domaine ou si ``generator`` manque.
    **Réf.** : andriushchenko2020square

    >>> model = lambda x: torch.stack([x.sum((1, 2, 3)), 4.8 - x.sum((1, 2, 3))], dim=1)
    >>> x, rng = torch.full((1, 1, 2, 2), 0.7), torch.Generator().manual_seed(0)
    >>> result = square_attack(model, x, torch.tensor([0]), epsilon=0.2, generator=rng)
    >>> bool(model(result.x).argmax() == 1)
    True
    """
    x, radius = check.inputs(x), check.ball_radius(epsilon, x)
    if x.ndim != 4:
        raise ValueError(f"Attendu des images (N, C, H, W) ; reçu la forme {tuple(x.shape)}.")
    check_count(n_queries, name="n_queries")
    check_generator(generator)
    if check_real(fraction, name="fraction", minimum=0.0, strict=True) > 1:
        raise ValueError(f"fraction est une part de l'image, de ]0 ; 1] ; reçu {fraction!r}.")
    with check.attacking(model), torch.no_grad():
        delta = radius * _signs((len(x), x.shape[1], 1, x.shape[3]), generator, x)
        best = (x + delta).clamp(0, 1)
        value = margin(check.logits_of(model, best), y)
        spent = torch.ones(len(x), dtype=torch.int64, device=x.device)
        for query in range(1, n_queries):
            active = (value <= 0).nonzero()[:, 0]
            if not len(active):
                break
            side = _side(query, n_queries, fraction, x.shape[2:])
            squares = _draw_squares(x[active], side, generator)  # (M, 1, H, W)
            noise = radius[active] * _signs((len(active), x.shape[1], 1, 1), generator, x)
            trial = torch.where(squares, x[active] + noise, best[active]).clamp(0, 1)
            new = margin(check.logits_of(model, trial), y[active])
            kept = new > value[active]
            best[active[kept]], value[active[kept]] = trial[kept], new[kept]
            spent[active] += 1
    return QueryResult(best, spent)


def _side(query: int, n_queries: int, fraction: float, size: torch.Size) -> int:
    """Côté du carré à cette requête, en pixels."""
    date = query * 10_000 / n_queries
    area = fraction / 2 ** sum(date > halving for halving in HALVINGS) * math.prod(size)
    return min(max(round(math.sqrt(area)), 1), *size)


def _draw_squares(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Masque (N, 1, H, W) d'un carré par image, à une place uniforme."""
    inside = []
    for length in x.shape[2:]:
        start = torch.randint(length - side + 1, (len(x), 1), generator=generator).to(x.device)
        position = torch.arange(length, device=x.device)
        inside.append((position >= start) & (position < start + side))  # (N, longueur)
    rows, columns = inside
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _signs(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return (2 * torch.randint(2, shape, generator=generator) - 1).to(like)
