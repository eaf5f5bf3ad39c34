// The phase map: cells and exact lines on one canvas, the crosshair on another above it.

import { $, number, ticks } from "./dom.js";

const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 44;

export class PhaseMap {
  constructor(onPick, onEnter) {
    this.box = $("map");
    this.cells = $("map-cells");
    this.cross = $("map-cross");
    this.data = null;
    this.at = null;
    this.here = null;
    this.sure = null;
    this.onPick = onPick;
    this.box.addEventListener("pointerdown", (event) => this.pressed(event));
    this.box.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.pressed(event);
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.at) {
        event.preventDefault();
        onEnter();
      } else this.key(event);
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
    matchMedia("(prefers-color-scheme:dark)").addEventListener("change", () => this.draw());
  }

  show(data, axes, groups) {
    const bytes = Uint8Array.from(atob(data.which), (c) => c.charCodeAt(0));
    this.which = data.wide ? new Uint16Array(bytes.buffer) : bytes;
    this.status = Uint8Array.from(atob(data.status), (c) => c.charCodeAt(0));
    this.data = data;
    this.axes = axes;
    this.groups = groups;
    this.sure = null;
    this.draw();
  }

  // Shade where the draws do not agree whether one group is left out.
  doubt(chances, group) {
    this.sure = chances && { ...chances, group, bytes: chances.bytes
      || Uint8Array.from(atob(chances.chance), (c) => c.charCodeAt(0)) };
    this.draw();
    return this.sure;
  }

  // Where the game itself lies; not on the map: nothing is drawn.
  mark(here) {
    this.here = here;
    this.drawCross();
  }

  size() {
    const { width, height } = this.box.getBoundingClientRect();
    return { width, height, w: width - LEFT - RIGHT, h: height - TOP - BOTTOM };
  }

  x(value) {
    const { low, high } = this.axes.x;
    return LEFT + ((value - low) / (high - low)) * this.size().w;
  }

  y(value) {
    const { low, high } = this.axes.y;
    const { h } = this.size();
    return TOP + h - ((value - low) / (high - low)) * h;
  }

  ready(canvas) {
    const { width, height } = this.size();
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    this.ink = style.getPropertyValue("--ink").trim();
    this.soft = style.getPropertyValue("--soft").trim();
    this.paper = style.getPropertyValue("--paper").trim();
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return pen;
  }

  draw() {
    if (!this.data) return;
    const { w, h } = this.size();
    if (w < 20 || h < 20) return;
    const pen = this.ready(this.cells);
    const { columns, rows, sets, colors } = this.data;
    const picture = new OffscreenCanvas(columns, rows);
    const small = picture.getContext("2d");
    const image = small.createImageData(columns, rows);
    const rgb = colors.map((c) => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)));
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const from = row * columns + column;
        const to = 4 * ((rows - 1 - row) * columns + column);
        const [r, g, b] = this.status[from] === 2 ? [128, 128, 128] : rgb[sets[this.which[from]].length];
        image.data.set([r, g, b, 255], to);
      }
    }
    small.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    // The outer half-cells stand outside the frame, as in the figures of a report.
    pen.drawImage(picture, 0.5, 0.5, columns - 1, rows - 1, LEFT, TOP, w, h);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP, w, h);
    pen.clip();
    if (this.sure) this.drawDoubt(pen);
    this.drawLines(pen);
    pen.restore();
    this.drawAxes(pen);
    this.drawCross();
  }

  drawDoubt(pen) {
    const { columns, rows, bytes, group } = this.sure;
    const count = this.groups.length;
    const { w, h } = this.size();
    const [wide, tall] = [Math.min(Math.round(w), 480), Math.min(Math.round(h), 480)];
    const picture = new OffscreenCanvas(wide, tall);
    const small = picture.getContext("2d");
    const image = small.createImageData(wide, tall);
    const value = (row, column) => bytes[(row * columns + column) * count + group] / 200;
    for (let j = 0; j < tall; j += 1) {
      const up = (1 - (j + 0.5) / tall) * (rows - 1);
      const row = Math.min(Math.floor(up), rows - 2);
      for (let i = 0; i < wide; i += 1) {
        const right = ((i + 0.5) / wide) * (columns - 1);
        const column = Math.min(Math.floor(right), columns - 2);
        const [t, s] = [up - row, right - column];
        const p = (1 - t) * ((1 - s) * value(row, column) + s * value(row, column + 1))
          + t * ((1 - s) * value(row + 1, column) + s * value(row + 1, column + 1));
        // Stripes, so that the shading is seen on every colour and without colour vision.
        if (p > 0.025 && p < 0.975) {
          const stripe = (i + j) % 9 < 4;
          image.data.set(stripe ? [255, 255, 255, 120] : [0, 0, 0, 45], 4 * (j * wide + i));
        }
      }
    }
    small.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(picture, LEFT, TOP, w, h);
  }

  drawLines(pen) {
    const { lines, exact } = this.data;
    for (const [color, width] of [["rgba(0,0,0,.55)", 3], ["#fff", 1.4]]) {
      pen.strokeStyle = color;
      pen.lineWidth = width;
      pen.lineJoin = "round";
      pen.beginPath();
      for (const line of lines) {
        line.points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](this.x(x), this.y(y)));
      }
      pen.stroke();
    }
    if (exact) this.nameLines(pen);
  }

  // Each group's name once, on its longest line, where there is room.
  nameLines(pen) {
    const taken = [];
    const best = new Map();
    for (const line of this.data.lines) {
      const seen = line.points.map(([x, y]) => [this.x(x), this.y(y)]);
      const length = seen.slice(1).reduce((sum, p, i) => sum + Math.hypot(p[0] - seen[i][0], p[1] - seen[i][1]), 0);
      if (!best.has(line.group) || best.get(line.group).length < length) best.set(line.group, { seen, length });
    }
    const { width } = this.size();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [group, { seen, length }] of [...best].sort((a, b) => b[1].length - a[1].length)) {
      const full = this.groups[group].name;
      const name = full.length > 24 ? `${full.slice(0, 23)}\u2026` : full;
      const wide = pen.measureText(name).width;
      const spot = this.spot(seen, wide, taken, width);
      if (length < 24 || !spot) continue;
      taken.push({ ...spot, wide });
      pen.lineWidth = 3.5;
      pen.strokeStyle = "#fff";
      pen.fillStyle = "#000";
      pen.strokeText(name, spot.x, spot.y);
      pen.fillText(name, spot.x, spot.y);
    }
  }

  spot(seen, wide, taken, width) {
    const { h } = this.size();
    let best = null;
    for (let i = 0; i < seen.length; i += Math.max(1, Math.floor(seen.length / 40))) {
      const x = Math.min(Math.max(seen[i][0], LEFT + wide / 2 + 3), width - RIGHT - wide / 2 - 3);
      const y = Math.min(Math.max(seen[i][1], TOP + 10), TOP + h - 10);
      const room = Math.min(...taken.map((t) => Math.max(Math.abs(t.y - y) - 16, Math.abs(t.x - x) - (t.wide + wide) / 2)), 40);
      const shift = Math.abs(x - seen[i][0]) + Math.abs(y - seen[i][1]);
      const merit = room - shift - 0.02 * Math.abs(y - (TOP + h / 2));
      if (room >= 0 && (!best || merit > best.merit)) best = { x, y, merit };
    }
    return best;
  }

  drawAxes(pen) {
    const { w, h, width, height } = this.size();
    const { x, y } = this.axes;
    pen.strokeStyle = this.ink;
    pen.fillStyle = this.ink;
    pen.lineWidth = 1;
    pen.strokeRect(LEFT - 0.5, TOP - 0.5, w + 1, h + 1);
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const value of ticks(x.low, x.high, w > 420 ? 6 : 4)) {
      const at = this.x(value);
      pen.fillRect(at - 0.5, TOP + h, 1, 4);
      pen.fillText(number(value), at, TOP + h + 7);
    }
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const value of ticks(y.low, y.high, h > 260 ? 6 : 4)) {
      const at = this.y(value);
      pen.fillRect(LEFT - 5, at - 0.5, 4, 1);
      pen.fillText(number(value), LEFT - 8, at);
    }
    pen.fillStyle = this.soft;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillText(x.words, LEFT + w / 2, height - 2, width - LEFT);
    pen.save();
    pen.translate(2, TOP + h / 2);
    pen.rotate(-Math.PI / 2);
    pen.textBaseline = "top";
    pen.fillText(y.words, 0, 0, h);
    pen.restore();
  }

  drawCross() {
    if (!this.data) return;
    const pen = this.ready(this.cross);
    const { w, h } = this.size();
    if (this.here) {
      const inside = ["x", "y"].every((c) => this.here[c] >= this.axes[c].low && this.here[c] <= this.axes[c].high);
      if (inside) {
        pen.beginPath();
        pen.arc(this.x(this.here.x), this.y(this.here.y), 6, 0, 7);
        pen.fillStyle = "#fff";
        pen.fill();
        pen.lineWidth = 2;
        pen.strokeStyle = "#000";
        pen.stroke();
      }
    }
    if (this.at) {
      const x = this.x(this.at.x);
      const y = this.y(this.at.y);
      for (const [color, width, dash] of [["#000", 3, []], ["#fff", 1.4, []]]) {
        pen.strokeStyle = color;
        pen.lineWidth = width;
        pen.setLineDash(dash);
        pen.beginPath();
        for (const [a, b] of [[TOP, y - 7], [y + 7, TOP + h]]) {
          if (b > a) { pen.moveTo(x, a); pen.lineTo(x, b); }
        }
        for (const [a, b] of [[LEFT, x - 7], [x + 7, LEFT + w]]) {
          if (b > a) { pen.moveTo(a, y); pen.lineTo(b, y); }
        }
        pen.stroke();
      }
    }
  }

  pressed(event) {
    if (!this.data) return;
    const box = this.box.getBoundingClientRect();
    const { w, h } = this.size();
    const across = (event.clientX - box.left - LEFT) / w;
    const up = 1 - (event.clientY - box.top - TOP) / h;
    if (across < -0.03 || across > 1.03 || up < -0.03 || up > 1.03) return;
    const cell = (part, count) => Math.round(Math.min(Math.max(part, 0), 1) * (count - 1));
    this.pick(cell(across, this.data.columns), cell(up, this.data.rows));
  }

  key(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move || !this.data) return;
    event.preventDefault();
    const { columns, rows } = this.data;
    const step = event.shiftKey ? 10 : 1;
    const start = this.at || this.here || { x: this.axes.x.low, y: this.axes.y.low };
    const cell = (value, { low, high }, count) => Math.round(((value - low) / (high - low)) * (count - 1));
    const clamp = (value, count) => Math.min(Math.max(value, 0), count - 1);
    this.pick(clamp(cell(start.x, this.axes.x, columns) + step * move[0], columns),
      clamp(cell(start.y, this.axes.y, rows) + step * move[1], rows));
  }

  pick(column, row) {
    const { columns, rows, sets } = this.data;
    const value = ({ low, high }, i, count) => low + ((high - low) * i) / (count - 1);
    this.at = { x: value(this.axes.x, column, columns), y: value(this.axes.y, row, rows) };
    this.drawCross();
    this.onPick(this.at, sets[this.which[row * columns + column]]);
  }

  clear() {
    this.at = null;
    this.drawCross();
  }
}
