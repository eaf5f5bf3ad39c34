"""Agents that act their mixtures behind an OpenAI-compatible address, and the official client.

    python examples/gateway_with_a_client.py [UPSTREAM]

UPSTREAM has a model named like each group; without one a small server plays them. It prints:

    it speaks for …
    of 200 conversations: urban … suburban … rural …
    plan, in percent: urban 68.1 suburban 26.9 rural 5.0
    as drawn against the plan: …
"""

import http.server
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import openai

import equipoise as eq
from equipoise.game.catalog import game


class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = {"role": "assistant", "content": f"it speaks for {asked['model']}"}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [{"index": 0, "message": said}]}).encode())

    def log_message(self, *_): ...


echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
threading.Thread(target=echo.serve_forever, daemon=True).start()
upstream = [*sys.argv[1:], f"http://127.0.0.1:{echo.server_port}/v1"][0]

plan = eq.steer(game("toy"), floors={"rural": 0.05})
Path("plan.json").write_text(json.dumps(plan.to_dict()))
command = f"{sys.executable} -m equipoise.cli serve --plan plan.json --json --quiet --port 0"
gateway = subprocess.Popen([*command.split(), "--upstream", upstream], stdout=subprocess.PIPE)
try:
    address = json.loads(gateway.stdout.readline())["address"] + "/v1"
    with openai.OpenAI(base_url=address, api_key="none") as client:
        ask, drawn = client.chat.completions.with_raw_response.create, Counter()
        for i in range(200):
            reply = ask(model="model-a", messages=[{"role": "user", "content": f"Hello {i}"}])
            drawn[reply.headers["x-equipoise-group"]] += 1
finally:
    gateway.terminate()
    ended = gateway.communicate()[0]
print(reply.parse().choices[0].message.content)
print("of 200 conversations:", *(f"{k} {n}" for k, n in drawn.most_common()))
print("plan, in percent:", *(f"{k} {100 * x:.1f}" for k, x in plan.after["model-a"].items()))
print("as drawn against the plan:", json.loads(ended.splitlines()[-1])["drift"]["verdict"])
