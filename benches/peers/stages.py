"""Training and fold-in. Each stage runs segue and its peers in turn and yields rows of the table."""

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import judge
from data import Data
from rows import Row, at_once, in_turn, p50
from worker import Worker

REGULARIZATION = 5.0


class Implicit:
    """implicit, one iteration at a time. Its own clock leaves out what it prepares for a fit."""

    def __init__(self, data: Data, factors: int, use_cg: bool, threads: int, seed: int = 1):
        self.matrix = data.matrix()
        self.model = AlternatingLeastSquares(
            factors=factors,
            regularization=REGULARIZATION,
            alpha=1.0,
            iterations=1,
            use_native=True,
            use_cg=use_cg,
            num_threads=threads,
            random_state=seed,
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
        conditions = {"objective": objective <= theirs_objective}
        if solver == "exact":
            # The items were solved last, against the users as dumped.
            worst = judge.residual(items, users, data.matrix().T.tocsr(), REGULARIZATION)
            note += f"; largest residual {worst:.1e}"
            conditions["residual"] = worst <= 1e-4
        # The first round warms up.
        what = f"sweep, {name}, {data.name}, k={factors}"
        yield Row(what, "implicit", "s", ours[1:], theirs[1:], target[factors], note, conditions)


def time_to_recall(data: Data, segue: Worker, factors: int, rounds: int):
    """How long each takes to the recall that implicit has after 15 iterations. Recall hardly moves there, and what one run
    has says little: curves and times are means of several, each from a beginning of its own. Of segue's settings the one
    that gets there soonest: one step a row."""
    load(segue, data)
    n_sweeps = 15
    seconds, recalls = np.zeros((2, rounds, n_sweeps)), np.zeros((2, rounds, n_sweeps))
    for run in range(rounds):
        seed = run + 1
        peer = Implicit(data, factors, use_cg=True, threads=2, seed=seed)
        segue.ask("start", factors=factors, regularization=REGULARIZATION, solver="conjugate", steps=1, seed=seed)
        for at in range(n_sweeps):
            seconds[0, run, at] = segue.ask("sweep")["seconds"]
            recalls[0, run, at] = judge.recall_at_20(data, *segue.factors(data.n_users, data.n_items, factors))
            seconds[1, run, at] = peer.sweep()
            recalls[1, run, at] = judge.recall_at_20(data, peer.model.user_factors, peer.model.item_factors)
    ours, theirs = recalls.mean(axis=1)
    wanted = theirs[-1]
    reached = np.flatnonzero(ours >= wanted)
    n_ours = int(reached[0]) + 1 if reached.size else n_sweeps
    first = int(np.flatnonzero(theirs >= wanted)[0]) + 1
    note = (
        f"mean of {rounds} runs: recall@20 {wanted:.4f} after {n_sweeps} of theirs (first after {first}, "
        f"{seconds[1, :, :first].sum(axis=1).mean():.3g} s), after {n_ours} of ours; theirs {curve(theirs)}, ours {curve(ours)}"
    )
    times = [list(seconds[0, :, :n_ours].sum(axis=1)), list(seconds[1].sum(axis=1))]
    what = f"time to recall@20, {data.name}, k={factors}"
    yield Row(what, "implicit", "s", *times, 6.0, note, {"recall": bool(reached.size)})


def curve(recalls: list[float]) -> str:
    return " ".join(f"{recall:.4f}".lstrip("0") for recall in recalls)


def fold_in(data: Data, segue: Worker, factors: int, rounds: int):
    """One listener with 50 items at a time, thousands of them, with factors that segue trained."""
    random = np.random.default_rng(5)
    n_users, length, confidence = 3_000, 50, 3.0
    items = np.stack([np.sort(random.choice(data.n_items, length, replace=False)) for _ in range(n_users)])
    paths = segue.work / "histories.bin", segue.work / "folded.bin"
    items.astype(np.uint32).tofile(paths[0])
    _, item_factors = trained(data, segue, factors, sweeps=3)
    peer = AlternatingLeastSquares(
        factors=factors, regularization=REGULARIZATION, alpha=1.0, use_native=True, num_threads=1
    )
    peer.item_factors = item_factors
    indptr = np.arange(0, n_users * length + 1, length)
    shape = (n_users, data.n_items)
    histories = csr_matrix((np.full(items.size, confidence, np.float32), items.ravel(), indptr), shape=shape)
    rows = [histories[user] for user in range(n_users)]
    fold = lambda user: peer.recalculate_user(user, rows[user])
    with threadpool_limits(1):
        times = in_turn(
            rounds,
            lambda: segue.ask("fold_in", items=str(paths[0]), out=str(paths[1]))["p50_us"],
            lambda: p50(fold, range(n_users)),
        )
        everybody = np.arange(n_users)
        together = at_once(lambda: peer.recalculate_user(everybody, histories), n_users)
        theirs = judge.residual(peer.recalculate_user(everybody, histories), item_factors, histories, REGULARIZATION)
    folded = np.fromfile(paths[1], np.float32).reshape(n_users, factors)
    worst = judge.residual(folded, item_factors, histories, REGULARIZATION)
    target = {64: 8.0, 128: 6.0}[factors]
    note = f"largest residual {worst:.0e}, theirs {theirs:.0e}; {together}"
    what = f"fold-in, {length} items, {data.name}, k={factors}"
    yield Row(what, "implicit", "µs", *times, target, note, {"exact": worst <= 1e-4})


def trained(data: Data, segue: Worker, factors: int, sweeps: int):
    """What segue made of the data; the worker keeps the model."""
    load(segue, data)
    segue.ask("start", factors=factors, regularization=REGULARIZATION, solver="conjugate", steps=2)
    for _ in range(sweeps):
        segue.ask("sweep")
    segue.ask("finish")
    return segue.factors(data.n_users, data.n_items, factors)


def load(segue: Worker, data: Data):
    segue.ask("load", folder=str(data.folder), n_users=data.n_users, n_items=data.n_items, threads=2)
