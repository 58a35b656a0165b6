"""Montrer ce que l'exécution a vérifié : une bannière par chapitre, et un tableau de tout le cours."""

from __future__ import annotations

import re
from datetime import datetime

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from site_ext.execution import Execution, execution_record, note_aggregate

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
DEVICES = {"cpu": "processeur", "cuda": "carte graphique", "mps": "puce graphique Apple"}
CRITERIA = {"mean": "moyenne", "interval": "intervalle à 95 %", "every": "chaque valeur"}
HEADERS = ("Affirmation", "Mesure", "Borne", "Jugée sur")
LABEL = "annexe-validation"  # l'étiquette de la page qui porte le tableau


def french_day(date: datetime) -> str:
    """Écrit une date : « 1er mai 2026 »."""
    day = "1er" if date.day == 1 else str(date.day)
    return f"{day} {MONTHS[date.month - 1]} {date.year}"


def summary(execution: Execution) -> str:
    """Résume une exécution : « exécutée le 2 mai 2026, profil rapide, processeur, 34 s »."""
    seconds = max(1, round(execution.seconds))
    return (
        f"exécutée le {french_day(execution.date)}, profil {execution.profile}, "
        f"{DEVICES.get(execution.device, execution.device)}, {seconds} s"
    )


def count(claims: list[dict]) -> str:
    """Compte les affirmations : « 1 affirmation vérifiée », « 7 affirmations vérifiées »."""
    plural = "s" if len(claims) > 1 else ""
    return f"{len(claims)} affirmation{plural} vérifiée{plural}"


def add_banner(app: Sphinx, doctree: nodes.document) -> None:
    """Pose sous le titre d'un chapitre la date, le profil, la durée et le nombre d'affirmations."""
    execution = execution_record(app, app.env.docname)
    if execution is None or not execution.claims:
        return
    title = next(iter(doctree.findall(nodes.title)))
    link = addnodes.pending_xref(
        "", nodes.inline("", count(execution.claims)), refdomain="std", reftype="ref",
        reftarget=LABEL, refexplicit=True, refwarn=True, refdoc=app.env.docname,
    )  # fmt: skip
    text = nodes.Text(f"Page {summary(execution)}, ")
    paragraph = nodes.paragraph("", "", text, link, nodes.Text("."))
    banner = nodes.container("", paragraph, classes=["banniere-execution"])
    title.parent.insert(title.parent.index(title) + 1, banner)


class ValidationTable(SphinxDirective):
    """``{validation}`` : toutes les affirmations de la construction, un tableau par chapitre."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        note_aggregate(self.env, self.env.docname)
        measured = [execution for execution in executions(self.env) if execution.claims]
        if not measured:
            return [nodes.paragraph("", "Aucune affirmation n'a été exécutée.")]
        total = count([claim for execution in measured for claim in execution.claims])
        pages = f"{len(measured)} page{'s' if len(measured) > 1 else ''}"
        sentence = f"Dans cette construction : {total}, sur {pages}."
        tables = [node for execution in measured for node in self._chapter(execution)]
        return [nodes.paragraph("", sentence), *tables]

    def _chapter(self, execution: Execution) -> list[nodes.Node]:
        text = nodes.Text(f" : page {summary(execution)}, {count(execution.claims)}.")
        link = link_to_page(execution.docname, self.env.docname)
        return [nodes.paragraph("", "", link, text), claims_table(execution)]


class ExecutionTable(SphinxDirective):
    """``{executions}`` : quand et en combien de temps chaque page a été exécutée."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        note_aggregate(self.env, self.env.docname)
        rows = [
            (
                link_to_page(execution.docname, self.env.docname),
                f"{french_day(execution.date)}, à {execution.date:%H h %M}",
                f"{max(1, round(execution.seconds))} s",
                execution.profile,
            )
            for execution in executions(self.env)
        ]
        headers = ("Page", "Exécutée le", "Durée", "Profil")
        return [make_table("Exécution des pages", headers, rows, widths=(40, 30, 15, 15))]


def executions(env) -> list[Execution]:
    """Rend les exécutions de toutes les pages, dans l'ordre alphabétique des pages."""
    records = [execution_record(env.app, docname) for docname in sorted(env.found_docs)]
    return [record for record in records if record is not None]


def link_to_page(docname: str, from_docname: str) -> nodes.Node:
    """Rend un lien qui prend pour texte le titre de la page."""
    return addnodes.pending_xref(
        "", nodes.inline("", docname), refdomain="std", reftype="doc", refexplicit=False,
        reftarget="/" + docname, refwarn=True, refdoc=from_docname,
    )  # fmt: skip


def page_title(execution: Execution) -> str:
    """Rend le titre de la page, sans sous-titre : « La convolution »."""
    prose = "\n".join(cell.source for cell in execution.notebook.cells if cell.cell_type != "code")
    heading = re.search(r"^# (.+)$", prose, flags=re.MULTILINE)
    return heading[1].split(" : ")[0] if heading else execution.docname


def claims_table(execution: Execution) -> nodes.table:
    """Rend le tableau des affirmations d'une page."""
    title = f"Affirmations vérifiées : {page_title(execution)}"
    rows = [_cells(claim) for claim in execution.claims]
    return make_table(title, HEADERS, rows, widths=(46, 18, 22, 14), name="affirmations")


def _cells(claim: dict) -> tuple[str, str, str, str]:
    n_values = len(claim["values"])
    judged = CRITERIA[claim["criterion"]] if n_values > 1 else "valeur"
    measure = claim["text"] + (f" (n = {n_values})" if n_values > 1 else "")
    return claim["label"], measure, claim["bound"], judged


def make_table(title: str, headers, rows, *, widths, name: str = "executions") -> nodes.table:
    """Rend un tableau ; une cellule est un texte ou un nœud en ligne."""
    group = nodes.tgroup(cols=len(headers))
    group += [nodes.colspec(colwidth=width) for width in widths]
    group += nodes.thead("", _row(headers))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", nodes.title("", title), group, classes=[name])


def _row(cells) -> nodes.row:
    contents = [nodes.Text(cell) if isinstance(cell, str) else cell for cell in cells]
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", c)) for c in contents))


def setup(app: Sphinx) -> dict:
    app.add_directive("validation", ValidationTable)
    app.add_directive("executions", ExecutionTable)
    app.connect("doctree-read", add_banner)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
