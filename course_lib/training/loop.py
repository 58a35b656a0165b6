"""La boucle d'entraînement et l'évaluation.

Les données tiennent en mémoire : ``fit`` y découpe ses lots au lieu de les recoller exemple par
exemple, fusionne la mise à jour d'Adam et ne lit un nombre sur l'appareil qu'une fois par passage.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from course_lib._checks import check_count
from course_lib.metrics import accuracy
from course_lib.training._preparation import (
    Data,
    Loss,
    build_optimizer,
    build_scheduler,
    check_settings,
    checked_data,
    modes_restored,
)
from course_lib.training.history import BestEpoch, EarlyStopping, History

Metric = Callable[[Tensor, Tensor], float]
BLOCK = 32  # lots mélangés d'un coup : assez pour amortir la copie, peu pour la mémoire
EVALUATION_BATCH = 1024


def fit(
    model: nn.Module,
    train: Data,
    *,
    n_epochs: int,
    generator: torch.Generator,
    validation: Data | None = None,
    batch_size: int = 64,
    optimizer: Optimizer | Callable[..., Optimizer] | None = None,
    lr: float = 1e-3,
    loss: Loss = F.cross_entropy,
    metric: Metric | None = accuracy,
    scheduler: LRScheduler | Callable[[Optimizer], LRScheduler] | None = None,
    early_stopping: EarlyStopping | None = None,
    clip_norm: float | None = None,
    transform: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    on_divergence: Literal["raise", "stop"] = "raise",
    progress: bool | None = None,
) -> History:
    """Entraîne ``model`` par mini-lots, à sa place, et rend l'historique.

    À chaque époque : une permutation tirée de ``generator``, puis, lot par lot, perte, gradient,
    mise à jour. Le dernier lot, s'il est plus court, compte pour ses seuls exemples dans les
    moyennes. Les données sont portées sur l'appareil du modèle. À la fin, chaque module est remis
    dans le mode (``train`` ou ``eval``) où il était.

    - ``optimizer`` : Adam de taux ``lr`` par défaut, mise à jour fusionnée si PyTorch le permet ;
      sinon un optimiseur déjà construit, ou une fonction des paramètres, comme
      ``lambda p: torch.optim.SGD(p, lr=0.1)`` (``lr`` est alors ignoré).
    - ``scheduler`` : un plan de PyTorch, ou une fonction de l'optimiseur qui en rend un, avancé
      d'un cran **à chaque mise à jour** ; une époque en fait ⌈N / batch_size⌉.
    - ``loss`` : moyenne sur les exemples du lot. ``metric`` : calculée sur l'époque entière ;
      ``None`` pour s'en passer.
    - ``early_stopping`` : demande ``validation`` ; les poids rendus sont ceux de ``best_epoch``.
    - ``clip_norm`` : norme maximale du gradient. ``transform(x, generator)`` : augmentation d'un
      lot, à l'entraînement seulement.
    - ``on_divergence="stop"`` : s'arrête, au lieu de lever, dès qu'une perte n'est plus finie ;
      l'historique garde cette dernière valeur.
    - ``progress`` : barre de progression ; par défaut en session interactive seulement.

    **Formes** : ``train`` et ``validation`` sont des couples (x, y) de N exemples ; x réel.

    **Lève** : ``ValueError`` si les données ou un réglage ne conviennent pas, ou si la perte cesse
    d'être finie.

    >>> x, y = torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1])
    >>> history = fit(nn.Linear(1, 2), (x, y), n_epochs=100, lr=0.1,
    ...               generator=torch.Generator().manual_seed(0))
    >>> history.train_loss[-1] < history.train_loss[0]
    True
    """
    check_settings(n_epochs, batch_size, generator, lr, clip_norm, on_divergence)
    if early_stopping is not None and validation is None:
        raise ValueError("L'arrêt anticipé surveille la validation : donnez validation=….")
    data = checked_data(model, train, loss)
    held_out = None if validation is None else checked_data(model, validation, loss)
    optimizer = build_optimizer(model, optimizer, lr)
    plan = build_scheduler(scheduler, optimizer)
    history, best = History(), BestEpoch(model, early_stopping)
    start = time.perf_counter()
    n_updates = n_epochs * math.ceil(len(data[0]) / batch_size)
    with modes_restored(model), _progress_bar(n_updates, progress) as bar:
        for epoch in range(n_epochs):
            batches = _shuffled_batches(*data, batch_size, generator, transform)
            running = _train_epoch(model, batches, loss, optimizer, plan, clip_norm, metric, bar)
            _record(history.train_loss, history.train_metric, running)
            if held_out is not None and math.isfinite(history.train_loss[-1]):
                running = _run_evaluation(model, held_out, loss, metric, EVALUATION_BATCH)
                _record(history.validation_loss, history.validation_metric, running)
                best.update(epoch, history.validation_loss[-1])
            if not math.isfinite(running.loss):
                _handle_divergence(history, running.loss, on_divergence)
            if history.diverged or best.is_old(epoch):
                break
        best.restore()
    history.best_epoch, history.duration = best.epoch, time.perf_counter() - start
    return history


def evaluate(
    model: nn.Module,
    data: Data,
    *,
    loss: Loss = F.cross_entropy,
    metric: Metric | None = accuracy,
    batch_size: int = EVALUATION_BATCH,
) -> dict[str, float]:
    """Rend la perte moyenne et la mesure du modèle sur des données, sans le modifier.

    Le modèle est mis en mode ``eval`` le temps du calcul, puis remis dans son mode. La mesure est
    calculée sur l'ensemble, pas lot par lot : le résultat ne dépend pas de ``batch_size``.

    **Formes** : ``data`` est un couple (x, y) de N exemples → ``{"loss": …, "metric": …}``, sans
    ``"metric"`` si ``metric`` vaut ``None``.

    **Lève** : ``ValueError`` si les données ne conviennent pas ou si le modèle répond des NaN.

    >>> model = nn.Linear(1, 2)
    >>> sorted(evaluate(model, (torch.zeros(3, 1), torch.tensor([0, 1, 1]))))
    ['loss', 'metric']
    """
    check_count(batch_size, name="batch_size")
    with modes_restored(model):
        running = _run_evaluation(model, checked_data(model, data, loss), loss, metric, batch_size)
    if not math.isfinite(running.loss):
        raise ValueError(
            f"La perte du modèle vaut {running.loss} sur ces données : ses poids ou ses entrées ne "
            "sont plus finis. Réentraînez-le avec un taux d'apprentissage plus petit."
        )
    return {"loss": running.loss} | ({} if metric is None else {"metric": running.metric()})


class _Running:
    """Ce qu'un passage sur les données accumule, sans rien lire sur l'appareil avant la fin."""

    def __init__(self, metric: Metric | None) -> None:
        self._metric, self.has_metric = metric, metric is not None
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, batch_loss: Tensor, output: Tensor, target: Tensor) -> None:
        self._losses.append(batch_loss.detach())
        self._sizes.append(len(target))
        if self.has_metric:
            self._outputs.append(output.detach())
            self._targets.append(target)

    @cached_property
    def loss(self) -> float:
        """Moyenne sur les exemples : chaque lot pèse son nombre d'exemples."""
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        losses = torch.stack(self._losses).cpu().double()  # seule synchronisation du passage
        return (losses @ sizes / sizes.sum()).item()

    def metric(self) -> float:
        return self._metric(torch.cat(self._outputs), torch.cat(self._targets))


def _train_epoch(model, batches, loss, optimizer, plan, clip_norm, metric, bar) -> _Running:
    model.train()
    running = _Running(metric)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for x, y in batches:
        for parameter in parameters:  # optimizer.zero_grad(), sans le coût de son instrumentation
            parameter.grad = None
        output = model(x)
        batch_loss = loss(output, y)
        batch_loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        if plan is not None:
            plan.step()
        running.add(batch_loss, output, y)
        bar.update()
    return running


def _run_evaluation(model, data, loss, metric, batch_size) -> _Running:
    model.eval()
    running = _Running(metric)
    with torch.no_grad():
        for x, y in zip(*(tensor.split(batch_size) for tensor in data), strict=True):
            output = model(x)
            running.add(loss(output, y), output, y)
    return running


def _shuffled_batches(x, y, batch_size, generator, transform) -> Iterator[Data]:
    order = torch.randperm(len(x), generator=generator, device=generator.device).to(x.device)
    for block in order.split(BLOCK * batch_size):
        for x_batch, y_batch in zip(
            x[block].split(batch_size), y[block].split(batch_size), strict=True
        ):
            yield x_batch if transform is None else transform(x_batch, generator), y_batch


def _record(losses: list[float], metrics: list[float], running: _Running) -> None:
    losses.append(running.loss)
    if running.has_metric:
        metrics.append(running.metric() if math.isfinite(running.loss) else math.nan)


def _handle_divergence(history, value, on_divergence) -> None:
    history.diverged = True
    if on_divergence == "raise":
        raise ValueError(
            f"L'entraînement a divergé : à l'époque {len(history.train_loss)}, la perte vaut "
            f"{value}. Diminuez le taux d'apprentissage, écrêtez le gradient (clip_norm=1.0) ou "
            'normalisez les entrées ; on_divergence="stop" arrête sans lever d\'erreur.'
        )


def _progress_bar(n_updates: int, progress: bool | None) -> tqdm:
    if progress is None:
        silent = os.environ.get("COURSE_BUILD") or "PYTEST_CURRENT_TEST" in os.environ
        progress = not silent and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return tqdm(total=n_updates, disable=not progress, leave=False, desc="Entraînement", unit="lot")
