"""Attaques par le gradient, à budget fixé : FGSM et PGD, dans une boule ℓ∞ ou ℓ₂."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator
from course_lib.attacks import _validation as check
from course_lib.attacks._validation import Loss, Model

Norm = Literal["linf", "l2"]


def fgsm(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    epsilon: float | Tensor,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = check.cross_entropy,
) -> Tensor:
    """Attaque en un pas : x + ε signe(∇ₓ L), ramené dans [0 ; 1].

    Avec ``norm="l2"``, le pas est ε ∇ₓL / ‖∇ₓL‖₂. Avec ``targeted``, ``y`` est la classe à
    atteindre, et le pas change de signe.

    **Formes** : ``x`` (N, …) dans [0 ; 1], ``y`` (N,), ``epsilon`` ≥ 0 ou (N,) → comme ``x``.
    **Lève** : ``ValueError`` comme ``pgd``.
    **Réf.** : goodfellow2015explaining

    >>> model = lambda x: x @ torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    >>> fgsm(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), epsilon=0.1)
    tensor([[0.4000, 0.5000]])
    """
    return pgd(
        model, x, y, epsilon=epsilon, norm=norm, n_steps=1, step_size=epsilon, targeted=targeted,
        loss=loss, keep_best=False,
    )  # fmt: skip


def pgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    epsilon: float | Tensor,
    norm: Norm = "linf",
    n_steps: int = 20,
    step_size: float | Tensor | None = None,
    targeted: bool = False,
    loss: Loss = check.cross_entropy,
    generator: torch.Generator | None = None,
    keep_best: bool = True,
) -> Tensor:
    """Montée de gradient projetée sur {δ : ‖δ‖ ≤ ε, x + δ ∈ [0 ; 1]}.

    Un pas : δ ← Π(δ + α signe(∇ₓL)) en ℓ∞, δ ← Π(δ + α ∇ₓL/‖∇ₓL‖₂) en ℓ₂.

    - ``step_size`` : α constant. Par défaut, α décroît linéairement de 2 ε à 2 ε / ``n_steps`` ; le
      premier pas, projeté, est alors celui de FGSM.
    - ``generator`` : s'il est donné, départ au hasard dans la boule ; sinon, départ en x.
    - ``keep_best`` : rend, pour chaque entrée, le point visité (départ compris) qui atteint le but,
      et à égalité celui de plus forte perte ; sinon, le dernier.
    - ``targeted`` : ``y`` est la classe à atteindre ; la perte y est descendue.
    - ``loss`` : une valeur par exemple, (N, C), (N,) → (N,), comme ``margin``.

    **Formes** : ``x`` (N, …) dans [0 ; 1], ``y`` (N,) int64, ``epsilon`` ≥ 0 ou (N,) → comme ``x``.
    **Lève** : ``ValueError`` si une entrée sort de son domaine, ou si le modèle ne propage aucun
    gradient jusqu'à son entrée.
    **Réf.** : madry2018towards

    >>> model = lambda x: x @ torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    >>> pgd(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), epsilon=0.1, n_steps=5)
    tensor([[0.4000, 0.5000]])
    """
    x, radius = check.inputs(x), check.ball_radius(epsilon, x)
    check_count(n_steps, name="n_steps")
    _check_norm(norm)
    constant = None if step_size is None else check.ball_radius(step_size, x)
    sign = -1.0 if targeted else 1.0
    with check.attacking(model):
        delta = torch.zeros_like(x)
        if generator is not None:
            delta = _random_start(x, radius, norm, check_generator(generator))
        best_loss = torch.full((len(x),), -torch.inf, device=x.device)
        best = delta, best_loss, torch.zeros_like(best_loss, dtype=torch.bool)
        for k in range(n_steps):
            logits, value, grad = _loss_and_gradient(model, loss, x + delta, y)
            if keep_best:
                best = _keep_better(best, delta, sign * value, _reached(logits, y, targeted))
            step = 2 * radius * (1 - k / n_steps) if constant is None else constant
            delta = _project(delta + sign * step * _direction(grad, norm), radius, norm)
            delta = (x + delta).clamp(0, 1) - x  # rapproche chaque δᵢ de 0 : reste dans la boule
        if keep_best:
            with torch.no_grad():
                logits = check.logits_of(model, x + delta)
                value = sign * loss(logits, y)
            delta, *_ = _keep_better(best, delta, value, _reached(logits, y, targeted))
    return (x + delta).clamp(0, 1)


def project(delta: Tensor, *, epsilon: float | Tensor, norm: Norm = "linf") -> Tensor:
    """Projette chaque perturbation sur la boule de rayon ε.

    En ℓ∞, chaque coordonnée est ramenée dans [−ε ; ε] ; en ℓ₂, une perturbation trop longue est
    raccourcie sans changer de direction.

    **Formes** : ``delta`` (N, …), ``epsilon`` ≥ 0 ou (N,) → comme ``delta``.
    **Lève** : ``ValueError`` si ε < 0, si la norme est inconnue ou si ``delta`` n'est pas un lot.
    **Réf.** : madry2018towards

    >>> project(torch.tensor([[3.0, 4.0]]), epsilon=1.0, norm="l2")
    tensor([[0.6000, 0.8000]])
    """
    if not isinstance(delta, Tensor) or delta.ndim < 2 or not delta.is_floating_point():
        raise ValueError("delta doit être un lot de perturbations, un tenseur flottant (N, …).")
    _check_norm(norm)
    return _project(delta, check.ball_radius(epsilon, delta), norm)


def _project(delta: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    if norm == "linf":
        return delta.clamp(-radius, radius)
    return delta * (radius / _nonzero(_length(delta))).clamp(max=1)


def _direction(grad: Tensor, norm: Norm) -> Tensor:
    """Direction unitaire qui fait le plus monter la perte au premier ordre."""
    if norm == "linf":
        return grad.sign()
    grad = grad / _nonzero(grad.abs().amax(dim=tuple(range(1, grad.ndim)), keepdim=True))
    return grad / _nonzero(_length(grad))


def _nonzero(length: Tensor) -> Tensor:
    """Remplace 0 par le plus petit normal : un gradient nul donne un pas nul, en float16 aussi."""
    return length.clamp(min=torch.finfo(length.dtype).tiny)


def _length(delta: Tensor) -> Tensor:
    """Norme ℓ₂ de chaque exemple, de forme (N, 1, …)."""
    return delta.flatten(1).norm(dim=1).reshape(-1, *[1] * (delta.ndim - 1))


def _random_start(x: Tensor, radius: Tensor, norm: Norm, generator: torch.Generator) -> Tensor:
    """Perturbation uniforme dans la boule, ramenée dans [0 ; 1]."""
    if norm == "linf":
        delta = radius * (2 * torch.rand(x.shape, generator=generator).to(x) - 1)
    else:
        direction = _direction(torch.randn(x.shape, generator=generator).to(x), "l2")
        scale = torch.rand(len(x), generator=generator).to(x) ** (1 / x[0].numel())
        delta = radius * scale.reshape(radius.shape) * direction
    return (x + delta).clamp(0, 1) - x


def _loss_and_gradient(model: Model, loss: Loss, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Logits, perte (N,), gradient par rapport à l'entrée ; ceux des paramètres restent intacts."""
    x = x.detach().requires_grad_()
    logits = check.logits_of(model, x)
    check.labels(y, logits)
    value = loss(logits, y)
    if value.shape != y.shape:
        raise ValueError(
            f"loss doit rendre une valeur par exemple, de forme {tuple(y.shape)} ; reçu "
            f'{tuple(value.shape)}. Passez reduction="none".'
        )
    if not value.requires_grad:
        raise ValueError(
            "Aucun gradient ne remonte du modèle à son entrée (detach, argmax, no_grad ?). Une "
            "attaque par requêtes, square_attack, s'en passe."
        )
    (grad,) = torch.autograd.grad(value.sum(), x)
    return logits.detach(), value.detach(), grad


def _reached(logits: Tensor, y: Tensor, targeted: bool) -> Tensor:
    """Vrai (N,) là où l'attaque a atteint son but."""
    return (logits.argmax(dim=1) == y) == targeted


def _keep_better(best: tuple[Tensor, ...], delta: Tensor, value: Tensor, reached: Tensor):
    """Compare d'abord le succès, puis la perte ; ``best`` est (δ, perte, succès)."""
    kept, kept_value, kept_reached = best
    better = (reached & ~kept_reached) | ((reached == kept_reached) & (value > kept_value))
    chosen = better.reshape(-1, *[1] * (delta.ndim - 1))
    new_value = torch.where(better, value, kept_value)
    return torch.where(chosen, delta, kept), new_value, kept_reached | reached


def _check_norm(norm: object) -> None:
    if norm not in ("linf", "l2"):
        raise ValueError(f'norm vaut "linf" ou "l2" ; reçu {norm!r}.')
