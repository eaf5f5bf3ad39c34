// The two dialogs: open a file, export what is shown.

import { $, Refused, answer, ask, el, note, save } from "./dom.js";

const EXPORTS = [
  ["The game at these settings", [["game", "json", "JSON"], ["game", "toml", "TOML"]]],
  ["Who is served (table)", [["groups", "csv", "CSV"]]],
  ["Mixtures of agents (table)", [["agents", "csv", "CSV"]]],
  ["Who serves whom (figure)", [["profile", "svg", "SVG"], ["profile", "png", "PNG"]]],
  ["Who is served (figure)", [["exclusion", "svg", "SVG"], ["exclusion", "png", "PNG"]]],
  ["Phase map", [["map", "svg", "SVG"], ["map", "png", "PNG"], ["map", "csv", "CSV"]]],
  ["Plans side by side", [["plans", "svg", "SVG"], ["plans", "png", "PNG"], ["plans", "csv", "CSV"]]],
  ["Answers to this question", [["panel", "svg", "SVG"], ["panel", "png", "PNG"], ["panel", "csv", "CSV"]]],
];

export function dialogs(state, told, opened) {
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  let ticket = null;

  $("open").addEventListener("click", () => {
    ticket = null;
    $("file").value = "";
    $("opening-error").textContent = "";
    $("columns").hidden = true;
    $("columns-go").hidden = true;
    $("opening").showModal();
  });

  const wrong = (error) => {
    if (!(error instanceof Refused)) throw error;
    $("opening-error").textContent = error.message;
  };
  const done = (found) => {
    $("opening").close();
    opened(found);
  };

  $("file").addEventListener("change", async () => {
    const file = $("file").files[0];
    if (!file) return;
    $("opening-error").textContent = "";
    $("columns").hidden = true;
    $("columns-go").hidden = true;
    try {
      let reply;
      try {
        reply = await fetch("/api/upload", { method: "POST", headers: { "x-file-name": encodeURIComponent(file.name) }, body: file });
      } catch {
        throw new Refused("The file could not be sent; is it larger than 32 MB?");
      }
      const found = await answer(reply);
      if (!found.ticket) return done(found);
      ticket = found.ticket;
      choose(found);
    } catch (error) {
      wrong(error);
    }
  });

  function choose({ columns, guess }) {
    const option = (column) => el("option", { value: column.name }, `${column.shown} (${column.levels} values)`);
    $("column-group").replaceChildren(...columns.map(option));
    if (guess.group) $("column-group").value = guess.group;
    $("column-weight").replaceChildren(el("option", { value: "" }, "none"), ...columns.map(option));
    $("column-weight").value = guess.weight || "";
    const asked = new Set(guess.questions);
    $("column-questions").replaceChildren(...columns.map((column) => {
      const tick = el("input", { type: "checkbox", value: column.name });
      tick.checked = asked.has(column.name);
      return el("label", {}, tick, " ", el("bdi", {}, column.shown), ` (${column.levels})`);
    }));
    $("column-missing").value = guess.missing.join(", ");
    $("columns").hidden = false;
    $("columns-go").hidden = false;
    $("column-group").focus();
  }

  $("columns-go").addEventListener("click", async () => {
    $("opening-error").textContent = "";
    const questions = [...$("column-questions").querySelectorAll("input:checked")].map((one) => one.value);
    const code = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
    const missing = $("column-missing").value.split(",").map((text) => text.trim()).filter(Boolean).map(code);
    try {
      done(await ask("survey", { ticket, table: {
        group: [$("column-group").value], questions, weight: $("column-weight").value || null, missing,
        small_cells: $("column-merge").checked ? "merge" : "refuse",
      } }));
    } catch (error) {
      wrong(error);
    }
  });

  $("export").addEventListener("click", () => {
    $("exporting-error").textContent = "";
    const there = { panel: state.opened.people, map: state.map, plans: state.plans.length > 0 };
    const rows = EXPORTS.filter(([, kinds]) => there[kinds[0][0]] ?? !(kinds[0][0] in there));
    $("exports").replaceChildren(...rows.map(([name, kinds]) => el("div", {}, el("span", {}, name),
      el("span", { class: "row" }, ...kinds.map(([what, kind, label]) => {
        const button = el("button", { type: "button", "aria-label": `${name} as ${label}` }, label);
        button.addEventListener("click", () => fetchFile(what, kind));
        return button;
      })))));
    $("exporting").showModal();
  });

  async function fetchFile(what, kind) {
    $("exporting-error").textContent = "";
    try {
      const reply = await fetch("/api/export", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...told(), what, kind, map: state.map?.map,
          plans: state.plans, question: state.question }),
      });
      if (!reply.ok) await answer(reply);
      save(await reply.blob(), `equipoise-${what}.${kind}`);
      note(`Saved: equipoise-${what}.${kind}`);
    } catch (error) {
      $("exporting-error").textContent = error.message;
    }
  }
}
