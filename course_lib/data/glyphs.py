"""Chiffres manuscrits simulés : des traits de plume aléatoires, tracés sur une grille de pixels."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib._checks import check_count, check_generator
from course_lib.data.glyph_shapes import Stroke, read_styles
from course_lib.data.splits import Split

_SAMPLES = 96  # P : points d'encre par chiffre, un pas d'un demi-pixel environ en 28×28
_BLUR = 0.02  # σ : flou de la plume, en fraction de la page
_REACH = 0.44  # le tracé reste à cette distance du centre de la page
_CHUNK = 512  # images tracées à la fois, pour borner la mémoire


def make_glyphs(n: int, *, generator: torch.Generator, size: int = 28) -> Split:
    """Engendre des chiffres manuscrits simulés, en effectifs égaux à 1 près, dans le désordre.

    Chaque image part d'un des styles de son chiffre (``glyph_shapes``), déplace les points de
    passage de la plume, étire, penche, tourne et ondule le tracé, puis dépose l'encre :
    1 − exp(−A exp(−d² / 2σ²)) à la distance d du trait, où A règle l'épaisseur.

    **Formes** : ``x`` (N, 1, ``size``, ``size``) float32 dans [0 ; 1], encre claire sur fond nul,
    256 niveaux ; ``y`` (N,) int64, de 0 à 9.
    **Lève** : ``ValueError`` si ``n`` < 1, si ``size`` < 8 ou si ``generator`` manque.
    **Réf.** : simard2003practices

    >>> make_glyphs(20, generator=torch.Generator()).y.bincount().tolist()
    [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    check_count(n)
    check_count(size, name="size", minimum=8)
    check_generator(generator)
    labels = (torch.arange(n) % 10)[torch.randperm(n, generator=generator)]
    styles = _draw_styles(labels, generator)
    points = _distort(_write(styles, generator), generator)  # (N, P, 2), dans [0 ; 1]²
    weights = _ink(points, styles, generator)  # (N, P)
    level = _uniform(0.75, 1.0, (n, 1, 1), generator)
    chunks = [slice(start, start + _CHUNK) for start in range(0, n, _CHUNK)]
    images = torch.cat([_rasterize(points[c], weights[c], size) * level[c] for c in chunks])
    return Split((images[:, None] * 255).round() / 255, labels)


class _Pen(NamedTuple):
    """Un style prêt à écrire : la courbe est ``basis @ controls``."""

    controls: Tensor  # (K, 2) points de passage
    basis: Tensor  # (P, K) poids d'interpolation
    down: Tensor  # (P − 1,) vrai là où la plume touche le papier


@cache
def _pens() -> tuple[list[_Pen], Tensor]:
    """Tous les styles à la suite, et le nombre de styles (10,) de chaque chiffre."""
    styles = [read_styles(digit) for digit in range(10)]
    pens = [_make_pen(style) for of_digit in styles for style in of_digit]
    return pens, torch.tensor([len(of_digit) for of_digit in styles])


def _make_pen(style: list[Stroke]) -> _Pen:
    """Répartit les P points d'encre entre les traits d'un style, selon leur longueur."""
    lengths = torch.tensor([sum(map(math.dist, s.points, s.points[1:])) for s in style])
    counts = (lengths / lengths.sum() * _SAMPLES).round().long()
    counts[0] += _SAMPLES - counts.sum()
    stroke_of = torch.repeat_interleave(torch.arange(len(style)), counts)
    return _Pen(
        controls=torch.cat([torch.tensor(stroke.points) for stroke in style]),
        basis=torch.block_diag(*map(_spline, style, counts.tolist())),
        down=stroke_of[1:] == stroke_of[:-1],
    )


def _spline(stroke: Stroke, count: int) -> Tensor:
    """Base (``count``, K) de la courbe de Catmull-Rom qui passe par les K points du trait."""
    steps = torch.tensor(list(map(math.dist, stroke.points, stroke.points[1:])))
    arrival = F.pad(steps.cumsum(0), (1, 0))
    position = torch.linspace(0, 1, count) * arrival[-1]
    segment = torch.searchsorted(arrival, position, right=True).clamp(1, len(steps)) - 1
    t = (position - arrival[segment]) / steps[segment]
    knots = torch.eye(len(stroke.points))
    rows = [
        _catmull_rom(knots, k, stroke.corners, u)
        for k, u in zip(segment.tolist(), t.tolist(), strict=True)
    ]
    return torch.stack(rows)


def _catmull_rom(knots: Tensor, k: int, corners: set[int], t: float) -> Tensor:
    """Point de paramètre ``t`` entre les nœuds ``k`` et ``k + 1`` ; à un angle, tangente propre."""
    start, stop = knots[k], knots[k + 1]
    before = 2 * start - stop if k == 0 or k in corners else knots[k - 1]
    after = 2 * stop - start if k + 2 == len(knots) or k + 1 in corners else knots[k + 2]
    slope_start, slope_stop = (stop - before) / 2, (after - start) / 2
    return (
        (1 + 2 * t) * (1 - t) ** 2 * start
        + t * (1 - t) ** 2 * slope_start
        + t**2 * (3 - 2 * t) * stop
        + t**2 * (t - 1) * slope_stop
    )


def _draw_styles(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Tire un style (N,) pour chaque chiffre, équiprobable parmi les siens."""
    number = _pens()[1]
    first = number.cumsum(0) - number
    uniform = torch.rand(labels.shape, generator=generator)
    return first[labels] + (uniform * number[labels]).long()  # uniform < 1


def _write(styles: Tensor, generator: torch.Generator) -> Tensor:
    """Trace chaque chiffre (N, P, 2) après avoir déplacé les points de passage de la plume."""
    pens, _ = _pens()
    n = styles.shape[0]
    wobble = _uniform(0.01, 0.04, (n, 1, 1), generator)  # une main plus ou moins sûre
    most = max(pen.controls.shape[0] for pen in pens)
    noise = wobble * torch.randn(n, most, 2, generator=generator)
    points = torch.empty(n, _SAMPLES, 2)
    for k, pen in enumerate(pens):
        chosen = styles == k
        points[chosen] = pen.basis @ (pen.controls + noise[chosen, : pen.controls.shape[0]])
    return points


def _distort(points: Tensor, generator: torch.Generator) -> Tensor:
    """Ondule, étire, penche, tourne et place les tracés (N, P, 2) dans la page [0 ; 1]²."""
    n = points.shape[0]
    normal = torch.randn(6, n, 1, generator=generator)
    phase = _uniform(0, 2 * math.pi, (2, n, 1), generator)
    x, y = points[..., 0], points[..., 1] - 0.5
    x, y = (
        x + 0.03 * normal[0] * torch.sin(4 * y + phase[0]),
        y + 0.03 * normal[1] * torch.sin(5 * x + phase[1]),
    )
    x = x * torch.exp(0.16 * normal[2]) - y * (0.1 + 0.18 * normal[3])  # penchée à droite
    angle = 0.09 * normal[4]
    x, y = x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()
    page = 0.68 * torch.exp(0.09 * normal[5, :, :, None]) * torch.stack([x, y], dim=-1)
    return _place(page, 0.03 * torch.randn(n, 1, 2, generator=generator))


def _place(points: Tensor, offset: Tensor) -> Tensor:
    """Centre les tracés (N, P, 2) en 1/2 + ``offset`` (N, 1, 2), sans sortir de la page."""
    low, high = points.amin(dim=1, keepdim=True), points.amax(dim=1, keepdim=True)
    half = (high - low) / 2
    scale = (_REACH / half.amax(dim=2, keepdim=True)).clamp(max=1)
    room = _REACH - scale * half
    return 0.5 + scale * (points - low - half) + offset.clamp(-room, room)


def _ink(points: Tensor, styles: Tensor, generator: torch.Generator) -> Tensor:
    """Quantité d'encre (N, P) de chaque point, pour un trait d'épaisseur tirée au hasard.

    Sur un trait droit, la somme des dépôts vaut A exp(−d² / 2σ²) ; l'intensité atteint 1/2 à la
    distance r quand A = ln 2 · exp(r² / 2σ²).
    """
    n = points.shape[0]
    down = torch.stack([pen.down for pen in _pens()[0]])[styles]  # (N, P − 1)
    steps = torch.linalg.vector_norm(points[:, 1:] - points[:, :-1], dim=2) * down
    spacing = (F.pad(steps, (1, 0)) + F.pad(steps, (0, 1))) / 2  # (N, P)
    radius = 0.042 * torch.exp(0.28 * torch.randn(n, 1, generator=generator)).clamp(0.6, 1.8)
    phase = _uniform(0, 2 * math.pi, (n, 1), generator)
    pressure = 1 + 0.15 * torch.sin(2 * math.pi * torch.linspace(0, 1.5, _SAMPLES) + phase)
    amount = math.log(2) * torch.exp((radius * pressure) ** 2 / (2 * _BLUR**2))
    return amount * spacing / (_BLUR * math.sqrt(2 * math.pi))


def _rasterize(points: Tensor, weights: Tensor, size: int) -> Tensor:
    """Dépose l'encre des points (N, P, 2) sur une grille (N, ``size``, ``size``) dans [0 ; 1[.

    La gaussienne est séparable : un produit de matrices par image évite la boucle sur les pixels.
    """
    grid = (torch.arange(size) + 0.5) / size
    spots = torch.exp(-((points[:, :, :, None] - grid) ** 2) / (2 * _BLUR**2))  # (N, P, 2, size)
    rows = (spots[:, :, 1] * weights[:, :, None]).transpose(1, 2)  # (N, size, P)
    return -torch.expm1(-(rows @ spots[:, :, 0]))


def _uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)
