"""Exécuter des carnets en parallèle, un noyau chacun, et dire où l'un d'eux échoue.

jupyter-cache a un exécuteur « local-parallel », mais ses processus partagent leur environnement
(pas de ``COURSE_CHAPTER`` par noyau), ne disent rien de leur avancement et survivent à un
``kill -9`` de la construction. Ici, un seul processus tient les noyaux par asyncio : chacun est
déjà un processus, et s'arrête quand son parent disparaît.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

TCP_WARNING = "Kernel is running over TCP without encryption"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass
class Job:
    """Un carnet à exécuter, modifié sur place ; ``expected_seconds`` ordonne les départs."""

    docname: str
    notebook: NotebookNode
    folder: Path
    expected_seconds: float = float("inf")


@dataclass(frozen=True)
class Outcome:
    """Le résultat d'un carnet : ``error`` est vide s'il est allé au bout.

    ``seconds`` compte le temps écoulé, qui dépend des carnets exécutés à côté ; ``cpu_seconds``,
    le temps de processeur du noyau et de ses enfants, qui en dépend bien moins.
    """

    job: Job
    seconds: float
    cpu_seconds: float
    error: str = ""
    failed_cell: int | None = None


def run_jobs(
    jobs: Sequence[Job],
    *,
    profile: str,
    timeout: int | None,
    on_done: Callable[[Outcome], None],
) -> None:
    """Exécute les carnets, les plus longs d'abord, et appelle ``on_done`` à la fin de chacun."""
    ordered = sorted(jobs, key=lambda job: -job.expected_seconds)
    with asyncio.Runner(loop_factory=_KernelLoop) as runner:
        runner.run(_run_all(ordered, profile, timeout, on_done))


def n_workers(profile: str) -> int:
    """Rend le nombre de noyaux simultanés : un de plus que de cœurs, un seul en « complet ».

    Un de plus, parce que peu de chapitres durent aussi longtemps : trois chapitres égaux sur deux
    cœurs finissent en 1,5 fois la durée d'un seul s'ils se partagent les cœurs, en 2 fois sinon.
    « complet » laisse à un chapitre tous les fils ou la carte graphique. ``COURSE_JOBS`` impose un
    autre nombre.
    """
    if requested := os.environ.get("COURSE_JOBS", ""):
        if not requested.isdecimal() or int(requested) == 0:
            raise ValueError(
                f"COURSE_JOBS vaut {requested!r} : donnez un entier strictement positif, ou rien."
            )
        return int(requested)
    if profile == "complet":
        return 1
    affinity = getattr(os, "sched_getaffinity", None)  # absente de macOS et de Windows
    return 1 + (len(affinity(0)) if affinity else os.cpu_count() or 1)


def kernel_environment(docname: str, profile: str) -> dict[str, str]:
    """Rend les variables d'environnement du noyau d'une page."""
    variables = {
        **os.environ,
        "COURSE_BUILD": "1",
        "COURSE_CHAPTER": docname,
        "COURSE_PROFILE": profile,
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # sinon, un avertissement par noyau
    }
    if profile == "rapide":
        threads = os.environ.get("COURSE_THREADS") or "1"
        variables |= dict.fromkeys(THREAD_VARIABLES, threads)
    return variables


class _KernelLoop(asyncio.SelectorEventLoop):
    """Une boucle qui garde Ctrl-C pour elle : nbclient n'en arrêterait qu'un noyau."""

    def add_signal_handler(self, *arguments: object) -> None:
        raise RuntimeError("signaux réservés à asyncio.Runner")


async def _run_all(jobs, profile, timeout, on_done) -> None:
    gate = asyncio.Semaphore(n_workers(profile))

    async def run_one(job: Job) -> None:
        async with gate:
            on_done(await _execute(job, profile, timeout))

    await asyncio.gather(*map(run_one, jobs))


async def _execute(job: Job, profile: str, timeout: int | None) -> Outcome:
    """Exécute un carnet dans un noyau neuf, jusqu'à la première cellule qui échoue."""
    current, cpu = [0], [0.0]

    def on_cell_executed(**_: object) -> None:
        cpu[0] = max(cpu[0], _cpu_seconds(client.km.provisioner.pid))

    client = NotebookClient(
        job.notebook,
        timeout=timeout,
        record_timing=False,  # jupyter-cache compte les métadonnées des cellules dans sa clé
        resources={"metadata": {"path": str(job.folder)}},
        extra_arguments=["--log-level=CRITICAL"],  # tait « TCP » et les adieux des noyaux arrêtés
        on_cell_start=lambda cell, cell_index: current.__setitem__(0, cell_index),
        on_cell_executed=on_cell_executed,
    )
    started, error = time.perf_counter(), ""
    try:
        await client.async_execute(env=kernel_environment(job.docname, profile))
    except CellExecutionError as failure:
        error = f"{failure.ename} : {failure.evalue}"
    except CellTimeoutError:
        error = f"la cellule dépasse le délai de {timeout} s"
    except DeadKernelError:
        error = "le noyau s'est arrêté brutalement (mémoire épuisée ?)"
    _remove_noise(job.notebook)
    seconds = time.perf_counter() - started
    return Outcome(job, seconds, cpu[0], error, current[0] if error else None)


def _cpu_seconds(pid: int) -> float:
    """Rend le temps de processeur d'un noyau et de ses enfants, finis ou vivants ; 0 s'il est mort."""
    try:
        kernel = psutil.Process(pid)
        family = [kernel, *kernel.children(recursive=True)]
        return sum(sum(process.cpu_times()[:4]) for process in family)
    except psutil.Error:
        return 0.0


def _remove_noise(notebook: NotebookNode) -> None:
    """Ôte des sorties l'avertissement d'ipykernel sur TCP, et les sorties devenues vides."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream" and TCP_WARNING in output.text:
                lines = output.text.splitlines(keepends=True)
                output.text = "".join(line for line in lines if TCP_WARNING not in line)
        cell.outputs = [
            output for output in cell.outputs if output.output_type != "stream" or output.text
        ]
