"""How fast the dashboard is, in a real browser: dated JSON in benchmarks/results.

    python -m benchmarks.app [--seconds]

A slider's move to the redrawn equilibrium, a map of 101 × 101 cells recomputed and redrawn, and
the first picture after the process starts. Times are taken in the page, from the input event to
the first frame after the drawing.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
MOVES = 60
MAPS = 15
STARTS = 5

MEASURE = """
async ({id, moves, what}) => {
  const range = document.getElementById(id);
  const {min, max, value} = range;
  const [low, high] = [Number(min), Number(max)];
  const times = [];
  const framed = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  for (let i = 0; i < moves; i += 1) {
    const drawn = new Promise((done) => {
      const heard = (event) => {
        if (event.detail.what !== what) return;
        document.removeEventListener("equipoise:drawn", heard);
        done();
      };
      document.addEventListener("equipoise:drawn", heard);
    });
    range.value = low + (high - low) * (0.15 + 0.7 * ((i * 0.618034) % 1));
    const began = performance.now();
    range.dispatchEvent(new Event("input", {bubbles: true}));
    await Promise.race([drawn, new Promise((_, no) => setTimeout(() => no(new Error(
      "not drawn within 20 s")), 20000))]);
    await framed();
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, what === "map" ? 700 : 60));
  }
  range.value = value;
  return times;
}
"""


def games(folder: Path) -> dict[str, Path | None]:
    """The example, and 1,000 agents × 10 groups: alike, differing, overlapping groups, KL."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(10, 3.0))
    shares /= shares.sum()
    drawn = {"values": rng.random((1000, 10)).tolist(), "weight": 1.0}
    held = {"anchor": rng.dirichlet(np.ones(10), 1000).tolist(), "weight": 1.0}
    large = {
        "groups": {f"group {k}": float(s) for k, s in enumerate(shares)},
        "agents": 1000,
        "attractiveness": drawn,
        "consistency": held,
        "diversity": {"weight": 0.5},
    }
    alike = {
        **large,
        "attractiveness": {"values": rng.random(10).tolist(), "weight": 1.0},
        "consistency": {"anchor": [0.1] * 10, "weight": 1.0},
    }
    root = rng.random((10, 4))
    kernel = root @ root.T
    kernel /= np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
    overlap = {**large, "diversity": {"weight": 0.5, "kernel": kernel.tolist()}}
    kl = {**large, "consistency": {**held, "form": "kl"}}
    paths = {}
    made = {"differ": large, "alike": alike, "overlap": overlap, "kl": kl}
    for name, game in made.items():
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps(game))
    return {"gss2018": None, **paths}


@contextmanager
def served(path: Path | None) -> Iterator[tuple[str, float]]:
    """Start the dashboard; its address, and when the process was started."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "equipoise.cli", "app", "--no-open", "--quiet", "--json"]
    process = subprocess.Popen(
        command + ([str(path)] if path else []), stdout=subprocess.PIPE, text=True,
        env=dict(os.environ),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"], began
    finally:
        process.terminate()
        process.wait(20)


def spread(times: list[float]) -> dict[str, float]:
    at = np.quantile(times, [0.5, 0.95])
    return {"n": len(times), "median_ms": round(float(at[0]), 1), "p95_ms": round(float(at[1]), 1)}


def measured(browser: Any, path: Path | None, *, with_map: bool) -> dict[str, Any]:
    first = []
    out: dict[str, Any] = {}
    for number in range(STARTS):
        with served(path) as (address, began):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(address)
            page.wait_for_selector("#served-chart .mark")
            page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
            first.append(time.perf_counter() - began)
            if number == 0:
                page.wait_for_timeout(4000)
                ask = {"id": "weight-attractiveness", "moves": MOVES, "what": "solve"}
                out["slider"] = spread(page.evaluate(MEASURE, ask))
                if with_map:
                    page.wait_for_timeout(2000)
                    ask = {"id": "weight-consistency", "moves": MAPS, "what": "map"}
                    # The page waits for the slider to rest before it asks for a map.
                    script = Path(__file__).parents[1] / "src/equipoise/app/page/app.js"
                    said = re.search(r"RESTING = (\d+)", script.read_text())
                    assert said is not None
                    rest = int(said[1])
                    times = page.evaluate(MEASURE, ask)
                    out["map_101x101"] = spread([t - rest for t in times])
                    out["map_101x101_with_rest"] = {**spread(times), "rest_ms": rest}
            page.close()
    out["first_picture_s"] = {
        "n": len(first), "median": round(statistics.median(first), 2), "most": round(max(first), 2)
    }  # fmt: skip
    return out


def main() -> None:
    from playwright.sync_api import sync_playwright
    from tests.app.browser import launched

    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = launched(play)
        figures = {
            name: measured(browser, path, with_map=name in ("gss2018", "alike"))
            for name, path in games(Path(folder)).items()
        }
        version = browser.version
        browser.close()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    result = {
        "date": today,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "chromium": version,
        "versions": {n: metadata.version(n) for n in ("numpy", "starlette", "uvicorn")},
        "load_before": round(os.getloadavg()[0], 1),
        "figures": figures,
    }
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{today}-app.json").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
