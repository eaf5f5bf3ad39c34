"""`equipoise serve`: a gateway that makes any client's model act its equilibrium mixture."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.terminal import (
    ClosedPipe,
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    one_line,
    say_json,
)
from equipoise.errors import BadInput
from equipoise.webguard import LOOPBACK

if TYPE_CHECKING:
    from equipoise.realise.realisation_file import Routes
    from equipoise.realise.targets import Targets
    from equipoise.realise.upstream import Destination

__all__ = ["serve"]


def serve(
    context: typer.Context,
    *,
    plan: Annotated[
        Path, typer.Option(help="What steer --json or solve --json printed; changes are followed.")
    ],
    upstream: Annotated[
        str,
        typer.Option(help="Who answers: an OpenAI-compatible ADDRESS, or local (llama.cpp here)."),
    ],
    realisation: Annotated[
        Path | None,
        typer.Option(
            help="Which adapter, model or persona realises each group, .toml [default: "
            "realisation.toml beside the plan; without one each group is a model of its name]."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8400,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Another name clients may use for this server; may be repeated."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A web page's origin that may call, https://…; may be repeated."),
    ] = None,
    key_env: Annotated[
        str, typer.Option(help="Environment variable (…_API_KEY) with the key clients must send.")
    ] = "",
    upstream_key_env: Annotated[
        str, typer.Option(help="Environment variable (…_API_KEY) with the upstream's key.")
    ] = "",
    flavour: Annotated[
        str,
        typer.Option(
            help="llama.cpp: adapters of an ADDRESS by number; other: as models, as vLLM."
        ),
    ] = "other",
    trace: Annotated[
        Path | None, typer.Option(help="Add one line of JSON per request to FILE, without texts.")
    ] = None,
    hide_group: Annotated[
        bool, typer.Option("--hide-group", help="No X-Equipoise-Group in replies.")
    ] = False,
    per_response: Annotated[
        bool,
        typer.Option("--per-response", help="Draw the group for every turn, not once for all."),
    ] = False,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 4 * 2**20,
    timeout: Annotated[float, typer.Option(help="Seconds the upstream may take.")] = 600.0,
    at_once: Annotated[int, typer.Option(min=1, help="Requests in flight; more get 503.")] = 1000,
    slots: Annotated[int, typer.Option(min=1, help="local: requests worked on at once.")] = 4,
    threads: Annotated[int, typer.Option(min=0, help="local: threads; 0: all cores.")] = 0,
    length: Annotated[int, typer.Option(min=16, help="local: tokens of a request.")] = 2048,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> None:
    """Serve agents that act their mixtures, until interrupted.

    A request's model names the agent; its group is drawn once per conversation (X-Conversation-Id,
    else its first user message). /v1/models lists the agents, /drift compares what was served with
    the plan. With --json the first line says the address and the last is the drift report.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    if host not in LOOPBACK and not key_env:
        raise BadInput(
            f"--host: {host} can be reached from other machines; add --key-env NAME_API_KEY, or "
            "leave --host out"
        )
    from equipoise.realise.gateway import Gateway, GatewaySettings
    from equipoise.realise.gateway_ends import jsonl
    from equipoise.realise.gateway_pages import PlanFile, application
    from equipoise.realise.serving import bound_socket, run_server
    from equipoise.realise.targets import read_targets
    from equipoise.realise.upstream import Upstream

    targets = read_targets(plan)
    routes = _routes(realisation, plan, targets, upstream)
    if upstream == "local" and (upstream_key_env or flavour != "other"):
        raise BadInput("--upstream local: it takes no --upstream-key-env and no --flavour")
    given = GatewaySettings(
        settings.seed or 0, key_env, max_body, at_once,
        show_group=not hide_group, sticky=not per_response,
    )  # fmt: skip

    def ended(report: dict[str, Any]) -> None:
        if settings.json:
            # Whoever started us may have gone: then nobody wants the last words.
            with contextlib.suppress(ClosedPipe):
                say_json({"event": "ended", "drift": report})
        settings.note(_last_words(report))

    with contextlib.ExitStack() as stack:
        there = stack.enter_context(_destinations(
            routes, upstream, upstream_key_env, flavour, slots, length, threads
        ))  # fmt: skip
        gateway = Gateway(
            targets, Upstream(there, timeout=timeout), given,
            None if trace is None else jsonl(trace),
        )  # fmt: skip
        hosts = tuple(allow_host or ()) + (() if host in (*LOOPBACK, "0.0.0.0", "::") else (host,))
        app = application(
            gateway, plan=PlanFile(plan, settings.note), hosts=hosts,
            origins=tuple(allow_origin or ()), on_end=ended,
        )  # fmt: skip
        listening = stack.enter_context(bound_socket(host, port))
        address = _address(host, listening.getsockname()[1])
        if settings.json:
            say_json({"event": "serving", "address": address, "agents": list(targets.agents)})
        settings.note(
            f"{len(targets.agents)} agents at {address}/v1; the plan is followed: {plan}; "
            "Ctrl-C ends"
        )
        run_server(app, listening)


def _routes(given: Path | None, plan: Path, targets: Targets, upstream: str) -> Routes:
    from equipoise.realise.realisation_file import GroupRoute, Routes, read_realisation

    path = given or plan.parent / "realisation.toml"
    if given is None and not path.is_file():
        if upstream == "local":
            raise BadInput(
                "--realisation: which model answers for each group is not given; name the file "
                "that equipoise realise train wrote"
            )
        models = {group: GroupRoute(group, group) for group in targets.groups}
        return Routes(models, plan.resolve().parent)
    routes = read_realisation(path)
    routes.check(targets.groups)
    return routes


@contextlib.contextmanager
def _destinations(
    routes: Routes, upstream: str, key_env: str, flavour: str, slots: int, length: int, threads: int
) -> Iterator[dict[str, Destination]]:
    from equipoise.realise.serving import local_destinations, remote_destinations

    if upstream == "local":
        with local_destinations(routes, slots=slots, context=length, threads=threads) as found:
            yield found
        return
    if "://" not in upstream:
        raise BadInput(f"--upstream: {one_line(upstream)!r}: write http://HOST:PORT, or local")
    yield remote_destinations(routes, upstream, key_env=key_env, flavour=flavour)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _last_words(report: dict[str, Any]) -> str:
    n = sum(row["conversations"] for row in report["agents"])
    failed = sum(report["failed"].values())
    return (
        f"{report['requests']} requests, {n} conversations answered, {failed} failed; groups as "
        f"drawn against the plan: {report['verdict']} (p = {report['p_value']:.3g})"
    )
