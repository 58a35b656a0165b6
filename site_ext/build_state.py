"""L'état de la dernière construction : complète, avec fautes, ou interrompue.

Un processus tué peut laisser une page, une image ou un index à moitié écrits, que Sphinx et MyST-NB
croiraient bons. Tout ce qui se déduit des carnets exécutés est alors effacé et refait ; les carnets
eux-mêmes, écrits d'un seul geste, restent : rien n'est réexécuté sans raison.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

from site_ext.pages import write_atomically

logger = logging.getLogger(__name__)

RUNNING, DONE = "en cours", "terminée"
EVERY_PAGE = "*"


def clean_after_interruption(app: Sphinx) -> None:
    """Efface ce qu'une construction tuée a pu laisser à moitié écrit (à appeler par ``setup``)."""
    if _read(app).get("state") != RUNNING:
        return
    logger.info("La construction précédente a été interrompue : le site est réécrit en entier.")
    out = Path(app.outdir)
    derived = (out, Path(app.doctreedir), *(out.parent / name for name in _DERIVED))
    for folder in derived:
        shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True)
    Path(app.doctreedir).mkdir(parents=True, exist_ok=True)


_DERIVED = ("jupyter_execute", ".jupyter_cache")


def mark_running(app: Sphinx) -> None:
    """Note qu'une construction commence ; les fautes connues restent notées."""
    _write(app, RUNNING, faulty_pages(app))


def mark_done(app: Sphinx, faulty: Iterable[str]) -> None:
    """Note que la construction est allée au bout, et les pages à relire parce que fautives.

    Un nom vide (une faute qu'on ne sait pas rattacher à une page) fait tout relire.
    """
    _write(app, DONE, [name or EVERY_PAGE for name in faulty])


def faulty_pages(app: Sphinx) -> list[str]:
    """Rend les pages fautives de la construction précédente.

    Sphinx ne relit que ce qui change : sans cela, la faute ne serait dite qu'une fois et la
    construction suivante passerait.
    """
    return _read(app).get("faulty", [])


def _state_file(app: Sphinx) -> Path:
    out = Path(app.outdir)
    return out.parent / f".etat-{out.name}.json"


def _write(app: Sphinx, state: str, faulty: Iterable[str]) -> None:
    content = {"state": state, "faulty": sorted(set(faulty))}
    write_atomically(_state_file(app), json.dumps(content, ensure_ascii=False))


def _read(app: Sphinx) -> dict:
    try:
        return json.loads(_state_file(app).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
