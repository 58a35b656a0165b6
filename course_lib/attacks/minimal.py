"""Attaques de perturbation minimale, en norme ℓ₂ : DeepFool et Carlini–Wagner."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib._checks import check_count, check_real
from course_lib.attacks import _validation as check
from course_lib.attacks._validation import Model, margin

ALMOST_ONE = 1 - 1e-4  # atanh(±1) est infini : un pixel saturé part juste à côté


def deepfool(model: Model, x: Tensor, *, n_steps: int = 50, overshoot: float = 0.02) -> Tensor:
    """Cherche le plus court chemin ℓ₂ vers une autre réponse, en linéarisant pas à pas.

    À chaque pas, les logits sont remplacés par leur tangente ; la frontière la plus proche est
    alors un hyperplan, que l'on rejoint : r = |z_k − z_ŷ| / ‖w‖² · w, avec w = ∇z_k − ∇z_ŷ. Le
    total est allongé de ``overshoot`` pour passer de l'autre côté, puis ramené dans [0 ; 1]. La
    réponse à quitter est celle du modèle en x. Une entrée qui résiste après ``n_steps`` pas est
    rendue telle que le dernier pas la laisse : regardez la réponse du modèle.

    **Formes** : ``x`` (N, …) dans [0 ; 1] → comme ``x``.
    **Lève** : ``ValueError`` si une entrée sort de son domaine.
    **Réf.** : moosavidezfooli2016deepfool

    >>> model = lambda x: x @ torch.tensor([[1.0, -1.0], [0.0, 0.0]]) - torch.tensor([0.8, -0.8])
    >>> deepfool(model, torch.tensor([[0.9, 0.3]]), overshoot=0.0)
    tensor([[0.8000, 0.3000]])
    """
    x = check.inputs(x)
    check_count(n_steps, name="n_steps")
    stretch = 1 + check_real(overshoot, name="overshoot", minimum=0.0)
    with check.attacking(model):
        x_adv, total, start = x, torch.zeros_like(x), None
        for _ in range(n_steps):
            logits, slopes = _linearize(model, x_adv)
            start = logits.argmax(dim=1) if start is None else start
            active = logits.argmax(dim=1) == start
            if not active.any():
                break
            step = _step_to_hyperplane(logits, slopes, start).reshape(x.shape)
            total = total + step * active.reshape(-1, *[1] * (x.ndim - 1))
            x_adv = (x + stretch * total).clamp(0, 1)
    return x_adv


def _linearize(model: Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, C) et leurs gradients (N, C, D)."""
    x = x.detach().requires_grad_()
    logits = check.logits_of(model, x)
    slopes = [
        torch.autograd.grad(column.sum(), x, retain_graph=True)[0].flatten(1)
        for column in logits.unbind(dim=1)
    ]
    return logits.detach(), torch.stack(slopes, dim=1)


def _step_to_hyperplane(logits: Tensor, slopes: Tensor, start: Tensor) -> Tensor:
    """Plus court vecteur (N, D) vers la plus proche des frontières linéarisées."""
    rows = torch.arange(len(logits), device=logits.device)
    gaps = (logits - logits[rows, start, None]).abs()  # (N, C)
    normals = slopes - slopes[rows, start, None]  # (N, C, D)
    lengths = normals.norm(dim=2).clamp(min=1e-12)
    distances = (gaps / lengths).scatter(1, start[:, None], torch.inf)
    nearest = distances.argmin(dim=1)
    return (distances / lengths)[rows, nearest, None] * normals[rows, nearest]


def carlini_wagner(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    n_steps: int = 100,
    lr: float = 0.1,
    n_searches: int = 6,
    initial_const: float = 1.0,
    confidence: float = 0.0,
    targeted: bool = False,
) -> Tensor:
    """Minimise ‖x′ − x‖₂² + c·max(z_y − max_{k≠y} z_k, −κ) et rend le plus proche x′ qui trompe.

    x′ = (tanh w + 1) / 2 reste dans [0 ; 1] sans projection ; Adam descend sur w. La constante c
    est cherchée pour chaque entrée : agrandie tant que l'attaque échoue, puis dichotomie. κ est
    ``confidence``. Avec ``targeted``, ``y`` est la classe à atteindre. **Une entrée que l'attaque
    ne trompe pas est rendue inchangée.**

    **Formes** : ``x`` (N, …) dans [0 ; 1], ``y`` (N,) int64 → comme ``x``.
    **Lève** : ``ValueError`` si une entrée sort de son domaine.
    **Réf.** : carlini2017towards

    >>> model = lambda x: x @ torch.tensor([[1.0, -1.0], [0.0, 0.0]]) - torch.tensor([0.8, -0.8])
    >>> x_adv = carlini_wagner(model, torch.tensor([[0.9, 0.3]]), torch.tensor([0]))
    >>> bool(0.1 <= (x_adv[0, 0] - 0.9).abs() < 0.11)
    True
    """
    x = check.inputs(x)
    check_count(n_steps, name="n_steps")
    check_count(n_searches, name="n_searches")
    check_real(lr, name="lr", minimum=0.0, strict=True)
    check_real(confidence, name="confidence", minimum=0.0)
    check_real(initial_const, name="initial_const", minimum=0.0, strict=True)
    const = torch.full((len(x),), float(initial_const)).to(x)
    low, high = torch.zeros_like(const), torch.full_like(const, torch.inf)
    best, best_distance = x, torch.full_like(const, torch.inf)
    with check.attacking(model):
        for _ in range(n_searches):
            found = torch.zeros_like(const, dtype=torch.bool)
            for x_adv, gap in _descend(model, x, y, const, n_steps, lr, confidence, targeted):
                distance = (x_adv - x).flatten(1).norm(dim=1)
                hit = gap > confidence
                better = hit & (distance < best_distance)
                best = torch.where(better.reshape(-1, *[1] * (x.ndim - 1)), x_adv, best)
                best_distance = torch.where(better, distance, best_distance)
                found |= hit
            high, low = torch.where(found, const, high), torch.where(found, low, const)
            const = torch.where(high.isinf(), 10 * const, (low + high) / 2)
    return best


def _descend(model, x, y, const, n_steps, lr, confidence, targeted):
    """Rend, pas après pas, le point courant et l'avance de la réponse cherchée."""
    w = torch.atanh((2 * x - 1) * ALMOST_ONE).requires_grad_()
    optimizer = torch.optim.Adam([w], lr=lr)
    for _ in range(n_steps):
        x_adv = (w.tanh() + 1) / 2
        logits = check.logits_of(model, x_adv)
        check.labels(y, logits)
        gap = margin(logits, y) * (-1 if targeted else 1)  # > 0 : trompé
        distance = (x_adv - x).square().flatten(1).sum(dim=1)
        objective = distance + const * (-gap).clamp(min=-confidence)
        (w.grad,) = torch.autograd.grad(objective.sum(), w)
        optimizer.step()
        yield x_adv.detach(), gap.detach()
