"""Ce qu'un entraînement retient : l'historique, l'arrêt anticipé, la meilleure époque."""

import math
import numbers
from copy import deepcopy
from dataclasses import dataclass, field

from torch import nn

from course_lib._checks import check_count


@dataclass
class History:
    """Ce qu'un entraînement a mesuré : des listes, une valeur par époque faite.

    Les valeurs d'entraînement sont moyennées pendant l'époque, donc sur des poids qui changent et
    en mode entraînement ; celles de validation sont prises à la fin de l'époque.
    """

    train_loss: list[float] = field(default_factory=list)
    train_metric: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)  # vide sans validation
    validation_metric: list[float] = field(default_factory=list)
    best_epoch: int | None = None  # indice, depuis 0, de la meilleure perte de validation
    duration: float = 0.0  # secondes, validation comprise
    diverged: bool = False  # vrai si la perte a cessé d'être finie (on_divergence="stop")


@dataclass(frozen=True)
class EarlyStopping:
    """Arrêt anticipé : s'arrêter quand la perte de validation ne baisse plus, rendre les meilleurs
    poids.

    **Formes** : ``patience`` ≥ 1, époques sans progrès tolérées ; ``min_delta`` ≥ 0, baisse au-delà
    de laquelle il y a progrès.

    **Lève** : ``ValueError`` si un réglage sort de ces bornes.

    **Réf.** prechelt1998early

    >>> EarlyStopping(patience=3)
    EarlyStopping(patience=3, min_delta=0.0)
    """

    patience: int = 5
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        check_count(self.patience, name="patience")
        real = isinstance(self.min_delta, numbers.Real)
        if not (real and 0 <= self.min_delta < math.inf):
            raise ValueError(f"min_delta doit être un réel ≥ 0 ; reçu {self.min_delta!r}.")


class BestEpoch:
    """La meilleure époque de validation, et ses poids si l'arrêt anticipé les demande."""

    def __init__(self, model: nn.Module, stopping: EarlyStopping | None) -> None:
        if not (stopping is None or isinstance(stopping, EarlyStopping)):
            raise ValueError(
                f"early_stopping doit être un EarlyStopping ; reçu {stopping!r}. Donnez, par "
                "exemple, early_stopping=EarlyStopping(patience=5)."
            )
        self.epoch: int | None = None
        self._model, self._stopping, self._loss, self._state = model, stopping, math.inf, None

    def update(self, epoch: int, loss: float) -> None:
        if loss < self._loss - (self._stopping.min_delta if self._stopping else 0.0):
            self.epoch, self._loss = epoch, loss
            if self._stopping:
                self._state = deepcopy(self._model.state_dict())

    def is_old(self, epoch: int) -> bool:
        return self._stopping is not None and epoch - self.epoch >= self._stopping.patience

    def restore(self) -> None:
        if self._state is not None:
            self._model.load_state_dict(self._state)
