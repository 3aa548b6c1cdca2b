"""What is compared. Each stage runs segue and its peers in turn and yields rows of the table."""

import statistics
import time
from dataclasses import dataclass, field

import faiss
import hnswlib
import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import judge
from data import Data
from worker import Worker

REGULARIZATION = 5.0


@dataclass
class Row:
    what: str
    peer: str
    unit: str
    segue: list[float]
    theirs: list[float]
    target: float
    note: str = ""
    ratio: float = field(init=False)

    def __post_init__(self):
        self.ratio = statistics.median(self.theirs) / statistics.median(self.segue)

    @property
    def reached(self) -> bool:
        return self.ratio >= self.target


class Implicit:
    """implicit, one iteration at a time. Its own clock leaves out what it prepares for a fit."""

    def __init__(self, data: Data, factors: int, use_cg: bool, threads: int):
        self.matrix = data.matrix()
        self.model = AlternatingLeastSquares(
            factors=factors,
            regularization=REGULARIZATION,
            alpha=1.0,
            iterations=1,
            use_native=True,
            use_cg=use_cg,
            num_threads=threads,
            random_state=1,
            dtype=np.float32,
        )

    def sweep(self) -> float:
        seconds = []
        self.model.fit(self.matrix, show_progress=False, callback=lambda _, elapsed, *rest: seconds.append(elapsed))
        return seconds[0]


def sweeps(data: Data, segue: Worker, factors: int, rounds: int, cholesky_rounds: int):
    """A B A B: a sweep of each, from cold starts of their own, until all have done `rounds`."""
    load(segue, data)
    shape = (data.n_users, data.n_items, factors)
    for name, solver, use_cg, rounds, target in [
        ("conjugate gradients", "conjugate", True, rounds, {64: 6.0, 128: 4.0}),
        ("exact", "exact", False, cholesky_rounds, {64: 10.0, 128: 8.0}),
    ]:
        peer = Implicit(data, factors, use_cg, threads=2)
        segue.ask("start", factors=factors, regularization=REGULARIZATION, solver=solver, steps=2)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(segue.ask("sweep")["seconds"])
            theirs.append(peer.sweep())
        users, items = segue.factors(*shape)
        objective = judge.objective(data, users, items, REGULARIZATION)
        theirs_objective = judge.objective(data, peer.model.user_factors, peer.model.item_factors, REGULARIZATION)
        note = f"objective after {rounds}: {objective:.5e}, theirs {theirs_objective:.5e}"
        if solver == "exact":
            # The items were solved last, against the users as dumped.
            worst = judge.residual(data, items, users, data.matrix().T.tocsr(), REGULARIZATION)
            note += f"; largest residual {worst:.1e}"
        # The first round warms up.
        yield Row(
            f"sweep, {name}, {data.name}, k={factors}", "implicit", "s", ours[1:], theirs[1:], target[factors], note
        )


def time_to_recall(data: Data, segue: Worker, factors: int):
    """How long each takes to the recall that implicit has after 15 iterations."""
    load(segue, data)
    peer = Implicit(data, factors, use_cg=True, threads=2)
    theirs = sum(peer.sweep() for _ in range(15))
    wanted = judge.recall_at_20(data, peer.model.user_factors, peer.model.item_factors)
    segue.ask("start", factors=factors, regularization=REGULARIZATION, solver="conjugate", steps=2)
    ours, sweeps, recall = 0.0, 0, 0.0
    while recall < wanted and sweeps < 30:
        ours += segue.ask("sweep")["seconds"]
        sweeps += 1
        recall = judge.recall_at_20(data, *segue.factors(data.n_users, data.n_items, factors))
    note = f"recall@20 {wanted:.4f} after 15 of theirs, {recall:.4f} after {sweeps} of ours"
    if recall < wanted:
        note += "; NOT REACHED"
        ours = float("inf")
    yield Row(f"time to recall@20, {data.name}, k={factors}", "implicit", "s", [ours], [theirs], 6.0, note)


def fold_in(data: Data, segue: Worker, factors: int, rounds: int):
    """One listener with 50 items at a time, thousands of them, in random order."""
    random = np.random.default_rng(5)
    n_users, length = 3_000, 50
    items = np.stack([np.sort(random.choice(data.n_items, length, replace=False)) for _ in range(n_users)])
    path = segue.work / "histories.bin"
    items.astype(np.uint32).tofile(path)
    load(segue, data)
    segue.ask("start", factors=factors, regularization=REGULARIZATION, solver="conjugate", steps=2)
    segue.ask("sweep")
    segue.ask("finish")
    peer = Implicit(data, factors, use_cg=False, threads=1)
    peer.sweep()
    indptr = np.arange(0, n_users * length + 1, length)
    shape = (n_users, data.n_items)
    histories = csr_matrix((np.full(items.size, 3.0, np.float32), items.ravel(), indptr), shape=shape)
    rows = [histories[user] for user in range(n_users)]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(segue.ask("fold_in", items=str(path))["p50_us"])
        with threadpool_limits(1):
            theirs.append(p50(lambda user: peer.model.recalculate_user(user, rows[user]), range(n_users)))
    target = {64: 8.0, 128: 6.0}[factors]
    yield Row(f"fold-in, 50 items, {data.name}, k={factors}", "implicit", "µs", ours, theirs, target, "both exact")


def search(data: Data, segue: Worker, factors: int, rounds: int):
    """The ten best for one listener at a time, without what they know."""
    load(segue, data)
    segue.ask("start", factors=factors, regularization=REGULARIZATION, solver="conjugate", steps=2)
    for _ in range(3 if data.name == "XL" else 5):
        segue.ask("sweep")
    segue.ask("finish")
    users, items = segue.factors(data.n_users, data.n_items, factors)
    random = np.random.default_rng(9)
    enough = np.flatnonzero(np.diff(data.indptr) >= 1)
    chosen = random.choice(enough, 3_000, replace=False)
    matrix = data.matrix()[chosen]
    # Fifty items each, or what there is.
    matrix = csr_matrix(_first_fifty(matrix), shape=matrix.shape)
    ours, exact = segue_top(segue, users[chosen], items, matrix, rounds)
    yield from _against_implicit(data, users[chosen], items, matrix, ours, exact, rounds)
    yield from _against_hnswlib(data, users[chosen], items, ours, exact)
    yield from _against_faiss(data, segue, users[chosen], items, matrix, rounds)


def worst_case(segue: Worker, n_items: int, factors: int, rounds: int):
    """Normal factors: no norm is longer than another, nothing can be left unseen."""
    random = np.random.default_rng(11)
    items = random.standard_normal((n_items, factors), np.float32)
    users = random.standard_normal((100, factors), np.float32)
    nothing = csr_matrix((len(users), n_items), dtype=np.float32)
    index = faiss.IndexFlatIP(factors)
    index.add(items)
    ours, theirs = [], []
    found = None
    for _ in range(rounds):
        seconds, found = segue_top(segue, users, items, nothing, 1)
        ours += seconds
        with threadpool_limits(1):
            faiss.omp_set_num_threads(1)
            theirs.append(p50(lambda user: index.search(users[user : user + 1], 10), range(len(users))))
    same = agreement(found, index.search(users, 10)[1])
    yield Row(f"top 10 of {n_items} flat, k={factors}", "faiss Flat", "µs", ours, theirs, 2.0, f"same items: {same:.4f}")
    # Cosine: what faiss offers for it is the inner product of vectors of length 1.
    unit = items / np.linalg.norm(items, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(factors)
    index.add(unit)
    asked = random.choice(n_items, 100, replace=False).astype(np.uint32)
    ours, theirs = [], []
    paths = segue.work / "asked.bin", segue.work / "found.bin"
    asked.tofile(paths[0])
    for _ in range(rounds):
        ours.append(segue.ask("similar", items=str(paths[0]), out=str(paths[1]), limit=10)["p50_us"])
        with threadpool_limits(1):
            theirs.append(p50(lambda item: index.search(unit[item : item + 1], 11), asked))
    found = np.fromfile(paths[1], np.uint32).reshape(-1, 10)
    same = agreement(found, index.search(unit[asked], 11)[1][:, 1:])
    yield Row(
        f"10 most similar of {n_items} flat, k={factors}", "faiss Flat", "µs", ours, theirs, 2.0, f"same items: {same:.4f}"
    )


def segue_top(segue: Worker, users, items, known, rounds: int):
    work = segue.work
    items.tofile(work / "index_items.bin")
    users.tofile(work / "queries.bin")
    known.indptr.astype(np.int64).tofile(work / "known_indptr.bin")
    known.indices.astype(np.uint32).tofile(work / "known.bin")
    factors = items.shape[1]
    segue.ask("index", items=str(work / "index_items.bin"), factors=factors)
    fields = dict(
        queries=str(work / "queries.bin"),
        known_indptr=str(work / "known_indptr.bin"),
        known=str(work / "known.bin"),
        out=str(work / "found.bin"),
        factors=factors,
        limit=10,
    )
    segue.ask("top", **fields)
    seconds = [segue.ask("top", **fields)["p50_us"] for _ in range(rounds)]
    return seconds, np.fromfile(work / "found.bin", np.uint32).reshape(-1, 10)


def _against_implicit(data, users, items, matrix, ours, exact, rounds):
    model = AlternatingLeastSquares(factors=items.shape[1], num_threads=1, use_native=True)
    model.user_factors, model.item_factors = users, items
    rows = [matrix[user] for user in range(len(users))]
    few = range(min(len(users), 1_000))
    recommend = lambda user: model.recommend(user, rows[user], N=10, filter_already_liked_items=True)
    with threadpool_limits(1):
        theirs = [p50(recommend, few) for _ in range(rounds)]
        same = agreement(exact[: len(few)], np.stack([recommend(user)[0] for user in few]))
    target = {"M": {64: 12.0, 128: 7.0}, "L": {64: 80.0, 128: 100.0}, "XL": {64: 300.0}}.get(data.name, {})
    target = target.get(items.shape[1], 1.0)
    what = f"top 10 of {data.n_items}, 50 known left out, k={items.shape[1]}"
    yield Row(what, "implicit", "µs", ours, theirs, target, f"same items: {same:.4f}")


def _against_hnswlib(data, users, items, ours, exact):
    """The fastest setting with the recall asked for, without leaving anything out."""
    if data.name == "XL":
        return
    wanted = 0.98 if data.n_items <= 20_000 else 0.95
    truth = top_of(users[:1_000], items)
    best = None
    for links in (16, 32):
        index = hnswlib.Index(space="ip", dim=items.shape[1])
        index.init_index(max_elements=len(items), M=links, ef_construction=200, random_seed=1)
        index.add_items(items, num_threads=2)
        index.set_num_threads(1)
        for ef in (10, 20, 40, 80, 160, 320, 640):
            index.set_ef(ef)
            found = index.knn_query(users[:1_000], 10)[0]
            recall = agreement(found, truth)
            if recall >= wanted:
                micros = p50(lambda user: index.knn_query(users[user : user + 1], 10), range(1_000))
                if best is None or micros < best[0]:
                    best = (micros, recall, f"M={links}, ef={ef}")
                break
    what = f"top 10 of {data.n_items}, 50 known left out, k={items.shape[1]}"
    if best is None:
        print(f"hnswlib never reaches recall {wanted}")
        return
    note = f"theirs: recall {best[1]:.3f} with {best[2]}, nothing left out"
    yield Row(what, "hnswlib", "µs", ours, [best[0]], 1.0, note)


def _against_faiss(data, segue, users, items, matrix, rounds):
    nothing = csr_matrix(matrix.shape, dtype=np.float32)
    ours, exact = segue_top(segue, users, items, nothing, rounds)
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(items)
    few = range(min(len(users), 300))
    with threadpool_limits(1):
        faiss.omp_set_num_threads(1)
        theirs = [p50(lambda user: index.search(users[user : user + 1], 10), few) for _ in range(rounds)]
        same = agreement(exact[: len(few)], index.search(users[: len(few)], 10)[1])
    target = 300.0 if data.name == "XL" else 1.0
    what = f"top 10 of {data.n_items}, k={items.shape[1]}"
    yield Row(what, "faiss Flat", "µs", ours, theirs, target, f"same items: {same:.4f}")


def load(segue: Worker, data: Data):
    segue.ask("load", folder=str(data.folder), n_users=data.n_users, n_items=data.n_items, threads=2)


def _first_fifty(matrix):
    keep = np.concatenate(
        [np.arange(start, min(start + 50, end)) for start, end in zip(matrix.indptr, matrix.indptr[1:])]
    )
    lengths = np.minimum(np.diff(matrix.indptr), 50)
    return matrix.data[keep], matrix.indices[keep], np.concatenate([[0], np.cumsum(lengths)])


def top_of(users, items):
    best = []
    for first in range(0, len(users), 100):
        scores = users[first : first + 100] @ items.T
        best.append(np.argpartition(-scores, 10, axis=1)[:, :10])
    return np.concatenate(best)


def agreement(found, truth) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth)]))


def p50(call, arguments) -> float:
    """The median of one call, in microseconds."""
    spent = []
    for argument in arguments:
        start = time.perf_counter()
        call(argument)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1e6
