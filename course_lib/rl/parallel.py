"""A3C : des ouvriers, dans de vrais processus, corrigent ensemble les mêmes paramètres."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import NamedTuple

import gymnasium
import torch
from torch import Tensor
from torch import multiprocessing as mp

from course_lib._checks import check_count, check_real
from course_lib.rl.policy import ActorCritic, Collector, improve


class Run(NamedTuple):
    """Ce que des ouvriers ont fait : pas joués et mises à jour de chacun, et la durée.

    ``steps`` et ``updates`` (W,) entiers ; ``episodes`` (E, 2), une ligne par épisode achevé :
    numéro du pas commun où il s'achève, retour ; ``duration``, temps écoulé, et ``cpu`` (W,),
    temps processeur de chacun, en secondes, **sans** le démarrage des processus.
    """

    steps: Tensor
    updates: Tensor
    episodes: Tensor
    duration: float
    cpu: Tensor


def train_a3c(
    agent: ActorCritic, env_id: str, *, n_workers: int, n_steps: int, seed: int,
    rollout: int = 20, lr: float = 3e-3, timeout: float = 300.0, **options: float,
) -> Run:  # fmt: skip
    """Entraîne ``agent``, à sa place, par W processus sans verrou ; rend ce qu'ils ont fait.

    Chaque ouvrier recopie les paramètres partagés, joue ``rollout`` pas dans son propre
    environnement, calcule son gradient, et l'applique aussitôt aux paramètres partagés, que les
    autres ont pu changer entre-temps. RMSProp à statistiques partagées, taux décroissant jusqu'à 0.
    Le résultat dépend de l'ordre des processus : il n'est **pas** reproductible.

    Les ouvriers naissent d'un processus serveur (``forkserver``) qui n'importe PyTorch qu'une fois,
    et sert aux appels suivants ; sous Windows, de ``spawn``.

    Si un ouvrier échoue, meurt ou dépasse ``timeout`` secondes, tous sont arrêtés.

    **Formes** : ``n_steps`` pas en tout, partagés entre ouvriers ; ``options`` : celles
    d'``improve`` (``gamma``, ``lambda_``, ``entropy_weight``). Dans un script, appeler sous
    ``if __name__ == "__main__":`` (les processus réimportent le module principal).

    **Lève** : ``ValueError`` si un réglage ne convient pas ; ``RuntimeError``, avec la trace de
    l'ouvrier, si l'un d'eux échoue ou si le temps est dépassé.

    **Réf.** : mnih2016asynchronous
    """
    check_count(n_steps, name="n_steps", minimum=check_count(n_workers, name="n_workers"))
    check_real(timeout, name="timeout", minimum=0, strict=True)
    optimizer = _shared_optimizer(agent.share_memory(), check_real(lr, name="lr", minimum=0))
    counts = torch.zeros(2, n_workers, dtype=torch.int64).share_memory_()  # pas, mises à jour
    clock = torch.zeros(3, n_workers, dtype=torch.float64).share_memory_()  # début, fin, CPU
    returns = torch.full((n_workers, n_steps, 2), torch.nan).share_memory_()
    plan = (env_id, n_steps, check_count(rollout, name="rollout"), seed, lr, options)
    _run_workers((agent, optimizer, counts, clock, returns, plan), n_workers, timeout)
    rows = returns[~returns[..., 0].isnan()]  # (E, 2)
    duration = float(clock[1].max() - clock[0].min())  # horloge commune aux processus
    return Run(*counts.clone(), rows[rows[:, 0].argsort()], duration, clock[2].clone())


def _run_workers(arguments: tuple, n_workers: int, timeout: float) -> None:
    method = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"  # Windows
    if method == "forkserver":  # un seul processus importe PyTorch ; les ouvriers en sont tirés
        mp.get_context(method).set_forkserver_preload([__name__, "torch._dynamo"])
    ready = mp.get_context(method).Barrier(n_workers)  # sinon, le premier prêt jouerait seul
    context = mp.start_processes(
        _work, (ready, *arguments), n_workers, join=False, daemon=True, start_method=method
    )
    deadline = time.monotonic() + timeout
    try:
        while not context.join(timeout=0.2):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{timeout:g} s dépassées : augmenter timeout ou baisser n_steps."
                )
    except Exception as error:
        raise RuntimeError(f"A3C arrêté, un ouvrier n'a pas fini : {error}") from error
    finally:
        for process in context.processes:
            process.kill()
            process.join()


def _work(rank: int, ready, agent, optimizer, counts, clock, returns, plan: tuple) -> None:
    """Un ouvrier : copier, jouer, corriger, jusqu'à ce que les pas de tous soient joués."""
    env_id, n_steps, rollout, seed, lr, options = plan
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1_000_003 * seed + rank)
    env = gymnasium.make_vec(env_id, num_envs=1)
    local = deepcopy(agent)  # une copie à soi, hors de la mémoire partagée
    collector = Collector(env, local, generator=generator)
    optimizer.register_step_pre_hook(lambda *_: _hand_over(local, agent))
    ready.wait()
    clock[0, rank], cpu = time.monotonic(), time.process_time()
    while (done := int(counts[0].sum())) < n_steps:
        local.load_state_dict(agent.state_dict())
        optimizer.param_groups[0]["lr"] = lr * (1 - done / n_steps)
        improve(local, optimizer, collector.collect(rollout), generator=generator, **options)
        counts[0, rank], counts[1, rank] = collector.n_steps, counts[1, rank] + 1
        n = len(collector.finished)
        now = float(counts[0].sum())
        returns[rank, :n, 1] = torch.tensor([total for _, total in collector.finished])
        returns[rank, :n, 0] = returns[rank, :n, 0].nan_to_num(now)
    clock[1, rank], clock[2, rank] = time.monotonic(), time.process_time() - cpu


def _hand_over(local: ActorCritic, agent: ActorCritic) -> None:
    """Donne les gradients calculés ici aux paramètres partagés (leur ``grad`` reste à l'ouvrier)."""
    for mine, common in zip(local.parameters(), agent.parameters(), strict=True):
        common.grad, mine.grad = mine.grad, None


def _shared_optimizer(agent: ActorCritic, lr: float) -> torch.optim.RMSprop:
    """RMSProp dont les moyennes de carrés sont, elles aussi, en mémoire partagée."""
    optimizer = torch.optim.RMSprop(agent.parameters(), lr=lr, alpha=0.99, eps=1e-5)
    for parameter in agent.parameters():
        squares = torch.zeros_like(parameter, requires_grad=False).share_memory_()
        step = torch.zeros(()).share_memory_()
        optimizer.state[parameter] = {"step": step, "square_avg": squares}
    return optimizer
