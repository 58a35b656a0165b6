"""Petits jeux du plan et de la droite, engendrés : lunes, spirales, XOR, nuages, polynôme."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real
from course_lib.data.splits import Split


def make_moons(n: int, *, noise: float = 0.1, generator: torch.Generator) -> Split:
    """Engendre deux demi-cercles imbriqués, un par classe, de rayon 1.

    Classe 0 : (cos t, sin t) ; classe 1 : (1 − cos t, 1/2 − sin t), avec t régulier de 0 à π ;
    s'y ajoute un bruit gaussien d'écart type ``noise``.

    **Formes** : ``x`` (N, 2), ``y`` (N,) dans {0, 1}.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``noise`` est négatif ou si ``generator`` manque.
    **Réf.** : pedregosa2011sklearn

    >>> make_moons(6, generator=torch.Generator()).x.shape
    torch.Size([6, 2])
    """
    check_count(n)
    outer = torch.linspace(0, math.pi, n // 2)
    inner = torch.linspace(0, math.pi, n - n // 2)
    points = torch.cat(
        [
            torch.stack([outer.cos(), outer.sin()], dim=1),
            torch.stack([1 - inner.cos(), 0.5 - inner.sin()], dim=1),
        ]
    )  # (N, 2)
    labels = (torch.arange(n) >= n // 2).long()
    return _shuffled_with_noise(points, labels, noise=noise, generator=generator)


def make_spirals(
    n: int, *, n_turns: float = 1.5, noise: float = 0.05, generator: torch.Generator
) -> Split:
    """Engendre deux spirales d'Archimède enlacées, de rayon 1, symétriques par rapport à l'origine.

    Classe c : r (cos φ, sin φ) avec φ = 2π · ``n_turns`` · r + π c ; r = √u, u uniforme, pour que
    les points soient à peu près réguliers le long des bras.

    **Formes** : ``x`` (N, 2), ``y`` (N,) dans {0, 1}.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``n_turns`` ou ``noise`` est négatif ou si
    ``generator`` manque.
    **Réf.** : lang1988spirals

    >>> make_spirals(6, generator=torch.Generator()).y.sum()
    tensor(3)
    """
    check_count(n)
    check_generator(generator)
    turns = check_real(n_turns, name="n_turns", minimum=0.0)
    labels = torch.arange(n) % 2
    radius = torch.rand(n, generator=generator).sqrt()
    angle = 2 * math.pi * turns * radius + math.pi * labels
    points = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)  # (N, 2)
    return _shuffled_with_noise(points, labels, noise=noise, generator=generator)


def make_xor(n: int, *, noise: float = 0.1, generator: torch.Generator) -> Split:
    """Engendre quatre nuages aux coins (±1, ±1), de classe 1 si les deux signes diffèrent.

    La classe est celle du coin, avant le bruit gaussien d'écart type ``noise``.

    **Formes** : ``x`` (N, 2), ``y`` (N,) dans {0, 1}.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``noise`` est négatif ou si ``generator`` manque.
    **Réf.** : minsky1969perceptrons

    >>> make_xor(8, generator=torch.Generator()).y.bincount()
    tensor([4, 4])
    """
    check_count(n)
    corners = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    corner = torch.arange(n) % 4
    return _shuffled_with_noise(corners[corner], corner % 2, noise=noise, generator=generator)


def make_blobs(
    n: int,
    *,
    centers: Tensor | Sequence[Sequence[float]],
    spread: float = 0.5,
    generator: torch.Generator,
) -> Split:
    """Engendre un nuage gaussien d'écart type ``spread`` autour de chaque centre, un par classe.

    **Formes** : ``centers`` (C, 2), ``x`` (N, 2), ``y`` (N,) de 0 à C − 1, en effectifs égaux à 1
    près.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``centers`` n'est pas de forme (C, 2), si ``spread``
    est négatif ou si ``generator`` manque.
    **Réf.** : pedregosa2011sklearn

    >>> make_blobs(6, centers=[(0, 0), (3, 3)], generator=torch.Generator()).y.bincount()
    tensor([3, 3])
    """
    check_count(n)
    means = _as_finite(centers, name="centers")
    if means.ndim != 2 or means.shape[1] != 2 or means.shape[0] == 0:
        raise ValueError(
            "centers doit être de forme (C, 2), un point par classe, "
            f"reçu la forme {tuple(means.shape)}."
        )
    labels = torch.arange(n) % means.shape[0]
    return _shuffled_with_noise(
        means[labels], labels, noise=spread, name="spread", generator=generator
    )


def make_polynomial(
    n: int, *, coefficients: Sequence[float] | Tensor, noise: float, generator: torch.Generator
) -> Split:
    """Engendre une régression bruitée : y = Σₖ coefficients[k] xᵏ + bruit, x dans [−1 ; 1].

    x est uniforme, le bruit gaussien d'écart type ``noise``.

    **Formes** : ``x`` (N, 1), ``y`` (N, 1) flottant, la forme que rend un modèle à une sortie.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``coefficients`` est vide ou non fini, si ``noise``
    est négatif ou si ``generator`` manque.
    **Réf.** : bishop2006pattern

    >>> data = make_polynomial(3, coefficients=[1.0, 2.0], noise=0.0, generator=torch.Generator())
    >>> torch.allclose(data.y, 1 + 2 * data.x)
    True
    """
    check_count(n)
    check_generator(generator)
    sigma = check_real(noise, name="noise", minimum=0.0)
    weights = _as_finite(coefficients, name="coefficients")
    if weights.ndim != 1 or weights.shape[0] == 0:
        raise ValueError(
            "coefficients doit être une liste non vide (c₀, c₁, …), "
            f"reçu la forme {tuple(weights.shape)}."
        )
    x = 2 * torch.rand(n, 1, generator=generator) - 1
    powers = x ** torch.arange(weights.shape[0])  # (N, degré + 1)
    y = powers @ weights[:, None] + sigma * torch.randn(n, 1, generator=generator)
    return Split(x, y)


def _shuffled_with_noise(
    points: Tensor, labels: Tensor, *, noise: float, name: str = "noise", generator: torch.Generator
) -> Split:
    """Ajoute un bruit gaussien à ``points`` (N, D), puis mélange les exemples."""
    check_generator(generator)
    sigma = check_real(noise, name=name, minimum=0.0)
    noisy = points + sigma * torch.randn(points.shape, generator=generator)
    order = torch.randperm(points.shape[0], generator=generator)
    return Split(noisy[order], labels[order])


def _as_finite(values: Tensor | Sequence, *, name: str) -> Tensor:
    """Convertit en tenseur float32 fini, ou lève ``ValueError``."""
    try:
        tensor = torch.as_tensor(values, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} doit être un tableau de nombres, reçu {values!r}.") from error
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} contient des valeurs NaN ou infinies, reçu {values!r}.")
    return tensor
