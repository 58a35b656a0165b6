"""Ensembles de classes à couverture garantie : prédiction conforme par partage."""

from __future__ import annotations

import math

from scipy import stats
from torch import Tensor

from course_lib._checks import check_count
from course_lib.calibration._validation import check_labels, check_level, check_probabilities


def conformal_threshold(probabilities: Tensor, labels: Tensor, *, alpha: float) -> float:
    """Rend le seuil q des scores 1 − p(classe vraie), réglé sur des exemples de calibration.

    q est le score de rang ⌈(n + 1)(1 − ``alpha``)⌉ ; +∞ si ce rang dépasse n (trop peu
    d'exemples pour une telle garantie) : les ensembles contiennent alors toutes les classes.

    **Formes** : ``probabilities`` (n, C), lignes de somme 1 ; ``labels`` (n,) ; alpha dans ]0 ; 1[.

    **Lève** : ``ValueError`` si un argument ne convient pas.

    **Réf.** : vovk2005algorithmic, sadinle2019least, angelopoulos2023conformal

    >>> import torch
    >>> p = torch.tensor([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])
    >>> conformal_threshold(p, torch.tensor([0, 0, 0]), alpha=0.5)
    0.5
    """
    check_level(alpha, name="alpha")
    p = check_probabilities(probabilities, dimensions=(2,))
    y = check_labels(labels, p)
    scores = 1 - p.gather(1, y[:, None])[:, 0]
    rank = _rank(len(scores), alpha)
    return math.inf if rank > len(scores) else scores.sort().values[rank - 1].item()


def prediction_sets(probabilities: Tensor, threshold: float) -> Tensor:
    """Rend, par exemple, l'ensemble des classes k dont le score 1 − pₖ ne dépasse pas le seuil.

    Un ensemble peut être vide, si aucune classe n'atteint 1 − ``threshold``.

    **Formes** : ``probabilities`` (N, C) → (N, C) booléen.

    **Lève** : ``ValueError`` si les probabilités ne conviennent pas ou si le seuil est NaN.

    **Réf.** : sadinle2019least

    >>> import torch
    >>> prediction_sets(torch.tensor([[0.7, 0.2, 0.1]]), 0.8)
    tensor([[ True,  True, False]])
    """
    if math.isnan(threshold):
        raise ValueError("Le seuil vaut NaN : recalculez-le par conformal_threshold.")
    return 1 - check_probabilities(probabilities, dimensions=(2,)) <= threshold


def coverage_interval(
    n_calibration: int, n_test: int, *, alpha: float, level: float = 0.95
) -> tuple[float, float]:
    """Rend l'intervalle où tombe, avec probabilité ``level``, la couverture mesurée d'un découpage.

    Le nombre d'exemples couverts suit exactement la loi bêta-binomiale de paramètres ``n_test``,
    k et n + 1 − k, avec k = ⌈(n + 1)(1 − alpha)⌉, si les scores n'ont pas d'ex æquo.

    **Lève** : ``ValueError`` si un argument ne convient pas, ou si k > n.

    **Réf.** : vovk2012conditional, angelopoulos2023conformal

    >>> low, high = coverage_interval(1000, 1000, alpha=0.1)
    >>> round(low, 3), round(high, 3)
    (0.873, 0.925)
    """
    n = check_count(n_calibration, name="n_calibration")
    check_count(n_test, name="n_test")
    check_level(alpha, name="alpha")
    k = _rank(n, alpha)
    if k > n:
        raise ValueError(
            f"{n} exemples de calibration ne suffisent pas pour alpha={alpha} : il en faut au "
            f"moins {math.ceil(1 / alpha) - 1}."
        )
    law = stats.betabinom(n_test, k, n + 1 - k)
    low, high = law.interval(check_level(level, name="level"))
    return float(low / n_test), float(high / n_test)


def _rank(n: int, alpha: float) -> int:
    """⌈(n + 1)(1 − alpha)⌉, sans que l'arrondi de 1 − alpha n'ajoute un rang."""
    return math.ceil((n + 1) * (1 - alpha) - 1e-9)
