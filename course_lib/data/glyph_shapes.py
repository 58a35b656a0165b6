"""Squelettes des chiffres manuscrits simulés : pour chaque chiffre, plusieurs façons de l'écrire.

Une ligne est un style. Les traits y sont séparés par « / » ; un trait est une suite de points
``x,y`` que la plume relie par une courbe lisse, et une étoile marque un angle vif. L'unité est le
centième de la hauteur du chiffre : x va de gauche à droite autour de 0, y descend de 0 (le haut) à
100 (la ligne de base).
"""

from __future__ import annotations

from typing import NamedTuple

_STYLES = {
    0: (
        "5,0 -20,10 -32,42 -26,82 -2,100 24,86 33,50 24,14 3,0",
        "14,7 -10,2 -25,28 -26,70 -6,100 17,88 25,50 18,15 -4,-1",
        "24,4 2,4 -22,22 -30,60 -14,96 14,94 30,60 26,20 4,2 -12,10",  # boucle qui se recouvre
    ),
    1: (
        "2,0 0,50 -2,100",
        "-25,34 6,0* 5,50 5,100",  # grand drapeau
        "-17,20 3,0* 3,50 3,100 / -22,100 26,100",  # petit drapeau et base
        "-14,14 3,0* 3,50 2,100",
    ),
    2: (
        "-27,20 -10,1 18,5 25,30 3,65 -30,100* 2,99 32,98",
        "-27,20 -8,0 18,6 23,32 0,66 -24,95 -30,86 -12,82 10,95 33,95",  # boucle en bas
        "-24,8 2,0 22,16 18,44 -4,74 -28,99* 4,93 30,99",
    ),
    3: (
        "-25,12 0,0 22,13 16,36 -6,46* 20,55 27,78 5,100 -28,90",
        "-25,2 25,2* -2,40* 20,50 27,76 3,100 -28,90",  # haut plat
        "-24,10 2,0 22,14 10,40 -5,47 12,50 27,75 2,100 -28,88",
    ),
    4: (
        "-20,2 -30,58* 34,56 / 15,6 13,50 12,100",  # ouvert
        "13,0 -33,68* 35,66 / 13,0 13,50 13,100",  # fermé
        "4,0 -32,62* 34,60 / 12,36 8,100",
        "-22,0 -29,30 -18,52 6,52 22,40 / 24,4 20,50 16,100",  # ouvert et rond
    ),
    5: (
        "-17,2 -22,44* 4,37 25,54 22,85 -3,100 -28,90 / -17,2 28,0",
        "28,0 -17,3* -22,43* 6,38 26,60 16,92 -10,100 -29,90",
        "28,2 4,1 -16,8 -18,32 2,44 22,58 20,88 -4,100 -28,92",  # sans angle
    ),
    6: (
        "18,0 -12,20 -28,58 -17,94 12,99 27,76 10,52 -15,58 -27,76",
        "8,0 -14,28 -26,62 -17,93 8,99 22,80 10,60 -10,62 -25,76",
        "24,8 6,0 -18,20 -29,58 -18,92 8,100 26,78 12,54 -10,56 -24,70",
    ),
    7: (
        "-28,3 28,3* 8,48 -4,100",
        "-28,3 28,3* 8,48 -4,100 / -16,50 28,48",  # barré
        "-29,17 -27,2* 2,5 28,2* 8,45 0,100",
        "-29,17 -27,2* 2,5 28,2* 8,45 0,100 / -15,50 27,48",
    ),
    8: (
        "20,13 0,0 -20,14 -10,38 13,56 25,80 0,100 -25,80 -13,56 10,38 22,15 6,1",
        "2,0 -18,10 -17,36 0,46 18,35 18,10 0,0 / 0,46 -22,58 -25,86 0,100 25,86 22,58 0,46",
        "-6,44 -22,20 0,0 22,18 2,44 -22,62 -22,88 2,100 24,86 18,60 -6,44",
    ),
    9: (
        "22,16 2,0 -22,12 -23,40 0,52 20,36 24,10* 20,55 14,100",
        "22,16 2,0 -22,12 -23,40 0,52 20,36 25,10* 26,60 10,96 -22,93",  # queue recourbée
        "23,20 8,0 -18,8 -24,34 -4,48 18,32 24,16 20,55 4,100",
    ),
}


class Stroke(NamedTuple):
    """Un trait : ses points de passage et les rangs de ceux où la plume fait un angle."""

    points: list[tuple[float, float]]
    corners: set[int]


def read_styles(digit: int) -> list[list[Stroke]]:
    """Rend les styles d'un chiffre, chacun une liste de traits en fractions de la hauteur.

    >>> read_styles(1)[0]
    [Stroke(points=[(0.02, 0.0), (0.0, 0.5), (-0.02, 1.0)], corners=set())]
    """
    return [[_read_stroke(stroke) for stroke in style.split("/")] for style in _STYLES[digit]]


def _read_stroke(text: str) -> Stroke:
    words = text.split()
    pairs = [word.rstrip("*").split(",") for word in words]
    points = [(int(x) / 100, int(y) / 100) for x, y in pairs]
    return Stroke(points, {k for k, word in enumerate(words) if word.endswith("*")})
