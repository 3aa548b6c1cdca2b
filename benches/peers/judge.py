"""One formula for everybody: the objective, recall, residuals and the best lists, in NumPy."""

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


def residual(solved: np.ndarray, fixed: np.ndarray, by_row, regularization: float, n_rows: int = 500) -> float:
    """The largest |b − Ax| / |b| of some rows, in f64."""
    gramian = fixed.T.astype(float) @ fixed
    worst = 0.0
    rows = np.random.default_rng(3).permutation(by_row.shape[0])[:n_rows]
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


def top_of(users: np.ndarray, items: np.ndarray, known, limit: int) -> np.ndarray:
    """The best items for each user but those `known`, in no order."""
    best = []
    for first in range(0, len(users), 50):
        scores = users[first : first + 50] @ items.T
        if known is not None:
            part = known[first : first + 50]
            scores[np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)), part.indices] = -np.inf
        best.append(np.argpartition(-scores, limit, axis=1)[:, :limit])
    return np.concatenate(best)


def shortfall(found: np.ndarray, users: np.ndarray, items: np.ndarray, known) -> float:
    """How far the scores of what was found stay below the best there are, rank by rank, in f64, relatively."""
    worst = 0.0
    for place, wide in enumerate(top_of(users, items, known, found.shape[1] + 10)):
        if known is not None and len(np.intersect1d(found[place], known[place].indices)):
            return float("inf")
        user = users[place].astype(float)
        ours = items[found[place]].astype(float) @ user
        best = np.sort(items[wide].astype(float) @ user)[::-1][: len(ours)]
        worst = max(worst, float(np.max(best - ours)) / float(np.linalg.norm(user) * np.linalg.norm(items[wide], axis=1).max()))
    return worst
