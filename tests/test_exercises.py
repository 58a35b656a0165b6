"""Vérification des exercices : à faire, juste, faux."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_lib.exercises import ExerciseError, check


def verdict(capsys, *args, **kwargs):
    check("exo-x", *args, **kwargs)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("answer", [None, ..., (None, 1.0), [..., 2]])
def test_an_untouched_answer_is_to_do(capsys, answer):
    assert verdict(capsys, answer, expected=(1.0, 2.0)) == "exo-x : à faire."


@pytest.mark.parametrize("body", [None, ...])
def test_an_untouched_function_is_to_do(capsys, body):
    assert verdict(capsys, lambda x: body, cases=[((1,), 2)]) == "exo-x : à faire."
    assert verdict(capsys, body, cases=[((1,), 2)]) == "exo-x : à faire."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (3, 3),
        (2.0000001, 2),
        ("non", "non"),
        (True, True),
        (torch.tensor([1.0, 2.0]), [1, 2]),
        ((torch.tensor(1.0), np.zeros(2)[0]), (1.0, 0.0)),
    ],
)
def test_a_right_value_is_right(capsys, answer, expected):
    assert verdict(capsys, answer, expected=expected) == "exo-x : juste."


@pytest.mark.parametrize(
    ("answer", "expected", "message"),
    [
        (3, 4, "faux. Attendu 4, obtenu 3."),
        (-4, 4, "faux. Attendu 4, obtenu -4."),
        ("oui", "non", "faux. Attendu 'non', obtenu 'oui'."),
        (torch.ones(2, 3), torch.ones(3, 2), "Attendu la forme (3, 2), obtenu la forme (2, 3)."),
        ("trois", 3, "faux. Attendu 3, obtenu 'trois'."),
        (float("nan"), 1.0, "obtenu nan"),
    ],
)
def test_a_wrong_value_is_wrong_and_says_why(capsys, answer, expected, message):
    assert message in verdict(capsys, answer, expected=expected)


def test_a_function_is_judged_on_every_case(capsys):
    cases = [((0.0,), 0.0), ((2.0,), 4.0), ((3.0,), 9.0)]
    assert verdict(capsys, lambda x: x * x, cases=cases) == "exo-x : juste."
    answer = verdict(capsys, lambda x: 2 * x, cases=cases)
    assert answer == "exo-x : faux. Pour (3), attendu 9, obtenu 6."


def test_a_function_is_compared_with_a_reference(capsys):
    cases = [(torch.tensor([-1.0, 2.0]),), (torch.tensor([0.0]),)]
    clamp = lambda x: x.clamp(min=0)  # noqa: E731
    assert verdict(capsys, clamp, reference=torch.relu, cases=cases) == "exo-x : juste."
    assert "attendu [0, 2], obtenu [1, 2]" in verdict(
        capsys, torch.abs, reference=torch.relu, cases=cases
    )


def test_an_error_in_the_answer_does_not_stop_the_page(capsys):
    answer = verdict(capsys, lambda x: 1 / x, cases=[((0,), 1)])
    assert answer == "exo-x : faux. Pour (0), erreur ZeroDivisionError : division by zero"


def test_a_property_gives_its_own_sentence(capsys):
    def test(answer):
        return None if answer > 3 else f"{answer} n'est pas plus grand que 3."

    assert verdict(capsys, 4, test=test) == "exo-x : juste."
    assert verdict(capsys, 2, test=test) == "exo-x : faux. 2 n'est pas plus grand que 3."
    assert "s'arrête sur TypeError" in verdict(capsys, "4", test=test)


@pytest.mark.parametrize("answer", [None, 5])
def test_strict_refuses_what_is_not_right(answer):
    with pytest.raises(ExerciseError, match="solution de exo-x n'est pas juste"):
        check("exo-x", answer, expected=4, strict=True)


def test_strict_accepts_what_is_right(capsys):
    assert verdict(capsys, 4, expected=4, strict=True) == "exo-x : juste."


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"expected": 1, "cases": [((1,), 2)]},
        {"reference": torch.relu},
        {"cases": []},
        {"expected": 1, "test": lambda a: None},
    ],
)
def test_an_ill_posed_check_is_refused(arguments):
    with pytest.raises(ValueError, match="Vérification de exo-x mal posée"):
        check("exo-x", 1, **arguments)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3), elements=st.floats(-1e3, 1e3)))
def test_any_array_equals_itself_and_not_its_shift(array):
    check("exo-x", array, expected=array.copy(), strict=True)
    with pytest.raises(ExerciseError):
        check("exo-x", array + 1, expected=array, strict=True)
