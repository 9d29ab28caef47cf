"""Every bound of the notifier, with its unit in its name."""

from __future__ import annotations

from typing import Final

# -- reading the log ---------------------------------------------------------------------------------------------
READ_RECORDS_MAX: Final = 500
READ_WAIT_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 0.01
"""After an empty read, which may have returned early."""
TROUBLE_SECONDS: Final = 0.5
"""Until the log or the database is tried again."""
LAG_EVERY_SECONDS: Final = 10.0

# -- storing -----------------------------------------------------------------------------------------------------
INTAKE_RECORDS_MAX: Final = 1_000
"""A transaction takes no further batch beyond so many; each may become a delivery for every subscription."""
DELIVERIES_PUT_MAX: Final = 5_000
"""A statement."""

# -- subscriptions -----------------------------------------------------------------------------------------------
SUBSCRIPTIONS_PER_WORKSPACE_MAX: Final = 100
EVENT_PATTERNS_MAX: Final = 50
FILTER_VALUE_CHARACTERS_MAX: Final = 128
URL_CHARACTERS_MAX: Final = 2_048
SECRET_BYTES_MIN: Final = 16
SECRET_BYTES_MAX: Final = 128
SECRET_BYTES_GENERATED: Final = 32

# -- one call ----------------------------------------------------------------------------------------------------
CALL_SECONDS_MAX: Final = 10.0
"""From the name's resolution to the answer's end."""
CONNECT_SECONDS_MAX: Final = 3.0
"""One address; the next one is tried then."""
ADDRESSES_TRIED_MAX: Final = 4
ANSWER_BYTES_MAX: Final = 65_536
IDLE_CONNECTIONS_MAX: Final = 50
IDLE_CONNECTION_SECONDS: Final = 15.0
RESOLVER_THREADS_MAX: Final = 2 * SUBSCRIPTIONS_PER_WORKSPACE_MAX
"""A name is asked for by one thread, and the system's resolver gives a slow name server half a minute: one workspace's
names must not take all."""

# -- delivering --------------------------------------------------------------------------------------------------
CALLS_PER_SUBSCRIPTION_MAX: Final = 16
CALLS_MAX: Final = 1_000
"""Of one process, so that it doesn't run out of sockets."""
CALLS_PER_WORKSPACE_MAX: Final = CALLS_MAX // 8
"""Of one process, so that one tenant's slow receivers leave room for everybody else's."""
LEASE_SECONDS: Final = 30
"""A claimed delivery belongs to one process for so long: a call and the noting of its end fit in."""
SWEEP_SECONDS: Final = 5.0
"""Until a process finds what another one stored or left behind."""
STOP_SECONDS_MAX: Final = 2.0
"""Calls in flight are waited for so long when the process ends."""

# -- keeping -----------------------------------------------------------------------------------------------------
FEED_KEPT_DAYS: Final = 7
PENDING_DAYS_MAX: Final = 3
"""What could not be delivered in so long is dead: a receiver that is away gathers no more than this."""
DELIVERED_KEPT_DAYS: Final = 7
DEAD_KEPT_DAYS: Final = 30
FORGET_EVERY_SECONDS: Final = 3_600.0
FORGET_ROWS_MAX: Final = 5_000
"""A transaction, of deleting and of giving up too."""

# -- the feed ----------------------------------------------------------------------------------------------------
FEED_PAGE_ROWS: Final = 200
FEED_POLL_SECONDS: Final = 1.0
"""Until a follower sees what another process stored."""
FEED_REST_SECONDS: Final = 0.05
"""Between two looks of one follower."""
HEARTBEAT_SECONDS: Final = 15.0
FOLLOWERS_MAX: Final = 500
"""Of one process."""
FOLLOWERS_PER_WORKSPACE_MAX: Final = 50
FOLLOW_AGAIN_SECONDS: Final = 5
