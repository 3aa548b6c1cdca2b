"""One formula for everybody: the objective, recall and the residual, in NumPy."""

import numpy as np

from data import Data


def objective(data: Data, users: np.ndarray, items: np.ndarray, regularization: float) -> float:
    """Hu, Koren and Volinsky's, in f64: over all pairs, what was not heard with confidence 1."""
    confidences = data.confidences
    total = float(np.sum((users.T.astype(float) @ users) * (items.T.astype(float) @ items)))
    total += regularization * (float(np.sum(users.astype(float) ** 2)) + float(np.sum(items.astype(float) ** 2)))
    rows = np.repeat(np.arange(data.n_users), np.diff(data.indptr))
    for first in range(0, len(data.indices), 500_000):
        part = slice(first, first + 500_000)
        scores = np.einsum("ij,ij->i", users[rows[part]], items[data.indices[part]], dtype=np.float64)
        total += float(np.sum(confidences[part] * (1.0 - scores) ** 2 - scores**2))
    return total


def recall_at_20(data: Data, users: np.ndarray, items: np.ndarray) -> float:
    """The mean over the test users, of what can be reached: hits / min(20, held out)."""
    recalls = []
    for first in range(0, len(data.test_users), 100):
        batch = data.test_users[first : first + 100]
        scores = users[batch] @ items.T
        for place, user in enumerate(batch):
            scores[place, data.indices[data.indptr[user] : data.indptr[user + 1]]] = -np.inf
        best = np.argpartition(-scores, 20, axis=1)[:, :20]
        for place in range(len(batch)):
            held = data.test_indices[data.test_indptr[first + place] : data.test_indptr[first + place + 1]]
            if len(held):
                recalls.append(len(np.intersect1d(best[place], held)) / min(20, len(held)))
    return float(np.mean(recalls))


def residual(data: Data, solved: np.ndarray, fixed: np.ndarray, by_row, regularization: float) -> float:
    """The largest |b − Ax| / |b| of 50 rows, in f64."""
    gramian = fixed.T.astype(float) @ fixed
    worst = 0.0
    rows = np.random.default_rng(3).choice(by_row.shape[0], 50, replace=False)
    for row in rows:
        columns = by_row.indices[by_row.indptr[row] : by_row.indptr[row + 1]]
        confidences = by_row.data[by_row.indptr[row] : by_row.indptr[row + 1]].astype(float)
        if not len(columns):
            continue
        seen = fixed[columns].astype(float)
        matrix = gramian + seen.T * (confidences - 1.0) @ seen + regularization * np.eye(fixed.shape[1])
        right = seen.T @ confidences
        worst = max(worst, np.linalg.norm(right - matrix @ solved[row]) / np.linalg.norm(right))
    return worst
