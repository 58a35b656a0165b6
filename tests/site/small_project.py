"""Un petit projet Sphinx, bâti dans son propre processus avec les extensions à essayer."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {
    "project": "Petit projet",
    "language": "fr",
    "numfig": True,
    "html_theme": "sphinx_book_theme",
    "html_static_path": [str(REPOSITORY / "_static")],
    "html_css_files": ["quiz.css", "mathematiques.css"],
    "html_js_files": ["quiz.js", "mathematiques.js"],
    "myst_enable_extensions": ["dollarmath", "amsmath", "colon_fence", "attrs_inline"],
    "nb_execution_mode": "force",
    "bibtex_bibfiles": ["references.bib"],
}
NOTEBOOK = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""


@dataclass(frozen=True)
class Project:
    """Sources dans `root`, résultat de la dernière construction dans `code` et `output`."""

    root: Path
    code: int
    output: str

    def path(self, name: str) -> Path:
        return self.root / "_build" / name

    def page(self, name: str = "index") -> BeautifulSoup:
        return BeautifulSoup(self.path(f"html/{name}.html").read_text(encoding="utf-8"), "lxml")


def build(
    root: Path, pages: dict[str, str], *extensions: str, builder: str = "html", **settings: object
) -> Project:
    """Écrit les pages et construit ; un avertissement fait un code de sortie non nul."""
    root.mkdir(parents=True, exist_ok=True)
    settings = {**SETTINGS, **settings, "extensions": ["myst_nb", *extensions]}
    conf = [f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})"]
    conf += [f"{name} = {value!r}" for name, value in settings.items()]
    files = {"conf.py": "\n".join(conf), "references.bib": "", **pages}
    for name, text in files.items():
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != text:
            (root / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-m", "sphinx", "-b", builder, "-W", "--keep-going"]
    command += [
        "-q",
        "-d",
        str(root / "_build/doctrees"),
        str(root),
        str(root / "_build" / builder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return Project(root, done.returncode, done.stdout + done.stderr)
