"""La couverture du programme : la liste, les marques, le tableau."""

import re
from collections import Counter

import pytest
from bs4 import BeautifulSoup

from site_ext.couverture import (
    chapter_titles,
    check_programme,
    coverage,
    programme,
    programme_marks,
)

PAGE = """\
(chap-a)=
# Un chapitre
% programme: 002-17

(sec-a)=
## Une section
% programme: 002-18 002-19

````md
(sec-exemple)=
## Un exemple cité
% programme: 999-99
````

## Sans étiquette
% programme: 002-20
"""


def test_the_programme_has_every_item_once_in_its_chapter():
    items = programme()
    assert len(items) == 376
    assert Counter(key[:3] for key in items) == {
        "000": 28, "001": 40, "002": 86, "003": 93, "004": 129,
    }  # fmt: skip
    assert list(chapter_titles()) == [f"C{number:02}" for number in range(18)]
    per_chapter = Counter(item.chapter for item in items.values())
    assert (per_chapter["C03"], per_chapter["C06"], per_chapter["C09"]) == (14, 35, 42)


def test_titles_are_short_and_free_of_the_mistakes_of_the_sources():
    for item in programme().values():
        assert 3 <= len(item.title) <= 115, item
        assert not re.search(r"⚠|\bsic\b|OCR|`|\*\w", item.title), item
        assert item.title[-1] not in ".…;", item


def test_marks_take_the_label_of_their_section_and_skip_quoted_code():
    marks = [(mark.label, mark.keys) for mark in programme_marks(PAGE)]
    assert marks == [("chap-a", ("002-17",)), ("sec-a", ("002-18", "002-19")), ("", ("002-20",))]


def test_an_unknown_item_and_an_unlabelled_section_are_problems():
    messages = [problem.message for problem in check_programme("a", PAGE.replace("2-19", "2-99"))]
    assert messages == [
        "élément du programme inconnu « 002-99 ».",
        "« % programme: » sous une section sans étiquette.",
    ]


def test_coverage_gathers_the_sections_of_an_item_without_repeating_them():
    other = "(sec-b)=\n## Autre\n% programme: 002-17, 002-17\n"
    found = coverage({"a": PAGE, "b": other})
    assert found["002-17"] == [("a", "chap-a"), ("b", "sec-b")]
    assert found["002-18"] == [("a", "sec-a")]
    assert "002-20" not in found
    assert "999-99" not in found


@pytest.mark.slow
def test_the_page_counts_links_and_follows_the_other_pages(new_book):
    book = new_book()
    book.write("couverture.md", "(annexe-couverture)=\n# Couverture\n\n```{couverture}\n```\n")
    prose = "(sec-un)=\n## Le neurone\n% programme: 002-17 002-18\n\nDu texte."
    book.write_chapter("chapters/un", prose=prose)
    book.write_toc("chapters/un", "couverture")
    assert book.build().code == 0
    page = BeautifulSoup(book.page("couverture"), "html.parser")
    assert "Éléments traités : 2 sur 376." in page.text
    tables = page.find_all("table", class_="couverture")
    assert len(tables) == 18
    c03 = next(table for table in tables if "C03" in table.caption.text)
    assert "2 sur 14" in c03.caption.text
    assert [cell.text for cell in c03.find_all("th")] == ["Élément", "Intitulé", "Sections"]
    row = next(row for row in c03.find_all("tr") if "002-17" in row.text)
    assert row.a["href"] == "chapters/un.html#sec-un"
    assert row.a.text == "Le neurone"
    assert "à venir" in c03.text

    book.replace("chapters/un.md", "002-17 002-18", "002-17")
    assert book.build().code == 0
    assert "Éléments traités : 1 sur 376." in book.page("couverture")
