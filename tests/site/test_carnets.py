"""Des pages MyST aux carnets : lisibles hors du site, avec ou sans solutions."""

import nbformat
import pytest
from nbclient import NotebookClient

from site_ext.carnets import Context, make_notebook

PAGE = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
(chap-essai)=
# Un essai

:::{admonition} Fiche du chapitre
:class: fiche
**Objectifs.** Essayer.
:::

(sec-essai-suite)=
## La suite
% programme: 002-17

La mesure vaut {glue:text}`essai-mesure`, voir {cite:t}`rosenblatt1958perceptron`, {ref}`sec-essai-suite`,
{ref}`l'autre page <chap-autre>`, {eq}`eq-essai` et {numref}`fig-essai`.

$$
a = b
$$ (eq-essai)

```{code-cell} ipython3
---
mystnb: {image: {alt: Une droite qui monte vers la droite}, figure: {caption: Droite, name: fig-essai}}
tags: [hide-input]
---
value = 6 * 7
```

```{prf:theorem} De Thalès
:label: thm-essai
Les rapports sont égaux.
```

```{exercise-start} ★ Doubler
:label: exo-essai
```
Écrivez `double`.
```{code-cell} ipython3
:tags: [exercice]
double = None
```
```{code-cell} ipython3
:tags: [verification]
print("vérifié", double)
```
```{exercise-end}
```

```{solution-start} exo-essai
:class: dropdown
```
Voici.
```{code-cell} ipython3
:tags: [corrige]
double = lambda x: 2 * x
```
```{solution-end}
```

:::{quiz} quiz-essai
Que vaut $1 + 1$ ?
- [ ] 3 — Non, un de trop.
- [x] 2 — Oui.
:::

:::{list-table} Deux colonnes
:header-rows: 1

* - A
  - B
* - 1
  - 2
:::

La fin.
"""
CONTEXT = Context(
    claims={"essai-mesure": "0,97 ± 0,01"},
    citations={"rosenblatt1958perceptron": "Rosenblatt (1958)"},
    labels={"chap-autre": "Une autre page"},
    macros={r"\R": r"\mathbb{R}", r"\norm": r"\lVert #1 \rVert"},
    repository="quelquun/cours",
)


@pytest.fixture(scope="module")
def complete():
    return make_notebook(PAGE, CONTEXT)


@pytest.fixture(scope="module")
def student():
    return make_notebook(PAGE, CONTEXT, student=True)


def markdown(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_both_notebooks_are_valid(complete, student):
    nbformat.validate(complete)
    nbformat.validate(student)
    assert complete.metadata.kernelspec.name == "python3"


def test_no_myst_syntax_remains(complete):
    text = markdown(complete)
    for leftover in (
        "{exercise",
        "{solution",
        "{quiz",
        "{glue",
        "{cite",
        "{ref}",
        ":::",
        ")=",
        "% programme",
        "```",
    ):
        assert leftover not in text


def test_measured_numbers_citations_and_references_are_written_out(complete):
    text = markdown(complete)
    assert "La mesure vaut 0,97 ± 0,01, voir Rosenblatt (1958), La suite" in text
    assert "l'autre page, (1) et figure 1." in text
    assert "a = b \\tag{1}" in text


def test_blocks_become_plain_markdown(complete):
    text = markdown(complete)
    assert "> **Fiche du chapitre**" in text
    assert "> **Théorème : De Thalès**" in text
    assert "### Exercice 1 ★ Doubler" in text
    assert "| A | B |\n|---|---|\n| 1 | 2 |" in text


def test_the_quiz_hides_its_answers(complete):
    text = markdown(complete)
    question, answers = text.split("<details>")
    assert "- 3\n- 2" in question
    assert "- ✗ 3 — Non, un de trop.\n- ✓ 2 — Oui." in answers


def test_the_student_version_has_the_checks_and_not_the_solutions(complete, student):
    assert any("lambda" in source for source in code(complete))
    assert "Voici." in markdown(complete)
    assert not any("lambda" in source for source in code(student))
    assert "Voici." not in markdown(student)
    assert "Solution" not in markdown(student)
    assert any("vérifié" in source for source in code(student))
    assert "La fin." in markdown(student)


def test_the_first_code_cell_installs_the_library_when_it_is_absent(complete):
    first = code(complete)[0]
    assert 'find_spec("course_lib") is None' in first
    assert "git+https://github.com/quelquun/cours" in first


def test_without_a_repository_the_first_cell_says_what_to_do():
    first = code(make_notebook(PAGE, Context()))[0]
    assert "github.com" not in first
    assert "pip install -e ." in first


def test_the_macros_are_defined_with_their_arguments(complete):
    first = complete.cells[0].source
    assert r"\newcommand{\R}{\mathbb{R}}" in first
    assert r"\newcommand{\norm}[1]{\lVert #1 \rVert}" in first


@pytest.mark.parametrize("version", ["complete", "student"])
def test_both_notebooks_run(version, request):
    notebook = nbformat.from_dict(request.getfixturevalue(version))
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert any("vérifié None" in str(cell.get("outputs", "")) for cell in notebook.cells)
