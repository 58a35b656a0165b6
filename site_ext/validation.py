"""Montrer ce que l'exécution a vérifié : une bannière par chapitre, et un tableau de tout le cours."""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.application import Sphinx

from site_ext.execution import Execution, execution_record, note_aggregate

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
DEVICES = {"cpu": "processeur", "cuda": "carte graphique", "mps": "puce graphique Apple"}
CRITERIA = {"mean": "moyenne", "interval": "intervalle à 95 %", "every": "chaque valeur"}
HEADERS = ("Affirmation", "Mesure", "Borne", "Jugée sur")
LABEL = "annexe-validation"  # l'étiquette de la page qui porte le tableau


def summary(execution: Execution) -> str:
    """Résume une exécution : « exécutée le 2 mai 2026, profil rapide, processeur, 34 s »."""
    date = execution.date
    day = "1er" if date.day == 1 else str(date.day)
    device = next((claim["device"] for claim in execution.claims), "cpu")
    seconds = max(1, round(execution.seconds))
    return (
        f"exécutée le {day} {MONTHS[date.month - 1]} {date.year}, profil {execution.profile}, "
        f"{DEVICES.get(device, device)}, {seconds} s"
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


class ValidationTable(Directive):
    """``{validation}`` : toutes les affirmations de la construction, un tableau par chapitre."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        note_aggregate(env, env.docname)
        executions = [execution_record(env.app, name) for name in sorted(env.found_docs)]
        measured = [execution for execution in executions if execution and execution.claims]
        total = sum(len(execution.claims) for execution in measured)
        if not measured:
            return [nodes.paragraph("", "Aucune affirmation n'a été exécutée.")]
        sentence = (
            f"Cette construction compte {total} affirmations, réparties sur {len(measured)} pages."
        )
        tables = [node for execution in measured for node in self._chapter(execution)]
        return [nodes.paragraph("", sentence), *tables]

    def _chapter(self, execution: Execution) -> list[nodes.Node]:
        link = addnodes.pending_xref(
            "", nodes.inline("", execution.docname), refdomain="std", reftype="doc",
            reftarget="/" + execution.docname, refexplicit=False, refwarn=True,
            refdoc=self.state.document.settings.env.docname,
        )  # fmt: skip
        text = nodes.Text(f" : page {summary(execution)}, {count(execution.claims)}.")
        return [nodes.paragraph("", "", link, text), claims_table(execution)]


def claims_table(execution: Execution) -> nodes.table:
    """Rend le tableau des affirmations d'une page."""
    group = nodes.tgroup(cols=len(HEADERS))
    group += [nodes.colspec(colwidth=width) for width in (46, 18, 22, 14)]
    group += nodes.thead("", _row(HEADERS))
    group += nodes.tbody("", *(_row(_cells(claim)) for claim in execution.claims))
    title = nodes.title("", f"Affirmations vérifiées par {execution.docname.rsplit('/', 1)[-1]}")
    return nodes.table("", title, group, classes=["affirmations"])


def _cells(claim: dict) -> tuple[str, str, str, str]:
    n_values = len(claim["values"])
    judged = CRITERIA[claim["criterion"]] if n_values > 1 else "valeur"
    measure = claim["text"] + (f" (n = {n_values})" if n_values > 1 else "")
    return claim["label"], measure, claim["bound"], judged


def _row(texts: tuple[str, ...]) -> nodes.row:
    entries = [nodes.entry("", nodes.paragraph("", text)) for text in texts]
    return nodes.row("", *entries)


def setup(app: Sphinx) -> dict:
    app.add_directive("validation", ValidationTable)
    app.connect("doctree-read", add_banner)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
