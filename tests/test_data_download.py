"""Tests de course_lib.data.download, contre un petit serveur HTTP local."""

import hashlib
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest
import requests

from course_lib.data.download import DataError, RemoteFile, cache_dir, fetch

CONTENT = bytes(range(256)) * 400


class Mirror(BaseHTTPRequestHandler):
    """Le premier dossier de l'adresse dit comment le miroir se conduit."""

    def do_GET(self):
        behaviour = self.path.split("/")[1]
        self.server.requests.append(behaviour)
        if behaviour == "absent":
            self.send_error(404)
            return
        body = {"faux": CONTENT[::-1], "tronque": CONTENT[:1000]}.get(behaviour, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if behaviour == "coupe" else body)

    def log_message(self, *args):
        """Pas de journal dans les sorties des tests."""


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as httpd:
        httpd.requests = []
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch, server):
    server.requests.clear()
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def remote(server):
    def build(*behaviours):
        address = f"http://127.0.0.1:{server.server_port}"
        return RemoteFile(
            "jeu/fichier.bin",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            size=len(CONTENT),
            mirrors=tuple(
                "http://127.0.0.1:9/" if b == "eteint" else f"{address}/{b}/" for b in behaviours
            ),
        )

    return build


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_good_mirror_fills_the_cache_once(cache, remote, server):
    path = fetch(remote("bon"))
    assert path == cache / "jeu" / "fichier.bin"
    assert path.read_bytes() == CONTENT
    assert fetch(remote("bon")) == path
    assert server.requests == ["bon"]
    assert files_in(cache) == ["jeu/fichier.bin"]


@pytest.mark.parametrize("bad", ["absent", "faux", "tronque", "coupe", "eteint"])
def test_the_next_mirror_is_tried_after_a_bad_one(bad, cache, remote):
    assert fetch(remote(bad, "bon")).read_bytes() == CONTENT
    assert files_in(cache) == ["jeu/fichier.bin"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("absent", "erreur 404"),
        ("faux", "empreinte SHA-256 fausse"),
        ("tronque", f"tronqué, 1000 octets reçus sur {len(CONTENT)}"),
        ("coupe", "tronqué"),
        ("eteint", "pas de réseau"),
    ],
)
def test_a_failure_says_why_and_what_to_do_and_leaves_nothing(bad, reason, cache, remote):
    with pytest.raises(DataError, match=reason) as caught:
        fetch(remote(bad, bad))
    message = str(caught.value)
    assert message.startswith("jeu/fichier.bin")
    assert message.count(reason) == 2  # une raison par miroir
    assert "COURSE_PROFILE=rapide" in message
    assert str(cache / "jeu" / "fichier.bin") in message
    assert hashlib.sha256(CONTENT).hexdigest() in message
    assert files_in(cache) == []


def test_a_damaged_cache_is_downloaded_again(cache, remote, server):
    path = fetch(remote("bon"))
    path.write_bytes(CONTENT[:-1])
    assert fetch(remote("bon")).read_bytes() == CONTENT
    assert server.requests == ["bon", "bon"]


def test_a_file_put_there_by_hand_needs_no_network(cache, remote, server):
    (cache / "jeu").mkdir(parents=True)
    (cache / "jeu" / "fichier.bin").write_bytes(CONTENT)
    assert fetch(remote("eteint")).read_bytes() == CONTENT
    assert server.requests == []


def test_a_damaged_cache_without_network_is_refused(cache, remote):
    path = fetch(remote("bon"))
    path.write_bytes(b"abc")
    with pytest.raises(DataError, match="pas de réseau"):
        fetch(remote("eteint"))


def test_a_cache_that_is_a_file_is_refused(cache, remote):
    cache.write_text("pas un dossier")
    with pytest.raises(DataError, match="impossible d'écrire dans le cache") as caught:
        fetch(remote("bon"))
    assert "COURSE_DATA_DIR" in str(caught.value)
    assert "COURSE_PROFILE=rapide" in str(caught.value)
    assert cache.read_text() == "pas un dossier"


def test_a_read_only_cache_is_refused(cache, remote, monkeypatch):
    """Un super-utilisateur écrit partout : le refus du système est simulé, là où pooch écrit."""

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(cache))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(DataError, match=r"impossible d'écrire.*Permission denied") as caught:
        fetch(remote("bon", "bon"))
    assert str(cache) in str(caught.value)
    assert files_in(cache) == []


def test_a_full_disk_is_reported_at_once_and_leaves_nothing(cache, remote, server, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(requests.Response, "iter_content", full)
    with pytest.raises(DataError, match="No space left"):
        fetch(remote("bon", "bon"))
    assert server.requests == ["bon"]
    assert files_in(cache) == []


def test_progress_is_shown_in_french_and_pooch_keeps_quiet(
    cache, remote, capsys, caplog, monkeypatch
):
    logger = pooch.get_logger()
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.addHandler(caplog.handler)
    try:
        fetch(remote("bon"))
    finally:
        logger.removeHandler(caplog.handler)
    assert "Téléchargement de jeu/fichier.bin" in capsys.readouterr().err
    assert caplog.records == []
    assert logger.level == logging.INFO  # rendu comme il était


def test_cache_dir_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.setenv("COURSE_DATA_DIR", "~/donnees")
    assert re.match(r"^/.*/donnees$", cache_dir().as_posix())
    monkeypatch.delenv("COURSE_DATA_DIR")
    assert cache_dir().name == "course_lib"


def test_an_interrupted_download_leaves_nothing(cache, remote, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(remote("bon"))
    assert files_in(cache) == []
