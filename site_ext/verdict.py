"""Le verdict d'une construction : le moindre avertissement la fait échouer, en français.

``jupyter-book build`` rend 0 malgré des pages en échec ou des renvois morts. Ici, tout avertissement
de Sphinx est retenu, traduit, rattaché à sa page, sa ligne et sa cellule, et le code de sortie est 1.
"""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.logging import NAMESPACE, get_node_location, is_suppressed_warning

from site_ext.execution import execution_record
from site_ext.pages import Problem, is_selected, read_notebook

# (type, sous-type) de l'avertissement → ce qui ne va pas, que faire ; {} est le nom fautif
MESSAGES = {
    ("ref", "ref"): (
        "étiquette inconnue « {} ».",
        "vérifiez l'orthographe, ou que la page qui la définit est dans _toc.yml.",
    ),
    ("myst", "xref_missing"): (
        "lien vers une cible inconnue « {} ».",
        "corrigez le lien : une étiquette, un fichier, ou une adresse complète.",
    ),
    ("ref", "term"): (
        "terme absent du glossaire « {} ».",
        "reprenez l'orthographe de annexes/glossaire, ou ajoutez-y le terme.",
    ),
    ("ref", "doc"): ("page inconnue « {} ».", "corrigez son chemin ou ajoutez-la à _toc.yml."),
    ("ref", "numref"): (
        "figure ou section numérotée inconnue « {} ».",
        "vérifiez l'étiquette ; une figure n'a de numéro qu'avec une légende.",
    ),
    ("ref", "eq"): ("équation inconnue « {} ».", "vérifiez l'étiquette eq-…"),
    ("bibtex", "key_not_found"): (
        "citation inconnue « {} ».",
        "ajoutez la référence à references.bib, ou corrigez la clé.",
    ),
    ("mystnb", "glue"): (
        "nombre inconnu « {} » : aucune affirmation de cette page ne porte cette clé.",
        'corrigez la clé de {{glue:text}}, ou ajoutez claim("{}", …) à une cellule.',
    ),
    ("mystnb", "nbcell"): (
        "une cellule de code n'est pas exécutée.",
        "complétez l'en-tête de la page, et sortez la cellule de toute directive.",
    ),
    ("myst", "directive_unknown"): ("directive inconnue « {} ».", "corrigez son nom."),
    ("myst", "role_unknown"): ("rôle inconnu « {} ».", "corrigez son nom."),
    ("image", "not_readable"): ("image introuvable « {} ».", "corrigez son chemin."),
}
MESSAGES["mystnb", "glue_ref"] = MESSAGES["mystnb", "glue"]
UNKNOWN = ("avertissement de Sphinx : {}", "corrigez ce qu'il signale, à la ligne indiquée.")

_TYPE = re.compile(r" \[(\w+)\.(\w+)\]$")  # MyST et MyST-NB écrivent le type dans le message
_EXERCISES = "sphinx_exercise.post_transforms"  # solution sans exercice : ``controle`` dit mieux où
_QUOTED = re.compile(r"['\"‘“`]([^'\"’”`]+)['\"’”`]")


class Collector(logging.Handler):
    """Retient chaque avertissement de la construction, une fois, sous forme de ``Problem``."""

    def __init__(self, app: Sphinx):
        super().__init__(logging.WARNING)
        self.app = app
        self.problems: list[Problem] = []
        self._records: list[logging.LogRecord] = []  # Sphinx en fait passer certains deux fois

    def emit(self, record: logging.LogRecord) -> None:
        kind = getattr(record, "type", None), getattr(record, "subtype", None)
        suppressed = getattr(self.app.config, "suppress_warnings", ())
        if any(record is old for old in self._records) or is_suppressed_warning(*kind, suppressed):
            return
        if record.name.endswith(_EXERCISES):
            return
        self._records.append(record)
        problem = getattr(record, "problem", None) or self._translate(record)
        if problem is not None and problem not in self.problems:
            self.problems.append(problem)

    def _translate(self, record: logging.LogRecord) -> Problem | None:
        message = logging.LogRecord.getMessage(record)  # sans le lieu qu'y ajoute Sphinx
        message = message.removeprefix("'myst' ")
        kind = getattr(record, "type", None), getattr(record, "subtype", None)
        if written := _TYPE.search(message):
            kind, message = written.groups(), message[: written.start()]
        docname, line = self._locate(getattr(record, "location", None))
        if self._follows_a_failure(docname, kind):
            return None
        what, advice = MESSAGES.get(kind, UNKNOWN)
        quoted = _QUOTED.search(message)
        name = quoted[1] if quoted else message.rpartition(": ")[2]
        what = what.format(name if kind in MESSAGES else message)
        problem = Problem(docname, what, advice.format(name), line)
        return problem.located(self._notebook(docname))

    def _locate(self, location: tuple | nodes.Node | str | None) -> tuple[str, int | None]:
        """Rend la page et la ligne ; une page vide si l'avertissement ne vient d'aucune."""
        if isinstance(location, tuple):
            return location[0] or "", location[1]
        if isinstance(location, nodes.Node):
            location = get_node_location(location)
        path, _, line = (location or "").rpartition(":")
        if not path or not (line == "" or line.isdecimal()):
            path, line = location or "", ""
        docname = path if path in self.app.env.found_docs else self.app.env.path2doc(path)
        known = docname if docname in self.app.env.found_docs else ""
        return known, int(line) if line else None

    def _notebook(self, docname: str):
        if not docname:
            return None
        path = Path(self.app.env.doc2path(docname))
        try:
            return read_notebook(path.read_text(encoding="utf-8"), path)
        except Exception:  # une page illisible est déjà signalée : elle n'a pas de cellules
            return None

    def _follows_a_failure(self, docname: str, kind: tuple) -> bool:
        """Vrai pour un nombre qui manque parce que la page n'est pas allée au bout."""
        execution = execution_record(self.app, docname)
        missing = kind in (("mystnb", "glue"), ("mystnb", "glue_ref"))
        return missing and execution is not None and bool(execution.error)


def connect(app: Sphinx) -> None:
    """Écoute les avertissements de la construction et en rend le verdict à la fin."""
    app.course_collector = Collector(app)
    # en tête : avant que les autres ne réécrivent le lieu, ou que -W ne lève une exception
    logging.getLogger(NAMESPACE).handlers.insert(0, app.course_collector)
    app.connect("build-finished", conclude, priority=800)


def conclude(app: Sphinx, exception: Exception | None) -> None:
    """Récapitule les problèmes et fait échouer la construction s'il y en a."""
    logging.getLogger(NAMESPACE).removeHandler(app.course_collector)
    problems = app.course_collector.problems
    app.course_faulty = sorted({problem.docname for problem in problems})
    if judged := [problem for problem in problems if is_selected(problem.docname)]:
        print(summary(judged), file=sys.stderr)
        app.statuscode = 1


def summary(problems: list[Problem]) -> str:
    """Rend le récapitulatif, une page après l'autre."""
    plural = "s" if len(problems) > 1 else ""
    ordered = sorted(problems, key=lambda problem: (problem.docname, problem.line or 0))
    items = [f"{rank}. {problem}" for rank, problem in enumerate(ordered, start=1)]
    title = f"La construction échoue : {len(problems)} problème{plural}."
    return "\n".join(["", "═" * 80, title, "", *items, "═" * 80])
