"""L'anatomie des pages : titres, cellules, figures, exercices, quiz, nombres."""

import itertools
import re
import subprocess
import sys

import jupytext
import nbformat
import pytest
from livre import PAGES, toc_docnames
from prose import prose

from site_ext.controle import check_source
from site_ext.pages import code_cells

REQUIRED = ("Motivation", "Exercices", "Quiz", "À retenir", "Pour aller plus loin")
TAGS = {
    "remove-cell", "hide-input", "hide-output", "raises-exception", "nbval-ignore-output",
    "exercice", "verification", "corrige",
}  # fmt: skip


def headings(text):
    without_cells = re.sub(r"^```\{code-cell\}.*?^```\s*$", "", text, flags=re.S | re.M)
    return [(len(m[1]), m[2].strip()) for m in re.finditer(r"^(#+) (.+)$", without_cells, re.M)]


def test_the_table_of_contents_and_the_files_agree(root):
    files = {
        p.relative_to(root).with_suffix("").as_posix() for p in (root / "chapters").rglob("*.md")
    }
    assert files | {"index"} == set(toc_docnames())


def test_slugs_are_french_ascii_without_numbers(page):
    assert re.fullmatch(r"index|chapters/[a-z]+/[a-z_]+", page.docname)


def test_the_source_has_no_problem(page):
    problems = check_source(page.docname, page.text)
    assert not problems, "\n".join(map(str, problems))


def test_the_page_has_one_title_and_no_skipped_level(page):
    levels = [level for level, _ in headings(page.text)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_titles_are_written_in_french(page):
    for _, title in headings(page.text):
        assert not title.endswith((".", ":")), title
        words = re.findall(r"(?<![-’'])\b[A-ZÀ-Ý][a-zà-ÿ]+", title)
        assert len(words) <= 4, f"Majuscule au premier mot seulement : {title}"


def test_the_chapter_has_its_required_sections_in_order(chapter):
    titles = [title for level, title in headings(chapter.text) if level == 2]
    positions = [titles.index(name) for name in REQUIRED if name in titles]
    assert len(positions) == len(REQUIRED), f"sections trouvées : {titles}"
    assert positions == sorted(positions)


def test_the_chapter_has_its_label_and_its_card(chapter):
    slug = chapter.docname.rsplit("/", 1)[-1].replace("_", "-")
    assert f"(chap-{slug})=" in chapter.text
    assert ":class: fiche" in chapter.text
    for entry in ("Objectifs.", "Prérequis.", "Difficulté", "sur 4", "Durée."):
        assert entry in chapter.text


def test_the_chapter_keeps_its_budget_of_lines_and_cells(chapter):
    n_lines = len(chapter.text.splitlines())
    n_words = len(prose(chapter.text).split())
    cells = list(code_cells(chapter.notebook))
    assert 350 <= n_lines <= 1050  # dont un tiers d'exercices, chacun avec sa solution exécutée
    assert 2000 <= n_words <= 5000
    assert len(cells) >= 12
    too_long = [c.beginning for c in cells if len(c.source.splitlines()) > 24]
    assert not too_long, f"cellules de plus de 24 lignes : {too_long}"


def test_tags_come_from_the_closed_list(page):
    if page.notebook is not None:
        used = {tag for cell in code_cells(page.notebook) for tag in cell.tags}
        assert used <= TAGS


def test_there_is_at_most_one_set_up_cell(chapter):
    assert sum("remove-cell" in cell.tags for cell in code_cells(chapter.notebook)) <= 1


def test_captions_and_alternative_texts_differ_and_have_a_fair_length(chapter):
    for cell in code_cells(chapter.notebook):
        mystnb = cell.metadata.get("mystnb", {})
        if "figure" in mystnb:
            alt, caption = mystnb["image"]["alt"], mystnb["figure"]["caption"]
            assert 20 <= len(alt) <= 250, f"{len(alt)} caractères : {alt}"
            assert alt.strip() != caption.strip()
            assert mystnb["figure"]["name"].startswith("fig-")


def test_every_drawing_cell_declares_its_figure(page, executed):
    if page.notebook is None:
        return
    for cell in executed(page.docname).cells:
        drawn = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        if drawn:
            assert "figure" in cell.metadata.get("mystnb", {}), cell.source
            assert len(drawn) == 1, f"une figure par cellule : {cell.source}"


def test_the_chapter_has_exercises_of_every_level_and_a_real_quiz(chapter):
    for stars in ("★ ", "★★ ", "★★★ "):
        assert re.search(r"\{exercise-start\} " + stars, chapter.text), f"aucun exercice {stars}"
    assert len(re.findall(r"\{exercise-start\}", chapter.text)) >= 6
    assert len(re.findall(r"^:{3,}\{quiz\}", chapter.text, re.M)) >= 4


def test_executed_solutions_end_in_a_strict_check(chapter):
    cells = list(code_cells(chapter.notebook))
    solutions = [c for c in cells if "corrige" in c.tags]
    assert solutions
    for cell in solutions:
        assert "strict=True" in cell.source or "claim(" in cell.source, cell.source


def test_untouched_exercises_are_to_do_in_the_built_page(chapter, executed):
    for cell in executed(chapter.docname).cells:
        if "verification" in cell.metadata.get("tags", []):
            printed = "".join(o.get("text", "") for o in cell.outputs)
            assert "à faire" in printed, f"{cell.source}\n→ {printed}"


def test_no_measured_number_is_typed_by_hand(chapter, executed):
    outputs = [o for cell in executed(chapter.docname).cells for o in cell.get("outputs", [])]
    claims = [o.metadata["claim"] for o in outputs if "claim" in o.get("metadata", {})]
    assert claims, "le chapitre ne mesure rien"
    measured = {n for c in claims for n in re.findall(r"\d+,\d{2,}", c["text"])}
    typed = measured & set(re.findall(r"\d+,\d{2,}", prose(chapter.text)))
    assert not typed, f"nombres mesurés tapés à la main : {sorted(typed)} ; citez-les par glue"


def test_every_claim_is_about_something_the_reader_sees(chapter, executed):
    keys = re.findall(r"\{glue:text\}`([\w-]+)`", chapter.text)
    outputs = [o for cell in executed(chapter.docname).cells for o in cell.get("outputs", [])]
    claims = {o.metadata["claim"]["key"] for o in outputs if "claim" in o.get("metadata", {})}
    assert set(keys) <= claims
    assert len(claims) >= 5


def test_the_page_stays_within_its_time(chapter, executed):
    """En temps de processeur : le temps écoulé dépend des pages exécutées à côté."""
    seconds = executed(chapter.docname).metadata["cours"]["cpu_seconds"]
    assert 0 < seconds <= 120, f"{chapter.docname} : {seconds} s de calcul"


def test_outputs_show_no_memory_address_and_no_path(chapter, executed, root):
    for cell in executed(chapter.docname).cells:
        text = str([o for o in cell.get("outputs", []) if "image/png" not in o.get("data", {})])
        assert not re.search(r"0x[0-9a-f]{6,}", text), cell.source
        assert str(root) not in text


@pytest.fixture(scope="module")
def code_folder(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("code")
    for page in PAGES:
        if page.notebook is not None:
            notebook = jupytext.reads(page.text, fmt="md:myst")
            nbformat.write(notebook, folder / f"{page.docname.rsplit('/', 1)[-1]}.ipynb")
    return folder


def test_the_code_of_the_pages_is_clean(code_folder, root):
    """Ruff ne voit pas les {code-cell} : jupytext les lui montre."""
    ignored = (
        "E402,E741,B018,E731"  # imports au fil de la page, noms mathématiques, valeur affichée
    )
    command = [sys.executable, "-m", "ruff", "check", "--config", root / "pyproject.toml",
               "--extend-ignore", ignored, "--no-cache", code_folder]  # fmt: skip
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
