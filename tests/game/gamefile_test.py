"""The game file: the toy of design section 4, exact round trips, arrays beside the file.

Witnesses: the design's own example, `jsonschema` for the schema, NumPy's files, Hypothesis.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.game.gamefile import (
    game_from_dict,
    game_to_dict,
    load_draws,
    load_game,
    save_game,
    schema,
)

DESIGN = """{"groups": {"urban": 0.5, "suburban": 0.35, "rural": 0.15},
 "agents": ["model-a", "model-b"],
 "attractiveness": {"values": [0.5, 0.35, 0.15], "weight": 1.0},
 "consistency": {"anchor": [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], "weight": 1.0,
                 "form": "quadratic", "metric": null},
 "diversity": {"weight": 0.3, "kernel": null, "network": null, "directed": false},
 "variety": {"matrix": null, "weight": 0.0}, "audience_share": {"weight": 0.0},
 "subsidy": {"prices": [0, 0, 0]},
 "draws": null, "about": {}}
"""


def same(a: eq.AlignmentGame, b: eq.AlignmentGame) -> bool:
    """Whether two games are the same to the last bit, apart from the order of their terms."""
    if a.groups != b.groups or a.agents != b.agents or dict(a.about) != dict(b.about):
        return False
    ours, theirs = ({type(t): t for t in game.terms} for game in (a, b))
    return ours.keys() == theirs.keys() and all(
        _same_term(ours[kind], theirs[kind]) for kind in ours
    )


def _same_term(a: Any, b: Any) -> bool:
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, eq.Network) and isinstance(y, eq.Network):
            if x.directed != y.directed or not np.array_equal(x.dense(), y.dense()):
                return False
        elif not (x is None and y is None) and not np.array_equal(x, y):
            return False
    return True


def test_the_file_of_the_design_is_the_game_of_the_design(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    path.write_text(DESIGN)
    game = load_game(path)
    assert [type(term).__name__ for term in game.terms] == [
        "Attractiveness",
        "Consistency",
        "Diversity",
    ]
    # By hand: model-a on urban alone, model-b on rural alone (docstring of AlignmentGame).
    assert game.utilities(game.profile([[1, 0, 0], [0, 0, 1]])) == pytest.approx([0.37, -0.46])


def test_toml_has_the_same_keys(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text(DESIGN)
    (tmp_path / "toy.toml").write_text(
        'agents = ["model-a", "model-b"]\n'
        "[groups]\nurban = 0.5\nsuburban = 0.35\nrural = 0.15\n"
        "[attractiveness]\nvalues = [0.5, 0.35, 0.15]\n"
        "[consistency]\nanchor = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]\n"
        "[diversity]\nweight = 0.3\n"
    )
    assert same(load_game(tmp_path / "toy.json"), load_game(tmp_path / "toy.toml"))


def test_the_schema_accepts_the_design_and_refuses_a_misspelt_key() -> None:
    data = json.loads(DESIGN)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(data, schema())
    data["diversity"]["wieght"] = 1.0
    with pytest.raises(jsonschema.ValidationError, match="wieght"):
        jsonschema.validate(data, schema())


labels = st.text(min_size=1, max_size=8).filter(str.strip)
finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)


@st.composite
def games(draw: st.DrawFn) -> eq.AlignmentGame:
    k = draw(st.integers(1, 4))
    n = draw(st.integers(1, 4))
    raw = np.array(draw(st.lists(st.floats(0.01, 1), min_size=k, max_size=k)))
    names = draw(st.lists(labels, min_size=k, max_size=k, unique=True))
    groups = eq.Groups(dict(zip(names, (raw / raw.sum()).tolist(), strict=True)))
    agents: Any = draw(
        st.one_of(
            st.just(n),
            st.lists(labels, min_size=n, max_size=n, unique=True),
            st.dictionaries(labels, st.integers(2, 10**12), min_size=n, max_size=n),
        )
    )

    def array(*shape: int, of: Any = finite) -> Any:
        size = int(np.prod(shape, initial=1))
        flat = draw(st.lists(of, min_size=size, max_size=size))
        return np.array(flat).reshape(shape)

    def weight(of: Any = positive) -> Any:
        return array(*draw(st.sampled_from([(), (n,)])), of=of)

    def rows(of: Any = finite) -> Any:
        return array(*draw(st.sampled_from([(k,), (n, k)])), of=of)

    def psd() -> Any:
        factor = array(k, k, of=st.floats(-3, 3))
        return draw(st.sampled_from([None, factor @ factor.T + np.eye(k)]))

    anchor = rows(of=st.floats(0.01, 1))
    anchor = anchor / anchor.sum(axis=-1, keepdims=True)
    network = None
    if not isinstance(agents, dict) and draw(st.booleans()):
        pairs = [(i, j) for i in range(n) for j in range(i)]
        chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
        links = [(i, j, draw(positive)) for i, j in chosen]
        network = eq.Network(n, links, directed=draw(st.booleans()))
    terms = [
        eq.Attractiveness(rows(), weight()),
        draw(
            st.sampled_from(
                [eq.Consistency(anchor, weight(), psd()), eq.KLConsistency(anchor, weight())]
            )
        ),
        eq.Diversity(weight(of=st.floats(0.1, 9) | st.floats(-9, -0.1)), psd(), network),
        eq.Variety(weight(), psd()),
        eq.AudienceShare(weight()),
        eq.Subsidy(array(k, of=positive)),
    ]
    kept = draw(st.lists(st.sampled_from(range(6)), unique=True))
    plain = st.recursive(
        st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    about = draw(st.dictionaries(st.text(), plain, max_size=3))
    return eq.AlignmentGame(groups, agents, [terms[i] for i in kept], about=about)


@settings(max_examples=60, deadline=None)
@given(games())
def test_a_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, game: Any) -> None:
    folder = tmp_path_factory.mktemp("trip")
    assert same(game_from_dict(game_to_dict(game)), game)
    for name in ("game.json", "game.toml"):
        save_game(game, folder / name)
        assert same(load_game(folder / name), game)
    jsonschema.validate(json.loads((folder / "game.json").read_text()), schema())


def test_the_comparison_of_round_trips_sees_a_changed_bit() -> None:
    game = game_from_dict(json.loads(DESIGN))
    moved = game.replace(eq.Diversity(np.nextafter(0.3, 1)))
    assert same(game, game)
    assert not same(game, moved)


def test_large_arrays_are_written_beside_the_file_and_mapped(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6000, 2))
    game = eq.AlignmentGame(eq.Groups(["a", "b"]), 6000, [eq.Attractiveness(values)])
    save_game(game, tmp_path / "big.toml")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "big-attractiveness-values.npy",
        "big.toml",
    ]
    read = load_game(tmp_path / "big.toml")
    assert same(read, game)
    term = read.term(eq.Attractiveness)
    assert term is not None
    base: Any = term.values
    while not isinstance(base, np.memmap):
        base = base.base
        assert base is not None, "the array was copied instead of mapped"


def test_shards_are_joined_in_name_order(tmp_path: Path) -> None:
    rows = np.arange(8.0).reshape(4, 2)
    (tmp_path / "shards").mkdir()
    np.save(tmp_path / "shards" / "values-01.npy", rows[3:])
    np.save(tmp_path / "shards" / "values-00.npy", rows[:3])
    data = {
        "groups": {"a": 0.5, "b": 0.5},
        "agents": 4,
        "attractiveness": {"values": "shards/values-*.npy"},
    }
    term = game_from_dict(data, folder=tmp_path).term(eq.Attractiveness)
    assert term is not None
    assert np.array_equal(term.values, rows)
    np.save(tmp_path / "w-0.npy", np.ones(2))
    np.save(tmp_path / "w-1.npy", np.ones(2))
    data["diversity"] = {"weight": "w-*.npy"}
    with pytest.raises(BadInput, match="cut all sharded arrays at the same rows"):
        game_from_dict(data, folder=tmp_path)


def test_draws_come_with_the_shapes_of_the_game(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    data = json.loads(DESIGN) | {"draws": "toy.npz"}
    path.write_text(json.dumps(data))
    values = np.random.default_rng(0).random((5, 3))
    np.savez(tmp_path / "toy.npz", **{"attractiveness.values": values})
    draws = load_draws(path)
    assert list(draws) == ["attractiveness.values"]
    assert np.array_equal(draws["attractiveness.values"], values)
    path.write_text(DESIGN)
    assert load_draws(path) == {}


def test_two_groups_may_have_any_label_and_keep_their_order(tmp_path: Path) -> None:
    names = ['qu"ote', "tab\t", "línea", "a.b", "\x7f", "z", "=", "[x]", "#"]
    groups = eq.Groups(names)
    game = eq.AlignmentGame(groups, {"t.1": 3, '"': 1}, [])
    save_game(game, tmp_path / "g.toml")
    assert load_game(tmp_path / "g.toml").groups.labels == tuple(names)
    assert same(load_game(tmp_path / "g.toml"), game)
