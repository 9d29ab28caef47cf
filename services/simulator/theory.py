"""What queueing theory says of systems with Poisson arrivals, exponential service and `c` equal servers.

A. K. Erlang (1917) for the first three; C. Palm (1957), as Garnett, Mandelbaum and Reiman (2002) write it, for
impatient customers; L. Kleinrock (1964) for priorities that grow with waiting. Times in one unit of the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

STATES_MAX: Final = 10_000
NEGLIGIBLE: Final = 1e-15


def erlang_b(load: float, servers: int) -> float:
    """The share of customers who find all servers busy and leave."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    """The share of customers who wait; `load` is below `servers`."""
    blocked, busy = erlang_b(load, servers), load / servers
    return blocked / (1 - busy + busy * blocked)


def wait_in_mmc(rate: float, service: float, servers: int) -> float:
    """The mean wait of all in M/M/c; `service` is the mean time of one."""
    load = rate * service
    return erlang_c(load, servers) * service / (servers - load)


def blocked_in_mmck(load: float, servers: int, room: int) -> float:
    """The share turned away when all servers are busy and `room` customers wait already."""
    term, total = 1.0, 1.0
    for number in range(1, servers + room + 1):
        term *= load / min(number, servers)
        total += term
    return term / total


class Impatient(NamedTuple):
    abandoned: float
    """Share."""
    wait: float
    """Mean over all, who left included."""


def erlang_a(rate: float, service: float, patience: float, servers: int) -> Impatient:
    """M/M/c+M: customers leave after an exponential patience of this mean."""
    probability, total, waiting = 1.0, 1.0, 0.0
    for state in range(1, STATES_MAX):
        leaving = min(state, servers) / service + max(0, state - servers) / patience
        probability *= rate / leaving
        total += probability
        waiting += probability * max(0, state - servers)
        if state > servers and probability < NEGLIGIBLE * total:
            break
    queue = waiting / total
    return Impatient(abandoned=queue / patience / rate, wait=queue / rate)


def accumulating_waits(
    rates: Sequence[float], slopes: Sequence[float], service: float, servers: int
) -> list[float]:
    """Mean waits of M/M/c whose customers gain priority at their class's slope; slopes descend.

    Kleinrock's recursion, from the steepest class to the flattest, with Erlang's wait for the wait of first come,
    first served.
    """
    busy = [rate * service / servers for rate in rates]
    fifo = wait_in_mmc(sum(rates), service, servers)
    waits: list[float] = [0.0] * len(rates)
    for own in reversed(range(len(rates))):
        below = sum(busy[k] * waits[k] * (1 - slopes[k] / slopes[own]) for k in range(own + 1, len(rates)))
        above = sum(busy[k] * (1 - slopes[own] / slopes[k]) for k in range(own))
        waits[own] = (fifo - below) / (1 - above)
    return waits
