"""The realisation file: by what each group is realised, an adapter, a model or a persona.

Labels and texts in it are data; paths lie beside the file and never outside its folder; there is
no address in it (where requests go is said on the command line only), and no key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from equipoise.display import shortened
from equipoise.errors import BadInput, nearest

__all__ = ["GroupRoute", "Routes", "read_realisation", "schema"]

MOST_BYTES = 2**20
MOST_TEXT = 20_000


@final
@dataclass(frozen=True)
class GroupRoute:
    """By what one group is realised.

    Parameters
    ----------
    group : str
        Its label.
    model : str
        Name of the model that answers.
    adapter : Path, optional
        A LoRA adapter in GGUF for that model.
    persona : str
        A system text put in front of every conversation, or "".
    peft : str
        The PEFT folder the adapter came from; servers that hold adapters as models are asked for
        its name.
    """

    group: str
    model: str = ""
    adapter: Path | None = None
    persona: str = ""
    peft: str = ""

    @property
    def kind(self) -> str:
        """The word of the route: "adapter", "persona" or "model"."""
        if self.adapter is not None:
            return "adapter"
        return "persona" if self.persona else "model"


@final
@dataclass(frozen=True)
class Routes:
    """All groups of a realisation, in the order of the file.

    Parameters
    ----------
    routes : mapping of label to GroupRoute
        One per group.
    folder : Path
        Where the file lies.
    """

    routes: Mapping[str, GroupRoute]
    folder: Path

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels in the order of the file."""
        return tuple(self.routes)

    @property
    def adapters(self) -> dict[str, Path]:
        """Label -> adapter file, for the groups that have one."""
        return {g: r.adapter for g, r in self.routes.items() if r.adapter is not None}

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that answer, each once."""
        return tuple(dict.fromkeys(r.model for r in self.routes.values()))

    def check(self, groups: tuple[str, ...]) -> None:
        """Refuse a plan whose groups are not all realised.

        Raises
        ------
        BadInput
            A group of the plan is missing; the nearest label is named.
        """
        for group in groups:
            if group not in self.routes:
                raise BadInput(
                    f'realisation: the plan\'s group "{group}" is not in it; '
                    f"{nearest(group, self.routes)}"
                )


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT:
        raise BadInput(f"write a text in quotes of at most {MOST_TEXT:,} characters")
    return value


Text = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MOST_TEXT}),
]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: Text | None = None
    model: Text | None = None
    persona: Text | None = None
    peft: Text | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Text | None = None
    groups: dict[str, _Group]


def read_realisation(path: str | Path) -> Routes:
    """Read a realisation file.

    Parameters
    ----------
    path : str or Path
        TOML as `equipoise realise train` writes it: a common `model`, and for each group of the
        panel a table `[groups.LABEL]` with `adapter`, `model` or `persona` (a persona may stand
        beside one of the others), and optionally `peft`.

    Returns
    -------
    Routes.

    Raises
    ------
    BadInput
        It cannot be read; an unknown key, with the nearest known; a path outside the folder or
        without a file; a group without a model.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: a realisation file of more than {MOST_BYTES:,} bytes")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path}: the realisation cannot be read ({error.strerror}); write it with "
            "equipoise realise train, or by hand"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: it is not TOML ({shortened(str(error), 120)})") from None
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"{path}: {_sentence(error)}") from None
    if not file.groups:
        raise BadInput(f"{path}: groups: there is none; write [groups.LABEL]")
    folder = path.resolve().parent
    return Routes(
        {label: _route(label, one, file.model, folder) for label, one in file.groups.items()},
        folder,
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a realisation file.

    Examples
    --------
    >>> sorted(schema()["properties"])
    ['groups', 'model']
    """
    return {"title": "equipoise realisation", **_File.model_json_schema()}


def _route(label: str, one: _Group, common: str | None, folder: Path) -> GroupRoute:
    where = f"groups.{shortened(label)}"
    if one.adapter and one.model:
        raise BadInput(f"{where}: an adapter belongs to the common model; leave model out")
    if not (one.adapter or one.model or one.persona):
        raise BadInput(f"{where}: write adapter, model or persona")
    model = one.model or common
    if model is None:
        raise BadInput(f'{where}: no model answers; write model = "..." at the top of the file')
    adapter = None if one.adapter is None else _inside(one.adapter, folder, where)
    return GroupRoute(label, model, adapter, one.persona or "", one.peft or "")


def _inside(given: str, folder: Path, where: str) -> Path:
    """Return a file beside the realisation file; links that lead out count as outside."""
    path = (folder / given).resolve()
    if Path(given).is_absolute() or not path.is_relative_to(folder):
        raise BadInput(f"{where}.adapter: the file must lie in the folder of the realisation file")
    if not path.is_file():
        raise BadInput(f"{where}.adapter: there is no file {shortened(given, 80)}")
    return path


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    spot = [str(part) for part in first["loc"]]
    where = ".".join(shortened(part) for part in spot)
    if first["type"] == "extra_forbidden":
        known = _File.model_fields if len(spot) == 1 else _Group.model_fields
        inside = f" in {'.'.join(spot[:-1])}" if spot[:-1] else ""
        return f'there is no key "{shortened(spot[-1])}"{inside}; {nearest(spot[-1], known)}'
    if first["type"] == "missing":
        return f"{where}: it is not given; write [groups.LABEL] for every group"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}"
    return f"{where}: a table is needed, e.g. [groups.left]"
