// Charts of one state: every function fills one element and keeps nothing.

import { el, named, number, percent, signed, svg, swatch, ticks } from "./dom.js";

const WORDS = {
  included: "served",
  excluded: "left out",
  undecided: "undecided",
  "on the boundary": "on the boundary",
};

const kind = (verdict) => (verdict === "on the boundary" ? "boundary" : verdict);
const at = (value, top) => `${(100 * Math.min(Math.max(value / top, 0), 1)).toFixed(3)}%`;

function mark(verdict, x, y) {
  const style = `mark fill-${kind(verdict)}`;
  const inside = svg("svg", { x, y, overflow: "visible" });
  if (verdict === "excluded") {
    inside.append(svg("path", { class: style, d: "M-6-3.5-3.5-6 0-2.5 3.5-6 6-3.5 2.5 0 6 3.5 3.5 6 0 2.5-3.5 6-6 3.5-2.5 0z" }));
  } else if (verdict === "undecided") {
    inside.append(svg("path", { class: style, d: "M0-7 7 0 0 7-7 0z" }));
  } else if (verdict === "on the boundary") {
    inside.append(svg("rect", { class: style, x: -5, y: -5, width: 10, height: 10 }));
  } else {
    inside.append(svg("circle", { class: style, r: 5.5 }));
  }
  return inside;
}

function who(group, color = group.color) {
  return el("div", { class: "who" }, swatch(color), el("span", { class: "name" }, named(group)));
}

function scale(top, wanted = window.innerWidth < 700 ? 3 : 5) {
  const line = el("div", { class: "ticks", "aria-hidden": "true" });
  for (const value of ticks(0, top, wanted)) {
    const tick = el("span", {}, `${number(100 * value)}${value === 0 ? "" : "\u00a0%"}`);
    tick.style.left = at(value, top);
    line.append(tick);
  }
  return line;
}

function topOf(...values) {
  return Math.min(1, 1.04 * Math.max(0.02, ...values.flat()));
}

export function served(box, key, opened, found) {
  const { drawn } = found;
  const top = topOf(found.coverage, found.shares, drawn ? drawn.high : []);
  const rows = el("div", { class: "rows", role: "img", "aria-label": spoken(opened, found) });
  opened.groups.forEach((group, k) => {
    const verdict = found.verdicts ? found.verdicts[k] : "on the boundary";
    const track = svg("svg", { class: "track" },
      svg("line", { class: "base", x1: 0, x2: "100%", y1: "50%", y2: "50%" }));
    if (drawn) {
      const low = Math.min(drawn.low[k], top);
      track.append(svg("rect", {
        class: `band fill-${kind(verdict)}`, x: at(low, top), y: "28%", height: "44%",
        width: `${Math.max(0, (100 * (drawn.high[k] - low)) / top)}%`,
      }));
    }
    const share = at(found.shares[k], top);
    track.append(svg("line", { class: "share", x1: share, x2: share, y1: "18%", y2: "82%" }));
    track.append(mark(verdict, at(found.coverage[k], top), "50%"));
    rows.append(who(group), track, el("div", { class: "num" }, percent(found.coverage[k])));
  });
  rows.append(scale(top));
  box.replaceChildren(rows);
  const used = [...new Set(found.verdicts || [])];
  const items = used.map((verdict) => el("li", {}, icon(mark(verdict, "50%", "50%")),
    el("span", { class: `word-${kind(verdict)}` }, WORDS[verdict])));
  items.push(el("li", {}, icon(svg("line", { class: "share", x1: "50%", x2: "50%", y1: 0, y2: "100%",
    stroke: "currentColor" })), "share of the public"));
  if (drawn) {
    items.push(el("li", {}, icon(svg("rect", { class: "band fill-included", y: "20%", width: "100%",
      height: "60%" })), `95\u00a0% of ${drawn.n} draws`));
  }
  items.push(el("li", {}, "coverage: mean weight over agents"));
  key.replaceChildren(...items);
}

function icon(...parts) {
  return svg("svg", { class: "track", "aria-hidden": "true" }, ...parts);
}

function spoken(opened, found) {
  const parts = opened.groups.map((group, k) => {
    const verdict = found.verdicts ? `, ${WORDS[found.verdicts[k]]}` : "";
    return `${group.name}: coverage ${percent(found.coverage[k])} for ${percent(found.shares[k])} of the public${verdict}`;
  });
  return `Coverage of every group. ${parts.join(". ")}.`;
}

export function servedTable(box, opened, found) {
  const head = ["group", "share", "coverage", "95\u00a0% interval", "top weight", "verdict",
    "left out in draws", "margin", "its band"];
  const { drawn } = found;
  const rows = opened.groups.map((group, k) => {
    const verdict = found.verdicts ? found.verdicts[k] : null;
    const margin = found.margins ? found.margins[k] : null;
    const band = found.margins && drawn
      ? `${signed(found.margin_low[k])} to ${signed(found.margin_high[k])}` : "\u2013";
    const cells = [
      percent(found.shares[k]), percent(found.coverage[k]),
      drawn ? `${percent(drawn.low[k])} to ${percent(drawn.high[k])}` : "\u2013",
      percent(found.top[k]), verdict ? WORDS[verdict] : "\u2013",
      drawn ? percent(drawn.excluded[k]) : "\u2013", signed(margin), band,
    ];
    return el("tr", {}, el("th", { scope: "row" }, named(group)),
      ...cells.map((cell) => el("td", {}, cell)));
  });
  box.replaceChildren(el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...rows)));
}

// From which ratio of attractiveness to consistency on each group is left out; log scale.
export function critical(box, opened, found) {
  const rows = found.critical;
  box.parentElement.hidden = !rows;
  if (!rows) return;
  const finite = [...rows.least, ...rows.low, ...rows.high, rows.here].filter((v) => v !== null && v > 0);
  const low = Math.min(...finite) / 1.3;
  const high = Math.min(Math.max(...finite) * 1.2, low * 2000);
  const x = (value) => {
    const part = Math.log(Math.max(value, low) / low) / Math.log(high / low);
    return `${(100 * Math.min(Math.max(part, 0), 1)).toFixed(3)}%`;
  };
  const chart = el("div", { class: "rows", role: "img", "aria-label": opened.groups.map((g, k) =>
    `${g.name}: left out from ${rows.least[k] === null ? "no ratio" : number(rows.least[k])} on`).join(", ") });
  opened.groups.forEach((group, k) => {
    const track = svg("svg", { class: "track" },
      svg("line", { class: "base", x1: 0, x2: "100%", y1: "50%", y2: "50%" }));
    const from = rows.low[k];
    if (rows.draws && from !== null && from < high) {
      const [a, b] = [parseFloat(x(from)), parseFloat(rows.high[k] === null ? "100" : x(rows.high[k]))];
      track.append(svg("rect", { class: "band fill-included", x: `${a}%`, width: `${b - a}%`, y: "32%", height: "36%" }));
    }
    track.append(svg("line", { class: "now", x1: x(rows.here), x2: x(rows.here), y1: 0, y2: "100%" }));
    if (rows.least[k] !== null && rows.least[k] <= high) track.append(mark("included", x(rows.least[k]), "50%"));
    chart.append(who(group), track,
      el("div", { class: "num" }, rows.least[k] === null ? "never" : number(rows.least[k])));
  });
  const line = el("div", { class: "ticks", "aria-hidden": "true" });
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power += 1) {
    const tick = el("span", {}, number(10 ** power));
    tick.style.left = x(10 ** power);
    line.append(tick);
  }
  chart.append(line);
  const law = {
    alone: "",
    diversity: "Diversity is kept at its ratio to consistency.",
    ignored: "These ratios are for agents that ignore each other; here they do not.",
  }[rows.law];
  box.replaceChildren(chart,
    el("p", { class: "hint" }, `Log scale. Dashed: the sliders, ${number(rows.here)}.${rows.draws ? " Band: 95\u00a0% of draws." : ""} ${law}`));
}

export function agents(box, key, opened, found) {
  const mixtures = found.agents;
  key.replaceChildren(...opened.groups.map((group) => el("li", {}, swatch(group.color),
    el("span", { class: "name" }, named(group)))));
  if (mixtures.spread) {
    box.replaceChildren(spread(opened, mixtures.spread));
    return;
  }
  const rows = el("div", { class: "rows bars" });
  mixtures.rows.forEach((weights, i) => rows.append(...bar(opened, agentName(opened, mixtures, i), weights)));
  rows.append(...bar(opened, "the public", found.shares));
  rows.append(scale(1));
  box.replaceChildren(rows);
}

function agentName(opened, mixtures, i) {
  const { names, counts, rows, total } = opened.agents;
  if (mixtures.alike && rows > 1) return `each of ${total.toLocaleString("en")} agents`;
  if (mixtures.alike && total > 1) return `each of ${total.toLocaleString("en")}`;
  const name = names[i] || `agent ${i + 1}`;
  return counts ? `${name} (\u00d7\u2009${counts[i].toLocaleString("en")})` : name;
}

// Luminance by WCAG: which ink is read on a colour.
function ink(color) {
  const part = (from) => {
    const c = parseInt(color.slice(from, from + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5) > 0.18 ? "#000" : "#fff";
}

function bar(opened, name, weights) {
  const said = opened.groups.map((group, k) => `${group.name} ${percent(weights[k])}`).join(", ");
  const track = svg("svg", { class: "track bar", role: "img", "aria-label": `${name}: ${said}` });
  let left = 0;
  weights.forEach((weight, k) => {
    const group = opened.groups[k];
    if (weight > 0) {
      track.append(svg("rect", {
        x: at(left, 1), width: at(weight, 1), y: "10%", height: "80%", fill: group.color,
      }, svg("title", {}, `${group.name}: ${percent(weight)}`)));
    }
    if (weight >= 0.045) {
      track.append(svg("text", { x: at(left + weight / 2, 1), y: "50%", fill: ink(group.color) },
        (100 * weight).toFixed(0)));
    }
    left += weight;
  });
  return [
    el("div", { class: "who" }, el("span", { class: "name" }, el("bdi", { title: name }, name))),
    track, el("div", {}),
  ];
}

// Many agents: per group how their weights on it are distributed.
function spread(opened, rows) {
  const top = topOf(rows.map((row) => row.quantiles[6]));
  const box = el("div", { class: "rows" });
  opened.groups.forEach((group, k) => {
    const { quantiles: q, bins, zero } = rows[k];
    const track = svg("svg", {
      class: "track", role: "img",
      "aria-label": `${group.name}: half of the agents give it between ${percent(q[2])} and ${percent(q[4])}, median ${percent(q[3])}; ${percent(zero)} of the agents nothing`,
    });
    const tall = Math.max(...bins);
    bins.forEach((part, i) => {
      const x = i / bins.length;
      if (part > 0 && x < top) {
        const height = 90 * Math.sqrt(part / tall);
        track.append(svg("rect", { class: "hist", x: at(x, top), width: `${100 / bins.length / top}%`,
          y: `${95 - height}%`, height: `${height}%` }));
      }
    });
    track.append(
      svg("line", { class: "whisker", x1: at(q[1], top), x2: at(q[5], top), y1: "50%", y2: "50%" }),
      svg("line", { class: "box", x1: at(q[2], top), x2: at(q[4], top), y1: "50%", y2: "50%" }),
      svg("circle", { class: "median", cx: at(q[3], top), cy: "50%", r: 4 }));
    box.append(who(group), track, el("div", { class: "num" }, percent(q[3])));
  });
  box.append(scale(top));
  return el("div", {}, box, el("p", { class: "hint" },
    `Weights of ${opened.agents.total.toLocaleString("en")} agents on each group. Circle: median, `
    + "thick: half of them, thin: nine in ten, height: how many."));
}

const SIDE = 400;
const corner = [[230, 34], [30, 34 + SIDE * 0.8660254], [430, 34 + SIDE * 0.8660254]];

function place(mixture) {
  return [0, 1].map((c) => mixture.reduce((sum, weight, k) => sum + weight * corner[k][c], 0));
}

export function ternary(box, opened, found) {
  if (opened.groups.length !== 3) {
    box.replaceChildren();
    return;
  }
  const mixtures = found.agents;
  const plot = svg("svg", { viewBox: "0 0 460 430", role: "img",
    "aria-label": "Ternary plot: every agent is a point, the nearer to a corner the more weight on that group" });
  const path = (points) => `M${points.map((p) => p.map((x) => x.toFixed(1)).join(" ")).join("L")}`;
  for (const part of [0.25, 0.5, 0.75]) {
    for (let k = 0; k < 3; k += 1) {
      const ends = [1, 2].map((step) => {
        const mixture = [0, 0, 0];
        mixture[k] = part;
        mixture[(k + step) % 3] = 1 - part;
        return place(mixture);
      });
      plot.append(svg("path", { class: "tri-grid", d: path(ends) }));
    }
  }
  plot.append(svg("path", { class: "tri-edge", d: `${path(corner)}Z` }));
  const dots = (points, tag, build) => points.forEach((p) => plot.append(svg(tag, build(...place(p)))));
  if (found.drawn?.cloud) dots(found.drawn.cloud, "circle", (cx, cy) => ({ class: "cloud", cx, cy, r: 2.6 }));
  const points = mixtures.points || mixtures.rows || [];
  const small = points.length > 60;
  if (mixtures.anchors) {
    dots(mixtures.anchors, "rect", (x, y) => ({ class: "anchor-dot", x: x - (small ? 2 : 5),
      y: y - (small ? 2 : 5), width: small ? 4 : 10, height: small ? 4 : 10, opacity: small ? 0.35 : 1 }));
  }
  dots(points, "circle", (cx, cy) => ({ class: "agent-dot", cx, cy, r: small ? 2.6 : 6 }));
  const [px, py] = place(found.shares);
  plot.append(svg("path", { class: "public-dot", d: `M${px - 7} ${py}h14M${px} ${py - 7}v14` }));
  const spots = [[230, 18, "middle"], [4, 410, "start"], [456, 410, "end"]];
  opened.groups.forEach((group, k) => {
    const [x, y, anchor] = spots[k];
    const name = group.name.length > 22 ? `${group.name.slice(0, 21)}\u2026` : group.name;
    plot.append(svg("text", { x, y, "text-anchor": anchor }, svg("title", {}, group.long), name));
  });
  const legend = el("ul", { class: "key" },
    el("li", {}, icon(svg("circle", { class: "agent-dot", cx: "50%", cy: "50%", r: 5 })), "agent"));
  if (mixtures.anchors) {
    legend.append(el("li", {}, icon(svg("rect", { class: "anchor-dot", x: 6, y: 3, width: 9, height: 9 })),
      "what it is held to"));
  }
  legend.append(el("li", {}, icon(svg("path", { class: "public-dot", d: "M4 7h14M11 0v14" })), "the public"));
  if (found.drawn?.cloud) {
    legend.append(el("li", {}, icon(svg("circle", { class: "cloud", cx: "50%", cy: "50%", r: 4 })),
      "coverage in draws"));
  }
  box.replaceChildren(plot, legend);
}

export function beforeAfter(opened, plan, top) {
  const rows = el("div", { class: "rows", role: "img", "aria-label":
    opened.groups.map((g, k) => `${g.name}: ${percent(plan.before[k])} to ${percent(plan.after[k])}`).join(", ") });
  opened.groups.forEach((group, k) => {
    const more = plan.after[k] >= plan.before[k];
    const style = more ? "included" : "excluded";
    const track = svg("svg", { class: "track" },
      svg("line", { class: "base", x1: 0, x2: "100%", y1: "50%", y2: "50%" }),
      svg("line", { class: `line-${style}`, "stroke-width": 2, x1: at(plan.before[k], top),
        x2: at(plan.after[k], top), y1: "50%", y2: "50%" }));
    if (plan.floors[k] > 0) {
      const x = at(plan.floors[k], top);
      track.append(svg("line", { class: "share", x1: x, x2: x, y1: "25%", y2: "75%" }));
    }
    track.append(
      svg("circle", { class: `line-${style}`, fill: "var(--paper)", "stroke-width": 1.6,
        cx: at(plan.before[k], top), cy: "50%", r: 4 }),
      svg("circle", { class: `fill-${style}`, cx: at(plan.after[k], top), cy: "50%", r: 4 }));
    rows.append(who(group), track, el("div", { class: "num" }, percent(plan.after[k])));
  });
  rows.append(scale(top, 2));
  return rows;
}

export function people(box, opened, found) {
  const panels = found.options.map((option, c) => {
    const rows = el("div", { class: "rows", role: "img", "aria-label": `${option}: ${opened.groups.map((g, k) => `${g.name} ${percent(found.shares[c][k])}, interval ${percent(found.low[c][k])} to ${percent(found.high[c][k])}`).join("; ")}` });
    opened.groups.forEach((group, k) => {
      rows.append(who(group), svg("svg", { class: "track" },
        svg("line", { class: "base", x1: 0, x2: "100%", y1: "50%", y2: "50%" }),
        svg("rect", { class: "band fill-included", x: at(found.low[c][k], 1), y: "30%", height: "40%",
          width: `${100 * (found.high[c][k] - found.low[c][k])}%` }),
        svg("circle", { class: "mark fill-included", cx: at(found.shares[c][k], 1), cy: "50%", r: 5 })),
      el("div", { class: "num" }, percent(found.shares[c][k], 0)));
    });
    rows.append(scale(1));
    return el("div", {}, el("h3", {}, el("bdi", {}, option)), rows);
  });
  box.replaceChildren(el("div", { class: "options" }, ...panels));
}
