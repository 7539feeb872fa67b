// The explorer's page: what the hand sets, what follows from it, and the picture, drawn anew within one frame.

import { Chart, ticks } from "./chart.js";
import { Counts } from "./counts.js";

/**
 * @typedef {object} State
 * @property {string} network Name of the base network.
 * @property {number} alpha Share of width of the slider's strategy, 0 to 1.
 * @property {number} scale How many times the base's flops.
 * @property {string[]} strategies Names of the strategies that are drawn.
 * @property {number} timing Which of the network's predicted times are shown.
 * @property {"activations" | "params"} count What the first chart shows.
 * @property {boolean} absolute Whether counts and times are shown as they are, on logarithmic axes.
 * @property {string} shown The strategy whose network is shown stage by stage; "α" is the slider's.
 */

/** @typedef {{name: string, says: string, colour: string}} Strategy */
/** @typedef {{networks: import("./counts.js").Header[], strategies: Strategy[], start: State, least: number, most: number}} Data */

/**
 * @typedef {object} Point A measured time of a network that a strategy gives.
 * @property {string} label Under which of the network's times it is shown.
 * @property {string} strategy
 * @property {number} flops
 * @property {number} ms Milliseconds a batch.
 * @property {number | null} low Lower end of its interval, where there is one.
 * @property {number | null} high
 * @property {string | null} doubt What keeps it from deciding anything.
 * @property {string} text What a pointer is told.
 */

/**
 * @typedef {object} Host What the page stands in: a file with its address, or a notebook.
 * @property {() => string} get The state that is kept, as an address's fragment.
 * @property {(fragment: string) => void} set
 * @property {(changed: Partial<State>) => void} [changed] Told at once of whatever a hand sets. A notebook's networks and
 *   times may come without arrays: the host, told that one was chosen, brings it by `show`.
 */

const ALPHA = "α";
const NAMED_ALPHAS = /** @type {const} */ ([[0, "0 dr"], [1 / 3, "⅓ dwr"], [0.8, "0.8 dWr"], [1, "1 w"]]);
const COUNTS = /** @type {const} */ ({ activations: "activations", params: "parameters" });
const KEPT_MS = 400; // the address and what a screen reader says follow once the hand rests

/** A number with three digits and a unit, as in "6.17 G". @param {number} value */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.abs(value) * 1.0005) / 3)));
  const shown = value / 1000 ** power;
  return `${digits(shown)} ${["", "k", "M", "G", "T"][power]}`.trim();
}

/** @param {number} value */
function digits(value) {
  if (value >= 100) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A factor, as in "1.65×". @param {number} value */
export const times = (value) => (Number.isFinite(value) ? `${digits(value)}×` : "–");

/** A fraction in percent. @param {number} value */
const percent = (value) => (value < 0.1 ? (100 * value).toPrecision(2) : (100 * value).toFixed(0));

/** @param {number} value */
const milliseconds = (value) => (Number.isFinite(value) ? `${digits(value)} ms` : "–");

/** A count for a tick, as in "30 M". @param {number} value */
const tick = (value) => short(value).replace(/\.0+(?= |$)/, "");

/** A short factor for a tick. @param {number} value */
const factor = (value) => (value === 0.25 ? "¼×" : value === 0.5 ? "½×" : `${Number(value.toPrecision(3))}×`);

/** @param {string} tag @param {Record<string, any>} [properties] @param {(Node | string)[]} children */
function html(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name in made) /** @type {any} */ (made)[name] = value;
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The state that an address names, and the start for the rest. @param {string} fragment @param {Data} data @returns {State} */
export function stateOf(fragment, data) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = { ...data.start };
  const number = (/** @type {string} */ name, /** @type {number} */ low, /** @type {number} */ high, /** @type {number} */ usual) => {
    const value = Number(given.get(name) ?? NaN);
    return value >= low && value <= high ? value : usual;
  };
  const header = data.networks.find((each) => each.name === given.get("network"));
  if (header) state.network = header.name;
  // What is counted are the named α and hundredths: an address in between shows the nearest.
  const alpha = number("alpha", 0, 1, state.alpha);
  state.alpha = NAMED_ALPHAS.find(([named]) => Math.abs(named - alpha) < 1e-5)?.[0] ?? Math.round(100 * alpha) / 100;
  state.scale = number("scale", data.least, data.most, state.scale);
  const known = (/** @type {string} */ name) => data.strategies.some((each) => each.name === name);
  const strategies = given.get("strategies");
  if (strategies !== null) state.strategies = strategies.split(",").filter(known);
  const timings = /** @type {import("./counts.js").Header} */ (data.networks.find((each) => each.name === state.network)).timings;
  const timing = timings.findIndex((each) => each.label === given.get("time"));
  if (timing >= 0) state.timing = timing;
  if (given.get("count") === "params") state.count = "params";
  if (given.get("axes") === "absolute") state.absolute = true;
  const shown = given.get("shown");
  if (shown === ALPHA || (shown !== null && known(shown))) state.shown = shown;
  return state;
}

/** The address of a state. @param {State} state @param {import("./counts.js").Header} header */
export function fragmentOf(state, header) {
  const parts = new URLSearchParams({
    network: state.network,
    alpha: String(Number(state.alpha.toPrecision(6))),
    scale: String(Number(state.scale.toPrecision(6))),
    strategies: state.strategies.join(","),
  });
  if (header.timings.length) parts.set("time", header.timings[state.timing].label);
  if (state.count === "params") parts.set("count", "params");
  if (state.absolute) parts.set("axes", "absolute");
  if (state.shown !== ALPHA) parts.set("shown", state.shown);
  return `#${parts}`;
}

/** What follows from a state: of each strategy that is drawn, the row of its counts and its network at these flops. */
export class View {
  /** @param {State} state @param {Counts} counts @param {Strategy[]} strategies */
  constructor(state, counts, strategies) {
    this.state = state;
    this.counts = counts;
    this.flops = state.scale * counts.header.base.flops;
    const byName = new Map(strategies.map((each) => [each.name, each]));
    const chosen = state.strategies.filter((name) => byName.has(name) && counts.rowOf.has(name));
    const names = chosen.includes("w") ? chosen : ["w", ...chosen];
    /** @type {{key: string, name: string, colour: string, row: number, network: number, drawn: boolean}[]} */
    this.ways = names.map((name) => this._way(name, name, /** @type {Strategy} */ (byName.get(name)).colour, /** @type {number} */ (counts.rowOf.get(name)), state.strategies.includes(name)));
    const own = NAMED_ALPHAS.find(([alpha]) => Math.abs(alpha - state.alpha) < 1e-9)?.[1].split(" ").at(-1);
    const row = counts.rowOf.get(own ?? `α=${Number(state.alpha.toPrecision(6))}`) ?? counts.rowOf.get(`α=${Math.round(100 * state.alpha) / 100}`) ?? counts.alphas.reduce((best, each) => (Math.abs(each.alpha - state.alpha) < Math.abs(best.alpha - state.alpha) ? each : best)).row;
    this.slider = this._way(ALPHA, `α ${digits(state.alpha)}`, "var(--ink)", /** @type {number} */ (row), true);
    /** The named strategy that the slider stands on, if any. */
    this.same = own ?? null;
  }

  /** @param {string} key @param {string} name @param {string} colour @param {number} row @param {boolean} drawn */
  _way(key, name, colour, row, drawn) {
    return { key, name, colour, row, network: this.counts.nearest(row, this.flops), drawn };
  }

  /** The strategies that are drawn, the slider's last. */
  get drawn() {
    return [...this.ways.filter((each) => each.drawn), this.slider];
  }

  get timing() {
    return this.counts.timings[this.state.timing];
  }

  /** The largest error of the times of the marked networks, as a fraction. */
  get error() {
    return Math.max(...this.drawn.filter((way) => this.timing.ms[way.network] > 0).map((way) => this.timing.error[way.network]), 0);
  }

  /** The way whose network is shown stage by stage. */
  get shown() {
    return this.drawn.find((each) => each.key === this.state.shown) ?? this.slider;
  }

  /** The finding at these flops, in parts; what is a figure is bold. @returns {(string | [string])[]} */
  sentence() {
    const { counts, timing } = this;
    const named = this.ways.filter((each) => each.drawn);
    const least = named.find((each) => each.name === "dWr") ?? named.find((each) => each.name === "w") ?? named[0];
    const activations = counts.relative(counts.activations);
    const most = named.find((each) => each.name === "dwr" && each !== least) ?? named.filter((each) => each !== least).sort((a, b) => activations[b.network] - activations[a.network])[0];
    const off = Math.max(...this.drawn.map((way) => Math.abs(counts.flops[way.network] / this.flops - 1)));
    const at = /** @type {(string | [string])[]} */ (["At ", [short(this.flops)], ` multiply-adds, to within ${percent(off)} %, `]);
    if (!least) return [...at, "no strategy is chosen: choose some above."];
    const ms = timing ? counts.relative(timing.ms) : null;
    const compared = (/** @type {{network: number}} */ way) => {
      const made = activations[way.network] / activations[least.network];
      const takes = ms ? ms[way.network] / ms[least.network] : NaN;
      return { made: times(made), takes: Number.isFinite(takes) ? times(takes) : "" };
    };
    const source = timing ? ` as long on ${timing.label} (predicted, ±${percent(this.error)} %)` : "";
    const parts = [...at];
    if (most) {
      const { made, takes } = compared(most);
      parts.push([most.name], " makes ", [made], " the activations of ", [least.name]);
      if (takes) parts.push(" and takes ", [takes], source);
    }
    if (this.same !== least.name && (!most || this.same !== most.name)) {
      const { made, takes } = compared(this.slider);
      parts.push(most ? "; " : "", [this.slider.name], " makes ", [made]);
      if (!most) parts.push(" the activations of ", [least.name]);
      if (takes) parts.push(" and takes ", [takes], most ? "" : source);
    }
    parts.push(".");
    return parts;
  }
}

/**
 * Show the explorer in an element.
 * @param {HTMLElement} root @param {Data} data The data are changed where the host brings more. @param {Host} host
 */
export async function mount(root, data, host) {
  root.classList.add("fastscale-app");
  const state = stateOf(host.get(), data);
  /** @type {Map<string, Counts>} */
  const read = new Map();
  const load = async () => {
    const header = /** @type {import("./counts.js").Header} */ (data.networks.find((each) => each.name === state.network));
    if (!read.has(header.name)) read.set(header.name, await Counts.read(header));
    return /** @type {Counts} */ (read.get(header.name));
  };
  let counts = await load();
  /** @type {Point[]} */
  let measured = [];

  // Controls

  const named = (/** @type {import("./counts.js").Header} */ each) => (each.base ? `${each.name} · ${short(each.base.flops)} · ${each.resolution} px` : each.name);
  const select = (/** @type {string} */ label, /** @type {string[]} */ names) =>
    /** @type {HTMLSelectElement} */ (html("select", { "aria-label": label }, ...names.map((name, value) => html("option", { value }, name))));
  const range = (/** @type {string} */ label, /** @type {number} */ min, /** @type {number} */ max, /** @type {number} */ step) =>
    /** @type {HTMLInputElement} */ (html("input", { type: "range", min, max, step, "aria-label": label }));
  const network = select("Base network", data.networks.map(named));
  const alpha = range("α, the share of width", 0, 1, 0.01);
  const steps = [Math.log2(data.least), Math.log2(data.most)];
  const scale = range("Scale s", steps[0], steps[1], 1 / counts.header.perOctave);
  const alphaSays = html("b");
  const scaleSays = html("b");
  const alphaTicks = html("span", { className: "ticks" });
  for (const [value, name] of NAMED_ALPHAS) {
    const tick = html("button", { type: "button", tabIndex: -1, style: `--at: ${value}` }, name);
    tick.onclick = () => change({ alpha: value });
    alphaTicks.append(tick);
  }
  const scaleTicks = html("span", { className: "ticks" });
  for (let power = steps[0]; power <= steps[1]; power += 2) {
    const tick = html("button", { type: "button", tabIndex: -1, style: `--at: ${(power - steps[0]) / (steps[1] - steps[0])}` }, factor(2 ** power));
    tick.onclick = () => change({ scale: 2 ** power });
    scaleTicks.append(tick);
  }
  const chips = html("span", { className: "chips", role: "group", "aria-label": "Strategies" });
  /** @type {Map<string, HTMLInputElement>} */
  const boxes = new Map();
  const chip = (/** @type {Strategy} */ each) => {
    const box = /** @type {HTMLInputElement} */ (html("input", { type: "checkbox" }));
    box.onchange = () =>
      change({ strategies: data.strategies.map((one) => one.name).filter((name) => boxes.get(name)?.checked) });
    boxes.set(each.name, box);
    chips.append(html("label", { style: `--colour: ${each.colour}`, title: `${each.name}: ${each.says}` }, box, html("b", {}, each.name), html("span", {}, each.says)));
  };
  data.strategies.forEach(chip);
  const timing = select("Time on", []);
  const absolute = /** @type {HTMLInputElement} */ (html("input", { type: "checkbox" }));
  const count = select("Count", Object.values(COUNTS));
  const shown = select("Network of", []);

  // What is shown

  const sentence = html("p", { className: "sentence" });
  const spoken = html("p", { className: "spoken", role: "status" });
  const actions = html("div", { className: "actions" }); // for the host's own controls
  const tip = html("div", { className: "tip", hidden: true });
  const panel = (/** @type {string} */ name, /** @type {string} */ label, /** @type {Node} */ title) => {
    const about = html("small");
    const box = html("div", { className: "chart" });
    const made = html("section", { className: name, "aria-label": label }, html("h3", {}, title), about, box);
    return { made, about, box };
  };
  const countPanel = panel("counts", "Counts over flops", count);
  const timePanel = panel("time", "Times over flops", html("span", {}, "Time on ", timing));
  const alphaPanel = panel("trade", "Counts and times over α", html("span", {}, "What α trades"));
  const networkPanel = panel("network", "The network, stage by stage", html("span", {}, "The network by ", shown));
  const silhouette = html("div", { className: "silhouette", role: "img" });
  const stages = html("table");
  networkPanel.box.replaceWith(silhouette, html("div", { className: "stages" }, stages));
  const numbers = html("table");
  const copied = html("span", { role: "status" });
  const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ act) => {
    const made = html("button", { type: "button", title }, text);
    made.onclick = act;
    return made;
  };
  root.replaceChildren(
    html(
      "div",
      { className: "controls" },
      html("label", { className: "base" }, html("span", {}, "base network"), network),
      html("label", { className: "slider" }, html("span", {}, "α, the share of width: ", alphaSays), alpha, alphaTicks),
      html("label", { className: "slider" }, html("span", {}, "scale: ", scaleSays), scale, scaleTicks),
    ),
    html(
      "div",
      { className: "controls" },
      chips,
      html("label", { className: "switch" }, absolute, "absolute values"),
    ),
    actions,
    sentence,
    spoken,
    html("div", { className: "panels" }, countPanel.made, timePanel.made, alphaPanel.made, networkPanel.made),
    html("details", { className: "numbers" }, html("summary", {}, "All numbers at these flops"), html("div", {}, numbers)),
    html(
      "p",
      { className: "exports" },
      button("Copy code", "The line of Python that makes this explorer", () => copy(code())),
      button("Copy network", "The shown network in Python", () => copy(networkCode())),
      button("CSV", "All lines as a table", () => download(`${state.network}.csv`, csv())),
      copied,
    ),
    tip,
  );

  const charts = {
    counts: new Chart(countPanel.box, { left: 44, right: 56, top: 8, bottom: 24 }),
    time: new Chart(timePanel.box, { left: 44, right: 56, top: 8, bottom: 24 }),
    trade: new Chart(alphaPanel.box, { left: 92, right: 36, top: 8, bottom: 24 }, true),
  };

  // From the state to the picture

  /** @type {View} */
  let view;
  let waits = false;
  let rests = 0;

  /** What a hand sets. @param {Partial<State>} changed */
  function change(changed) {
    host.changed?.(changed);
    follow(changed);
  }

  /** What is set, by a hand or by the host. @param {Partial<State>} changed */
  function follow(changed) {
    Object.assign(state, changed);
    if (state.network !== counts.header.name) return void other();
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      draw();
    });
  }

  /** Another base network, once its arrays are here and read. */
  async function other() {
    const wanted = state.network;
    if (!data.networks.find((each) => each.name === wanted)?.arrays) return;
    const found = await load();
    if (state.network !== wanted) return;
    counts = found;
    newNetwork();
    draw();
  }

  /**
   * Take a network, or other times of one: what it leaves out stays.
   * @param {import("./counts.js").Header} header @param {Strategy[]} strategies Those that it has rows of beside the page's.
   */
  async function show(header, strategies = []) {
    for (const each of strategies.filter(({ name }) => !boxes.has(name))) {
      data.strategies.push(each);
      chip(each);
    }
    const at = data.networks.findIndex((each) => each.name === header.name);
    const known = { ...data.networks[at], ...header };
    data.networks[at < 0 ? data.networks.length : at] = known;
    options(network, data.networks.map(named));
    read.delete(header.name);
    if (state.network === header.name) await other();
  }

  /** @param {number} low @param {number} high @param {(value: number) => string} text @returns {import("./chart.js").Axis} */
  const logarithmic = (low, high, text) => ({ low, high, log: true, ticks: ticks(low, high, true), text });

  /** @param {number[]} values @param {number} least @returns {import("./chart.js").Axis} */
  function linear(values, least) {
    const known = values.filter(Number.isFinite);
    const [low, high] = [Math.min(least, ...known), Math.max(1.5, ...known)];
    // Half a step of room at most: the axis jumps seldom while a slider moves, and no line is cut.
    const step = ticks(low, high, false)[1] - ticks(low, high, false)[0];
    const ends = [(Math.floor((2 * low) / step + 1e-9) / 2) * step, (Math.ceil((2 * high) / step - 1e-9) / 2) * step];
    return { low: ends[0], high: ends[1], log: false, ticks: ticks(ends[0], ends[1], false), text: factor };
  }

  /** @param {Chart} chart @param {ArrayLike<number> | null} values @param {(value: number) => string} text @param {string} why */
  function overFlops(chart, values, text, why) {
    if (!chart.width) return;
    const base = counts.header.base.flops;
    const drawn = view.drawn.filter((each) => each !== view.slider || !view.same || !state.strategies.includes(view.same));
    const ys = values && (state.absolute ? values : counts.relative(values));
    const [low, high] = [data.least / 1.06, data.most * 1.06];
    const lines = [];
    const seen = [];
    for (const way of ys ? drawn : []) {
      const points = counts.points(way.row);
      const xs = points.map((each) => counts.flops[each] / base);
      const line = points.map((each) => /** @type {ArrayLike<number>} */ (ys)[each]);
      line.forEach((y, i) => xs[i] >= low && xs[i] <= high && seen.push(y));
      lines.push({ key: way.key, name: way.name, colour: way.colour, xs, ys: line, bold: way === view.slider, dash: way === view.slider ? "5 3" : undefined });
    }
    const axis = state.absolute
      ? logarithmic(Math.min(...seen, Infinity) / 1.2 || 0.1, Math.max(...seen, -Infinity) * 1.2 || 10, text)
      : linear(seen, 1);
    if (!Number.isFinite(axis.low) || !Number.isFinite(axis.high)) [axis.low, axis.high, axis.ticks] = [0.5, 2, [1]];
    const xTicks = [0.25, 1, 4, 16, 64].filter((each) => each >= data.least && each <= data.most);
    chart.axes({ low, high, log: true, ticks: xTicks, text: factor }, axis);
    const marks = (ys ? view.drawn : []).map((way) => ({ key: way.key, colour: way.colour, x: counts.flops[way.network] / base, y: /** @type {ArrayLike<number>} */ (ys)[way.network] }));
    chart.draw(lines, marks, state.scale, why);
  }

  function overAlpha() {
    const chart = charts.trade;
    if (!chart.width) return;
    const quantities = [
      { key: "activations", name: "activations", colour: "var(--activations)", values: counts.activations },
      { key: "params", name: "parameters", colour: "var(--params)", values: counts.params },
    ];
    if (view.timing) quantities.unshift({ key: "time", name: "time", colour: "var(--time)", values: /** @type {any} */ (view.timing.ms) });
    const alphas = [];
    /** @type {number[]} */
    const networks = [];
    for (const { alpha, row } of counts.alphas) {
      alphas.push(alpha);
      networks.push(counts.nearest(row, view.flops));
    }
    const lines = quantities.map(({ key, name, colour, values }) => {
      const relative = counts.relative(values);
      return { key, name, colour, xs: alphas, ys: networks.map((each) => relative[each]) };
    });
    const ys = linear(lines.flatMap((each) => each.ys), 0);
    chart.axes({ low: 0, high: 1, log: false, ticks: [0, 1 / 3, 0.8, 1], text: (at) => /** @type {string} */ (NAMED_ALPHAS.find(([alpha]) => alpha === at)?.[1].split(" ")[1]) }, ys);
    const marks = quantities.map(({ key, colour, values }) => ({ key, colour, x: state.alpha, y: counts.relative(values)[view.slider.network] }));
    chart.draw(lines, marks, state.alpha);
    alphaPanel.about.textContent = `at ${times(state.scale)} the multiply-adds, relative to w`;
  }

  function silhouettes() {
    networkPanel.made.hidden = !counts.header.stages;
    if (!counts.header.stages) return;
    const way = view.shown;
    const base = counts.nearest(/** @type {number} */ (counts.rowOf.get("w")), counts.header.base.flops);
    const [before, after] = [counts.stages(base), counts.stages(way.network)];
    const sides = [counts.resolution[base], counts.resolution[way.network]];
    const most = (/** @type {{depth: number, width: number}[]} */ all) => ({ width: Math.max(...all.map((each) => each.width)), depth: all.reduce((sum, each) => sum + each.depth, 0) });
    const [wide, deep] = [Math.max(most(before).width, most(after).width), Math.max(most(before).depth, most(after).depth)];
    // Each stage is a box: as high as it is wide (square root, so that narrow stages are seen), as long as it is deep.
    const boxes = (/** @type {{depth: number, width: number}[]} */ all, /** @type {string} */ kind) =>
      html("div", { className: `net ${kind}`, style: `--deep: ${most(all).depth / deep}` }, ...all.map((each) => html("i", { style: `flex-grow: ${each.depth}; height: ${(100 * Math.sqrt(each.width / wide)).toFixed(1)}%` })));
    silhouette.style.setProperty("--colour", way.colour);
    silhouette.replaceChildren(
      html("span", { className: "px" }, `base: ${sides[0]} px, ${most(before).depth} blocks`),
      boxes(before, "base"),
      html("span", { className: "px" }, `${way.name}: ${sides[1]} px, ${most(after).depth} blocks`),
      boxes(after, "scaled"),
    );
    silhouette.setAttribute("aria-label", `${way.name}: images of ${sides[1]} pixels where the base has ${sides[0]}, ${most(after).depth} blocks where it has ${most(before).depth}`);
    const cell = (/** @type {number} */ from, /** @type {number} */ to) => html("td", { className: from === to ? "" : "changed" }, from === to ? String(to) : `${from} → ${to}`);
    stages.replaceChildren(
      html("thead", {}, html("tr", {}, ...["stage", "blocks", "width"].map((each) => html("th", {}, each)))),
      html("tbody", {}, ...after.map((each, i) => html("tr", {}, html("th", {}, String(i + 1)), cell(before[i].depth, each.depth), cell(before[i].width, each.width)))),
    );
  }

  /** The numbers of every strategy that is drawn, as rows of texts, headings first. */
  function table() {
    const ms = view.timing?.ms;
    const heads = ["strategy", "flops", "activations", "params", ...(ms ? ["predicted time"] : []), "resolution", "blocks", "widths"];
    const base = counts.nearest(/** @type {number} */ (counts.rowOf.get("w")), counts.header.base.flops);
    const ways = [{ name: "base", network: base }, ...view.drawn];
    const rows = ways.map(({ name, network: at }) => {
      const all = counts.stages(at);
      return [name, short(counts.flops[at]), short(counts.activations[at]), short(counts.params[at]), ...(ms ? [milliseconds(ms[at])] : []), `${counts.resolution[at]} px`, all.map((each) => each.depth).join("-"), all.map((each) => each.width).join("-")];
    });
    return [heads, ...rows];
  }

  function fillNumbers() {
    const [heads, ...rows] = table();
    numbers.replaceChildren(
      html("thead", {}, html("tr", {}, ...heads.map((each) => html("th", { scope: "col" }, each)))),
      html("tbody", {}, ...rows.map(([name, ...rest]) => html("tr", {}, html("th", { scope: "row" }, name), ...rest.map((each) => html("td", {}, each))))),
    );
  }

  function draw() {
    view = new View(state, counts, data.strategies);
    network.value = String(data.networks.findIndex((each) => each.name === state.network));
    alpha.value = String(state.alpha);
    scale.value = String(Math.log2(state.scale));
    alpha.setAttribute("aria-valuetext", digits(state.alpha) + (view.same ? `, ${view.same}` : ""));
    scale.setAttribute("aria-valuetext", `${digits(state.scale)} times, ${short(view.flops)} multiply-adds`);
    alphaSays.textContent = digits(state.alpha) + (view.same ? ` = ${view.same}` : "");
    scaleSays.textContent = `${times(state.scale)} = ${short(view.flops)} multiply-adds`;
    for (const [name, box] of boxes) box.checked = state.strategies.includes(name);
    absolute.checked = state.absolute;
    count.selectedIndex = state.count === "params" ? 1 : 0;
    timing.value = String(state.timing);
    options(shown, view.drawn.map((each) => each.name));
    shown.selectedIndex = view.drawn.indexOf(view.shown);
    sentence.replaceChildren(...view.sentence().map((each) => (typeof each === "string" ? each : html("b", {}, each[0]))));
    const about = state.absolute ? "over multiply-adds relative to the base's" : "relative to w at the same multiply-adds";
    countPanel.about.textContent = about;
    timePanel.about.textContent = view.timing ? `${view.timing.note}, ±${percent(view.error)} %, ${state.absolute ? "ms a batch" : "relative to w at the same multiply-adds"}` : "";
    overFlops(charts.counts, counts[state.count], tick, "");
    overFlops(charts.time, view.timing?.ms ?? null, (value) => `${Number(value.toPrecision(3))} ms`, "no time is predicted for this network");
    overAlpha();
    silhouettes();
    if (/** @type {HTMLDetailsElement} */ (numbers.closest("details")).open) fillNumbers();
    clearTimeout(rests);
    rests = setTimeout(rest, KEPT_MS);
  }

  function rest() {
    host.set(fragmentOf(state, counts.header));
    if (spoken.textContent !== sentence.textContent) spoken.textContent = sentence.textContent;
    for (const [chart, what] of /** @type {const} */ ([[charts.counts, COUNTS[state.count]], [charts.time, "time"], [charts.trade, "activations, time and parameters over α"]]))
      chart.root.setAttribute("aria-label", `${what}: ${sentence.textContent}`);
  }

  /** @param {HTMLSelectElement} list @param {string[]} names */
  function options(list, names) {
    if (names.join() === [...list.options].map((each) => each.text).join()) return;
    list.replaceChildren(...names.map((name, value) => html("option", { value }, name)));
  }

  function newNetwork() {
    options(timing, counts.timings.map((each) => each.label));
    timing.disabled = !counts.timings.length;
    state.timing = Math.min(state.timing, Math.max(0, counts.timings.length - 1));
  }

  // What leaves the page

  const alphaCode = () => (view.same === "dwr" ? "1/3" : String(state.alpha));
  const code = () =>
    `fs.explore(${JSON.stringify(state.network)}, strategies=${JSON.stringify(state.strategies)}, alpha=${alphaCode()}, scale=${Number(state.scale.toPrecision(6))})`;
  const networkCode = () => {
    const way = view.shown;
    const step = counts.row(way.row).indexOf(way.network);
    const own = way === view.slider ? `fs.strategy(alpha=${alphaCode()})` : JSON.stringify(way.name);
    return `fs.scale(fs.network(${JSON.stringify(state.network)}), ${own}, ${counts.scale(step)})`;
  };

  /** @param {string} text */
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      copied.textContent = `copied: ${text}`;
    } catch {
      copied.textContent = text; // a page from disk may have no clipboard: the text can be taken by hand
    }
  }

  /** @param {string} name @param {string} text */
  function download(name, text) {
    const link = /** @type {HTMLAnchorElement} */ (html("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name }));
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function csv() {
    const ms = view.timing?.ms;
    const lines = [["network", "strategy", "scale", "flops", "params", "activations", "resolution", ...(ms ? [`predicted_ms on ${view.timing.label}`] : [])]];
    for (const way of view.drawn)
      counts.row(way.row).forEach((at, step) => {
        const cells = [counts.scale(step), counts.flops[at], counts.params[at], counts.activations[at], counts.resolution[at], ...(ms ? [ms[at]] : [])];
        lines.push([state.network, way.key === ALPHA ? `alpha=${state.alpha}` : way.name, ...cells.map(String)]);
      });
    return lines.map((cells) => cells.map((each) => (/[",]/.test(each) ? `"${each.replaceAll('"', '""')}"` : each)).join(",")).join("\n") + "\n";
  }

  // The hand

  alpha.oninput = () => change({ alpha: Number(alpha.value) });
  scale.oninput = () => change({ scale: 2 ** Number(scale.value) });
  absolute.onchange = () => change({ absolute: absolute.checked });
  count.onchange = () => change({ count: count.selectedIndex ? "params" : "activations" });
  timing.onchange = () => change({ timing: Number(timing.value) });
  shown.onchange = () => change({ shown: view.drawn[shown.selectedIndex].key });
  network.onchange = () => change({ network: data.networks[Number(network.value)].name });
  /** @type {HTMLElement} */ (numbers.closest("details")).ontoggle = fillNumbers;

  for (const [name, chart] of Object.entries(charts)) {
    const area = chart.box;
    const put = (/** @type {PointerEvent} */ event) => {
      const at = chart.under(event);
      change(name === "trade" ? { alpha: Math.round(at * 100) / 100 } : { scale: Math.min(data.most, Math.max(data.least, counts.scale(counts.step(at)))) });
    };
    area.onpointerdown = (event) => {
      area.setPointerCapture(event.pointerId);
      event.preventDefault();
      put(event);
    };
    area.onpointermove = (event) => {
      if (area.hasPointerCapture(event.pointerId)) put(event);
      if (event.pointerType === "mouse") hover(chart, name, event);
    };
    area.onpointerleave = () => (tip.hidden = true);
  }

  /** @param {Chart} chart @param {string} name @param {PointerEvent} event */
  function hover(chart, name, event) {
    const at = chart.under(event);
    /** @type {[string, string, string][]} */
    let rows;
    let head;
    if (name === "trade") {
      const near = counts.alphas.reduce((best, each) => (Math.abs(each.alpha - at) < Math.abs(best.alpha - at) ? each : best));
      const one = counts.nearest(near.row, view.flops);
      head = `α ${near.alpha.toFixed(2)}, ${short(counts.flops[one])} multiply-adds`;
      rows = [["activations", short(counts.activations[one]), times(counts.relative(counts.activations)[one])], ["parameters", short(counts.params[one]), times(counts.relative(counts.params)[one])]];
      if (view.timing) rows.unshift(["time", milliseconds(view.timing.ms[one]), times(counts.relative(view.timing.ms)[one])]);
    } else {
      const values = name === "time" ? view.timing?.ms : counts[state.count];
      if (!values) return;
      const text = name === "time" ? milliseconds : short;
      head = `near ${times(at)} = ${short(at * counts.header.base.flops)} multiply-adds`;
      rows = view.drawn.map((way) => {
        const one = counts.nearest(way.row, at * counts.header.base.flops);
        return [way.name, text(values[one]), times(counts.relative(values)[one])];
      });
    }
    tip.replaceChildren(html("b", {}, head), html("table", {}, ...rows.map((cells) => html("tr", {}, ...cells.map((each) => html("td", {}, each))))));
    tip.hidden = false;
    const [box, outer] = [tip.getBoundingClientRect(), root.getBoundingClientRect()];
    const x = event.clientX - outer.left;
    tip.style.left = `${x + 16 + box.width > outer.width ? x - 16 - box.width : x + 16}px`;
    tip.style.top = `${event.clientY - outer.top + 16}px`;
  }

  // JupyterLab would take these keys for its own; what the browser and a field do with them stays.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  newNetwork();
  const fit = () => {
    for (const chart of Object.values(charts)) chart.fit();
    draw();
  };
  const watch = new ResizeObserver(fit);
  watch.observe(root);
  fit();
  rest();
  return {
    state,
    change: follow,
    draw,
    view: () => view,
    show,
    /** Where the host's own controls stand. */
    actions,
    /** The measured times of this and other networks. @param {Point[]} points */
    setMeasured(points) {
      measured = points;
      draw();
    },
    /** Let go of the element. */
    end() {
      watch.disconnect();
      clearTimeout(rests);
      root.replaceChildren();
    },
  };
}
