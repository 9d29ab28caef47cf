"""Every bound of the core, with its unit in its name."""

from __future__ import annotations

from typing import Final

from libs.common.events import SECOND

# The order (thousandths of a target unless the name says otherwise).
BOOST_MAX: Final = 250
RAISED_BY_ESCALATION: Final = 100
REACH_DECADES_MAX: Final = 6
STRIKES_MAX: Final = 3
VELOCITY_DECADES_MAX: Final = 4
VELOCITY_SECONDS_MIN: Final = 300
"""Reports that come sooner than this after the one before are measured against an older one."""
REWEIGHED_A_COMMIT: Final = 2_000
"""Waiting contacts that take new weights at once; more would hold up a commit."""
EARLY_UNIT: Final = 1_000 * SECOND
"""The slack that counts as much as one whole target of lateness."""
EXACT_BITS: Final = 128
"""Enough to tell scores of targets up to 2^64 µs apart as whole numbers."""

# The lanes.
LOOKED_THROUGH_MAX: Final = 64
"""Buckets that an agent serves: more aren't looked through for each pick."""
AGEING_CREDIT_A_PICK: Final = 100
AGEING_CREDIT_MAX: Final = 2_000
AGEING_SHARE_PERCENT: Final = 95
"""A contact is in the ageing lane from this share of its target on."""
EXPRESS_CREDIT_A_PICK: Final = 200
EXPRESS_CREDIT_MAX: Final = 1_000
EXPRESS_REACH_MIN: Final = 1_000
WHOLE_CREDIT: Final = 1_000

# The choice of an agent.
REGRET_HALF_POINTS_MIN: Final = -18
CALL_READY_HALF_POINTS: Final = -1
LAST_AGENT_SECONDS_MAX: Final = 120
LAST_AGENT_SHARE_DIVISOR: Final = 4
"""The last agent goes first for a quarter of the target, and only while the contact is early by as much."""
RUNNERS_UP_MAX: Final = 5
SEEN_MAX: Final = 128
"""Requirements a pool remembers for the versatility of its agents."""

# Interruption.
PAUSE_SHARE_DIVISOR: Final = 2
"""A contact may be paused while all its pauses together are shorter than half its target."""

# Offers and presence.
OFFER_SECONDS_MAX: Final = 3_600
OFFERS_MAX: Final = 50
PARALLEL_OFFERS_MAX: Final = 5
MISSED_OFFERS_MAX: Final = 50
DECLINES_KEPT: Final = OFFERS_MAX
"""A whole round of them."""
GROUP_MAX: Final = 100
"""Contacts of one incident that are offered as one."""
WRAP_UP_SECONDS_MAX: Final = 3_600
WRAP_UP_TIMES_MAX: Final = 3
"""With every extension a wrap-up lasts at most so many times what its queue says."""
LEASE_SECONDS_MAX: Final = 31 * 86_400
RELEASE_AFTER_SECONDS: Final = 60
"""From the end of an agent's lease to the release of what is unanswered."""
LEVEL_MAX: Final = 5
PRIVATE_ACKNOWLEDGED_SECONDS_MAX: Final = 900
"""How long a move to a private conversation is believed before somebody was seen to write there."""

# Moves.
TRANSFER_HELD_SECONDS: Final = 120
"""How long what is given to, or asked of, a named agent without room waits for them, before anyone may take it."""
CONSULTS_MAX: Final = 3
"""Of one contact, at the same time."""
DRAINED_A_STEP: Final = 500
"""Contacts of a drained queue that move with one commit."""
DRAIN_STEP_MICROSECONDS: Final = SECOND // 10
"""Between two steps, so that everybody else is served meanwhile."""

# Rules of queues.
RULE_DEPTH_MAX: Final = 8
RULE_LEAVES_MAX: Final = 64
RULE_VALUES_MAX: Final = 50
"""Of one comparison with a list."""
OPEN_INTERVALS_MAX: Final = 5_000
"""Of a queue's business hours."""
LENGTH_MAX: Final = 1_000_000
"""The largest bound on how many wait in a queue."""
OVERFLOW_SECONDS_MAX: Final = 31 * 86_400
WAIT_OVER_SECONDS_MAX: Final = 31 * 86_400
"""The largest bound on an expected wait."""
MIGRATED_AT_ONCE_MAX: Final = 500
"""Waiting contacts that move in the commit that deletes their queue."""
CHANGED_AT_ONCE_MAX: Final = 500
"""Agents and queues that change in the commit that replaces a skill."""
PREFERRED_QUEUES_MAX: Final = 20
"""Of one agent."""

# The expected wait.
COMPLETIONS_MIN: Final = 5
"""Of fewer pieces of finished work nobody can tell how long it takes."""
PACE_WINDOW_SECONDS: Final = 300
PACE_WINDOWS: Final = 12
"""Windows that count, the present one included: what was seen within the last hour."""
LOAD_LOOK_SECONDS: Final = 60
"""From one look at a contact's expected wait to the next."""

# Memory.
CLOSED_KEPT_SECONDS: Final = 24 * 3_600
DEAD_ENDS_A_LOOK: Final = 100
"""Contacts that one `Settle` looks at again when the roster has changed."""
BUCKETS_EMPTY_MAX: Final = 256
DEAD_ENTRIES_MIN: Final = 64
"""A heap is cleaned when it has this many dead entries and more of them than living ones."""
SHARED_MAX: Final = 100_000
"""Values of which a floor keeps one object each."""
