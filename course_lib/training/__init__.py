"""Entraînement : ``fit``, ``evaluate``, l'historique et l'arrêt anticipé."""

from course_lib.training.history import EarlyStopping, History
from course_lib.training.loop import evaluate, fit

__all__ = ["EarlyStopping", "History", "evaluate", "fit"]
