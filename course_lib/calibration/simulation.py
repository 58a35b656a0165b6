"""Un monde dont la vraie probabilité est connue : l'erreur de calibration s'y calcule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real
from course_lib.calibration._validation import check_probabilities

N_NODES = 4001  # trapèzes sur ± 8 écarts types : l'erreur numérique passe sous 1e-9


class Draws(NamedTuple):
    """Un tirage : probabilité annoncée ``eta_hat``, vraie ``eta``, étiquette ``y`` ; (N,) chacun."""

    eta_hat: Tensor
    eta: Tensor
    y: Tensor


class TrueTerms(NamedTuple):
    """Les termes du risque de Brier : calibration + regroupement + irréductible, exactement."""

    calibration: float
    grouping: float
    irreducible: float

    @property
    def score(self) -> float:
        return self.calibration + self.grouping + self.irreducible


@dataclass(frozen=True)
class KnownEta:
    """Un prédicteur à deux classes dont on connaît la vraie probabilité η(x).

    Il annonce η̂ = σ(z), z gaussien de moyenne ``mean`` et d'écart type ``scale``. La vérité est
    η = σ(``slope`` · z + ``intercept`` ± ``hidden``), le signe étant tiré à pile ou face et caché
    au prédicteur. ``slope`` < 1 : excès de confiance. Calibré si (1, 0, 0).

    **Formes** : cinq nombres, ``scale`` > 0.

    **Lève** : ``ValueError`` si l'un d'eux ne convient pas.

    **Réf.** : kumar2019verified, kull2015novel

    >>> KnownEta(slope=1.0).calibration_error()
    0.0
    """

    slope: float = 0.5
    intercept: float = 0.0
    hidden: float = 0.0
    mean: float = 0.0
    scale: float = 2.0

    def __post_init__(self) -> None:
        for name in ("slope", "intercept", "hidden", "mean"):
            check_real(getattr(self, name), name=name)
        if check_real(self.scale, name="scale", minimum=0.0) == 0:
            raise ValueError("scale = 0 : le prédicteur annoncerait toujours la même probabilité.")

    def sample(self, n: int, *, generator: torch.Generator) -> Draws:
        """Tire N exemples indépendants.

        **Lève** : ``ValueError`` si ``n`` < 1 ou si ``generator`` manque.
        """
        check_count(n, name="n")
        check_generator(generator)
        options = {"generator": generator, "dtype": torch.float64}
        z = self.mean + self.scale * torch.randn(n, **options)
        sign = 2.0 * (torch.rand(n, **options) < 0.5) - 1
        eta = (self.slope * z + self.intercept + sign * self.hidden).sigmoid()
        return Draws(z.sigmoid(), eta, (torch.rand(n, **options) < eta).long())

    def calibration_curve(self, probabilities: Tensor) -> Tensor:
        """Rend c(p) = P(Y = 1 | η̂ = p), la courbe que le diagramme de fiabilité estime.

        **Formes** : (N,) dans [0 ; 1] → (N,).
        """
        p = check_probabilities(probabilities, dimensions=(1,))
        return self._branches(p.logit()).mean(0)

    def calibration_error(self, *, norm: int = 1) -> float:
        """Rend la vraie erreur de calibration, E[|c(η̂) − η̂|^norm]^(1/norm).

        **Lève** : ``ValueError`` si ``norm`` < 1.
        """
        check_count(norm, name="norm")
        z, weight = self._quadrature()
        gap = (self._branches(z).mean(0) - z.sigmoid()).abs()
        return (weight @ gap**norm).item() ** (1 / norm)

    def brier_terms(self) -> TrueTerms:
        """Rend E(c − η̂)², E(η − c)² et E η(1 − η), dont la somme est le risque de Brier."""
        z, weight = self._quadrature()
        eta = self._branches(z)  # (2, N_NODES)
        curve = eta.mean(0)
        terms = (curve - z.sigmoid()) ** 2, ((eta - curve) ** 2).mean(0), (eta * (1 - eta)).mean(0)
        return TrueTerms(*((weight @ term).item() for term in terms))

    def _branches(self, z: Tensor) -> Tensor:
        """Les deux valeurs équiprobables de η sachant z : (2, …)."""
        center = self.slope * z + self.intercept
        return torch.stack([center + self.hidden, center - self.hidden]).sigmoid()

    def _quadrature(self) -> tuple[Tensor, Tensor]:
        t = torch.linspace(-8, 8, N_NODES, dtype=torch.float64)
        weight = (-t.square() / 2).exp()
        return self.mean + self.scale * t, weight / weight.sum()
