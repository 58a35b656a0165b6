"""Spectres gamma simulés de trois radioéléments, tels qu'un détecteur NaI les compterait."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real
from course_lib.data import _gamma_physics as physics
from course_lib.data.splits import Split

# (énergie en keV, photons pour 100 désintégrations), les raies de plus de 5 % : nndc2024ensdf
GAMMA_LINES = {
    "Ba-133": (
        (80.998, 32.9),
        (276.399, 7.16),
        (302.851, 18.34),
        (356.013, 62.05),
        (383.849, 8.94),
    ),
    "Na-22": ((511.0, 179.9), (1274.537, 99.94)),  # 511 : deux photons par positon annihilé
    "Cs-137": ((661.657, 85.1),),
}
ISOTOPES = tuple(GAMMA_LINES)

_POTASSIUM = 1460.822  # keV : la raie du potassium 40, présent partout
_DECAY = 220.0  # keV : le fond décroît en exp(−E / 220 keV)
_FINE = 4  # cases par canal pour simuler une dérive de gain
_CHUNK = 1024


def compton_edge(energy: float) -> float:
    """Front Compton d'un photon : la plus grande énergie qu'une diffusion cède à un électron.

    E_c = E · 2α / (1 + 2α), avec α = E / 511 keV.

    **Formes** : ``energy`` et le résultat en keV.
    **Lève** : ``ValueError`` si ``energy`` n'est pas finie et strictement positive.
    **Réf.** : knoll2010radiation

    >>> round(compton_edge(661.657), 1)
    477.3
    """
    return physics.edge(physics.check_energy(energy))


def channel_energies(n_channels: int = 256, energy_max: float = 1600.0) -> Tensor:
    """Énergie (keV) du milieu de chaque canal, de 0 à ``energy_max``.

    **Formes** : (``n_channels``,) float32.
    **Lève** : ``ValueError`` si ``n_channels`` < 16 ou ``energy_max`` n'est pas positive.

    >>> channel_energies(16, 160.0)[:3]
    tensor([ 5., 15., 25.])
    """
    edges = _edges(n_channels, energy_max)
    return ((edges[1:] + edges[:-1]) / 2).float()


def gamma_template(
    isotope: str, *, n_channels: int = 256, energy_max: float = 1600.0, resolution: float = 0.07
) -> Tensor:
    """Spectre moyen d'un radioélément, sans fond ni bruit, de somme 1.

    Somme, sur les raies de ``GAMMA_LINES``, de l'intensité par la probabilité de détection par la
    réponse du détecteur : un pic gaussien de largeur à mi-hauteur ``resolution`` · √(662 · E), le
    continuum de Klein et Nishina jusqu'au front Compton, lissé de même, et un pic de
    rétrodiffusion. La part du pic décroît avec l'énergie. Sont négligés : les rayons X (vers
    30 keV), les diffusions multiples, la création de paires et les sommations.

    **Formes** : (``n_channels``,) float32, ≥ 0, de somme 1 ; ``resolution`` : largeur relative à
    662 keV, dans ]0 ; 1[ (0,07 : un bon iodure de sodium ; 0,002 : un germanium).
    **Lève** : ``ValueError`` si l'isotope est inconnu ou si un réglage sort de son domaine.
    **Réf.** : nndc2024ensdf, be2013recommended, klein1929streuung, knoll2010radiation

    >>> round(gamma_template("Cs-137").sum().item(), 4)
    1.0
    """
    density = _density(isotope, _edges(n_channels, energy_max), _check_resolution(resolution))
    return (density / density.sum()).float()


def make_gamma_spectra(
    n: int,
    *,
    generator: torch.Generator,
    n_channels: int = 256,
    energy_max: float = 1600.0,
    resolution: float = 0.07,
    n_counts: int | Sequence[int] = (50, 500),
    background: float = 0.5,
    gain_drift: float = 0.01,
    mixture: bool = False,
) -> Split:
    """Engendre des spectres bruités : un seul radioélément, ou un mélange, et un fond naturel.

    Chaque spectre tire son nombre moyen de coups (de loi log-uniforme entre les bornes
    ``n_counts``), sa part de fond (uniforme entre 0,5 et 1,5 fois ``background``) et son gain
    (gaussien, de moyenne 1 et d'écart type ``gain_drift`` : les pics se déplacent), puis chaque
    canal compte selon une loi de Poisson. Le fond est une exponentielle et la raie du potassium 40.
    En mélange, chaque isotope est présent une fois sur deux, indépendamment ; les présents se
    partagent les coups au hasard ; quand il n'y en a aucun, tout est du fond.

    **Formes** : ``x`` (N, ``n_channels``) float32, des coups (entiers ≥ 0) ; ``y`` (N,) int64,
    indice dans ``ISOTOPES``, en effectifs égaux à 1 près ; avec ``mixture``, ``y`` (N, 3) float32,
    1 pour un isotope présent, 0 sinon (la cible de ``binary_cross_entropy_with_logits``).
    **Lève** : ``ValueError`` si ``n`` < 1, si ``generator`` manque ou si un réglage sort de son
    domaine (``background`` dans [0 ; 0,6], ``gain_drift`` dans [0 ; 0,05]).
    **Réf.** : knoll2010radiation

    >>> make_gamma_spectra(6, generator=torch.Generator()).y.bincount().tolist()
    [2, 2, 2]
    """
    check_count(n)
    check_generator(generator)
    low, high = _check_counts(n_counts)
    spread = _check_up_to(gain_drift, 0.05, name="gain_drift")
    shares, y = _draw_shares(n, mixture, generator)
    ratio = _check_up_to(background, 0.6, name="background")
    rest = ratio * (0.5 + torch.rand(n, 1, generator=generator))
    rest = torch.where(shares.sum(1, keepdim=True) > 0, rest, 1.0)
    weights = torch.cat([(1 - rest) * shares, rest], dim=1)  # (N, 4), de somme 1
    counts = low * (high / low) ** torch.rand(n, 1, generator=generator)
    gain = (1 + spread * torch.randn(n, generator=generator)).clamp(0.85, 1.15)
    cumulated = _cumulated(n_channels, energy_max, _check_resolution(resolution))
    chunks = [
        _stretch(weights[k] @ cumulated, gain[k], n_channels) for k in torch.arange(n).split(_CHUNK)
    ]
    return Split(torch.poisson(counts * torch.cat(chunks), generator=generator), y)


def expected_spectrum(
    activities: Tensor | Sequence[float],
    *,
    background: float = 0.0,
    n_channels: int = 256,
    energy_max: float = 1600.0,
    resolution: float = 0.07,
) -> Tensor:
    """Spectre moyen d'une superposition : Σᵢ ``activities``[i] · modèleᵢ + ``background`` · fond.

    Les spectres s'ajoutent : le modèle est linéaire en les activités. Pour un spectre mesuré,
    ``torch.poisson(expected_spectrum(…), generator=…)``.

    **Formes** : ``activities`` (…, 3) ≥ 0, les coups attendus de chaque isotope de ``ISOTOPES``
    pendant la mesure ; ``background`` ≥ 0, ceux du fond ; résultat (…, ``n_channels``) float32.
    **Lève** : ``ValueError`` si une activité est négative ou non finie, s'il n'y en a pas trois,
    ou si un réglage sort de son domaine.

    >>> round(expected_spectrum([100.0, 0.0, 50.0]).sum().item())
    150
    """
    strengths = _check_activities(activities)
    noise = check_real(background, name="background", minimum=0.0)
    settings = {"n_channels": n_channels, "energy_max": energy_max, "resolution": resolution}
    templates = torch.stack([gamma_template(isotope, **settings) for isotope in ISOTOPES])
    ambient = _ambient(_edges(n_channels, energy_max), resolution)
    return strengths @ templates + noise * (ambient / ambient.sum()).float()


def _density(isotope: str, edges: Tensor, resolution: float) -> Tensor:
    """Coups attendus (n,) entre ``edges``, pour 100 désintégrations face au détecteur."""
    if not isinstance(isotope, str) or isotope not in GAMMA_LINES:
        raise ValueError(
            f"isotope inconnu, reçu {isotope!r} : choisir parmi {', '.join(ISOTOPES)}."
        )
    return sum(
        intensity
        * physics.detected(energy)
        * physics.response(energy, edges, resolution=resolution)
        for energy, intensity in GAMMA_LINES[isotope]
    )


def _ambient(edges: Tensor, resolution: float) -> Tensor:
    """Fond naturel (n,) entre ``edges`` : 85 % d'exponentielle, 15 % de potassium 40."""
    exponential = -torch.exp(-edges / _DECAY).diff()
    return 0.85 * exponential + 0.15 * physics.response(_POTASSIUM, edges, resolution=resolution)


def _cumulated(n_channels: int, energy_max: float, resolution: float) -> Tensor:
    """Fonctions de répartition (4, 5n + 1) des isotopes et du fond, de 0 à 1,25 ``energy_max``.

    La part visible sans dérive, de 0 à ``energy_max``, vaut 1 ; le reste sert aux gains < 1.
    """
    edges = _edges(n_channels, energy_max)
    fine = torch.linspace(0, 1.25 * energy_max, 5 * n_channels + 1, dtype=edges.dtype)
    densities = [_density(isotope, fine, resolution) for isotope in ISOTOPES]
    densities.append(_ambient(fine, resolution))
    cumulated = torch.nn.functional.pad(torch.stack(densities).cumsum(1), (1, 0))
    return (cumulated / cumulated[:, _FINE * n_channels, None]).float()


def _stretch(cumulated: Tensor, gain: Tensor, n_channels: int) -> Tensor:
    """Coups (N, n) de répartition (N, 5n + 1) quand l'énergie E se lit ``gain`` · E."""
    place = _FINE * torch.arange(n_channels + 1) / gain[:, None]  # (N, n + 1), en cases fines
    left = place.long().clamp(max=cumulated.shape[1] - 2)
    low, high = cumulated.gather(1, left), cumulated.gather(1, left + 1)
    return torch.lerp(low, high, place - left).diff(dim=1).clamp(min=0)


def _draw_shares(n: int, mixture: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Parts (N, 3) des isotopes, de somme 1 ou 0, et cibles."""
    if not mixture:
        y = torch.randperm(n, generator=generator) % len(ISOTOPES)
        return torch.nn.functional.one_hot(y, len(ISOTOPES)).float(), y
    y = (torch.rand(n, len(ISOTOPES), generator=generator) < 0.5).float()
    parts = y * (0.2 + 0.8 * torch.rand(y.shape, generator=generator))
    return parts / parts.sum(1, keepdim=True).clamp(min=1e-6), y


def _edges(n_channels: int, energy_max: float) -> Tensor:
    """Bords (n + 1,) des canaux, en keV et en double précision."""
    check_count(n_channels, name="n_channels", minimum=16)
    top = physics.check_energy(energy_max, name="energy_max")
    return torch.linspace(0, top, n_channels + 1, dtype=torch.float64)


def _check_resolution(resolution: float) -> float:
    value = check_real(resolution, name="resolution")
    if not 0 < value < 1:
        raise ValueError(
            "resolution est une largeur relative à 662 keV, entre 0 et 1 exclus (0.07 pour un "
            f"iodure de sodium), reçu {resolution!r}."
        )
    return value


def _check_up_to(value: float, maximum: float, *, name: str) -> float:
    number = check_real(value, name=name, minimum=0.0)
    if number > maximum:
        raise ValueError(f"{name} doit être entre 0 et {maximum:g}, reçu {value!r}.")
    return number


def _check_counts(n_counts: int | Sequence[int]) -> tuple[float, float]:
    """Bornes du nombre moyen de coups ; un seul nombre vaut pour les deux."""
    bounds = tuple(n_counts) if isinstance(n_counts, Sequence) else (n_counts, n_counts)
    if len(bounds) != 2:
        raise ValueError(f"n_counts doit être un nombre ou deux bornes, reçu {n_counts!r}.")
    low, high = (check_real(value, name="n_counts", minimum=1.0) for value in bounds)
    if low > high:
        raise ValueError(f"les bornes de n_counts doivent être croissantes, reçu {n_counts!r}.")
    return low, high


def _check_activities(activities: Tensor | Sequence[float]) -> Tensor:
    try:
        strengths = torch.as_tensor(activities, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"activities doit contenir des nombres, reçu {activities!r}.") from error
    if strengths.ndim == 0 or strengths.shape[-1] != len(ISOTOPES):
        raise ValueError(
            f"activities doit être de forme (…, 3), une valeur pour {', '.join(ISOTOPES)}, "
            f"reçu la forme {tuple(strengths.shape)}."
        )
    if not bool((torch.isfinite(strengths) & (strengths >= 0)).all()):
        raise ValueError(
            f"une activité est un nombre de coups fini et positif ou nul, reçu {activities!r}."
        )
    return strengths
