"""Petit réseau convolutif."""

from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Petit réseau convolutif : trois convolutions 3×3, deux agrégations 2×2, une couche affine.

    ``features`` rend les cartes, ``classifier`` les aplatit et rend les *logits*. Les cartes ont
    ``width`` canaux, puis ``2 * width`` après la première agrégation.

    **Formes** : (N, C, H, W) avec C = ``in_channels`` et H = W = ``image_size`` ≥ 4 →
    (N, ``n_classes``).

    **Lève** : ``ValueError`` si un réglage n'est pas un entier permis ou si l'entrée n'a pas la
    forme annoncée.

    **Réf.** lecun1998gradient

    >>> import torch
    >>> SmallCNN(width=8)(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        n_classes: int = 10,
        width: int = 16,
        image_size: int = 8,
    ) -> None:
        _check_at_least(1, in_channels=in_channels, n_classes=n_classes, width=width)
        _check_at_least(4, image_size=image_size)
        super().__init__()
        self.input_shape = (in_channels, image_size, image_size)
        side = image_size // 4  # deux agrégations divisent le côté par quatre
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(),        # (N, width, H, W)
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2),                                               # (N, width, H/2, W/2)
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2),                                               # (N, 2 width, H/4, W/4)
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(2 * width * side**2, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.input_shape or len(x) == 0 or not x.is_floating_point():
            expected = ", ".join(map(str, self.input_shape))
            raise ValueError(
                f"Ce réseau attend un lot non vide d'images réelles de forme (N, {expected}) ; "
                f"reçu {x.dtype}, de forme {tuple(x.shape)}."
            )
        return self.classifier(self.features(x))


def _check_at_least(minimum: int, **settings: int) -> None:
    for name, value in settings.items():
        if not isinstance(value, int) or value < minimum:
            raise ValueError(f"{name} doit être un entier ≥ {minimum} ; reçu {value!r}.")
