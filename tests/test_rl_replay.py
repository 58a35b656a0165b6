"""Mémoire de rejeu : tampon circulaire, tirage uniforme, types gardés, refus."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from course_lib.rl.replay import ReplayMemory

examples = settings(max_examples=40, deadline=None)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(numbers):
    """Des transitions reconnaissables : l'observation k vaut k, la suivante k + 1."""
    k = np.asarray(numbers, dtype=float)
    return k[:, None], k.astype(int), -k, k[:, None] + 1, k.astype(int) % 3 == 0


@examples
@given(st.integers(1, 9), st.lists(st.integers(1, 12), max_size=6))
def test_it_keeps_exactly_the_last_transitions(capacity, sizes):
    memory, n = ReplayMemory(capacity, (1,)), 0
    for size in sizes:
        memory.add(*rows(range(n, n + size)))
        n += size
    assert len(memory) == min(n, capacity)
    kept = sorted(memory.data.actions[: len(memory)].tolist())
    assert kept == list(range(max(0, n - capacity), n))


def test_the_fields_of_a_transition_stay_together():
    memory = ReplayMemory(50, (1,))
    for start in range(0, 120, 7):
        memory.add(*rows(range(start, start + 7)))
    batch = memory.sample(200, generator=rng())
    k = batch.actions
    assert torch.equal(batch.obs[:, 0], k.float())
    assert torch.equal(batch.next_obs[:, 0], k.float() + 1)
    assert torch.equal(batch.rewards, -k.float())
    assert torch.equal(batch.terminated, k % 3 == 0)


@pytest.mark.parametrize("n_added", [40, 100, 137])
def test_draws_are_uniform_by_the_chi_square_test(n_added):
    memory = ReplayMemory(100, (1,))
    memory.add(*rows(range(n_added)))
    drawn = memory.sample(20_000, generator=rng(1)).actions
    counts = drawn.bincount(minlength=n_added)[max(0, n_added - 100) :]
    assert len(counts) == len(memory)
    assert stats.chisquare(counts).pvalue > 0.01


def test_two_draws_of_one_batch_are_independent():
    memory = ReplayMemory(8, (1,))
    memory.add(*rows(range(8)))
    pairs = memory.sample(20_000, generator=rng(2)).actions.reshape(-1, 2)
    table = (8 * pairs[:, 0] + pairs[:, 1]).bincount(minlength=64)
    assert stats.chisquare(table).pvalue > 0.01  # avec remise : deux fois la même est possible


def test_the_same_seed_draws_the_same_batch_and_drawing_changes_nothing():
    memory = ReplayMemory(20, (1,))
    memory.add(*rows(range(20)))
    before = memory.data.obs.copy()
    first, second = (memory.sample(6, generator=rng(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    first.obs.zero_()
    assert np.array_equal(memory.data.obs, before)


def test_what_is_stored_does_not_follow_the_callers_array():
    memory, obs = ReplayMemory(4, (1,)), np.ones((1, 1))
    memory.add(obs, [0], [0.0], obs, [False])
    obs[:] = 9
    assert memory.data.obs[0, 0] == 1


def test_images_stay_in_eight_bits():
    memory = ReplayMemory(10, (2, 4, 4), dtype=np.uint8)
    images = np.full((3, 2, 4, 4), 255, dtype=np.uint8)
    memory.add(images, [0, 1, 2], [0.0] * 3, images, [True] * 3)
    batch = memory.sample(5, generator=rng())
    assert batch.obs.dtype == torch.uint8
    assert batch.obs.shape == (5, 2, 4, 4)
    assert (batch.actions.dtype, batch.rewards.dtype) == (torch.int64, torch.float32)
    assert memory.data.obs.nbytes == 10 * 32


@pytest.mark.parametrize(
    "fields",
    [
        (np.zeros((2, 1)), [0, 1], [0.0, 0.0], np.zeros((2, 1)), [0, 1]),  # fin non booléenne
        (np.zeros((2, 2)), [0, 1], [0.0, 0.0], np.zeros((2, 2)), [False, True]),
        (np.zeros((2, 1)), [0], [0.0, 0.0], np.zeros((2, 1)), [False, True]),
    ],
)
def test_fields_of_the_wrong_form_are_refused(fields):
    memory = ReplayMemory(4, (1,))
    with pytest.raises(ValueError, match="Formes attendues"):
        memory.add(*fields)
    assert len(memory) == 0


def test_bad_settings_and_empty_draws_are_refused():
    with pytest.raises(ValueError, match="capacity doit être un entier ≥ 1"):
        ReplayMemory(0, (1,))
    memory = ReplayMemory(3, (1,))
    with pytest.raises(ValueError, match="vide"):
        memory.sample(1, generator=rng())
    memory.add(*rows([0]))
    with pytest.raises(ValueError, match="generator"):
        memory.sample(1, generator=None)
    with pytest.raises(ValueError, match="batch_size"):
        memory.sample(0, generator=rng())
