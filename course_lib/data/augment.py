"""Augmentation de lots d'images, sur des tenseurs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib._checks import check_count, check_float_tensor, check_generator


def shift_images(x: Tensor, *, max_shift: int, generator: torch.Generator) -> Tensor:
    """Translate chaque image d'un décalage entier tiré au hasard, et complète par un fond nul.

    Les décalages vertical et horizontal sont indépendants, uniformes dans {−``max_shift``, …,
    ``max_shift``}, et propres à chaque image du lot.

    **Formes** : ``x`` (N, C, H, W) → (N, C, H, W).
    **Lève** : ``ValueError`` si ``x`` n'est pas un lot d'images flottant, fini et non vide, ou si
    ``max_shift`` est négatif ou atteint la taille de l'image.
    **Réf.** : simard2003practices

    >>> shift_images(torch.ones(2, 1, 4, 4), max_shift=0, generator=torch.Generator()).sum()
    tensor(32.)
    """
    check_float_tensor(x, name="x")
    check_generator(generator, any_device=True)
    check_count(max_shift, name="max_shift", minimum=0)
    if x.ndim != 4 or max_shift >= min(x.shape[2:]):
        raise ValueError(
            "x doit être de forme (N, C, H, W), avec H et W plus grands que "
            f"max_shift = {max_shift}, reçu la forme {tuple(x.shape)}."
        )
    n, _, height, width = x.shape
    start = torch.randint(
        2 * max_shift + 1, (2, n, 1), generator=generator, device=generator.device
    )
    start = start.to(x.device)  # coin de la fenêtre lue dans l'image bordée de zéros
    rows = start[0] + torch.arange(height, device=x.device)  # (N, H)
    columns = start[1] + torch.arange(width, device=x.device)  # (N, W)
    padded = F.pad(x, [max_shift] * 4).permute(0, 2, 3, 1)  # (N, H + 2m, W + 2m, C)
    image = torch.arange(n, device=x.device)[:, None, None]
    shifted = padded[image, rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
    return shifted.permute(0, 3, 1, 2).contiguous()
