"""A real Prometheus that scrapes one process every second and knows our alert rules."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.house import free_port
from tests.integration.deploy.tools import DEPLOY, program

START_SECONDS = 30
STOP_SECONDS = 10
CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: omniroute
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclass(frozen=True)
class Prometheus:
    client: httpx.Client

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an API call; a query that doesn't parse fails with what Prometheus says of it."""
        answer = self.client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    def values(self, expression: str) -> list[str]:
        """What an instant query returns; a 0 / 0 is no value."""
        found = [series["value"][1] for series in self.ask("query", query=expression)["result"]]
        return [value for value in found if value != "NaN"]


@contextmanager
def scraping(port: int, folder: Path) -> Iterator[Prometheus]:
    ours, configuration = free_port(), folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(rules=DEPLOY / "prometheus" / "rules.yml", port=port))
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{ours}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            transport = httpx.HTTPTransport(retries=8)  # It listens a moment after it was started.
            with httpx.Client(
                base_url=f"http://127.0.0.1:{ours}", transport=transport, timeout=START_SECONDS, trust_env=False
            ) as client:
                yield Prometheus(client)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
