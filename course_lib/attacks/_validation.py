"""Ce que toutes les attaques partagent : refus des mauvaises entrées, mode du modèle, pertes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib._checks import check_real
from course_lib.training._preparation import modes_restored

Model = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Entropie croisée de chaque exemple : (N, C), (N,) → (N,)."""
    return F.cross_entropy(logits, y, reduction="none")


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """Rend l'avance de la meilleure classe fausse sur la vraie, max_{k≠y} z_k − z_y.

    Positive, la réponse est fausse ; négative, elle est juste ; nulle, deux classes sont à
    égalité. Contrairement à l'entropie croisée, son gradient ne s'éteint pas quand le modèle est
    sûr de lui.

    **Formes** : ``logits`` (N, C) avec C ≥ 2, ``y`` (N,) → (N,).
    **Lève** : ``ValueError`` si les formes ou les étiquettes ne vont pas ensemble.
    **Réf.** : carlini2017towards

    >>> margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
    tensor([-1.])
    """
    labels(y, logits)
    true = logits.gather(1, y[:, None])  # (N, 1)
    others = logits.scatter(1, y[:, None], -math.inf)  # (N, C), sans la vraie classe
    return others.amax(dim=1) - true[:, 0]


@contextmanager
def attacking(model: Model) -> Iterator[None]:
    """Met le modèle en mode ``eval`` et permet les gradients, le temps d'une attaque."""
    if not callable(model):
        raise ValueError(
            f"model doit être un module ou une fonction qui rend des logits ; reçu {model!r}."
        )
    with modes_restored(model if isinstance(model, nn.Module) else nn.Identity()):
        if isinstance(model, nn.Module):
            model.eval()
        with torch.enable_grad():
            yield


def logits_of(model: Model, x: Tensor) -> Tensor:
    """Rend les logits (N, C) du modèle, ou refuse ce qu'il rend."""
    logits = model(x)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[1] < 2:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"Le modèle doit rendre des logits de forme (N, C), C ≥ 2 ; reçu {shape}. Pour un "
            "score s à deux classes, rendez torch.stack([0 * s, s], dim=1)."
        )
    if not bool(torch.isfinite(logits).all()):
        raise ValueError("Le modèle rend des logits NaN ou infinis : vérifiez ses poids.")
    return logits


def inputs(x: object) -> Tensor:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x doit être un tenseur flottant, reçu {kind} : convertir par .float().")
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(
            f"x doit être un lot non vide, de forme (N, …) ; reçu la forme {tuple(x.shape)}. "
            "Pour une seule entrée, ajoutez un axe : x[None]."
        )
    if not bool(torch.isfinite(x).all()):
        raise ValueError("x contient des NaN ou des infinis : retirez ces entrées.")
    low, high = x.min().item(), x.max().item()
    if low < 0 or high > 1:
        raise ValueError(
            f"x doit être dans [0 ; 1] ; reçu des valeurs de {low:.4g} à {high:.4g}. Divisez les "
            "pixels par leur maximum et mettez la normalisation dans le modèle."
        )
    return x.detach()


def labels(y: object, logits: Tensor) -> None:
    if not isinstance(y, Tensor) or y.dtype != torch.int64:
        kind = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"y doit être un tenseur d'entiers int64, reçu {kind} : .long().")
    if y.shape != logits.shape[:1]:
        raise ValueError(
            f"y doit donner une étiquette par entrée, de forme ({len(logits)},) ; reçu la forme "
            f"{tuple(y.shape)}."
        )
    if y.numel() and (int(y.min()) < 0 or int(y.max()) >= logits.shape[1]):
        raise ValueError(
            f"Les étiquettes vont de {int(y.min())} à {int(y.max())}, mais le modèle n'a que "
            f"{logits.shape[1]} classes, numérotées de 0 à {logits.shape[1] - 1}."
        )


def ball_radius(epsilon: object, x: Tensor) -> Tensor:
    """Rend le budget sous une forme (N, 1, …) qui se diffuse sur ``x``."""
    value = epsilon
    if not isinstance(epsilon, Tensor):
        value = torch.tensor(check_real(epsilon, name="epsilon", minimum=0.0))
    if value.ndim and value.shape != x.shape[:1]:
        raise ValueError(
            f"epsilon est un nombre, ou un nombre par entrée, de forme ({len(x)},) ; reçu la "
            f"forme {tuple(value.shape)}."
        )
    if not bool((torch.isfinite(value) & (value >= 0)).all()):
        raise ValueError(f"epsilon est un rayon : un nombre fini ≥ 0, reçu {value.min():.4g}.")
    return value.to(x).expand(len(x)).reshape(-1, *[1] * (x.ndim - 1))
