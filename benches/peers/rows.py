"""A row of the table, and what rows are made of."""

import statistics
import time
from dataclasses import dataclass, field


@dataclass
class Row:
    what: str
    peer: str
    unit: str
    segue: list[float]
    theirs: list[float]
    target: float
    note: str = ""
    # What a ratio is worth nothing without: a faster sweep that ends higher is not faster.
    conditions: dict[str, bool] = field(default_factory=dict)
    ratio: float = field(init=False)

    def __post_init__(self):
        # Plain numbers: NumPy's are none that JSON knows.
        self.segue, self.theirs = [float(value) for value in self.segue], [float(value) for value in self.theirs]
        self.conditions = {name: bool(holds) for name, holds in self.conditions.items()}
        self.ratio = statistics.median(self.theirs) / statistics.median(self.segue)

    @property
    def broken(self) -> list[str]:
        return [name for name, holds in self.conditions.items() if not holds]

    @property
    def reached(self) -> bool:
        return self.ratio >= self.target and not self.broken


def in_turn(rounds: int, ours, theirs) -> tuple[list[float], list[float]]:
    """A B A B: what each call says it took, after one round that warms up."""
    timed = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
    return [one for one, _ in timed], [other for _, other in timed]


def p50(call, arguments) -> float:
    """The median of one call, in microseconds."""
    spent = []
    for argument in arguments:
        start = time.perf_counter()
        call(argument)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1e6


def at_once(call, n_queries: int) -> str:
    """What one of many costs a peer in a single call: Python's share of the others is gone."""
    call()
    start = time.perf_counter()
    call()
    return f"theirs {(time.perf_counter() - start) / n_queries * 1e6:.3g} µs each if all come in one call"
