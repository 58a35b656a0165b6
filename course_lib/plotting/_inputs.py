"""Refus des entrées qu'on ne sait pas dessiner."""

import numpy as np
import torch
from matplotlib.axes import Axes


def check_axes(ax: Axes) -> None:
    if not isinstance(ax, Axes):
        raise ValueError(
            f"ax doit être un Axes de Matplotlib ; reçu {type(ax).__name__}. "
            "Créez-le par fig, ax = plt.subplots()."
        )


def as_array(name: str, value, shape: str) -> np.ndarray:
    """Convertit en tableau de la forme annoncée : un axe par lettre, un nombre est une taille."""
    array = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
    sizes = [part.strip() for part in shape.strip("()").split(",") if part.strip()]
    fits = array.ndim == len(sizes) and all(
        not size.isdecimal() or int(size) == n for size, n in zip(sizes, array.shape, strict=True)
    )
    if not fits or array.size == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} doit être un tableau de nombres non vide, de forme {shape} ; "
            f"reçu {array.dtype}, de forme {array.shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contient des NaN ou des infinis : retirez-les avant de dessiner.")
    return array


def name_axes(ax: Axes, x_label: str, y_label: str) -> Axes:
    """Nomme les axes, sauf ceux que l'appelant a déjà nommés."""
    ax.set_xlabel(ax.get_xlabel() or x_label)
    ax.set_ylabel(ax.get_ylabel() or y_label)
    return ax
