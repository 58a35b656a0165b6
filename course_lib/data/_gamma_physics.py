"""Physique d'un spectre gamma : diffusion Compton, résolution et efficacité d'un détecteur NaI."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ELECTRON = 510.99895  # énergie de masse de l'électron, keV
REFERENCE = 661.657  # keV : la raie du césium 137 à laquelle on donne la résolution
BACKSCATTER = 0.08  # coups de rétrodiffusion pour un photon direct détecté
_STEPS = 400  # points du continuum de chaque raie


def check_energy(energy: float, *, name: str = "energy") -> float:
    """Rend ``energy`` (keV) si elle est strictement positive et finie ; ``ValueError`` sinon."""
    if isinstance(energy, bool) or not isinstance(energy, int | float):
        raise ValueError(f"{name} doit être un nombre en keV, reçu {energy!r}.")
    if not math.isfinite(energy) or energy <= 0:
        raise ValueError(f"{name} doit être finie et strictement positive, reçu {energy!r} keV.")
    return float(energy)


def klein_nishina(deposited: Tensor, energy: float) -> Tensor:
    """Densité, à un facteur près, de l'énergie cédée à l'électron par un photon de ``energy`` keV.

    dσ/dT ∝ 2 + s² / (α² (1 − s)²) + s / (1 − s) · (s − 2 / α), où s = T / E et α = E / mₑc² ;
    nulle au-delà du front Compton.
    """
    alpha, s = energy / ELECTRON, deposited / energy
    s = s.clamp(max=edge(energy) / energy)  # loin de s = 1, où la formule diverge
    density = 2 + (s / (alpha * (1 - s))) ** 2 + s / (1 - s) * (s - 2 / alpha)
    return density * (deposited <= edge(energy))


def edge(energy: float) -> float:
    """Front Compton (keV) : énergie cédée quand le photon repart en arrière."""
    alpha = energy / ELECTRON
    return energy * 2 * alpha / (1 + 2 * alpha)


def detected(energy: float) -> float:
    """Probabilité qu'un photon de ``energy`` keV interagisse dans 7,6 cm de NaI (3 pouces).

    1 − exp(−μL), avec μL = 2,1 à 662 keV et μ en E^−0,6 : l'ordre de grandeur d'un cristal réel.
    """
    return -math.expm1(-2.1 * (REFERENCE / energy) ** 0.6)


def peak_fraction(energy: float) -> float:
    """Part des photons détectés qui déposent toute leur énergie : 0,54 à 662 keV, 0,31 à 1275."""
    return 1 / (1 + (energy / 740) ** 1.5)


def response(energy: float, edges: Tensor, *, resolution: float) -> Tensor:
    """Réponse (n,) du détecteur à une raie, entre ``edges`` (n + 1,) ; de somme au plus 1.

    Le pic d'absorption totale, le continuum Compton d'une seule diffusion, et les photons
    renvoyés vers le détecteur par ce qui l'entoure (angles de plus de 120°), qu'il absorbe.
    """
    steps = (torch.arange(_STEPS, dtype=edges.dtype) + 0.5) / _STEPS
    deposited = steps * edge(energy)  # (S,)
    weight = klein_nishina(deposited, energy)
    back = energy - deposited  # énergie du photon diffusé
    behind = weight * (back <= energy / (1 + 1.5 * energy / ELECTRON))  # cos θ ≤ −1/2
    peak = peak_fraction(energy)
    continuum = _smear(deposited, weight / weight.sum(), edges, resolution)
    scattered = _smear(back, behind / behind.sum(), edges, resolution)
    full = _smear(torch.tensor([energy], dtype=edges.dtype), edges.new_ones(1), edges, resolution)
    return (peak * full + (1 - peak) * continuum + BACKSCATTER * scattered) / (1 + BACKSCATTER)


def _smear(energies: Tensor, weights: Tensor, edges: Tensor, resolution: float) -> Tensor:
    """Répartit des dépôts (S,) dans les canaux (n,), étalés par une gaussienne de FWHM ∝ √E."""
    width = resolution * torch.sqrt(REFERENCE * energies)  # largeur à mi-hauteur, keV
    sigma = width / (2 * math.sqrt(2 * math.log(2)))
    below = torch.special.ndtr((edges - energies[:, None]) / sigma[:, None])  # (S, n + 1)
    return weights @ below.diff(dim=1)
