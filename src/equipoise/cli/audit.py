"""`equipoise audit FILE --panel NAME`: whose views stand behind a corpus of answers (R14)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

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
    from equipoise.measure.audit import Audit
    from equipoise.panels import Panel

__all__ = ["audit"]


def audit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Answers: JSONL rows or CSV, see the README.")],
    *,
    panel: Annotated[
        str | None,
        typer.Option(
            help="Whose people: a name of `panel list`, or a study file with a [panel] of your own."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Free text: FILE has predicted labels, this file truths and labels."),
    ] = None,
    year: Annotated[int | None, typer.Option(help="The year, where a panel has several.")] = None,
    groups: Annotated[
        int | None, typer.Option(help="How many groups, where a panel offers it.")
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option("--id", help="Column that joins the answers of one questionnaire."),
    ] = None,
    below: Annotated[
        float, typer.Option(help="A group whose weight is below this is excluded.")
    ] = 0.05,
    exact_panel: Annotated[
        bool, typer.Option("--exact-panel", help="Take the panel's shares as exact.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Estimate the mixture of groups behind a corpus of survey answers.

    Exit code 1 when nothing can be told of any group.
    """
    settings = Settings.read(context, json=json, quiet=quiet)
    source = _Source(panel, year, groups, calibration)
    found, known, title = _found(file, source, id_column, below, exact_panel)
    if settings.json:
        say_json({**known, **found.to_dict()})
    else:
        say(_text(found, title))
    if panel is not None and found.estimate.unit == "answer" and id_column is None:
        settings.note(
            "Every answer is a unit; --id COLUMN, where questionnaires exist, tells more."
        )
    return 0 if found.can_tell else 1


class _Source(NamedTuple):
    """Where it is known from how groups answer."""

    panel: str | None
    year: int | None
    groups: int | None
    calibration: Path | None


def _found(
    file: Path, source: _Source, id_column: str | None, below: float, exact: bool
) -> tuple[Audit, dict[str, str], str]:
    """Return the audit, what it was made from, and the same in words."""
    from equipoise.errors import BadInput
    from equipoise.measure.audit import audit as examine
    from equipoise.measure.audit import audit_labels
    from equipoise.panels import load_panel, option_codes

    panel, calibration = source.panel, source.calibration
    if calibration is not None and panel is None:
        found = audit_labels(file, calibration, below=below)
        return found, {"calibration": calibration.name}, f"calibration: {calibration.name}"
    if panel is None or calibration is not None:
        raise BadInput("give --panel NAME for survey answers, or --calibration FILE for free text")
    if panel.endswith(".toml"):
        people, codes = _own(Path(panel), source), {}
    else:
        people = load_panel(panel, year=source.year, groups=source.groups)
        codes = option_codes(panel)
    found = examine(file, people, id_column=id_column, below=below, exact_laws=exact, codes=codes)
    return found, {"panel": people.name}, f"people: {people.title}"


def _own(study: Path, source: _Source) -> Panel:
    """Return the people of a study file."""
    from equipoise.errors import BadInput
    from equipoise.study.people import open_panel
    from equipoise.study.study_file import read_study

    if source.year is not None or source.groups is not None:
        raise BadInput("--year, --groups: with a study file, write them in its [panel]")
    table = read_study(study).panel
    if table is None:
        raise BadInput(f"{study}: it has no [panel]; write whose people the answers come from")
    return open_panel(table, study.parent)[0]


def _text(found: Audit, title: str) -> str:
    estimate = found.estimate
    rows = []
    for k, (g, e) in enumerate(estimate.estimates.items()):
        more = found.more[k]
        rows.append(
            (
                g,
                found.verdicts[k].value,
                f"{e.value:.3f}",
                f"{e.low:.3f} to {e.high:.3f}",
                f"{estimate.band_low[k]:.3f} to {estimate.band_high[k]:.3f}",
                "no number" if more is None else f"{more:,}",
            )
        )
    level = f"{estimate.level:.0%}"
    head = ("group", "verdict", "weight", level, f"{level}, all together", "more needed")
    kind = "questionnaires" if estimate.unit == "sheet" else "single answers"
    lines = [
        table(f"Views behind the answers; {title}", head, rows, left=2),
        "",
        f"{estimate.units:,} {kind}, {estimate.answers:,} answers; "
        f"{estimate.unparsed:,} not used (blank or no match); threshold {found.below:g}; "
        f"groups' answers taken as {'exact' if estimate.laws_exact else 'estimates'}",
        f"more needed: {kind} for a standard error of 0.05",
    ]
    if found.corpus is not None:
        for what in ("questions", "answers"):
            unknown = getattr(found.corpus, f"unknown_{what}")
            if unknown:
                some = ", ".join(f'"{t}" ({n})' for t, n in list(unknown.items())[:5])
                lines.append(f"unknown {what}: {some}")
    lines += found.notes
    return "\n".join(one_line(line) if i > 0 else line for i, line in enumerate(lines))
