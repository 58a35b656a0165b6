"""Recalibrages : ajustés sur des exemples tenus à l'écart, puis appliqués à de nouvelles sorties.

Chaque recalibrage se construit par ``fit`` et s'appelle comme une fonction ; tout est en float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.calibration._validation import check_labels, check_probabilities, check_reals
from course_lib.calibration.measures import reliability_bins

TEMPERATURES = (0.01, 100.0)


@dataclass(frozen=True)
class Temperature:
    """Mise à l'échelle par température : softmax(z / T), ou σ(z / T) pour un seul logit.

    **Formes** : logits (N, C) → probabilités (N, C) ; logits (N,) → (N,).

    **Réf.** : guo2017calibration

    >>> Temperature(2.0)(torch.tensor([0.0, 2.0])).round(decimals=4)
    tensor([0.5000, 0.7311], dtype=torch.float64)
    """

    temperature: float

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> Temperature:
        """Rend la température de moindre entropie croisée, cherchée dans [0,01 ; 100].

        Le coût est convexe en 1/T : on coupe en deux l'intervalle où sa dérivée change de signe.
        Quand toutes les réponses sont justes, il décroît jusqu'à T = 0 : la borne 0,01 est rendue.

        **Lève** : ``ValueError`` si les logits ou les étiquettes ne conviennent pas.
        """
        z = check_reals(logits, name="logits", dimensions=(1, 2))
        y = check_labels(labels, z)
        z = torch.stack([torch.zeros_like(z), z], dim=1) if z.ndim == 1 else z
        chosen = z.gather(1, y[:, None])[:, 0]
        low, high = torch.tensor(TEMPERATURES, dtype=torch.float64).log()
        rounding = 1e-12 * z.abs().max()
        for _ in range(60):  # l'intervalle de ln T est divisé par 2⁶⁰
            middle = (low + high) / 2
            slope = (((z / middle.exp()).softmax(1) * z).sum(1) - chosen).mean()  # en 1/T
            low, high = (low, middle) if slope <= rounding else (middle, high)
        return cls(((low + high) / 2).exp().item())

    def __call__(self, logits: Tensor) -> Tensor:
        z = check_reals(logits, name="logits", dimensions=(1, 2)) / self.temperature
        return z.sigmoid() if z.ndim == 1 else z.softmax(1)


@dataclass(frozen=True)
class VectorScaling:
    """Mise à l'échelle vectorielle : softmax(w ⊙ z + b), un poids et un biais par classe.

    **Formes** : ``weight`` (C,), ``bias`` (C,) ; logits (N, C) → probabilités (N, C).

    **Réf.** : guo2017calibration

    >>> z = torch.tensor([[0.0, 2.0]])
    >>> VectorScaling(torch.ones(2), torch.tensor([2.0, 0.0]))(z)
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> VectorScaling:
        """Minimise l'entropie croisée, convexe en (w, b), à partir de w = 1 et b = 0.

        **Lève** : ``ValueError`` si les logits ou les étiquettes ne conviennent pas.
        """
        z = check_reals(logits, name="logits", dimensions=(2,))
        y = check_labels(labels, z)
        parameters = torch.stack([torch.ones_like(z[0]), torch.zeros_like(z[0])])  # (2, C)
        w, b = _minimise(lambda q: F.cross_entropy(q[0] * z + q[1], y), parameters)
        return cls(w, b - b.mean())  # softmax ignore une constante ajoutée à tous les logits

    def __call__(self, logits: Tensor) -> Tensor:
        z = check_reals(logits, name="logits", dimensions=(2,))
        return (self.weight * z + self.bias).softmax(1)


@dataclass(frozen=True)
class Platt:
    """Recalibrage de Platt : σ(a s + b), une sigmoïde ajustée au score s.

    **Formes** : scores (N,) → probabilités de la classe 1 (N,).

    **Réf.** : platt1999probabilistic

    >>> Platt(1.0, 0.0)(torch.tensor([0.0]))
    tensor([0.5000], dtype=torch.float64)
    """

    slope: float
    intercept: float

    @classmethod
    def fit(cls, scores: Tensor, labels: Tensor, *, smooth: bool = True) -> Platt:
        """Ajuste a et b par entropie croisée ; ``smooth`` prend les cibles adoucies de Platt.

        Cibles adoucies : (n₁ + 1)/(n₁ + 2) et 1/(n₀ + 2) au lieu de 1 et 0. Elles gardent a fini
        même si un seuil sépare les classes.

        **Lève** : ``ValueError`` si les scores ou les étiquettes ne conviennent pas.
        """
        s = check_reals(scores, name="scores", dimensions=(1,))
        y = check_labels(labels, s)
        target = y.double()
        if smooth:
            n0, n1 = torch.bincount(y, minlength=2).tolist()
            target = torch.where(y == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2)).double()
        scale = s.abs().max().clamp(min=1e-12)  # un score d'ordre 1 conditionne la descente
        start = torch.zeros(2, dtype=torch.float64)
        a, b = _minimise(
            lambda q: F.binary_cross_entropy_with_logits(q[0] * s / scale + q[1], target), start
        )
        return cls((a / scale).item(), b.item())

    def __call__(self, scores: Tensor) -> Tensor:
        s = check_reals(scores, name="scores", dimensions=(1,))
        return (self.slope * s + self.intercept).sigmoid()


@dataclass(frozen=True)
class Isotonic:
    """Régression isotonique : la fonction croissante qui minimise la somme des (issue − f(s))².

    Entre deux points ajustés, interpolation linéaire ; au-delà, valeur du bord.

    **Formes** : ``knots`` (K,) scores croissants, ``values`` (K,) ; scores (N,) → (N,).

    **Réf.** : zadrozny2002transforming

    >>> fitted = Isotonic.fit(torch.tensor([0.1, 0.4, 0.6]), torch.tensor([0, 1, 0]))
    >>> fitted(torch.tensor([0.0, 0.4]))
    tensor([0.0000, 0.5000], dtype=torch.float64)
    """

    knots: Tensor
    values: Tensor

    @classmethod
    def fit(cls, scores: Tensor, labels: Tensor) -> Isotonic:
        """Fusionne les voisins qui se contredisent, jusqu'à des moyennes croissantes.

        **Lève** : ``ValueError`` si les scores ou les étiquettes ne conviennent pas.
        """
        s = check_reals(scores, name="scores", dimensions=(1,))
        y = check_labels(labels, s)
        knots, index, count = s.unique(return_inverse=True, return_counts=True)
        sums = torch.zeros_like(knots).index_add_(0, index, y.double())
        blocks: list[tuple[float, int, int]] = []  # (somme, effectif, nombre de scores distincts)
        for total, size in zip(sums.tolist(), count.tolist(), strict=True):
            block = (total, size, 1)
            while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
                block = tuple(a + b for a, b in zip(blocks.pop(), block, strict=True))
            blocks.append(block)
        means = torch.tensor([total / size for total, size, _ in blocks], dtype=torch.float64)
        return cls(knots, means.repeat_interleave(torch.tensor([k for _, _, k in blocks])))

    def __call__(self, scores: Tensor) -> Tensor:
        s = check_reals(scores, name="scores", dimensions=(1,))
        if len(self.knots) == 1:
            return self.values.expand(len(s)).clone()
        right = torch.searchsorted(self.knots, s).clamp(1, len(self.knots) - 1)
        x0, x1 = self.knots[right - 1], self.knots[right]
        weight = ((s - x0) / (x1 - x0)).clamp(0, 1)
        return self.values[right - 1] * (1 - weight) + self.values[right] * weight


@dataclass(frozen=True)
class HistogramBinning:
    """Recalibrage par histogramme : chaque intervalle annonce la fréquence qu'il a observée.

    Un intervalle resté vide à l'ajustement annonce son milieu.

    **Formes** : ``edges`` (M + 1,), ``values`` (M,) ; probabilités (N,) → (N,).

    **Réf.** : zadrozny2001obtaining

    >>> fitted = HistogramBinning.fit(torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), n_bins=2)
    >>> fitted(torch.tensor([0.3, 0.8]))
    tensor([0.5000, 0.7500], dtype=torch.float64)
    """

    edges: Tensor
    values: Tensor

    @classmethod
    def fit(
        cls, probabilities: Tensor, labels: Tensor, *, n_bins: int = 15, adaptive: bool = False
    ) -> HistogramBinning:
        """Range les probabilités comme ``reliability_bins`` et retient les fréquences.

        **Lève** : ``ValueError`` comme ``reliability_bins``.
        """
        bins = reliability_bins(probabilities, labels, n_bins=n_bins, adaptive=adaptive)
        middles = (bins.edges[1:] + bins.edges[:-1]) / 2
        return cls(bins.edges, torch.where(bins.count > 0, bins.frequency, middles))

    def __call__(self, probabilities: Tensor) -> Tensor:
        p = check_probabilities(probabilities, dimensions=(1,))
        return self.values[torch.bucketize(p, self.edges[1:-1])]


def _minimise(cost: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Minimise un coût convexe par L-BFGS, en double précision."""
    parameters = start.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [parameters], max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = cost(parameters)
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
    return parameters.detach()
