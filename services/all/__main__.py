"""The `omniroute` command.

A command imports what it alone needs when it is given: `serve` starts whenever a process was killed, and must be soon.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import asyncpg
import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from libs.common.events.codec import instant, rfc3339
from libs.common.log import LogError
from libs.common.log.topics import check_topics, create_topics
from libs.common.postgres import DataFolderInUse
from libs.common.settings import Settings, SettingsError, load_settings
from libs.common.workspaces import DEFAULT_WORKSPACE
from services.all import keeping, server
from services.all.foundation import bring_up_to_date, check_can_share, founded
from services.all.rooms import SERVICES, Service

if TYPE_CHECKING:
    from services.all.played import Played
    from services.all.replaying import Report
    from services.simulator.runs import Results

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Every contact to the right person, in time.")
keys = typer.Typer(no_args_is_help=True, help="API keys, directly in the database: for whoever has lost the last one.")
topics = typer.Typer(no_args_is_help=True, help="The topics on the Kafka cluster.")
app.add_typer(keys, name="keys")
app.add_typer(topics, name="topics")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

BEGINNING = "1970-01-01T00:00:00Z"
CANNOT_START = (
    SettingsError, DataFolderInUse, LogError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError,
    keeping.NotPossible,
)  # fmt: skip
InWorkspace = Annotated[str, typer.Option("--workspace", help="Whose keys.")]
KeyId = Annotated[str, typer.Argument(help="The key's id, not the key.")]


def refuse(why: object) -> NoReturn:
    """Says what is wrong and ends with status 2."""
    for line in str(why).splitlines() or [type(why).__name__]:
        err.print(f"omniroute: {line}", style="red", markup=False)
    raise typer.Exit(2)


def settings_or_refuse() -> Settings:
    try:
        return load_settings()
    except SettingsError as wrong:
        refuse(wrong)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs to the end; what keeps a program from starting is a sentence, not a traceback."""
    try:
        uvloop.run(work)
    except CANNOT_START as failure:
        refuse(failure)
    except ExceptionGroup as failures:
        known, unknown = failures.split(CANNOT_START)
        if unknown is not None or known is None:
            raise
        refuse(innermost(known))


def innermost(failure: Exception) -> Exception:
    """The first that says something: a group only says that there are some."""
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def announce(url: str, admin_key: str | None) -> None:
    out.print(f"omniroute is ready: {url}", markup=False)
    if admin_key is not None:
        out.print(f"admin key (shown once): {admin_key}", markup=False, soft_wrap=True)


@app.command()
def up() -> None:
    """Everything in one process; without further settings on its own PostgreSQL."""
    run(server.run(settings_or_refuse(), SERVICES, announce))


@app.command()
def demo() -> None:
    """What `up` does, in a folder of its own, with a made-up company: customers who don't stop, agents who answer."""
    from services.all import demonstration

    def announce_demo(url: str, key: str | None) -> None:
        out.print(f"the demo is ready; contacts move within seconds: {url}", markup=False)
        out.print(f"sign in with the key: {key}", markup=False, soft_wrap=True)

    try:
        settings = demonstration.demo_settings(settings_or_refuse())
    except SettingsError as wrong:
        refuse(wrong)
    run(demonstration.run(settings, announce_demo))


@app.command()
def serve(service: Annotated[Service, typer.Argument(help="Which service this process is.")]) -> None:
    """One service of a cluster; needs OMNIROUTE_KAFKA and OMNIROUTE_DATABASE_URL."""
    settings = settings_or_refuse()
    try:
        check_can_share(settings)
    except SettingsError as missing:
        refuse(missing)
    run(server.run(settings, [service], announce))


@app.command()
def migrate() -> None:
    """Bring tables and topics up to date."""

    async def work() -> None:
        settings = settings_or_refuse()
        if settings.database_url is None:
            async with founded(settings, set_up=True):
                out.print("the embedded database is up to date")
            return
        created = await bring_up_to_date(settings, settings.database_url)
        out.print(f"tables are up to date; topics created: {', '.join(created) or 'none'}", markup=False)

    run(work())


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSONL of recorded conversations.")],
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Play recorded conversations through ingest under a virtual clock, and report what happened."""
    from services.all.conversations import play
    from services.all.recorded import UnreadableRow, read_conversations

    try:
        recorded = read_conversations(file)
    except UnreadableRow as wrong:
        refuse(wrong)

    async def work() -> None:
        with Bar(console=err, transient=True) as bar:
            task = bar.add_task("playing", total=None)
            report = await play(
                settings_or_refuse(), recorded, lambda done, of: bar.update(task, completed=done, total=of)
            )
        show_report(report, as_json)

    run(work())


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON of worlds to route in.")],
    others: Annotated[list[str] | None, typer.Argument(metavar="[POLICY]...", help="Further policies.")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="One of the file's; without it, all.")] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="default, fifo, strict, edf, twilio, connect or a file of weights.")
    ] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", help="1,2,3 or 601-612; without it, the file's.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes; without it, one a CPU.")] = cpu_count() or 1,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw charts into this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The results as JSON.")] = False,
) -> None:
    """Try a routing policy in made-up worlds on virtual time, beside others."""
    from services.simulator.command import CANNOT_SIMULATE, play_file

    policies = [*(policy or []), *(others or [])]
    try:
        results = play_file(file, scenarios=scenario or [], policies=policies, seeds=seeds, jobs=jobs, bar=err)
    except CANNOT_SIMULATE as wrong:
        refuse(wrong)
    show_simulation(results, plot, as_json)


@app.command()
def replay(
    start: Annotated[str, typer.Option("--from", help="RFC 3339; begins at the snapshot before it.")] = BEGINNING,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; without it, to the end.")] = None,
    snapshot: Annotated[bool, typer.Option("--snapshot", help="Keep the present state to replay from.")] = False,
    policy: Annotated[list[str] | None, typer.Option(help="What it would have been: default or a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --policy: the results as JSON.")] = False,
) -> None:
    """Decide the recorded log again: the same bytes, or it says where not. Run it while the machines stand still.

    With --policy: what other weights would have made of who came, who was there and how long the work took.
    """
    try:
        since, until = instant(start), None if end is None else instant(end)
    except ValueError as wrong:
        refuse(f"not a time: {wrong}")
    if policy:
        reroute(policy, since, until, as_json)
        return
    from services.all.replaying import replay_log, take_snapshots

    async def work() -> None:
        settings = settings_or_refuse()
        if snapshot:
            out.print(f"{await take_snapshots(settings)} snapshots taken")
            return
        with err.status("replaying") as status:
            report = await replay_log(settings, since, until, lambda part: status.update(f"replaying {part}"))
        show_replay(report)

    run(work())


def reroute(names: list[str], since: int, until: int | None, as_json: bool) -> None:
    from services.all.rerouting import reroute_log
    from services.simulator.policy_files import UnknownPolicy, weights_of

    try:
        policies = [weights_of(name) for name in names]
    except UnknownPolicy as wrong:
        refuse(wrong)

    async def work() -> None:
        with err.status("routing again") as status:
            results = await reroute_log(
                settings_or_refuse(), since, until, policies, lambda part: status.update(f"routing again: {part}")
            )
        if not results.results:
            refuse("nobody came in that time")
        show_simulation(results, None, as_json)

    run(work())


@keys.command("list")
def list_keys(workspace: InWorkspace = DEFAULT_WORKSPACE) -> None:
    """Every key that opens something: its role, its agent, when it ends."""

    async def work() -> None:
        rows = await keeping.list_keys(settings_or_refuse(), workspace)
        show_table(
            ("id", "role", "agent", "expires at"),
            [(key.id, key.role, key.agent or "", rfc3339(key.expires_at) if key.expires_at else "") for key in rows],
        )

    run(work())


@keys.command("put")
def put_key(
    key_id: KeyId,
    role: Annotated[str, typer.Option("--role", help="root, admin, supervisor, agent, integration or viewer.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Whose key it is, with --role agent.")] = None,
    expires_at: Annotated[str | None, typer.Option("--expires-at", help="RFC 3339; without it, never.")] = None,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
) -> None:
    """Create a key, or replace it, and print it: it is shown once."""

    async def work() -> None:
        wanted = keeping.key_wanted(key_id, role, agent, expires_at)
        typer.echo(await keeping.put_key(settings_or_refuse(), workspace, key_id, wanted))

    run(work())


@keys.command("delete")
def delete_key(key_id: KeyId, workspace: InWorkspace = DEFAULT_WORKSPACE) -> None:
    """Revoke a key; processes that run may let it in for three seconds more."""

    async def work() -> None:
        await keeping.delete_key(settings_or_refuse(), workspace, key_id)
        out.print("revoked")

    run(work())


@topics.command("create")
def create_missing_topics() -> None:
    """Create the topics that are missing; refuses where one has other partitions than OMNIROUTE_PARTITIONS."""

    async def work() -> None:
        settings = settings_or_refuse()
        created = await create_topics(keeping.brokers(settings), partitions=settings.partitions)
        out.print(f"topics created: {', '.join(created) or 'none'}", markup=False)

    run(work())


@topics.command("describe")
def show_topics() -> None:
    """What the cluster has of ours, and whether a start would take it."""

    async def work() -> None:
        settings = settings_or_refuse()
        show_table(("topic", "partitions", "keeps"), await keeping.topics_table(settings))
        await check_topics(keeping.brokers(settings), partitions=settings.partitions)
        out.print("as this installation needs them")

    run(work())


def show_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    out.print(table, markup=False)


def show_replay(report: Report) -> None:
    out.print(f"{report.commits} commits, {report.decisions} decisions replayed")
    for difference in report.differences:
        out.print(f"different: {msgspec.to_builtins(difference)}", markup=False)
    if not report.identical:
        raise typer.Exit(1)
    out.print("byte-identical")


def show_simulation(results: Results, plot: Path | None, as_json: bool) -> None:
    from services.simulator.report import tables

    if plot is not None:
        from services.simulator.plots import draw_plots

        for written in draw_plots(results, plot):
            err.print(f"drawn: {written}", markup=False, soft_wrap=True)
    if as_json:
        typer.echo(msgspec.json.encode(results).decode())
        return
    for table in tables(results):
        out.print(table)


def show_report(report: Played, as_json: bool) -> None:
    figures = msgspec.to_builtins(report)
    if as_json:
        typer.echo(msgspec.json.encode(figures).decode())
        return
    for name, figure in figures.items():
        shown = ", ".join(f"{key} {value:.1%}" for key, value in figure.items()) if name == "attainment" else figure
        out.print(f"{name.replace('_', ' '):>20}  {shown}", markup=False)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
