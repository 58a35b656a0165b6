"""La bannière des chapitres, le tableau de validation, le tableau des exécutions."""

from datetime import datetime

import nbformat
import pytest
from bs4 import BeautifulSoup

from site_ext.executed import Execution
from site_ext.validation import claims_table, count, french_day, summary

CLAIM = {
    "key": "a", "label": "Exactitude", "text": "0,97 ± 0,01", "bound": "≥ 0,95",
    "criterion": "interval", "values": [0.96, 0.98], "profile": "rapide", "device": "cpu",
}  # fmt: skip
CELL = f"""\
from IPython.display import display
prefix = "application/papermill.record/"
display({{prefix + "text/plain": "'0,97 ± 0,01'"}}, raw=True,
        metadata={{"scrapbook": {{"name": "a", "mime_prefix": prefix}}, "claim": {CLAIM!r}}})"""


def execution(*claims, seconds=34.4, date=datetime(2026, 5, 2, 14, 5)):
    outputs = [
        nbformat.v4.new_output("display_data", metadata={"claim": claim}) for claim in claims
    ]
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    return Execution("chapters/a/un", notebook, date, seconds, "rapide", "empreinte")


@pytest.mark.parametrize(
    ("date", "text"),
    [(datetime(2026, 5, 1), "1er mai 2026"), (datetime(2026, 12, 31), "31 décembre 2026")],
)
def test_dates_are_written_in_french(date, text):
    assert french_day(date) == text


def test_the_summary_says_when_how_and_how_long():
    expected = "exécutée le 2 mai 2026, profil rapide, processeur, 34 s"
    assert summary(execution(CLAIM)) == expected
    assert summary(execution(CLAIM | {"device": "cuda"})).endswith("carte graphique, 34 s")
    assert summary(execution(seconds=0.2)).endswith("1 s")


def test_claims_are_counted_with_their_plural():
    assert count([CLAIM]) == "1 affirmation vérifiée"
    assert count([CLAIM] * 7) == "7 affirmations vérifiées"


def test_the_table_says_what_had_to_hold():
    single = CLAIM | {"values": [0.97], "criterion": "mean"}
    text = claims_table(execution(CLAIM, single)).astext()
    assert "0,97 ± 0,01 (n = 2)" in text
    assert "intervalle à 95 %" in text
    assert text.count("valeur") == 1
    assert "moyenne" not in text


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    from small_book import make_book

    book = make_book(tmp_path_factory.mktemp("validation") / "livre", "execution", "validation")
    book.write_chapter("chapters/un", CELL, prose="Mesuré : {glue:text}`a`.")
    directives = "\n\n".join(f"```{{{name}}}\n```" for name in ("validation", "executions"))
    book.write("chapters/table.md", f"(annexe-validation)=\n# Tableau\n\n{directives}\n")
    book.write_toc("chapters/un", "chapters/deux", "chapters/table")
    built = book.build()
    assert built.code == 0, built.output
    return {
        name: BeautifulSoup(book.page(f"chapters/{name}"), "lxml")
        for name in ("un", "deux", "table")
    }


def test_the_chapter_shows_its_banner_under_its_title(pages):
    banner = pages["un"].select_one(".banniere-execution")
    assert "profil rapide, processeur" in banner.get_text()
    assert banner.select_one("a")["href"].startswith("table.html")
    assert banner.select_one("a").get_text() == "1 affirmation vérifiée"
    assert banner.find_previous(["h1", "h2"]).name == "h1"


def test_a_page_without_claims_has_no_banner(pages):
    assert pages["deux"].select_one(".banniere-execution") is None


def test_the_validation_page_lists_every_claim_with_a_link_to_its_page(pages):
    table = pages["table"].select_one("table.affirmations")
    row = [cell.get_text(strip=True) for cell in table.select("tbody td")]
    assert row == ["Exactitude", "0,97 ± 0,01 (n = 2)", "≥ 0,95", "intervalle à 95 %"]
    assert pages["table"].find("a", href="un.html", string="Chapitre un")
    total = "Dans cette construction : 1 affirmation vérifiée, sur 1 page."
    assert total in pages["table"].get_text()


def test_the_execution_page_lists_every_executed_page(pages):
    rows = pages["table"].select("table.executions tbody tr")
    assert [row.select_one("td").get_text(strip=True) for row in rows] == [
        "Chapitre deux",
        "Chapitre un",
    ]
    assert "rapide" in rows[0].get_text()


def test_the_table_is_named_after_the_title_of_its_page():
    run = execution(CLAIM)
    run.notebook.cells.insert(
        0, nbformat.v4.new_markdown_cell("(chap-a)=\n# Le titre : et la suite\n")
    )
    assert "Affirmations vérifiées : Le titre" in claims_table(run).astext()
    assert "et la suite" not in claims_table(run).astext()
