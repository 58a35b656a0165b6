"""Exécuter les pages avant que Sphinx ne les lise, et seulement celles qui ont changé.

À chaque construction, l'empreinte de chaque page (``fingerprint``) est comparée à celle de son
carnet exécuté (``executed``). Ce qui manque est exécuté en parallèle (``kernels``), puis tout est
rangé dans le cache que lit MyST-NB, qui n'exécute jamais rien lui-même.

Les autres extensions lisent une exécution par ``execution_record(app, docname)``. Une page qui
résume les autres se déclare par ``note_aggregate(env, docname)``.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from site_ext import build_state
from site_ext.executed import ExecutedNotebooks, Execution, with_stable_ids
from site_ext.fingerprint import Library, environment_fingerprint, page_fingerprint
from site_ext.kernels import Job, Outcome, n_workers, run_jobs
from site_ext.pages import (
    Problem,
    book_root,
    code_cells,
    is_selected,
    read_notebook,
    report,
    selection,
    source_pages,
)

__all__ = ["Execution", "execution_record", "note_aggregate"]

logger = logging.getLogger(__name__)

PROFILES = ("rapide", "complet")


def execution_record(app: Sphinx, docname: str) -> Execution | None:
    """Rend l'exécution d'une page, ``None`` si elle n'est pas exécutable.

    Disponible dès que Sphinx lit les pages. Le carnet est partagé : ne le modifiez pas.
    """
    return getattr(app, "course_executions", {}).get(docname)


def note_aggregate(env: BuildEnvironment, docname: str) -> None:
    """Déclare une page qui résume les autres : elle est relue dès qu'une page change."""
    _aggregates(env).add(docname)


def _aggregates(env: BuildEnvironment) -> set[str]:
    if not hasattr(env, "course_aggregates"):
        env.course_aggregates = set()
    return env.course_aggregates


def checked_profile() -> str:
    """Rend le profil de la construction, lu dans ``COURSE_PROFILE``.

    **Lève** : ``ValueError`` si le profil est inconnu.
    """
    profile = os.environ.get("COURSE_PROFILE") or PROFILES[0]
    if profile not in PROFILES:
        raise ValueError(
            f"profil inconnu, COURSE_PROFILE vaut {profile!r}. "
            f"Valeurs permises : {' ou '.join(PROFILES)}."
        )
    return profile


def refuse_unknown_pages(app: Sphinx) -> None:
    """Arrête tout si ``COURSE_PAGES`` nomme une page que le livre n'a pas."""
    if unknown := selection() - set(source_pages(app)):
        raise SystemExit(
            f"Construction impossible : COURSE_PAGES nomme {', '.join(sorted(unknown))}, absent de "
            "_toc.yml. Donnez des pages comme chapters/fondations/perceptron."
        )


def execute_pages(app: Sphinx) -> None:
    """Exécute les pages périmées, avant que Sphinx ne lise quoi que ce soit."""
    cached = app.config.nb_execution_mode == "cache"
    app.course_executions = _current_executions(app, checked_profile()) if cached else {}


def outdated_pages(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> set[str]:
    """Rend les pages à relire : exécution nouvelle, faute à redire, résumé des autres."""
    known = getattr(env, "course_stamps", {})
    env.course_stamps = {name: run.stamp for name, run in app.course_executions.items()}
    outdated = {name for name, stamp in env.course_stamps.items() if stamp != known.get(name)}
    faulty = {name for name in build_state.faulty_pages(app) if is_selected(name)}
    outdated |= env.found_docs if build_state.EVERY_PAGE in faulty else faulty
    if outdated or added or changed or removed:
        outdated |= _aggregates(env)
    return outdated


def _current_executions(app: Sphinx, profile: str) -> dict[str, Execution]:
    """Rend l'exécution de chaque page exécutable, après avoir exécuté ce qui manque."""
    pages = _executable_pages(app)
    fingerprints = _fingerprints(app, pages, profile)
    store = ExecutedNotebooks(Path(app.outdir).parent / "executes")
    store.keep_only(set(pages))
    executions, jobs = {}, []
    for docname, (path, notebook) in pages.items():
        stored = store.load(docname)
        if stored is not None and stored.fingerprint == fingerprints[docname]:
            executions[docname] = store.refresh(stored, notebook)
        elif not is_selected(docname):
            executions[docname] = _not_executed(docname, notebook, profile)
        else:
            expected = stored.seconds if stored else float("inf")
            jobs.append(Job(docname, copy.deepcopy(notebook), path.parent, expected))
    cache = get_cache(app.env.mystnb_config.execution_cache_path)
    if jobs:
        executions |= _execute(app, jobs, fingerprints, profile, store, cache)
    _publish(cache, executions.values())
    return executions


def _executable_pages(app: Sphinx) -> dict[str, tuple[Path, NotebookNode]]:
    pages = {}
    for docname, path in source_pages(app).items():
        notebook = None
        with suppress(Exception):  # une page illisible : ``controle`` la signale
            notebook = read_notebook(path.read_text(encoding="utf-8"), path)
        if notebook is not None:
            pages[docname] = (path, notebook)
    return pages


def _fingerprints(app: Sphinx, pages, profile: str) -> dict[str, str]:
    root = book_root(app)
    library = Library(root / app.config.course_package)
    environment = environment_fingerprint(root / "requirements.lock", profile)
    return {
        docname: page_fingerprint(notebook, library, environment)
        for docname, (_, notebook) in pages.items()
    }


def _execute(app, jobs: list[Job], fingerprints, profile, store, cache) -> dict[str, Execution]:
    """Exécute les pages, range chacune dès qu'elle est finie, dit où l'on en est."""
    executions: dict[str, Execution] = {}
    cores = min(n_workers(profile), len(jobs))
    logger.info("Exécution de %d page(s), %d à la fois, profil %s.", len(jobs), cores, profile)

    def on_done(outcome: Outcome) -> None:
        docname = outcome.job.docname
        executions[docname] = execution = _record(outcome, fingerprints[docname], profile)
        # le cache d'abord, le carnet (qui fait foi) ensuite : tué entre les deux, on réexécute
        _publish_one(cache, execution)
        store.write(execution)
        rank = f"[{len(executions)}/{len(jobs)}]"
        verdict = "ÉCHEC après" if execution.error else "exécutée en"
        wall, cpu = (f"{x:.1f}".replace(".", ",") for x in (outcome.seconds, outcome.cpu_seconds))
        logger.info("%s %s : %s %s s (calcul : %s s)", rank, docname, verdict, wall, cpu)
        if execution.error:
            _report_failure(execution)

    delay = app.config.nb_execution_timeout
    timeout = delay if delay and delay > 0 else None
    run_jobs(jobs, profile=profile, timeout=timeout, on_done=on_done)
    return executions


def _record(outcome: Outcome, fingerprint: str, profile: str) -> Execution:
    return Execution(
        docname=outcome.job.docname,
        notebook=with_stable_ids(outcome.job.notebook),
        date=datetime.now().astimezone().replace(microsecond=0),
        seconds=round(outcome.seconds, 2),
        profile=profile,
        fingerprint=fingerprint,
        error=outcome.error,
        failed_cell=outcome.failed_cell,
        cpu_seconds=round(outcome.cpu_seconds, 2),
    )


def _not_executed(docname: str, notebook: NotebookNode, profile: str) -> Execution:
    """Rend une page sans sorties, hors de la sélection ; sa vraie empreinte la fera relire."""
    return Execution(
        docname=docname,
        notebook=with_stable_ids(copy.deepcopy(notebook)),
        date=datetime.fromtimestamp(0, UTC),  # stable : la page n'est pas relue à chaque fois
        seconds=0.0,
        profile=profile,
        fingerprint="",
        error="hors de la sélection COURSE_PAGES",
    )


def _report_failure(execution: Execution) -> None:
    line = execution.notebook.metadata["source_map"][execution.failed_cell]
    cell = next(cell for cell in code_cells(execution.notebook) if cell.line == line)
    problem = Problem(
        execution.docname,
        f"la cellule échoue. {execution.error}",
        "corrigez la cellule, ou la fonction de course_lib qu'elle appelle, puis reconstruisez : "
        "seules les pages touchées sont réexécutées. Une erreur voulue s'annonce dans la prose "
        "et porte l'étiquette raises-exception.",
        line=line,
        cell=cell,
    )
    report(problem, subtype="cellule")


def _publish(cache: JupyterCacheAbstract, executions: Iterable[Execution]) -> None:
    """Met le cache de MyST-NB d'accord avec les exécutions, et en ôte tout le reste."""
    records = {record.hashkey: record for record in cache.list_cache_records()}
    for execution in executions:
        _, key = cache.create_hashed_notebook(execution.notebook)
        record = records.pop(key, None)
        if record is None or record.data.get("fingerprint") != execution.fingerprint:
            _publish_one(cache, execution)
    for record in records.values():
        with suppress(KeyError):  # deux pages de même code partagent une entrée
            cache.remove_cache(record.pk)


def _publish_one(cache: JupyterCacheAbstract, execution: Execution) -> None:
    """Range une exécution là où MyST-NB la cherche, même en échec : la page montre où elle en est."""
    data = {"execution_seconds": execution.seconds, "fingerprint": execution.fingerprint}
    bundle = CacheBundleIn(execution.notebook, execution.docname, data=data)
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def _purge_aggregate(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _aggregates(env).discard(docname)


def _merge_aggregates(app: Sphinx, env, docnames: set[str], other) -> None:
    _aggregates(env).update(_aggregates(other) & set(docnames))


def _mark_done(app: Sphinx, exception: Exception | None) -> None:
    """Note que la construction est allée au bout, avec les pages que ``controle`` dit fautives."""
    if exception is None:
        postponed = {name for name in build_state.faulty_pages(app) if not is_selected(name)}
        build_state.mark_done(app, postponed | set(getattr(app, "course_faulty", ())))


def setup(app: Sphinx) -> dict[str, object]:
    try:
        n_workers(checked_profile())
    except ValueError as error:  # sortir ici : rien n'est encore écrit, et pas de trace Python
        raise SystemExit(f"Construction impossible : {error}") from None
    app.add_config_value("course_package", "course_lib", "")
    build_state.clean_after_interruption(app)
    app.connect("builder-inited", refuse_unknown_pages, priority=400)
    app.connect("builder-inited", build_state.mark_running)
    app.connect("builder-inited", execute_pages, priority=700)  # après le réglage de MyST-NB
    app.connect("env-get-outdated", outdated_pages)
    app.connect("env-purge-doc", _purge_aggregate)
    app.connect("env-merge-info", _merge_aggregates)
    app.connect("build-finished", _mark_done, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
