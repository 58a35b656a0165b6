"""Refus des mauvais arguments, communs aux modules de ``course_lib.calibration``."""

from __future__ import annotations

import torch
from torch import Tensor

SUM_TOLERANCE = 1e-4  # la somme d'un softmax en simple précision s'écarte de 1 d'environ 1e-6


def check_level(value: object, *, name: str) -> float:
    """Rend ``value`` s'il est un réel de ]0 ; 1[."""
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"{name} doit être un réel de ]0 ; 1[, par exemple 0.1 ; reçu {value!r}.")
    return value


def check_reals(x: object, *, name: str, dimensions: tuple[int, ...]) -> Tensor:
    """Rend ``x`` en double précision, détaché, s'il est réel, fini, non vide et bien formé."""
    shapes = " ou ".join({1: "(N,)", 2: "(N, C)"}[d] for d in dimensions)
    if not isinstance(x, Tensor) or not x.is_floating_point():
        received = f"un tenseur {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name} doit être un tenseur de réels {shapes} ; reçu {received}.")
    if x.ndim not in dimensions or x.numel() == 0 or (x.ndim == 2 and x.shape[1] < 2):
        raise ValueError(
            f"{name} doit être de forme {shapes}, non vide, avec C ≥ 2 ; reçu {tuple(x.shape)}."
        )
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name} contient des NaN ou des infinis : retirez ces exemples d'abord.")
    return x.detach().double().contiguous()


def check_probabilities(p: object, *, name: str = "probabilities", dimensions=(1, 2)) -> Tensor:
    """Rend ``p`` en double précision si ce sont des probabilités, de somme 1 s'il y a C colonnes."""
    p = check_reals(p, name=name, dimensions=dimensions)
    lowest, highest = p.min().item(), p.max().item()
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"{name} doit être dans [0 ; 1] ; reçu des valeurs de {lowest:g} à {highest:g}. "
            "Pour des logits, appliquez d'abord softmax(1) ou sigmoid()."
        )
    if p.ndim == 2:
        gap, row = (p.sum(1) - 1).abs().max(0)
        if gap > SUM_TOLERANCE:
            raise ValueError(
                f"Chaque ligne de {name} doit être de somme 1 ; la ligne {row.item()} a pour somme "
                f"{p[row].sum().item():g}. Appliquez softmax(1) aux logits."
            )
    return p


def check_labels(labels: object, predictions: Tensor, *, name: str = "labels") -> Tensor:
    """Rend les étiquettes (N,) en int64 si elles vont avec des prédictions (N,) ou (N, C)."""
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.is_complex():
        received = f"un tenseur {labels.dtype}" if isinstance(labels, Tensor) else type(labels)
        raise ValueError(f"{name} doit être un tenseur d'entiers (N,) ; reçu {received}.")
    if labels.shape != predictions.shape[:1]:
        raise ValueError(
            f"{name} doit avoir une étiquette par prédiction, de forme ({len(predictions)},) ; "
            f"reçu {tuple(labels.shape)}."
        )
    n_classes = predictions.shape[1] if predictions.ndim == 2 else 2
    lowest, highest = labels.min().item(), labels.max().item()
    if lowest < 0 or highest >= n_classes:
        raise ValueError(
            f"{name} va de {lowest} à {highest}, hors de 0 … {n_classes - 1} "
            f"({n_classes} classes) : renumérotez les classes à partir de 0."
        )
    return labels.long()
