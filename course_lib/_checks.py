"""Refus des mauvais arguments, communs à tous les modules de ``course_lib``."""

from __future__ import annotations

import math
from numbers import Integral, Real

import torch
from torch import Tensor


def check_count(n: object, *, name: str = "n", minimum: int = 1) -> int:
    """Rend ``n`` s'il est un entier d'au moins ``minimum``, lève ``ValueError`` sinon."""
    if isinstance(n, bool) or not isinstance(n, Integral) or n < minimum:
        raise ValueError(f"{name} doit être un entier ≥ {minimum}, reçu {n!r}.")
    return int(n)


def check_real(
    value: object, *, name: str, minimum: float = -math.inf, strict: bool = False
) -> float:
    """Rend ``value`` en flottant s'il est fini, d'au moins ``minimum`` (plus, si ``strict``)."""
    number = float(value) if isinstance(value, Real) else math.nan
    too_low = number < minimum or (strict and number == minimum)
    if isinstance(value, bool) or not math.isfinite(number) or too_low:
        bound = "" if minimum == -math.inf else f" {'>' if strict else '≥'} {minimum:g}"
        raise ValueError(f"{name} doit être un nombre fini{bound}, reçu {value!r}.")
    return number


def check_generator(generator: object, *, any_device: bool = False) -> torch.Generator:
    """Rend ``generator`` s'il est un ``torch.Generator`` (du processeur, sauf ``any_device``)."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator doit être un torch.Generator, reçu {type(generator).__name__} : "
            "passer par exemple generator=make_generator(0)."
        )
    if generator.device.type != "cpu" and not any_device:
        raise ValueError(
            f"generator doit vivre sur le processeur, reçu un générateur sur {generator.device} : "
            "créer les données avec make_generator(0), puis les copier avec .to(device)."
        )
    return generator


def check_float_tensor(x: object, *, name: str = "x") -> Tensor:
    """Rend ``x`` s'il est un tenseur flottant, fini et non vide, lève ``ValueError`` sinon."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        received = f"un tenseur {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(
            f"{name} doit être un tenseur flottant, reçu {received} : convertir avec .float()."
        )
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(f"{name} ne doit pas être vide, reçu la forme {tuple(x.shape)}.")
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"{name} contient des valeurs NaN ou infinies : les retirer ou les remplacer d'abord."
        )
    return x
