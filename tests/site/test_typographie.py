"""Typographie : les règles sur des textes, puis sur le HTML d'une page construite."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_project import NOTEBOOK, build

from site_ext.typographie import typeset, typeset_leaves

N, T = "\u00a0", "\u202f"  # insécable, fine insécable


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Prêt ? Oui ; partez !", f"Prêt{T}? Oui{T}; partez{T}!"),
        ("Voici : un", f"Voici{N}: un"),
        ("fin de ligne\n: suite", f"fin de ligne{N}: suite"),
        ("« oui » et «non»", f"«{N}oui{N}» et «{N}non{N}»"),
        ("« oui ! » : fin", f"«{N}oui{T}!{N}»{N}: fin"),
        ('un "mot" cité, ("ici")', f"un «{N}mot{N}» cité, («{N}ici{N}»)"),
        ("l'époque d'aujourd'hui, l'«autre»", f"l’époque d’aujourd’hui, l’«{N}autre{N}»"),
        ("50 % ou 50% à 20 °C pour 3 €", f"50{T}% ou 50{T}% à 20{T}°C pour 3{T}€"),
        ("12 ms, 3 Go, 5 s", f"12{N}ms, 3{N}Go, 5{N}s"),
        ("50 000 images, 1 234 567 pas", f"50{T}000 images, 1{T}234{T}567 pas"),
    ],
)
def test_ordinary_spaces_become_the_french_ones(typed, expected):
    assert typeset(typed) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Rendez-vous à 10:30, ratio 3:1",
        "https://exemple.org/a?b=1;c=2%20d et moi@exemple.org",
        "en 2012 100 images",
        "5 semaines, 3 sorties, 4 humains",
        "0,5 123",
        "Entre deux mots, rien",
    ],
)
def test_hours_addresses_and_plain_words_are_left_alone(text):
    assert typeset(text) == text


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        (["Soit ", None, " : suite"], ["Soit ", None, f"{N}: suite"]),
        (["Soit ", None, ": suite"], ["Soit ", None, f"{N}: suite"]),
        (["mot ", "gras", " ; fin"], ["mot ", "gras", f"{T}; fin"]),
        (["mot ", "? fin"], [f"mot{T}", "? fin"]),
        (["« ", None, " »"], [f"«{N}", None, f"{N}»"]),
        (["vaut ", None, " % ou ", None, " ms"], ["vaut ", None, f"{T}% ou ", None, f"{N}ms"]),
        (["l'", None, " d”", "italique"], ["l’", None, " d’", "italique"]),
        (['"un ', "mot", '" cité'], [f"«{N}un ", "mot", f"{N}» cité"]),
        (["a", "\n", ": b", "\n", "c"], ["a", N, ": b", "\n", "c"]),
    ],
)
def test_rules_see_across_formulas_and_inline_markup(leaves, expected):
    assert typeset_leaves(leaves) == expected


PROSE = st.text(alphabet="aé1 0%:;!?«»\"'’“”()\n,.°h€-/" + N + T, max_size=25)


@given(st.lists(PROSE | st.none(), max_size=5))
@example([None, "!»"])
def test_typesetting_twice_changes_nothing(leaves):
    once = typeset_leaves(leaves)
    assert typeset_leaves(once) == once


@given(st.lists(PROSE | st.none(), max_size=5))
def test_no_word_moves_and_no_ordinary_space_stays_at_a_sign(leaves):
    composed = typeset_leaves(leaves)
    assert [leaf is None for leaf in composed] == [leaf is None for leaf in leaves]
    kept = [re.sub(r"\W", "", leaf or "") for leaf in leaves]
    assert [re.sub(r"\W", "", leaf or "") for leaf in composed] == kept
    text = "".join("0" if leaf is None else leaf for leaf in composed)
    assert not re.search(r'[ \n][;:!?»]|«[ \n]|"', text)
    assert not re.search(r"[^\W\d_]'", text)


PAGE = (
    NOTEBOOK
    + """\
# L'essai : un titre ?

Avant « tout » ; voici "une citation" : 50 % de 10 000 pas. Soit $x$ : suite, `code` ; fin. Et l'$x$,
l'*italique*, d'`un a ? b`, **gras** : suite. Voir https://exemple.org/a?b=1;c à 10:30.

## Une section : l'autre ?

![Qu'est-ce : une image ?](image.png)

| L'entrée : une | b |
|---|---|
| l'un ? | $x$ : 3 % |

```{glossary}
l'époque
  Passage : tout l'ensemble ?
```

Voir {term}`l'époque`, {ref}`exo-a` et {ref}`quiz-a` : oui. Et {cite:t}`auteur2020` !

```{exercise} ★ L'exercice : un ?
:label: exo-a
Que vaut l'aire : dites ?
```
```{solution} exo-a
:label: sol-a
C'est : 3 !
```

:::{quiz} quiz-a
Qu'est-ce que $x$ ?
- [x] L'entrée : un vecteur ! — C'est cela : oui.
- [ ] L'"autre" ; $y$ ? — Non : l'autre.
:::

```{code-cell} ipython3
---
mystnb:
  figure:
    caption: "La légende : l'axe $x$ ?"
    name: fig-a
  image:
    alt: "L'alt : est-ce lui ?"
---
import base64
from IPython.display import Image
Image(base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="))
```

```{code-cell} ipython3
print("l'essai : brut ?")
```

```{bibliography}
```

```{toctree}
:caption: "Partie : l'une ?"
Titre : l'explicite <autre>
suite
```
"""
)
REFERENCE = """@book{auteur2020, title={L'apprentissage : "profond" ?}, author={Paul D'Auteur},
publisher={Maison}, year={2020}}"""
PIXEL = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
EXTENSIONS = ("sphinx_exercise", "sphinxcontrib.bibtex", "site_ext.typographie", "site_ext.quiz")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("typographie")
    (root / "image.png").write_bytes(PIXEL)
    pages = {
        "index.md": PAGE,
        "autre.md": "# Autre\n",
        "suite.md": "# La suite : l'après ?\n",
        "references.bib": REFERENCE,
    }
    built = build(root, pages, *EXTENSIONS)
    assert built.code == 0, built.output
    return built


def test_a_glossary_term_is_found_when_myst_curves_its_apostrophe(tmp_path):
    page = "# Mots\n\n```{glossary}\nl'époque\n  Un passage.\n```\n\nVoir {term}`l'époque`.\n"
    marks = ["colon_fence", "smartquotes"]
    built = build(
        tmp_path, {"index.md": page}, "site_ext.typographie", myst_enable_extensions=marks
    )
    assert built.code == 0, built.output
    assert built.page().select_one("p a.reference").text == "l’époque"


def prose(page):
    """Texte lu : page et sommaires, sans code, formule, sortie ni script."""
    for skipped in page.select("script, style, pre, code, .math, .headerlink, head, template"):
        skipped.replace_with("x")
    return page.select_one(".bd-container").get_text()


def test_the_built_page_holds_no_ordinary_space_and_no_straight_quote(project):
    for name in ("index", "autre", "suite"):
        text = prose(project.page(name))
        assert not re.findall(r".{0,20}[ \n][;:!?»].{0,9}|.{0,9}«[ \n].{0,9}", text)
        assert not re.findall(r".{0,20}\".{0,9}|.{0,20}[^\W\d_]['”“][^\W\d_].{0,9}", text)


@pytest.mark.parametrize(
    "expected",
    [
        f"L’essai{N}: un titre{T}?",
        f"Une section{N}: l’autre{T}?",
        f"Soit x{N}: suite, x{T}; fin. Et l’x,",
        f"l’italique, d’x, gras{N}: suite",
        "https://exemple.org/a?b=1;c à 10:30",
        f"La légende{N}: l’axe x{T}?",
        f"Passage{N}: tout l’ensemble{T}?",
        f"L’exercice{N}: un{T}?",
        f"L’«{N}autre{N}»{T}; x{T}?",
        f"Partie{N}: l’une{T}?",
        f"Titre{N}: l’explicite",
        f"La suite{N}: l’après{T}?",
        f"L’apprentissage{N}:",
    ],
)
def test_titles_sidebar_captions_and_directives_are_typeset(project, expected):
    assert expected in prose(project.page())


def test_section_titles_are_typeset_in_the_page_contents(project):
    contents = project.page().select_one(".bd-sidebar-secondary").get_text()
    assert f"Une section{N}: l’autre{T}?" in contents


def test_alt_texts_are_typeset(project):
    alts = [image["alt"] for image in project.page().select("article img")]
    assert f"Qu’est-ce{N}: une image{T}?" in alts
    assert f"L’alt{N}: est-ce lui{T}?" in alts


def test_code_and_cell_outputs_are_left_as_typed(project):
    page = project.page()
    assert page.select_one(".cell_output pre").get_text() == "l'essai : brut ?\n"
    assert 'print("l\'essai : brut ?")' in page.select_one("article").get_text()
    assert "un a ? b" in [code.get_text() for code in page.select("p code")]
