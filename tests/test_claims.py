"""Affirmations : vraies, elles s'écrivent ; fausses, elles arrêtent la construction."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from course_lib import claims
from course_lib.claims import ClaimError, claim, format_number, mean_interval

finite = st.floats(-1e6, 1e6)


@pytest.fixture(autouse=True)
def outside_a_build(monkeypatch):
    for name in ("COURSE_BUILD", "COURSE_CHAPTER", "COURSE_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def displayed(monkeypatch):
    """Ce qu'une construction reçoit : la liste des (données, métadonnées) affichées."""
    outputs = []
    monkeypatch.setenv("COURSE_BUILD", "1")
    monkeypatch.setattr(
        "IPython.display.display", lambda data, *, raw, metadata: outputs.append((data, metadata))
    )
    return outputs


@given(st.lists(finite, min_size=2, max_size=30))
def test_the_interval_is_the_one_of_scipy(values):
    mean, half_width = mean_interval(values)
    assert mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    if np.std(values) > 1e-3:
        low, high = stats.t.interval(
            0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
        )
        assert (mean - half_width, mean + half_width) == pytest.approx(
            (low, high), rel=1e-6, abs=1e-6
        )


def test_the_interval_covers_the_true_mean_95_times_out_of_100():
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(4000, 5))
    intervals = [mean_interval(row) for row in draws]
    coverage = np.mean([abs(mean - 3.0) <= half_width for mean, half_width in intervals])
    assert abs(coverage - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4000)


def test_an_interval_needs_two_values():
    with pytest.raises(ValueError, match="au moins deux valeurs ; reçu 1"):
        mean_interval([1.0])


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.97251, None, "0,973"),
        (97, None, "97"),
        (1234567.8, 1, "1\u202f234\u202f567,8"),
        (-0.5, 2, "−0,50"),
        (3.2e-9, None, "3,2 × 10⁻⁹"),
        (-1.5e12, None, "−1,5 × 10¹²"),
        (0, None, "0"),
        (12.3456, None, "12,3"),
    ],
)
def test_numbers_are_written_in_french(value, decimals, text):
    assert format_number(value, decimals) == text


@given(finite, st.integers(0, 6))
def test_a_written_number_reads_back(value, decimals):
    text = format_number(value, decimals)
    assert "." not in text
    read = float(text.replace("\u202f", "").replace("−", "-").replace(",", "."))
    assert abs(read - value) <= 0.5 * 10**-decimals + 1e-9 * abs(value)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (0.5, {"at_least": 0.6}),
        (0.5, {"at_most": 0.4}),
        (0.5, {"equal_to": 0.6, "tolerance": 0.05}),
        ([0.5, 0.9], {"at_least": 0.6, "criterion": "every"}),
        ([0.61, 0.65], {"at_least": 0.6, "criterion": "interval"}),
        ([0.35, 0.39], {"at_most": 0.4, "criterion": "interval"}),
        (False, {}),
    ],
)
def test_a_claim_that_does_not_hold_stops_the_page(values, bounds):
    with pytest.raises(ClaimError, match="« clé » ne tient pas. Titre : mesuré"):
        claim("clé", values, label="Titre", **bounds)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (0.6, {"at_least": 0.6}),
        (torch.tensor(0.4), {"at_most": 0.4 + 1e-6}),
        (np.float64(0.55), {"equal_to": 0.6, "tolerance": 0.06}),
        ([0.5, 0.9], {"at_least": 0.6}),
        ([0.61, 0.62, 0.615], {"at_least": 0.6, "criterion": "interval"}),
        (True, {}),
    ],
)
def test_a_claim_that_holds_returns_the_mean(values, bounds, capsys):
    array = values.numpy() if isinstance(values, torch.Tensor) else values
    assert claim("clé", values, label="Titre", **bounds) == pytest.approx(float(np.mean(array)))
    assert capsys.readouterr().out.startswith("✓ Titre : ")


def test_the_failure_names_the_chapter_the_measure_and_the_bound(monkeypatch):
    monkeypatch.setenv("COURSE_CHAPTER", "chapters/fondations/perceptron")
    with pytest.raises(ClaimError) as failure:
        claim("a", [0.5, 0.52], label="Exactitude", at_least=0.97, percent=True)
    message = str(failure.value)
    for part in ("chapters/fondations/perceptron", "Exactitude", "51 ± 13", "≥ 97", "la moyenne"):
        assert part in message


def test_a_build_receives_the_text_and_the_details(displayed):
    claim("a", [0.97, 0.98, 0.965], label="Exactitude", at_least=0.95)
    data, metadata = displayed[0]
    assert data == {"application/papermill.record/text/plain": "'0,972 ± 0,019'"}
    assert metadata["scrapbook"]["name"] == "a"
    details = metadata["claim"]
    assert details["values"] == [0.97, 0.98, 0.965]
    assert (details["bound"], details["profile"], details["device"]) == ("≥ 0,950", "rapide", "cpu")


def test_the_text_has_the_decimals_of_the_tolerance(displayed):
    claim("a", 0.000911, label="p", equal_to=0.00091, tolerance=5e-6)
    assert displayed[0][1]["claim"]["text"] == "0,00091"


def test_percent_and_units_are_written_after_a_thin_space(displayed):
    claim("a", 0.5, label="p", at_least=0.4, percent=True)
    claim("b", 12.0, label="t", at_most=13, unit="ms")
    assert [metadata["claim"]["text"] for _, metadata in displayed] == ["50\u202f%", "12\u202fms"]


def test_nothing_is_recorded_when_the_claim_fails(displayed):
    with pytest.raises(ClaimError):
        claim("a", 0.1, label="p", at_least=0.4)
    assert displayed == []


@pytest.mark.parametrize(
    ("values", "bounds", "message"),
    [
        (0.5, {}, "aucune borne"),
        (0.5, {"equal_to": 0.5}, "tolerance > 0 vont ensemble"),
        (0.5, {"equal_to": 0.5, "tolerance": 0.0}, "tolerance > 0"),
        (0.5, {"at_least": 0, "criterion": "max"}, "choisissez mean, interval ou every"),
        (0.5, {"at_least": 0, "criterion": "interval"}, "au moins deux valeurs"),
        (math.nan, {"at_least": 0}, "nombre fini"),
        ([], {"at_least": 0}, "liste non vide"),
        ([[1.0]], {"at_least": 0}, r"forme \(1, 1\)"),
        ("douze", {"at_least": 0}, "reçu 'douze'"),
        (True, {"at_least": 1}, "un booléen ne prend pas de borne"),
    ],
)
def test_an_ill_posed_claim_is_refused(values, bounds, message):
    with pytest.raises(ValueError, match=message):
        claim("clé", values, label="Titre", **bounds)


def test_the_glue_prefix_is_the_one_of_myst_nb():
    from myst_nb.ext.glue import GLUE_PREFIX

    assert claims.GLUE_PREFIX == GLUE_PREFIX
