"""Bibliographie et renvois en français : « Rosenblatt (1958) », « Minsky et Papert », « 2e édition »."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import pybtex.plugin
from pybtex.database import Person
from pybtex.style.formatting.unsrt import Style as UnsrtStyle
from pybtex.style.formatting.unsrt import pages
from pybtex.style.template import field as bib_field
from pybtex.style.template import (
    href,
    join,
    names,
    optional,
    optional_field,
    sentence,
    together,
    words,
)
from sphinx.application import Sphinx
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle, PersonStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

STYLE = "francais"
THESES = {"phdthesis": "Thèse de doctorat", "mastersthesis": "Mémoire de master"}


class FrenchStyle(UnsrtStyle):
    """Style « unsrt », mots de liaison en français ; les titres gardent leurs majuscules."""

    default_sorting_style = "author_year_title"
    default_label_style = "alpha"

    def format_entry(self, label, entry, bib_data=None):
        """Retire le mois, qui serait en anglais, et nomme les thèses et les rapports."""
        entry = copy.copy(entry)
        fields = {name: value for name, value in entry.fields.items() if name.lower() != "month"}
        if entry.type in THESES:
            fields.setdefault("type", THESES[entry.type])
            entry.type = "phdthesis"
        elif entry.type == "techreport":
            fields.setdefault("type", "Rapport technique")
        entry.fields = type(entry.fields)(fields.items())
        entry.persons = {role: abridge(people) for role, people in entry.persons.items()}
        return super().format_entry(label, entry, bib_data)

    def format_names(self, role, as_sentence=True):
        """Joint les noms par « et »."""
        joined = names(role, sep=", ", sep2=" et ", last_sep=" et ")
        return sentence[joined] if as_sentence else joined

    def format_editor(self, e, as_sentence=True):
        """Nomme les directeurs d'un ouvrage."""
        result = join[self.format_names("editor", as_sentence=False), " (dir.)"]
        return sentence[result] if as_sentence else result

    def format_title(self, e, which_field, as_sentence=True):
        """Garde le titre tel qu'il est écrit."""
        title = bib_field(which_field)
        return sentence[title] if as_sentence else title

    def format_volume_and_series(self, e, as_sentence=True):
        """Écrit le volume, puis la collection."""
        volume = optional[together["volume", bib_field("volume")]]
        result = join(sep=", ")[volume, optional_field("series")]
        return sentence(capfirst=True)[result] if as_sentence else result

    def format_chapter_and_pages(self, e):
        """Écrit le chapitre et les pages."""
        chapter = optional[together["chapitre", bib_field("chapter")]]
        return join(sep=", ")[chapter, optional[together["pages", pages]]]

    def format_edition(self, e):
        """Écrit le numéro d'édition : « 2e édition »."""
        return optional[words[bib_field("edition"), "édition"]]

    def format_url(self, e):
        """Écrit l'adresse seule : le lien se suffit."""
        url = bib_field("url", raw=True)
        return href(url)[url]


def abridge(people: list[Person]) -> list[Person]:
    """Remplace le « and others » de BibTeX par « coll. », que « et » précédera."""
    if people and str(people[-1]) == "others":
        return [*people[:-1], Person("coll.")]
    return people


@dataclass
class FrenchReferenceStyle(AuthorYearReferenceStyle):
    """Renvois auteur-année entre parenthèses."""

    bracket_textual: BracketStyle = field(default_factory=lambda: _brackets())
    bracket_parenthetical: BracketStyle = field(default_factory=lambda: _brackets())
    bracket_author: BracketStyle = field(default_factory=lambda: _brackets())
    bracket_label: BracketStyle = field(default_factory=lambda: _brackets())
    bracket_year: BracketStyle = field(default_factory=lambda: _brackets())
    person: PersonStyle = field(
        default_factory=lambda: PersonStyle(sep2=" et ", last_sep=" et ", other=" et coll.")
    )


def _brackets() -> BracketStyle:
    return BracketStyle(left="(", right=")", sep="\u202f; ")


def setup(app: Sphinx) -> dict:
    """Déclare les deux styles, que _config.yml nomme « francais »."""
    pybtex.plugin.register_plugin("pybtex.style.formatting", STYLE, FrenchStyle)
    register_plugin("sphinxcontrib.bibtex.style.referencing", STYLE, FrenchReferenceStyle)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
