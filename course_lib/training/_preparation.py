"""Avant la première mise à jour : refus des entrées fausses, optimiseur, plan de décroissance."""

import math
import numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from course_lib._checks import check_count, check_generator

Data = tuple[Tensor, Tensor]  # (x, y), par exemple un Split de course_lib.data
Loss = Callable[[Tensor, Tensor], Tensor]
ELEMENTWISE_LOSSES = (
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)  # fmt: skip


def check_settings(n_epochs, batch_size, generator, lr, clip_norm, on_divergence) -> None:
    check_count(n_epochs, name="n_epochs")
    check_count(batch_size, name="batch_size")
    check_generator(generator, any_device=True)
    for name, value in (("lr", lr), ("clip_norm", clip_norm)):
        if value is not None and not (isinstance(value, numbers.Real) and 0 < value < math.inf):
            raise ValueError(f"{name} doit être un réel strictement positif ; reçu {value!r}.")
    if on_divergence not in ("raise", "stop"):
        raise ValueError(f'on_divergence vaut "raise" ou "stop" ; reçu {on_divergence!r}.')


def checked_data(model: nn.Module, data: Data, loss: Loss) -> Data:
    """Vérifie les données et ce que le modèle en fait ; les porte sur l'appareil du modèle."""
    if not (isinstance(data, tuple | list) and len(data) == 2):
        raise ValueError(f"Attendu un couple (x, y) de tenseurs ; reçu {type(data).__name__}.")
    if not all(isinstance(tensor, Tensor) and tensor.ndim > 0 for tensor in data):
        kinds = ", ".join(type(tensor).__name__ for tensor in data)
        raise ValueError(f"x et y doivent être des tenseurs d'au moins un axe ; reçu {kinds}.")
    x, y = data
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(
            f"x et y doivent avoir le même nombre d'exemples, au moins un ; reçu {len(x)} et "
            f"{len(y)} (formes {tuple(x.shape)} et {tuple(y.shape)})."
        )
    for name, tensor in (("x", x), ("y", y)):
        if not tensor.isfinite().all():
            raise ValueError(
                f"{name} contient {int((~tensor.isfinite()).sum())} valeurs non finies (NaN ou "
                "infini) : retirez ces exemples ou remplacez ces valeurs avant d'entraîner."
            )
    device = next((p.device for p in model.parameters()), x.device)
    x, y = x.to(device), y.to(device)
    _check_output(model, x[:2], y, loss)
    return x, y


def _check_output(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> None:
    """Essaie le modèle et la perte sur deux exemples : l'erreur se dit avant la première époque."""
    with modes_restored(model), torch.no_grad():
        output = _attempt("Le modèle", model.eval(), x)
        if loss is F.cross_entropy:
            if not (y.is_floating_point() and y.ndim > 1 and y.shape[1:] == output.shape[1:]):
                _check_labels(output, y)  # sinon, des probabilités, que cross_entropy accepte
        elif loss in ELEMENTWISE_LOSSES and output.shape[1:] != y.shape[1:]:
            raise ValueError(
                f"Le modèle rend {tuple(output.shape[1:])} par exemple, et une cible a la forme "
                f"{tuple(y.shape[1:])} : la perte diffuserait l'un contre l'autre. Donnez-leur la "
                "même forme, par exemple y.unsqueeze(1)."
            )
        value = _attempt("La perte", loss, output, y[: len(x)])
    if not (isinstance(value, Tensor) and value.ndim == 0):
        raise ValueError(
            "La perte doit rendre un scalaire, la moyenne sur les exemples du lot ; reçu "
            f"{tuple(value.shape) if isinstance(value, Tensor) else value!r}. Ôtez reduction."
        )


def _attempt(what: str, function: Callable, *tensors: Tensor):
    try:
        return function(*tensors)
    except RuntimeError as error:
        received = " et ".join(f"{tuple(t.shape)} {t.dtype}" for t in tensors)
        raise ValueError(f"{what} refuse ce lot, de forme {received}. PyTorch : {error}") from error


def _check_labels(output: Tensor, y: Tensor) -> None:
    if y.dtype != torch.int64:
        raise ValueError(f"Les étiquettes doivent être int64 ; reçu {y.dtype} : appelez .long().")
    if output.ndim < 2 or output.shape[2:] != y.shape[1:]:
        raise ValueError(
            f"Le modèle rend {tuple(output.shape[1:])} par exemple, et une étiquette a la forme "
            f"{tuple(y.shape[1:])} : attendu des logits (N, C) et des étiquettes (N,)."
        )
    if y.min() < 0 or y.max() >= output.shape[1]:
        raise ValueError(
            f"Les étiquettes vont de {int(y.min())} à {int(y.max())}, mais le modèle n'a que "
            f"{output.shape[1]} sorties, numérotées de 0 à {output.shape[1] - 1}."
        )


def build_optimizer(model: nn.Module, optimizer, lr: float) -> Optimizer:
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("Ce modèle n'a aucun paramètre à entraîner (requires_grad est faux).")
    if optimizer is None:
        try:
            return Adam(parameters, lr=lr, fused=True)
        except RuntimeError:  # appareil ou type de nombres sans version fusionnée
            return Adam(parameters, lr=lr)
    if not isinstance(optimizer, Optimizer):
        optimizer = optimizer(parameters)
    known = {id(p) for p in parameters}
    if not any(id(p) in known for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "L'optimiseur ne tient aucun paramètre de ce modèle. Construisez-le après le modèle, "
            "ou donnez une fonction : optimizer=lambda p: torch.optim.SGD(p, lr=0.1)."
        )
    return optimizer


def build_scheduler(scheduler, optimizer: Optimizer) -> LRScheduler | None:
    if scheduler is None:
        return None
    if not isinstance(scheduler, LRScheduler):
        scheduler = scheduler(optimizer)
    if isinstance(scheduler, ReduceLROnPlateau) or scheduler.optimizer is not optimizer:
        raise ValueError(
            "Le plan doit suivre l'optimiseur donné à fit et ne dépendre que du nombre de mises à "
            "jour. Donnez une fonction : scheduler=lambda o: CosineAnnealingLR(o, T_max=n_steps)."
        )
    return scheduler


@contextmanager
def modes_restored(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
