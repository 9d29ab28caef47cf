"""The embedded server: one program a folder, and no crash of anything keeps it from starting again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import asyncpg
import pytest

from libs.common.log.postgres import open_postgres_log
from libs.common.postgres import DataFolderInUse, embedded, migrate, open_database
from tests.contract.log.worlds import everything, values

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).parent / "appending_program.py"


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


async def answer(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT 42")
    finally:
        await connection.close()


async def start_program(data_dir: Path) -> Process:
    """A program that appends numbers and says each one once it is acknowledged."""
    return await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, data_dir, stdout=PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


async def heard(program: Process, numbers: int) -> list[str]:
    assert program.stdout is not None
    return [(await program.stdout.readline()).decode().strip() for _ in range(numbers)]


async def kill(program: Process) -> list[str]:
    """What it still had said."""
    assert program.stdout is not None
    program.kill()
    rest = (await program.stdout.read()).decode()
    await program.wait()
    return rest[: rest.rfind("\n") + 1].split()


async def test_it_runs_and_ends(data_dir: Path) -> None:
    async with embedded(data_dir) as url:
        assert await answer(url) == 42
    with pytest.raises(FileNotFoundError):
        await answer(url)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


async def test_what_it_holds_is_there_after_a_restart(data_dir: Path) -> None:
    async with embedded(data_dir) as url:
        await migrate(url)
        async with open_database(url) as database, database.transaction() as connection:
            await connection.execute("INSERT INTO log_owners VALUES ('router', 0, 7)")
    async with embedded(data_dir) as url, open_database(url) as database:
        assert await database.pool.fetchval("SELECT epoch FROM log_owners") == 7


async def test_a_second_start_on_the_folder_is_refused_and_names_the_first(data_dir: Path) -> None:
    async with embedded(data_dir) as url:
        with pytest.raises(DataFolderInUse, match=rf"\b{os.getpid()}\b"):
            async with embedded(data_dir):
                pytest.fail("two programs in one folder")
        assert await answer(url) == 42


async def test_a_pid_file_that_names_another_process_is_not_believed(data_dir: Path) -> None:
    async with embedded(data_dir):
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines(keepends=True)
    (data_dir / "postgres" / "postmaster.pid").write_text("".join([f"{os.getpid()}\n", *lines[1:]]))
    async with embedded(data_dir) as url:
        assert await answer(url) == 42


async def test_a_torn_pid_file_is_not_believed(data_dir: Path) -> None:
    async with embedded(data_dir):
        pass
    (data_dir / "postgres" / "postmaster.pid").write_text("")
    async with embedded(data_dir) as url:
        assert await answer(url) == 42


async def test_a_killed_server_is_started_again(data_dir: Path) -> None:
    async with embedded(data_dir) as url:
        os.kill(postmaster(data_dir), signal.SIGKILL)
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await answer(url) == 42
                    break
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.05)


async def test_a_killed_programs_server_is_taken_over_with_all_it_acknowledged(data_dir: Path) -> None:
    program = await start_program(data_dir)
    said = await heard(program, 20)
    with pytest.raises(DataFolderInUse, match=rf"\b{program.pid}\b"):
        async with embedded(data_dir):
            pytest.fail("two programs in one folder")
    said += await kill(program)
    leftover = postmaster(data_dir)
    async with embedded(data_dir) as url, open_postgres_log(url, partitions=1) as log:
        assert postmaster(data_dir) == leftover
        found = values(await everything(log, "t"), "t")
    assert found == [str(number) for number in range(len(found))]
    assert found[: len(said)] == said


async def test_a_program_killed_together_with_its_server_goes_on(data_dir: Path) -> None:
    program = await start_program(data_dir)
    said = await heard(program, 20)
    os.kill(postmaster(data_dir), signal.SIGKILL)
    said += await kill(program)
    async with embedded(data_dir) as url, open_postgres_log(url, partitions=1) as log:
        found = values(await everything(log, "t"), "t")
    assert found == [str(number) for number in range(len(found))]
    assert found[: len(said)] == said
