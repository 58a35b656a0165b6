"""L'exécution des pages : ce qui la déclenche, ce qu'elle laisse, ce qu'elle devient tuée."""

import shutil
import signal
import time
from datetime import datetime

import nbformat
import pytest
from small_book import CHAPTERS, LIBRARY, make_book

from site_ext import kernels
from site_ext.build_state import RUNNING
from site_ext.executed import ExecutedNotebooks, Execution
from site_ext.execution import PROFILES
from site_ext.fingerprint import Library, environment_fingerprint, page_fingerprint
from site_ext.kernels import Job, kernel_environment, n_workers, run_jobs
from site_ext.pages import cell_at, code_cells, read_notebook

ALL = sorted(CHAPTERS)
DATE = datetime.fromisoformat("2026-05-02T10:00:00+00:00")


@pytest.fixture
def library(tmp_path):
    for name, text in LIBRARY.items():
        path = tmp_path / "course_lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "course_lib"


def notebook(*sources, tags=()):
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": [*tags]}) for source in sources]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def fingerprint(library, *sources, environment="", tags=()):
    return page_fingerprint(notebook(*sources, tags=tags), Library(library), environment)


# --- L'empreinte ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        ("data/digits.py", {"un", "module", "paquet", "étoile"}),
        ("data/toys.py", {"deux", "paquet", "étoile"}),
        ("base.py", {"un", "module", "paquet", "étoile"}),  # par un import relatif
        ("plotting.py", {"trois"}),
        ("a.mplstyle", {"trois"}),
        ("data/nouveau.csv", {"un", "deux", "module", "paquet", "étoile"}),  # nommé par personne
    ],
)
def test_a_changed_file_changes_exactly_the_pages_that_reach_it(library, changed, reached):
    pages = {
        "un": "from course_lib.data import load_digits",
        "deux": "from course_lib.data import make_toys",
        "trois": "import course_lib.plotting as p",
        "module": "%matplotlib inline\nfrom course_lib.data.digits import load_digits",
        "paquet": "def f():\n    from course_lib import data",
        "étoile": "from course_lib.data import *",
        "rien": "import numpy",
        "illisible": "def (",
    }
    before = {name: fingerprint(library, code) for name, code in pages.items()}
    with (library / changed).open("a") as file:
        file.write("\n# changé\n")
    after = {name: fingerprint(library, code) for name, code in pages.items()}
    assert {name for name in pages if before[name] != after[name]} == reached


def test_a_new_reexport_changes_no_page_but_code_in_init_does(library):
    before = fingerprint(library, "from course_lib.data import load_digits")
    init = library / "data" / "__init__.py"
    text = init.read_text()
    init.write_text(text.replace("toys import make_toys", "toys import make_toys as toys"))
    assert fingerprint(library, "from course_lib.data import load_digits") == before
    init.write_text(text + "print('effet de bord')\n")
    assert fingerprint(library, "from course_lib.data import load_digits") != before
    assert fingerprint(library, "from course_lib.data.digits import load_digits") != before


def test_code_in_init_ties_the_page_to_the_names_it_uses(library):
    init = library / "data" / "__init__.py"
    init.write_text(init.read_text() + "REGISTRY = {'jouets': make_toys}\n")
    before = fingerprint(library, "from course_lib.data import load_digits")
    (library / "data" / "toys.py").write_text("def make_toys():\n    return 4\n")
    assert fingerprint(library, "from course_lib.data import load_digits") != before


def test_circular_imports_are_followed_once(library):
    (library / "base.py").write_text(
        "import course_lib.data.digits\n\n\ndef one():\n    return 1\n"
    )
    assert fingerprint(library, "from course_lib.base import one")


def test_a_page_depends_on_its_code_its_environment_and_the_tag_that_allows_errors(library):
    base = fingerprint(library, "x = 1", "y = 2")
    assert fingerprint(library, "x = 1", "y = 3") != base
    assert fingerprint(library, "x = 1\ny = 2") != base
    assert fingerprint(library, "x = 1", "y = 2", environment="autre") != base
    assert fingerprint(library, "x = 1", "y = 2", tags=["raises-exception"]) != base
    assert fingerprint(library, "x = 1", "y = 2", tags=["hide-input"]) == base


def test_the_environment_is_the_lock_the_profile_and_the_device(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DEVICE", raising=False)
    lock = tmp_path / "requirements.lock"
    absent = environment_fingerprint(lock, "rapide")
    lock.write_text("torch==2.13")
    first = environment_fingerprint(lock, "rapide")
    lock.write_text("torch==2.14")
    second = environment_fingerprint(lock, "rapide")
    complete = environment_fingerprint(lock, "complet")
    monkeypatch.setenv("COURSE_DEVICE", "cuda")
    assert len({absent, first, second, complete, environment_fingerprint(lock, "rapide")}) == 5


# --- Les pages et les carnets exécutés ----------------------------------------------------------


def test_a_line_finds_its_cell(tmp_path):
    book = make_book(tmp_path)
    path = book.root / "chapters/un.md"
    page = read_notebook(path.read_text("utf-8"), path)
    lines = path.read_text("utf-8").splitlines()
    cells = list(code_cells(page))
    assert [cell.number for cell in cells] == [1, 2]
    wanted = next(i for i, line in enumerate(lines, 1) if line == "print(load_digits())")
    assert cell_at(page, wanted).source == cells[1].source
    assert cell_at(page, 1) is None
    assert cell_at(page, lines.index("# Chapitre un") + 1) is None


def execution(page, **changes):
    known = {"docname": "un", "notebook": page, "date": DATE, "seconds": 2.5, "profile": "rapide"}
    return Execution(**{**known, "fingerprint": "f", **changes})


def test_an_executed_notebook_is_read_back_and_a_torn_one_is_not(tmp_path):
    store = ExecutedNotebooks(tmp_path)
    store.write(execution(notebook("1 + 1")))
    found = store.load("un")
    assert (found.seconds, found.profile, found.fingerprint) == (2.5, "rapide", "f")
    assert found.date == DATE
    text = store.path("un").read_text()
    for torn in ("", text[: len(text) // 2], "{}", text.replace('"fingerprint"', '"autre"')):
        store.path("un").write_text(torn)
        assert store.load("un") is None
    assert store.load("absent") is None


def test_a_failed_page_leaves_no_executed_notebook(tmp_path):
    store = ExecutedNotebooks(tmp_path)
    store.write(execution(notebook("1 + 1")))
    store.write(execution(notebook("1 / 0"), error="ZeroDivisionError"))
    assert store.load("un") is None


def test_new_prose_and_tags_keep_the_outputs(tmp_path):
    store = ExecutedNotebooks(tmp_path)
    old = notebook("print(1)")
    old.cells[0].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    source = notebook("print(1)", tags=["hide-input"])
    source.cells.insert(0, nbformat.v4.new_markdown_cell("De la prose."))
    current = store.refresh(execution(old), source)
    assert current.notebook.cells[1].outputs[0].text == "1\n"
    written = store.load("un").notebook
    assert written.cells[0].source == "De la prose."
    assert written.cells[1].metadata.tags == ["hide-input"]
    assert source.cells[1].outputs == []


def test_claims_are_read_in_order_with_the_device():
    page = notebook("a", "b")
    for cell, key in zip(page.cells, ("un", "deux"), strict=True):
        metadata = {"claim": {"key": key, "device": "cuda"}}
        cell.outputs = [nbformat.v4.new_output("display_data", metadata=metadata)]
    run = execution(page)
    assert [claim["key"] for claim in run.claims] == ["un", "deux"]
    assert run.device == "cuda"
    assert execution(notebook("a")).device == "cpu"


# --- Les noyaux -----------------------------------------------------------------------------------


def test_each_kernel_knows_its_chapter_and_has_one_thread_in_the_fast_profile(monkeypatch):
    monkeypatch.delenv("COURSE_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    fast = kernel_environment("chapters/un", "rapide")
    assert (fast["COURSE_BUILD"], fast["COURSE_CHAPTER"]) == ("1", "chapters/un")
    assert (fast["COURSE_PROFILE"], fast["OMP_NUM_THREADS"]) == ("rapide", "1")
    assert kernel_environment("chapters/un", "complet")["OMP_NUM_THREADS"] == "7"


def test_the_number_of_kernels_follows_the_profile_and_refuses_nonsense(monkeypatch):
    monkeypatch.delenv("COURSE_JOBS", raising=False)
    assert n_workers("rapide") >= 2
    assert n_workers("complet") == 1
    monkeypatch.setenv("COURSE_JOBS", "5")
    assert n_workers("complet") == 5
    monkeypatch.setenv("COURSE_JOBS", "0")
    with pytest.raises(ValueError, match="COURSE_JOBS vaut '0'"):
        n_workers("rapide")


def test_the_profiles_of_the_site_are_those_of_the_library():
    from course_lib import runtime

    assert PROFILES == runtime.PROFILES


def test_the_processor_time_of_a_page_counts_its_finished_and_living_children(tmp_path):
    burn = "import time\nwhile time.process_time() < 1:\n    pass"
    living = f"{burn}\ninput()"
    page = notebook(
        "import subprocess, sys",
        f"subprocess.run([sys.executable, '-c', {burn!r}], check=True)",
        f"child = subprocess.Popen([sys.executable, '-c', {living!r}], stdin=-1)",
        "import time; time.sleep(4)",
        "child.communicate(b'fini')",
    )
    outcomes = []
    run_jobs([Job("un", page, tmp_path)], profile="rapide", timeout=60, on_done=outcomes.append)
    assert outcomes[0].error == ""
    assert outcomes[0].cpu_seconds >= 2


def test_kernels_run_side_by_side_and_say_how_they_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_JOBS", "5")
    pages = {
        "un": notebook("import time; time.sleep(3)"),
        "deux": notebook("import time; time.sleep(3)"),
        "erreur": notebook("1 + 1", "1 / 0", "print('jamais')"),
        "lente": notebook("pass", "import time; time.sleep(60)"),
        "morte": notebook("import os; os._exit(3)"),
    }
    started = time.perf_counter()
    outcomes = {}
    run_jobs(
        [Job(name, page, tmp_path) for name, page in pages.items()],
        profile="rapide",
        timeout=5,
        on_done=lambda outcome: outcomes.update({outcome.job.docname: outcome}),
    )
    wall = time.perf_counter() - started
    assert wall <= 0.65 * sum(outcome.seconds for outcome in outcomes.values())
    assert 0 < outcomes["un"].cpu_seconds < outcomes["un"].seconds - 1  # dormir n'est pas calculer
    assert [outcomes[name].error for name in ("un", "deux")] == ["", ""]
    assert outcomes["erreur"].error == "ZeroDivisionError : division by zero"
    assert outcomes["erreur"].failed_cell == 1
    assert pages["erreur"].cells[2].outputs == []
    assert outcomes["lente"].error == "la cellule dépasse le délai de 5 s"
    assert outcomes["lente"].failed_cell == 1
    assert outcomes["morte"].error.startswith("le noyau s'est arrêté")


def test_the_warning_about_tcp_never_reaches_a_page():
    page = notebook("print(1)")
    noise = "[IPKernelApp] WARNING | " + kernels.TCP_WARNING + ". All communication…\n"
    page.cells[0].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=noise),
        nbformat.v4.new_output("stream", name="stderr", text=noise + "autre\n"),
        nbformat.v4.new_output("stream", text="1\n"),
    ]
    kernels._remove_noise(page)
    assert [output.text for output in page.cells[0].outputs] == ["autre\n", "1\n"]


# --- Des constructions entières ------------------------------------------------------------------


def check(book, expected, *, code=0, **variables):
    """Construit et vérifie quelles pages ont été exécutées."""
    built = book.build(**variables)
    assert built.code == code, built.output
    assert book.executed_pages() == sorted(expected), built.output
    return built


@pytest.mark.slow
def test_each_change_executes_exactly_the_pages_it_reaches(tmp_path):
    book = make_book(tmp_path)
    cold = check(book, ALL)
    assert "Exécution de 3 page(s)" in cold.output
    assert "[3/3] chapters/" in cold.output
    assert "TCP" not in cold.output
    assert cold.output.count("Using cached notebook") == 3
    assert "Executing notebook" not in cold.output  # MyST-NB n'exécute jamais lui-même

    nothing = check(book, [])
    assert nothing.seconds < 10
    assert "reading sources... [" not in nothing.output

    book.replace("chapters/un.md", "Du texte.", "De la prose.")
    check(book, [])
    assert "De la prose." in book.page("chapters/un")
    executed = nbformat.read(book.root / "_build/executes/chapters/un.ipynb", as_version=4)
    assert "De la prose." in executed.cells[0].source
    assert executed.metadata.kernelspec.name == "python3"

    book.replace("chapters/deux.md", "print(make_toys())", "print(make_toys() + 70)")
    check(book, ["chapters/deux"])
    assert ">73\n" in book.page("chapters/deux")

    book.replace("course_lib/base.py", "return 1", "return 41")
    check(book, ["chapters/un"])  # un.md n'a pas changé : Sphinx l'a pourtant relue
    assert ">42\n" in book.page("chapters/un")

    check(book, ALL, COURSE_PROFILE="complet")
    book.replace("requirements.lock", "2.13", "2.14")
    check(book, ALL, COURSE_PROFILE="complet")


def site_files(book):
    """Les pages, leurs images et l'index de recherche, par chemin."""
    return {
        path.relative_to(book.html): path.read_bytes()
        for path in sorted(book.html.rglob("*"))
        if path.suffix in (".html", ".png") or path.name == "searchindex.js"
    }


def kill_when(book, appears):
    """Lance une construction et la tue dès que le fichier ``appears`` est là."""
    process = book.start()
    deadline = time.monotonic() + 60
    while not appears.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None, "la construction s'est terminée avant d'être tuée"
    process.send_signal(signal.SIGKILL)
    process.wait()


DRAWING = """\
from io import BytesIO
from IPython.display import Image, display
from PIL import Image as Picture
from course_lib.base import one
Picture.new("RGB", (8, 8), (10 * one(), 0, 0)).save(buffer := BytesIO(), "png")
display(Image(buffer.getvalue()))"""


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Un livre, et son site tel qu'une construction sans histoire le rend, en deux versions."""
    book = make_book(tmp_path_factory.mktemp("livre"), "execution")
    book.replace("chapters/trois.md", "print('sans données')", DRAWING)
    sites = {}
    for value in (7, 1):
        (book.root / "course_lib/base.py").write_text(f"def one():\n    return {value}\n")
        shutil.rmtree(book.root / "_build", ignore_errors=True)
        assert book.build().code == 0
        sites[value] = site_files(book)
    assert sites[1] != sites[7]
    return book, sites


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (7, "journal.txt"),  # pendant l'exécution
        (1, "_build/.doctrees/chapters/deux.doctree"),  # pendant la lecture
        (7, "_build/html/chapters/deux.html"),  # pendant l'écriture
    ],
)
def test_a_killed_build_leaves_no_stale_page(versions, value, moment):
    book, sites = versions
    (book.root / "course_lib/base.py").write_text(f"def one():\n    return {value}\n")
    book.journal.unlink(missing_ok=True)
    for page in ("_build/.doctrees/chapters/deux.doctree", "_build/html/chapters/deux.html"):
        (book.root / page).unlink(missing_ok=True)
    kill_when(book, book.root / moment)
    after = book.build()
    assert after.code == 0, after.output
    assert site_files(book) == sites[value]


@pytest.mark.slow
def test_files_torn_by_a_kill_are_written_again_without_executing(versions):
    book, _ = versions
    assert book.build().code == 0
    expected = site_files(book)
    book.executed_pages()
    state = book.root / "_build" / ".etat-html.json"
    state.write_text(f'{{"state": "{RUNNING}", "faulty": []}}')
    torn = [
        "html/chapters/un.html", ".doctrees/environment.pickle", ".doctrees/chapters/un.doctree",
        "html/searchindex.js", ".jupyter_cache/global.db",
    ]  # fmt: skip
    images = list((book.root / "_build/jupyter_execute").glob("*.png"))
    assert images
    for path in [*(book.root / "_build" / name for name in torn), *images]:
        path.write_bytes(path.read_bytes()[:20])
    check(book, [])
    assert site_files(book) == expected


@pytest.mark.slow
def test_a_selection_executes_and_judges_its_pages_only(tmp_path):
    book = make_book(tmp_path, "execution", "controle")
    book.write_chapter("chapters/deux", "1 / 0", prose="{ref}`absente`")
    check(book, ["chapters/un"], COURSE_PAGES="chapters/un.md")
    assert ">2\n" in book.page("chapters/un")
    full = check(book, ["chapters/deux", "chapters/trois"], code=1)
    assert "La construction échoue : 2 problèmes." in full.output
    unknown = check(book, [], code=1, COURSE_PAGES="chapters/cent")
    assert "COURSE_PAGES nomme chapters/cent, absent de _toc.yml" in unknown.output
    book.write_chapter("chapters/deux", "print(5)")
    check(book, ["chapters/deux"])
    assert ">5\n" in book.page("chapters/deux")
