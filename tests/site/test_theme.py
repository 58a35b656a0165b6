"""Les corrections du HTML, une à une sur de petits extraits, puis sur tout le site bâti."""

import functools
import itertools
import re
import struct
import zlib

import pytest
from browser import NO_SITE, SITE, page_names
from bs4 import BeautifulSoup
from pybtex.database import parse_string
from pybtex.plugin import find_plugin
from pygments.styles import get_style_by_name

from site_ext import amend_article as article
from site_ext import amend_interface as interface
from site_ext import theme
from site_ext.bibliographie import FrenchStyle

PAGES = page_names()
INTERFACE_WORDS = re.compile(
    r"\b(About|Back to|Breadcrumbs?|By the|Click|Close|Collapse|Contents|Copied|Copy|Created using|Dark|"
    r"Download|Edit|Expand|Exercise|Fullscreen|Hide|Home|Last updated|Launch|Light|Loading|Main|Next|"
    r"Open issue|Permalink|Previous|Print|Proof|Repository|Search|Searching|Show|Skip to|Solution to|"
    r"Suggest|System Settings|Table of|Theme|Toggle|View|Warning|Open in|next page|previous page)\b"
)


def parse(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def write_png(path, width, height, dpi=None):
    """Écrit l'en-tête d'une image PNG, avec sa résolution si on la donne."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    density = round(dpi / 0.0254) if dpi else 0
    resolution = chunk(b"pHYs", struct.pack(">IIB", density, density, 1)) if dpi else b""
    path.write_bytes(theme.PNG_SIGNATURE + header + resolution)
    return path


# --- l'interface -------------------------------------------------------------------------------


def test_scripts_that_the_page_does_not_need_are_dropped_and_the_others_wait():
    soup = parse(
        '<html><head><script src="_static/scripts/fontawesome.js?digest=1"></script>'
        '<script src="_static/documentation_options.js"></script><script src="_static/doctools.js">'
        '</script><script src="_static/searchtools.js"></script>'
        '<link rel="preload" as="script" href="_static/scripts/bootstrap.js">'
        '<link rel="stylesheet" href="_static/katex/katex.css"></head>'
        '<body><span class="katex"></span></body></html>'
    )
    interface.amend_head(soup)
    assert [script["src"] for script in soup.select("script[src]")] == [
        "_static/documentation_options.js",
        "_static/doctools.js",
    ]
    assert [script.has_attr("defer") for script in soup.select("script")] == [False, True]
    assert soup.select_one("link[rel=preload]") is None
    assert soup.select_one("link[href$='katex.css']") is not None
    assert soup.html["data-theme"] == "light"


def test_search_page_keeps_its_scripts_in_their_order():
    soup = parse(
        '<head><script src="_static/searchtools.js"></script><script src="searchindex.js"></script>'
        '<link rel="stylesheet" href="_static/katex/katex.css"></head><div id="search-results"></div>'
    )
    interface.amend_head(soup)
    assert len(soup.select("script[src]:not([defer])")) == 2
    assert soup.select_one("link") is None


def test_icons_are_ours_and_silent():
    soup = parse(
        '<i class="fa-solid fa-moon fa-lg theme-switch" data-mode="dark" title="Dark"></i>'
    )
    interface.amend_icons(soup)
    icon = soup.span
    assert icon["class"] == ["icone", "icone-lune", "theme-switch"]
    assert (icon["aria-hidden"], icon["data-mode"], icon.get("title")) == ("true", "dark", None)


def test_an_icon_that_is_not_drawn_stops_the_build():
    with pytest.raises(ValueError, match=r"fa-dragon.*non dessinée"):
        interface.amend_icons(parse('<i class="fas fa-dragon"></i>'))


def test_every_icon_is_drawn_in_the_stylesheet():
    css = (theme.Path(theme.__file__).parents[1] / "_static" / "cours.css").read_text("utf-8")
    for name in interface.ICONS.values():
        assert f".icone-{name} {{ --icone: url(" in css


def test_words_are_translated_outside_the_article_only():
    soup = parse(
        '<nav aria-label="Main">Recherche</nav><article><b title="Main">Page</b></article>'
    )
    interface.amend_language(soup)
    assert (soup.nav["aria-label"], soup.nav.text) == ("Chapitres", "Rechercher")
    assert (soup.b["title"], soup.b.text) == ("Main", "Page")


def test_code_fold_is_named_by_its_visible_text():
    soup = parse(
        '<details class="hide"><summary aria-label="Toggle hidden content">'
        '<p class="collapsed">Afficher le code</p></summary></details>'
    )
    interface.amend_names(soup)
    assert soup.summary.get("aria-label") is None
    assert soup.summary.span.text == "Afficher le code"


def test_folded_menu_entry_says_what_it_unfolds():
    soup = parse(
        '<nav><ul><li class="has-children"><a>Fondations</a><details><summary>'
        "<span></span></summary></details></li></ul></nav>"
    )
    interface.amend_names(soup)
    assert soup.summary["aria-label"] == "Déplier « Fondations »"


def test_launch_menu_works_without_a_script():
    soup = parse(
        '<div class="article-header-buttons"><div class="dropdown"><button aria-label="Lancer">'
        '<span class="icone"></span></button><ul class="dropdown-menu"><li>'
        '<a href="https://colab.research.google.com/x" target="_blank" title="x">Colab</a></li><li>'
        '<a href="carnets/x.ipynb">Carnet</a></li></ul></div></div>'
    )
    interface.amend_menus(soup)
    assert soup.details.summary["aria-label"] == "Lancer"
    assert [link.attrs for link in soup.find_all("a")] == [
        {"href": "https://colab.research.google.com/x", "rel": "noopener"},
        {"href": "carnets/x.ipynb", "download": ""},
    ]


def test_landmarks_are_named_and_the_title_is_not_doubled():
    soup = parse(
        '<header id="pst-header"></header><div id="pst-primary-sidebar"><a class="logo">'
        '<img alt="Accueil"><img alt="Accueil"><p>Cours</p></a></div>'
        '<main><div id="jb-print-docs-body"><h1>T</h1></div><h1>T</h1></main>'
    )
    interface.amend_landmarks(soup)
    assert len(soup.select("h1")) == 1
    assert soup.header.has_attr("hidden")
    assert soup.select_one("#pst-primary-sidebar")["role"] == "complementary"
    assert [image["alt"] for image in soup.find_all("img")] == [""]


def test_footer_links_to_the_accessibility_page():
    soup = parse('<footer class="bd-footer"></footer>')
    interface.amend_footer(soup, "../annexes/accessibilite.html")
    assert soup.footer.a["href"] == "../annexes/accessibilite.html"
    assert "CC BY 4.0" in soup.footer.text


# --- l'article ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", article.CELL_LABELS)
def test_special_cells_say_in_words_what_they_are(tag):
    soup = parse(f'<div class="cell {tag}"><pre></pre></div><div class="cell"><pre></pre></div>')
    article.amend_cells(soup)
    labels = [line.text for line in soup.select("div.cell > p.etiquette-cellule:first-child")]
    assert labels == [article.CELL_LABELS[tag]]


def exercise(title: str) -> str:
    return (
        '<div class="exercise admonition"><p class="admonition-title">'
        f'<span class="caption-number">Exercice 1.2 </span>{title}</p></div>'
    )


SOLUTION = (
    '<div class="solution dropdown admonition"><p class="admonition-title">Solution</p></div>'
)


def test_solution_names_its_exercise_with_an_elision():
    soup = parse(exercise(" (Un titre)") + SOLUTION)
    article.amend_exercises(soup)
    assert soup.select_one(".solution").text == "Solution de l’exercice\u00a01.2"


@pytest.mark.parametrize(("stars", "level"), [("★", 1), ("★★", 2), ("★★★", 3)])
def test_difficulty_is_read_in_words(stars, level):
    soup = parse(exercise(f" ({stars} Le neurone <em>et</em> (suite))"))
    article.amend_exercises(soup)
    title = " ".join(soup.p.text.split())
    assert title == f"Exercice 1.2 Le neurone et (suite) {stars}(difficulté {level} sur 3)"
    assert soup.select_one(".difficulte [aria-hidden]").text == stars


def test_exercise_without_title_or_stars_is_left_alone():
    soup = parse(exercise(""))
    article.amend_exercises(soup)
    assert soup.p.text.strip() == "Exercice 1.2"


def test_proofs_are_french_and_share_no_identifier():
    soup = parse(
        '<div class="proof admonition" id="proof"><p>Proof. On majore Proof. x</p></div>' * 2
    )
    article.amend_proofs(soup)
    assert [box.text for box in soup.select("div")] == ["Démonstration. On majore Proof. x"] * 2
    assert soup.select("#proof") == []


def test_wrappers_of_boxes_share_no_identifier():
    soup = parse('<section id="exercise-content"></section><section id="sec-a"></section>' * 2)
    article.amend_wrappers(soup)
    assert [(box.name, box.get("id")) for box in soup] == [("div", None), ("section", "sec-a")] * 2


def test_dropdown_boxes_fold_without_a_script():
    soup = parse(SOLUTION)
    article.amend_folds(soup)
    assert soup.details.summary.text == "Solution"


def test_tables_say_the_scope_of_their_headers_and_their_name():
    soup = parse(
        "<article><h2>Résultats<a class='headerlink'>#</a></h2><table><thead><tr><th>A</th></tr></thead>"
        "<tbody><tr><th>B</th><td>1</td></tr></tbody></table>"
        "<table><caption>Erreurs par graine</caption></table></article>"
    )
    article.amend_tables(soup)
    assert [header["scope"] for header in soup.find_all("th")] == ["col", "row"]
    boxes = soup.select("div.pst-scrollable-table-container[role=group]")
    assert [box["aria-label"] for box in boxes] == ["Tableau : Résultats", "Erreurs par graine"]


def test_empty_corner_of_a_table_is_no_header():
    soup = parse(
        "<article><table><thead><tr><th><p></p></th><th>A</th></tr></thead></table></article>"
    )
    article.amend_tables(soup)
    assert [(cell.name, cell.get("scope")) for cell in soup.tr] == [("td", None), ("th", "col")]


def test_header_made_of_a_formula_has_a_text():
    formula = (
        '<span class="katex"><span class="katex-mathml"><math><mi>C</mi><annotation>\\C</annotation>'
        '</math></span><span class="katex-html" aria-hidden="true">C</span></span>'
    )
    soup = parse(f"<article><table><tbody><tr><th>{formula}</th></tr></tbody></table></article>")
    article.amend_tables(soup)
    assert soup.select_one("th > .lecture-seule").text == "C"
    assert soup.select_one("th > .katex")["aria-hidden"] == "true"


def test_figures_are_lazy_and_have_their_size_unless_given():
    soup = parse(
        '<article><img src="a.png"><img src="b.png" width="50"></article><img src="c.png">'
    )
    article.amend_figures(soup, lambda source: (320, 200))
    first, second, logo = soup.find_all("img")
    assert (first["loading"], first["width"], first["height"]) == ("lazy", "320", "200")
    assert (second["width"], second.get("height")) == ("50", None)
    assert logo.attrs == {"src": "c.png"}


def test_bibliography_is_a_list_of_items():
    soup = parse('<div class="citation-list" role="list"><div class="citation" role="doc-biblioentry">'
                 '<a role="doc-backlink">1</a></div></div>')  # fmt: skip
    article.amend_bibliography(soup)
    assert soup.select_one(".citation")["role"] == "listitem"
    assert soup.a.get("role") is None


def test_english_words_are_marked_when_known_or_declared():
    soup = parse(
        "<article><em>Learning\n rate</em><em>époque</em><span class='en'>x</span></article>"
    )
    article.amend_english(soup, frozenset({"learning rate"}))
    assert [element.get("lang") for element in soup.article] == ["en", None, "en"]


def test_terms_are_lower_case_and_no_french_word_is_among_them():
    terms = theme.english_terms()
    assert {"learning rate", "batch", "dropout"} <= terms
    assert not {"convergence", "poids", "biais", "époque"} & terms
    assert all(term == term.lower() for term in terms)


def test_the_visual_part_of_a_formula_goes_through_untouched():
    from site_ext.mathematiques import mark_visual, render

    formula = render([(r"\frac{a}{b}", True), ("x", False)])
    marked = [mark_visual(part["html"]) for part in formula]
    assert all(part.count("formule-->") == 2 for part in marked)
    page = f"<!DOCTYPE html><html><body><p>{marked[0]} et {marked[1]}</p></body></html>"
    amended = theme.amend_page(page)
    for part in formula:
        visual = part["html"].split('aria-hidden="true">', 1)[1]
        assert visual in amended


# --- fichiers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dpi", "size"), [(144, (854, 533)), (72, (1281, 800)), (None, (1281, 800))]
)
def test_figures_of_the_course_are_shown_at_96_dpi(tmp_path, dpi, size):
    assert theme.png_display_size(write_png(tmp_path / "a.png", 1281, 800, dpi)) == size


def test_a_file_that_is_no_png_has_no_size(tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    assert theme.png_display_size(tmp_path / "a.svg") is None
    assert theme.png_display_size(tmp_path / "absent.png") is None


def test_icon_rules_and_fonts_leave_the_stylesheet():
    css = (
        'a{color:red}.fa-moon{--fa:"x"}.a,.fa-b:before{top:0}@font-face{font-family:F;'
        "src:url(../vendor/fontawesome/f.woff2)}@font-face{font-family:G;src:url(g.woff2)}p{top:0}"
    )
    kept = "a{color:red}@font-face{font-family:G;src:url(g.woff2)}p{top:0}"
    assert theme.lighten_css(css) == kept


def test_search_reads_the_article_and_each_formula_once():
    script = "; ".join(theme.SEARCH_PATCHES)
    patched = theme.patch_search(script)
    assert "role=" not in patched
    assert ".katex-mathml" in patched
    with pytest.raises(ValueError, match=r"searchtools\.js a changé"):
        theme.patch_search("autre script")


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_code_colors_have_enough_contrast_on_their_background(mode):
    root = theme.Path(theme.__file__).parents[1]
    config = (root / "_config.yml").read_text("utf-8")
    css = (root / "_static" / "cours.css").read_text("utf-8")
    style = re.search(rf"pygments_{mode}_style: (\S+)", config)[1]
    block = css.split(f'html[data-theme="{mode}"] {{')[1].split("}")[0]
    background = re.search(r"--pst-color-surface: #(\w{6})", block)[1]
    for token, look in get_style_by_name(style):
        if look["color"]:
            low, high = sorted((luminance(look["color"]), luminance(background)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, token


# --- bibliographie -----------------------------------------------------------------------------

ENTRIES = """
@book{a, author={Minsky, Marvin and Papert, Seymour and others}, title={Perceptrons}, publisher={MIT Press},
 year={1969}, month={jun}, edition={2e}}
@phdthesis{b, author={Untel, Jean}, title={Une thèse}, school={Lyon}, year={2001}}
@incollection{c, author={Un, A. and Deux, B. and Trois, C.}, title={ADALINE}, booktitle={Recueil},
 chapter={3}, pages={1--20}, publisher={X}, year={2000}, editor={Six, F.}, url={https://exemple.fr}}
"""


def test_references_are_written_in_french():
    formatted = FrenchStyle().format_bibliography(parse_string(ENTRIES, "bibtex"))
    backend = find_plugin("pybtex.backends", "plaintext")()
    texts = {entry.key: entry.text.render(backend) for entry in formatted}
    assert texts == {
        "a": "Marvin Minsky, Seymour Papert et coll. Perceptrons. MIT Press, 2e édition, 1969.",
        "b": "Jean Untel. Une thèse. Thèse de doctorat, Lyon, 2001.",
        "c": "A. Un, B. Deux et C. Trois. ADALINE. In F. Six (dir.), Recueil, chapitre 3, "
        "pages 1–20. X, 2000. https://exemple.fr.",
    }


# --- le site bâti ------------------------------------------------------------------------------


@functools.cache
def parse_page(name: str) -> BeautifulSoup:
    """Analyse une page du site une seule fois : les tests la lisent sans la modifier."""
    return parse((SITE / name).read_text("utf-8"))


@pytest.fixture
def page(request) -> BeautifulSoup:
    """Une page du site bâti ; le test échoue, sans être sauté, si le site manque."""
    if not (SITE / request.param).is_file():
        pytest.fail(NO_SITE, pytrace=False)
    return parse_page(request.param)


every_page = pytest.mark.parametrize("page", PAGES, indirect=True)


@every_page
def test_no_english_interface_word_remains(page):
    texts = [
        text.strip()
        for element in page.body.find_all(
            ["a", "button", "p", "span", "summary", "figcaption", "label"]
        )
        for text in element.find_all(string=True, recursive=False)
        if not element.find_parent(["pre", "code", "math", "h1", "h2", "h3"])
        and not element.find_parent(class_=["citation", "katex"])
        and not element.find_parent(lang="en")
    ]
    names = [element[name] for name in interface.NAMING_ATTRIBUTES
             for element in page.find_all(attrs={name: True})]  # fmt: skip
    names = [name for name in names if "doi:" not in name]  # infobulle d'un renvoi : une référence
    # un mot d'interface est un texte court ; une phrase du cours peut nommer un bouton anglais
    short = [text for text in texts if len(text.split()) <= 6]
    assert [text for text in short + names if INTERFACE_WORDS.search(text)] == []


@every_page
def test_authors_of_a_reference_are_joined_in_french(page):
    references = [entry.p.get_text() for entry in page.select(".citation")]
    # jusqu'au premier point qui ne suit pas une initiale : les auteurs
    english = re.compile(r"(?:[^.]|\b[A-Z]\.)*?\band [A-Z]")
    assert [text for text in references if english.match(text)] == []


@every_page
def test_page_speaks_french_and_has_one_title_without_a_gap_below_it(page):
    assert page.html["lang"] == "fr"
    levels = [int(heading.name[1]) for heading in page.select("h1, h2, h3, h4, h5, h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


@every_page
def test_identifiers_are_unique(page):
    identifiers = [element["id"] for element in page.find_all(id=True)]
    assert len(identifiers) == len(set(identifiers))


@every_page
def test_figures_are_described_sized_and_lazy(page):
    for image in page.select("article img"):
        assert 20 <= len(image["alt"]) <= 250, image["src"]
        assert image["loading"] == "lazy"
        assert int(image["width"]) > 0, image["src"]


def test_titles_of_pages_differ():
    if not (SITE / "index.html").is_file():
        pytest.fail(NO_SITE, pytrace=False)
    titles = [parse_page(name).title.text for name in PAGES]
    assert len(titles) == len(set(titles))
