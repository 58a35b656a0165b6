"""Mesures de qualité : exactitude, matrice de confusion, précision, rappel, F1, erreur quadratique.

Chaque fonction reçoit d'abord ce que le modèle répond, puis la vérité.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class PrecisionRecallF1(NamedTuple):
    """Précision, rappel et mesure F1, une valeur par classe, de forme (C,)."""

    precision: Tensor
    recall: Tensor
    f1: Tensor


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Rend la proportion des exemples dont la classe de plus grand *logit* est la bonne.

    **Formes** : ``logits`` (N, C) ou (N, C, …), réels ; ``labels`` (N,) ou (N, …), entiers de
    [0 ; C[. En cas d'égalité de *logits*, la première classe l'emporte.

    **Lève** : ``ValueError`` si les formes ou les types ne vont pas ensemble, si le lot est vide,
    si un *logit* est NaN ou si une étiquette sort de [0 ; C[.

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (_answers(logits, labels) == labels).double().mean().item()


def confusion_matrix(logits: Tensor, labels: Tensor, *, n_classes: int) -> Tensor:
    """Rend la matrice de confusion : ligne = vraie classe, colonne = classe répondue.

    **Formes** : comme ``accuracy``, avec C = ``n_classes`` → (C, C), entiers ; la somme est le
    nombre d'exemples, la diagonale compte les réponses justes.

    **Lève** : ``ValueError`` dans les mêmes cas, et si ``n_classes`` n'est pas C.

    >>> confusion_matrix(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]), n_classes=2)
    tensor([[1, 1],
            [0, 0]])
    """
    answers = _answers(logits, labels)
    if n_classes != logits.shape[1]:
        raise ValueError(
            f"Les logits ont {logits.shape[1]} colonnes, une par classe ; reçu "
            f"n_classes={n_classes!r}. Donnez n_classes={logits.shape[1]}."
        )
    pairs = labels.long() * n_classes + answers  # une case de la matrice par exemple
    return torch.bincount(pairs.flatten(), minlength=n_classes**2).reshape(n_classes, n_classes)


def precision_recall_f1(logits: Tensor, labels: Tensor, *, n_classes: int) -> PrecisionRecallF1:
    """Rend la précision, le rappel et la mesure F1 de chaque classe.

    Précision = VP / (VP + FP), rappel = VP / (VP + FN), F1 = 2 VP / (2 VP + FP + FN) ; 0 quand le
    dénominateur est nul (classe jamais répondue, ou absente). La moyenne macro est
    ``result.f1.mean()``.

    **Formes** : comme ``confusion_matrix`` → trois tenseurs (C,) dans [0 ; 1].

    **Lève** : ``ValueError`` dans les mêmes cas que ``confusion_matrix``.

    >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> precision_recall_f1(logits, torch.tensor([0, 0]), n_classes=2).recall
    tensor([0.5000, 0.0000])
    """
    matrix = confusion_matrix(logits, labels, n_classes=n_classes).to(torch.get_default_dtype())
    true_positives, answered, present = matrix.diagonal(), matrix.sum(dim=0), matrix.sum(dim=1)
    return PrecisionRecallF1(
        precision=true_positives / answered.clamp(min=1),
        recall=true_positives / present.clamp(min=1),
        f1=2 * true_positives / (answered + present).clamp(min=1),
    )


def mean_squared_error(predictions: Tensor, targets: Tensor) -> float:
    """Rend la moyenne des carrés des écarts entre prédictions et cibles.

    **Formes** : deux tenseurs réels de même forme, non vides. (N, 1) contre (N,) est refusé : la
    diffusion en ferait N² écarts.

    **Lève** : ``ValueError`` si les formes diffèrent, si le lot est vide ou si une valeur est NaN.

    >>> mean_squared_error(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0]))
    2.0
    """
    _check_tensors(predictions=predictions, targets=targets)
    if predictions.shape != targets.shape:
        raise ValueError(
            f"Les prédictions ont la forme {tuple(predictions.shape)} et les cibles "
            f"{tuple(targets.shape)} : donnez-leur la même, par reshape ou squeeze(1)."
        )
    for what, tensor in (("Les prédictions", predictions), ("Les cibles", targets)):
        _check_reals(what, tensor)
        _check_no_nan(what, tensor)
    return (predictions - targets).square().mean(dtype=torch.float64).item()


def _answers(logits: Tensor, labels: Tensor) -> Tensor:
    """Vérifie les deux tenseurs et rend les classes répondues, de la forme de ``labels``."""
    _check_tensors(logits=logits, labels=labels)
    if logits.ndim < 2 or (logits.shape[0], *logits.shape[2:]) != tuple(labels.shape):
        raise ValueError(
            "Attendu des logits (N, C) et des étiquettes (N,) ; reçu "
            f"{tuple(logits.shape)} et {tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(
            f"Les étiquettes sont des entiers ; reçu {labels.dtype}. Convertissez-les par .long(), "
            "ou choisissez une autre mesure (mean_squared_error) si la cible est un réel."
        )
    _check_reals("Les logits", logits)
    best, answers = logits.max(dim=1)  # le maximum transmet un NaN : lire logits une seule fois
    _check_no_nan("Les logits", best)
    lowest, highest = labels.min().item(), labels.max().item()
    if lowest < 0 or highest >= logits.shape[1]:
        raise ValueError(
            f"Les étiquettes vont de {lowest} à {highest}, mais les logits n'ont que "
            f"{logits.shape[1]} classes, numérotées de 0 à {logits.shape[1] - 1}."
        )
    return answers


def _check_tensors(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"{name} doit être un tenseur PyTorch ; reçu {type(tensor).__name__}. "
                "Convertissez par torch.as_tensor(…)."
            )
        if tensor.numel() == 0:
            raise ValueError(f"{name} est vide, de forme {tuple(tensor.shape)} : rien à mesurer.")


def _check_reals(what: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise ValueError(
            f"{what} sont des réels ; reçu {tensor.dtype}. Donnez la sortie du modèle, "
            "pas des classes déjà choisies."
        )


def _check_no_nan(what: str, tensor: Tensor) -> None:
    if tensor.isnan().any():
        raise ValueError(
            f"{what} contiennent des NaN : l'entraînement a sans doute divergé (taux "
            "d'apprentissage trop grand), ou l'entrée contient des NaN."
        )
