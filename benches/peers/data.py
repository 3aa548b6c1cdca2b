"""Invented listening: seeded, made once, kept as raw arrays."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

# name: users, items, pairs
SIZES = {
    "S": (10_000, 2_000, 500_000),
    "M": (100_000, 20_000, 5_000_000),
    "L": (359_000, 160_000, 17_500_000),
    "XL": (400_000, 1_000_000, 20_000_000),
}
GENRES = 32
SCENES = 256
TEST_USERS = 2_000
# Goes up whenever what is made changes: what was saved before is made anew.
VERSION = 2


@dataclass
class Data:
    name: str
    folder: Path
    n_users: int
    n_items: int
    indptr: np.ndarray
    indices: np.ndarray
    counts: np.ndarray
    test_users: np.ndarray
    test_indptr: np.ndarray
    test_indices: np.ndarray

    @property
    def confidences(self) -> np.ndarray:
        """In the convention of Hu, Koren and Volinsky: 1 for what was never heard."""
        return (2.0 + 2.0 * np.log1p(self.counts)).astype(np.float32)

    def matrix(self) -> csr_matrix:
        shape = (self.n_users, self.n_items)
        return csr_matrix((self.confidences, self.indices, self.indptr), shape=shape)


ARRAYS = {
    "indptr": np.int64,
    "indices": np.int32,
    "counts": np.float32,
    "test_users": np.int32,
    "test_indptr": np.int64,
    "test_indices": np.int32,
}


def load(name: str, work: Path) -> Data:
    folder = work / "data" / name
    n_users, n_items, n_pairs = SIZES[name]
    done, made = folder / "done.json", json.dumps({"version": VERSION, "sizes": SIZES[name]})
    if not (done.exists() and done.read_text() == made):
        folder.mkdir(parents=True, exist_ok=True)
        for key, array in _make(n_users, n_items, n_pairs, seed=7).items():
            array.astype(ARRAYS[key]).tofile(folder / f"{key}.bin")
        done.write_text(made)
    arrays = {key: np.fromfile(folder / f"{key}.bin", dtype) for key, dtype in ARRAYS.items()}
    data = Data(name=name, folder=folder, n_users=n_users, n_items=n_items, **arrays)
    data.confidences.tofile(folder / "confidences.bin")
    return data


def _make(n_users: int, n_items: int, n_pairs: int, seed: int) -> dict[str, np.ndarray]:
    """Popularity is a power law; items belong to scenes, scenes to genres, and listeners love a few of them."""
    random = np.random.default_rng(seed)
    # Real ids do not come in order of popularity, which would lay the rows that are read most side by side.
    popularity = random.permutation((np.arange(n_items) + 20.0) ** -0.85)
    scene_of = random.integers(SCENES, size=n_items)
    order = np.argsort(scene_of, kind="stable")
    bounds = np.searchsorted(scene_of[order], np.arange(SCENES + 1))
    cumulated = np.concatenate([[0.0], np.cumsum(popularity[order])])
    overall = np.concatenate([[0.0], np.cumsum(popularity)])
    activity = random.lognormal(sigma=0.9, size=n_users)
    activity_sum = np.cumsum(activity)
    loved = random.integers(SCENES, size=(n_users, 4))
    pairs = np.empty(0, np.int64)
    while len(pairs) < n_pairs:
        n_draws = int(1.15 * (n_pairs - len(pairs))) + 1_000
        users = np.searchsorted(activity_sum, random.random(n_draws) * activity_sum[-1])
        users = np.minimum(users, n_users - 1)
        kind = random.random(n_draws)
        scenes = loved[users, random.choice(4, size=n_draws, p=[0.4, 0.3, 0.2, 0.1])]
        genre = scenes % GENRES
        # The rest of a genre is liked too.
        neighbours = genre + GENRES * random.integers(SCENES // GENRES, size=n_draws)
        scenes = np.where(kind < 0.55, scenes, neighbours)
        low, high = cumulated[bounds[scenes]], cumulated[bounds[scenes + 1]]
        drawn = np.searchsorted(cumulated, low + random.random(n_draws) * (high - low), side="right") - 1
        items = order[np.clip(drawn, 0, n_items - 1)]
        anything = np.searchsorted(overall, random.random(n_draws) * overall[-1], side="right") - 1
        items = np.where(kind < 0.85, items, np.clip(anything, 0, n_items - 1))
        pairs = np.unique(np.concatenate([pairs, users.astype(np.int64) * n_items + items]))
    pairs = np.sort(random.permutation(pairs)[:n_pairs])
    users, items = pairs // n_items, (pairs % n_items).astype(np.int32)
    counts = np.ceil(random.lognormal(mean=1.2, sigma=1.2, size=n_pairs)).astype(np.float32)
    # A fifth of what the test users heard is kept from everybody.
    n_of = np.bincount(users, minlength=n_users)
    eligible = np.flatnonzero(n_of >= 10)
    test_users = np.sort(random.choice(eligible, size=min(TEST_USERS, len(eligible)), replace=False))
    held = np.isin(users, test_users) & (random.random(n_pairs) < 0.2)

    def indptr(rows, n_rows):
        return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])

    number = np.zeros(n_users, np.int64)
    number[test_users] = np.arange(len(test_users))
    return {
        "indptr": indptr(users[~held], n_users),
        "indices": items[~held],
        "counts": counts[~held],
        "test_users": test_users,
        "test_indptr": indptr(number[users[held]], len(test_users)),
        "test_indices": items[held],
    }
