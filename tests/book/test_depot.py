"""Le dépôt se tient : versions cohérentes, budget de lignes, aucun nom public oublié."""

import ast
import re
import tomllib

import yaml
from livre import PAGES
from packaging.requirements import Requirement
from packaging.version import Version
from pybtex.database import parse_file

from site_ext.couverture import programme, programme_marks


def locked(root):
    lines = (root / "requirements.lock").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_lock_gives_exact_versions_inside_the_declared_ranges(root):
    versions = locked(root)
    extras = project(root)["optional-dependencies"]
    declared = project(root)["dependencies"] + extras["site"] + extras["test"]
    for requirement in map(Requirement, declared):
        name = requirement.name.lower().replace("_", "-")
        if name != "course-lib":
            assert Version(versions[name]) in requirement.specifier, requirement


def test_the_lock_names_no_address_and_no_local_file(root):
    text = (root / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?:|file:|@|--", text)


def test_conda_installs_the_lock_and_the_project(root):
    environment = yaml.safe_load((root / "environment.yml").read_text("utf-8"))
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert pip == ["-r requirements.lock", "-e ."]
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert (
        Version(python.removeprefix("python="))
        in Requirement("python" + project(root)["requires-python"]).specifier
    )


def code_lines(path):
    """Lignes de code : sans docstring, commentaire ni blanc. Documenter ne doit rien coûter."""
    source = path.read_text("utf-8")
    documented = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(n not in documented and not re.match(r"\s*(#|$)", line) for n, line in lines)


def test_modules_and_package_keep_their_budget_of_lines(root):
    modules = [p for folder in ("course_lib", "site_ext") for p in (root / folder).rglob("*.py")]
    assert not [p.name for p in modules if len(p.read_text("utf-8").splitlines()) > 300]
    assert sum(code_lines(p) for p in (root / "course_lib").rglob("*.py")) <= 4500


def public_names(path):
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")}


def test_public_names_are_used_and_documented(root):
    """Un nom public que ni page, ni module, ni banc d'essai n'emploie s'en va."""
    sources = [page.text for page in PAGES]
    modules = [p for p in (root / "course_lib").rglob("*.py") if p.name != "__init__.py"]
    benches = [p.read_text("utf-8") for p in (root / "benchmarks").glob("*.py")]
    for path in modules:
        others = sources + benches + [p.read_text("utf-8") for p in modules if p != path]
        own = path.read_text("utf-8")
        for name in public_names(path):
            word = re.compile(rf"\b{name}\b")
            used = any(word.search(text) for text in others) or len(word.findall(own)) > 1
            assert used or name.startswith("load_"), (
                f"{path.name} : {name} n'est employé nulle part"
            )


def test_public_objects_have_a_french_docstring(root):
    public = [p for p in (root / "course_lib").rglob("*.py") if not p.name.startswith("_")]
    for path in public:
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                docstring = ast.get_docstring(node) or ""
                assert docstring, f"{path.name} : {node.name} n'a pas de docstring"
                assert not re.search(r"\b(the|returns?|given)\b", docstring), (
                    f"{path.name} : {node.name}"
                )


def test_no_left_over_note_remains(root):
    pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    for folder in ("course_lib", "site_ext", "tools", "chapters", "benchmarks"):
        for path in (root / folder).rglob("*"):
            if path.suffix in (".py", ".md"):
                assert not pattern.search(path.read_text("utf-8")), path


def test_every_reference_exists_and_serves(root):
    """Les clés citées (pages et docstrings) sont dans references.bib, et réciproquement."""
    entries = parse_file(str(root / "references.bib")).entries
    modules = [path.read_text("utf-8") for path in (root / "course_lib").rglob("*.py")]
    cited = {
        key.strip()
        for page in PAGES
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.text)
        for key in keys.split(",")
    }
    documented = {
        key for text in modules for key in re.findall(r"\b[a-z]+(?:19|20)\d\d[a-z]+\b", text)
    }
    assert cited | documented == set(entries)


def test_references_have_what_a_reader_needs_to_find_them(root):
    for key, entry in parse_file(str(root / "references.bib")).entries.items():
        assert {"title", "year"} <= set(entry.fields), key
        assert entry.persons.get("author"), key
        assert key == key.lower(), key
        doi = entry.fields.get("doi", "")
        assert not doi or re.fullmatch(r"10\.\d{4,9}/\S+", doi), key


TREATED = ("C03", "C04", "C05", "C06", "C08", "C11", "C12", "C13", "C15", "C16", "C17")


def test_a_treated_part_of_the_programme_has_every_item_in_a_section():
    """Un chapitre réécrit ne perd aucun élément ; C09 attend encore deux de ses chapitres."""
    marked = {key for page in PAGES for mark in programme_marks(page.text) for key in mark.keys}
    expected = {key for key, item in programme().items() if item.chapter in TREATED}
    assert expected <= marked, sorted(expected - marked)
