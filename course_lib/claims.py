"""Affirmations : ce que la page mesure, vérifie, puis cite dans sa prose.

``claim`` lève une erreur (et la construction échoue) quand la mesure ne tient pas sa borne ;
sinon elle range une chaîne française toute prête que la prose reprend par ``{glue:text}``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy import stats

from course_lib.runtime import get_device, profile_name

THIN_SPACE = "\u202f"  # espace fine insécable
MINUS = "\u2212"
GLUE_PREFIX = "application/papermill.record/"  # le format que lit le rôle {glue:text} de MyST-NB
Criterion = Literal["mean", "interval", "every"]


class ClaimError(AssertionError):
    """Une affirmation de la page n'est pas vérifiée par l'exécution."""


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Rend la moyenne et la demi-largeur de son intervalle de confiance à 95 % (loi de Student).

    **Formes** : ``values`` (n,), n ≥ 2, valeurs finies → (moyenne, demi-largeur).
    Formule : t(0,975 ; n − 1) · s / √n, où s est l'écart-type estimé (diviseur n − 1).

    **Lève** : ``ValueError`` s'il y a moins de deux valeurs ou une valeur non finie.

    >>> mean, half = mean_interval([1.0, 2.0, 3.0]); round(mean, 3), round(half, 3)
    (2.0, 2.484)
    """
    array = _as_values(values)
    if array.size < 2:
        raise ValueError(f"Un intervalle demande au moins deux valeurs ; reçu {array.size}.")
    half_width = stats.t.ppf(0.975, array.size - 1) * array.std(ddof=1) / math.sqrt(array.size)
    return float(array.mean()), float(half_width)


def format_number(value: float, decimals: int | None = None) -> str:
    """Écrit un nombre à la française : virgule, milliers séparés par une fine, signe −.

    Sans ``decimals`` : trois chiffres significatifs, en notation scientifique hors de
    [10⁻⁴ ; 10⁷[.

    >>> format_number(0.97251), format_number(-12.5, 1), format_number(3.2e-9)
    ('0,973', '−12,5', '3,2 × 10⁻⁹')
    """
    if decimals is None:
        if value != 0 and not 1e-4 <= abs(value) < 1e7:
            return _scientific(value)
        whole = float(value).is_integer()
        decimals = 0 if whole else max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}".replace(",", THIN_SPACE).replace(".", ",")
    return text.replace("-", MINUS)


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa.replace('.', ',').replace('-', MINUS)} × 10{power}"


def claim(
    key: str,
    values: Any,
    *,
    label: str,
    at_least: float | None = None,
    at_most: float | None = None,
    equal_to: float | None = None,
    tolerance: float | None = None,
    criterion: Criterion = "mean",
    decimals: int | None = None,
    percent: bool = False,
    unit: str = "",
) -> float:
    """Vérifie une affirmation, la range pour la prose et le tableau de validation, rend la moyenne.

    **Formes** : ``values`` est un booléen, un nombre, ou (n,) nombres, un par graine ou par
    répétition. Les bornes sont dans l'unité de ``values``.

    - ``at_least``, ``at_most`` : bornes ; ``equal_to`` avec ``tolerance`` (absolue) : égalité.
      Un booléen n'a pas de borne : il doit être vrai.
    - ``criterion`` : ce qui doit tenir la borne — la moyenne (``"mean"``), tout l'intervalle à
      95 % (``"interval"``) ou chaque valeur (``"every"``).
    - ``percent`` : écrit la valeur en pour cent ; ``unit`` : unité écrite après le nombre ;
      ``decimals`` : décimales écrites.

    **Lève** : ``ClaimError`` si l'affirmation est fausse ; ``ValueError`` si elle est mal posée.

    >>> claim("pi-environ", 3.1416, equal_to=3.14159, tolerance=1e-4, label="Valeur de π")
    ✓ Valeur de π : 3,1416 (attendu 3,1416 à 10⁻⁴ près)
    3.1416
    """
    if isinstance(values, bool | np.bool_):
        _refuse_bounds_for_boolean(key, at_least, at_most, equal_to)
        array, at_least, text, bound = np.array([float(values)]), 1.0, "vrai", "vrai"
        if not values:
            text = "faux"
    else:
        array = _as_values(values)
        _check_bounds(key, array, at_least, at_most, equal_to, tolerance, criterion)
        if decimals is None and equal_to is not None:
            decimals = max(0, -math.floor(math.log10(2 * tolerance * (100 if percent else 1))))
        text = _format_values(array, decimals, percent, unit)
        bound = _format_bound(at_least, at_most, equal_to, tolerance, decimals, percent, unit)
    judged = _judged_values(array, criterion, at_least, at_most)
    if not _holds(judged, at_least, at_most, equal_to, tolerance):
        _fail(key, label, text, bound, criterion)
    _record(key, label, text, bound, criterion, array)
    return float(array.mean())


def _as_values(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"Attendu un nombre ou une liste de nombres ; reçu {values!r}.") from error
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            "Attendu un nombre fini, ou une liste non vide de nombres finis, un par graine ; "
            f"reçu un tableau de forme {array.shape} valant {array.tolist()}."
        )
    return array


def _refuse_bounds_for_boolean(key: str, *bounds: float | None) -> None:
    if any(bound is not None for bound in bounds):
        raise ValueError(f"Affirmation « {key} » : un booléen ne prend pas de borne, ôtez-la.")


def _check_bounds(key, array, at_least, at_most, equal_to, tolerance, criterion) -> None:
    if at_least is None and at_most is None and equal_to is None:
        raise ValueError(
            f"Affirmation « {key} » : aucune borne. Donnez at_least, at_most, ou equal_to et "
            "tolerance : une mesure sans borne ne peut pas être fausse."
        )
    if (equal_to is None) != (tolerance is None) or (tolerance is not None and tolerance <= 0):
        raise ValueError(
            f"Affirmation « {key} » : equal_to et tolerance > 0 vont ensemble ; "
            f"reçu equal_to={equal_to}, tolerance={tolerance}."
        )
    if criterion not in ("mean", "interval", "every"):
        raise ValueError(
            f"Affirmation « {key} » : criterion={criterion!r} ; choisissez mean, interval ou every."
        )
    if criterion == "interval" and array.size < 2:
        raise ValueError(f"Affirmation « {key} » : un intervalle demande au moins deux valeurs.")


def _judged_values(array, criterion, at_least, at_most) -> np.ndarray:
    if criterion == "every":
        return array
    if criterion == "mean":
        return np.array([array.mean()])
    mean, half_width = mean_interval(array)
    return np.array([mean - half_width, mean + half_width])


def _holds(judged, at_least, at_most, equal_to, tolerance) -> bool:
    return bool(
        (at_least is None or (judged >= at_least).all())
        and (at_most is None or (judged <= at_most).all())
        and (equal_to is None or (np.abs(judged - equal_to) <= tolerance).all())
    )


def _format_values(array, decimals, percent, unit) -> str:
    scale = 100 if percent else 1
    suffix = THIN_SPACE + ("%" if percent else unit) if percent or unit else ""
    if array.size == 1:
        return format_number(scale * array[0], decimals) + suffix
    mean, half_width = (scale * value for value in mean_interval(array))
    if decimals is None and half_width > 0:
        decimals = max(0, 1 - math.floor(math.log10(half_width)))
        decimals = min(decimals, 6)
    return f"{format_number(mean, decimals)} ± {format_number(half_width, decimals)}{suffix}"


def _format_bound(at_least, at_most, equal_to, tolerance, decimals, percent, unit) -> str:
    scale, mark = (100, THIN_SPACE + "%") if percent else (1, THIN_SPACE + unit if unit else "")
    parts = []
    if at_least is not None:
        parts.append(f"≥ {format_number(scale * at_least)}{mark}")
    if at_most is not None:
        parts.append(f"≤ {format_number(scale * at_most)}{mark}")
    if equal_to is not None:
        near = _format_tolerance(scale * tolerance)
        parts.append(f"attendu {format_number(scale * equal_to, decimals)}{mark} à {near} près")
    return " et ".join(parts)


def _format_tolerance(tolerance: float) -> str:
    return (
        format_number(tolerance).removeprefix("1,0 × ")
        if tolerance < 1e-4
        else ("10⁻⁴" if tolerance == 1e-4 else format_number(tolerance))
    )


def _fail(key, label, text, bound, criterion) -> None:
    chapter = os.environ.get("COURSE_CHAPTER", "")
    where = f" du chapitre {chapter}" if chapter else ""
    judged = {"mean": "la moyenne", "interval": "l'intervalle", "every": "chaque valeur"}
    raise ClaimError(
        f"L'affirmation « {key} »{where} ne tient pas. {label} : mesuré {text} ; borne : {bound} "
        f"(jugée sur {judged[criterion]}). Cherchez la cause avant de toucher à la borne."
    )


def _record(key, label, text, bound, criterion, array) -> None:
    """Range l'affirmation dans les sorties de la cellule, ou l'écrit hors d'une construction."""
    if not os.environ.get("COURSE_BUILD"):
        print(f"✓ {label} : {text}" + (f" ({bound})" if bound != text else ""))
        return
    from IPython.display import display  # présent dans tout noyau Jupyter

    details = {
        "key": key, "label": label, "text": text, "bound": bound, "criterion": criterion,
        "values": array.tolist(), "profile": profile_name(), "device": get_device().type,
    }  # fmt: skip
    display(
        {GLUE_PREFIX + "text/plain": repr(text)},
        raw=True,
        metadata={"scrapbook": {"name": key, "mime_prefix": GLUE_PREFIX}, "claim": details},
    )
