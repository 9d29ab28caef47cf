"""A day on which more comes in an hour than its agents finish, to queues that have bounds on the expected wait."""

from __future__ import annotations

from random import Random

from libs.common.events import SECOND
from libs.common.events.values import Match, Overflow, RelaxStep
from tests.simulation.router import builders as b
from tests.simulation.router.day import Day

RUSH_SECONDS = 3_600
CONTACTS = 60


class RushHour(Day):
    def _set_up(self) -> None:
        super()._set_up()
        r = Random(-self.seed - 9)
        self._do(*b.queue("late", order=0, match=Match(channel="sms")))
        for queue_id, goal in (("rush", "late"), ("late", "rush")):
            step = RelaxStep(
                after_seconds=900, requirement=b.need("billing:2"), wait_over_seconds=r.choice([None, 60, 300])
            )
            way_out = Overflow(queue=goal, wait_over_seconds=r.choice([120, 600, 1_200]))
            match = Match(channel="email") if queue_id == "rush" else Match(channel="sms")
            self._do(*b.queue(queue_id, match=match, order=0, requirement=b.need("billing:4"), relax=(step,),
                              overflow=way_out, wrap_up_seconds=r.choice([0, 30])))  # fmt: skip
        for number, level in enumerate((5, 4, 2)):
            agent_id = f"rusher{number}"
            self.agents.append(agent_id)
            self.habits[agent_id] = (0.0, 0.1)
            self._do(*b.agent(agent_id, f"billing:{level}", units=40))
        for number in range(CONTACTS):
            second = r.randrange(RUSH_SECONDS)
            at = b.START + second * SECOND
            self.opened.append(f"rush_{number}")
            self._plan(second, b.opened(f"rush_{number}", strikes=r.randint(0, 3), occurred_at=at))
