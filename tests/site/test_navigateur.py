"""Chaque page du site bâti, dans un vrai navigateur : en clair, en sombre, sur un téléphone."""

import re

import pytest
from browser import MODES, SITE, launch, page_names, require_site, serve, visit
from playwright.sync_api import sync_playwright

MAX_WEIGHT = 450_000  # octets comprimés, sans les figures
NARROWEST = 320  # pixels : la largeur où WCAG 2.1 demande de ne pas défiler
THEME = "document.documentElement.dataset.theme"
PAGES = page_names()
CHAPTERS = [name for name in PAGES if re.match(r"chapters/(?!annexes/)", name)]


@pytest.fixture(scope="module")
def address():
    """Adresse du site, servi sur cette machine."""
    require_site()
    with serve(SITE) as url:
        yield url


@pytest.fixture(scope="module")
def browser(address):
    """Un seul navigateur par processus de test."""
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


def page_with(excerpt: str) -> str:
    """Rend le premier chapitre dont le HTML contient cet extrait."""
    found = [name for name in CHAPTERS if excerpt in (SITE / name).read_text("utf-8")]
    assert found, f"Aucun chapitre du site ne contient {excerpt}."
    return found[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_silent_local_complete_and_accessible(browser, address, name, mode):
    with visit(browser, address + name, mode) as opened:
        assert opened.page.evaluate(THEME) == MODES[mode][1]
        opened.unfold()
        assert opened.broken_images() == []
        assert opened.horizontal_overflow() <= 0
        if mode == "telephone":
            opened.page.set_viewport_size({"width": NARROWEST, "height": 800})
            assert opened.horizontal_overflow() <= 0
            opened.page.set_viewport_size({"width": 390, "height": 900})
        assert opened.accessibility_violations() == []
        assert opened.errors == []
        assert opened.foreign == []
        assert opened.failures() == []


@pytest.mark.parametrize("name", PAGES)
def test_page_without_its_figures_is_light(browser, address, name):
    with visit(browser, address + name) as opened:
        opened.unfold()
        opened.page.wait_for_load_state("networkidle")
        weight = opened.gzip_weight()
    heaviest = sorted(weight.items(), key=lambda item: -item[1])[:5]
    assert any("/cours.css" in url for url in weight), "aucune feuille de style reçue"
    assert sum(weight.values()) <= MAX_WEIGHT, heaviest


def test_links_of_the_menu_and_of_the_page_foot_lead_somewhere(browser, address):
    with visit(browser, address + "index.html") as opened:
        page = opened.page
        page.click(f"nav.bd-docs-nav a[href='{CHAPTERS[0]}']")
        page.wait_for_url(f"**/{CHAPTERS[0]}")
        assert page.locator("nav.bd-docs-nav a.current").count() == 1
        page.click(".right-next")
        page.wait_for_load_state("networkidle")
        assert not page.url.endswith(CHAPTERS[0])
        page.click("footer.bd-footer a:has-text('Accessibilité')")
        page.wait_for_url("**/annexes/accessibilite.html")
        assert opened.failures() == []


def test_keyboard_reaches_the_content_first(browser, address):
    with visit(browser, address + CHAPTERS[0]) as opened:
        page = opened.page
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent.trim()")
        assert focused == "Passer au contenu principal"
        page.keyboard.press("Enter")
        assert page.url.endswith("#main-content")


def test_search_answers_a_french_query_in_french(browser, address):
    with visit(browser, address + "index.html") as opened:
        page = opened.page
        page.keyboard.press("Control+k")
        page.keyboard.type("perceptron")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=perceptron")
        found = page.locator("#search-results ul.search a[href*='perceptron']")
        found.first.wait_for()
        page.locator("#search-results .search-summary", has_text="Recherche terminée").wait_for()
        text = page.locator("#search-results").inner_text()
        assert not re.search(r"\b(Search|Searching|found|matching|Results)\b", text)
        assert opened.errors == []


def test_search_understands_accents_and_plurals(browser, address):
    with visit(browser, address + "search.html?q=ex%C3%A9cut%C3%A9es") as opened:
        opened.page.locator("#search-results ul.search a").first.wait_for()


def test_copy_button_copies_the_cell(browser, address):
    permissions = ["clipboard-read", "clipboard-write"]
    name = page_with('class="cell_input')
    with visit(browser, address + name, permissions=permissions) as opened:
        page = opened.page
        button = page.locator("div.cell_input button.copybtn:visible").first
        button.focus()
        page.wait_for_function("getComputedStyle(document.activeElement).opacity === '1'")
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('button.copybtn.success')")
        code = button.evaluate("(element) => element.parentElement.querySelector('pre').innerText")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.strip() == code.strip() != ""
        assert "Copié" in button.get_attribute("data-tooltip")


@pytest.mark.parametrize("correct", [True, False])
def test_quiz_is_answered_with_the_keyboard_alone(browser, address, correct):
    with visit(browser, address + page_with('type="radio"')) as opened:
        page = opened.page
        form = page.locator("form.quiz[data-ready]:has(input[type=radio])").first
        options = form.locator(".quiz-options > li")
        states = options.evaluate_all("(items) => items.map((item) => item.dataset.correct)")
        options.nth(0).locator("input").focus()
        page.keyboard.press("Space")
        for _ in range(states.index("true" if correct else "false")):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        result = form.locator(".quiz-result")
        result.locator("p").first.wait_for()
        assert result.inner_text().startswith("Bonne réponse" if correct else "Pas encore")


def test_theme_button_changes_the_theme_for_good(browser, address):
    with visit(browser, address + CHAPTERS[0]) as opened:
        page = opened.page
        seen = {page.evaluate(THEME)}
        for _ in range(2):
            page.click(".theme-switch-button")
            seen.add(page.evaluate(THEME))
        assert seen == {"light", "dark"}
        chosen = page.evaluate(THEME)
        page.reload()
        assert page.evaluate(THEME) == chosen


def test_folded_code_opens_with_the_keyboard(browser, address):
    with visit(browser, address + page_with('details class="admonition hide')) as opened:
        summary = opened.page.locator("details.hide > summary").first
        assert summary.inner_text().endswith("Afficher le code")
        summary.focus()
        opened.page.keyboard.press("Enter")
        assert summary.inner_text().endswith("Masquer le code")
        assert opened.page.locator("details.hide pre").first.is_visible()


def test_print_shows_what_the_screen_folds(browser, address):
    with visit(browser, address + page_with('<details class="solution')) as opened:
        page = opened.page
        fold = page.locator("article details.solution > :not(summary)").first
        assert not fold.is_visible()
        page.emulate_media(media="print")
        assert fold.is_visible()
        assert not page.locator("#pst-primary-sidebar").is_visible()


def test_phone_menus_open_and_close_with_the_keyboard(browser, address):
    with visit(browser, address + CHAPTERS[0], "telephone") as opened:
        page = opened.page
        for toggle, dialog in (("primary", "primary"), ("secondary", "secondary")):
            page.focus(f"button.{toggle}-toggle")
            page.keyboard.press("Enter")
            modal = page.locator(f"#pst-{dialog}-sidebar-modal[open]")
            modal.locator("a").first.wait_for()
            assert opened.accessibility_violations() == []
            page.keyboard.press("Escape")
            modal.wait_for(state="hidden")
        assert opened.errors == []
