"""Graine, profil et appareil de calcul."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.runtime import get_device, make_generator, profile, profile_name, set_seed


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("COURSE_PROFILE", "COURSE_THREADS", "COURSE_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def draws():
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002 (le global est l'objet du test)


@given(st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_draws_in_the_three_libraries(seed):
    set_seed(seed)
    first = draws()
    second = draws()
    set_seed(seed)
    assert draws() == first
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_different_seeds_give_different_draws():
    set_seed(0)
    first = draws()
    set_seed(1)
    assert all(a != b for a, b in zip(first, draws(), strict=True))


def test_a_generator_does_not_touch_the_global_state():
    set_seed(0)
    expected = torch.rand(3)
    set_seed(0)
    torch.rand(5, generator=make_generator(1))
    assert torch.equal(torch.rand(3), expected)


def test_generators_of_the_same_seed_agree_and_of_other_seeds_differ():
    a, b, c = (torch.rand(4, generator=make_generator(s)) for s in (3, 3, 4))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", None, True])
def test_a_bad_seed_is_refused_and_quoted(seed):
    with pytest.raises(ValueError, match="Graine invalide : reçu"):
        make_generator(seed)
    with pytest.raises(ValueError, match="entier de 0"):
        set_seed(seed)


def test_each_profile_gives_its_own_settings(monkeypatch):
    settings = profile(rapide={"n": 1}, complet={"n": 2})
    assert (settings.name, settings.n) == ("rapide", 1)
    monkeypatch.setenv("COURSE_PROFILE", "complet")
    settings = profile(rapide={"n": 1}, complet={"n": 2})
    assert (settings.name, settings.n) == ("complet", 2)


def test_the_fast_profile_runs_on_one_thread_unless_told_otherwise(monkeypatch):
    torch.set_num_threads(2)
    profile(rapide={}, complet={})
    assert torch.get_num_threads() == 1
    monkeypatch.setenv("COURSE_THREADS", "2")
    profile(rapide={}, complet={})
    assert torch.get_num_threads() == 2


def test_the_full_profile_keeps_all_threads(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "complet")
    torch.set_num_threads(2)
    profile(rapide={}, complet={})
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("value", ["0", "-1", "deux", "1.5"])
def test_a_bad_number_of_threads_is_refused(monkeypatch, value):
    monkeypatch.setenv("COURSE_THREADS", value)
    with pytest.raises(ValueError, match="COURSE_THREADS vaut .* entier strictement positif"):
        profile(rapide={}, complet={})


def test_an_unknown_profile_is_refused_and_the_known_ones_named(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "lent")
    with pytest.raises(ValueError, match="vaut 'lent'.*rapide ou complet"):
        profile_name()


def test_profiles_with_different_keys_are_refused_and_the_keys_named():
    with pytest.raises(ValueError, match="d'un seul côté : a, b"):
        profile(rapide={"a": 1, "c": 0}, complet={"b": 1, "c": 0})
    with pytest.raises(ValueError, match="« name » est réservée"):
        profile(rapide={"name": 1}, complet={"name": 1})


def test_the_fast_profile_computes_on_the_processor():
    assert get_device() == torch.device("cpu")


def test_the_full_profile_prefers_cuda_then_mps(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "complet")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert get_device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert get_device().type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert get_device().type == "cpu"


def test_the_device_can_be_imposed_only_if_it_exists(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert get_device() == torch.device("cpu")
    monkeypatch.setenv("COURSE_DEVICE", "abaque")
    with pytest.raises(ValueError, match="'abaque'.*Appareils disponibles : cpu"):
        get_device()
