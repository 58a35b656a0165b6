"""Données du cours : réelles embarquées, engendrées, ou publiques et téléchargées."""

from course_lib.data.augment import shift_images
from course_lib.data.digits import load_digits
from course_lib.data.download import DataError
from course_lib.data.glyphs import make_glyphs
from course_lib.data.images import NATURAL_IMAGES, load_natural_image
from course_lib.data.public import load_cifar10, load_fashion_mnist, load_mnist
from course_lib.data.splits import Split, Splits, split
from course_lib.data.toys import make_blobs, make_moons, make_polynomial, make_spirals, make_xor

__all__ = [
    "NATURAL_IMAGES",
    "DataError",
    "Split",
    "Splits",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "load_natural_image",
    "make_blobs",
    "make_glyphs",
    "make_moons",
    "make_polynomial",
    "make_spirals",
    "make_xor",
    "shift_images",
    "split",
]
