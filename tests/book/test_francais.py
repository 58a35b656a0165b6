"""Le français du site construit : orthographe, grammaire, typographie, termes."""

import gc
import json
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from livre import PAGES
from spylls.hunspell import Dictionary
from texte import PLACE, article, paragraphs, words

DICTIONARIES = (
    "/usr/share/hunspell/fr",
    "/usr/share/hunspell/fr_FR",
    "/usr/share/myspell/dicts/fr",
)
FORBIDDEN = {
    r"génération+el(?:le)?s?\b(?! suivante)": "génératif",
    r"\bvanising\b": "évanescent",
    r"différenciation automatique": "différentiation automatique",
    r"entraîner un réseau à apprendre": "entraîner un réseau",
    r"\bconvolutionnel": "convolutif",
    r"\bsur-apprentissage|surajustement": "surapprentissage",
    r"\bpré-entraîn": "préentraîné",
    r"\bmulti-(?:tâche|couche)": "multitâche, multicouche",
    r"\bautoencodeur": "auto-encodeur",
    r"\brétro-propagation": "rétropropagation",
    r"\bprécision \(\*?accuracy": "exactitude",
    r"il est important de noter": "(rien : dire la chose)",
    r"\bbase d[’']apprentissage": "jeu d'entraînement",
    r"\bdéconvolution(?! \(|s? \(|\W*impropre)": "convolution transposée",
}
NUMBERED = "Figure|Tableau|Définition|Théorème|Proposition|Algorithme|Exercice|Preuve|Section|Lemme"
NOISY_GRAMMAR_RULES = ("g3__gn_pfx_à_par_pour_sans", "g3__gn_nulle")  # se trompent sur nos termes
SAFE_GRAMMAR_TYPES = {"gn", "conj", "ppas", "conf", "imp", "infi", "inte", "sgpl"}
PUNCTUATION = re.compile(r"(?<! )[^\S\u00a0\u202f\u2009\n](?=[;:!?»])|«[^\S\u00a0\u202f]")


@pytest.fixture(scope="session")
def dictionary():
    path = next((p for p in DICTIONARIES if Path(p + ".dic").is_file()), None)
    assert path, "Dictionnaire français absent : installez le paquet hunspell-fr."
    with warnings.catch_warnings():
        # spylls laisse au ramasse-miettes le soin de fermer ses fichiers.
        warnings.simplefilter("ignore", ResourceWarning)
        dictionary = Dictionary.from_files(path)
        gc.collect()
    return dictionary


@pytest.fixture(scope="session")
def lexicon(root):
    lines = (root / "tests" / "lexique.txt").read_text("utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_the_spelling_is_clean(page, built_html, dictionary, lexicon):
    found = {word for part in paragraphs(built_html(page.docname)) for word in words(part)}
    unknown = [
        word
        for word in sorted(found)
        if len(word) > 2
        and word not in lexicon
        and word.lower() not in lexicon
        and not dictionary.lookup(word.replace("’", "'"))
        and not dictionary.lookup(word.replace("’", "'").lower())
    ]
    assert not unknown, f"mots inconnus (corriger, ou ajouter à tests/lexique.txt) : {unknown}"


def test_the_lexicon_has_no_useless_word(root, lexicon, built_html):
    """Un mot que plus aucune page n'emploie quitte le lexique."""
    used = {
        w for page in PAGES for part in paragraphs(built_html(page.docname)) for w in words(part)
    }
    used |= {word.lower() for word in used}
    assert not sorted(lexicon - used)


def test_no_forbidden_term(page, built_html):
    text = "\n".join(paragraphs(built_html(page.docname)))
    if page.docname.endswith("glossaire"):
        return
    for pattern, better in FORBIDDEN.items():
        match = re.search(pattern, text, re.I)
        assert not match, f"« {match[0]} » : écrire {better}"


def test_french_spaces_and_quotes_everywhere(page, built_html):
    for part in paragraphs(built_html(page.docname)):
        assert not PUNCTUATION.search(part), part
        assert '"' not in part, part
        assert not re.search(r"[A-Za-zÀ-ÿ]'[A-Za-zÀ-ÿ]", part), part


def test_emphasised_words_that_are_not_french_say_their_language(
    page, built_html, dictionary, lexicon
):
    for em in article(built_html(page.docname)).select("em"):
        foreign = [w for w in words(em.get_text()) if len(w) > 2 and not known(w, dictionary)]
        assert not [w for w in foreign if w not in lexicon], f"langue à déclarer : {em.get_text()}"


def known(word, dictionary):
    plain = word.replace("’", "'")
    return dictionary.lookup(plain) or dictionary.lookup(plain.lower())


def test_decimal_points_do_not_appear_in_prose(page, built_html):
    for part in paragraphs(built_html(page.docname)):
        numbers = re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", part)
        versions = [
            n
            for n in numbers
            if re.search(rf"(?:RGAA|WCAG|CC BY|{NUMBERED})\s{n}|\({n}\)", part, re.I)
        ]
        assert set(numbers) <= set(versions), part


def test_grammar_has_no_certain_error(page, built_html, tmp_path):
    command = shutil.which("grammalecte-cli")
    if command is None and not os.environ.get("CI"):
        pytest.skip("grammalecte-cli n'est pas installé (obligatoire en intégration continue)")
    text = tmp_path / "texte.txt"
    complete = [
        part for part in paragraphs(built_html(page.docname), tables=False) if PLACE not in part
    ]
    text.write_text("\n\n".join(complete), "utf-8")  # sans ses formules, une phrase est fautive
    result = subprocess.run(
        [command, "-f", str(text), "-j"], capture_output=True, text=True, check=True
    )
    data = json.loads(result.stdout[result.stdout.index("{") :])
    certain = [
        (
            e["sRuleId"],
            e["sMessage"],
            complete[block["iParagraph"] // 2][e["nStart"] - 30 : e["nEnd"] + 30],
        )
        for block in data["data"]
        for e in block["lGrammarErrors"]
        if e["sType"] in SAFE_GRAMMAR_TYPES and not e["sRuleId"].startswith(NOISY_GRAMMAR_RULES)
    ]
    assert not certain, certain


def test_the_article_is_not_empty(page, built_html):
    assert len(article(built_html(page.docname)).get_text().split()) > 20
