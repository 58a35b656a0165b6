"""Jeux antagonistes : pertes du discriminateur et du générateur, pénalité, équilibre BEGAN."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib._checks import check_count, check_float_tensor, check_generator, check_real

GENERATOR_LOSSES = ("saturating", "non_saturating", "wasserstein")


class BeganState(NamedTuple):
    """Équilibre BEGAN après un pas : ``k`` dans [0 ; 1], mesure de convergence ``measure`` ≥ 0."""

    k: float
    measure: float


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Rend l'entropie croisée du discriminateur : cible 1 pour le réel, 0 pour le généré.

    −E[ln D(x)] − E[ln(1 − D(G(z)))], avec D = σ(logit) : l'opposé de la valeur du jeu.

    **Formes** : logits de formes quelconques, non vides → scalaire ≥ 0, en nats.

    **Lève** : ``ValueError`` si un tenseur n'est pas flottant, fini et non vide.

    **Réf.** : goodfellow2014generative

    >>> discriminator_loss(torch.zeros(3), torch.zeros(3))  # D = 1/2 partout : 2 ln 2
    tensor(1.3863)
    """
    real, fake = _scores(real_logits, fake_logits)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def critic_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Rend la perte du critique de Wasserstein, E[f(G(z))] − E[f(x)].

    Son opposé, pour un critique 1-lipschitzien, est une borne inférieure de W₁.

    **Formes** : scores réels, de formes quelconques, non vides → scalaire.

    **Lève** : ``ValueError`` si un tenseur n'est pas flottant, fini et non vide.

    **Réf.** : arjovsky2017wasserstein

    >>> critic_loss(torch.ones(2), torch.zeros(2))
    tensor(-1.)
    """
    real, fake = _scores(real_scores, fake_scores)
    return fake.mean() - real.mean()


def generator_loss(fake_scores: Tensor, *, kind: str = "non_saturating") -> Tensor:
    """Rend la perte du générateur, selon le jeu qu'il joue.

    ``"saturating"`` : E[ln(1 − D(G(z)))], celle du min-max ; ``"non_saturating"`` :
    −E[ln D(G(z))] ; ``"wasserstein"`` : −E[f(G(z))].

    **Formes** : logits (ou scores du critique) de forme quelconque, non vides → scalaire.

    **Lève** : ``ValueError`` si ``kind`` est inconnu ou si les scores ne conviennent pas.

    **Réf.** : goodfellow2014generative, arjovsky2017wasserstein

    >>> generator_loss(torch.zeros(3))
    tensor(0.6931)
    """
    (fake,) = _scores(fake_scores)
    if kind == "saturating":
        return -F.softplus(fake).mean()  # ln(1 − σ(a)) = −softplus(a)
    if kind == "non_saturating":
        return F.softplus(-fake).mean()
    if kind == "wasserstein":
        return -fake.mean()
    raise ValueError(f"kind={kind!r} est inconnu : choisissez parmi {', '.join(GENERATOR_LOSSES)}.")


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    batch_dims: int = 1,
    generator: torch.Generator,
) -> Tensor:
    """Rend E[(‖∇f(x̃)‖ − 1)²], x̃ tiré uniformément sur le segment entre un réel et un généré.

    Le résultat se dérive par rapport aux poids du critique (il contient une dérivée seconde).

    **Formes** : ``real`` et ``fake`` (N, …) de même forme ; les ``batch_dims`` premiers axes
    numérotent les exemples (2 pour plusieurs réseaux à la fois, (S, N, D)) → scalaire ≥ 0.

    **Lève** : ``ValueError`` si les formes diffèrent, ou s'il ne reste aucun axe à dériver.

    **Réf.** : gulrajani2017improved

    >>> x, y = torch.zeros(5, 2), torch.ones(5, 2)
    >>> gradient_penalty(lambda v: 3 * v[:, 0], x, y, generator=torch.Generator())
    tensor(4.)
    """
    for name, examples in (("real", real), ("fake", fake)):
        check_float_tensor(examples, name=name)
    check_generator(generator)
    check_count(batch_dims, name="batch_dims")
    if real.shape != fake.shape or real.ndim <= batch_dims:
        raise ValueError(
            f"real et fake doivent avoir la même forme et plus de {batch_dims} axe(s) ; "
            f"reçu {tuple(real.shape)} et {tuple(fake.shape)}."
        )
    shape = real.shape[:batch_dims] + (1,) * (real.ndim - batch_dims)
    mix = torch.rand(shape, generator=generator).to(real)
    between = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(batch_dims).norm(dim=-1) - 1).square().mean()


def began_step(
    k: float, real_loss: float, fake_loss: float, *, gamma: float = 0.5, rate: float = 1e-3
) -> BeganState:
    """Rend le nouveau poids kₜ et la mesure de convergence de BEGAN.

    k ← k + rate · (γ L(x) − L(G(z))), ramené dans [0 ; 1] ; mesure = L(x) + |γ L(x) − L(G(z))|.

    **Formes** : ``k`` et ``gamma`` dans [0 ; 1] ; erreurs de reconstruction ≥ 0 ; ``rate`` > 0.

    **Lève** : ``ValueError`` si un nombre sort de son domaine.

    **Réf.** : berthelot2017began

    >>> began_step(0.0, 1.0, 0.25, gamma=0.5, rate=0.1)
    BeganState(k=0.025, measure=1.25)
    """
    for name, value in (("k", k), ("gamma", gamma)):
        if not 0 <= check_real(value, name=name) <= 1:
            raise ValueError(f"{name} doit être dans [0 ; 1], reçu {value!r}.")
    real_loss = check_real(real_loss, name="real_loss", minimum=0.0)
    gap = gamma * real_loss - check_real(fake_loss, name="fake_loss", minimum=0.0)
    k = k + check_real(rate, name="rate", minimum=0.0, strict=True) * gap
    return BeganState(min(max(k, 0.0), 1.0), real_loss + abs(gap))


def _scores(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(check_float_tensor(tensor, name="les scores") for tensor in tensors)
