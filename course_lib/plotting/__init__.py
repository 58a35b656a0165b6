"""Dessins du cours : chaque fonction dessine sur un ``ax`` reçu et le rend.

Seul sous-paquet à importer Matplotlib. Aucune fonction n'entraîne, ni n'appelle ``show``.
"""

from course_lib.plotting.curves import label_line, plot_history, plot_with_interval
from course_lib.plotting.images import show_images
from course_lib.plotting.plane import (
    plot_contours,
    plot_decision_boundary,
    plot_points,
    plot_trajectory,
)
from course_lib.plotting.style import COLORS, MARKERS

__all__ = [
    "COLORS",
    "MARKERS",
    "label_line",
    "plot_contours",
    "plot_decision_boundary",
    "plot_history",
    "plot_points",
    "plot_trajectory",
    "plot_with_interval",
    "show_images",
]
