"""Questions : HTML construit, erreurs d'auteur, puis usage réel dans Chromium."""

import re
from pathlib import Path

import pytest
from browser import launch
from playwright.sync_api import sync_playwright
from small_project import build

EXTENSIONS = ("site_ext.typographie", "site_ext.mathematiques", "site_ext.quiz")
PAGE = r"""
# Page

:::{quiz} quiz-echelle
Si l'on double tous les poids **et** le biais, que devient $2z = 0$ ?

```python
z = 2 * (x @ w + b)
```

- [ ] Elle s'éloigne de l'origine. — Non : $2z = 0$ a les *mêmes* solutions.
- [x] Elle ne bouge pas ; la sortie change.
  — Oui : même droite.
- [ ] Elle suit ce code :

  ```python
  w = 1
  ```

  — Non, voyez `w` :

  $$ 2z = 0 $$
:::

:::{quiz} quiz-premiers
Lesquels sont premiers ?
- [x] $2$ — Oui.
- [x] `3` — Oui, *vraiment*.
- [ ] $4$ — Non !
:::

Voir {ref}`quiz-premiers`.
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("quiz"), {"index.md": PAGE}, *EXTENSIONS)
    assert built.code == 0, built.output
    return built


@pytest.fixture(scope="module")
def forms(project):
    return project.page().select("form.quiz")


def test_each_answer_is_a_labelled_field_inside_a_named_group(forms):
    for form in forms:
        legend = form.select_one("fieldset > legend").get_text()
        assert re.match(r"Question \d ", legend)
        for option in form.select(".quiz-options > li"):
            assert len(option.select("label input")) == 1
            assert option.select_one("label").get_text(strip=True)
    assert [form["id"] for form in forms] == ["quiz-echelle", "quiz-premiers"]


def test_one_right_answer_gives_radios_and_several_give_checkboxes(forms):
    kinds = [{field["type"] for field in form.select("input")} for form in forms]
    assert kinds == [{"radio"}, {"checkbox"}]
    assert [
        [option["data-correct"] for option in form.select("[data-correct]")] for form in forms
    ] == [
        ["false", "true", "false"],
        ["true", "true", "false"],
    ]
    assert "Plusieurs réponses" not in forms[0].get_text()
    assert "Plusieurs réponses sont possibles." in forms[1].get_text()


def test_answers_are_explained_in_a_closed_disclosure(forms):
    details = forms[0].select_one("details")
    assert "open" not in details.attrs
    assert details.summary.get_text(strip=True) == "Réponses expliquées"
    explanations = [item.get_text(" ", strip=True) for item in details.select("ol > li")]
    assert [text.split()[0] for text in explanations] == ["Faux.", "Juste.", "Faux."]
    assert "même droite" in explanations[1]
    assert "même droite" not in forms[0].fieldset.get_text()
    assert "—" not in forms[0].get_text()
    assert "[x]" not in forms[0].get_text()


def test_code_and_formulas_are_allowed_everywhere(forms):
    assert forms[0].select_one("legend math")
    assert forms[0].select("fieldset > .highlight-python")
    assert forms[0].select(".quiz-options > li > .highlight-python")
    assert forms[0].select("details li .katex-display")
    assert forms[1].select_one("label code")
    assert forms[1].select_one("label math")


def test_a_reference_shows_the_number_of_the_question(project):
    link = project.page().select_one('article a[href="#quiz-premiers"].reference')
    assert link.get_text() == "Question 2"


@pytest.mark.parametrize(("builder", "name"), [("text", "index.txt"), ("latex", "*.tex")])
def test_text_and_latex_write_plain_lists(project, builder, name):
    built = build(project.root, {"index.md": PAGE}, *EXTENSIONS, builder=builder)
    assert built.code == 0, built.output
    text = next(built.path(builder).glob(name)).read_text(encoding="utf-8")
    for words in ("Question 1", "ne bouge pas", "Réponses expliquées", "même droite"):
        assert words in text


GOOD = "- [x] Oui. — Car oui.\n- [ ] Non. — Car non.\n"
WRONG = {
    "aucune bonne réponse": ":::{quiz} quiz-a\nQui ?\n- [ ] Moi. — Non.\n- [ ] Toi. — Non.\n:::",
    "n'est pas expliquée": ":::{quiz} quiz-b\nQui ?\n- [x] Moi.\n- [ ] Toi. — Non.\n:::",
    "doit commencer par « [ ] »": ":::{quiz} quiz-c\nQui ?\n- Moi. — Oui.\n- [x] Toi. — Oui.\n:::",
    "au moins deux réponses": ":::{quiz} quiz-d\nQui ?\n- [x] Moi. — Oui.\n:::",
    "écrivez la question": f":::{{quiz}} quiz-e\n{GOOD}:::",
    "par la liste des réponses": f":::{{quiz}} quiz-f\nQui ?\n\n{GOOD}\nFin.\n:::",
    "l'identifiant s'écrit": f":::{{quiz}} Quiz_É\nQui ?\n{GOOD}:::",
    "identifiant déjà pris dans zbis": (
        f":::{{quiz}} quiz-g\nQui ?\n{GOOD}:::\n\n:::{{quiz}} quiz-g\nQui ?\n{GOOD}:::"
    ),
    "dire sa réponse en mots": (":::{quiz} quiz-h\nQui ?\n- [x] — Oui.\n- [ ] Toi. — Non.\n:::"),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """Une page par faute ; chaque directive fautive est à la ligne 3."""
    pages = {f"z{i}.md": f"# Page\n\n{text}\n" for i, text in enumerate(WRONG.values())}
    pages = {
        ("zbis.md" if "déjà pris" in message else name): text
        for (name, text), message in zip(pages.items(), WRONG, strict=True)
    }
    index = "# Accueil\n\n```{toctree}\n:glob:\nz*\n```\n"
    return build(tmp_path_factory.mktemp("fautes"), {"index.md": index, **pages}, "site_ext.quiz")


@pytest.mark.parametrize("message", WRONG)
def test_an_ill_written_quiz_warns_in_french_with_page_and_line(wrong, message):
    assert wrong.code != 0
    line = next(line for line in wrong.output.splitlines() if message in line)
    assert re.search(r"z\w+\.md:\d+: WARNING: quiz « \S+ » : ", line)


def test_the_tasklist_extension_is_refused_with_the_remedy(tmp_path):
    pages = {"index.md": f"# Page\n\n:::{{quiz}} quiz-a\nQui ?\n{GOOD}:::\n"}
    enabled = ["colon_fence", "tasklist"]
    built = build(tmp_path, pages, "site_ext.quiz", myst_enable_extensions=enabled)
    assert built.code != 0
    assert "retirez « tasklist »" in built.output


def test_rebuilding_a_page_does_not_call_its_own_names_duplicates(tmp_path):
    text = f"# Page\n\n:::{{quiz}} quiz-a\nQui ?\n{GOOD}:::\n"
    for source in (text, text + "\nUn mot de plus.\n"):
        built = build(tmp_path, {"index.md": source}, "site_ext.quiz")
        assert built.code == 0, built.output


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright, launch(playwright) as instance:
        yield instance


@pytest.fixture
def page(browser, project):
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(Path(project.path("html/index.html")).as_uri())
    yield opened
    context.close()


def test_a_wrong_then_a_right_answer_are_judged_and_explained(page):
    form = page.locator("#quiz-echelle")
    result = form.locator("[role=status]")
    form.get_by_label("s’éloigne").check()
    form.get_by_role("button", name="Vérifier").click()
    assert "Pas encore" in result.inner_text()
    assert "mêmes" in result.inner_text()
    assert "même droite" not in result.inner_text()
    form.get_by_label("ne bouge pas").check()
    assert result.inner_text() == ""
    form.get_by_role("button", name="Vérifier").click()
    assert "Bonne réponse." in result.inner_text()
    assert "même droite" in result.inner_text()


def test_several_answers_must_all_be_found(page):
    form = page.locator("#quiz-premiers")
    result, check = form.locator("[role=status]"), form.get_by_role("button", name="Vérifier")
    check.click()
    assert "Choisissez" in result.inner_text()
    form.locator("input").nth(0).check()
    check.click()
    assert "incomplet" in result.inner_text()
    form.locator("input").nth(1).check()
    check.click()
    assert "Bonnes réponses." in result.inner_text()
    form.locator("input").nth(2).check()
    check.click()
    assert "Pas encore" in result.inner_text()


def test_the_keyboard_alone_is_enough_and_focus_is_visible(page):
    form = page.locator("#quiz-echelle")
    form.locator("input").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert "Bonne réponse." in form.locator("[role=status]").inner_text()
    names = []
    for _ in range(2):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert names == ["Vérifier", "Recommencer"]
    page.keyboard.press("Space")
    assert form.locator("[role=status]").inner_text() == ""
    assert form.locator("input:checked").count() == 0
    assert page.evaluate("document.activeElement.type") == "radio"


def test_without_javascript_and_on_paper_only_the_folded_answers_remain(browser, project, page):
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(Path(project.path("html/index.html")).as_uri())
    page.emulate_media(media="print")
    for opened in (plain, page):
        form = opened.locator("#quiz-echelle")
        assert not form.locator("input").first.is_visible()
        assert not form.get_by_role("button").first.is_visible()
        assert form.get_by_text("Réponses expliquées").is_visible()
        assert not form.get_by_text("même droite").first.is_visible()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_nothing_to_say(page, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    for form in page.locator("form.quiz").all():
        form.locator("input").first.check()
        form.get_by_role("button", name="Vérifier").click()
    violations = axe.run(page, context="form.quiz").response["violations"]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in violations] == []
