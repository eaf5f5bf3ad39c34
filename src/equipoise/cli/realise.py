"""`equipoise realise train`: one model per group of people, trained on the group's answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.engine_options import EngineSettings, ResumeOption
from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    one_line,
    say,
    say_json,
    table,
)

if TYPE_CHECKING:
    from equipoise.panels.panel import Panel
    from equipoise.realise.settings import TrainSettings
    from equipoise.realise.training import Progress

__all__ = ["train"]


def train(
    context: typer.Context,
    *,
    panel: Annotated[str, typer.Option(help="A name of `panel list`.")],
    out: Annotated[Path, typer.Option(help="Folder of adapters, laws and report.")],
    groups: Annotated[
        int | None, typer.Option(help="How many groups, where a panel offers it.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="The year, where a panel has several.")] = None,
    model: Annotated[str, typer.Option(help="A name of `models list`.")] = "smollm2-135m",
    steps: Annotated[int, typer.Option(min=1, help="Steps a group, at most.")] = 120,
    common: Annotated[
        int, typer.Option(min=0, help="Steps on the whole public first; groups go on from there.")
    ] = 160,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapters.")] = 16,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    held_out: Annotated[float, typer.Option(help="Share of each group's people held out.")] = 0.3,
    held_out_questions: Annotated[
        str, typer.Option(help="Questions held out: how many, or names with commas.")
    ] = "3",
    threads: Annotated[
        int, typer.Option(min=0, help="Threads that compute [default: one a usable core].")
    ] = 0,
    resume: ResumeOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taught; train nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> None:
    """Train one LoRA adapter per group on how the group answered, and measure it.

    Writes a PEFT folder and a GGUF per group, realisation.toml (for `serve`), laws.json (what
    each model answers, beside its people) and report.json. A run that was killed goes on with
    --resume and ends with the same files.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    from equipoise.panels.sources import load_panel
    from equipoise.realise.lora_shape import LoraShape
    from equipoise.realise.schedule import Schedule
    from equipoise.realise.settings import TrainSettings

    wanted = TrainSettings(
        LoraShape(rank, 2.0 * rank),
        Schedule(steps=steps, rate=rate),
        common=common,
        held_out_people=held_out,
        held_out_questions=_questions(held_out_questions),
        seed=settings.seed or 0,
        threads=threads,
    )
    people = load_panel(panel, year=year, groups=groups)
    if dry_run:
        _planned(settings, people, wanted)
        return
    _trained(
        settings,
        people,
        model,
        out,
        wanted,
        resume=EngineSettings.read(context, resume=resume).resume,
    )


def _questions(text: str) -> int | tuple[str, ...]:
    if text.strip().isdigit():
        return int(text)
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _planned(settings: Settings, panel: Panel, wanted: TrainSettings) -> None:
    from equipoise.panels.splitting import split_noise
    from equipoise.realise.subpopulation import lesson_of

    lesson = lesson_of(panel, wanted)
    noise = split_noise(panel)
    found: dict[str, Any] = {
        "dry_run": True,
        "questions_taught": list(lesson.questions),
        "questions_held_out": list(lesson.untaught),
        "prompts": len(lesson.task.prompts),
        "groups": {
            g: {
                "people_taught": int(lesson.kept.n[k].max()),
                "people_held_out": int(lesson.held.n[k].max()),
                "half_sample_noise": noise[g].value,
            }
            for k, g in enumerate(lesson.groups)
        },
        "settings": wanted.to_dict(),
    }
    if settings.json:
        say_json(found)
        return
    rows = [
        (g, f"{one['people_taught']:,}", f"{one['people_held_out']:,}",
         f"{one['half_sample_noise']:.3f}")
        for g, one in found["groups"].items()
    ]  # fmt: skip
    head = ("group", "taught", "held out", "half-sample noise")
    say(table("Would be taught", head, rows))
    say(f"{found['prompts']} prompts; questions held out: {', '.join(lesson.untaught) or 'none'}")


def _trained(
    settings: Settings, panel: Panel, model: str, out: Path, wanted: TrainSettings, *, resume: bool
) -> None:
    from equipoise.realise.subpopulation import train_groups
    from equipoise.realise.training_report import report_of

    found = train_groups(
        panel, model, out, wanted, resume=resume, progress=_progress(settings), note=settings.note
    )
    report = report_of(found, note=settings.note, progress=settings.progress())
    report.write(out)
    if settings.json:
        say_json(report.to_dict())
        return
    for title, head, rows in report.tables():
        say(table(title, head, rows, left=2))
    say("\n".join(one_line(line) for line in report.sentences()))


def _progress(settings: Settings) -> Progress:
    """Return a callback that shows steps, and the time the rest of this adapter takes at most."""
    tell = settings.teller()

    def show(what: str, done: int, total: int, seconds: float) -> None:
        left = f", at most {(total - done) * seconds / done:,.0f} s left" if done else ""
        tell(f"training {one_line(what)}: step {done} of {total}{left}", done >= total)

    return show
