"""Les contrôles : ce qu'ils refusent dans un source, ce qu'une construction en dit."""

import logging

import pytest
from small_book import CHAPTERS, HEADER

from site_ext.controle import TAGS, check_source
from site_ext.execution import checked_profile
from site_ext.pages import Problem
from site_ext.verdict import summary

DOCNAME = "chapters/vision/essai"
FIGURE = """\
```{code-cell} ipython3
---
mystnb:
  image:
    alt: Une droite qui monte de gauche à droite.
  figure:
    caption: Une droite.
    name: fig-droite
tags: [hide-input]
---
plt.plot([0, 1]);
```
"""
EXERCISE = """\
```{exercise-start} ★ Un exercice
:label: exo-un
```
Énoncé.
```{exercise-end}
```

```{solution-start} exo-un
:class: dropdown
:label: sol-un
```
Réponse.
```{solution-end}
```
"""
PAGE = (
    f"{HEADER}(chap-essai)=\n# Un essai\n\n(sec-debut)=\n## Début\n% programme: 002-17 002-18\n\n"
    f"{FIGURE}\n{EXERCISE}"
)


def found(text, docname=DOCNAME):
    return [problem.message for problem in check_source(docname, text)]


def test_a_right_page_has_no_problem():
    assert check_source(DOCNAME, PAGE) == []
    assert check_source("index", "# Accueil\n") == []
    assert check_source("chapters/annexes/notations", "(annexe-notations)=\n# Notations\n") == []


def test_a_format_version_in_the_header_is_allowed():
    assert found(PAGE.replace("format_name: myst", "format_name: myst, format_version: 0.13")) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HEADER, "", "l'en-tête jupytext manque"),
        ("jupytext: {", "autre: {", "l'en-tête jupytext manque"),
        ("display_name: Python 3", "display_name: python3", "l'en-tête jupytext manque"),
        ("kernelspec: {", "kernelspec: {x: y, ", "l'en-tête jupytext manque"),
        ("(chap-essai)=\n", "", "le titre n'a pas d'étiquette chap-."),
        ("(chap-essai)=", "(annexe-essai)=", "le titre n'a pas d'étiquette chap-."),
        ("[hide-input]", "[hide_input]", "étiquette inconnue « hide_input »."),
        ("    alt: Une droite qui monte de gauche à droite.", "    width: 50%", "texte de rempl"),
        ("Une droite qui monte de gauche à droite.", "Trop court.", "compte 11 caractères"),
        ("Une droite qui monte", "Une droite" + " très" * 60, "caractères"),
        (":label: exo-un\n", "", "exercice sans étiquette."),
        ("{solution-start} exo-un", "{solution-start} exo-deux", "exo-un n'a pas de solution."),
        ("{solution-start} exo-un", "{solution-start} exo-deux", "'exo-deux' ne répond à aucun"),
        ("```{exercise-end}\n```\n", "", "{solution-start} mal placé."),
        ("```{solution-end}\n```\n", "", "{solution-start} jamais fermé."),
        ("002-18", "002-99", "élément du programme inconnu « 002-99 »."),
        ("(sec-debut)=\n", "", "sous une section sans étiquette."),
        ("tags: [", "tags: [[", "en-tête ou cellule illisible"),
    ],
)
def test_a_fault_in_the_source_is_named(old, new, message):
    assert old in PAGE
    assert any(message in problem for problem in found(PAGE.replace(old, new)))


def test_a_problem_says_where_what_and_what_to_do():
    page = PAGE.replace("[hide-input]", "[cache]")
    (problem,) = check_source(DOCNAME, page)
    assert page.splitlines()[problem.line - 1].startswith("```{code-cell}")
    text = str(problem)
    assert text.startswith(f"{DOCNAME}, ligne {problem.line}, cellule 1 (« plt.plot([0, 1]); ») :")
    assert "Que faire : choisissez parmi corrige, " in text
    assert all(tag in text for tag in TAGS)


def test_a_notebook_source_is_refused():
    (message,) = found('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert "range ses sorties" in message


def test_the_summary_counts_and_orders_the_problems():
    problems = [Problem("b", "deux", line=2), Problem("a", "trois"), Problem("b", "un", line=1)]
    text = summary(problems)
    assert "La construction échoue : 3 problèmes." in text
    assert text.index("1. a : trois") < text.index("2. b, ligne 1 : un") < text.index("3. b, ligne")
    assert "1 problème." in summary(problems[:1])


def test_an_unknown_profile_names_the_allowed_ones(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "rapid")
    with pytest.raises(ValueError, match="vaut 'rapid'. Valeurs permises : rapide ou complet"):
        checked_profile()


# --- Des constructions entières ------------------------------------------------------------------

FAULTY_PROSE = """\
Voir {ref}`sec-absente`, {numref}`fig-absente`, {doc}`page-absente`, {eq}`eq-absente`,
{cite:t}`absent1900`, {glue:text}`nombre-absent`, [un lien](absente.md), {role-absent}`x`.

```{directive-absente}
```

![](absente.png)
![absente.png](absente.png)
"""


@pytest.mark.slow
def test_every_fault_fails_the_build_and_is_explained(new_book):
    book = new_book(numfig=True)
    book.write_chapter("chapters/prose", "x = 1", prose=FAULTY_PROSE)
    book.write_chapter(
        "chapters/affirmation", "raise AssertionError('L’affirmation « un » ne tient pas.')",
        prose="{glue:text}`un`",
    )  # fmt: skip
    draw = "from IPython.display import Image\nImage(data=PIXEL, format='png')"
    book.write_chapter("chapters/figure", f"PIXEL = {PIXEL!r}", draw)
    book.write_chapter("chapters/exercice", "x = 1", prose=EXERCISE.partition("\n\n")[0])
    book.write("chapters/nue.md", "# Sans en-tête\n\n```{code-cell} ipython3\n1 + 1\n```\n")
    pages = ["prose", "affirmation", "figure", "exercice", "nue"]
    book.write_toc(*CHAPTERS, *(f"chapters/{page}" for page in pages))

    first = book.build()
    assert first.code == 1
    recap = first.output[first.output.index("La construction échoue") :]
    for fault in (
        "chapters/prose, ligne 9 : étiquette inconnue « sec-absente ».",
        "numérotée inconnue « fig-absente »",
        "page inconnue « page-absente »",
        "équation inconnue « eq-absente »",
        "chapters/prose, ligne 9 : citation inconnue « absent1900 ».",
        "nombre inconnu « nombre-absent »",
        "cible inconnue « absente.md »",
        "rôle inconnu « role-absent »",
        "directive inconnue « directive-absente »",
        "image introuvable « chapters/absente.png »",
        "chapters/prose, ligne 15 : l'image absente.png n'a pas de texte de remplacement",
        "cellule 2 (« raise AssertionError('L’affirmation « un » ne tient pas.') ») : la cellule "
        "échoue. AssertionError : L’affirmation « un » ne tient pas.",
        "cellule 3 (« from IPython.display import Image ») : la cellule dessine une figure sans",
        "l'exercice exo-un n'a pas de solution.",
        "chapters/nue, ligne 1 : l'en-tête jupytext manque",
    ):
        assert fault in recap, f"{fault}\n\n{recap}"
    assert "nombre inconnu « un »" not in recap  # suite de l'échec : inutile d'en parler
    assert "affirmation" in book.page("chapters/affirmation")  # la page montre où elle s'arrête
    assert ">2\n" in book.page("chapters/un")  # les autres sont allées au bout

    book.executed_pages()
    second = book.build()  # rien n'a changé : les fautes sont redites, pas oubliées
    assert second.code == 1
    assert second.output[second.output.index("La construction échoue") :] == recap
    assert book.executed_pages() == ["chapters/affirmation"]

    book.write_toc(*CHAPTERS)
    repaired = book.build()
    assert repaired.code == 0, repaired.output
    assert book.executed_pages() == []


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000000000500010d0a2db40000000049454e44ae426082"
)


@pytest.mark.slow
def test_a_wrong_setting_stops_before_anything_runs(new_book):
    book = new_book()
    for variable, message in {
        "COURSE_PROFILE": "profil inconnu, COURSE_PROFILE vaut 'x'. Valeurs permises : rapide ou",
        "COURSE_JOBS": "COURSE_JOBS vaut 'x' : donnez un entier strictement positif",
    }.items():
        built = book.build(**{variable: "x"})
        assert built.code == 1
        assert f"Construction impossible : {message}" in built.output
        assert "Traceback" not in built.output
    assert book.executed_pages() == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [("-W",), ("-W", "-n", "--keep-going")])
def test_the_strict_options_of_sphinx_fail_too(new_book, options):
    book = new_book()
    book.write_chapter("chapters/un", "1 / 0")
    built = book.build(*options)
    assert built.code == 1
    assert "cellule 2 (« 1 / 0 ») : la cellule échoue. ZeroDivisionError" in built.output


def test_no_listener_stays_on_the_logger_of_sphinx():
    handlers = logging.getLogger("sphinx").handlers
    assert not [handler for handler in handlers if type(handler).__name__ == "Collector"]
