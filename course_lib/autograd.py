"""Différentiation automatique en mode inverse, sur des tableaux NumPy, en double précision.

Chaque opération rend un nouveau ``Tensor`` qui se souvient de ses parents et, pour chacun, d'un
produit vecteur-jacobienne (VJP) : la fonction qui transforme le gradient du résultat en gradient du
parent. ``backward`` parcourt ce graphe de la sortie vers les entrées. Rien d'autre.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

Axis = int | tuple[int, ...] | None


class Tensor:
    """Tableau de nombres qui se souvient du calcul dont il sort.

    Les formes se diffusent comme dans NumPy ; un nombre ou un tableau NumPy mêlé au calcul devient
    une constante. Une **feuille** n'a pas de parents : ``backward`` **ajoute** à son ``grad`` (deux
    appels donnent le double), mais remplace celui des nœuds intermédiaires. ``name`` et
    ``operation`` servent au dessin. Modifier ``data`` avant ``backward`` fausse tout, sans bruit.

    **Formes** : ``data`` de toute forme, copié en float64 ; ``grad`` : ``None`` ou même forme.

    **Lève** : ``ValueError`` si ``data`` n'est pas un tableau de nombres réels, ou si les formes
    d'une opération ne vont pas ensemble.

    **Réf.** speelpenning1980compiling, baydin2018automatic

    >>> x = Tensor([1.0, 2.0])
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __array_ufunc__ = None  # array + tensor : NumPy cède la main à __radd__

    def __init__(self, data: Any, *, name: str = "") -> None:
        self.data, self.name, self.grad = _as_float_array(data), name, None
        self.parents, self.vjps, self.operation = (), (), ""

    def __repr__(self) -> str:
        return f"Tensor({np.array2string(self.data, precision=4, separator=', ')})"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def zero_grad(self) -> None:
        """Oublie le gradient accumulé."""
        self.grad = None

    # --- Arithmétique : les VJP ignorent la diffusion, ``backward`` la défait ---------------------
    def __add__(self, other):
        a, b = self, _as_tensor(other)
        return _node("+", np.add, (a, lambda g: g), (b, lambda g: g))

    def __mul__(self, other):
        a, b = self, _as_tensor(other)
        return _node("×", np.multiply, (a, lambda g: g * b.data), (b, lambda g: g * a.data))

    def __pow__(self, n):
        if not isinstance(n, Real):
            raise ValueError(f"L'exposant doit être un nombre, reçu {type(n).__name__}.")
        slope = (lambda x: n * x ** (n - 1)) if n else np.zeros_like  # 0 · 0⁻¹ donnerait NaN
        return _node(f"^{n}", lambda x: x**n, (self, lambda g: g * slope(self.data)))

    def __matmul__(self, other):
        a, b = self, _as_tensor(other)
        if b.data.ndim == 1:
            return (a @ b.reshape(-1, 1))[..., 0]
        if a.data.ndim == 1:
            return (a.reshape(1, -1) @ b)[..., 0, :]
        return _node("@", np.matmul, (a, lambda g: g @ b.data.mT), (b, lambda g: a.data.mT @ g))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -_as_tensor(other)

    def __truediv__(self, other):
        return self * _as_tensor(other) ** -1

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self**-1 * other

    def __rmatmul__(self, other):
        return _as_tensor(other) @ self

    __radd__, __rmul__ = __add__, __mul__

    # --- Fonctions, coordonnée par coordonnée -----------------------------------------------------
    def exp(self) -> Tensor:
        y = np.exp(self.data)
        return _node("exp", lambda x: y, (self, lambda g: g * y))

    def log(self) -> Tensor:
        if (self.data <= 0).any():
            raise ValueError(f"log demande des valeurs > 0, reçu un minimum de {self.data.min()}.")
        return _node("log", np.log, (self, lambda g: g / self.data))

    def tanh(self) -> Tensor:
        y = np.tanh(self.data)
        return _node("tanh", lambda x: y, (self, lambda g: g * (1 - y**2)))

    def sigmoid(self) -> Tensor:
        y = np.exp(-np.logaddexp(0, -self.data))  # 1 / (1 + e⁻ˣ) déborderait dès x = −710
        return _node("σ", lambda x: y, (self, lambda g: g * y * (1 - y)))

    def relu(self) -> Tensor:
        return _node("ReLU", lambda x: np.maximum(x, 0), (self, lambda g: g * (self.data > 0)))

    # --- Sommes et formes -------------------------------------------------------------------------
    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        def spread(g):  # chaque terme d'une somme reçoit le gradient de la somme
            kept = self.data.sum(axis=axis, keepdims=True).shape
            return np.broadcast_to(g.reshape(kept), self.shape)

        return _node("Σ", lambda x: x.sum(axis=axis, keepdims=keepdims), (self, spread))

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        total = self.sum(axis, keepdims)
        if self.data.size == 0:
            raise ValueError(f"Un tableau vide, de forme {self.shape}, n'a pas de moyenne.")
        return total * (total.data.size / self.data.size)

    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        peak = _node("max", lambda x: x.max(axis=axis, keepdims=True), (self, None)).data
        result = (self - peak).exp().sum(axis, keepdims).log()  # le maximum ôté, rien ne déborde
        return result + peak.reshape(result.shape)

    def reshape(self, *shape: int) -> Tensor:
        back = self.shape
        return _node("reshape", lambda x: x.reshape(shape), (self, lambda g: g.reshape(back)))

    def transpose(self, *axes: int) -> Tensor:
        def restore(g):
            return g.transpose(np.argsort(np.arange(g.ndim)[list(axes)]) if axes else None)

        return _node("ᵀ", lambda x: x.transpose(axes or None), (self, restore))

    def __getitem__(self, index) -> Tensor:
        def scatter(g):  # un élément lu deux fois reçoit deux contributions
            spread = np.zeros_like(self.data)
            np.add.at(spread, index, g)
            return spread

        return _node("[ ]", lambda x: x[index], (self, scatter))

    # --- Le mode inverse --------------------------------------------------------------------------
    def backward(self, gradient: Any = None) -> None:
        """Calcule le gradient de ce résultat par rapport à tout ce dont il dépend.

        ``gradient`` est le vecteur du produit vecteur-jacobienne ; par défaut 1, si le résultat n'a
        qu'un élément. Aucune valeur n'est modifiée : la mise à jour est le travail de l'optimiseur.

        **Formes** : ``gradient`` a la forme du résultat.

        **Lève** : ``ValueError`` s'il manque à un résultat de plusieurs éléments, ou si sa forme
        n'est pas la bonne.

        **Réf.** linnainmaa1976taylor, speelpenning1980compiling

        >>> x = Tensor([1.0, 2.0]); (3 * x).backward([1.0, 10.0]); x.grad
        array([ 3., 30.])
        """
        gradients = {id(self): _starting_gradient(self, gradient)}
        for node in reversed(topological_order(self)):
            g = gradients.pop(id(node))  # complet : tous les enfants de ce nœud sont passés avant
            accumulates = not node.parents and node.grad is not None
            node.grad = np.asarray(node.grad + g if accumulates else g)
            for parent, vjp in zip(node.parents, node.vjps, strict=True):
                contribution = unbroadcast(vjp(g), parent.shape)
                gradients[id(parent)] = gradients.get(id(parent), 0.0) + contribution


def topological_order(root: Tensor) -> list[Tensor]:
    """Rend les nœuds dont ``root`` dépend, chacun après ses parents ; ``root`` est le dernier.

    La pile est explicite : une chaîne de 100 000 nœuds ne bute pas sur la limite de récursion.

    >>> x = Tensor(2.0, name="x"); y = x * x
    >>> [node.name or node.operation for node in topological_order(y + x)]
    ['x', '×', '+']
    """
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(parent, False) for parent in node.parents]
    return order


def unbroadcast(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Somme un gradient le long des axes que la diffusion a ajoutés ou étirés.

    Une valeur recopiée n fois agit n fois sur le résultat : ses n gradients s'additionnent.

    **Formes** : ``gradient`` d'une forme à laquelle ``shape`` se diffuse → ``shape``.

    >>> unbroadcast(np.ones((4, 3)), (3,)), unbroadcast(np.ones((4, 3)), (4, 1)).shape
    (array([4., 4., 4.]), (4, 1))
    """
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(k for k, n in enumerate(shape) if n == 1 and gradient.shape[k] != 1)
    return gradient.sum(axis=stretched, keepdims=True)


def _node(operation: str, compute: Callable, *edges: tuple[Tensor, Callable]) -> Tensor:
    """Calcule une opération et rend son nœud : une arête (parent, VJP) par opérande."""
    parents, vjps = zip(*edges, strict=True)
    try:
        result = Tensor(compute(*(parent.data for parent in parents)))
    except (ValueError, IndexError, TypeError) as error:
        shapes = " et ".join(str(parent.shape) for parent in parents)
        hint = _HINTS.get(operation, "vérifier l'axe, l'indice ou la forme demandés")
        raise ValueError(f"« {operation} » impossible sur {shapes} : {hint}.") from error
    result.operation, result.parents, result.vjps = operation, parents, vjps
    return result


def gradient_check(function: Callable[..., Tensor], *inputs: Any, step: float = 6e-6) -> float:
    """Rend l'erreur relative entre le gradient de ``backward`` et des différences centrées.

    ``‖g − d‖ / max(‖g‖, ‖d‖)``, où g et d mettent bout à bout les gradients de toutes les entrées ;
    0 si les deux sont nuls. Le pas par défaut, racine cubique de l'epsilon machine, suppose des
    entrées de l'ordre de 1. Compter moins de 10⁻⁷ pour un gradient juste, plus de 10⁻² pour un
    gradient faux ; entre les deux, un point non dérivable (ReLU) est peut-être à moins d'un pas.

    **Formes** : ``inputs`` de toute forme, non modifiés ; ``function`` rend un seul nombre.

    **Lève** : ``ValueError`` si ``function`` ne rend pas un ``Tensor`` d'un élément.

    **Réf.** griewank2008evaluating

    >>> gradient_check(lambda x: (x * x).sum(), [1.0, -2.0]) < 1e-8
    True
    """
    tensors, numeric = [Tensor(value) for value in inputs], []
    result = function(*tensors)
    if not isinstance(result, Tensor):
        raise ValueError(f"function doit rendre un Tensor, reçu {type(result).__name__}.")
    result.backward()
    gradients = [np.zeros(t.shape) if t.grad is None else t.grad for t in tensors]
    exact = np.concatenate([gradient.ravel() for gradient in gradients])
    for tensor in tensors:
        for i in np.ndindex(tensor.shape):
            value = tensor.data[i]
            tensor.data[i] = value + step
            above = function(*tensors).data.item()
            tensor.data[i] = value - step
            below = function(*tensors).data.item()
            tensor.data[i] = value
            numeric.append((above - below) / (2 * step))
    largest = max(np.linalg.norm(exact), np.linalg.norm(numeric))
    return float(np.linalg.norm(exact - numeric) / largest) if largest else 0.0


_BROADCAST = "alignées à droite, deux dimensions doivent être égales, ou l'une valoir 1"
_MATRICES = "le nombre de colonnes de gauche doit être le nombre de lignes de droite"
_HINTS = {"+": _BROADCAST, "×": _BROADCAST, "@": _MATRICES}


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(value)


def _as_float_array(data: Any) -> np.ndarray:
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"Attendu un tableau rectangulaire de nombres, reçu {data!r}.") from error
    if array.dtype.kind not in "biuf":
        advice = " : prendre ses valeurs par .data" if isinstance(data, Tensor) else ""
        raise ValueError(f"Attendu des nombres réels, reçu {type(data).__name__}{advice}.")
    return array.astype(np.float64)  # une copie : le tableau reçu n'est jamais modifié


def _starting_gradient(result: Tensor, gradient: Any) -> np.ndarray:
    if gradient is None and result.data.size != 1:
        raise ValueError(
            f"backward part d'un seul nombre, reçu la forme {result.shape} : réduire par sum() ou "
            "mean(), ou donner backward(gradient) de cette forme."
        )
    start = np.ones(result.shape) if gradient is None else _as_float_array(gradient)
    if start.shape != result.shape:
        raise ValueError(f"gradient doit être de forme {result.shape}, reçu {start.shape}.")
    return start
