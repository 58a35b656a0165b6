"""Contrôler les pages : leurs sources avant l'exécution, leurs images après.

``check_source`` est une fonction pure, que les tests du livre appellent aussi. Le verdict, en fin de
construction, est dans ``verdict`` : tout avertissement la fait échouer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx

from site_ext import verdict
from site_ext.couverture import check_programme
from site_ext.execution import Execution, execution_record
from site_ext.pages import (
    Cell,
    Problem,
    code_cells,
    is_selected,
    read_notebook,
    report,
    source_pages,
)

TAGS = {
    "remove-cell", "hide-input", "hide-output", "raises-exception", "nbval-ignore-output",
    "exercice", "verification", "corrige",
}  # fmt: skip
HEADER = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---"""
ALT_LENGTH = range(20, 251)

_DIRECTIVE = re.compile(r"^(?:`{3,}|:{3,})\{(exercise|solution)(-start|-end)?\}[ \t]*(.*)$")
_OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")


def check_source(docname: str, text: str) -> list[Problem]:
    """Rend les problèmes du source d'une page, dans l'ordre des lignes ; aucune exécution.

    En-tête, étiquette, étiquettes de cellule, ``alt`` des figures, exercices et solutions, items
    du programme.
    """
    if text.lstrip().startswith("{"):
        advice = "convertissez-la en MyST : jupytext --to myst page.ipynb, puis effacez le .ipynb."
        return [Problem(docname, "la page est un .ipynb, qui range ses sorties.", advice)]
    try:
        notebook = read_notebook(text, Path(f"{docname}.md"))
    except Exception as error:
        return [Problem(docname, f"en-tête ou cellule illisible : {error}", _HEADER_ADVICE, 1)]
    problems = [*_check_header(docname, text), *_check_exercises(docname, text)]
    problems += check_programme(docname, text)
    if notebook is not None:
        problems += _check_cells(docname, notebook)
        problems = [problem.located(notebook) for problem in problems]
    return sorted(problems, key=lambda problem: problem.line or 0)


# --- En-tête et étiquette ---------------------------------------------------------------------

_HEADER_ADVICE = f"commencez la page exactement par :\n{HEADER}"


def is_chapter(docname: str) -> bool:
    """Vrai pour un chapitre de contenu, faux pour l'accueil et les annexes."""
    return docname.startswith("chapters/") and not docname.startswith("chapters/annexes/")


def _check_header(docname: str, text: str) -> Iterator[Problem]:
    if not is_chapter(docname) and "{code-cell}" not in text:
        return
    front, body = _front_matter(text)
    expected = yaml.safe_load(HEADER.strip("-\n"))
    representation = front.get("jupytext", {}).get("text_representation", {})
    representation.pop("format_version", None)
    if any(front.get(key) != value for key, value in expected.items()):
        message = "l'en-tête jupytext manque ou n'est pas complet : la page n'est pas exécutée."
        yield Problem(docname, message, _HEADER_ADVICE, 1)
    label = re.match(r"\s*\((chap|annexe)-[a-z0-9-]+\)=\n+# ", body)
    if is_chapter(docname) and not (label and label[1] == "chap"):
        slug = PurePosixPath(docname).name.replace("_", "-")
        advice = f"écrivez (chap-{slug})= sur la ligne qui précède « # Titre »."
        yield Problem(docname, "le titre n'a pas d'étiquette chap-.", advice, 1)


def _front_matter(text: str) -> tuple[dict, str]:
    found = re.match(r"---\n(.*?)\n---\n", text, re.S)
    if not found:
        return {}, text
    try:
        front = yaml.safe_load(found[1])
    except yaml.YAMLError:
        front = None
    return (front if isinstance(front, dict) else {}), text[found.end() :]


# --- Cellules -----------------------------------------------------------------------------------


def _check_cells(docname: str, notebook: NotebookNode) -> Iterator[Problem]:
    for cell in code_cells(notebook):
        for tag in cell.tags:
            if tag not in TAGS:
                advice = f"choisissez parmi {', '.join(sorted(TAGS))}."
                yield Problem(docname, f"étiquette inconnue « {tag} ».", advice, cell.line, cell)
        if _declares_a_figure(cell):
            yield from _check_alt(docname, cell)


def _declares_a_figure(cell: Cell) -> bool:
    return not {"figure", "image"}.isdisjoint(cell.metadata.get("mystnb", {}))


def _check_alt(docname: str, cell: Cell) -> Iterator[Problem]:
    alt = alternative_text(cell)
    if not alt:
        message = "la figure n'a pas de texte de remplacement (alt)."
    elif len(alt) not in ALT_LENGTH:
        message = f"le texte de remplacement (alt) compte {len(alt)} caractères."
    else:
        return
    advice = (
        "sous mystnb: image: alt:, dites en 20 à 250 caractères ce que la figure montre, "
        "pour qui ne la voit pas."
    )
    yield Problem(docname, message, advice, cell.line, cell)


def alternative_text(cell: Cell) -> str:
    """Rend le texte de remplacement d'une cellule qui dessine, vide s'il manque."""
    image = cell.metadata.get("mystnb", {}).get("image", {})
    return str(image.get("alt") or "").strip()


# --- Exercices et solutions -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Directive:
    """Une directive d'exercice ou de solution : ``kind`` est « -start », « -end » ou vide."""

    line: int
    name: str
    kind: str
    argument: str
    label: str


def _directives(text: str) -> Iterator[_Directive]:
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if found := _DIRECTIVE.match(line):
            options = dict(_options(lines[index + 1 :]))
            label = options.get("label", "")
            yield _Directive(index + 1, found[1], found[2] or "", found[3].strip(), label)


def _options(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if not (option := _OPTION.match(line)):
            return
        yield option[1], option[2].strip()


def _check_exercises(docname: str, text: str) -> Iterator[Problem]:
    found = list(_directives(text))
    yield from _check_gates(docname, [item for item in found if item.kind])
    exercises = [item for item in found if item.name == "exercise" and item.kind != "-end"]
    solutions = [item for item in found if item.name == "solution" and item.kind != "-end"]
    solved, labels = {item.argument for item in solutions}, {item.label for item in exercises}
    for exercise in exercises:
        if not exercise.label:
            advice = "ajoutez la ligne :label: exo-… sous l'ouverture de l'exercice."
            yield Problem(docname, "exercice sans étiquette.", advice, exercise.line)
        elif exercise.label not in solved:
            message = f"l'exercice {exercise.label} n'a pas de solution."
            advice = f"ouvrez-la par {{solution-start}} {exercise.label}, dans la même page."
            yield Problem(docname, message, advice, exercise.line)
    for solution in solutions:
        if solution.argument not in labels:
            message = f"la solution de {solution.argument!r} ne répond à aucun exercice de la page."
            yield Problem(docname, message, "corrigez son étiquette.", solution.line)


def _check_gates(docname: str, gates: list[_Directive]) -> Iterator[Problem]:
    """Une ouverture est suivie de sa fermeture : pas d'imbrication, rien d'ouvert à la fin."""
    advice = "chaque {exercise-start} et {solution-start} est fermé par son -end avant le suivant."
    opened: _Directive | None = None
    for gate in gates:
        closes = opened is not None and gate.kind == "-end" and gate.name == opened.name
        if closes:
            opened = None
        elif gate.kind == "-start" and opened is None:
            opened = gate
        else:
            name = f"{gate.name}{gate.kind}"
            yield Problem(docname, f"{{{name}}} mal placé.", advice, gate.line)
            opened = gate if gate.kind == "-start" else None
    if opened is not None:
        yield Problem(docname, f"{{{opened.name}-start}} jamais fermé.", advice, opened.line)


# --- Dans une construction --------------------------------------------------------------------


def check_sources(app: Sphinx) -> None:
    """Contrôle tous les sources, avant que rien ne soit exécuté."""
    for docname, path in source_pages(app).items():
        if not is_selected(docname):
            continue
        for problem in check_source(docname, path.read_text(encoding="utf-8")):
            report(problem, subtype="source")


def check_drawings(app: Sphinx) -> None:
    """Contrôle, après exécution, que toute cellule qui a dessiné a son texte de remplacement."""
    for docname in filter(is_selected, source_pages(app)):
        execution = execution_record(app, docname)
        for cell in _silent_drawings(execution) if execution else ():
            problem = Problem(
                docname,
                "la cellule dessine une figure sans texte de remplacement (alt).",
                "ajoutez à la cellule mystnb: image: alt: et figure: caption, name.",
                cell.line,
                cell,
            )
            report(problem, subtype="alt")


def _silent_drawings(execution: Execution) -> Iterator[Cell]:
    outputs = [cell.outputs for cell in execution.notebook.cells if cell.cell_type == "code"]
    for cell, shown in zip(code_cells(execution.notebook), outputs, strict=True):
        draws = any(kind.startswith("image/") for out in shown for kind in out.get("data", {}))
        if draws and not _declares_a_figure(cell):  # sinon, ``check_source`` a jugé son alt
            yield cell


def check_images(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Contrôle les autres images de la page : un alt, et qui ne soit pas le nom du fichier."""
    for image in doctree.findall(nodes.image):
        path, alt = PurePosixPath(image["uri"]), image.get("alt", "").strip()
        if "jupyter_execute" in path.parts or alt not in ("", path.name, str(path)):
            continue
        message = f"l'image {path.name} n'a pas de texte de remplacement (alt)."
        problem = Problem(docname, message, "dites ce qu'elle montre.", _line(image))
        report(problem, subtype="alt")


def _line(node: nodes.Element) -> int | None:
    """Rend la ligne d'un nœud, ou celle du plus proche ancêtre qui en a une."""
    while node is not None and not node.line:
        node = node.parent
    return node and node.line


def setup(app: Sphinx) -> dict[str, object]:
    verdict.connect(app)
    app.connect("builder-inited", check_sources, priority=600)  # après le réglage de MyST-NB
    app.connect("builder-inited", check_drawings, priority=800)  # après l'exécution
    app.connect("doctree-resolved", check_images)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
