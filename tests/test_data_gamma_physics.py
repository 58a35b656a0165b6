"""La physique des spectres gamma, comparée à la théorie : pics, continuum, rétrodiffusion."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate

from course_lib.data import GAMMA_LINES, ISOTOPES, channel_energies, compton_edge, gamma_template
from course_lib.data import _gamma_physics as physics

ALPHA = 1 / 510.99895  # 1 / mₑc²
TO_SIGMA = 1 / (2 * math.sqrt(2 * math.log(2)))  # largeur à mi-hauteur → écart type


def sigma_at(energy, resolution):
    return TO_SIGMA * resolution * math.sqrt(661.657 * energy)


def peak(isotope, energy, *, resolution=0.004, n_channels=8192):
    """Aire, centre et écart type d'un pic, après retrait d'un fond linéaire pris de part et d'autre."""
    x = channel_energies(n_channels).double()
    y = gamma_template(isotope, n_channels=n_channels, resolution=resolution).double()
    sigma = sigma_at(energy, resolution)
    window = (x - energy).abs() < 5 * sigma
    sides = ((x - energy).abs() > 5 * sigma) & ((x - energy).abs() < 7 * sigma)
    slope, level = np.polyfit(x[sides] - energy, y[sides], 1)
    x, y = x[window], y[window] - (level + slope * (x[window] - energy))
    area = y.sum()
    center = (x * y).sum() / area
    return area.item(), center.item(), ((x - center) ** 2 * y).sum().div(area).sqrt().item()


LINES = [(isotope, *line) for isotope in ISOTOPES for line in GAMMA_LINES[isotope]]


@pytest.mark.parametrize(("isotope", "energy", "intensity"), LINES)
def test_full_energy_peaks_have_the_right_place_width_and_area(isotope, energy, intensity):
    area, center, deviation = peak(isotope, energy)
    channel = 1600 / 8192
    assert abs(center - energy) < channel
    assert deviation == pytest.approx(sigma_at(energy, 0.004), rel=0.03)

    def strength(e, i):  # documenté : intensité × probabilité d'interaction × part du pic
        return i * (1 - math.exp(-2.1 * (661.657 / e) ** 0.6)) / (1 + (e / 740) ** 1.5)

    total = sum(i * (1 - math.exp(-2.1 * (661.657 / e) ** 0.6)) for e, i in GAMMA_LINES[isotope])
    assert area * total * 1.08 == pytest.approx(strength(energy, intensity), rel=0.02)


@pytest.mark.parametrize(("energy", "resolution"), [(661.657, 0.07), (511.0, 0.1)])
def test_peaks_are_wide_as_the_square_root_of_their_energy(energy, resolution):
    edges = torch.linspace(0, 1600, 3201, dtype=torch.float64)
    response = physics.response(energy, edges, resolution=resolution)
    top = response[int(2 * energy)]
    wide = 0.5 * (response > top / 2)[int(2 * compton_edge(energy)) + 100 :].sum()
    assert wide.item() == pytest.approx(resolution * math.sqrt(661.657 * energy), abs=1)


def test_compton_edges_are_those_of_the_conservation_of_energy():
    assert compton_edge(661.657) == pytest.approx(477.3, abs=0.05)
    for energy in (81.0, 511.0, 1274.537):
        backscattered = energy / (1 + 2 * energy * ALPHA)  # formule de Compton à 180°
        assert compton_edge(energy) + backscattered == pytest.approx(energy)


@pytest.mark.parametrize(("isotope", "energy"), [("Cs-137", 661.657), ("Na-22", 1274.537)])
def test_the_continuum_falls_at_the_compton_edge_and_the_valley_is_empty(isotope, energy):
    y = gamma_template(isotope, n_channels=3200, resolution=0.004)
    x, front = channel_energies(3200), compton_edge(energy)
    near = ((x > front - 60) & (x < front + 60)).nonzero()[:, 0]
    steepest = near[y[near].diff().argmin()]
    assert abs(x[steepest].item() - front) < 2
    valley = y[(x > front + 15) & (x < energy - 15)].sum()
    continuum = y[(x > front - 60) & (x < front - 10)].sum()
    assert valley < 1e-6 < 1e-3 < continuum


@pytest.mark.parametrize("energy", [81.0, 356.0, 661.657, 1274.537, 2614.5])
def test_klein_nishina_is_the_angular_formula_integrated_by_scipy(energy):
    """Oracle : dσ/dΩ ∝ P² (P + 1/P − sin²θ), où P est le rapport des énergies du photon."""

    def angular(cosine):
        ratio = 1 / (1 + energy * ALPHA * (1 - cosine))
        return ratio**2 * (ratio + 1 / ratio - (1 - cosine**2))

    grid = torch.linspace(0, 1, 4001, dtype=torch.float64) * compton_edge(energy)
    density = physics.klein_nishina((grid[1:] + grid[:-1]) / 2, energy)
    cumulated = density.cumsum(0) / density.sum()
    total = integrate.quad(angular, -1, 1)[0]
    for k in (400, 1200, 2000, 2800, 3600, 3900):
        deposited = grid[k].item()
        cosine = 1 - deposited / (energy - deposited) / (energy * ALPHA)
        below = integrate.quad(angular, cosine, 1)[0] / total  # petits angles : petits dépôts
        assert cumulated[k - 1].item() == pytest.approx(below, abs=1e-5)
    beyond = torch.linspace(compton_edge(energy) + 1, energy, 9, dtype=torch.float64)
    assert (physics.klein_nishina(beyond, energy) == 0).all()


def test_the_peak_shrinks_against_the_continuum_when_energy_grows():
    edges = torch.linspace(0, 3000, 6001, dtype=torch.float64)
    shares = []
    for energy in (200.0, 356.0, 662.0, 1274.5, 2000.0):
        response = physics.response(energy, edges, resolution=0.01)
        around = slice(int(2 * (energy - 20)), int(2 * (energy + 40)))
        shares.append((response[around].sum() / response.sum()).item())
    assert all(before > after + 0.05 for before, after in pairwise(shares))
    assert shares[2] == pytest.approx(0.54 / 1.08, abs=0.02)


def test_backscattered_photons_have_the_energy_left_by_compton():
    """Entre E / (1 + 2α) et E / (1 + 1,5α), au-dessus du continuum : 8 % des photons directs."""
    x = channel_energies(3200)
    y = gamma_template("Cs-137", n_channels=3200, resolution=0.004)
    low, high = (661.657 / (1 + k * 661.657 * ALPHA) for k in (2, 1.5))
    inside, sides = (x > low - 8) & (x < high + 8), (x > low - 40) & (x < high + 40)
    sides &= ~inside
    bump = y[inside].sum() - inside.sum() * y[sides].mean()
    assert bump.item() == pytest.approx(0.08 / 1.08, rel=0.03)
