"""Scènes de formes colorées : forme, couleur, rotation, position et masque connus exactement."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real

SHAPE_NAMES = ("disque", "carré", "triangle", "barre", "croix", "croissant")
SHAPE_SYMMETRIES = (0, 4, 3, 2, 4, 1)  # tours identiques par tour complet ; 0 : tous
COLOR_NAMES = ("rouge", "jaune", "vert", "cyan", "bleu", "magenta")

_SCALE = torch.tensor([0.78, 1.0, 1.1, 1.0, 1.0, 1.0])  # à rayon égal, surfaces comparables
_REACH = 1.1  # rayon du plus étendu, pointes comprises
_CLUTTER = 3  # objets gêneurs au plus
_CHUNK = 512  # scènes tracées à la fois, pour borner la mémoire


class Scenes(NamedTuple):
    """Des scènes, et ce qu'elles montrent : un objet principal, le plus grand, et des gêneurs.

    Repère de l'image : abscisse vers la droite, ordonnée vers le bas, le côté vaut 1.

    **Formes** : ``x`` (N, 3, H, W) float32 dans [0 ; 1] ; ``shape`` et ``color`` (N,) int64, indices
    dans ``SHAPE_NAMES`` et ``COLOR_NAMES`` ; ``rotation`` (N,) float32, radians, de l'abscisse vers
    l'ordonnée (sens horaire à l'écran), dans [0 ; 2π / k[ pour une forme de symétrie k
    (``SHAPE_SYMMETRIES``), nulle pour le disque, que rien n'oriente ; ``position`` (N, 2) float32,
    abscisse et ordonnée du centre ; ``mask`` (N, H, W) int64, 0 pour le fond, 1 + la forme de
    l'objet visible, gêneurs compris. Aucun gêneur n'a la forme de l'objet principal :
    ``mask == 1 + shape`` est donc la partie visible de ce dernier.

    >>> scenes = make_shapes(4, generator=torch.Generator())
    >>> scenes.x.shape, scenes.mask.shape
    (torch.Size([4, 3, 32, 32]), torch.Size([4, 32, 32]))
    """

    x: Tensor
    shape: Tensor
    color: Tensor
    rotation: Tensor
    position: Tensor
    mask: Tensor


def make_shapes(
    n: int, *, generator: torch.Generator, size: int = 32, difficulty: float = 0.5
) -> Scenes:
    """Engendre des scènes d'un objet coloré, texturé, parfois caché en partie, sur un fond bruité.

    La difficulté règle ensemble la taille de l'objet, l'écart de teinte à la couleur nommée, la
    saturation, les textures, les gêneurs et le bruit. La teinte s'écarte de celle de la couleur
    nommée d'un angle gaussien : passé 30° (3 % des scènes à 0,5), elle est plus près de la
    voisine, et aucun modèle ne peut retrouver le nom. Formes et couleurs sont en effectifs égaux
    à 1 près ; forme, couleur, position et rotation réduite sont indépendantes.

    **Formes** : n = N, H = W = ``size`` ≥ 16 ; ``difficulty`` dans [0 ; 1] ; voir ``Scenes``.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``size`` < 16, si ``difficulty`` sort de [0 ; 1] ou
    si ``generator`` manque.

    >>> make_shapes(12, generator=torch.Generator()).shape.bincount().tolist()
    [2, 2, 2, 2, 2, 2]
    """
    check_count(n)
    check_count(size, name="size", minimum=16)
    check_generator(generator)
    level = check_real(difficulty, name="difficulty", minimum=0.0)
    if level > 1:
        raise ValueError(
            f"difficulty doit être entre 0 (facile) et 1 (difficile), reçu {difficulty!r}."
        )
    objects = _draw_objects(n, level, generator)
    backgrounds = _draw_backgrounds(n, level, generator)
    images, masks = [], []
    for start in range(0, n, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        drawn, mask = _render(
            _Objects(*(field[chunk] for field in objects)), backgrounds[chunk], size
        )
        noise = torch.randn(drawn.shape, generator=generator)
        images.append((drawn + (0.02 + 0.05 * level) * noise).clamp(0, 1))
        masks.append(mask)
    return Scenes(
        torch.cat(images),
        objects.shape[:, 0],
        objects.color[:, 0],
        objects.rotation[:, 0],
        objects.center[:, 0],
        torch.cat(masks),
    )


class _Objects(NamedTuple):
    """K objets par scène, dans l'ordre où on les pose : le principal d'abord."""

    shape: Tensor  # (N, K)
    color: Tensor  # (N, K)
    rgb: Tensor  # (N, K, 3)
    rotation: Tensor  # (N, K)
    center: Tensor  # (N, K, 2)
    radius: Tensor  # (N, K), nul pour un gêneur absent
    texture: Tensor  # (N, K, 4) : onde (2), phase, amplitude


def _draw_objects(n: int, level: float, generator: torch.Generator) -> _Objects:
    shape, color = _draw_classes(n, generator)
    period = torch.tensor([2 * math.pi / k if k else 0.0 for k in SHAPE_SYMMETRIES])
    rotation = period[shape] * torch.rand(shape.shape, generator=generator)
    center, radius = _place(n, level, generator)
    hue = 60 * color + (4 + 20 * level) * torch.randn(color.shape, generator=generator)  # degrés
    saturation = _uniform(0.9 - 0.4 * level, 0.95 - 0.15 * level, color.shape, generator)
    value = _uniform(0.85 - 0.35 * level, 0.95, color.shape, generator)
    texture = _draw_waves(color.shape, 0.05 + 0.15 * level, generator)
    rgb = _to_rgb(hue, saturation, value)
    return _Objects(shape, color, rgb, rotation, center, radius, texture)


def _draw_classes(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Forme et couleur (N, K) : équilibrées pour l'objet principal, au hasard pour les gêneurs."""
    count = len(SHAPE_NAMES)
    main = torch.stack([torch.randperm(n, generator=generator) % len(names) for names in _LABELS])
    other = torch.randint(1, count, (n, _CLUTTER), generator=generator)
    shape = torch.cat([main[0, :, None], (main[0, :, None] + other) % count], dim=1)
    extra = torch.randint(len(COLOR_NAMES), (n, _CLUTTER), generator=generator)
    return shape, torch.cat([main[1, :, None], extra], dim=1)


_LABELS = (SHAPE_NAMES, COLOR_NAMES)


def _place(n: int, level: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres (N, K, 2) et rayons (N, K) ; l'objet principal tient dans la page, et domine."""
    radius = _uniform(0.29 - 0.05 * level, 0.34, (n, 1), generator)
    main = _uniform(0, 1, (n, 1, 2), generator) * (1 - 2 * _REACH * radius[:, :, None])
    main = main + _REACH * radius[:, :, None]
    angle = _uniform(0, 2 * math.pi, (n, _CLUTTER), generator)
    away = radius * _uniform(0.6, 1.8, (n, _CLUTTER), generator)
    shift = away[:, :, None] * torch.stack([angle.cos(), angle.sin()], dim=2)
    present = torch.rand(n, _CLUTTER, generator=generator) < 0.6 * level
    small = radius * _uniform(0.35, 0.6, (n, _CLUTTER), generator) * present
    return torch.cat([main, main + shift], dim=1), torch.cat([radius, small], dim=1)


def _draw_backgrounds(n: int, level: float, generator: torch.Generator) -> Tensor:
    """Deux couleurs peu saturées et une onde, (N, 10) : le dégradé et la texture du fond."""
    hue = _uniform(0, 360, (n, 2), generator)
    saturation = _uniform(0, 0.1 + 0.3 * level, (n, 2), generator)
    value = _uniform(0.15, 0.45, (n, 2), generator) + _uniform(0, 0.4, (n, 1), generator)
    waves = _draw_waves((n,), 0.05 + 0.15 * level, generator)
    return torch.cat([_to_rgb(hue, saturation, value).flatten(1), waves], dim=1)


def _draw_waves(shape: tuple[int, ...], most: float, generator: torch.Generator) -> Tensor:
    """Ondes (…, 4) : 2 à 6 périodes par côté, dans une direction quelconque."""
    angle, phase = _uniform(0, 2 * math.pi, (2, *shape), generator)
    pulsation = 2 * math.pi * _uniform(2, 6, shape, generator)
    amplitude = _uniform(0, most, shape, generator)
    return torch.stack([pulsation * angle.cos(), pulsation * angle.sin(), phase, amplitude], -1)


def _to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Couleurs (…, 3) d'une teinte en degrés, d'une saturation et d'une valeur dans [0 ; 1]."""
    sector = (torch.tensor([5.0, 3.0, 1.0]) + hue[..., None] / 60) % 6
    dip = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * dip)


def _render(objects: _Objects, backgrounds: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Pose les objets sur les fonds : images (N, 3, H, W) sans bruit et masques (N, H, W)."""
    axis = (torch.arange(size) + 0.5) / size
    x, y = axis[None, None, :], axis[None, :, None]
    first, second, wave = backgrounds.split([3, 3, 4], dim=1)
    slope = torch.sin((wave[:, 0, None, None] * x + wave[:, 1, None, None] * y) / 6)
    images = torch.lerp(first[:, :, None, None], second[:, :, None, None], (slope[:, None] + 1) / 2)
    images = images * _ripple(wave, x, y)[:, None]  # (N, 3, H, W)
    masks = torch.zeros(images.shape[0], size, size, dtype=torch.long)
    for k in range(objects.shape.shape[1]):
        shown = objects.radius[:, k].nonzero()[:, 0]
        one = _Objects(*(field[shown, k] for field in objects))
        cover = (0.5 - size * _distance(one, x, y)).clamp(0, 1)  # bord lissé sur un pixel
        paint = one.rgb[:, :, None, None] * _ripple(one.texture, x, y)[:, None]
        images[shown] = torch.lerp(images[shown], paint, cover[:, None])
        masks[shown] = torch.where(cover > 0.5, 1 + one.shape[:, None, None], masks[shown])
    return images, masks


def _ripple(wave: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Facteur (N, H, W) dans [1 − 2a ; 1] : il assombrit par bandes sans changer la teinte."""
    across, down, phase, amplitude = wave[:, :, None, None].unbind(1)
    return 1 + amplitude * (torch.sin(across * x + down * y + phase) - 1)


def _distance(objects: _Objects, x: Tensor, y: Tensor) -> Tensor:
    """Distance signée (N, H, W) de chaque pixel au bord de l'objet, négative dedans."""
    scale = (objects.radius * _SCALE[objects.shape])[:, None, None]
    dx, dy = (x - objects.center[:, 0, None, None], y - objects.center[:, 1, None, None])
    cos, sin = (f(objects.rotation)[:, None, None] for f in (torch.cos, torch.sin))
    u, v = (cos * dx + sin * dy) / scale, (cos * dy - sin * dx) / scale  # tourné de −rotation
    distance = torch.empty_like(u)
    for k, outline in enumerate(_OUTLINES):
        chosen = objects.shape == k
        distance[chosen] = outline(u[chosen], v[chosen])
    return scale * distance


def _disk(u: Tensor, v: Tensor) -> Tensor:
    return torch.hypot(u, v) - 1


def _polygon(k: int, u: Tensor, v: Tensor) -> Tensor:
    """Polygone régulier à ``k`` sommets, le premier en (1, 0) : on replie tout sur un seul côté."""
    half = math.pi / k
    angle = torch.remainder(torch.atan2(v, u), 2 * half) - half  # 0 au milieu du côté
    return torch.hypot(u, v) * angle.cos() - math.cos(half)


def _bar(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs() - 1, v.abs() - 0.32)


def _cross(u: Tensor, v: Tensor) -> Tensor:
    u, v = u.abs(), v.abs()
    return torch.maximum(torch.maximum(u, v) - 1, torch.minimum(u, v) - 0.3)


def _crescent(u: Tensor, v: Tensor) -> Tensor:
    """Disque mordu par un autre, centré en (−0,4 ; 0) : le dos regarde vers +u."""
    return torch.maximum(torch.hypot(u, v) - 1, 0.8 - torch.hypot(u + 0.4, v))


_OUTLINES = (_disk, partial(_polygon, 4), partial(_polygon, 3), _bar, _cross, _crescent)


def _uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)
