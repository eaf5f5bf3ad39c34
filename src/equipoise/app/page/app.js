// The state of the page, and what happens when it changes. Drawing is in charts.js and map.js.

import { agents, critical, people, served, servedTable, ternary } from "./charts.js";
import { dialogs } from "./dialogs.js";
import { $, Refused, Superseded, ask, el, named, note, number, percent, sentence, signed, swatch }
  from "./dom.js";
import { PhaseMap } from "./map.js";
import { Plans } from "./plans.js";

const TAB = Math.random().toString(36).slice(2);
const RESTING = 120; // milliseconds without a move, after which the slower parts follow

export const state = { opened: null, set: null, found: null, axes: null, map: null, chances: null, plans: [], back: [], question: 0 };

const WORDS = { attractiveness: "attractiveness", consistency: "consistency", diversity: "diversity", variety: "variety" };

// Questions of one kind: at most one on the way, and then only the newest.
class Line {
  constructor(what, done, refused = (text) => note(text, true)) {
    Object.assign(this, { what, done, refused, busy: false, next: null });
  }

  send(body) {
    this.next = body;
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.next) {
      const body = this.next;
      this.next = null;
      try {
        const found = await ask(this.what, body);
        if (body.source === state.opened?.source) this.done(found, body);
      } catch (error) {
        if (error instanceof Refused) this.refused(error.message);
        else if (!(error instanceof Superseded)) throw error;
      }
    }
    this.busy = false;
  }
}

export const told = () => ({ source: state.opened.source, set: state.set });

// Two lines: a move never waits for what takes longer, and what is late is not drawn.
let moves = 0;
const [solving, settling] = ["solve", "full"].map((what) => new Line("solve", (found, body) => {
  if (body.full && body.move !== moves) return;
  state.found = found;
  drawFound();
  drawn(what, body.turn);
}));
const mapping = new Line("map", (found, body) => {
  state.map = found;
  map.show(found, body.axes, state.opened.groups);
  $("map").classList.remove("old");
  drawMapWords(body.axes);
  drawn("map", body.turn);
  if (found.more && !body.fine) mapping.send({ ...body, fine: true, turn: nextTurn() });
  else if (state.opened.draws > 0) doubting.send({ ...told(), axes: body.axes, tab: `${TAB}~`, turn });
  if (map.at) askCell();
}, (text) => {
  $("map-note").textContent = text;
  $("map").classList.add("old");
});
const doubting = new Line("chances", (found, body) => {
  state.chances = found.chances;
  drawDoubt(body.axes === state.axes);
});
const asking = new Line("cell", drawCell);
const reading = new Line("people", (found) => {
  $("wording").replaceChildren(el("bdi", {}, found.wording));
  people($("people"), state.opened, found);
  $("people-note").textContent = `Share of each group that chose each answer, with pointwise 95\u00a0% intervals of ${found.draws} bootstrap draws; ${Math.min(...found.n).toLocaleString("en")} to ${Math.max(...found.n).toLocaleString("en")} answers a group.`;
});

const map = new PhaseMap((at, excluded) => {
  cellWords(excluded);
  askCell();
}, goThere);
const plans = new Plans(state, told, (opened) => {
  state.back.push({ source: state.opened.source, set: state.set, axes: state.axes });
  show(opened);
  note("The plan is applied; Undo plan brings the game before it back.");
});

let turn = 0;
const nextTurn = () => (turn += 1);

// Told to whoever measures: what was asked last is on the screen now.
function drawn(what, of) {
  document.dispatchEvent(new CustomEvent("equipoise:drawn", { detail: { what, turn: of, last: of === turn } }));
}

let rest = 0;
export function changed(mapToo = true) {
  moves += 1;
  solving.send({ ...told(), full: false, turn: nextTurn(), stop: mapToo ? TAB : null });
  $("reset").disabled = false;
  markHere();
  if (mapToo) $("map").classList.add("old");
  mapWaits ||= mapToo;
  clearTimeout(rest);
  rest = setTimeout(settled, RESTING);
}

let mapWaits = false;
function settled() {
  settling.send({ ...told(), full: true, move: moves, turn: nextTurn() });
  if (mapWaits) drawMap();
  mapWaits = false;
  plans.stale();
}

function drawMap() {
  if (!state.axes) return;
  mapping.send({ ...told(), axes: state.axes, tab: TAB, turn: nextTurn() });
}

function drawFound() {
  const { opened, found } = state;
  $("said").replaceChildren(...(found.solved ? found.said : [found.outcome]).map((text) => el("p", {}, ...sentence(text))));
  const exam = found.certificate;
  const unique = { proved: "proved to be the only one", refuted: "not the only one", unknown: "others may exist" };
  $("trust").textContent = found.solved
    ? `Certified equilibrium, ${unique[exam.unique]}; largest relative gap ${exam.relative > 0 ? exam.relative.toExponential(0) : "0"}. ${exam.solver.charAt(0).toUpperCase()}${exam.solver.slice(1)}, ${number(exam.ms, 2)} ms.`
    : "";
  served($("served-chart"), $("served-key"), opened, found);
  servedTable($("served-table"), opened, found);
  critical($("critical"), opened, found);
  agents($("agents-chart"), $("groups-key"), opened, found);
  ternary($("ternary"), opened, found);
}

// Controls

function slider(box, { id, label, low, high, value, step, onMove, small }) {
  const range = el("input", { type: "range", id, min: low, max: high, step: step || "any" });
  const exact = el("input", { type: "number", step: "any", "aria-label": `${typeof label === "string" ? label : label.textContent}, exact` });
  range.value = value;
  exact.value = Number(Number(value).toPrecision(6));
  range.addEventListener("input", () => {
    // A slider without steps would show seventeen digits.
    const rounded = Number(Number(range.value).toPrecision(4));
    exact.value = rounded;
    onMove(rounded);
  });
  exact.addEventListener("change", () => {
    const given = Number(exact.value);
    if (exact.value.trim() === "" || !Number.isFinite(given)) return;
    if (given > Number(range.max)) range.max = given;
    if (given < Number(range.min)) range.min = given;
    range.value = given;
    onMove(given);
  });
  box.append(el("div", { class: small ? "slider small" : "slider" }, el("label", { for: id }, label), exact, range));
  return (now) => {
    if (now > Number(range.max)) range.max = now;
    if (now < Number(range.min)) range.min = now;
    range.value = now;
    exact.value = Number(Number(now).toPrecision(6));
  };
}

const setters = { weights: {}, shares: [], prices: [] };

function controls() {
  const { opened, set } = state;
  $("weights").replaceChildren();
  for (const one of opened.sliders) {
    setters.weights[one.name] = slider($("weights"), {
      id: `weight-${one.name}`, label: `${WORDS[one.name]} ${one.sign}`, ...one,
      value: set.weights[one.name] ?? one.value,
      onMove: (value) => {
        state.set.weights[one.name] = value;
        changed(!onMap(one.name));
      },
    });
  }
  $("below").value = set.below;
  $("below").max = Math.max(0.2, set.below);
  $("below-out").textContent = percent(set.below);
  setters.shares = opened.groups.map(() => null);
  $("shares").replaceChildren();
  $("prices").replaceChildren();
  opened.groups.forEach((group, k) => {
    const label = () => el("span", { class: "who" }, swatch(group.color), el("span", { class: "name" }, named(group)));
    setters.shares[k] = slider($("shares"), {
      id: `share-${k}`, label: label(), low: 0, high: 1, step: 0.001, small: true,
      value: (set.shares || opened.shares)[k], onMove: (value) => moveShare(k, value),
    });
    setters.prices[k] = slider($("prices"), {
      id: `price-${k}`, label: label(), low: opened.prices.low, high: opened.prices.high, small: true,
      value: (set.prices || opened.prices.value)[k],
      onMove: (value) => {
        state.set.prices ||= [...opened.prices.value];
        state.set.prices[k] = value;
        changed();
      },
    });
  });
  $("shares-hint").textContent = opened.appeal_follows
    ? "Moving one scales the others. Appeal is measured anew on the public you set."
    : "Moving one scales the others. They change the public only: this game's appeal does not come from a survey.";
  $("reset").disabled = !moved();
}

function moveShare(k, value) {
  const before = state.set.shares || [...state.opened.shares];
  const others = before.reduce((sum, share, j) => (j === k ? sum : sum + share), 0);
  const most = Math.min(value, 1 - 1e-4 * (before.length - 1));
  state.set.shares = before.map((share, j) => {
    if (j === k) return most;
    return others > 0 ? (share * (1 - most)) / others : (1 - most) / (before.length - 1);
  });
  state.set.shares.forEach((share, j) => { if (j !== k) setters.shares[j](share); });
  changed();
}

const moved = () => Object.keys(state.set.weights).length > 0 || state.set.shares || state.set.prices
  || state.set.below !== state.opened.below;

$("below").addEventListener("input", () => {
  state.set.below = Number($("below").value);
  $("below-out").textContent = percent(state.set.below);
  changed();
});

// The map

function axisOf(name) {
  if (name.includes(":")) {
    const [kind, k] = name.split(":");
    const group = state.opened.groups[Number(k)];
    return { name: kind, group: Number(k), low: 0, high: 0.6, words: `${kind} of ${group.name}` };
  }
  const one = state.opened.sliders.find((s) => s.name === name);
  // Without any curvature every cell is a corner: a map of consistency starts a little above 0.
  const low = name === "consistency" ? one.high / 100 : one.map_low ?? one.low;
  return { name, low, high: one.map_high ?? one.high, words: `${WORDS[name]} ${one.sign}` };
}

const onMap = (name) => state.axes && [state.axes.x.name, state.axes.y.name].includes(name);

function mapControls(wanted) {
  const names = state.opened.sliders.map((one) => one.name);
  if (names.includes("consistency")) names.push(...state.opened.groups.map((_, k) => `anchor:${k}`));
  const words = (name) => axisOf(name).words;
  for (const id of ["map-x", "map-y"]) {
    $(id).replaceChildren(...names.map((name) => el("option", { value: name }, words(name))));
  }
  const first = names.includes("attractiveness") ? "attractiveness" : names[0];
  const second = ["diversity", "consistency", "variety", names[1]].find((n) => n && n !== first && names.includes(n));
  if (!second) {
    document.querySelector(".card.map").hidden = true;
    state.axes = null;
    return;
  }
  document.querySelector(".card.map").hidden = false;
  $("map-x").value = first;
  $("map-y").value = second;
  state.axes = wanted || { x: axisOf(first), y: axisOf(second) };
  if (wanted) {
    for (const c of ["x", "y"]) {
      const axis = wanted[c];
      $(`map-${c}`).value = axis.group === undefined ? axis.name : `${axis.name}:${axis.group}`;
    }
  }
}

for (const [id, c] of [["map-x", "x"], ["map-y", "y"]]) {
  $(id).addEventListener("change", () => {
    const other = c === "x" ? "map-y" : "map-x";
    if ($(other).value === $(id).value) {
      const free = [...$(other).options].find((o) => o.value !== $(id).value);
      $(other).value = free.value;
    }
    state.axes = { x: axisOf($("map-x").value), y: axisOf($("map-y").value) };
    map.clear();
    $("cell").replaceChildren();
    markHere();
    drawMap();
  });
}

// The group that is least settled at the sliders stands first in doubt.
function leastSettled() {
  const { found } = state;
  const open = found.drawn ? found.drawn.excluded.map((p) => Math.abs(p - 0.5)) : [0];
  return open.indexOf(Math.min(...open));
}

function drawDoubt(fits = true) {
  $("sure-map").hidden = !state.chances;
  if (!state.chances || !fits) return;
  const select = $("map-sure");
  if (select.options.length === 0) {
    select.append(el("option", { value: "" }, "do not show"), ...state.opened.groups.map((g, k) => el("option", { value: k }, g.name)));
    select.value = leastSettled();
  }
  const group = select.value;
  const sure = map.doubt(group === "" ? null : state.chances, Number(group));
  if (sure) state.chances.bytes = sure.bytes;
  const name = group === "" ? [] : [" Striped: between 2.5 and 97.5\u00a0% of ", String(state.chances.draws), " draws leave ", named(state.opened.groups[Number(group)]), " out; too few people were asked to tell."];
  $("map-doubt").replaceChildren(...name);
}

$("map-sure").addEventListener("change", () => drawDoubt());

function markHere() {
  if (!state.axes) return;
  const value = (axis) => {
    if (axis.group !== undefined) return NaN;
    return state.set.weights[axis.name] ?? state.opened.sliders.find((s) => s.name === axis.name).value;
  };
  map.mark({ x: value(state.axes.x), y: value(state.axes.y) });
}

function drawMapWords(axes) {
  const { colors, cells, certified, exact, anybody, rows, columns } = state.map;
  const used = [...new Set(state.map.sets.map((one) => one.length))].sort((a, b) => a - b);
  $("map-key").replaceChildren(el("li", {}, "groups left out:"), ...used.map((n) => el("li", {}, swatch(colors[n]), String(n))));
  const lines = exact ? "a line is where the group named on it drops out"
    : anybody > 0 ? "lines: between cells that leave out different groups" : "no group drops out here";
  $("map-note").textContent = `${columns} \u00d7 ${rows} cells, ${certified === cells ? "each a certified equilibrium" : `${certified.toLocaleString("en")} of them certified equilibria, the others inferred from their neighbours or not solved (grey)`}; ${lines}. Circle: the sliders.`;
  $("map").setAttribute("aria-label", `Phase map: ${axes.x.words} across, ${axes.y.words} up; some group is left out on ${percent(anybody, 0)} of it`);
}

const groupList = (positions) => positions.flatMap((k, i) => [i === 0 ? "" : i === positions.length - 1 ? " and " : ", ", named(state.opened.groups[k])]);

function place() {
  const { x, y } = state.axes;
  return `${x.words} ${number(map.at.x)}, ${y.words} ${number(map.at.y)}`;
}

function cellWords(excluded, more = []) {
  const said = excluded.length === 0 ? ["nobody is left out"] : ["left out: ", ...groupList(excluded)];
  const go = el("button", { type: "button" }, "Set the sliders there");
  go.addEventListener("click", goThere);
  const settable = [state.axes.x, state.axes.y].every((axis) => axis.group === undefined);
  $("cell").replaceChildren(el("p", {}, `At ${place()}: `, el("strong", {}, ...said), "."), ...more, ...(settable ? [go] : []));
}

function askCell() {
  if (state.map && map.at) asking.send({ ...told(), map: state.map.map, x: map.at.x, y: map.at.y });
}

function drawCell(found) {
  if (!map.at || Math.abs(found.x - map.at.x) > 1e-9 || Math.abs(found.y - map.at.y) > 1e-9) return;
  const more = [];
  if (!found.solved) more.push(el("p", {}, "No equilibrium was certified there."));
  const served_ = state.opened.groups.map((_, k) => k).filter((k) => !found.excluded.includes(k));
  const parts = served_.flatMap((k, i) => [i ? ", " : "", named(state.opened.groups[k]), ` ${percent(found.coverage[k], 0)}`]);
  more.push(el("p", { class: "soft" }, "Coverage there: ", ...parts, "."));
  const near = found.nearest;
  if (near) {
    const way = [];
    if (near.along_x !== null) way.push(`${state.axes.x.words} ${signed(near.along_x)} alone`);
    if (near.along_y !== null) way.push(`${state.axes.y.words} ${signed(near.along_y)} alone`);
    more.push(el("p", { class: "soft" }, "Nearest boundary: that of ", named(state.opened.groups[near.group]),
      ` at ${number(near.to[0])} / ${number(near.to[1])}, ${percent(near.distance)} of the map away`,
      way.length ? `; reached by ${way.join(" or by ")}` : "", near.exact ? "." : ", to the nearest cell."));
  } else {
    more.push(el("p", { class: "soft" }, "No boundary crosses this map."));
  }
  cellWords(found.excluded, more);
}

function goThere() {
  if (!map.at) return;
  for (const c of ["x", "y"]) {
    const axis = state.axes[c];
    if (axis.group !== undefined) return;
    state.set.weights[axis.name] = map.at[c];
    setters.weights[axis.name](map.at[c]);
  }
  changed(false);
}

// Opening

export function show(opened) {
  state.opened = opened;
  state.set = opened.set;
  state.found = opened.equilibrium;
  state.map = null;
  state.chances = null;
  $("map-sure").replaceChildren();
  $("map-doubt").replaceChildren();
  $("sure-map").hidden = true;
  state.question = Number.isInteger(opened.view.question) ? opened.view.question : 0;
  $("title").textContent = opened.title;
  document.title = `${opened.title} \u2013 equipoise`;
  $("back").hidden = state.back.length === 0;
  if (opened.note) note(opened.note);
  controls();
  mapControls(opened.view.axes);
  map.clear();
  markHere();
  $("cell").replaceChildren();
  drawFound();
  drawn("open", 0);
  plans.opened();
  const asked = opened.people;
  $("people-card").hidden = !asked;
  $("foot").textContent = asked ? `${asked.n.toLocaleString("en")} people. Source: ${asked.source} Licence: ${asked.licence}` : "";
  if (asked) {
    $("question").replaceChildren(...asked.questions.map((q, i) => el("option", { value: i }, q)));
    $("question").value = state.question;
    reading.send({ ...told(), question: state.question });
  }
  // After the first picture: the map, then what takes longer.
  requestAnimationFrame(() => setTimeout(() => {
    drawMap();
    settling.send({ ...told(), full: true, move: moves, turn: nextTurn() });
  }, 0));
}

$("question").addEventListener("change", () => {
  state.question = Number($("question").value);
  reading.send({ ...told(), question: state.question });
});

$("reset").addEventListener("click", () => {
  state.set = { weights: {}, prices: null, shares: null, below: state.opened.below };
  controls();
  changed();
  $("reset").disabled = true;
});

$("back").addEventListener("click", async () => {
  const { source, set, axes } = state.back.pop();
  try {
    const opened = await ask("open", { source });
    show({ ...opened, set, view: { axes } });
    changed();
  } catch (error) {
    note(error.message, true);
  }
});

$("copy").addEventListener("click", async () => {
  try {
    const { link } = await ask("link", { ...told(), view: { axes: state.axes, question: state.question } });
    history.replaceState(null, "", `#${link}`);
    try {
      await navigator.clipboard.writeText(location.href);
      note("The link is copied. It holds the settings and a small game, never people's answers.");
    } catch {
      note("The link stands in the address bar now; copy it there.");
    }
  } catch (error) {
    note(error.message, true);
  }
});

dialogs(state, told, (opened) => {
  state.back = [];
  show(opened);
});

async function start() {
  const link = location.hash.slice(1);
  try {
    show(await ask("open", link ? { link } : {}));
  } catch (error) {
    note(error.message, true);
    if (link) {
      history.replaceState(null, "", location.pathname);
      show(await ask("open", {}));
    } else {
      $("title").textContent = error.message;
    }
  }
}

window.addEventListener("hashchange", start);
start();
