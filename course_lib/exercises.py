"""Vérification des exercices : « à faire », « juste », ou « faux » avec un cas qui le montre."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

UNTOUCHED = "à faire"


class ExerciseError(AssertionError):
    """Une solution du cours ne passe pas sa propre vérification."""


def check(
    label: str,
    answer: Any,
    *,
    expected: Any = None,
    cases: Sequence[tuple] | None = None,
    reference: Callable | None = None,
    test: Callable[[Any], str | None] | None = None,
    tolerance: float = 1e-6,
    strict: bool = False,
) -> None:
    """Compare la réponse d'un exercice à ce qui est attendu et écrit le verdict en français.

    Trois façons de vérifier, une seule à la fois :

    - une valeur : ``expected=`` (nombre, texte, tenseur, n-uplet de nombres) ;
    - une fonction : ``cases=[((x, …), attendu), …]``, ou ``reference=f, cases=[(x, …), …]`` ;
    - une propriété : ``test=``, une fonction qui rend ``None`` si la réponse est juste, sinon une
      phrase qui dit ce qui ne va pas.

    Une réponse laissée à ``None`` ou ``...`` (ou une fonction qui les rend) donne « à faire ».
    Une erreur levée par la réponse donne « faux » et le nom de l'erreur : la page se construit.

    **Lève** : ``ExerciseError`` si ``strict`` et que la réponse n'est pas juste ; ``ValueError``
    si la vérification est mal posée.

    >>> check("exo-double", lambda x: 2 * x, cases=[((1,), 2), ((3,), 6)])
    exo-double : juste.
    >>> check("exo-double", lambda x: x * x, cases=[((2,), 4), ((3,), 6)])
    exo-double : faux. Pour (3), attendu 6, obtenu 9.
    """
    _check_arguments(label, expected, cases, reference, test)
    if cases is not None and _is_missing(answer):
        verdict = UNTOUCHED
    elif cases is not None:
        verdict = _judge_function(answer, cases, reference, tolerance)
    elif _is_missing(answer):
        verdict = UNTOUCHED
    elif test is not None:
        verdict = _judge_property(answer, test)
    else:
        verdict = _compare(answer, expected, tolerance)
    if strict and verdict is not None:
        raise ExerciseError(f"La solution de {label} n'est pas juste : {verdict}")
    print(f"{label} : {_sentence(verdict)}")


def _sentence(verdict: str | None) -> str:
    if verdict is None:
        return "juste."
    return "à faire." if verdict == UNTOUCHED else f"faux. {verdict}"


def _check_arguments(label, expected, cases, reference, test) -> None:
    ways = sum(way is not None for way in (expected, cases, test))
    if ways != 1 or (reference is not None and cases is None):
        raise ValueError(
            f"Vérification de {label} mal posée : donnez exactement l'un de expected, cases "
            f"(avec reference au besoin) ou test ; reçu {ways} d'entre eux."
        )
    if cases is not None and len(cases) == 0:
        raise ValueError(f"Vérification de {label} mal posée : la liste des cas est vide.")


def _is_missing(answer: Any) -> bool:
    if answer is None or answer is ...:
        return True
    return isinstance(answer, tuple | list) and any(_is_missing(item) for item in answer)


def _judge_function(answer, cases, reference, tolerance) -> str | None:
    for case in cases:
        arguments, expected = (case, reference(*case)) if reference is not None else case
        try:
            obtained = answer(*arguments)
        except Exception as error:
            return f"Pour {_show_arguments(arguments)}, erreur {type(error).__name__} : {error}"
        if _is_missing(obtained):
            return UNTOUCHED
        if difference := _compare(obtained, expected, tolerance):
            return f"Pour {_show_arguments(arguments)}, {difference[0].lower()}{difference[1:]}"
    return None


def _judge_property(answer, test) -> str | None:
    try:
        return test(answer)
    except Exception as error:
        return f"La vérification s'arrête sur {type(error).__name__} : {error}"


def _compare(obtained: Any, expected: Any, tolerance: float) -> str | None:
    """Rend ``None`` si les deux valeurs sont égales à ``tolerance`` près, sinon une phrase."""
    if isinstance(expected, str | bool):
        same = obtained == expected
        return None if same else f"Attendu {_show(expected)}, obtenu {_show(obtained)}."
    try:
        left, right = _as_array(obtained), _as_array(expected)
    except (TypeError, ValueError):
        return f"Attendu {_show(expected)}, obtenu {_show(obtained)}."
    if left.shape != right.shape:
        return f"Attendu la forme {right.shape}, obtenu la forme {left.shape}."
    if not np.allclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True):
        return f"Attendu {_show(expected)}, obtenu {_show(obtained)}."
    return None


def _as_array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if isinstance(value, tuple | list):
        value = [_as_array(item) for item in value]
    return np.asarray(value, dtype=np.float64)


def _show_arguments(arguments: tuple) -> str:
    return "(" + ", ".join(_show(argument) for argument in arguments) + ")"


def _show(value: Any) -> str:
    if isinstance(value, str | bool):
        return repr(value)
    try:
        array = _as_array(value)
    except (TypeError, ValueError):
        return repr(value)
    if array.size > 12:
        return f"un tableau de forme {array.shape}"
    text = np.array2string(array, separator=", ", formatter={"float": "{:.6g}".format})
    return text.replace("\n", "")
