"""Perceptron multicouche."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Perceptron multicouche : couches affines séparées par une activation, sans activation finale.

    Les sorties sont des *logits* : la perte (``F.cross_entropy``) applique elle-même softmax.
    ``layers`` les tient dans l'ordre : avec ``flatten``, ``layers[0]`` aplatit l'entrée et
    ``layers[1]`` est la première couche affine.

    **Formes** : ``sizes`` = (D, …, C), au moins deux entiers ≥ 1. Entrée (N, D), ou (N, C, H, W)
    avec C·H·W = D si ``flatten`` ; sortie (N, C).

    **Lève** : ``ValueError`` si ``sizes`` est mal formé ou si l'entrée n'a pas D valeurs.

    **Réf.** rumelhart1986backprop

    >>> import torch
    >>> MLP([64, 32, 10])(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        flatten: bool = True,
    ) -> None:
        super().__init__()
        self.sizes, self.flatten = _checked_sizes(sizes), flatten
        layers: list[nn.Module] = [nn.Flatten()] if flatten else []
        for n_in, n_out in pairwise(self.sizes[:-1]):
            layers += [nn.Linear(n_in, n_out), activation()]
        layers.append(nn.Linear(self.sizes[-2], self.sizes[-1]))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        n_values = math.prod(x.shape[1:] if self.flatten else x.shape[-1:])
        if n_values != self.sizes[0] or x.ndim < 2 or len(x) == 0 or not x.is_floating_point():
            raise ValueError(
                f"Ce PMC attend un lot non vide d'entrées de {self.sizes[0]} réels, de forme "
                f"(N, {self.sizes[0]}) ; reçu {x.dtype}, de forme {tuple(x.shape)}."
            )
        return self.layers(x)


def _checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    try:
        checked = tuple(sizes)
    except TypeError:
        checked = ()
    if len(checked) < 2 or any(not isinstance(n, int) or n < 1 for n in checked):
        raise ValueError(
            "Les tailles d'un PMC sont au moins deux entiers strictement positifs, de l'entrée à "
            f"la sortie, par exemple [64, 32, 10] ; reçu {sizes!r}."
        )
    return checked
