"""A scenario file: the worlds that a policy is tried in. Times are seconds, rates per hour, shares 0 to 1.

    {"seeds": [1, 2, 3], "scenarios": {"day": {"horizon_s": 43200, "langs": ["it"], "lang_p": [1.0],
        "channels": [{"name": "email", "T": 14400, "units": 12, "soft": 1, "mean_s": 600, "profile": [[0, 43200, 60]]}],
        "agents": [{"n": 10, "channels": ["email"]}]}}}

`mmc` and `wallace_whitt` beside `scenarios` describe two systems whose answers are known: see `textbook`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from libs.common.events.values import Medium, Visibility

UNITS: Final = 60
"""What an agent holds at once; a call takes all of it."""
NATIVE_LEVEL: Final = 5
SECOND_LEVEL: Final = 2
FLUENT_LEVEL: Final = 4
"""From this level of its language on, a contact is handled at full speed."""
HORIZON_SECONDS_MAX: Final = 30 * 86_400
"""An agent's presence is leased once, for the whole run."""


class UnreadableScenario(ValueError):
    """The file is not of this format; the message says where."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Channel(_Part, frozen=True, kw_only=True):
    """One way to write or call. `soft` work may be paused by calls and chats; `T` is the promised first response."""

    name: str
    T: int
    units: int
    mean_s: float
    profile: tuple[tuple[float, float, float], ...]
    """(from, to, contacts per hour)."""
    soft: int = 0
    public: int = 0
    patience_s: float | None = None
    """Mean of an exponential patience; without it nobody leaves."""
    dist: str = "logn"
    """Of the handling time: `logn` with `cv`, or `exp`."""
    cv: float = 0.8
    backlog: int = 0

    @property
    def medium(self) -> Medium:
        if self.soft:
            return "async"
        return "voice" if self.units >= UNITS else "live"

    @property
    def visibility(self) -> Visibility:
        return "public" if self.public else "private"


class Reaches(_Part, frozen=True, kw_only=True):
    """A Pareto law of how many can see a public contact."""

    xm: float = 100
    alpha: float = 1.05
    cap: float = 5_000_000


class Storm(_Part, frozen=True, kw_only=True):
    """Many more contacts on one channel for a while, shorter by `dur_factor`."""

    channel: str
    t0: float
    t1: float
    rate_h: float
    dur_factor: float = 1.0


class Group(_Part, frozen=True, kw_only=True):
    """`n` agents who work the same channels; `second_p` of them speak a second language, poorly."""

    n: int
    channels: tuple[str, ...]
    second_p: float = 0.0
    native_p: tuple[float, ...] | None = None


class Scenario(_Part, frozen=True, kw_only=True):
    name: str = ""
    salt: int = 0
    horizon_s: float
    langs: tuple[str, ...] = ("a",)
    lang_p: tuple[float, ...] = (1.0,)
    channels: tuple[Channel, ...]
    agents: tuple[Group, ...]
    reach: Reaches = Reaches()
    storm: Storm | None = None
    slow_level2: float = 1.25
    """How much longer a contact takes in a language that its agent speaks poorly."""
    slow_beside: float = 0.0
    """How much longer a chat takes for each other chat of its agent, as long as they are at it together."""
    pbudget: float = 0.25
    """The share of its target for which a contact may be paused in all; the product's own share is half."""
    waiting_room: int | None = None
    """Contacts that may wait at once; who finds it full is turned away."""
    warm_up_s: float = 0.0
    """Who arrives before is served and not counted."""

    @property
    def names(self) -> list[str]:
        return [channel.name for channel in self.channels]


class ManyServers(_Part, frozen=True, kw_only=True):
    """M/M/c, or M/M/c+M with patience: `c` agents, `lam_h` calls an hour."""

    c: int
    lam_h: float
    mean_s: float
    patience_s: float | None = None


class SkillBased(_Part, frozen=True, kw_only=True):
    """Wallace and Whitt's call centre: `C` agents, `K` more places to wait, `types` of calls, skills an agent."""

    C: int
    K: int
    types: int
    mean_min: float
    loads: tuple[float, ...]
    skills: tuple[int, ...]


class ScenarioFile(_Part, frozen=True, kw_only=True):
    scenarios: dict[str, Scenario] = {}
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    purpose: str = ""
    mmc: tuple[ManyServers, ...] = ()
    wallace_whitt: SkillBased | None = None


def read_scenarios(file: Path) -> ScenarioFile:
    """Raises UnreadableScenario, which names the field."""
    try:
        read = msgspec.json.decode(file.read_bytes(), type=ScenarioFile)
    except (msgspec.DecodeError, OSError) as wrong:
        raise UnreadableScenario(f"{file}: {wrong}") from wrong
    for name, scenario in read.scenarios.items():
        for fault in faults(scenario):
            raise UnreadableScenario(f"{file}: scenario {name}: {fault}")
    return read


def faults(scenario: Scenario) -> list[str]:
    """What a type can't say: names that lead nowhere, shares and times that nothing can be drawn from."""
    names, languages = scenario.names, len(scenario.langs)
    wrong = [] if 0 < scenario.horizon_s <= HORIZON_SECONDS_MAX else ["horizon_s is 1 second to 30 days"]
    wrong += [] if len(scenario.lang_p) == languages else ["lang_p has a share for each of langs"]
    wrong += [] if scenario.slow_beside >= 0 else ["slow_beside is 0 or more"]
    wrong += [] if len(set(names)) == len(names) else ["two channels have one name"]
    wrong += [] if scenario.storm is None or scenario.storm.channel in names else ["storm.channel is no channel"]
    for channel in scenario.channels:
        wrong += [f"channel {channel.name}: {fault}" for fault in _channel_faults(channel)]
    for group in scenario.agents:
        wrong += [f"agents: {name} is no channel" for name in group.channels if name not in names]
        if group.native_p is not None and len(group.native_p) != languages:
            wrong.append("agents: native_p has a share for each of langs")
    return wrong


def _channel_faults(channel: Channel) -> list[str]:
    wrong = [] if channel.T >= 1 and channel.mean_s > 0 else ["T is at least 1 second, mean_s above 0"]
    wrong += [] if channel.dist in {"logn", "exp"} else ["dist is logn or exp"]
    wrong += [] if 1 <= channel.units <= UNITS else [f"units are 1 to {UNITS}"]
    if channel.soft and channel.units == UNITS:
        wrong.append(f"what takes {UNITS} units is a call, and can't be soft")
    return wrong
