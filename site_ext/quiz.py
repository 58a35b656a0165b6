"""Directive `{quiz}` : une question corrigée dans la page, lisible aussi sans JavaScript.

    :::{quiz} quiz-chapitre-sujet
    La question, sur un ou plusieurs blocs.
    - [ ] Une réponse fausse. — Son explication.
    - [x] Une réponse juste. — Son explication.
    :::

Les nœuds héritent de ceux de docutils : LaTeX et texte les écrivent comme de simples listes.
`_static/quiz.js` et `_static/quiz.css` sont chargés par Jupyter Book, comme tout `_static`.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

MARK = re.compile(r"\[([ xX])\]\s+")
DASH = re.compile(r"\s*—\s*")
IDENTIFIER = re.compile(r"quiz-[a-z0-9-]+")


class quiz(nodes.container):  # noqa: N801 : docutils nomme ses nœuds en minuscules
    """La question entière."""


class quiz_question(nodes.paragraph):  # noqa: N801
    """Numéro et premier paragraphe de l'énoncé."""


class quiz_options(nodes.enumerated_list):  # noqa: N801
    """Réponses proposées."""


class quiz_option(nodes.list_item):  # noqa: N801
    """Une réponse proposée : `correct`, `letter`, `group` (nom du champ), `kind` (son type)."""


class quiz_label(nodes.paragraph):  # noqa: N801
    """Texte d'une réponse."""


class quiz_answers(nodes.container):  # noqa: N801
    """Réponses expliquées, repliées."""


class quiz_summary(nodes.paragraph):  # noqa: N801
    """Titre des réponses expliquées."""


class QuizError(Exception):
    """Directive mal écrite : dit en français quoi faire."""


@dataclass
class Option:
    """Une réponse : juste ou non, ses blocs, les blocs de son explication."""

    correct: bool
    answer: list[nodes.Node]
    explanation: list[nodes.Node]


def read_option(item: nodes.list_item) -> Option:
    """Lit `[x] réponse — explication` ; l'explication va jusqu'au bout de l'élément."""
    excerpt = " ".join(item.astext().split())[:40]
    first = item.children[0] if item.children else None
    text = first.children[0] if isinstance(first, nodes.paragraph) else None
    mark = MARK.match(text.astext()) if isinstance(text, nodes.Text) else None
    if mark is None:
        raise QuizError(f"« {excerpt} » doit commencer par « [ ] » (faux) ou « [x] » (juste)")
    first[0] = nodes.Text(text.astext()[mark.end() :])
    answer, explanation = split_at_dash(item.children)
    if not answer or not isinstance(answer[0], nodes.paragraph):
        raise QuizError(f"« {excerpt} » doit dire sa réponse en mots avant tout bloc")
    if not explanation:
        raise QuizError(f"« {excerpt} » n'est pas expliquée : ajoutez « — » puis l'explication")
    return Option(mark[1] != " ", answer, explanation)


def split_at_dash(blocks: list[nodes.Node]) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """Coupe une suite de blocs au premier « — » écrit dans un paragraphe."""
    for i, block in enumerate(blocks):
        for j, child in enumerate(block.children if isinstance(block, nodes.paragraph) else []):
            if isinstance(child, nodes.Text) and (dash := DASH.search(child.astext())):
                text = child.astext()
                head = [*block.children[:j], nodes.Text(text[: dash.start()])]
                tail = [nodes.Text(text[dash.end() :]), *block.children[j + 1 :]]
                before, after = (_paragraph(part, block) for part in (head, tail))
                return [*blocks[:i], *before], [*after, *blocks[i + 1 :]]
    return list(blocks), []


def _paragraph(children: list[nodes.Node], model: nodes.paragraph) -> list[nodes.paragraph]:
    """Paragraphe sans blanc aux bords ; aucun s'il est vide."""
    while children and not children[-1].astext().strip() and isinstance(children[-1], nodes.Text):
        children = children[:-1]
    while children and not children[0].astext().strip() and isinstance(children[0], nodes.Text):
        children = children[1:]
    if not children:
        return []
    paragraph = nodes.paragraph("", "", *children)
    paragraph.source, paragraph.line = model.source, model.line
    return [paragraph]


def read_blocks(blocks: list[nodes.Node]) -> tuple[list[nodes.Node], list[Option]]:
    """Sépare l'énoncé des réponses et refuse une question à laquelle on ne peut pas répondre."""
    if not blocks or not isinstance(blocks[-1], nodes.bullet_list):
        raise QuizError("terminez la directive par la liste des réponses, « - [ ] » ou « - [x] »")
    if len(blocks) == 1:
        raise QuizError("écrivez la question avant la liste des réponses")
    options = [read_option(item) for item in blocks[-1].children]
    if len(options) < 2:
        raise QuizError("proposez au moins deux réponses")
    if not any(option.correct for option in options):
        raise QuizError("aucune bonne réponse : marquez-en au moins une par « [x] »")
    return blocks[:-1], options


class QuizDirective(SphinxDirective):
    """Une question et ses réponses expliquées."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Construit la question, ou avertit et ne rend rien."""
        name = self.arguments[0]
        number = self.env.temp_data.get("quiz_number", 0) + 1
        self.env.temp_data["quiz_number"] = number
        parsed = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        try:
            self._claim_name(name, f"Question {number}")
            statement, options = read_blocks(parsed.children)
        except QuizError as error:
            logger.warning(
                "quiz « %s » : %s.", name, error, location=self.get_location(), type="quiz"
            )
            return []
        node = build(name, f"Question {number}", statement, options)
        self.set_source_info(node)
        return [node]

    def _claim_name(self, name: str, title: str) -> None:
        """Fait de l'identifiant une étiquette pour {ref}."""
        if not IDENTIFIER.fullmatch(name):
            raise QuizError("l'identifiant s'écrit « quiz-sujet », en minuscules sans accent")
        standard = self.env.get_domain("std")
        if name in standard.labels:
            other = self.env.doc2path(standard.labels[name][0], base=False)
            raise QuizError(f"identifiant déjà pris dans {other} : choisissez-en un autre")
        standard.labels[name] = (self.env.docname, name, title)
        standard.anonlabels[name] = (self.env.docname, name)


def build(name: str, title: str, statement: list[nodes.Node], options: list[Option]) -> quiz:
    """Assemble énoncé, réponses proposées et réponses expliquées."""
    question = quiz_question("", "", nodes.strong("", title, classes=["quiz-number"]))
    if isinstance(statement[0], nodes.paragraph):
        question += [nodes.Text(" "), *statement[0].children]
        statement = statement[1:]
    kind = "radio" if sum(option.correct for option in options) == 1 else "checkbox"
    if kind == "checkbox":
        hint = nodes.paragraph("", "Plusieurs réponses sont possibles.", classes=["quiz-hint"])
        statement = [*statement, hint]
    proposed = quiz_options("", enumtype="upperalpha", prefix="", suffix=".")
    explained = nodes.enumerated_list("", enumtype="upperalpha", prefix="", suffix=".")
    for letter, option in zip(ascii_uppercase, options, strict=False):
        label = quiz_label("", "", *option.answer[0].children)
        item = quiz_option("", label, *option.answer[1:])
        item.attributes |= {
            "correct": option.correct,
            "letter": letter,
            "group": name,
            "kind": kind,
        }
        proposed += item
        explained += nodes.list_item("", *_with_verdict(option))
    answers = quiz_answers("", quiz_summary("", "Réponses expliquées"), explained)
    return quiz("", question, *statement, proposed, answers, ids=[name])


def _with_verdict(option: Option) -> list[nodes.Node]:
    verdict = nodes.strong("", "Juste." if option.correct else "Faux.")
    first, *others = option.explanation
    if not isinstance(first, nodes.paragraph):
        return [nodes.paragraph("", "", verdict), first, *others]
    return [nodes.paragraph("", "", verdict, nodes.Text(" "), *first.children), *others]


def visit_quiz(self, node: quiz) -> None:
    """Ouvre le formulaire."""
    self.body.append(self.starttag(node, "form", CLASS="quiz", autocomplete="off"))
    self.body.append("<fieldset>\n")


def depart_quiz(self, node: quiz) -> None:
    """Ferme le formulaire."""
    self.body.append("</form>\n")


def visit_option(self, node: quiz_option) -> None:
    """Ouvre une réponse ; son champ est dans l'étiquette."""
    correct = "true" if node["correct"] else "false"
    self.body.append(self.starttag(node, "li", "", **{"data-correct": correct}))


def visit_label(self, node: quiz_label) -> None:
    """Ouvre l'étiquette et son champ, bouton radio ou case à cocher."""
    option = node.parent
    self.body.append(
        f'<label><input type="{option["kind"]}" name="{option["group"]}"> '
        f'<span class="quiz-letter">{option["letter"]}.</span> <span>'
    )


def visit_answers(self, node: quiz_answers) -> None:
    """Ferme les champs ; écrit les boutons, la zone annoncée et les réponses repliées."""
    self.body.append(
        '</fieldset>\n<p class="quiz-buttons"><button type="submit">Vérifier</button> '
        '<button type="reset">Recommencer</button></p>\n'
        '<div class="quiz-result" role="status" aria-live="polite"></div>\n'
        '<details class="quiz-answers">\n'
    )


def _tag(opening: str, closing: str) -> tuple:
    return (
        lambda self, node: self.body.append(opening),
        lambda self, node: self.body.append(closing),
    )


def check_settings(app, config) -> None:
    """L'extension MyST « tasklist » changerait « [x] » en case à cocher avant nous."""
    if "tasklist" in config.myst_enable_extensions:
        logger.warning("retirez « tasklist » de myst_enable_extensions : les quiz s'en passent.")


def setup(app) -> dict:
    """Enregistre la directive et ses nœuds."""
    app.connect("config-inited", check_settings)
    app.add_directive("quiz", QuizDirective)
    app.add_node(quiz, html=(visit_quiz, depart_quiz))
    app.add_node(quiz_question, html=_tag("<legend>", "</legend>\n"))
    app.add_node(quiz_options, html=_tag('<ol class="quiz-options">\n', "</ol>\n"))
    app.add_node(quiz_option, html=(visit_option, _tag("", "</li>\n")[1]))
    app.add_node(quiz_label, html=(visit_label, _tag("", "</span></label>\n")[1]))
    app.add_node(quiz_answers, html=(visit_answers, _tag("", "</details>\n")[1]))
    app.add_node(quiz_summary, html=_tag("<summary>", "</summary>\n"))
    version = zlib.crc32(Path(__file__).read_bytes())
    return {"version": "1", "env_version": version, "parallel_read_safe": True}
