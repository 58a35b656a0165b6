"""Le moteur inverse : égal à PyTorch sur des graphes quelconques, et clair quand on se trompe."""

import ast
import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import autograd
from course_lib.autograd import Tensor, gradient_check, topological_order, unbroadcast

SHAPES = [(), (1,), (3,), (1, 3), (2, 1), (2, 3)]  # toutes se diffusent entre elles
UNARY = {  # fonctions bornées : les valeurs restent petites, les écarts aussi
    "tanh": (lambda a: a.tanh(), torch.tanh),
    "sigmoid": (lambda a: a.sigmoid(), torch.sigmoid),
    "relu": (lambda a: a.relu(), torch.relu),
    "exp": (lambda a: (-a * a).exp(), lambda a: (-a * a).exp()),
    "log": (lambda a: (a * a + 1.0).log(), lambda a: (a * a + 1.0).log()),
    "power": (lambda a: (a**2 + 0.5) ** -1.5, lambda a: (a**2 + 0.5) ** -1.5),
    "sum": (lambda a: a.sum(), torch.sum),
    "mean": (lambda a: a.mean(), torch.mean),
    "negative": (lambda a: -a, lambda a: -a),
}
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 1.0),
    "constant": lambda a, b: 2.0 - a * 0.5 + 1.0 / (b * b + 2.0),
}
steps = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=12,
)


def random_graph(leaves, program, which):
    """Le même programme pour les deux bibliothèques ; chaque pas relit des nœuds au hasard."""
    nodes = list(leaves)
    for name, i, j in program:
        a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
        nodes.append(UNARY[name][which](a) if name in UNARY else BINARY[name](a, b).tanh())
    return sum((node.sum() for node in nodes[1:]), nodes[0].sum())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(SHAPES), min_size=2, max_size=4), steps, st.integers(0, 2**16))
def test_gradients_equal_pytorch_on_random_graphs(shapes, program, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    ours = [Tensor(array) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    result, expected = random_graph(ours, program, 0), random_graph(theirs, program, 1)
    result.backward()
    expected.backward()
    assert result.data == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.grad.shape == mine.shape
        np.testing.assert_allclose(mine.grad, reference.grad.numpy(), rtol=1e-10, atol=1e-10)


def same_as_torch(function, torch_function, *arrays):
    ours = [Tensor(array) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    result, expected = function(*ours), torch_function(*theirs)
    np.testing.assert_allclose(result.data, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    weights = np.cos(np.arange(result.data.size)).reshape(result.shape)
    result.backward(weights)
    expected.backward(torch.tensor(weights))
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.grad, reference.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((5, 2, 3), (3, 4)),
     ((5, 1, 2, 3), (4, 3, 2))],
)  # fmt: skip
def test_matrix_products_equal_pytorch_whatever_the_dimensions(left, right):
    rng = np.random.default_rng(0)
    multiply = lambda a, b: a @ b  # noqa: E731
    same_as_torch(multiply, multiply, rng.standard_normal(left), rng.standard_normal(right))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("name", ["sum", "mean", "logsumexp"])
def test_reductions_equal_pytorch_along_every_axis(name, axis, keepdims):
    x = np.random.default_rng(1).standard_normal((2, 3, 4))
    dims = (0, 1, 2) if axis is None else axis
    same_as_torch(
        lambda a: getattr(a, name)(axis, keepdims),
        lambda a: getattr(torch, name)(a, dims, keepdim=keepdims),
        x,
    )


def test_shapes_and_indices_equal_pytorch():
    x = np.random.default_rng(2).standard_normal((2, 3, 4))
    rows, columns = np.array([0, 1, 1]), np.array([2, 0, 0])  # (1, 0) lu deux fois
    same_as_torch(lambda a: a.reshape(4, -1), lambda a: a.reshape(4, -1), x)
    same_as_torch(lambda a: a.transpose(), lambda a: a.permute(2, 1, 0), x)
    same_as_torch(lambda a: a.transpose(-1, 0, 1), lambda a: a.permute(-1, 0, 1), x)
    same_as_torch(lambda a: a[:, 1:, ::2], lambda a: a[:, 1:, ::2], x)
    same_as_torch(lambda a: a[rows, columns], lambda a: a[rows, columns], x)


def test_extreme_values_neither_overflow_nor_become_nan():
    x = Tensor([-800.0, 0.0, 800.0])
    (x.sigmoid().sum() + x.logsumexp() + x.tanh().sum()).backward()
    np.testing.assert_allclose(x.grad, [0, 1.25, 1], atol=1e-12)
    zero = Tensor([0.0, 2.0])
    (zero**0).sum().backward()
    np.testing.assert_array_equal(zero.grad, [0, 0])
    assert Tensor(-40.0).sigmoid().data == pytest.approx(math.exp(-40), rel=1e-12)


def test_the_slope_of_relu_at_zero_is_zero_as_in_pytorch():
    x = Tensor([-1.0, 0.0, 1.0])
    x.relu().sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 1])


def test_numpy_arrays_and_numbers_mix_with_tensors_on_both_sides():
    x, weights = Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    for result in (weights + x, x + weights, weights * x, weights - x, weights / x, weights @ x):
        assert isinstance(result, Tensor)
    np.testing.assert_array_equal((weights - x).data, [2, 2])
    np.testing.assert_array_equal((1 / x).data, [1, 0.5])


def train(arrays, make, x, y):
    """Pertes d'un PMC à une couche cachée : le même code pour les deux bibliothèques."""
    parameters, losses = [make(array) for array in arrays], []
    for _ in range(300):
        w1, b1, w2, b2 = parameters
        logits = (x @ w1 + b1).tanh() @ w2 + b2
        loss = (logits.logsumexp(1) - logits[np.arange(len(y)), y]).mean()
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        for parameter in parameters:
            parameter.data -= 0.5 * parameter.grad
        losses.append(loss.data.item())
    return losses


def test_a_whole_training_has_the_losses_of_pytorch():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((60, 5))
    y = (x[:, 0] * x[:, 1] > 0).astype(int) + (x[:, 2] > 1)
    arrays = [rng.standard_normal(shape) for shape in [(5, 16), (16,), (16, 3), (3,)]]
    ours = train(arrays, Tensor, x, y)
    theirs = train(arrays, lambda a: torch.tensor(a, requires_grad=True), torch.tensor(x), y)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)
    assert ours[-1] < 0.2 * ours[0]


def test_a_chain_of_many_nodes_differentiates_without_recursion():
    x = Tensor(1.0)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.backward()
    assert x.grad == pytest.approx(1.0001**10_000, rel=1e-12)
    assert len(topological_order(y)) == 20_001  # la feuille, les constantes, les produits


def test_a_ladder_of_reused_nodes_takes_linear_time():
    x = Tensor(1.0)
    y = x
    for _ in range(60):  # 2⁶⁰ chemins, 61 nœuds
        y = y + y
    y.backward()
    assert x.grad == 2.0**60
    assert len(topological_order(y)) == 61


@given(steps)
def test_every_node_comes_once_and_after_its_parents(program):
    root = random_graph([Tensor(1.0), Tensor([1.0, 2.0, 3.0])], program, 0)
    order = topological_order(root)
    position = {id(node): k for k, node in enumerate(order)}
    assert len(position) == len(order)
    assert order[-1] is root
    for node in order:
        assert all(position[id(parent)] < position[id(node)] for parent in node.parents)


def test_leaves_accumulate_and_intermediate_nodes_do_not():
    x = Tensor(3.0)
    y = x * x
    z = y * 2.0
    z.backward()
    z.backward()
    assert x.grad == 24.0
    assert y.grad == 2.0
    x.zero_grad()
    z.backward()
    assert x.grad == 12.0


def test_backward_changes_no_value_and_shares_no_memory():
    array = np.array([1.0, 2.0])
    x = Tensor(array)
    y = x + 0.0
    seed = np.ones(2)
    y.backward(seed)
    x.data += 1.0
    x.grad *= 5.0
    np.testing.assert_array_equal(array, [1, 2])
    np.testing.assert_array_equal(seed, [1, 1])
    np.testing.assert_array_equal(y.grad, [1, 1])


@given(st.sampled_from(SHAPES), st.sampled_from(SHAPES))
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, other):
    rng = np.random.default_rng(4)
    target = np.broadcast_shapes(shape, other)
    x, g = rng.standard_normal(shape), rng.standard_normal(target)
    spread = np.broadcast_to(x, target)
    assert unbroadcast(g, shape).shape == shape
    np.testing.assert_allclose((unbroadcast(g, shape) * x).sum(), (g * spread).sum(), atol=1e-12)


def test_gradient_check_accepts_a_right_gradient_and_refuses_a_wrong_one():
    x, w = np.array([[0.5, -1.0], [2.0, 0.3]]), np.array([1.0, -2.0])
    right = lambda x, w: ((x @ w).tanh() * x.sum(1)).mean()  # noqa: E731
    assert gradient_check(right, x, w) < 1e-8

    def wrong(x):
        y = x * x
        y.vjps = (y.vjps[0], lambda g: -g * x.data)  # un signe renversé
        return y.sum()

    assert gradient_check(wrong, x) > 1e-2
    assert gradient_check(lambda x, w: w.sum() * 0.0 + 1.0, x, w) == 0.0
    np.testing.assert_array_equal(w, [1, -2])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: Tensor([1, 2]) + Tensor([1, 2, 3]), r"« \+ » impossible sur \(2,\) et \(3,\)"),
        (lambda: Tensor(np.ones((2, 3))) * np.ones((2, 4)), r"\(2, 3\) et \(2, 4\)"),
        (lambda: Tensor(np.ones((2, 3))) @ np.ones((2, 3)), "colonnes de gauche"),
        (lambda: Tensor([1.0, 2.0]).backward(), r"forme \(2,\).*sum\(\)"),
        (lambda: Tensor([1.0, 2.0]).backward([1.0]), r"de forme \(2,\), reçu \(1,\)"),
        (lambda: Tensor([1.0]).sum(2), "axe"),
        (lambda: Tensor([]).logsumexp(), r"\(0,\)"),
        (lambda: Tensor([]).mean(), r"\(0,\).*moyenne"),
        (lambda: Tensor([1.0])[3], "indice"),
        (lambda: Tensor([1.0, 2.0]).reshape(3), "reshape"),
        (lambda: Tensor([1.0, 0.0]).log(), "minimum de 0.0"),
        (lambda: Tensor(2.0) ** Tensor(2.0), "exposant"),
        (lambda: Tensor("deux"), "reçu str"),
        (lambda: Tensor([[1.0], [1.0, 2.0]]), "rectangulaire"),
        (lambda: Tensor(Tensor(1.0)), r"\.data"),
        (lambda: Tensor(1j), "nombres réels"),
        (lambda: gradient_check(lambda x: 1.0, [1.0]), "reçu float"),
        (lambda: gradient_check(lambda x: x * 2.0, [1.0, 2.0]), "un seul nombre"),
    ],
)
def test_mistakes_are_refused_in_french_and_say_what_was_received(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


def test_the_module_never_imports_torch():
    tree = ast.parse(inspect.getsource(autograd))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    assert imported == {"__future__", "collections", "numbers", "typing", "numpy"}


def test_the_engine_fits_in_120_lines_of_code():
    tree = ast.parse(inspect.getsource(autograd))
    engine = [n for n in tree.body if getattr(n, "name", "") in
              ("Tensor", "topological_order", "unbroadcast", "_node")]  # fmt: skip
    for node in [inner for outer in engine for inner in ast.walk(outer)]:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body.pop(0)
    lines = set()
    for node in [inner for outer in engine for inner in ast.walk(outer)]:
        if isinstance(node, ast.stmt | ast.expr):
            lines |= {node.lineno, node.end_lineno}
    assert len(lines) <= 120
