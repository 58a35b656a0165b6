"""Lire les pages du cours : leurs cellules, leurs lignes, et ce qui n'y va pas."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from textwrap import indent

from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """Une cellule de code d'une page ; ``number`` compte les cellules de code depuis 1."""

    number: int
    line: int
    source: str
    metadata: NotebookNode

    @property
    def tags(self) -> list[str]:
        return list(self.metadata.get("tags", []))

    @property
    def beginning(self) -> str:
        """La première ligne non vide, pour que l'auteur reconnaisse la cellule."""
        line = next((line for line in self.source.splitlines() if line.strip()), "")
        return line if len(line) <= 60 else line[:59] + "…"


@dataclass(frozen=True)
class Problem:
    """Ce qui fait échouer la construction : où, quoi, que faire."""

    docname: str
    message: str
    advice: str = ""
    line: int | None = None
    cell: Cell | None = None

    def __str__(self) -> str:
        where = [self.docname or "le site"]
        if self.line is not None:
            where.append(f"ligne {self.line}")
        if self.cell is not None:
            where.append(f"cellule {self.cell.number} (« {self.cell.beginning} »)")
        advice = indent(f"\nQue faire : {self.advice}", "    ") if self.advice else ""
        return f"{', '.join(where)} : {self.message}{advice}"

    def located(self, notebook: NotebookNode | None) -> Problem:
        """Le même problème, avec la cellule qui contient sa ligne quand il y en a une."""
        if notebook is None or self.line is None or self.cell is not None:
            return self
        return replace(self, cell=cell_at(notebook, self.line))


def report(problem: Problem, *, subtype: str) -> None:
    """Signale un problème : un avertissement Sphinx que le verdict final reprend tel quel."""
    location = (problem.docname, problem.line) if problem.docname else None
    logger.warning(
        str(problem), location=location, type="cours", subtype=subtype, extra={"problem": problem}
    )


def read_notebook(text: str, path: Path) -> NotebookNode | None:
    """Rend le carnet d'une page MyST exécutable, ``None`` si la page ne l'est pas.

    Le carnet rendu est partagé entre les appels : on le copie avant de le modifier.

    **Lève** : l'erreur de MyST-NB si l'en-tête ou une cellule est illisible.
    """
    return _read(text, path if ":load:" in text else None)  # seul :load: dépend du chemin


@lru_cache(maxsize=256)
def _read(text: str, path: Path | None) -> NotebookNode | None:
    if not is_myst_markdown_notebook(text):
        return None
    return read_myst_markdown_notebook(text, add_source_map=True, path=path)


def code_cells(notebook: NotebookNode) -> Iterator[Cell]:
    """Énumère les cellules de code, avec leur ligne dans le source."""
    lines = notebook.metadata.get("source_map", [0] * len(notebook.cells))
    number = 0
    for cell, line in zip(notebook.cells, lines, strict=True):
        if cell.cell_type == "code":
            number += 1
            yield Cell(number, line, cell.source, cell.metadata)


def cell_at(notebook: NotebookNode, line: int) -> Cell | None:
    """Rend la cellule de code qui contient la ligne ``line`` du source, s'il y en a une."""
    starts = notebook.metadata.get("source_map", [])
    before = [index for index, start in enumerate(starts) if start <= line]
    if not before or notebook.cells[before[-1]].cell_type != "code":
        return None
    return next(cell for cell in code_cells(notebook) if cell.line == starts[before[-1]])


def selection() -> set[str]:
    """Rend les pages de ``COURSE_PAGES`` (séparées par des virgules), aucune pour tout le livre.

    La variable restreint l'exécution et le verdict : c'est la boucle courte d'un auteur.
    """
    pages = os.environ.get("COURSE_PAGES", "").split(",")
    return {page.strip().removesuffix(".md") for page in pages if page.strip()}


def is_selected(docname: str) -> bool:
    """Vrai si la construction s'occupe de cette page."""
    return docname in (selection() or {docname})


def source_pages(app: Sphinx) -> dict[str, Path]:
    """Rend le chemin de chaque page du livre, par nom de document."""
    app.env.find_files(app.config, app.builder)
    return {name: Path(app.env.doc2path(name)) for name in sorted(app.env.found_docs)}


def book_root(app: Sphinx) -> Path:
    """Rend le dossier de ``_config.yml``, même si l'on ne construit qu'une page."""
    folder = Path(app.srcdir).resolve()
    parents = (folder, *folder.parents)
    return next((parent for parent in parents if (parent / "_config.yml").exists()), folder)


def write_atomically(path: Path, text: str) -> None:
    """Écrit un fichier en entier ou pas du tout, même si le processus est tué."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partiel")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
