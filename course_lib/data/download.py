"""Téléchargement vérifié : miroirs successifs, empreinte SHA-256, cache, erreurs en français."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import TqdmWarning, tqdm

with warnings.catch_warnings():  # pooch prévient que sa barre voudrait ipywidgets ; la nôtre, non
    warnings.simplefilter("ignore", TqdmWarning)
    import pooch

_TIMEOUT = 30  # secondes sans un octet avant de passer au miroir suivant


class DataError(RuntimeError):
    """Un jeu de données public n'a pas pu être obtenu ou lu ; le message dit quoi faire.

    >>> raise DataError("mnist : aucun miroir n'a répondu.")
    Traceback (most recent call last):
    ...
    course_lib.data.download.DataError: mnist : aucun miroir n'a répondu.
    """


@dataclass(frozen=True)
class RemoteFile:
    """Un fichier public et tout ce qui permet de le reconnaître.

    >>> RemoteFile("mnist/a.gz", sha256="0" * 64, size=10, mirrors=("https://exemple.org/",)).urls
    ('https://exemple.org/a.gz',)
    """

    path: str  # chemin dans le cache, « jeu/fichier »
    sha256: str
    size: int  # octets
    mirrors: tuple[str, ...]  # adresses de dossiers, dans l'ordre d'essai

    @property
    def urls(self) -> tuple[str, ...]:
        """Adresse du fichier sur chaque miroir."""
        return tuple(mirror + self.path.rsplit("/", 1)[-1] for mirror in self.mirrors)


class _MirrorError(Exception):
    """Ce miroir n'a pas donné le bon fichier : essayer le suivant."""


def cache_dir() -> Path:
    """Rend le dossier du cache : ``COURSE_DATA_DIR``, ou à défaut celui du système.

    >>> cache_dir().is_absolute()
    True
    """
    chosen = os.environ.get("COURSE_DATA_DIR")
    return Path(chosen).expanduser().resolve() if chosen else Path(pooch.os_cache("course_lib"))


def fetch(file: RemoteFile) -> Path:
    """Rend le chemin local d'un fichier vérifié, téléchargé au premier appel.

    Un fichier du cache dont l'empreinte est juste n'est pas redemandé ; sinon chaque miroir est
    essayé à son tour, dans un fichier provisoire qui ne prend son nom qu'une fois vérifié.

    **Lève** : ``DataError`` si aucun miroir ne donne le bon fichier, ou si le cache ne peut pas
    être écrit.
    **Réf.** : uieda2020pooch

    >>> fetch(RemoteFile("jeu/rien.gz", sha256="0" * 64, size=1, mirrors=()))
    Traceback (most recent call last):
    ...
    course_lib.data.download.DataError: jeu/rien.gz : aucun miroir n'a donné le bon fichier...
    """
    failures = []
    for url in file.urls:
        try:
            return _fetch_from(url, file)
        except _MirrorError as error:
            failures.append(f"\n  - {url} : {error}")
        except OSError as error:
            raise DataError(_unwritable(file, error)) from error
    raise DataError(_unreachable(file, failures))


def _fetch_from(url: str, file: RemoteFile) -> Path:
    """Un essai sur un seul miroir ; pooch vérifie l'empreinte, du cache comme du réseau."""
    target = cache_dir() / file.path
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # la barre de progression suffit
    try:
        name = pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=lambda url, output, _: _download(url, output, file),
        )
    except ValueError as error:  # pooch a comparé les empreintes et effacé le provisoire
        raise _MirrorError("empreinte SHA-256 fausse, fichier refusé") from error
    finally:
        logger.setLevel(level)
    return Path(name)


def _download(url: str, output: str, file: RemoteFile) -> None:
    """Télécharge vers ``output`` avec une barre de progression, et contrôle la taille reçue."""
    title = f"Téléchargement de {file.path}"
    with tqdm(total=file.size, desc=title, unit="o", unit_scale=True, leave=False) as bar:
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=_TIMEOUT, chunk_size=1 << 16)
        try:
            downloader(url, output, None)
        except requests.exceptions.HTTPError as error:
            status = error.response.status_code
            raise _MirrorError(f"le serveur répond par l'erreur {status}") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise _MirrorError("téléchargement interrompu, fichier tronqué") from error
        except requests.exceptions.RequestException as error:
            raise _MirrorError("serveur injoignable, peut-être pas de réseau") from error
    received = Path(output).stat().st_size
    if received < file.size:
        raise _MirrorError(f"fichier tronqué, {received} octets reçus sur {file.size}")


def _unreachable(file: RemoteFile, failures: list[str]) -> str:
    return (
        f"{file.path} : aucun miroir n'a donné le bon fichier.{''.join(failures)}\n"
        "Vérifier la connexion et relancer (ce qui est déjà téléchargé est gardé), ou déposer à la "
        f"main le fichier d'empreinte SHA-256 {file.sha256} sous {cache_dir() / file.path}, ou "
        "revenir au profil « rapide » (COURSE_PROFILE=rapide), qui n'a pas besoin du réseau."
    )


def _unwritable(file: RemoteFile, error: OSError) -> str:
    return (
        f"{file.path} : impossible d'écrire dans le cache {cache_dir()} ({error}).\n"
        "Choisir un dossier où vous pouvez écrire et où il reste de la place avec la variable "
        "d'environnement COURSE_DATA_DIR, ou revenir au profil « rapide » (COURSE_PROFILE=rapide), "
        "qui n'a pas besoin de ce fichier."
    )
