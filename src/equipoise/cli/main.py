"""The command `equipoise`: verbs, exit codes, and one clear sentence when something is wrong.

Exit codes: 0 done (also when groups are excluded), 1 not solved or not certified, 2 bad input,
130 interrupted. Verbs import what they need when they run, so that `--version` and `--help`
stay fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

import equipoise
from equipoise.cli.engine_options import (
    AddressOption,
    EngineOption,
    EngineSettings,
    ResumeOption,
)
from equipoise.cli.terminal import (
    ClosedPipe,
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    one_line,
    say,
)
from equipoise.errors import BadInput, EquipoiseError, MissingExtra

__all__ = ["main", "run"]


def main() -> None:
    """Run the command on the process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command on these arguments and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        What follows `equipoise` on the command line.

    Examples
    --------
    >>> run(["--version"])
    equipoise 0.1.0
    0
    """
    try:
        try:
            return _invoke(list(arguments) or ["--help"])
        except KeyboardInterrupt as stop:
            said = one_line(str(stop)) or "interrupted; nothing half-written was kept"
            say(said, error=True)
            return 130
        except MemoryError:
            say("error: not enough memory; give fewer agents, or types with counts", error=True)
            return 2
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            say(f"error: {one_line(f'{where}{error.strerror or error}')}", error=True)
            return 2
    except ClosedPipe:
        return 141


def _invoke(arguments: list[str]) -> int:
    # ClickException, wherever this version of typer keeps it.
    usage_error = cast("type[Exception]", typer.BadParameter.__mro__[2])
    command = typer.main.get_command(_app())
    try:
        with command.make_context("equipoise", arguments) as context:
            code = command.invoke(context)
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except EquipoiseError as error:
        say(f"error: {one_line(str(error))}", error=True)
        return 2 if isinstance(error, BadInput | MissingExtra) else 1
    except usage_error as error:
        message = cast("Any", error).format_message()
        say(f"error: {one_line(message).rstrip('.')}; see equipoise --help", error=True)
        return 2


def _app() -> typer.Typer:
    from equipoise.cli import (
        app as dashboard,
    )
    from equipoise.cli import (
        audit,
        certify,
        compare,
        infer,
        map,
        measure,
        models,
        new,
        panel,
        realise,
        realise_check,
        report,
        schema,
        serve,
        simulate,
        solve,
        steer,
        store,
        study,
    )

    app = _typer("Which human groups a population of LLM agents serves, and who is left out.")
    app.callback()(_everywhere)
    app.command("solve")(solve.solve)
    app.command("certify")(certify.certify)
    app.command("map")(map.map_)
    app.command("steer")(steer.steer)
    app.command("infer")(infer.infer)
    app.command("compare")(compare.compare)
    app.command("measure")(measure.measure)
    app.command("audit")(audit.audit)
    app.command("serve")(serve.serve)
    app.command("simulate")(simulate.simulate)
    panels = _typer("What humans said: the survey panels that come with equipoise.")
    panels.command("list")(panel.list_)
    panels.command("show")(panel.show)
    app.add_typer(panels, name="panel")
    named = _typer("Which models there are, and what they can measure.")
    named.command("pull")(models.pull)
    named.command("add")(models.add)
    named.command("list")(models.list_)
    named.command("doctor")(models.doctor)
    app.add_typer(named, name="models")
    stores = _typer("The answers models gave, and what they cost.")
    stores.command("show")(store.show)
    stores.command("export")(store.export)
    stores.command("import")(store.import_)
    app.add_typer(stores, name="store")
    realised = _typer("From a mixture to behaviour: models that answer as groups of people do.")
    realised.command("train")(realise.train)
    realised.command("check")(realise_check.check)
    app.add_typer(realised, name="realise")
    studies = _typer("One file, the whole path from people to a report.")
    studies.command("run")(study.run)
    app.add_typer(studies, name="study")
    app.command("report")(report.report)
    app.command("app")(dashboard.app)
    news = _typer("Write a commented file to start from.")
    news.command("game")(new.game)
    news.command("study")(new.study)
    app.add_typer(news, name="new")
    app.command("schema")(schema.schema)
    return app


def _typer(text: str) -> typer.Typer:
    return typer.Typer(
        help=text, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )


def _version(wanted: bool) -> None:
    if wanted:
        say(f"equipoise {equipoise.__version__}")
        raise typer.Exit


def _everywhere(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
    engine: EngineOption = None,
    address: AddressOption = None,
    resume: ResumeOption = False,
) -> None:
    context.obj = Settings(json, quiet, seed)
    EngineSettings(engine, address, resume).keep(context)
