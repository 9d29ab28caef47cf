"""What `omniroute simulate` does, apart from reading its options: choose the worlds, play them, show the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.simulator.core_pool import Refused
from services.simulator.policies import DEFAULT
from services.simulator.policy_files import UnknownPolicy, policy_of
from services.simulator.runs import Results, simulate
from services.simulator.scenarios import Scenario, UnreadableScenario, read_scenarios
from services.simulator.textbook import textbook

CANNOT_SIMULATE = (UnreadableScenario, UnknownPolicy, Refused)


def play_file(
    file: Path, *, scenarios: Sequence[str], policies: Sequence[str], seeds: str | None, jobs: int, bar: Console
) -> Results:
    """Raises one of CANNOT_SIMULATE, whose message is for the user."""
    read = read_scenarios(file)
    chosen = chosen_of(read.scenarios, textbook(read), words(scenarios))
    routing = [policy_of(name) for name in words(policies) or [DEFAULT]]
    numbers = seeds_of(seeds) if seeds is not None else list(read.seeds)
    with progress_on(bar, len(chosen) * len(routing) * len(numbers)) as progress:
        return simulate(chosen, routing, numbers, jobs=jobs, progress=progress)


@contextmanager
def progress_on(console: Console, total: int) -> Iterator[Callable[[float], None]]:
    """A bar that vanishes; where the output is kept, a line whenever another tenth is done."""
    if not console.is_terminal:
        yield in_tenths(console, total)
        return
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)


def in_tenths(console: Console, total: int) -> Callable[[float], None]:
    said = 0

    def progress(done: float) -> None:
        nonlocal said
        if int(10 * done / total) > said:
            said = int(10 * done / total)
            console.print(f"simulating: {int(done)} of {total}", markup=False, highlight=False)

    return progress


def words(options: Sequence[str]) -> list[str]:
    """An option may be given several times, or several values with commas."""
    return [word.strip() for option in options for word in option.split(",") if word.strip()]


def seeds_of(text: str) -> list[int]:
    """`1,2,3` or `601-612`. Raises UnreadableScenario."""
    seeds: list[int] = []
    for word in words([text]):
        first, _, last = word.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise UnreadableScenario(f"--seeds are numbers such as 1,2,3 or 601-612, not {word}")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise UnreadableScenario("--seeds names no seed")
    return seeds


def chosen_of(
    scenarios: dict[str, Scenario], systems: dict[str, Scenario], names: Sequence[str]
) -> dict[str, Scenario]:
    """All scenarios, or those and the textbook systems that are named. Raises UnreadableScenario."""
    known = scenarios | systems
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnreadableScenario(f"there is no scenario {unknown[0]}; there are {', '.join(known)}")
    if not names and not scenarios:
        raise UnreadableScenario("the file has no scenario")
    return {name: known[name] for name in names} if names else scenarios
