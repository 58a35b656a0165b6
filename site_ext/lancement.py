"""Boutons Colab, Binder et téléchargement, et les carnets vers lesquels ils pointent.

Colab n'ouvre pas les sources MyST : la construction écrit, pour chaque page exécutable, deux carnets sous
``carnets/`` (complet et étudiant), que le dépôt publie sur sa branche ``carnets``. Le dépôt vient de
``GITHUB_REPOSITORY`` ou de l'adresse du dépôt git : un dépôt dérivé lance ses propres carnets.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import nbformat
from pybtex.database import parse_file
from sphinx.application import Sphinx
from sphinx.util import logging

from site_ext.carnets import Context, make_notebook
from site_ext.mathematiques import MACROS
from site_ext.pages import read_notebook

logger = logging.getLogger(__name__)
BRANCH = "carnets"  # la branche où la publication range les carnets
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def find_repository(root: Path) -> str | None:
    """Rend « propriétaire/dépôt », d'après ``GITHUB_REPOSITORY`` puis l'adresse d'origine de git."""
    name = os.environ.get("GITHUB_REPOSITORY", "")
    if REPOSITORY.fullmatch(name):
        return name
    command = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        url = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", url)
    return match[1] if match else None


def notebook_name(docname: str, *, student: bool) -> str:
    """Rend le chemin du carnet d'une page sous ``carnets/`` : « vision/convolution.ipynb »."""
    suffix = "-etudiant" if student else ""
    return docname.removeprefix("chapters/") + suffix + ".ipynb"


def notebook_context(root: Path, docname: str) -> Context:
    """Rassemble ce que la page cite d'ailleurs : nombres mesurés, références, titres, macros."""
    return Context(
        claims=_measured_texts(root / "_build" / "executes" / f"{docname}.ipynb"),
        citations=_citations(root / "references.bib"),
        labels=_titles(root),
        macros=MACROS,
        repository=find_repository(root),
    )


def _measured_texts(executed: Path) -> dict[str, str]:
    if not executed.is_file():
        return {}
    cells = nbformat.read(executed, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    details = [output.get("metadata", {}).get("claim") for output in outputs]
    return {claim["key"]: claim["text"] for claim in details if claim}


def _citations(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {key: _short_reference(entry) for key, entry in parse_file(str(path)).entries.items()}


def _short_reference(entry) -> str:
    names = [" ".join(person.last_names) for person in entry.persons.get("author", [])]
    names = [name.replace("{", "").replace("}", "") for name in names] or ["Anonyme"]
    who = f"{names[0]} et coll." if len(names) > 2 else " et ".join(names)
    return f"{who} ({entry.fields.get('year', 's. d.')})"


def _titles(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in (root / "chapters").rglob("*.md"):
        pattern = r"^\(([\w-]+)\)=\s*\n(?:%.*\n|\s*\n)*#+ (.+)$"
        found |= dict(re.findall(pattern, page.read_text("utf-8"), flags=re.M))
    return found


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Écrit les deux carnets de chaque page exécutable dans la sortie HTML."""
    if exception is not None or app.builder.format != "html":
        return
    for docname in sorted(app.env.found_docs):
        path = Path(app.env.doc2path(docname))
        text = path.read_text("utf-8")
        if read_notebook(text, path) is None:
            continue
        context = notebook_context(Path(app.srcdir), docname)
        for student in (False, True):
            target = Path(app.outdir, "carnets", notebook_name(docname, student=student))
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(make_notebook(text, context, student=student), target)


def launch_buttons(docname: str, repository: str | None, to_root: str) -> list[dict[str, str]]:
    """Rend les boutons d'une page : Colab et Binder si le dépôt est connu, et les téléchargements."""
    complete, student = (quote(notebook_name(docname, student=flag)) for flag in (False, True))
    links = []
    if repository:
        hosts = "https://colab.research.google.com/github", "https://mybinder.org/v2/gh"
        links = [
            (
                "Ouvrir dans Colab",
                f"{hosts[0]}/{repository}/blob/{BRANCH}/carnets/{student}",
                "colab",
            ),
            (
                "Ouvrir dans Binder",
                f"{hosts[1]}/{repository}/{BRANCH}?labpath=carnets/{student}",
                "binder",
            ),
        ]
    links += [
        ("Carnet de l’étudiant", f"{to_root}carnets/{student}", "carnet-etudiant"),
        ("Carnet complet", f"{to_root}carnets/{complete}", "carnet-complet"),
    ]
    return [
        {"type": "link", "text": text, "tooltip": text, "url": url, "icon": "fas fa-rocket" if
         url.startswith("http") else "fas fa-download", "label": f"lancement-{name}"}
        for text, url, name in links
    ]  # fmt: skip


def add_buttons(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Ajoute le groupe de boutons à l'en-tête des pages exécutables."""
    if pagename not in app.env.found_docs or "header_buttons" not in context:
        return
    path = Path(app.env.doc2path(pagename))
    if read_notebook(path.read_text("utf-8"), path) is None:
        return
    to_root = "../" * pagename.count("/")
    buttons = launch_buttons(pagename, app.config.course_repository, to_root)
    context["header_buttons"].append(
        {
            "type": "group", "buttons": buttons, "icon": "fas fa-rocket",
            "tooltip": "Lancer ou télécharger le carnet", "label": "lancement",
        }
    )  # fmt: skip


def announce_repository(app: Sphinx) -> None:
    """Cherche le dépôt une fois, et dit quand les boutons Colab et Binder seront absents."""
    app.config.course_repository = find_repository(Path(app.srcdir))
    if app.config.course_repository is None:
        logger.info(
            "Boutons Colab et Binder absents : ni GITHUB_REPOSITORY ni dépôt GitHub d'origine. "
            "Les carnets restent à télécharger."
        )


def setup(app: Sphinx) -> dict:
    app.add_config_value("course_repository", None, "html", types=frozenset({str, type(None)}))
    app.connect("builder-inited", announce_repository)
    app.connect("html-page-context", add_buttons, priority=600)  # après les boutons du thème
    app.connect("build-finished", write_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
