"""Appends 0, 1, 2 … to the log of the folder it is given, and says each number once it is acknowledged."""

import asyncio
import sys
from pathlib import Path

from libs.common.log import Draft
from libs.common.log.postgres import open_postgres_log
from libs.common.postgres import embedded, migrate


async def main(data_dir: Path) -> None:
    async with embedded(data_dir) as url:
        await migrate(url)
        async with open_postgres_log(url, partitions=1) as log:
            for number in range(1_000_000):
                await log.append(0, [Draft(topic="t", key="k", value=str(number).encode())])
                print(number, flush=True)


asyncio.run(main(Path(sys.argv[1])))
