"""Les pages du livre, lues une fois pour tous les tests."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from nbformat import NotebookNode

from site_ext.pages import read_notebook

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Page:
    """Une page du livre : son nom, sa source, son carnet sans sorties s'il est exécutable."""

    docname: str
    text: str
    notebook: NotebookNode | None

    @property
    def is_chapter(self) -> bool:
        return self.docname.startswith("chapters/") and "/annexes/" not in self.docname


def toc_docnames() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def load_page(docname: str) -> Page:
    path = ROOT / f"{docname}.md"
    text = path.read_text("utf-8")
    return Page(docname, text, read_notebook(text, path))


PAGES = [load_page(docname) for docname in toc_docnames() if (ROOT / f"{docname}.md").exists()]
CHAPTERS = [page for page in PAGES if page.is_chapter]
