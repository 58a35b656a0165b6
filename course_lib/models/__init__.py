"""Modèles partagés par plusieurs chapitres."""

from torch import nn

from course_lib.models.cnn import SmallCNN
from course_lib.models.mlp import MLP

__all__ = ["MLP", "SmallCNN", "n_parameters"]


def n_parameters(model: nn.Module) -> int:
    """Rend le nombre de paramètres que l'entraînement modifie (``requires_grad``).

    Un tenseur partagé par plusieurs couches compte une fois.

    **Lève** : ``ValueError`` si ``model`` n'est pas un module PyTorch.

    >>> n_parameters(MLP([64, 64, 10]))
    4810
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"Attendu un modèle PyTorch (nn.Module) ; reçu {type(model).__name__}.")
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
