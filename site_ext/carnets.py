"""D'une page MyST à un carnet lisible partout : Jupyter, Colab, VS Code.

Hors du site, personne ne comprend les directives de MyST. Ce module les traduit en Markdown ordinaire :
encadrés en citations, exercices et solutions en titres, rôles en texte, nombres mesurés à leur place.
Il produit deux versions : complète, et « étudiant » (sans les solutions, avec les vérifications).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import jupytext
import nbformat
from nbformat import NotebookNode

FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ \t]*(?P<title>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:]+)\}`(?P<content>[^`]+)`")
TARGET = re.compile(r"^\((?P<label>[\w-]+)\)=\s*$", re.MULTILINE)
OPTION = re.compile(r"^:(?P<key>[\w-]+):[ \t]*(?P<value>.*)$")
MATH = re.compile(r"^\$\$(?P<body>.+?)\$\$[ \t]*(?:\((?P<label>[\w-]+)\))?[ \t]*$", re.M | re.S)
KINDS = {
    "note": "Remarque", "tip": "Conseil", "hint": "Indice", "warning": "Attention", "caution": "Attention",
    "important": "Important", "danger": "Danger", "seealso": "Voir aussi", "prf:theorem": "Théorème",
    "prf:definition": "Définition", "prf:proof": "Preuve", "prf:algorithm": "Algorithme",
    "prf:proposition": "Proposition", "prf:lemma": "Lemme", "prf:corollary": "Corollaire",
    "prf:example": "Exemple", "prf:remark": "Remarque", "prf:property": "Propriété",
}  # fmt: skip


@dataclass
class Context:
    """Ce qu'il faut savoir hors de la page pour la traduire.

    ``claims`` : clé d'affirmation → texte ; ``citations`` : clé → « Auteur (année) » ;
    ``labels`` : étiquette d'une autre page → son titre ; ``macros`` : commande LaTeX → définition.
    """

    claims: dict[str, str] = field(default_factory=dict)
    citations: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    macros: dict[str, str] = field(default_factory=dict)
    repository: str | None = None


def make_notebook(text: str, context: Context, *, student: bool = False) -> NotebookNode:
    """Rend le carnet, sans sorties, de la page MyST ``text``.

    ``student`` : sans les solutions ; les cellules de vérification restent.
    """
    if student:
        text = _without_solutions(text)
    source = jupytext.reads(text, fmt="md:myst")
    labels = context.labels | _page_labels(source)
    counters: dict[str, int] = {}
    cells = [_preamble(context.macros), _installation(context.repository)]
    for cell in source.cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            cells.append(
                nbformat.v4.new_code_cell(cell.source, metadata={"tags": tags} if tags else {})
            )
        elif plain := _translate(cell.source, context, labels, counters).strip():
            cells.append(nbformat.v4.new_markdown_cell(plain))
    for number, cell in enumerate(cells):
        cell["id"] = f"cellule-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def _without_solutions(text: str) -> str:
    gated = r"^(?P<f>`{3,}|:{3,})\{solution-start\}.*?^(?P=f)\s*$.*?^`{3,}\{solution-end\}\s*\n`{3,}\s*$\n?"
    colon = gated.replace(r"`{3,}\{solution-end\}\s*\n`{3,}", r":{3,}\{solution-end\}\s*\n:{3,}")
    block = r"^(?P<f>`{3,}|:{3,})\{solution\}.*?^(?P=f)\s*$\n?"
    for pattern in (gated, colon, block):
        text = re.sub(pattern, "", text, flags=re.S | re.M)
    return text


def _preamble(macros: dict[str, str]) -> NotebookNode:
    """Définit les commandes LaTeX du cours pour le MathJax des carnets."""
    commands = "".join(
        rf"\newcommand{{{name}}}{_arity(body)}{{{body}}}" for name, body in sorted(macros.items())
    )
    return nbformat.v4.new_markdown_cell(f"${commands}$" if commands else "&nbsp;")


def _arity(body: str) -> str:
    numbers = [int(number) for number in re.findall(r"#(\d)", body)]
    return f"[{max(numbers)}]" if numbers else ""


def _installation(repository: str | None) -> NotebookNode:
    if repository:
        action = f'    %pip install --quiet "course-lib @ git+https://github.com/{repository}"'
    else:
        action = (
            '    raise ImportError("Installez le cours : « pip install -e . » dans son dépôt.")'
        )
    return nbformat.v4.new_code_cell(
        "# Installe la bibliothèque du cours si elle est absente (Colab, par exemple).\n"
        "import importlib.util\n\n"
        'if importlib.util.find_spec("course_lib") is None:\n' + action
    )


def _page_labels(notebook: NotebookNode) -> dict[str, str]:
    """Nomme les étiquettes de la page : titre de section, « figure 2 », « exercice 3 », « (4) »."""
    labels: dict[str, str] = {}
    figures = exercises = equations = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
                figures += 1
                labels[name] = f"figure {figures}"
            continue
        for label, title in re.findall(
            r"^\(([\w-]+)\)=\s*\n(?:%.*\n|\s*\n)*#+ (.+)$", cell.source, re.M
        ):
            labels[label] = title.strip()
        for _, label in re.findall(
            r"\{exercise(-start)?\}[^\n]*\n(?:[^\n]*\n)*?:label: ([\w-]+)", cell.source
        ):
            exercises += 1
            labels[label] = f"exercice {exercises}"
        for match in MATH.finditer(cell.source):
            if match["label"]:
                equations += 1
                labels[match["label"]] = f"({equations})"
        for label, title in re.findall(r"\{prf:[a-z]+\} ?([^\n]*)\n:label: ([\w-]+)", cell.source):
            labels[title] = label.strip() or "ci-dessus"
    return labels


def _translate(
    source: str, context: Context, labels: dict[str, str], counters: dict[str, int]
) -> str:
    source = re.sub(r"^%.*\n?", "", source, flags=re.M)
    source = TARGET.sub("", source)
    source = "\n".join(_translate_blocks(source.splitlines(), counters))
    source = MATH.sub(lambda match: _equation(match, labels), source)
    return ROLE.sub(lambda match: _role(match, context, labels), source)


def _translate_blocks(lines: list[str], counters: dict[str, int]) -> list[str]:
    out: list[str] = []
    index = 0
    while index < len(lines):
        opening = FENCE.match(lines[index])
        if opening is None:
            out.append(lines[index])
            index += 1
            continue
        end = _closing(lines, index, opening["fence"])
        options, body = _split_options(lines[index + 1 : end])
        out += _block(opening["name"], opening["title"].strip(), options, body, counters)
        index = end + 1
    return out


def _closing(lines: list[str], start: int, fence: str) -> int:
    for index in range(start + 1, len(lines)):
        if re.fullmatch(re.escape(fence[0]) + f"{{{len(fence)},}}", lines[index].strip()):
            return index
    return len(lines)


def _split_options(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    for index, line in enumerate(lines):
        match = OPTION.match(line)
        if match is None:
            return options, lines[index:]
        options[match["key"]] = match["value"].strip()
    return options, []


def _block(name, title, options, body, counters) -> list[str]:
    handlers: dict[str, Callable[[], list[str]]] = {
        "exercise-start": lambda: _exercise(title, counters),
        "exercise-end": lambda: [],
        "solution-start": lambda: ["**Solution**", ""],
        "solution-end": lambda: [],
        "math": lambda: ["$$", *body, f"$$ ({options['label']})" if "label" in options else "$$"],
        "quiz": lambda: _quiz(_translate_blocks(body, counters)),
        "list-table": lambda: _table(title, body),
    }
    if name in handlers:
        return handlers[name]()
    inner = _translate_blocks(body, counters)
    if name == "exercise":
        return [*_exercise(title, counters), *inner]
    kind = KINDS.get(name, "")
    heading = " : ".join(part for part in (kind, title) if part)
    quoted = [f"> {line}".rstrip() for line in inner]
    return ([f"> **{heading}**", ">"] if heading else []) + quoted


def _exercise(title: str, counters: dict[str, int]) -> list[str]:
    counters["exercise"] = counters.get("exercise", 0) + 1
    return [f"### Exercice {counters['exercise']} {title}".rstrip(), ""]


def _quiz(body: list[str]) -> list[str]:
    question, answers = [], []
    for line in body:
        if match := re.match(r"^\s*[-*] \[( |x)\] (.*)$", line):
            answers.append([match[1] == "x", match[2]])
        elif answers and line.strip():
            answers[-1][1] += " " + line.strip()
        else:
            question.append(line)
    choices = [f"- {text.split(' — ')[0]}" for _, text in answers]
    corrected = [f"- {'✓' if right else '✗'} {text}" for right, text in answers]
    summary = "<details><summary>Réponses expliquées</summary>"
    return [*question, "", *choices, "", summary, "", *corrected, "", "</details>", ""]


def _table(title: str, body: list[str]) -> list[str]:
    rows: list[list[str]] = []
    for line in body:
        if match := re.match(r"^\* - (.*)$", line):
            rows.append([match[1]])
        elif match := re.match(r"^  - (.*)$", line):
            rows[-1].append(match[1])
        elif line.strip() and rows:
            rows[-1][-1] += " " + line.strip()
    if not rows:
        return [title]
    cells = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return [f"**{title}**", "", lines[0], "|" + "---|" * len(rows[0]), *lines[1:], ""]


def _equation(match: re.Match, labels: dict[str, str]) -> str:
    body = match["body"].strip()
    number = labels.get(match["label"] or "", "")
    tag = rf" \tag{{{number.strip('()')}}}" if number.startswith("(") else ""
    return f"$$\n{body}{tag}\n$$"


def _role(match: re.Match, context: Context, labels: dict[str, str]) -> str:
    name, content = match["name"], match["content"]
    if name == "glue:text":
        return context.claims.get(content, "…")
    if name.startswith("cite"):
        names = [context.citations.get(key.strip(), key.strip()) for key in content.split(",")]
        return f"({' ; '.join(names)})" if name == "cite:p" else ", ".join(names)
    explicit = re.fullmatch(r"(.+?)\s*<[^<>]+>", content, flags=re.S)
    if explicit:
        return (
            explicit[1].replace("%s", labels.get(content.rsplit("<", 1)[1].strip(" >"), "")).strip()
        )
    if name in ("ref", "numref", "eq", "prf:ref", "doc"):
        return labels.get(content, content)
    return content
