"""Tests de course_lib.data.public, sur de petits fichiers aux formats des vrais."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.data import DataError, load_cifar10, load_fashion_mnist, load_mnist, public
from course_lib.data.download import RemoteFile
from course_lib.runtime import make_generator

N_TRAIN, N_TEST = 200, 40
NO_SERVER = "http://127.0.0.1:9/"  # personne n'écoute : le cache doit suffire


def idx_bytes(values):
    """Écrit un tableau d'octets au format IDX, compressé."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return gzip.compress(header + values.tobytes(), mtime=0)


def idx_contents(seed):
    """Les quatre fichiers d'un petit jeu : la première ligne de pixels porte l'étiquette."""
    rng = np.random.default_rng(seed)
    contents = []
    for n in (N_TRAIN, N_TEST):
        labels = (np.arange(n) % 10).astype(np.uint8)
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        images[:, 0, :] = labels[:, None] * 20
        contents += [idx_bytes(images), idx_bytes(labels)]
    return contents


def cifar_content(batch_size=20):
    """Une archive CIFAR-10 en petit : canal rouge, vert, bleu constants par image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
            labels = [k % 10 for k in range(batch_size)]
            data = np.zeros((batch_size, 3, 32, 32), dtype=np.uint8)
            data[:, 0] = 255
            data[:, 1] = np.array(labels)[:, None, None] * 20
            data[:, 2, 0] = 51
            batch = {b"data": data.reshape(batch_size, -1), b"labels": labels}
            content = pickle.dumps(batch)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Dépose des contenus dans le cache, et donne leurs empreintes à la place des vraies."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))

    def place(file, content):
        path = tmp_path / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return replace(file, sha256=digest, size=len(content), mirrors=(NO_SERVER,))

    def build(table, contents):
        files = getattr(public, table)
        if isinstance(files, RemoteFile):
            monkeypatch.setattr(public, table, place(files, contents))
        else:
            placed = tuple(place(f, c) for f, c in zip(files, contents, strict=True))
            monkeypatch.setattr(public, table, placed)

    return build


IDX_LOADERS = [("_MNIST", load_mnist), ("_FASHION_MNIST", load_fashion_mnist)]


@pytest.mark.parametrize(("table", "load"), IDX_LOADERS)
def test_idx_files_are_decoded_with_their_labels(table, load, install):
    install(table, idx_contents(0))
    parts = load(generator=make_generator(0))
    assert [part.x.shape for part in parts] == [(n, 1, 28, 28) for n in (180, 20, 40)]
    for part in parts:
        assert part.x.dtype == torch.float32
        assert part.y.dtype == torch.int64
        torch.testing.assert_close(part.x[:, 0, 0, 5] * 255, 20.0 * part.y)
        assert part.x.max() <= 1
    assert torch.equal(parts.test.y, torch.arange(N_TEST) % 10)  # l'ordre officiel
    assert parts.validation.y.bincount().tolist() == [2] * 10


@pytest.mark.parametrize("n_train", [10, 57, 100, 200])
def test_n_train_counts_the_training_and_validation_images(n_train, install):
    install("_MNIST", idx_contents(0))
    parts = load_mnist(generator=make_generator(0), n_train=n_train, validation_fraction=0.2)
    sizes = [part.x.shape[0] for part in parts]
    assert sizes[0] + sizes[1] == n_train
    assert abs(sizes[1] - 0.2 * n_train) <= 1
    assert sizes[2] == N_TEST
    rows = torch.cat([parts.train.x, parts.validation.x]).flatten(1)
    assert rows.unique(dim=0).shape[0] == n_train  # aucune image deux fois


def test_same_seed_same_split_and_zero_validation_is_allowed(install):
    install("_MNIST", idx_contents(0))
    first, again, other = (load_mnist(generator=make_generator(s), n_train=50) for s in (0, 0, 1))
    assert torch.equal(first.train.x, again.train.x)
    assert not torch.equal(first.train.x, other.train.x)
    everything = load_mnist(generator=make_generator(0), validation_fraction=0.0)
    assert everything.train.x.shape[0] == N_TRAIN
    assert everything.validation.x.shape[0] == 0


def test_cifar_channels_rows_and_labels_are_decoded(install):
    install("_CIFAR10", cifar_content())
    parts = load_cifar10(generator=make_generator(0))
    assert [part.x.shape for part in parts] == [(n, 3, 32, 32) for n in (90, 10, 20)]
    for part in parts:
        assert (part.x[:, 0] == 1).all()
        torch.testing.assert_close(part.x[:, 1, 3, 7] * 255, 20.0 * part.y)
        torch.testing.assert_close(part.x[:, 2, 0], torch.full_like(part.x[:, 2, 0], 0.2))
        assert (part.x[:, 2, 1:] == 0).all()
        assert part.y.dtype == torch.int64


class Bomb:
    """Un pickle qui laisse une trace s'il est jamais chargé."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_pickle_of_unknown_hash_is_never_loaded(tmp_path, install):
    install("_CIFAR10", cifar_content())
    trace = tmp_path / "charge"
    content = pickle.dumps(Bomb(str(trace)))
    with tarfile.open(tmp_path / public._CIFAR10.path, "w:gz") as archive:
        for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match="aucun miroir"):
        load_cifar10(generator=make_generator(0))
    assert not trace.exists()


VALUES = np.zeros((4, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"pas du gzip", "gzip"),
        (idx_bytes(VALUES)[:-12], "gzip"),
        (gzip.compress(b""), "IDX"),
        (gzip.compress(b"\x00\x00\x08\x03\x00"), "IDX"),
        (gzip.compress(b"\x00\x00\x0d\x01\x00\x00\x00\x00"), "IDX"),
        (gzip.compress(gzip.decompress(idx_bytes(VALUES))[:-1]), "en-tête"),
        (gzip.compress(gzip.decompress(idx_bytes(VALUES)) + b"\x00"), "en-tête"),
    ],
    ids=["texte", "coupe", "vide", "court", "flottants", "un-de-moins", "un-de-trop"],
)
def test_a_malformed_idx_file_is_refused(content, reason, install):
    install("_MNIST", [content, *idx_contents(0)[1:]])
    with pytest.raises(DataError, match=rf"illisible : .*{reason}.*effacer"):
        load_mnist(generator=make_generator(0))


@pytest.mark.parametrize(
    "content",
    [b"rien", cifar_content()[:500], cifar_content()[:-2000]],
    ids=["texte", "coupe", "fin-manquante"],
)
def test_a_malformed_cifar_archive_is_refused(content, install):
    install("_CIFAR10", content)
    with pytest.raises(DataError, match="illisible"):
        load_cifar10(generator=make_generator(0))


@pytest.mark.parametrize("load", [load_mnist, load_fashion_mnist, load_cifar10])
@pytest.mark.parametrize(
    "options",
    [
        {"n_train": 0},
        {"n_train": 2.5},
        {"validation_fraction": 1.0},
        {"validation_fraction": -0.1},
        {"validation_fraction": float("nan")},
    ],
)
def test_wrong_options_are_refused_before_any_download(load, options, monkeypatch):
    monkeypatch.setattr(public, "fetch", lambda file: pytest.fail("téléchargement"))
    with pytest.raises(ValueError, match="doit être"):
        load(generator=make_generator(0), **options)
    with pytest.raises(ValueError, match="make_generator"):
        load(generator=0)


def test_too_many_training_images_are_refused(install):
    install("_MNIST", idx_contents(0))
    with pytest.raises(ValueError, match="n_train vaut 201, mais le jeu n'a que 200"):
        load_mnist(generator=make_generator(0), n_train=201)


def test_every_public_file_has_a_hash_and_two_mirrors():
    files = [*public._MNIST, *public._FASHION_MNIST, public._CIFAR10]
    assert len({file.sha256 for file in files}) == len({file.path for file in files}) == 9
    for file in files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.size > 4000
        assert len(set(file.urls)) >= 2
        assert all(url.endswith(file.path.split("/")[1]) for url in file.urls)
