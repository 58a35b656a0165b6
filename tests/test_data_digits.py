"""Tests de course_lib.data.digits."""

import sklearn.datasets
import torch

from course_lib.data import load_digits
from course_lib.runtime import make_generator


def test_digits_are_those_of_scikit_learn_in_unit_range():
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    known = {tuple(image): label for image, label in zip(images, labels, strict=True)}
    parts = load_digits(generator=make_generator(0))
    x, y = torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts])
    assert x.shape == (1797, 1, 8, 8)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert x.min() == 0
    assert x.max() == 1
    rows = (x.flatten(1) * 16).double().tolist()
    assert [known[tuple(row)] for row in rows] == y.tolist()


def test_digits_are_upright():
    parts = load_digits(generator=make_generator(0))
    mean_seven = parts.train.x[parts.train.y == 7].mean(0)[0]  # barre du haut, pied étroit
    assert mean_seven[0].sum() > 1.2 * mean_seven[7].sum()


def test_digits_follow_the_asked_fractions_and_seed():
    first, again, other = (
        load_digits(generator=make_generator(s), fractions=(0.8, 0.1, 0.1)) for s in (0, 0, 1)
    )
    assert [part.x.shape[0] for part in first] == [1438, 179, 180]
    assert torch.equal(first.test.x, again.test.x)
    assert not torch.equal(first.test.x, other.test.x)
