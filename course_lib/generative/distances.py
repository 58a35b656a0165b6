"""Distances entre deux échantillons : Wasserstein à une et à D dimensions, énergie, modes."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog
from torch import Tensor

from course_lib._checks import check_float_tensor, check_real


def wasserstein_1d(x: Tensor, y: Tensor) -> float:
    """Rend W₁ entre deux échantillons de la droite : l'aire entre les fonctions de répartition.

    W₁ = ∫ |F_x(u) − F_y(u)| du, exactement, par un tri.

    **Formes** : ``x`` (N,), ``y`` (M,), tous les points de même poids dans chaque échantillon.

    **Lève** : ``ValueError`` si un échantillon n'est pas un vecteur fini et non vide.

    **Réf.** : villani2009optimal

    >>> wasserstein_1d(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0]))
    2.0
    """
    x, y = _as_points(x, 1, "x").sort().values, _as_points(y, 1, "y").sort().values
    cuts = torch.cat([x, y]).sort().values  # (N + M,)
    cdf_x, cdf_y = (torch.searchsorted(p, cuts, right=True).double() / len(p) for p in (x, y))
    return ((cdf_x - cdf_y)[:-1].abs() @ cuts.diff()).item()


def discrete_wasserstein(
    x: Tensor, y: Tensor, *, x_weights: Tensor | None = None, y_weights: Tensor | None = None
) -> tuple[float, Tensor]:
    """Rend W₁ entre deux lois discrètes et un plan optimal, par programme linéaire.

    Minimise Σᵢⱼ πᵢⱼ ‖xᵢ − yⱼ‖ sous πᵢⱼ ≥ 0, Σⱼ πᵢⱼ = poids de xᵢ, Σᵢ πᵢⱼ = poids de yⱼ. Sans
    poids et à effectifs égaux, c'est un problème d'affectation, résolu comme tel (plus vite).

    **Formes** : ``x`` (N, D), ``y`` (M, D) ; ``x_weights`` (N,), ``y_weights`` (M,) ≥ 0, de somme
    1 ; par défaut, tous égaux → distance ≥ 0 et plan (N, M) float64, dont les lignes somment aux
    poids de départ et les colonnes aux poids d'arrivée.

    **Lève** : ``ValueError`` si les formes, les dimensions ou les poids ne conviennent pas.

    **Réf.** : villani2009optimal

    >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [0.0]])
    >>> discrete_wasserstein(x, y)[0]
    1.0
    """
    x, y = _two_clouds(x, y)
    cost = torch.cdist(x, y).numpy()  # (N, M)
    if x_weights is None and y_weights is None and len(x) == len(y):
        plan = np.zeros_like(cost)
        plan[linear_sum_assignment(cost)] = 1 / len(x)
    else:
        rows = _as_weights(x_weights, len(x), "x_weights")
        columns = _as_weights(y_weights, len(y), "y_weights")
        plan = _linear_programme(cost, rows, columns)
    return float((plan * cost).sum()), torch.from_numpy(plan)


def _linear_programme(cost: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    n, m = cost.shape
    row_sums = sparse.kron(sparse.eye(n), np.ones((1, m)))  # (n, n · m)
    column_sums = sparse.kron(np.ones((1, n)), sparse.eye(m))  # (m, n · m)
    constraints = sparse.vstack([row_sums, column_sums]).tocsr()
    masses = np.concatenate([rows, columns])
    return linprog(cost.ravel(), A_eq=constraints, b_eq=masses).x.reshape(n, m)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Rend la distance d'énergie au carré : 2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖.

    Les moyennes portent sur tous les couples, un point avec lui-même compris : le résultat est
    ≥ 0, et nul seulement si les deux échantillons portent la même loi empirique. Deux tirages
    d'une même loi donnent un peu plus que 0 : comparer à ce plancher.

    **Formes** : ``x`` (N, D), ``y`` (M, D).

    **Lève** : ``ValueError`` si les formes ou les dimensions ne conviennent pas.

    **Réf.** : szekely2013energy

    >>> energy_distance(torch.zeros(2, 1), torch.ones(3, 1))
    2.0
    """
    x, y = _two_clouds(x, y)
    within = torch.cdist(x, x).mean() + torch.cdist(y, y).mean()
    return (2 * torch.cdist(x, y).mean() - within).item()


def covered_modes(
    samples: Tensor, centers: Tensor, *, radius: float, min_share: float = 0.01
) -> tuple[int, float]:
    """Compte les modes atteints : ceux qui reçoivent, à moins de ``radius``, assez de points.

    Chaque point est rangé avec son centre le plus proche ; il compte s'il en est à ``radius`` au
    plus. Un mode est atteint s'il reçoit au moins la part ``min_share`` de **tous** les points.

    **Formes** : ``samples`` (N, D), ``centers`` (K, D) ; ``radius`` > 0 ; ``min_share`` dans
    ]0 ; 1] → nombre de modes atteints, de 0 à K, et part des points proches d'un centre.

    **Lève** : ``ValueError`` si les formes ou les réglages ne conviennent pas.

    **Réf.** : metz2017unrolled

    >>> covered_modes(torch.zeros(4, 2), torch.tensor([[0.0, 0], [5.0, 0]]), radius=1)
    (1, 1.0)
    """
    check_real(radius, name="radius", minimum=0.0, strict=True)
    if not 0 < check_real(min_share, name="min_share") <= 1:
        raise ValueError(f"min_share est une part de ]0 ; 1], reçu {min_share!r}.")
    samples, centers = _two_clouds(samples, centers, ("samples", "centers"))
    distance, nearest = torch.cdist(samples, centers).min(dim=1)
    counts = nearest[distance <= radius].bincount(minlength=len(centers))  # (K,)
    n_modes = int((counts >= min_share * len(samples)).sum())
    return n_modes, counts.sum().item() / len(samples)


def _as_points(points: Tensor, ndim: int, name: str) -> Tensor:
    points = check_float_tensor(points, name=name).detach().double().cpu()
    if points.ndim != ndim:
        form = "(N,)" if ndim == 1 else "(N, D)"
        raise ValueError(f"{name} doit être de forme {form}, reçu {tuple(points.shape)}.")
    return points


def _two_clouds(x: Tensor, y: Tensor, names: tuple[str, str] = ("x", "y")) -> list[Tensor]:
    x, y = (_as_points(points, 2, name) for points, name in zip((x, y), names, strict=True))
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{names[0]} et {names[1]} doivent avoir autant de coordonnées ; "
            f"reçu {x.shape[1]} et {y.shape[1]}."
        )
    return [x, y]


def _as_weights(weights: Tensor | None, n: int, name: str) -> np.ndarray:
    if weights is None:
        return np.full(n, 1 / n)
    weights = _as_points(weights, 1, name)
    total = weights.sum().item()
    if len(weights) != n or (weights < 0).any() or abs(total - 1) > 1e-6:
        raise ValueError(
            f"{name} doit contenir {n} poids positifs de somme 1 ; "
            f"reçu {len(weights)} poids de somme {total:g}, le plus petit {weights.min():g}."
        )
    return (weights / total).numpy()
