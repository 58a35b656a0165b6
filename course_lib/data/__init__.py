"""Données du cours : réelles embarquées, engendrées, ou publiques et téléchargées."""

from course_lib.data.augment import shift_images
from course_lib.data.digits import load_digits
from course_lib.data.download import DataError
from course_lib.data.gamma import (
    GAMMA_LINES,
    ISOTOPES,
    channel_energies,
    compton_edge,
    expected_spectrum,
    gamma_template,
    make_gamma_spectra,
)
from course_lib.data.glyphs import make_glyphs
from course_lib.data.images import NATURAL_IMAGES, load_natural_image
from course_lib.data.public import load_cifar10, load_fashion_mnist, load_mnist
from course_lib.data.shapes import (
    COLOR_NAMES,
    SHAPE_NAMES,
    SHAPE_SYMMETRIES,
    Scenes,
    make_shapes,
)
from course_lib.data.splits import Split, Splits, split
from course_lib.data.toys import make_blobs, make_moons, make_polynomial, make_spirals, make_xor

__all__ = [
    "COLOR_NAMES",
    "GAMMA_LINES",
    "ISOTOPES",
    "NATURAL_IMAGES",
    "SHAPE_NAMES",
    "SHAPE_SYMMETRIES",
    "DataError",
    "Scenes",
    "Split",
    "Splits",
    "channel_energies",
    "compton_edge",
    "expected_spectrum",
    "gamma_template",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "load_natural_image",
    "make_blobs",
    "make_gamma_spectra",
    "make_glyphs",
    "make_moons",
    "make_polynomial",
    "make_shapes",
    "make_spirals",
    "make_xor",
    "shift_images",
    "split",
]
