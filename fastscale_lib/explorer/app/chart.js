// A chart in SVG that is laid out once and then only rewritten: lines, marks, names beside the lines, a hairline.

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {Record<string, string | number>} [attributes] @param {Element} [parent] */
export function svg(tag, attributes = {}, parent) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  parent?.append(made);
  return made;
}

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

/** @typedef {{key: string, colour: string, name: string, xs: ArrayLike<number>, ys: ArrayLike<number>, dash?: string, bold?: boolean}} Line */
/** @typedef {{key: string, colour: string, x: number, y: number}} Mark */

export class Chart {
  /**
   * @param {HTMLElement} box
   * @param {{left: number, right: number, top: number, bottom: number}} margin Room for ticks and names, in pixels.
   * @param {boolean} namesLeft Whether lines are named at their left ends, and the ticks stand at the right.
   */
  constructor(box, margin, namesLeft = false) {
    this.margin = margin;
    this.namesLeft = namesLeft;
    this.root = svg("svg", { role: "img" }, box);
    this.grid = svg("g", { class: "grid" }, this.root);
    this.bodies = svg("g", {}, this.root);
    this.hair = svg("line", { class: "hair" }, this.root);
    this.points = svg("g", {}, this.root);
    this.names = svg("g", { class: "names" }, this.root);
    this.empty = svg("text", { class: "empty", "text-anchor": "middle" }, this.root);
    this.box = box;
    this.width = this.height = 0;
    /** @type {Map<string, SVGElement>} */
    this.kept = new Map();
    this._grid = "";
  }

  /** Fit the chart into its box; returns whether it has room. */
  fit() {
    const { width, height } = this.box.getBoundingClientRect();
    [this.width, this.height] = [Math.round(width), Math.round(height)];
    this.root.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this._grid = "";
    return this.width > 120;
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
    [this.xAxis, this.yAxis] = [x, y];
    const wanted = JSON.stringify([x, y]);
    if (wanted === this._grid) return;
    this._grid = wanted;
    this.grid.replaceChildren();
    for (const at of y.ticks) {
      svg("line", { x1: left, x2: this.width - right, y1: this.y(at), y2: this.y(at), class: at === 1 && !y.log ? "one" : "rule" }, this.grid);
      const place = this.namesLeft ? { x: this.width - right + 6, "text-anchor": "start" } : { x: left - 6, "text-anchor": "end" };
      svg("text", { ...place, y: this.y(at) + 4 }, this.grid).textContent = y.text(at);
    }
    for (const at of x.ticks)
      svg("text", { x: this.x(at), y: this.height - bottom + 16, "text-anchor": "middle" }, this.grid).textContent = x.text(at);
  }

  /** @param {string} key @param {string} tag @param {Element} parent @returns {SVGElement} */
  _keep(key, tag, parent) {
    let found = this.kept.get(key);
    if (!found) this.kept.set(key, (found = /** @type {SVGElement} */ (svg(tag, {}, parent))));
    this._used.add(key);
    return found;
  }

  /**
   * Draw these lines and marks, and take away all others.
   * @param {Line[]} lines @param {Mark[]} marks @param {number | null} hair Where the hairline stands on the x axis.
   * @param {string} [why] What is said where there is no line.
   */
  draw(lines, marks, hair, why = "") {
    /** @type {Set<string>} */
    this._used = new Set();
    const { left, right, top, bottom } = this.margin;
    const [x, y] = [/** @type {(v: number) => number} */ (this.x), /** @type {(v: number) => number} */ (this.y)];
    const [low, high] = [left - 0.5, this.width - right + 0.5];
    /** @type {{key: string, name: string, colour: string, at: number, place: number, bold?: boolean}[]} */
    const named = [];
    for (const line of lines) {
      let path = "";
      let pen = "M";
      /** @type {[number, number] | null} */
      let end = null;
      for (let i = 0; i < line.xs.length; i++) {
        const [px, py] = [x(line.xs[i]), y(line.ys[i])];
        if (!(px >= low && px <= high && Number.isFinite(py))) {
          pen = "M";
          continue;
        }
        path += `${pen}${px.toFixed(1)} ${py.toFixed(1)}`;
        pen = "L";
        if (!this.namesLeft || !end) end = [px, py];
      }
      const drawn = this._keep(`line ${line.key}`, "path", this.bodies);
      drawn.setAttribute("d", path);
      drawn.setAttribute("stroke", line.colour);
      drawn.setAttribute("class", line.bold ? "line bold" : "line");
      drawn.setAttribute("stroke-dasharray", line.dash ?? "none");
      if (end && line.name) named.push({ key: line.key, name: line.name, colour: line.colour, at: end[1], place: end[0], bold: line.bold });
    }
    for (const mark of marks) {
      const [px, py] = [x(mark.x), y(mark.y)];
      if (!(px >= low && px <= high && Number.isFinite(py))) continue;
      const drawn = this._keep(`mark ${mark.key}`, "circle", this.points);
      for (const [name, value] of Object.entries({ cx: px.toFixed(1), cy: py.toFixed(1), r: 5, fill: mark.colour }))
        drawn.setAttribute(name, String(value));
    }
    this._name(named);
    const seen = hair !== null && x(hair) >= low && x(hair) <= high;
    for (const [name, value] of Object.entries({ x1: seen ? x(hair) : 0, x2: seen ? x(hair) : 0, y1: top, y2: this.height - bottom }))
      this.hair.setAttribute(name, String(value));
    this.hair.setAttribute("visibility", seen ? "visible" : "hidden");
    this.empty.textContent = lines.some((each) => this.kept.get(`line ${each.key}`)?.getAttribute("d")) ? "" : why;
    this.empty.setAttribute("x", String((left + this.width - right) / 2));
    this.empty.setAttribute("y", String((top + this.height - bottom) / 2));
    for (const [key, element] of this.kept)
      if (!this._used.has(key)) {
        element.remove();
        this.kept.delete(key);
      }
  }

  /** Write the names beside the ends of their lines, none over another. @param {{key: string, name: string, colour: string, at: number, bold?: boolean}[]} named */
  _name(named) {
    const gap = 14;
    const { left, right, top, bottom } = this.margin;
    named.sort((a, b) => a.at - b.at);
    const places = named.map((each) => Math.max(each.at, top + 4));
    for (let i = 1; i < places.length; i++) places[i] = Math.max(places[i], places[i - 1] + gap);
    let floor = this.height - bottom;
    for (let i = places.length - 1; i >= 0; i--) {
      places[i] = Math.min(places[i], floor);
      floor = places[i] - gap;
    }
    named.forEach((each, i) => {
      const text = this._keep(`name ${each.key}`, "text", this.names);
      text.textContent = each.name;
      text.setAttribute("x", String(this.namesLeft ? left - 8 : this.width - right + 8));
      text.setAttribute("text-anchor", this.namesLeft ? "end" : "start");
      text.setAttribute("y", String(places[i] + 4));
      text.style.fill = each.colour;
      text.setAttribute("class", each.bold ? "bold" : "");
    });
  }

  /** The value of the x axis under a pointer. @param {PointerEvent} event */
  under(event) {
    const box = this.root.getBoundingClientRect();
    const { left, right } = this.margin;
    const part = (((event.clientX - box.left) * this.width) / box.width - left) / (this.width - left - right);
    const axis = /** @type {Axis} */ (this.xAxis);
    const within = Math.min(1, Math.max(0, part));
    return axis.log ? axis.low * (axis.high / axis.low) ** within : axis.low + within * (axis.high - axis.low);
  }
}
