"""Every bound of the SLA service's core, with its unit in the name."""

from __future__ import annotations

from typing import Final

TARGETS_PER_WORKSPACE_MAX: Final = 200
CALENDARS_PER_WORKSPACE_MAX: Final = 100
IDS_PER_WORKSPACE_MAX: Final = 2_000
"""Of targets, and of calendars, those that were deleted included: they keep their version and sequence."""
TARGET_SECONDS_MAX: Final = 31 * 86_400
STEPS_PER_TARGET_MAX: Final = 10
WARNINGS_PER_TARGET_MAX: Final = 5
STEP_SHARE_MAX: Final = 10.0
"""A step comes at most ten times the target's seconds after the start."""

INTERVALS_PER_CALENDAR_MAX: Final = 5_000
"""Of its table, which gives up its past first; and of the tables of its earlier hours together."""
PAST_KEPT_SECONDS: Final = 400 * 86_400
"""How long the table of the same hours remembers when it was open, for the clocks that were running then."""
FACTS_PER_CONTACT_MAX: Final = 16
"""What is remembered of a contact for replaying when it is queued; the middle is dropped first."""

UNQUEUED_FACTS_KEPT_SECONDS: Final = 86_400
"""How long facts wait for the router to queue their contact."""
ENDED_CONTACT_KEPT_SECONDS: Final = 900
"""How long after its end a contact can still be told of a response that was given before."""
STALE_TIMERS_MIN: Final = 64
"""The timers are cleaned when they have this many that no longer hold, and more of them than of the others."""
LATE_AFTER_SECONDS: Final = 10
"""A warning or step raised more than this after it fell due says so (`late`); the grace after a take-over."""

SUPPORTED_METRICS: Final = ("first_response", "resolution")
