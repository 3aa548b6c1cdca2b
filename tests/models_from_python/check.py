"""What Python makes of a model, held against what segue printed of it. See `run`."""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

# Scores near 1, whose 20 products are summed in f32 in another order.
TOLERANCE = 1e-5


def ids_of(directory, name):
    # As `train` writes them, too: with Windows' ends of lines, and none after the last.
    text = (directory / name).read_bytes().decode("utf-8").replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n")


def printed(path):
    """What segue printed: for each user the items and their scores, best first."""
    lists = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as lines:
        for line in lines:
            user, item, score = line.rstrip("\n").split("\t")
            lists[user].append((item, float(score)))
    return lists


def same(user, ours, theirs):
    """Asserts that two lists are the same, but for neighbours whose scores hardly differ."""
    assert len(ours) == len(theirs), f"{user}: {len(ours)} items, not {len(theirs)}"
    scores = dict(theirs)
    for (item, score), (_, other) in zip(ours, theirs):
        assert abs(score - other) <= TOLERANCE, f"{user}: {score} where implicit has {other}"
        # The last may have been exchanged with one that is no longer in the list.
        is_edge = abs(score - theirs[-1][1]) <= TOLERANCE
        assert is_edge or item in scores, f"{user}: implicit does not recommend {item}"
        assert abs(scores.get(item, score) - score) <= TOLERANCE, f"{user}: {item} scores {scores[item]}, not {score}"


# What is asked for everybody.
LENGTH = 10


def check(model, directory, lists, known=None):
    users, items = ids_of(directory, "users.txt"), ids_of(directory, "items.txt")
    assert model.user_factors.shape == (len(users), model.factors)
    assert model.item_factors.shape == (len(items), model.factors)
    row_of = {user: row for row, user in enumerate(users)}
    assert len(row_of) == len(users) and len(set(items)) == len(items)
    assert len(lists) > 150, f"only {len(lists)} users have a list"
    n_items = 0
    for user, ours in lists.items():
        assert len(ours) == LENGTH, f"{user}: {len(ours)} items, not {LENGTH}"
        row = row_of[user]
        found, scores = model.recommend(
            row,
            known[row] if known is not None else None,
            N=LENGTH,
            filter_already_liked_items=known is not None,
        )
        same(user, ours, [(items[item], float(score)) for item, score in zip(found, scores)])
        n_items += len(ours)
    print(f"{directory.name}: {n_items} items of {len(lists)} users are those of implicit")


def exported(directory, lists, plain):
    with np.load(directory / "factors.npz", allow_pickle=False) as arrays:
        shapes = {name: (array.dtype.str, array.shape) for name, array in arrays.items()}
        users, items = arrays["user_factors"], arrays["item_factors"]
    print("\n".join(f"  {name}: {dtype} {shape}" for name, (dtype, shape) in shapes.items()))
    assert np.isfinite(users).all() and np.isfinite(items).all()
    for name, rows in [("user_factors", users), ("item_factors", items)]:
        alone = np.load(plain / f"{name}.npy", allow_pickle=False)
        assert alone.dtype.str == "<f4" and np.array_equal(alone, rows), f"{name}.npy is not what is in the archive"

    row_of_user = {user: row for row, user in enumerate(ids_of(directory, "users.txt"))}
    row_of_item = {item: row for row, item in enumerate(ids_of(directory, "items.txt"))}
    with open(directory / "histories.csv", newline="", encoding="utf-8") as lines:
        pairs = list(csv.DictReader(lines, strict=True))
    assert list(pairs[0]) == ["user", "item", "n_events", "preference", "confidence", "last_seen_ms"]
    assert all(int(pair["n_events"]) > 0 and float(pair["confidence"]) >= 0 for pair in pairs)
    rows = [row_of_user[pair["user"]] for pair in pairs]
    columns = [row_of_item[pair["item"]] for pair in pairs]
    known = csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), (len(users), len(items)))
    assert known.max() == 1, "a pair is there twice"

    model = AlternatingLeastSquares.load(str(directory / "factors.npz"))
    assert model.dtype == np.float32 and 0 < model.regularization < 1
    check(model, directory, lists, known)
    # It can be used as any other: saved, and asked for neighbours.
    model.save(str(directory / "again.npz"))
    assert model.similar_items(0, N=3)[0][0] == 0 or not model.item_factors[0].any()


def trained():
    """A model of two hundred invented users in five groups, each with twenty of a hundred items."""
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(200), 8)
    own = users % 5 * 20 + random.integers(0, 20, len(users))
    items = np.where(random.random(len(users)) < 0.8, own, random.integers(0, 100, len(users)))
    plays = csr_matrix((random.integers(1, 20, len(users)).astype(np.float32), (users, items)), (200, 100))
    return plays


def train(directory):
    plays = trained()
    # The awkward ones: not ASCII, blanks, quotes, what looks like a number and is none.
    users = [f"user {row}" if row % 2 else str(row) for row in range(200)]
    items = ["björk", '"quoted"', "a,b", "007", " blank"] + [f"item-{row}" for row in range(5, 100)]

    def place(name):
        folder = directory / name
        folder.mkdir(parents=True)
        (folder / "users.txt").write_bytes("".join(f"{id}\n" for id in users).encode())
        (folder / "items.txt").write_bytes("".join(f"{id}\r\n" for id in items).encode()[:-2])
        return str(folder / "factors.npz")

    def fitted(**settings):
        model = AlternatingLeastSquares(factors=12, random_state=5, iterations=8, num_threads=1, **settings)
        model.fit(plays, show_progress=False)
        return model

    single = fitted()
    single.save(place("saved_by_implicit"))
    fitted(dtype=np.float64, regularization=1).save(place("saved_by_implicit_as_f64"))
    arrays = {"user_factors": single.user_factors, "item_factors": single.item_factors}
    np.savez_compressed(place("compressed"), factors=12, **arrays)
    fortran = {name: np.asfortranarray(array) for name, array in arrays.items()}
    np.savez(place("fortran_order"), factors=12, **fortran)


def train_hetrec(directory, plays):
    """The model of real listens, a line each with tabs between user, artist and number of plays."""
    rows = np.loadtxt(plays, dtype=np.int64, skiprows=1)
    users, user_rows = np.unique(rows[:, 0], return_inverse=True)
    items, item_rows = np.unique(rows[:, 1], return_inverse=True)
    confidence = 1 + np.log1p(rows[:, 2]).astype(np.float32)
    plays = csr_matrix((confidence, (user_rows, item_rows)), (len(users), len(items)))
    model = AlternatingLeastSquares(factors=64, regularization=0.05, random_state=5, iterations=15, num_threads=1)
    model.fit(plays, show_progress=False)
    directory.mkdir(parents=True)
    (directory / "users.txt").write_text("".join(f"{id}\n" for id in users))
    (directory / "items.txt").write_text("".join(f"{id}\n" for id in items))
    model.save(str(directory / "factors.npz"))
    print(f"trained on {len(rows)} pairs of {len(users)} users and {len(items)} artists")


def main():
    what, directory = sys.argv[1], Path(sys.argv[2])
    if what == "train":
        train(directory)
    elif what == "train_hetrec":
        train_hetrec(directory, sys.argv[3])
    elif what == "exported":
        exported(directory, printed(sys.argv[3]), Path(sys.argv[4]))
    else:
        model = AlternatingLeastSquares.load(str(directory / "factors.npz"))
        lists = printed(sys.argv[3])
        assert len(lists) == len(model.user_factors)
        check(model, directory, lists)


main()
