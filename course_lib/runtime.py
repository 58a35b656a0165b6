"""Graine, profil et processeur : ce qui rend une page reproductible."""

from __future__ import annotations

import os
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

PROFILES = ("rapide", "complet")


def set_seed(seed: int) -> None:
    """Fixe la graine des générateurs globaux de Python, NumPy et PyTorch.

    À appeler dans une page, juste avant de construire un modèle (l'initialisation de PyTorch
    puise dans le générateur global). Les fonctions de ``course_lib`` ne l'appellent jamais.

    **Lève** : ``ValueError`` si la graine n'est pas un entier de [0 ; 2³²[.

    >>> set_seed(0); a = torch.rand(1); set_seed(0); bool(torch.rand(1) == a)
    True
    """
    seed = _checked_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (le générateur global est justement ce que l'on fixe)
    torch.manual_seed(seed)


def make_generator(seed: int) -> torch.Generator:
    """Rend un générateur aléatoire neuf, sur le processeur central, de graine donnée.

    **Lève** : ``ValueError`` si la graine n'est pas un entier de [0 ; 2³²[.

    >>> torch.rand(1, generator=make_generator(3)) == torch.rand(1, generator=make_generator(3))
    tensor([True])
    """
    return torch.Generator().manual_seed(_checked_seed(seed))


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(
            f"Graine invalide : reçu {seed!r}. Donnez un entier de 0 à 2³² − 1, par exemple 0."
        )
    return int(seed)


def profile_name() -> str:
    """Rend le nom du profil d'exécution, lu dans ``COURSE_PROFILE`` (« rapide » par défaut).

    **Lève** : ``ValueError`` si le profil est inconnu.
    """
    name = os.environ.get("COURSE_PROFILE", "rapide")
    if name not in PROFILES:
        raise ValueError(
            f"Profil inconnu : COURSE_PROFILE vaut {name!r}. "
            f"Valeurs permises : {' ou '.join(PROFILES)}."
        )
    return name


def profile(*, rapide: dict[str, Any], complet: dict[str, Any]) -> SimpleNamespace:
    """Rend les réglages du profil courant, et règle le nombre de fils de calcul de PyTorch.

    Les deux dictionnaires ont les mêmes clés ; le résultat a en plus l'attribut ``name``. En
    « rapide », PyTorch calcule sur un seul fil : les résultats ne dépendent pas du nombre de
    cœurs. ``COURSE_THREADS`` impose un autre nombre, dans les deux profils.

    **Lève** : ``ValueError`` si le profil est inconnu, si les clés diffèrent, si l'une se nomme
    ``name`` ou si ``COURSE_THREADS`` n'est pas un entier strictement positif.

    >>> profile(rapide={"n_epochs": 5}, complet={"n_epochs": 20}).n_epochs
    5
    """
    if difference := sorted(rapide.keys() ^ complet.keys()):
        raise ValueError(
            "Les réglages « rapide » et « complet » doivent avoir les mêmes clés ; "
            f"présentes d'un seul côté : {', '.join(difference)}."
        )
    if "name" in rapide:
        raise ValueError("La clé « name » est réservée au nom du profil : choisissez-en une autre.")
    name = profile_name()
    threads = _requested_threads() or (1 if name == "rapide" else None)
    if threads is not None:
        torch.set_num_threads(threads)
    return SimpleNamespace(name=name, **(rapide if name == "rapide" else complet))


def _requested_threads() -> int | None:
    value = os.environ.get("COURSE_THREADS", "")
    if not value:
        return None
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(
            f"COURSE_THREADS vaut {value!r} : donnez un entier strictement positif, ou rien."
        )
    return int(value)


def get_device() -> torch.device:
    """Rend l'appareil de calcul : ``COURSE_DEVICE`` s'il est donné, sinon CUDA, MPS, processeur.

    En profil « rapide », le processeur : les nombres de la page sont ceux du site.

    **Lève** : ``ValueError`` si ``COURSE_DEVICE`` nomme un appareil inconnu ou absent.
    """
    if requested := os.environ.get("COURSE_DEVICE", ""):
        return _checked_device(requested)
    if profile_name() == "rapide":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _checked_device(requested: str) -> torch.device:
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(requested.split(":")[0], False):
        usable = ", ".join(name for name, present in available.items() if present)
        raise ValueError(
            f"COURSE_DEVICE vaut {requested!r}, qui n'est pas utilisable ici. "
            f"Appareils disponibles : {usable}."
        )
    return torch.device(requested)
