"""Tests de course_lib.data.splits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from course_lib.data import Split, Splits, split
from course_lib.runtime import make_generator


def numbered(labels):
    """Des entrées dont la valeur est leur numéro : on peut suivre chaque exemple."""
    return torch.arange(len(labels), dtype=torch.float32)[:, None], labels


@settings(max_examples=60, deadline=None)
@given(
    classes=st.lists(st.integers(0, 4), min_size=20, max_size=200),
    cut=st.tuples(st.integers(10, 80), st.integers(5, 10)),
    seed=st.integers(0, 1000),
)
def test_split_keeps_every_example_once_with_its_label(classes, cut, seed):
    x, y = numbered(torch.tensor(classes))
    fractions = (cut[0] / 100, cut[1] / 100, 1 - sum(cut) / 100)
    parts = split(x, y, fractions=fractions, generator=make_generator(seed))
    seen = torch.cat([part.x[:, 0] for part in parts]).long()
    assert torch.equal(seen.sort().values, torch.arange(len(classes)))
    assert torch.equal(torch.cat([part.y for part in parts]), y[seen])


@settings(max_examples=60, deadline=None)
@given(
    classes=st.lists(st.integers(0, 6), min_size=10, max_size=300),
    fractions=st.sampled_from([(0.6, 0.2, 0.2), (0.8, 0.1, 0.1), (0.5, 0.5, 0.0), (0.3, 0.3, 0.4)]),
    seed=st.integers(0, 1000),
)
def test_each_class_keeps_the_asked_proportions(classes, fractions, seed):
    x, y = numbered(torch.tensor(classes))
    parts = split(x, y, fractions=fractions, generator=make_generator(seed))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(part.x.shape[0] - fraction * len(classes)) <= 1
        counts = part.y.bincount(minlength=7)
        assert (counts - fraction * y.bincount(minlength=7)).abs().max() < 3


def test_class_counts_agree_with_scikit_learn():
    y = torch.tensor([0] * 500 + [1] * 300 + [2] * 200)
    x, _ = numbered(y)
    ours = split(x, y, fractions=(0.8, 0.0, 0.2), generator=make_generator(0))
    theirs = train_test_split(y.numpy(), test_size=0.2, stratify=y.numpy(), random_state=0)[1]
    difference = ours.test.y.bincount() - torch.from_numpy(theirs).bincount()
    assert difference.abs().max() <= 1


def test_split_gives_named_parts_of_the_asked_sizes():
    parts = split(*numbered(torch.arange(100) % 10), generator=make_generator(0))
    assert isinstance(parts, Splits)
    assert all(isinstance(part, Split) for part in parts)
    assert [part.x.shape[0] for part in parts] == [60, 20, 20]
    assert parts.validation.y.bincount().tolist() == [2] * 10


def test_same_seed_same_split_and_another_seed_another_split():
    data = numbered(torch.arange(200) % 10)
    first, again, other = (split(*data, generator=make_generator(s)) for s in (1, 1, 2))
    assert torch.equal(first.train.x, again.train.x)
    assert not torch.equal(first.train.x, other.train.x)


def test_split_shuffles_the_order_of_the_classes():
    parts = split(*numbered(torch.arange(400) // 100), generator=make_generator(0))
    assert (parts.train.y.diff() < 0).sum() > 50


def test_split_modifies_neither_its_input_nor_the_global_generator():
    x, y = numbered(torch.arange(50) % 5)
    before, state = (x.clone(), y.clone()), torch.get_rng_state()
    parts = split(x, y, generator=make_generator(0))
    parts.train.x.zero_()
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    assert torch.equal(state, torch.get_rng_state())


def test_a_float_target_is_split_without_strata():
    x = torch.rand(50, 1)
    parts = split(x, 2 * x, generator=make_generator(0))
    assert [part.x.shape[0] for part in parts] == [30, 10, 10]
    assert torch.equal(parts.test.y, 2 * parts.test.x)


def test_a_zero_fraction_gives_an_empty_part():
    parts = split(
        *numbered(torch.arange(10)), fractions=(0.7, 0.3, 0.0), generator=make_generator(0)
    )
    assert [part.x.shape[0] for part in parts] == [7, 3, 0]


@pytest.mark.parametrize(
    "fractions",
    [(0.5, 0.5), (0.5, 0.2, 0.2), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5), ("a", 0.5, 0.5)],
)
def test_wrong_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="fraction"):
        split(*numbered(torch.arange(10)), fractions=fractions, generator=make_generator(0))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(0, 2), torch.zeros(0).long(), "vide"),
        (torch.zeros(4, 2).long(), torch.arange(4), r"flottant.*int64.*\.float\(\)"),
        ([[1.0]], torch.arange(1), "flottant, reçu list"),
        (torch.tensor([[float("nan")], [0.0]]), torch.arange(2), "NaN"),
        (torch.zeros(4, 2), torch.arange(3), r"\(4, 2\) et \(3,\)"),
        (torch.zeros(4, 2), torch.zeros(4, 1).long(), r"\(N,\)"),
        (torch.zeros(4, 2), torch.tensor([True] * 4), "entier"),
        (torch.zeros(2, 2), torch.tensor([0.0, float("inf")]), "y contient"),
        (torch.zeros(2, 2), [0, 1], "reçu list"),
        (torch.zeros(2, 2), torch.arange(2), "ne suffisent pas"),
    ],
)
def test_wrong_data_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        split(x, y, generator=make_generator(0))


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(ValueError, match=r"torch\.Generator, reçu int .*make_generator"):
        split(*numbered(torch.arange(10)), generator=0)
