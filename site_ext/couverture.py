"""Dire quelle section traite chaque élément du programme.

Sous le titre d'une section étiquetée ``(sec-…)=`` (ou ``(chap-…)=``), un commentaire MyST nomme les
éléments qu'elle traite : ``% programme: 002-17 002-18``. La directive ``{couverture}`` en fait un
tableau par chapitre du programme, avec un lien vers chaque section.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from site_ext.execution import note_aggregate
from site_ext.pages import Problem, source_pages

PROGRAMME = Path(__file__).with_name("programme.tsv")

_LABEL = re.compile(r"^\(((?:sec|chap|annexe)-[a-z0-9-]+)\)=\s*$")
_HEADING = re.compile(r"^#{1,6} ")
_MARK = re.compile(r"^%\s*programme\s*:\s*(.*)$")
_FENCE = re.compile(r"^(`{3,}|~{3,})")


@dataclass(frozen=True)
class Item:
    """Un élément du programme : son identifiant (« 002-17 »), son chapitre (« C03 »), son titre."""

    key: str
    chapter: str
    title: str


@dataclass(frozen=True)
class Mark:
    """Une ligne ``% programme:`` ; ``label`` est vide si la section n'a pas d'étiquette."""

    line: int
    label: str
    keys: tuple[str, ...]


@cache
def programme() -> dict[str, Item]:
    """Rend les éléments du programme, par identifiant, dans l'ordre des chapitres."""
    return {item.key: item for item in _rows() if item.key != item.chapter}


@cache
def chapter_titles() -> dict[str, str]:
    """Rend le titre de chaque chapitre du programme : la ligne dont l'identifiant est le sien."""
    return {item.key: item.title for item in _rows() if item.key == item.chapter}


@cache
def _rows() -> list[Item]:
    with PROGRAMME.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)  # les noms des colonnes
        return [Item(*row) for row in rows]


def programme_marks(text: str) -> Iterator[Mark]:
    """Lit les lignes ``% programme:`` d'une page, avec l'étiquette de leur section."""
    pending = label = fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _FENCE.match(line):
            closes = fence and line.rstrip() == found[1] and len(found[1]) >= len(fence)
            fence = "" if closes else fence or found[1]
        if fence:
            continue
        if found := _LABEL.match(line):
            pending = found[1]
        elif _HEADING.match(line):
            label, pending = pending, ""
        elif found := _MARK.match(line):
            yield Mark(number, label, tuple(found[1].replace(",", " ").split()))


def check_programme(docname: str, text: str) -> Iterator[Problem]:
    """Rend les éléments inconnus et les sections sans étiquette d'une page."""
    for mark in programme_marks(text):
        if not mark.label:
            advice = "écrivez (sec-…)= sur la ligne qui précède son titre."
            message = "« % programme: » sous une section sans étiquette."
            yield Problem(docname, message, advice, mark.line)
        for key in mark.keys:
            if key not in programme():
                message = f"élément du programme inconnu « {key} »."
                advice = "reprenez un identifiant de site_ext/programme.tsv, comme 002-17."
                yield Problem(docname, message, advice, mark.line)


def coverage(texts: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Rend, pour chaque élément traité, ses sections : (page, étiquette), sans répétition."""
    sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for docname, text in texts.items():
        for mark in programme_marks(text):
            for key in mark.keys:
                place = (docname, mark.label)
                if key in programme() and mark.label and place not in sections[key]:
                    sections[key].append(place)
    return {key: places for key, places in sections.items() if places}


class Couverture(SphinxDirective):
    """``{couverture}`` : le compte, puis un tableau par chapitre du programme."""

    def run(self) -> list[nodes.Node]:
        note_aggregate(self.env, self.env.docname)
        pages = source_pages(self.env.app)
        texts = {docname: path.read_text(encoding="utf-8") for docname, path in pages.items()}
        covered = coverage(texts)
        chapters = groupby(programme().values(), key=lambda item: item.chapter)
        total = nodes.paragraph("", f"Éléments traités : {_count(covered, programme())}.")
        tables = (self._table(chapter, list(items), covered) for chapter, items in chapters)
        return [total, *tables]

    def _table(self, chapter: str, items: list[Item], covered: dict) -> nodes.table:
        counted = _count(covered, [item.key for item in items])
        caption = f"{chapter}. {chapter_titles()[chapter]} : {counted}"
        group = nodes.tgroup(cols=3)
        group += [nodes.colspec(colwidth=width) for width in (12, 58, 30)]
        header = nodes.row("", *map(_entry, ("Élément", "Intitulé", "Sections")))
        rows = [self._row(item, covered.get(item.key, [])) for item in items]
        group += [nodes.thead("", header), nodes.tbody("", *rows)]
        return nodes.table("", nodes.title("", caption), group, classes=["couverture"])

    def _row(self, item: Item, places: list[tuple[str, str]]) -> nodes.row:
        links = nodes.paragraph()
        for rank, (_, label) in enumerate(places):
            links += [nodes.Text(", ")] if rank else []
            links += self._link(label)
        if not places:
            links += nodes.Text("à venir")
        return nodes.row("", _entry(item.key), _entry(item.title), nodes.entry("", links))

    def _link(self, label: str) -> addnodes.pending_xref:
        """Rend un lien dont le texte est le titre de la section."""
        return addnodes.pending_xref(
            "", nodes.inline("", label), refdomain="std", reftype="ref", reftarget=label,
            refexplicit=False, refwarn=True, refdoc=self.env.docname,
        )  # fmt: skip


def _count(covered: dict, keys) -> str:
    return f"{sum(key in covered for key in keys)} sur {len(keys)}"


def _entry(text: str) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", text))


def setup(app: Sphinx) -> dict[str, object]:
    app.add_directive("couverture", Couverture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
