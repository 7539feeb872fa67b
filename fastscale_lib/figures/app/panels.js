// The panels: what of a view each chart and table shows.

import { ticks } from "./chart.js";
import { set, svg, widest, write } from "./elements.js";
import { COUNTS, NAMED_ALPHAS, saidAlpha } from "./state.js";
import { factor, milliseconds, short, tick, tickOfTime, times } from "./text.js";

/** @typedef {import("./state.js").View} View */
/** @typedef {import("./chart.js").Axis} Axis */
/** @typedef {import("./chart.js").Chart} Chart */
/** @typedef {import("./counts.js").Curve} Curve */

/** @param {number} low @param {number} high @param {(value: number) => string} text @returns {Axis} */
const logarithmic = (low, high, text) => ({ low, high, log: true, ticks: ticks(low, high, true), text });

/** An axis of factors, which jumps seldom while a slider moves. @param {number} low @param {number} high @returns {Axis} */
function linear(low, high) {
  // Half a step of room at most: no line is cut.
  const step = ticks(low, high, false)[1] - ticks(low, high, false)[0];
  const ends = [(Math.floor((2 * low) / step + 1e-9) / 2) * step, (Math.ceil((2 * high) / step - 1e-9) / 2) * step];
  return { low: ends[0], high: ends[1], log: false, ticks: ticks(ends[0], ends[1], false), text: factor };
}

/** The least and the largest value of a curve between two places. @param {Curve} curve @param {number} low @param {number} high */
function ends(curve, low, high) {
  return (curve.ends ??= curve.ys.reduce(
    ([least, most], y, i) => (curve.xs[i] >= low && curve.xs[i] <= high && Number.isFinite(y) ? [Math.min(least, y), Math.max(most, y)] : [least, most]),
    [Infinity, -Infinity],
  ));
}

/** @param {View} view @param {boolean} timed @param {number} room Half of the chart's width: names take no more. */
function lineNames(view, timed, room) {
  const names = new Map(view.drawn.map((way) => [way.key, !timed && view.state.laws ? `${way.name} ${view.law(way)}` : way.name]));
  return { names, right: Math.min(room, Math.max(56, widest([...names.values()]) + 12)) };
}

/**
 * Counts or times over flops.
 * @param {Chart} chart @param {View} view @param {"counts" | "time"} what @param {[number, number]} range Of scales.
 */
export function drawOverFlops(chart, view, what, [least, most]) {
  const { counts, state } = view;
  const timed = what === "time";
  const base = counts.header.base.flops;
  const [low, high] = [least / 1.06, most * 1.06];
  const values = timed ? (view.predicted ? view.timing.ms : null) : counts[state.count];
  const absolute = timed ? view.absoluteTimes : state.absolute;
  const ys = values && (absolute ? values : counts.relative(values));
  const { names, right } = lineNames(view, timed, chart.width / 2);
  chart.margin.right = right;
  const hidden = view.same && state.strategies.includes(view.same) ? view.slider : null; // it would lie on the named one
  const lines = (ys ? view.drawn : [])
    .filter((way) => way !== hidden)
    .map((way) => ({ key: way.key, name: names.get(way.key) ?? "", colour: way.colour, bold: way === view.slider, curve: counts.curve(way.row, /** @type {ArrayLike<number>} */ (ys)) }));
  const colours = new Map(view.ways.map((way) => [way.name, way.colour]));
  const measured = (timed ? view.points : []).map((each) => {
    const unit = absolute ? 1 : view.reference(each.flops);
    const [from, to] = [each.low ?? NaN, each.high ?? NaN];
    return { colour: colours.get(each.strategy) ?? "var(--ink)", x: each.flops / base, y: each.ms / unit, low: from / unit, high: to / unit, doubt: Boolean(each.doubt), strategy: each.strategy };
  });
  if (timed && !view.predicted) lines.push(...throughPoints(measured, view));
  const all = lines.map((each) => ends(each.curve, low, high)).concat(measured.map((each) => [Math.min(each.y, each.low || each.y), Math.max(each.y, each.high || each.y)]));
  const known = all.flat().filter(Number.isFinite);
  const [from, to] = known.length ? [Math.min(...known), Math.max(...known)] : [1, 1];
  const text = timed ? tickOfTime : tick;
  const axis = absolute ? logarithmic(from / 1.2, to * 1.2, text) : linear(Math.min(1, from), Math.max(1.5, to));
  const xTicks = [0.25, 1, 4, 16, 64].filter((each) => each >= least && each <= most);
  chart.axes({ low, high, log: true, ticks: xTicks, text: factor }, axis);
  const marks = ys ? view.drawn.map((way) => ({ key: way.key, colour: way.colour, x: counts.flops[way.network] / base, y: ys[way.network] })) : [];
  chart.draw(lines, marks, measured, state.scale, timed ? `no time is known of this network${view.timing?.awaited ? " yet" : ""}` : "");
}

/** Lines through the measured points of each strategy, from the base on. @param {{strategy: string, x: number, y: number}[]} measured @param {View} view */
function throughPoints(measured, view) {
  return view.ways
    .filter((way) => way.drawn)
    .map((way) => {
      const own = measured.filter(({ strategy, y }) => (strategy === way.name || !strategy) && Number.isFinite(y)).sort((a, b) => a.x - b.x);
      const [xs, ys] = [own.map(({ x }) => x), own.map(({ y }) => y)];
      return { key: way.key, name: way.name, colour: way.colour, bold: false, points: true, curve: { id: `${xs} ${ys}`, xs, ys } };
    })
    .filter(({ curve }) => curve.xs.length > 1);
}

/** Counts and time over α, at the flops of the view: made anew only where these differ. */
export class Trade {
  /** @param {Chart} chart */
  constructor(chart) {
    this.chart = chart;
    this._of = "";
    /** @type {{key: string, name: string, colour: string, curve: Curve}[]} */
    this.lines = [];
  }

  /** @param {View} view */
  draw(view) {
    const { counts, state, timing } = view;
    const quantities = [
      ...(view.predicted ? [{ key: "time", name: "time", colour: "var(--time)", values: timing.ms }] : []),
      { key: "activations", name: COUNTS.activations, colour: "var(--activations)", values: counts.activations },
      { key: "params", name: COUNTS.params, colour: "var(--params)", values: counts.params },
    ];
    const of = [counts.header.name, view.flops, state.timing, counts.curve(0, counts.flops).id].join();
    if (of !== this._of) {
      this._of = of;
      const xs = counts.alphas.map(({ alpha }) => alpha);
      const networks = counts.alphas.map(({ row }) => counts.nearest(row, view.flops));
      this.lines = quantities.map(({ key, name, colour, values }) => {
        const relative = counts.relative(values);
        return { key, name, colour, curve: { id: `${of} ${key}`, xs, ys: networks.map((each) => relative[each]) } };
      });
    }
    const extents = this.lines.flatMap((each) => ends(each.curve, 0, 1)).filter(Number.isFinite);
    const named = new Map(NAMED_ALPHAS);
    this.chart.axes({ low: 0, high: 1, log: false, ticks: [...named.keys()], text: (at) => named.get(/** @type {any} */ (at)) ?? "" }, linear(0, Math.max(1.5, ...extents)));
    const marks = quantities.map(({ key, colour, values }) => ({ key, colour, x: state.alpha, y: counts.relative(values)[view.slider.network] }));
    this.chart.draw(this.lines, marks, [], state.alpha);
  }
}

/** Two networks as rows of boxes: each stage as high as it is wide, and as long as it is deep. */
export class Silhouette {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    this.width = 300;
    this.height = 178;
    this.root = svg("svg", { role: "img" }, box);
    this.texts = [svg("text", { x: 0, y: 12 }, this.root), svg("text", { x: 0 }, this.root)];
    this.rows = [svg("g", { class: "base" }, this.root), svg("g", {}, this.root)];
  }

  /** Fit it into its box, whose texts keep their size. @param {number} width @param {number} height */
  fit(width, height) {
    this.width = width;
    this.height = height;
    set(this.root, { viewBox: `0 0 ${width} ${height}` });
    set(this.texts[1], { y: height / 2 + 12 });
  }

  /** @param {View} view */
  draw(view) {
    const { counts, shown } = view;
    const base = counts.nearest(/** @type {number} */ (counts.rowOf.get("w")), counts.header.base.flops);
    const networks = [base, shown.network];
    const all = networks.map((each) => counts.stages(each));
    const deep = all.map((stages) => stages.reduce((sum, each) => sum + each.depth, 0));
    const wide = Math.max(...all.flat().map((each) => each.width));
    const [width, height] = [this.width, this.height / 2 - 20];
    networks.forEach((network, row) => {
      const stages = all[row];
      write(this.texts[row], `${row ? shown.name : "base"}: ${counts.side(network)} px, ${deep[row]} blocks`);
      while (this.rows[row].childElementCount < stages.length) svg("rect", { rx: 2 }, this.rows[row]);
      while (this.rows[row].childElementCount > stages.length) this.rows[row].lastElementChild?.remove();
      const unit = (width - 2 * stages.length) / Math.max(...deep);
      let x = 0;
      stages.forEach((stage, i) => {
        const tall = Math.max(2, height * Math.sqrt(stage.width / wide)); // by its root, so that narrow stages are seen
        const long = Math.max(2, unit * stage.depth);
        set(this.rows[row].children[i], { x, width: long, height: tall, y: 20 + row * (height + 20) + (height - tall) / 2 });
        x += long + 2;
      });
    });
    set(this.rows[1], { style: `--colour: ${shown.colour}` });
    set(this.root, { "aria-label": `${this.texts[1].textContent}, where the base has ${counts.side(base)} px and ${deep[0]} blocks` });
  }
}

/** The network stage by stage, as rows of texts, headings first. @param {View} view */
export function stageRows({ counts, shown }) {
  const before = counts.stages(counts.nearest(/** @type {number} */ (counts.rowOf.get("w")), counts.header.base.flops));
  const change = (/** @type {number} */ from, /** @type {number} */ to) => (from === to ? String(to) : `${from} → ${to}`);
  return [["stage", "blocks", "width"], ...counts.stages(shown.network).map((each, i) => [String(i + 1), change(before[i].depth, each.depth), change(before[i].width, each.width)])];
}

/** The numbers of every strategy that is drawn, as rows of texts, headings first. @param {View} view */
export function numberRows(view) {
  const { counts } = view;
  const ms = view.predicted ? view.timing.ms : null;
  const heads = ["strategy", "flops", "activations", "params", ...(ms ? ["predicted time"] : []), "resolution", "blocks", "widths"];
  const base = counts.nearest(/** @type {number} */ (counts.rowOf.get("w")), counts.header.base.flops);
  const rows = [{ name: "base", network: base }, ...view.drawn].map(({ name, network: at }) => {
    const all = counts.stages(at);
    return [name, short(counts.flops[at]), short(counts.activations[at]), short(counts.params[at]), ...(ms ? [milliseconds(ms[at])] : []), `${counts.side(at)} px`, all.map((each) => each.depth).join("-"), all.map((each) => each.width).join("-")];
  });
  return [heads, ...rows];
}

/**
 * What a pointer over a chart is told: a heading, and rows of texts.
 * @param {View} view @param {"counts" | "time" | "trade"} what @param {number} at Its place on the x axis.
 */
export function under(view, what, at) {
  const { counts, state, timing } = view;
  const both = (/** @type {number} */ one, /** @type {ArrayLike<number>} */ values, /** @type {(value: number) => string} */ text) => [text(values[one]), times(counts.relative(values)[one])];
  if (what === "trade") {
    const { alpha, row } = counts.nearAlpha(at);
    const one = counts.nearest(row, view.flops);
    const rows = [["activations", ...both(one, counts.activations, short)], ["parameters", ...both(one, counts.params, short)]];
    if (view.predicted) rows.unshift(["time", ...both(one, timing.ms, milliseconds)]);
    return { head: `α ${saidAlpha(alpha)}, ${short(counts.flops[one])} multiply-adds`, rows };
  }
  const timed = what === "time";
  const flops = at * counts.header.base.flops;
  const values = timed ? (view.predicted ? timing.ms : null) : counts[state.count];
  const rows = (values ? view.drawn : []).map((way) => {
    const one = counts.nearest(way.row, flops);
    return [way.name, ...both(one, /** @type {ArrayLike<number>} */ (values), timed ? milliseconds : short), ...(timed ? [] : [view.law(way)])];
  });
  return { head: `near ${times(at)} = ${short(flops)} multiply-adds`, rows };
}
