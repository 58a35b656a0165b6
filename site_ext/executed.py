"""Les carnets exécutés, ``_build/executes/<page>.ipynb`` : la seule mémoire des exécutions.

Chacun porte ses sorties, sa prose à jour et, dans ses métadonnées, son empreinte. nbval les
réexécute pour vérifier que chaque page est reproductible.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from site_ext.pages import write_atomically

METADATA_KEY = "cours"


@dataclass(frozen=True)
class Execution:
    """L'exécution d'une page : son carnet avec sorties, et d'où il vient.

    ``error`` est vide si la page est allée au bout ; sinon ``failed_cell`` est le rang, parmi
    toutes les cellules, de celle qui a échoué.
    """

    docname: str
    notebook: NotebookNode
    date: datetime
    seconds: float
    profile: str
    fingerprint: str
    error: str = ""
    failed_cell: int | None = None
    cpu_seconds: float = 0.0

    @property
    def stamp(self) -> str:
        """Ce qui distingue cette exécution d'une autre de la même page."""
        return f"{self.fingerprint} {self.date.isoformat()}"

    @property
    def claims(self) -> list[dict]:
        """Les affirmations que la page a vérifiées, dans l'ordre."""
        cells = (cell for cell in self.notebook.cells if cell.cell_type == "code")
        metadata = (output.get("metadata", {}) for cell in cells for output in cell.outputs)
        return [dict(found["claim"]) for found in metadata if "claim" in found]

    @property
    def device(self) -> str:
        """L'appareil de calcul que les affirmations ont noté (« cpu » sans affirmation)."""
        return next((claim["device"] for claim in self.claims if "device" in claim), "cpu")


class ExecutedNotebooks:
    """Le dossier des carnets exécutés."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, docname: str) -> Path:
        return self.folder / f"{docname}.ipynb"

    def load(self, docname: str) -> Execution | None:
        """Relit un carnet ; ``None`` s'il manque ou n'est pas lisible."""
        try:
            notebook = nbformat.read(self.path(docname), as_version=4)
            origin = dict(notebook.metadata[METADATA_KEY])
            origin["date"] = datetime.fromisoformat(origin["date"])
            return Execution(docname=docname, notebook=notebook, **origin)
        except (OSError, ValueError, KeyError, TypeError, nbformat.ValidationError):
            return None

    def write(self, execution: Execution) -> None:
        """Écrit le carnet, d'un seul geste ; une page en échec n'en a pas."""
        if execution.error:
            self.path(execution.docname).unlink(missing_ok=True)
            return
        notebook = copy.deepcopy(execution.notebook)
        for key in ("jupytext", "source_map"):
            notebook.metadata.pop(key, None)
        notebook.metadata[METADATA_KEY] = {
            "date": execution.date.isoformat(),
            "seconds": execution.seconds,
            "cpu_seconds": execution.cpu_seconds,
            "profile": execution.profile,
            "fingerprint": execution.fingerprint,
        }
        write_atomically(self.path(execution.docname), nbformat.writes(notebook))

    def refresh(self, stored: Execution, source: NotebookNode) -> Execution:
        """Rend une exécution connue avec la prose, les légendes et les étiquettes du source."""
        merged = with_stable_ids(copy.deepcopy(source))
        old_code = [cell for cell in stored.notebook.cells if cell.cell_type == "code"]
        new_code = [cell for cell in merged.cells if cell.cell_type == "code"]
        for new, old in zip(new_code, old_code, strict=True):
            new.outputs, new.execution_count = old.outputs, old.execution_count
        if "language_info" in stored.notebook.metadata:
            merged.metadata["language_info"] = stored.notebook.metadata["language_info"]
        current = replace(stored, notebook=merged)
        if _text(merged) != _text(stored.notebook):
            self.write(current)
        return current

    def keep_only(self, docnames: set[str]) -> None:
        """Efface les carnets des pages disparues : nbval les exécuterait encore."""
        for path in self.folder.rglob("*.ipynb"):
            if path.relative_to(self.folder).with_suffix("").as_posix() not in docnames:
                path.unlink()


def _text(notebook: NotebookNode) -> list[tuple]:
    return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]


def with_stable_ids(notebook: NotebookNode) -> NotebookNode:
    """Donne aux cellules des identifiants stables : le même carnet donne le même fichier."""
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cellule-{index}"
    return notebook
