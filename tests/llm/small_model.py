"""The small model for tests that need a real one: in the cache, or pulled once."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path
from unittest import mock

import pytest


@functools.cache
def _path() -> Path | str:
    """The model file, or why there is none."""
    for library, extra in (("xllamacpp", "local"), ("httpx2", "llm")):
        if importlib.util.find_spec(library) is None:
            return f"needs the extra {extra}"
    import platformdirs

    from equipoise.llm.pull import PullFailed, pull_model

    home = platformdirs.user_cache_path("equipoise-tests")
    with mock.patch.dict(os.environ, {"EQUIPOISE_HOME": str(home)}):
        try:
            return Path(pull_model("smollm2-135m").gguf)
        except PullFailed as error:
            return f"the model could not be pulled: {error}"


def small_model() -> Path:
    """Return the model file, or skip the test with the reason."""
    found = _path()
    if isinstance(found, str):
        pytest.skip(found)
    return found
