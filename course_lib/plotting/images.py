"""Planches d'images."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from course_lib.plotting._inputs import check_axes


def show_images(
    images,
    *,
    titles: Sequence[str] | None = None,
    n_columns: int = 8,
    value_range: tuple[float, float] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> np.ndarray:
    """Montre des images côte à côte et rend leurs ``Axes``, à plat.

    ``value_range`` fixe les valeurs du noir et du blanc ; par défaut, l'étendue commune à toutes.
    Si elle encadre zéro, comme (−1 ; 1), l'échelle va du violet (négatif) à l'orange (positif) en
    passant par le blanc. Sans ``ax``, une figure est créée.

    **Formes** : (N, H, W), (N, 1, H, W) ou (N, 3, H, W) dans [0 ; 1] pour la couleur.

    **Lève** : ``ValueError`` si la forme est autre, si une valeur n'est pas finie, ou s'il manque
    des titres ou des ``Axes``.

    >>> len(show_images(torch.rand(3, 1, 8, 8)))
    3
    """
    pictures = _as_pictures(images)
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"{len(titles)} titres pour {len(pictures)} images : il en faut autant.")
    if not isinstance(n_columns, int) or n_columns < 1:
        raise ValueError(f"n_columns doit être un entier ≥ 1 ; reçu {n_columns!r}.")
    if value_range is not None and not value_range[0] < value_range[1]:
        raise ValueError(f"value_range est (bas, haut), bas < haut ; reçu {value_range!r}.")
    axes = _image_axes(len(pictures), pictures.shape[1:3], n_columns, titles is not None, ax)
    low, high = value_range or (pictures.min(), pictures.max())
    cmap = "PuOr_r" if value_range and low < 0 < high else "gray"
    for index, picture in enumerate(pictures):
        axes[index].imshow(picture.clip(low, high), cmap=cmap, vmin=low, vmax=high)
        axes[index].set(xticks=[], yticks=[])
        axes[index].spines[:].set(visible=True, color="#767676", linewidth=0.6)
        if titles is not None:
            axes[index].set_title(titles[index], fontsize=9, loc="center")
    for unused in axes[len(pictures) :]:
        unused.set_axis_off()
    return axes[: len(pictures)]


def _as_pictures(images) -> np.ndarray:
    if isinstance(images, list | tuple):
        images = torch.stack([torch.as_tensor(image) for image in images])
    array = np.asarray(torch.as_tensor(images).detach().cpu(), dtype=float)
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)  # (N, H, W, C)
    elif array.ndim == 3:
        array = array[..., None]
    else:
        raise ValueError(
            "Attendu des images (N, H, W), (N, 1, H, W) ou (N, 3, H, W) ; reçu "
            f"{array.shape}. Pour une seule image, ajoutez un axe : image[None]."
        )
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"Images vides ou à valeurs non finies, de forme {array.shape}.")
    if array.shape[-1] == 3 and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(
            f"Une image en couleurs a ses valeurs dans [0 ; 1] ; reçu [{array.min():.3g} ; "
            f"{array.max():.3g}]. Ramenez-la à cet intervalle."
        )
    return array


def _image_axes(n_images, size, n_columns, has_titles, ax) -> np.ndarray:
    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        for one in axes:
            check_axes(one)
        if len(axes) < n_images:
            raise ValueError(
                f"{len(axes)} Axes pour {n_images} images : il en faut au moins autant."
            )
        return axes
    n_columns = min(n_columns, n_images)
    n_rows = math.ceil(n_images / n_columns)
    width = 6.4 / max(n_columns, 3)  # une ou deux images ne remplissent pas la page
    height = width * size[0] / size[1] + (0.22 if has_titles else 0)
    _, axes = plt.subplots(
        n_rows, n_columns, figsize=(width * n_columns, height * n_rows), squeeze=False
    )
    return axes.ravel()
