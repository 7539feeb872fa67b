// A chart in SVG whose elements stay: what a move changes is rewritten, and nothing else. No size is asked of the page
// while it is drawn, which would make it lay itself out at once.

import { set, svg, write } from "./elements.js";

/** Two to six round values between two others. @param {number} low @param {number} high @param {boolean} log */
export function ticks(low, high, log) {
  /** @type {number[]} */
  const found = [];
  if (log) {
    const decades = Math.log10(high / low);
    const digits = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const digit of digits) if (digit * 10 ** power >= low && digit * 10 ** power <= high) found.push(digit * 10 ** power);
    return found;
  }
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = /** @type {number} */ ([1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough));
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-12); at++) found.push(at * step);
  return found;
}

/**
 * @typedef {object} Axis
 * @property {number} low
 * @property {number} high
 * @property {boolean} log
 * @property {number[]} ticks
 * @property {(value: number) => string} text
 */

/** @typedef {{key: string, colour: string, name: string, curve: import("./counts.js").Curve, bold?: boolean, points?: boolean}} Line */
/** @typedef {{key: string, colour: string, x: number, y: number}} Mark */
/** @typedef {{colour: string, x: number, y: number, low: number, high: number, doubt: boolean}} Measured */

export class Chart {
  /**
   * @param {HTMLElement} box
   * @param {{left: number, right: number, top: number, bottom: number}} margin Room for ticks and names, in pixels.
   * @param {string} title Of the x axis.
   * @param {boolean} namesLeft Whether lines are named at their left ends, and the ticks stand at the right.
   */
  constructor(box, margin, title, namesLeft = false) {
    this.margin = margin;
    this.title = title;
    this.namesLeft = namesLeft;
    this.root = svg("svg", { role: "img" }, box);
    this.grid = svg("g", { class: "grid" }, this.root);
    this.still = svg("g", { class: "still" }, this.root); // lines that a move leaves as they are
    this.moved = svg("g", {}, this.root);
    this.hair = svg("line", { class: "hair" }, this.root);
    this.measured = svg("g", { class: "measured" }, this.root);
    this.points = svg("g", {}, this.root);
    this.names = svg("g", { class: "names" }, this.root);
    this.empty = svg("text", { class: "empty", "text-anchor": "middle" }, this.root);
    this.box = box;
    this.width = this.height = 0;
    /** @type {Map<string, SVGElement>} */
    this.kept = new Map();
    /** @type {Map<string, {of: string, at: number | null}>} What each line was drawn of, and the height of its named end. */
    this.drawn = new Map();
    this._grid = "";
    /** @type {Set<string>} */
    this._used = new Set();
    /** @type {[number, number][]} Where each measured point stands, in pixels. */
    this.placed = [];
  }

  /** Fit the chart into its box. @param {number} width @param {number} height */
  fit(width, height) {
    [this.width, this.height] = [Math.round(width), Math.round(height)];
    this.root.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this._grid = "";
  }

  /** @param {Axis} x @param {Axis} y */
  axes(x, y) {
    const { left, right, top, bottom } = this.margin;
    const span = (/** @type {Axis} */ axis, /** @type {number} */ from, /** @type {number} */ to) => {
      const place = axis.log ? Math.log : (/** @type {number} */ value) => value;
      const low = place(axis.low);
      const factor = (to - from) / (place(axis.high) - low);
      return (/** @type {number} */ value) => from + factor * (place(value) - low);
    };
    this.x = span(x, left, this.width - right);
    this.y = span(y, this.height - bottom, top);
    this.xAxis = x;
    const wanted = [this.width, this.height, right, x.low, x.high, x.log, y.low, y.high, y.log].join();
    if (wanted === this._grid) return;
    this._grid = wanted;
    this.grid.replaceChildren();
    for (const at of y.ticks) {
      svg("line", { x1: left, x2: this.width - right, y1: this.y(at), y2: this.y(at), class: at === 1 && !y.log ? "one" : "rule" }, this.grid);
      const place = this.namesLeft ? { x: this.width - right + 6, "text-anchor": "start" } : { x: left - 6, "text-anchor": "end" };
      svg("text", { ...place, y: this.y(at) + 4 }, this.grid).textContent = y.text(at);
    }
    for (const at of x.ticks)
      svg("text", { x: this.x(at), y: this.height - bottom + 17, "text-anchor": "middle" }, this.grid).textContent = x.text(at);
    svg("text", { x: (left + this.width - right) / 2, y: this.height - bottom + 34, "text-anchor": "middle" }, this.grid).textContent = this.title;
  }

  /** @param {string} key @param {string} tag @param {Element} parent @returns {SVGElement} */
  _keep(key, tag, parent) {
    let found = this.kept.get(key);
    if (!found) this.kept.set(key, (found = svg(tag, {}, parent)));
    this._used.add(key);
    return found;
  }

  /**
   * Draw these lines, marks and measured points, and take away all others.
   * @param {Line[]} lines @param {Mark[]} marks @param {Measured[]} measured
   * @param {number | null} hair Where the hairline stands on the x axis.
   * @param {string} [why] What is said where there is nothing.
   */
  draw(lines, marks, measured, hair, why = "") {
    this._used.clear();
    const { left, right, top, bottom } = this.margin;
    const [x, y] = [/** @type {(v: number) => number} */ (this.x), /** @type {(v: number) => number} */ (this.y)];
    const [low, high] = [left - 0.5, this.width - right + 0.5];
    const within = (/** @type {number} */ px, /** @type {number} */ py) => px >= low && px <= high && Number.isFinite(py);
    const named = [];
    for (const line of lines) {
      const drawn = this._keep(`line ${line.key}`, "path", line.bold ? this.moved : this.still);
      const at = this._line(line, drawn, within);
      set(drawn, { stroke: line.colour, class: `line${line.bold ? " bold" : ""}${line.points ? " thin" : ""}` });
      if (at !== null && line.name) named.push({ ...line, at });
    }
    for (const mark of marks) {
      const [px, py] = [x(mark.x), y(mark.y)];
      if (within(px, py)) set(this._keep(`mark ${mark.key}`, "circle", this.points), { cx: px, cy: py, r: 5, fill: mark.colour });
    }
    this.placed = measured.map((each) => [x(each.x), y(each.y)]);
    measured.forEach((each, i) => {
      const [px, py] = this.placed[i];
      if (!within(px, py)) return;
      const bar = `M${px.toFixed(1)} ${y(each.low).toFixed(1)}V${y(each.high).toFixed(1)}`;
      set(this._keep(`bar ${i}`, "path", this.measured), { d: Number.isFinite(each.low) ? bar : "", stroke: each.colour });
      const diamond = `M${px.toFixed(1)} ${(py - 5).toFixed(1)}l5 5l-5 5l-5 -5z`;
      set(this._keep(`point ${i}`, "path", this.measured), { d: diamond, stroke: each.colour, fill: each.doubt ? "var(--paper)" : each.colour });
      if (each.doubt) {
        const text = this._keep(`doubt ${i}`, "text", this.measured);
        set(text, { x: px + 7, y: py - 4 });
        write(text, "⚠");
      }
    });
    this._name(named);
    const seen = hair !== null && x(hair) >= low && x(hair) <= high;
    set(this.hair, { x1: seen ? x(hair) : 0, x2: seen ? x(hair) : 0, y1: top, y2: this.height - bottom, visibility: seen ? "visible" : "hidden" });
    write(this.empty, named.length || measured.length ? "" : why);
    this.root.classList.toggle("bare", this.empty.textContent !== "");
    set(this.empty, { x: (left + this.width - right) / 2, y: (top + this.height - bottom) / 2 });
    for (const [key, element] of this.kept)
      if (!this._used.has(key)) {
        element.remove();
        this.kept.delete(key);
        this.drawn.delete(key);
      }
  }

  /**
   * Write the path of a line, if it was of another curve or on other axes; returns the height of the end that is named, if any.
   * @param {Line} line @param {SVGElement} path @param {(px: number, py: number) => boolean} within
   */
  _line({ key, curve }, path, within) {
    const of = `${curve.id} ${this._grid}`;
    const known = this.drawn.get(`line ${key}`);
    if (known?.of === of) return known.at;
    const [x, y] = [/** @type {(v: number) => number} */ (this.x), /** @type {(v: number) => number} */ (this.y)];
    let text = "";
    let pen = "M";
    /** @type {number | null} */
    let at = null;
    for (let i = 0; i < curve.xs.length; i++) {
      const [px, py] = [x(curve.xs[i]), y(curve.ys[i])];
      if (!within(px, py)) {
        pen = "M";
        continue;
      }
      text += `${pen}${Math.round(10 * px) / 10} ${Math.round(10 * py) / 10}`;
      pen = "L";
      if (!this.namesLeft || at === null) at = py;
    }
    path.setAttribute("d", text);
    this.drawn.set(`line ${key}`, { of, at });
    return at;
  }

  /** Write the names beside the ends of their lines, none over another. @param {{key: string, name: string, colour: string, at: number, bold?: boolean}[]} named */
  _name(named) {
    const { left, right, top, bottom } = this.margin;
    const floor = this.height - bottom;
    named.sort((a, b) => a.at - b.at);
    const gap = Math.min(14, (floor - top - 4) / Math.max(1, named.length - 1));
    const places = named.map((each) => Math.max(each.at, top + 4));
    for (let i = 1; i < places.length; i++) places[i] = Math.max(places[i], places[i - 1] + gap);
    for (let i = places.length - 1, lowest = floor; i >= 0; i--, lowest = places[i + 1] - gap) places[i] = Math.min(places[i], lowest);
    named.forEach((each, i) => {
      const text = this._keep(`name ${each.key}`, "text", this.names);
      write(text, each.name);
      const place = this.namesLeft ? { x: left - 8, "text-anchor": "end" } : { x: this.width - right + 8, "text-anchor": "start" };
      set(text, { ...place, y: places[i] + 4, style: `--colour: ${each.colour}`, class: each.bold ? "bold" : "" });
    });
  }

  /** The value of the x axis at this part of the chart's width. @param {number} part */
  at(part) {
    const { left, right } = this.margin;
    const axis = /** @type {Axis} */ (this.xAxis);
    const within = Math.min(1, Math.max(0, (part * this.width - left) / (this.width - left - right)));
    return axis.log ? axis.low * (axis.high / axis.low) ** within : axis.low + within * (axis.high - axis.low);
  }
}
