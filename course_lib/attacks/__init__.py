"""Attaques adversaires et certification : ce qu'il faut pour mesurer une robustesse.

Chaque attaque rend des entrées de la même forme que ``x``, dans [0 ; 1]. Le modèle est calculé en
mode ``eval``, puis remis dans son mode ; les gradients de ses paramètres ne sont pas touchés.
"""

from course_lib.attacks._validation import margin
from course_lib.attacks.gradient import fgsm, pgd, project
from course_lib.attacks.minimal import carlini_wagner, deepfool
from course_lib.attacks.query import QueryResult, square_attack
from course_lib.attacks.smoothing import (
    Certificate,
    certify,
    lower_confidence_bound,
    smoothed_counts,
)

__all__ = [
    "Certificate",
    "QueryResult",
    "carlini_wagner",
    "certify",
    "deepfool",
    "fgsm",
    "lower_confidence_bound",
    "margin",
    "pgd",
    "project",
    "smoothed_counts",
    "square_attack",
]
