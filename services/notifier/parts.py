"""What the notifier's API stands on, as one part of the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.clock import Clock
from libs.common.log.port import Place
from libs.common.secrets import SecretBox
from services.notifier.channels.webhook import Webhooks
from services.notifier.deliveries import Deliveries
from services.notifier.dispatch import Dispatch
from services.notifier.egress import Guard
from services.notifier.feed import Feed
from services.notifier.intake import Intake
from services.notifier.readers import Readers
from services.notifier.subscriptions import Subscriptions


@dataclass(frozen=True)
class Notifier:
    subscriptions: Subscriptions
    deliveries: Deliveries
    feed: Feed
    webhooks: Webhooks
    guard: Guard
    box: SecretBox
    clock: Clock
    dispatch: Dispatch
    intake: Intake
    readers: Readers

    def caught_up(self, ends: Mapping[Place, int]) -> bool:
        """Whether every public event below these ends of the log is stored, with its deliveries."""
        return self.readers.caught_up(ends)
