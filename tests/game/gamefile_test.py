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

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import (
    drawn_games,
    game_from_dict,
    game_to_dict,
    load_draws,
    load_game,
    save_game,
    schema,
)
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Term,
    Variety,
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


def same(a: AlignmentGame, b: AlignmentGame) -> bool:
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
        if isinstance(x, Network) and isinstance(y, Network):
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
def games(draw: st.DrawFn) -> AlignmentGame:
    k = draw(st.integers(1, 4))
    n = draw(st.integers(1, 4))
    raw = np.array(draw(st.lists(st.floats(0.01, 1), min_size=k, max_size=k)))
    names = draw(st.lists(labels, min_size=k, max_size=k, unique=True))
    groups = Groups(dict(zip(names, (raw / raw.sum()).tolist(), strict=True)))
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
        network = Network(n, links, directed=draw(st.booleans()))
    terms: list[Term] = [
        Attractiveness(rows(), weight()),
        draw(
            st.sampled_from([Consistency(anchor, weight(), psd()), KLConsistency(anchor, weight())])
        ),
        Diversity(weight(of=st.floats(0.1, 9) | st.floats(-9, -0.1)), psd(), network),
        Variety(weight(), psd()),
        AudienceShare(weight()),
        Subsidy(array(k, of=positive)),
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
    return AlignmentGame(groups, agents, [terms[i] for i in kept], about=about)


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
    moved = game.replace(Diversity(np.nextafter(0.3, 1)))
    assert same(game, game)
    assert not same(game, moved)


def test_large_arrays_are_written_beside_the_file_and_mapped(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6000, 2))
    game = AlignmentGame(Groups(["a", "b"]), 6000, [Attractiveness(values)])
    save_game(game, tmp_path / "big.toml")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "big-attractiveness-values.npy",
        "big.toml",
    ]
    read = load_game(tmp_path / "big.toml")
    assert same(read, game)
    term = read.term(Attractiveness)
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
    term = game_from_dict(data, folder=tmp_path).term(Attractiveness)
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
    arrays: dict[str, Any] = {"attractiveness.values": values}
    np.savez(tmp_path / "toy.npz", **arrays)
    draws = load_draws(path)
    assert list(draws) == ["attractiveness.values"]
    assert np.array_equal(draws["attractiveness.values"], values)
    drawn = list(drawn_games(load_game(path), draws))
    whole = json.loads(DESIGN)
    for game, row in zip(drawn, values.tolist(), strict=True):
        whole["attractiveness"]["values"] = row
        assert same(game, game_from_dict(whole))
    with pytest.raises(BadInput, match="draws: draw 0: groups: the shares sum to 3"):
        list(drawn_games(drawn[0], {"groups": np.ones((2, 3))}))
    path.write_text(DESIGN)
    assert load_draws(path) == {}


def test_two_groups_may_have_any_label_and_keep_their_order(tmp_path: Path) -> None:
    names = ['qu"ote', "tab\t", "línea", "a.b", "\x7f", "z", "=", "[x]", "#"]
    groups = Groups(names)
    game = AlignmentGame(groups, {"t.1": 3, '"': 1}, [])
    save_game(game, tmp_path / "g.toml")
    assert load_game(tmp_path / "g.toml").groups.labels == tuple(names)
    assert same(load_game(tmp_path / "g.toml"), game)


@pytest.mark.parametrize(
    ("draws", "sentence"),
    [
        ({"values": np.ones((5, 3))}, 'holds "values"; known are: groups, attractiveness.values'),
        ({"subsidy.prices": np.ones((5, 3))}, "draws of subsidy.prices, which the game does not"),
        ({"attractiveness.values": np.ones((5, 2))}, "has draws of shape (2,), the game (3,)"),
        ({"attractiveness.values": np.full((5, 3), np.nan)}, "holds a number that is not finite"),
        ({"attractiveness.values": np.ones((5, 3)), "groups": np.ones((4, 3))}, "one number of dr"),
        ({"attractiveness.values": np.ones((0, 3))}, "needs one number of draws"),
        ({"attractiveness.values": np.array([{}] * 5)}, "not a plain .npz file of numbers"),
    ],
)
def test_draws_that_do_not_fit_are_refused(
    tmp_path: Path, draws: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(json.loads(DESIGN) | {"draws": "toy.npz"}))
    with pytest.raises(BadInput, match='toy.json: draws: there is no file "toy.npz"'):
        load_draws(path)
    np.savez(tmp_path / "toy.npz", **draws)
    with pytest.raises(BadInput, match="^toy.json: draws: ") as caught:
        load_draws(path)
    assert sentence in str(caught.value)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    game = game_from_dict(json.loads(DESIGN))
    for about, name, sentence in (
        ({"x": None}, "g.toml", "about.x: TOML has no null; save the game as .json"),
        ({"x": [1, {2}]}, "g.json", r"about.x\[1\]: set cannot be written; use numbers and texts"),
        ({"x": {1: 2}}, "g.json", "about.x: the key 1 is not text; use texts as keys"),
        ({"x": float("nan")}, "g.json", "about.x: nan is not a finite number; replace it"),
        ({}, "g.yaml", "a game file ends in .json or .toml; rename it"),
        ({}, "no/g.json", "it cannot be written"),
    ):
        with pytest.raises(BadInput, match=sentence):
            save_game(game.replace(about=about or {"y": 1}), tmp_path / name)
        assert list(tmp_path.iterdir()) == []


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_mutated_file_is_a_game_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Fuzz: bytes of a valid file changed, or one value of it replaced; no other error ever."""
    folder = tmp_path_factory.mktemp("fuzz")
    game = game_from_dict(json.loads(DESIGN)).replace(
        Diversity(0.3, None, Network(2, [(0, 1, 2.0)])), about={"n": 3, "deep": [{"a": [1]}]}
    )
    name = data.draw(st.sampled_from(["g.json", "g.toml"]))
    save_game(game, folder / name)
    text = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        end = at + data.draw(st.integers(0, 3))
        bytes_ = st.sampled_from(
            [b"", b"[", b"]", b"{", b"}", b'"', b",", b":", b"-", b"e9", b"\0"]
        )
        text[at:end] = data.draw(bytes_ | st.binary(max_size=2))
    (folder / name).write_bytes(bytes(text))
    _game_or_sentence(lambda: load_game(folder / name))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_mutated_value_is_a_game_or_one_sentence(data: st.DataObject) -> None:
    whole: Any = json.loads(DESIGN)
    inner = whole
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(inner[key], dict | list) and data.draw(st.booleans()):
            inner = inner[key]
            continue
        inner[key] = data.draw(junk)
        break
    _game_or_sentence(lambda: game_from_dict(whole))


def _game_or_sentence(load: Any) -> None:
    sentence = "a game"
    try:
        assert isinstance(load(), AlignmentGame)
    except BadInput as error:
        sentence = str(error)
    assert sentence
    assert "pydantic" not in sentence


def test_the_fuzz_check_sees_another_error() -> None:
    with pytest.raises(IndexError):
        _game_or_sentence(lambda: [1][2])
