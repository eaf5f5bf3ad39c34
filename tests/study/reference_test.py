"""Every key of a study file is explained, in the schema and in docs/study-file.md."""

from __future__ import annotations

from pathlib import Path

from equipoise.study import file_models, schema
from equipoise.study.key_texts import KEYS, TABLES
from equipoise.study.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "study-file.md"


def test_the_page_is_what_the_schema_says() -> None:
    """If this fails: python -m equipoise.study.reference > docs/study-file.md."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_key_has_a_text_and_every_text_a_key() -> None:
    assert set(TABLES) == set(KEYS) == set(file_models.StudyModel.model_fields)
    for table, texts in KEYS.items():
        model = getattr(file_models, f"{table.title()}Table")
        assert list(texts) == list(model.model_fields)
        for key, part in schema()["$defs"][f"{table.title()}Table"]["properties"].items():
            assert part["description"] == texts[key]
            assert part["description"].endswith(".")
