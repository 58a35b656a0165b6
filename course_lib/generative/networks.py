"""Encodeur et décodeur convolutifs, symétriques, pour de petites images."""

import torch
from torch import Tensor, nn

from course_lib._checks import check_count


class Encoder(nn.Module):
    """Encodeur : deux convolutions de pas 2, une activation ReLU après chacune, une couche affine.

    Chaque convolution divise le côté par deux ; les cartes ont ``width`` canaux, puis
    ``2 * width``. Aucune activation finale : le code est réel. Un auto-encodeur variationnel
    demande ``2 * n_latent`` valeurs, une moyenne et un logarithme de variance par coordonnée.

    **Formes** : ``in_shape`` = (C, H, W), H et W multiples de 4 ; (N, C, H, W) → (N, ``n_code``).

    **Lève** : ``ValueError`` si un réglage ou la forme de l'entrée ne convient pas.

    **Réf.** masci2011stacked

    >>> Encoder((1, 8, 8), 3)(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 3])
    """

    def __init__(self, in_shape: tuple[int, int, int], n_code: int, *, width: int = 8) -> None:
        n_channels, height, side = _checked_shape(in_shape)
        check_count(n_code, name="n_code")
        check_count(width, name="width")
        super().__init__()
        self.in_shape = (n_channels, height, side)
        self.layers = nn.Sequential(
            nn.Conv2d(n_channels, width, 3, stride=2, padding=1), nn.ReLU(),  # (N, width, H/2, W/2)
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(),   # (N, 2 width, H/4, W/4)
            nn.Flatten(),
            nn.Linear(2 * width * (height // 4) * (side // 4), n_code),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        _check_input(x, self.in_shape, name="L'encodeur", what="des images")
        return self.layers(x)


class Decoder(nn.Module):
    """Décodeur, symétrique de ``Encoder`` : une couche affine, deux convolutions transposées.

    Chaque convolution transposée double le côté. Aucune activation finale : les sorties sont
    réelles. L'erreur quadratique les prend telles quelles ; la perte
    ``F.binary_cross_entropy_with_logits`` y voit des *logits*, que ``.sigmoid()`` ramène dans [0 ; 1].

    **Formes** : ``out_shape`` = (C, H, W), H et W multiples de 4 ; (N, ``n_code``) → (N, C, H, W).

    **Lève** : ``ValueError`` si un réglage ou la forme de l'entrée ne convient pas.

    **Réf.** masci2011stacked

    >>> Decoder(3, (1, 8, 8))(torch.zeros(5, 3)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(self, n_code: int, out_shape: tuple[int, int, int], *, width: int = 8) -> None:
        n_channels, height, side = _checked_shape(out_shape)
        check_count(n_code, name="n_code")
        check_count(width, name="width")
        super().__init__()
        self.n_code = n_code
        small = (2 * width, height // 4, side // 4)
        self.layers = nn.Sequential(
            nn.Linear(n_code, 2 * width * (height // 4) * (side // 4)), nn.ReLU(),
            nn.Unflatten(1, small),                                           # (N, 2 width, H/4, W/4)
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(width, n_channels, 4, stride=2, padding=1),    # (N, C, H, W)
        )  # fmt: skip

    def forward(self, code: Tensor) -> Tensor:
        _check_input(code, (self.n_code,), name="Le décodeur", what="des codes")
        return self.layers(code)


def _checked_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    sizes = tuple(shape) if isinstance(shape, tuple | list | torch.Size) else ()
    whole = len(sizes) == 3 and all(isinstance(n, int) and n >= 1 for n in sizes)
    if not whole or sizes[1] % 4 or sizes[2] % 4:
        raise ValueError(
            "La forme des images est (canaux, hauteur, largeur), les deux dernières multiples de "
            f"4, par exemple (1, 8, 8) ; reçu {shape!r}."
        )
    return sizes


def _check_input(x: Tensor, shape: tuple[int, ...], *, name: str, what: str) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.shape[1:] != shape:
        received = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        expected = "N, " + ", ".join(map(str, shape))
        raise ValueError(f"{name} attend {what} réels de forme ({expected}) ; reçu {received}.")
