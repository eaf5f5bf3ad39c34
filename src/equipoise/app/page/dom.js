// Elements, numbers and questions. Text only ever enters the page as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const OPEN = "\ue000";
const CLOSE = "\ue001";

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  return filled(made, attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  return filled(made, attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function swatch(color) {
  const made = el("span", { class: "swatch", "aria-hidden": "true" });
  made.style.backgroundColor = color;
  return made;
}

// A label stands isolated, so that it cannot turn the direction of the text around it.
export function named(group) {
  return el("bdi", { title: group.long }, group.name);
}

// A sentence of the server, with labels between two private marks.
export function sentence(text) {
  const parts = [];
  for (const piece of text.split(OPEN)) {
    const [first, ...rest] = piece.split(CLOSE);
    if (rest.length === 0) parts.push(first);
    else parts.push(el("bdi", {}, first), rest.join(""));
  }
  return parts;
}

export function percent(value, digits = 1) {
  if (value === 0) return "0";
  if (value > 0 && value < 0.5 * 10 ** -(digits + 2)) return `<${10 ** -digits}\u00a0%`;
  return `${(100 * value).toFixed(digits)}\u00a0%`.replace("-", "\u2212");
}

export function number(value, digits = 3) {
  if (value === "inf" || value === "-inf") return value === "inf" ? "+\u221e" : "\u2212\u221e";
  if (typeof value !== "number") return "\u2013";
  if (Math.abs(value) < 1e-12) return "0";
  let text = Number(value.toPrecision(digits)).toString();
  if (text.includes("e")) text = value.toExponential(digits - 1);
  return text.replace("-", "\u2212");
}

export function signed(value, digits = 3) {
  const text = number(value, digits);
  return typeof value === "number" && value > 0 && text !== "0" ? `+${text}` : text;
}

// The next of 1, 2, 5 times a power of ten.
export function nice(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * (1 - 1e-9));
}

export function ticks(low, high, wanted = 5) {
  const step = nice((high - low) / wanted);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) {
    out.push(Math.abs(k * step) < 1e-12 ? 0 : Number((k * step).toPrecision(10)));
  }
  return out;
}

export class Refused extends Error {}
export class Superseded extends Error {}

export async function ask(what, body) {
  let reply;
  try {
    reply = await fetch(`/api/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refused("The dashboard does not answer; is it still running in the terminal?");
  }
  return answer(reply);
}

export async function answer(reply) {
  let data = {};
  try {
    data = await reply.json();
  } catch {
    throw new Refused("The answer could not be read; try again.");
  }
  if (data.superseded) throw new Superseded();
  if (data.refused) throw new Refused(data.refused);
  if (!reply.ok) {
    const said = typeof data.error === "string" ? data.error : data.error?.message;
    throw new Refused(said || "Something went wrong.");
  }
  return data;
}

let timer = 0;
export function note(text, bad = false) {
  clearTimeout(timer);
  $("note").textContent = bad ? "" : text;
  $("alert").textContent = bad ? text : "";
  timer = setTimeout(() => note(""), bad ? 12000 : 4000);
}

export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
