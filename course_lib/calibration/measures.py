"""Mesures de calibration : intervalles de fiabilité, ECE, MCE, Brier et ses termes, NLL."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator
from course_lib.calibration._validation import check_labels, check_level, check_probabilities


class ReliabilityBins(NamedTuple):
    """Ce que contient chaque intervalle d'un diagramme de fiabilité ; un champ par colonne.

    **Formes** : ``edges`` (M + 1,) les bornes ; ``confidence`` (M,) probabilité moyenne annoncée ;
    ``frequency`` (M,) fréquence observée ; ``count`` (M,) effectifs. Un intervalle **vide** a pour
    effectif 0 et NaN pour les deux moyennes.
    """

    edges: Tensor
    confidence: Tensor
    frequency: Tensor
    count: Tensor

    @property
    def gaps(self) -> Tensor:
        """Écarts |fréquence − confiance| (M,) ; 0 dans un intervalle vide."""
        return (self.frequency - self.confidence).abs().nan_to_num(0.0)


class BrierTerms(NamedTuple):
    """Score = fiabilité − résolution + incertitude + intra-intervalle, exactement.

    ``within`` = variance des annonces moins deux fois leur covariance avec les issues, à
    l'intérieur des intervalles : nul si les annonces y sont toutes égales.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float

    @property
    def score(self) -> float:
        return self.reliability - self.resolution + self.uncertainty + self.within


def top_label(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Rend, par exemple, la confiance (plus grande probabilité) et 1 si la réponse est juste.

    **Formes** : ``probabilities`` (N, C), lignes de somme 1 ; ``labels`` (N,) de 0 à C − 1 →
    (N,) float64 et (N,) int64 dans {0, 1}.

    **Lève** : ``ValueError`` si les probabilités ou les étiquettes ne conviennent pas.

    **Réf.** : guo2017calibration

    >>> top_label(torch.tensor([[0.25, 0.75], [0.5, 0.5]]), torch.tensor([1, 1]))[1]
    tensor([1, 0])
    """
    p = check_probabilities(probabilities, dimensions=(2,))
    labels = check_labels(labels, p)
    confidence, answer = p.max(dim=1)
    return confidence, (answer == labels).long()


def reliability_bins(
    confidence: Tensor, outcomes: Tensor, *, n_bins: int = 15, adaptive: bool = False
) -> ReliabilityBins:
    """Range des probabilités par intervalles ]a ; b] et compare leur moyenne aux fréquences.

    Largeurs égales par défaut ; ``adaptive`` : bornes aux quantiles, effectifs presque égaux (des
    ex æquo restent ensemble). 0 est rangé dans le premier intervalle.

    **Formes** : ``confidence`` (N,) dans [0 ; 1], ``outcomes`` (N,) entiers 0 ou 1.

    **Lève** : ``ValueError`` si ``n_bins`` < 1 ou si les données ne conviennent pas.

    **Réf.** : naeini2015obtaining, guo2017calibration, nixon2019measuring

    >>> p, y = torch.tensor([0.1, 0.3, 0.9]), torch.tensor([0, 1, 1])
    >>> reliability_bins(p, y, n_bins=2).count
    tensor([2, 1])
    """
    check_count(n_bins, name="n_bins")
    p = check_probabilities(confidence, name="confidence", dimensions=(1,))
    y = check_labels(outcomes, p, name="outcomes")
    edges = torch.linspace(0, 1, n_bins + 1, dtype=torch.float64)
    if adaptive:
        last = (torch.arange(1, n_bins) * len(p) // n_bins - 1).clamp(min=0)
        edges[1:-1] = p.sort().values[last]  # bornes égales si N < M : intervalles vides
    return _binned(p, y, edges)


def _binned(p: Tensor, y: Tensor, edges: Tensor) -> ReliabilityBins:
    n_bins = len(edges) - 1
    index = torch.bucketize(p, edges[1:-1])  # edges[k] < p ≤ edges[k + 1]
    count = torch.bincount(index, minlength=n_bins)
    confidence, frequency = (
        torch.bincount(index, weights=v, minlength=n_bins) / count for v in (p, y.double())
    )  # 0 / 0 = NaN : l'intervalle vide
    return ReliabilityBins(edges, confidence, frequency, count)


def _event(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) : la probabilité de la classe 1 ; (N, C) : la confiance dans la réponse."""
    if isinstance(probabilities, Tensor) and probabilities.ndim == 2:
        return top_label(probabilities, labels)
    p = check_probabilities(probabilities)
    return p, check_labels(labels, p)


def expected_calibration_error(
    probabilities: Tensor, labels: Tensor, *, n_bins: int = 15, adaptive: bool = False
) -> float:
    """Rend l'ECE : moyenne des écarts |fréquence − confiance|, pesée par les effectifs.

    Un intervalle vide compte pour 0. C'est un estimateur, biaisé, de l'erreur de calibration.

    **Formes** : ``probabilities`` (N, C) → confiance de la réponse ; (N,) → probabilité de la
    classe 1. ``labels`` (N,) entiers.

    **Lève** : ``ValueError`` comme ``reliability_bins``.

    **Réf.** : naeini2015obtaining, guo2017calibration, nixon2019measuring

    >>> expected_calibration_error(torch.tensor([0.75, 0.75]), torch.tensor([1, 0]))
    0.25
    """
    bins = reliability_bins(*_event(probabilities, labels), n_bins=n_bins, adaptive=adaptive)
    return (bins.gaps @ bins.count.double() / bins.count.sum()).item()


def maximum_calibration_error(
    probabilities: Tensor, labels: Tensor, *, n_bins: int = 15, adaptive: bool = False
) -> float:
    """Rend la MCE : le plus grand écart |fréquence − confiance| parmi les intervalles non vides.

    **Formes**, **Lève** : comme ``expected_calibration_error``.

    **Réf.** : naeini2015obtaining

    >>> maximum_calibration_error(torch.tensor([0.75, 0.25]), torch.tensor([0, 0]))
    0.75
    """
    bins = reliability_bins(*_event(probabilities, labels), n_bins=n_bins, adaptive=adaptive)
    return bins.gaps.max().item()


def bootstrap_bands(
    confidence: Tensor,
    outcomes: Tensor,
    *,
    n_bins: int = 15,
    n_resamples: int = 500,
    level: float = 0.9,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Rend, par intervalle, une bande de confiance *bootstrap* de la fréquence observée.

    On retire N exemples avec remise, ``n_resamples`` fois, et l'on garde les quantiles
    (1 ± ``level``) / 2 des fréquences ; NaN dans un intervalle vide.

    **Formes** : ``confidence`` (N,), ``outcomes`` (N,) → deux tenseurs (M,).

    **Lève** : ``ValueError`` si un argument ne convient pas.

    **Réf.** : efron1979bootstrap

    >>> p, y = torch.tensor([0.2, 0.2, 0.9]), torch.tensor([0, 0, 1])
    >>> bootstrap_bands(p, y, n_bins=2, generator=torch.Generator())[0]
    tensor([0., 1.], dtype=torch.float64)
    """
    check_count(n_resamples, name="n_resamples")
    check_level(level, name="level")
    check_generator(generator)
    bins = reliability_bins(confidence, outcomes, n_bins=n_bins)
    p, y = confidence.detach().double(), outcomes
    draws = []
    for _ in range(n_resamples):
        kept = torch.randint(len(p), (len(p),), generator=generator)
        draws.append(_binned(p[kept], y[kept], bins.edges).frequency)
    quantiles = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    lower, upper = torch.stack(draws).nanquantile(quantiles, dim=0)
    return lower, upper


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    """Rend le score de Brier : moyenne de Σₖ (pₖ − 1{y = k})².

    Pour (N,), la convention à un terme, (p − y)² : la moitié de la somme sur deux classes.

    **Formes** : ``probabilities`` (N,) ou (N, C) ; ``labels`` (N,) entiers.

    **Lève** : ``ValueError`` si les probabilités ou les étiquettes ne conviennent pas.

    **Réf.** : brier1950verification

    >>> brier_score(torch.tensor([0.5, 1.0]), torch.tensor([0, 1]))
    0.125
    """
    p = check_probabilities(probabilities)
    y = check_labels(labels, p)
    if p.ndim == 1:
        return (p - y).square().mean().item()
    return (p - torch.nn.functional.one_hot(y, p.shape[1])).square().sum(1).mean().item()


def brier_decomposition(
    confidence: Tensor, outcomes: Tensor, *, n_bins: int | None = None
) -> BrierTerms:
    """Décompose le score de Brier d'un événement : fiabilité − résolution + incertitude + intra.

    Sans ``n_bins``, un groupe par valeur annoncée distincte, et le terme intra-intervalle est nul.

    **Formes** : ``confidence`` (N,) dans [0 ; 1], ``outcomes`` (N,) entiers 0 ou 1.

    **Lève** : ``ValueError`` comme ``reliability_bins``.

    **Réf.** : murphy1973vector, stephenson2008two

    >>> brier_decomposition(torch.tensor([0.5, 0.5]), torch.tensor([0, 1]))
    BrierTerms(reliability=0.0, resolution=0.0, uncertainty=0.25, within=0.0)
    """
    p = check_probabilities(confidence, name="confidence", dimensions=(1,))
    y = check_labels(outcomes, p, name="outcomes")
    edges = torch.cat([torch.zeros(1, dtype=torch.float64), p.unique()])
    bins = _binned(p, y, edges) if n_bins is None else reliability_bins(p, y, n_bins=n_bins)
    weight, base = bins.count.double() / len(p), y.double().mean()
    reliability = (weight @ bins.gaps.square()).item()
    resolution = (weight @ (bins.frequency - base).square().nan_to_num(0.0)).item()
    index = torch.bucketize(p, bins.edges[1:-1])
    spread = p - bins.confidence[index]
    within = (spread.square() - 2 * spread * (y - bins.frequency[index])).mean().item()
    return BrierTerms(reliability, resolution, (base * (1 - base)).item(), within)


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> float:
    """Rend la log-vraisemblance négative moyenne, −ln p(classe vraie), en nats.

    Vaut +∞ si une classe vraie a reçu la probabilité 0.

    **Formes** : ``probabilities`` (N,) ou (N, C) ; ``labels`` (N,) entiers.

    **Lève** : ``ValueError`` si les probabilités ou les étiquettes ne conviennent pas.

    **Réf.** : gneiting2007strictly

    >>> round(negative_log_likelihood(torch.tensor([0.5, 0.5]), torch.tensor([0, 1])), 4)
    0.6931
    """
    p = check_probabilities(probabilities)
    y = check_labels(labels, p)
    columns = torch.stack([1 - p, p], dim=1) if p.ndim == 1 else p
    return -columns.gather(1, y[:, None]).log().mean().item()
