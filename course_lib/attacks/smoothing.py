"""Lissage aléatoire : un classifieur moyenné sur un bruit gaussien, et son rayon certifié."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real
from course_lib.attacks import _validation as check
from course_lib.attacks._validation import Model

BLOCK = 8192  # entrées bruitées calculées à la fois
ABSTAIN = -1


class Certificate(NamedTuple):
    """Réponse (N,) du classifieur lissé, −1 s'il s'abstient, et rayon ℓ₂ (N,) où elle tient."""

    prediction: Tensor
    radius: Tensor


def certify(
    model: Model,
    x: Tensor,
    *,
    sigma: float,
    n_selection: int = 100,
    n_estimation: int = 1000,
    alpha: float = 0.001,
    generator: torch.Generator,
) -> Certificate:
    """Certifie la réponse de g(x) = argmax_c P(f(x + N(0, σ²I)) = c) dans une boule ℓ₂.

    ``n_selection`` tirages choisissent la classe c ; ``n_estimation`` tirages neufs minorent sa
    probabilité par p (Clopper-Pearson, niveau 1 − ``alpha``). Si p > 1/2, g répond c dans tout le
    rayon σ Φ⁻¹(p), avec une probabilité d'au moins 1 − ``alpha`` pour chaque point ; sinon,
    abstention. Le modèle reçoit des entrées bruitées, qui sortent de [0 ; 1].

    **Formes** : ``x`` (N, …) dans [0 ; 1], ``sigma`` > 0 → ``Certificate``.
    **Lève** : ``ValueError`` si une entrée sort de son domaine ou si ``generator`` manque.
    **Réf.** : cohen2019certified

    >>> model = lambda x: x @ torch.tensor([[1.0, -1.0], [0.0, 0.0]]) - torch.tensor([0.5, -0.5])
    >>> x, rng = torch.tensor([[0.9, 0.3]]), torch.Generator().manual_seed(0)
    >>> certificate = certify(model, x, sigma=0.25, generator=rng)
    >>> certificate.prediction.item(), bool(certificate.radius < 0.4)
    (0, True)
    """
    first = smoothed_counts(model, x, sigma=sigma, n_samples=n_selection, generator=generator)
    chosen = first.argmax(dim=1)
    counts = smoothed_counts(model, x, sigma=sigma, n_samples=n_estimation, generator=generator)
    hits = counts.gather(1, chosen[:, None])[:, 0]
    bound = lower_confidence_bound(hits, n_estimation, alpha=alpha)
    certified = bound > 0.5
    radius = sigma * torch.special.ndtri(bound.clamp(min=0.5))
    return Certificate(torch.where(certified, chosen, ABSTAIN), radius)


def smoothed_counts(
    model: Model, x: Tensor, *, sigma: float, n_samples: int, generator: torch.Generator
) -> Tensor:
    """Compte les réponses du modèle sous un bruit gaussien d'écart type σ.

    **Formes** : ``x`` (N, …) dans [0 ; 1] → (N, C) entiers, de somme ``n_samples`` par ligne.
    **Lève** : ``ValueError`` si une entrée sort de son domaine ou si ``generator`` manque.
    **Réf.** : cohen2019certified

    >>> model = lambda x: torch.stack([x[:, 0], 1 - x[:, 0]], dim=1)
    >>> rng = torch.Generator().manual_seed(0)
    >>> smoothed_counts(model, torch.ones(1, 2), sigma=0.1, n_samples=50, generator=rng)
    tensor([[50,  0]])
    """
    x = check.inputs(x)
    check_real(sigma, name="sigma", minimum=0.0, strict=True)
    left, counts = check_count(n_samples, name="n_samples"), 0
    check_generator(generator)
    with check.attacking(model), torch.no_grad():
        while left:
            copies = min(left, max(1, BLOCK // len(x)))
            noise = sigma * torch.randn(copies, *x.shape, generator=generator).to(x)
            logits = check.logits_of(model, (x + noise).flatten(0, 1))  # (copies · N, C)
            votes = torch.zeros_like(logits, dtype=torch.int64)
            votes.scatter_(1, logits.argmax(dim=1, keepdim=True), 1)
            counts, left = counts + votes.unflatten(0, (copies, -1)).sum(dim=0), left - copies
    return counts


def lower_confidence_bound(hits: Tensor, n_samples: int, *, alpha: float) -> Tensor:
    """Minore une probabilité d'après k succès sur n tirages, au niveau de confiance 1 − α.

    Borne exacte de Clopper et Pearson, d'un seul côté : le quantile α de la loi bêta
    (k, n − k + 1), et 0 si k = 0.

    **Formes** : ``hits`` (N,) entiers de 0 à ``n_samples`` → (N,) float64 dans [0 ; 1[.
    **Lève** : ``ValueError`` si un compte dépasse ``n_samples`` ou si α n'est pas dans ]0 ; 1[.
    **Réf.** : clopper1934use

    >>> lower_confidence_bound(torch.tensor([0, 100]), 100, alpha=0.05)
    tensor([0.0000, 0.9705], dtype=torch.float64)
    """
    check_count(n_samples, name="n_samples")
    if check_real(alpha, name="alpha", minimum=0.0, strict=True) >= 1:
        raise ValueError(f"alpha est un risque, strictement entre 0 et 1 ; reçu {alpha!r}.")
    hits = torch.as_tensor(hits)
    if hits.numel() and (int(hits.min()) < 0 or int(hits.max()) > n_samples):
        raise ValueError(
            f"hits doit compter de 0 à n_samples = {n_samples} succès ; reçu des valeurs de "
            f"{int(hits.min())} à {int(hits.max())}."
        )
    k = hits.cpu().numpy()
    bound = stats.beta.ppf(alpha, k.clip(min=1), n_samples - k + 1)
    return torch.from_numpy(bound * (k > 0)).to(hits.device)
