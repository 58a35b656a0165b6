"""A3C : paramètres vraiment partagés, fin propre, erreurs remontées, aucun orphelin."""

import multiprocessing
import threading
import time

import gymnasium
import pytest
import torch

from course_lib.rl.parallel import train_a3c
from course_lib.rl.policy import ActorCritic


def new_agent():
    torch.manual_seed(0)
    env = gymnasium.make("CartPole-v1")
    return ActorCritic(env.observation_space, env.action_space)


def no_child_remains():
    return multiprocessing.active_children() == []


def test_two_processes_update_the_same_parameters_in_place():
    agent = new_agent()
    before = {name: p.detach().clone() for name, p in agent.named_parameters()}
    run = train_a3c(agent, "CartPole-v1", n_workers=2, n_steps=600, seed=0, lr=1e-2)
    assert all(not torch.equal(before[name], p) for name, p in agent.named_parameters())
    assert all(p.is_shared() for p in agent.parameters())
    assert bool((run.updates > 0).all())  # chacun a corrigé…
    assert 600 <= run.steps.sum() <= 600 + 3 * 20  # … et le budget est commun
    assert bool((run.episodes[:, 0].diff() >= 0).all())
    assert bool((run.episodes[:, 1] >= 8).all())  # un épisode de CartPole dure au moins 8 pas
    assert bool(torch.isfinite(run.episodes).all())
    assert run.duration > 0
    assert run.cpu.shape == (2,)
    assert bool(((run.cpu > 0) & (run.cpu < run.duration + 0.5)).all())  # un fil par ouvrier
    assert no_child_remains()


def test_the_error_of_a_worker_comes_back_and_leaves_no_orphan():
    with pytest.raises(RuntimeError, match="Inconnu"):
        train_a3c(new_agent(), "Inconnu-v0", n_workers=1, n_steps=100, seed=0)
    assert no_child_remains()


def kill_one_worker():
    while not multiprocessing.active_children():
        time.sleep(0.05)
    multiprocessing.active_children()[0].kill()


def test_a_killed_worker_stops_the_others_instead_of_blocking():
    killer = threading.Thread(target=kill_one_worker, daemon=True)
    killer.start()
    with pytest.raises(RuntimeError, match="SIGKILL"):
        train_a3c(new_agent(), "CartPole-v1", n_workers=2, n_steps=10**6, seed=0, timeout=60)
    killer.join()
    assert no_child_remains()


def test_a_run_that_lasts_too_long_is_stopped():
    with pytest.raises(RuntimeError, match="augmenter timeout"):
        train_a3c(new_agent(), "CartPole-v1", n_workers=1, n_steps=10**6, seed=0, timeout=0.5)
    assert no_child_remains()


def test_a_bad_setting_is_refused_before_any_process_starts():
    with pytest.raises(ValueError, match="n_workers"):
        train_a3c(new_agent(), "CartPole-v1", n_workers=0, n_steps=10, seed=0)
    with pytest.raises(ValueError, match="n_steps"):
        train_a3c(new_agent(), "CartPole-v1", n_workers=4, n_steps=2, seed=0)
    assert no_child_remains()
