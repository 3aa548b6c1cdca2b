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
    ratio: float = field(init=False)

    def __post_init__(self):
        self.ratio = statistics.median(self.theirs) / statistics.median(self.segue)

    @property
    def reached(self) -> bool:
        return self.ratio >= self.target


def p50(call, arguments) -> float:
    """The median of one call, in microseconds."""
    spent = []
    for argument in arguments:
        start = time.perf_counter()
        call(argument)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1e6
