"""Tests de course_lib.data.gamma."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import (
    ISOTOPES,
    channel_energies,
    compton_edge,
    expected_spectrum,
    gamma_template,
    make_gamma_spectra,
)
from course_lib.runtime import make_generator, set_seed


@settings(max_examples=20, deadline=None)
@given(
    isotope=st.sampled_from(ISOTOPES),
    n_channels=st.integers(16, 600),
    energy_max=st.floats(600, 4000),
    resolution=st.floats(0.002, 0.3),
)
def test_templates_are_densities(isotope, n_channels, energy_max, resolution):
    options = {"n_channels": n_channels, "energy_max": energy_max}
    template = gamma_template(isotope, resolution=resolution, **options)
    assert template.shape == channel_energies(n_channels, energy_max).shape == (n_channels,)
    assert template.dtype == torch.float32
    assert template.min() >= 0
    assert template.sum().item() == pytest.approx(1, abs=1e-5)


def test_rebinning_a_fine_template_gives_the_coarse_one():
    fine, coarse = (gamma_template("Ba-133", n_channels=n) for n in (1024, 256))
    torch.testing.assert_close(fine.view(256, 4).sum(1), coarse, atol=1e-6, rtol=1e-4)


def test_spectra_add_up():
    strengths = torch.tensor([[100.0, 0.0, 0.0], [0.0, 50.0, 20.0], [100.0, 50.0, 20.0]])
    parts = expected_spectrum(strengths)
    torch.testing.assert_close(parts[0] + parts[1], parts[2])
    torch.testing.assert_close(parts[0], 100 * gamma_template("Ba-133"))
    torch.testing.assert_close(parts.sum(1), strengths.sum(1))
    ambient = expected_spectrum([0.0, 0.0, 0.0], background=30.0)
    torch.testing.assert_close(expected_spectrum(strengths, background=30.0), parts + ambient)
    assert ambient.sum().item() == pytest.approx(30, rel=1e-5)


def test_the_background_falls_exponentially_and_shows_potassium():
    x, y = channel_energies(), expected_spectrum([0.0, 0.0, 0.0], background=1.0)
    assert y[x < 200].sum() > 3 * y[(x > 400) & (x < 600)].sum()
    window = x > 1300
    assert x[window][y[window].argmax()].item() == pytest.approx(1460.8, abs=7)


def test_counts_follow_a_poisson_law_around_the_expected_spectrum():
    """Sur N spectres de même moyenne λ, la variance de chaque canal vaut sa moyenne."""
    n = 3000
    data = make_gamma_spectra(
        3 * n, generator=make_generator(0), n_counts=3000, background=0.0, gain_drift=0.0
    )
    cesium = data.x[data.y == ISOTOPES.index("Cs-137")].double()
    rate = 3000 * gamma_template("Cs-137").double()
    kept = rate > 1
    m = int(kept.sum())
    mean, variance = cesium.mean(0)[kept], cesium.var(0)[kept]
    chi2 = ((mean - rate[kept]) ** 2 / (rate[kept] / n)).sum().item()
    assert abs(chi2 - m) < 5 * math.sqrt(2 * m)
    ratio = (variance / rate[kept]).mean().item()
    spread = math.sqrt((2 / n + (1 / (n * rate[kept])).mean().item()) / m)
    assert abs(ratio - 1) < 5 * spread
    assert torch.equal(cesium, cesium.round())


def test_each_spectrum_shares_its_counts_between_source_and_background():
    data = make_gamma_spectra(6000, generator=make_generator(0), n_counts=2000, background=0.4)
    barium = data.x[data.y == ISOTOPES.index("Ba-133")]
    above = channel_energies() > 600  # le baryum n'y émet rien
    ambient = expected_spectrum([0.0, 0.0, 0.0], background=1.0)[above].sum()
    share = barium[:, above].sum(1) / (2000 * ambient)
    assert share.mean().item() == pytest.approx(0.4, rel=0.03)
    counting = 0.4 / (2000 * ambient.item())  # la part de Poisson de la variance
    assert (share.var().item() - counting) ** 0.5 == pytest.approx(0.4 / math.sqrt(12), rel=0.1)


def test_the_number_of_counts_varies_between_its_bounds():
    data = make_gamma_spectra(3000, generator=make_generator(0), n_counts=(100, 10_000))
    total = data.x.sum(1)
    assert 60 < total.min() < 130
    assert 9000 < total.max() < 10_500
    assert total.log10().mean().item() == pytest.approx(3, abs=0.05)  # log-uniforme


@pytest.mark.parametrize("drift", [0.0, 0.03])
def test_a_drifting_gain_moves_the_peaks(drift):
    data = make_gamma_spectra(
        900, generator=make_generator(0), n_counts=50_000, background=0.0, gain_drift=drift
    )
    cesium = data.x[data.y == 2]
    x = channel_energies()
    window = cesium * (x > 560)
    center = (window * x).sum(1) / window.sum(1)
    assert center.mean().item() == pytest.approx(661.657, abs=4)
    assert center.std().item() == pytest.approx(661.657 * drift, rel=0.15, abs=0.6)


def test_classes_are_balanced_and_mixtures_are_independent():
    single = make_gamma_spectra(100, generator=make_generator(0))
    assert sorted(single.y.bincount().tolist()) == [33, 33, 34]
    assert (single.y.diff() != 0).sum() > 40
    mixed = make_gamma_spectra(4000, generator=make_generator(0), mixture=True, n_counts=1000)
    assert mixed.y.shape == (4000, 3)
    assert mixed.y.dtype == mixed.x.dtype == torch.float32
    codes = (mixed.y @ torch.tensor([1.0, 2.0, 4.0])).long().bincount(minlength=8)
    assert (codes - 500).abs().max() < 5 * math.sqrt(500)
    assert mixed.x.sum(1).mean().item() == pytest.approx(1000, rel=0.01)


def test_mixtures_contain_what_their_labels_say():
    data = make_gamma_spectra(
        600, generator=make_generator(0), mixture=True, n_counts=20_000, gain_drift=0.0
    )
    x = channel_energies()
    for isotope, energy in (("Cs-137", 661.657), ("Na-22", 1274.537), ("Ba-133", 356.0)):
        k, sigma = ISOTOPES.index(isotope), 0.07 / 2.3548 * math.sqrt(661.657 * energy)
        window = (x - energy).abs() < sigma
        sides = ((x - energy).abs() > 4 * sigma) & ((x - energy).abs() < 5 * sigma)
        excess = data.x[:, window].mean(1) - data.x[:, sides].mean(1)
        present = data.y[:, k] == 1
        assert excess[present].min() > excess[~present].max(), isotope


def test_same_seed_same_spectra_whatever_the_global_generator():
    set_seed(1)
    first = make_gamma_spectra(50, generator=make_generator(0), mixture=True)
    set_seed(2)
    state = torch.get_rng_state()
    again, other = (
        make_gamma_spectra(50, generator=make_generator(s), mixture=True) for s in (0, 1)
    )
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)
    assert torch.equal(state, torch.get_rng_state())


def test_the_likeliest_template_names_the_isotope_and_few_counts_blur_it():
    reached = []
    templates = expected_spectrum(0.5 * torch.eye(3), background=0.5)  # (3, n_channels)
    for n_counts in (4, 40, 2000):
        data = make_gamma_spectra(2000, generator=make_generator(0), n_counts=n_counts)
        guess = (data.x @ templates.log().T).argmax(1)
        reached.append((guess == data.y).float().mean().item())
    assert reached[0] < 0.9 < reached[1] < reached[2]
    assert reached[2] > 0.99


@pytest.mark.parametrize("isotope", ["Co-60", "cs-137", 137, None, "", ["Cs-137"]])
def test_an_unknown_isotope_is_refused(isotope):
    with pytest.raises(ValueError, match=r"isotope inconnu, reçu .* Ba-133, Na-22, Cs-137"):
        gamma_template(isotope)


@pytest.mark.parametrize("resolution", [0, -0.07, 1, 7, float("nan"), "0.07", None])
def test_an_unphysical_resolution_is_refused(resolution):
    for call in (
        lambda: gamma_template("Cs-137", resolution=resolution),
        lambda: expected_spectrum([1.0, 1.0, 1.0], resolution=resolution),
        lambda: make_gamma_spectra(3, generator=make_generator(0), resolution=resolution),
    ):
        with pytest.raises(ValueError, match="resolution"):
            call()


@pytest.mark.parametrize(
    ("activities", "message"),
    [
        ([1.0, -1.0, 0.0], "activité"),
        ([1.0, float("nan"), 0.0], "activité"),
        ([1.0, 2.0], "forme"),
        (3.0, "forme"),
        (["a", "b", "c"], "nombres"),
    ],
)
def test_wrong_activities_are_refused(activities, message):
    with pytest.raises(ValueError, match=message):
        expected_spectrum(activities)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_channels": 15}, "n_channels doit être un entier ≥ 16"),
        ({"n_channels": 256.0}, "n_channels doit être un entier ≥ 16"),
        ({"energy_max": 0.0}, "energy_max doit être finie et strictement positive"),
        ({"energy_max": float("inf")}, "energy_max doit être finie"),
        ({"energy_max": "1600"}, "energy_max doit être un nombre"),
        ({"n_counts": 0}, "n_counts doit être"),
        ({"n_counts": (500, 100)}, "croissantes"),
        ({"n_counts": (1, 2, 3)}, "deux bornes"),
        ({"background": -0.1}, "background doit être"),
        ({"background": 0.9}, "background doit être entre 0 et 0.6"),
        ({"gain_drift": 0.5}, "gain_drift doit être entre 0 et 0.05"),
        ({"generator": 0}, "make_generator"),
        ({"n": 0}, "n doit être un entier ≥ 1"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    settings = {"n": 3, "generator": make_generator(0), **options}
    with pytest.raises(ValueError, match=message):
        make_gamma_spectra(settings.pop("n"), **settings)


@pytest.mark.parametrize("energy", [0.0, -5.0, float("nan"), "662", None, True])
def test_a_wrong_energy_has_no_compton_edge(energy):
    with pytest.raises(ValueError, match="energy doit être"):
        compton_edge(energy)
