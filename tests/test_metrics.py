"""Mesures : contre torchmetrics et scikit-learn, identités, refus des entrées fausses."""

import pytest
import sklearn.metrics
import torch
import torchmetrics.functional as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.metrics import (
    accuracy,
    confusion_matrix,
    mean_squared_error,
    precision_recall_f1,
)

examples = settings(max_examples=40, deadline=None)


@st.composite
def classification(draw):
    """Des logits (N, C) sans ex æquo et des étiquettes (N,), parfois d'une seule classe."""
    n, n_classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    labels = torch.randint(draw(st.integers(1, n_classes)), (n,), generator=generator)
    return torch.randn(n, n_classes, generator=generator), labels


@examples
@given(classification())
def test_accuracy_equals_torchmetrics_and_the_trace_of_the_confusion_matrix(data):
    logits, labels = data
    n_classes = logits.shape[1]
    expected = oracle.classification.multiclass_accuracy(
        logits, labels, num_classes=n_classes, average="micro"
    )
    matrix = confusion_matrix(logits, labels, n_classes=n_classes)
    assert accuracy(logits, labels) == pytest.approx(expected.item())
    assert accuracy(logits, labels) == pytest.approx(matrix.trace().item() / len(labels))


@examples
@given(classification())
def test_confusion_matrix_equals_scikit_learn_with_truth_in_rows(data):
    logits, labels = data
    n_classes = logits.shape[1]
    expected = sklearn.metrics.confusion_matrix(
        labels, logits.argmax(dim=1), labels=range(n_classes)
    )
    matrix = confusion_matrix(logits, labels, n_classes=n_classes)
    assert matrix.dtype == torch.int64
    assert torch.equal(matrix, torch.from_numpy(expected).long())


@examples
@given(classification())
def test_precision_recall_f1_equal_scikit_learn_with_zero_when_undefined(data):
    logits, labels = data
    n_classes = logits.shape[1]
    expected = sklearn.metrics.precision_recall_fscore_support(
        labels, logits.argmax(dim=1), labels=range(n_classes), zero_division=0
    )
    result = precision_recall_f1(logits, labels, n_classes=n_classes)
    for ours, theirs in zip(result, expected, strict=False):
        torch.testing.assert_close(ours.double(), torch.from_numpy(theirs))


@examples
@given(st.integers(1, 50), st.integers(1, 4), st.integers(0, 1000))
def test_mean_squared_error_equals_torchmetrics(n, width, seed):
    generator = torch.Generator().manual_seed(seed)
    predictions, targets = torch.randn(2, n, width, generator=generator)
    expected = oracle.mean_squared_error(predictions.flatten(), targets.flatten())
    assert mean_squared_error(predictions, targets) == pytest.approx(expected.item(), rel=1e-5)


def test_accuracy_accepts_one_label_per_pixel():
    labels = torch.tensor([[[0, 1], [2, 0]]])  # (N, H, W) = (1, 2, 2)
    logits = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    assert accuracy(logits, labels) == 1.0
    assert accuracy(-logits, labels) == 0.0


def test_accuracy_gives_a_tie_to_the_first_class():
    assert accuracy(torch.zeros(4, 3), torch.tensor([0, 0, 1, 2])) == 0.5


def test_metrics_do_not_modify_their_inputs():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    kept = logits.clone(), labels.clone()
    precision_recall_f1(logits, labels, n_classes=3)
    assert torch.equal(logits, kept[0])
    assert torch.equal(labels, kept[1])


LOGITS, LABELS = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
BAD_CLASSIFICATION = {
    "numpy": (LOGITS.numpy(), LABELS, "tenseur PyTorch ; reçu ndarray"),
    "vide": (LOGITS[:0], LABELS[:0], "vide"),
    "un axe": (LOGITS[:, 0], LABELS, r"logits \(N, C\).*reçu \(4,\)"),
    "tailles": (LOGITS, LABELS[:3], r"reçu \(4, 3\) et \(3,\)"),
    "étiquettes réelles": (LOGITS, LABELS.float(), "reçu torch.float32.*long"),
    "étiquettes booléennes": (LOGITS, LABELS.bool(), "reçu torch.bool"),
    "logits entiers": (LOGITS.long(), LABELS, "reçu torch.int64"),
    "NaN": (LOGITS.clone().fill_(torch.nan), LABELS, "NaN"),
    "trop grande": (LOGITS, LABELS + 1, "vont de 1 à 3.*de 0 à 2"),
    "négative": (LOGITS, LABELS - 1, "vont de -1 à 1"),
}


@pytest.mark.parametrize("case", BAD_CLASSIFICATION)
@pytest.mark.parametrize("metric", [accuracy, confusion_matrix, precision_recall_f1])
def test_classification_metrics_refuse_bad_input_in_french(metric, case):
    logits, labels, message = BAD_CLASSIFICATION[case]
    options = {} if metric is accuracy else {"n_classes": 3}
    with pytest.raises(ValueError, match=message):
        metric(logits, labels, **options)


@pytest.mark.parametrize("n_classes", [2, 4, "3", None])
def test_confusion_matrix_refuses_another_number_of_classes(n_classes):
    with pytest.raises(ValueError, match="Donnez n_classes=3"):
        confusion_matrix(LOGITS, LABELS, n_classes=n_classes)


@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        (torch.zeros(4, 1), torch.zeros(4), r"\(4, 1\) et les cibles \(4,\)"),
        (torch.zeros(0), torch.zeros(0), "vide"),
        (torch.tensor([torch.nan]), torch.zeros(1), "prédictions contiennent des NaN"),
        (torch.zeros(1), torch.tensor([torch.nan]), "cibles contiennent des NaN"),
        (torch.zeros(2), torch.zeros(2).long(), "cibles sont des réels"),
        ([1.0], torch.zeros(1), "reçu list"),
    ],
)
def test_mean_squared_error_refuses_bad_input_in_french(predictions, targets, message):
    with pytest.raises(ValueError, match=message):
        mean_squared_error(predictions, targets)


@examples
@given(
    st.lists(st.integers(0, 4), min_size=0, max_size=3),
    st.lists(st.integers(0, 4), min_size=0, max_size=3),
)
def test_any_pair_of_shapes_gives_a_number_or_a_french_error(logits_shape, labels_shape):
    logits, labels = torch.zeros(logits_shape), torch.zeros(labels_shape, dtype=torch.int64)
    valid = (
        len(logits_shape) >= 2
        and [logits_shape[0], *logits_shape[2:]] == labels_shape
        and logits.numel() > 0
    )
    if valid:
        assert accuracy(logits, labels) == 1.0
    else:
        with pytest.raises(ValueError, match="vide|Attendu des logits"):
            accuracy(logits, labels)
