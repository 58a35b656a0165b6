"""Images naturelles livrées dans les paquets scikit-learn et scikit-image, sans réseau."""

from __future__ import annotations

from importlib import resources

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from course_lib._checks import check_count

# Nom → (paquet, chemin dans le paquet). china et flower : CC BY 2.0, D. Büchele (Flickr) et
# vultilion (Flickr) ; les autres : domaine public, CC0 ou sources citées par scikit-image.
_FILES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "camera": ("skimage", "data/camera.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "china": ("sklearn.datasets", "images/china.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "coins": ("skimage", "data/coins.png"),
    "flower": ("sklearn.datasets", "images/flower.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "hubble_deep_field": ("skimage", "data/hubble_deep_field.jpg"),
    "moon": ("skimage", "data/moon.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
}

NATURAL_IMAGES: tuple[str, ...] = tuple(_FILES)
"""Noms acceptés par ``load_natural_image``."""


def load_natural_image(name: str, *, size: int | tuple[int, int] | None = None) -> Tensor:
    """Charge une image embarquée, en couleurs (C = 3) ou en gris (C = 1) selon l'original.

    Avec ``size``, l'image est recadrée au centre au bon rapport, puis redimensionnée avec
    anticrénelage ; un entier demande un carré.

    **Formes** : sortie (C, H, W) float32 dans [0 ; 1] ; ``size`` : côté, ou (H, W), en pixels.
    **Lève** : ``ValueError`` si le nom est inconnu ou si ``size`` n'est pas strictement positif.
    **Réf.** : vanderwalt2014skimage, pedregosa2011sklearn

    >>> load_natural_image("coffee", size=64).shape
    torch.Size([3, 64, 64])
    """
    if name not in NATURAL_IMAGES:
        raise ValueError(f"image inconnue {name!r} : choisir parmi {', '.join(NATURAL_IMAGES)}.")
    package, path = _FILES[name]
    with resources.files(package).joinpath(path).open("rb") as stream:
        pixels = np.array(Image.open(stream))  # (H, W) ou (H, W, 3), de 0 à 255
    image = torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1).float() / 255
    return image.contiguous() if size is None else _resize(image, *_height_and_width(size))


def _height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Traduit ``size`` en (H, W)."""
    sides = size if isinstance(size, tuple) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"size doit être un entier ou un couple (H, W), reçu {size!r}.")
    return check_count(sides[0], name="size"), check_count(sides[1], name="size")


def _resize(image: Tensor, height: int, width: int) -> Tensor:
    """Recadre (C, H, W) au centre au rapport demandé, puis redimensionne à (height, width)."""
    scale = min(image.shape[1] / height, image.shape[2] / width)
    crop_height = max(1, round(height * scale))
    crop_width = max(1, round(width * scale))
    top = (image.shape[1] - crop_height) // 2
    left = (image.shape[2] - crop_width) // 2
    crop = image[:, top : top + crop_height, left : left + crop_width]
    resized = F.interpolate(
        crop[None], size=(height, width), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].clamp(0, 1)
