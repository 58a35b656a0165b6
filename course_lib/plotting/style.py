"""Style des figures : palette, marqueurs, virgule décimale des axes.

L'import applique ``course.mplstyle`` et remplace, par l'interface publique de Matplotlib, les
échelles « linear » et « log » par les mêmes à virgule décimale (barres de couleur comprises).
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colors, scale, ticker

from course_lib.claims import MINUS, THIN_SPACE

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")  # Okabe–Ito, contraste ≥ 3:1
MARKERS = ("o", "s", "^", "D", "v")


class _CommaFormatter(ticker.ScalarFormatter):
    """Écrit 0,25 et 12 000 ; la puissance de dix commune garde sa forme mathématique."""

    def __call__(self, x, pos=None):
        return to_french(super().__call__(x, pos))


class _CommaLogFormatter(ticker.LogFormatterSciNotation):
    def __call__(self, x, pos=None):
        return to_french(super().__call__(x, pos))


def to_french(text: str) -> str:
    """Rend le texte d'une graduation à la française : virgule décimale, milliers espacés.

    >>> to_french("0.25"), to_french("12000")
    ('0,25', '12\u202f000')
    """
    plain = text.removeprefix(r"$\mathdefault{").removesuffix("}$")
    number = plain.replace(MINUS, "-")
    if not number.removeprefix("-").replace(".", "", 1).isdecimal():
        return text.replace(".", "{,}")  # puissance de dix, composée par mathtext
    whole, dot, decimals = number.removeprefix("-").partition(".")
    grouped = f"{int(whole):,}".replace(",", THIN_SPACE) if len(whole) > 4 else whole
    return MINUS * number.startswith("-") + grouped + ("," + decimals if dot else "")


class _CommaLinearScale(scale.LinearScale):
    def __init__(self, *args, **kwargs):  # sans paramètre « axis » : Matplotlib 3.11 l'abandonne
        super().__init__(*args, **kwargs)

    def set_default_locators_and_formatters(self, axis):
        super().set_default_locators_and_formatters(axis)
        axis.set_major_formatter(_CommaFormatter())


class _CommaLogScale(scale.LogScale):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def set_default_locators_and_formatters(self, axis):
        super().set_default_locators_and_formatters(axis)
        axis.set_major_formatter(_CommaLogFormatter(self.base))
        axis.set_minor_formatter(_CommaLogFormatter(self.base, labelOnlyBase=self.subs is not None))


def tint(color: str, strength: float = 0.16) -> np.ndarray:
    """Rend la teinte claire d'une couleur, mêlée de blanc."""
    return 1 - strength * (1 - np.array(colors.to_rgb(color)))


def readable(color) -> tuple[float, float, float]:
    """Assombrit une couleur jusqu'au contraste de 4,5 exigé d'un texte sur fond blanc."""
    rgb = np.array(colors.to_rgb(color))
    while contrast_on_white(rgb) < 4.5:
        rgb = 0.95 * rgb
    return tuple(rgb)


def contrast_on_white(color) -> float:
    """Rend le contraste WCAG d'une couleur avec le blanc, de 1 (blanc) à 21 (noir).

    >>> round(contrast_on_white("#0072B2"), 2)
    5.19
    """
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05)


plt.style.use(Path(__file__).parent.with_name("course.mplstyle"))
scale.register_scale(_CommaLinearScale)
scale.register_scale(_CommaLogScale)
