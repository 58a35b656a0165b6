"""Bornes d'un auto-encodeur variationnel gaussien : divergence en forme close, tirages pondérés."""

from __future__ import annotations

import math

from torch import Tensor

from course_lib._checks import check_float_tensor


def gaussian_kl(mean: Tensor, log_var: Tensor, *, sum_dims: bool = True) -> Tensor:
    """Rend KL(N(mean, exp(log_var)) ‖ N(0, I)) de gaussiennes à covariance diagonale, en nats.

    ½ Σⱼ (μⱼ² + σⱼ² − 1 − ln σⱼ²), avec σⱼ² = exp(log_var)ⱼ. Sans ``sum_dims``, un terme par
    coordonnée : c'est là que se lit une coordonnée latente qui ne sert pas.

    **Formes** : ``mean`` et ``log_var`` (N, D), ``log_var`` le logarithme naturel de la variance →
    (N,), ou (N, D) sans ``sum_dims`` ; toujours ≥ 0.

    **Lève** : ``ValueError`` si les tenseurs ne sont pas flottants, finis et de même forme (N, D).

    **Réf.** : kingma2014auto

    >>> import torch
    >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    for name, value in (("mean", mean), ("log_var", log_var)):
        if check_float_tensor(value, name=name).ndim != 2:
            raise ValueError(f"{name} doit être de forme (N, D), reçu {tuple(value.shape)}.")
    if mean.shape != log_var.shape:
        raise ValueError(
            "Une moyenne et un logarithme de variance par coordonnée : les deux tenseurs ont la "
            f"même forme (N, D) ; reçu {tuple(mean.shape)} et {tuple(log_var.shape)}."
        )
    terms = (mean.square() + log_var.expm1() - log_var) / 2  # expm1 : exact près de σ = 1
    return terms.sum(dim=1) if sum_dims else terms


def importance_bound(log_weights: Tensor, *, dim: int = 0) -> Tensor:
    """Rend la borne pondérée par importance, ln (1/K) Σₖ exp(log_weights), en nats.

    Avec log_weights = ln p(x, zₖ) − ln q(zₖ | x) et zₖ tirés de q, son espérance est une borne
    inférieure de ln p(x), croissante avec K : la borne variationnelle si K = 1.

    **Formes** : ``log_weights`` a ses K tirages le long de ``dim`` ; −∞ y est permis (poids nul).
    (K, N) → (N,).

    **Lève** : ``ValueError`` si le tenseur n'est pas flottant, s'il est vide, s'il contient NaN ou
    +∞, ou si ``dim`` n'est pas un de ses axes.

    **Réf.** : burda2016importance

    >>> import torch
    >>> importance_bound(torch.tensor([[-1000.0], [-1000.0]]))
    tensor([-1000.])
    """
    if not isinstance(log_weights, Tensor) or not log_weights.is_floating_point():
        raise ValueError(
            "log_weights doit être un tenseur flottant, (K, N) par exemple ; reçu "
            f"{getattr(log_weights, 'dtype', type(log_weights).__name__)}."
        )
    if not -log_weights.ndim <= dim < log_weights.ndim or log_weights.numel() == 0:
        raise ValueError(
            f"log_weights, de forme {tuple(log_weights.shape)}, n'a pas d'axe {dim} de tirages ou "
            "est vide : donnez (K, N) avec dim=0, ou (N, K) avec dim=1."
        )
    if bool((log_weights.isnan() | (log_weights == math.inf)).any()):
        raise ValueError(
            "log_weights contient NaN ou +∞ : vérifiez que ln q est fini là où q a tiré."
        )
    return log_weights.logsumexp(dim=dim) - math.log(log_weights.shape[dim])
