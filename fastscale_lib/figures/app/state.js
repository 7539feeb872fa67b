// What the hand sets, what its address says, and what follows from it.

import { powerLaw } from "./counts.js";
import { digits, percent, short, times } from "./text.js";

/**
 * @typedef {object} State
 * @property {string} network Name of the base network.
 * @property {number} alpha Share of width of the slider's strategy, 0 to 1.
 * @property {number} scale How many times the base's flops.
 * @property {string[]} strategies Names of the strategies that are drawn.
 * @property {number} timing Which of the network's predicted times are shown.
 * @property {"activations" | "params"} count What the first chart shows.
 * @property {boolean} laws Whether each line says its law.
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

const BEYOND = 1.1; // measured networks are at nearly the same flops: w is known a little beyond its last point
export const ALPHA = "α";
export const NAMED_ALPHAS = /** @type {const} */ ([[0, "dr"], [1 / 3, "dwr"], [0.8, "dWr"], [1, "w"]]);
/** An α as it is said: in hundredths, and with more digits where it lies between them. @param {number} alpha */
export function saidAlpha(alpha) {
  const hundredths = digits(alpha);
  const exact = Math.abs(Number(hundredths) - alpha) < 1e-6 || NAMED_ALPHAS.some(([named]) => named === alpha);
  return exact ? hundredths : String(Number(alpha.toPrecision(6)));
}

export const COUNTS = /** @type {const} */ ({ activations: "activations", params: "parameters" });

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
  // What is counted are the named α, hundredths and the start: an address in between shows the nearest.
  const alpha = number("alpha", 0, 1, state.alpha);
  const known = [state.alpha, ...NAMED_ALPHAS.map(([named]) => named)].find((each) => Math.abs(each - alpha) < 1e-5);
  state.alpha = known ?? Math.round(100 * alpha) / 100;
  state.scale = number("scale", data.least, data.most, state.scale);
  const listed = (/** @type {string} */ name) => data.strategies.some((each) => each.name === name);
  const strategies = given.get("strategies");
  if (strategies !== null) state.strategies = strategies.split(",").filter(listed);
  const timings = /** @type {import("./counts.js").Header} */ (data.networks.find((each) => each.name === state.network)).timings;
  const timing = timings.findIndex((each) => each.label === given.get("time"));
  if (timing >= 0) state.timing = timing;
  if (given.get("count") === "params") state.count = "params";
  if (given.get("axes") === "absolute") state.absolute = true;
  if (given.get("laws") === "all") state.laws = true;
  const shown = given.get("shown");
  if (shown === ALPHA || (shown !== null && listed(shown))) state.shown = shown;
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
  if (state.laws) parts.set("laws", "all");
  if (state.shown !== ALPHA) parts.set("shown", state.shown);
  return `#${parts}`;
}

/**
 * @typedef {object} Way A strategy, and its network at the flops of the state.
 * @property {string} key Its name, or "α" of the slider's.
 * @property {string} name
 * @property {string} colour
 * @property {number} row
 * @property {number} network
 * @property {boolean} drawn
 */

/** What follows from a state: of each strategy that is drawn, the row of its counts and its network at these flops. */
export class View {
  /** @param {State} state @param {import("./counts.js").Counts} counts @param {Strategy[]} strategies @param {Point[]} measured Of this base network. */
  constructor(state, counts, strategies, measured = []) {
    this.state = state;
    this.counts = counts;
    this.flops = state.scale * counts.header.base.flops;
    const byName = new Map(strategies.map((each) => [each.name, each]));
    const chosen = state.strategies.filter((name) => byName.has(name) && counts.rowOf.has(name));
    /** @type {Way[]} */
    this.ways = (chosen.includes("w") ? chosen : ["w", ...chosen]).map((name) =>
      this._way(name, name, /** @type {Strategy} */ (byName.get(name)).colour, /** @type {number} */ (counts.rowOf.get(name)), chosen.includes(name)),
    );
    /** The named strategy that the slider stands on, if any. */
    this.same = NAMED_ALPHAS.find(([alpha]) => Math.abs(alpha - state.alpha) < 1e-9)?.[1] ?? null;
    /** The slider's α, or the nearest, until a host has counted it. */
    this.alpha = this.counted ? state.alpha : counts.nearAlpha(state.alpha).alpha;
    this.slider = this._way(ALPHA, `α ${saidAlpha(this.alpha)}`, "var(--ink)", this.row, true);
    /** The strategies that are drawn, the slider's last. */
    this.drawn = [...this.ways.filter((each) => each.drawn), this.slider];
    this.timing = counts.timings[state.timing];
    const points = measured.filter((each) => each.label === this.timing?.label);
    /** Measured times of the strategies that are drawn, and of the base. */
    this.points = points.filter(({ strategy }) => !byName.has(strategy) || chosen.includes(strategy));
    /** What width scaling takes at these flops: as predicted, or else as measured. @type {(flops: number) => number} */
    this.reference = this.predicted
      ? counts.reference(this.timing.ms)
      : powerLaw(points.filter(({ strategy }) => strategy === "w" || !strategy).map(({ flops, ms }) => /** @type {[number, number]} */ ([flops, ms])).sort(([a], [b]) => a - b), BEYOND);
  }

  /** The row of that α. */
  get row() {
    return this.counts.rowOf.get(this.same ?? "") ?? this.counts.nearAlpha(this.state.alpha).row;
  }

  /** Whether the slider's α is counted: hundredths and the named ones are, others where a host brings them. */
  get counted() {
    return this.counts.rowOf.has(this.same ?? "") || this.counts.hasAlpha(this.state.alpha);
  }

  /** Whether times are predicted, of any network. */
  get predicted() {
    return this.timing?.predicted ?? false;
  }

  /** Whether times are drawn as they are: so they are, too, where no time of w is known to compare them with. */
  get absoluteTimes() {
    const { points, reference } = this;
    return this.state.absolute || (!this.predicted && points.length > 0 && points.every(({ flops }) => Number.isNaN(reference(flops))));
  }

  /** @param {string} key @param {string} name @param {string} colour @param {number} row @param {boolean} drawn @returns {Way} */
  _way(key, name, colour, row, drawn) {
    return { key, name, colour, row, network: this.counts.nearest(row, this.flops), drawn };
  }

  /** The largest error of the times of the marked networks, as a fraction. */
  get error() {
    return Math.max(...this.drawn.filter((way) => this.timing.ms[way.network] > 0).map((way) => this.timing.error[way.network]), 0);
  }

  /** The way whose network is shown stage by stage. */
  get shown() {
    return this.drawn.find((each) => each.key === this.state.shown) ?? this.slider;
  }

  /** By which law a strategy's count grows. @param {Way} way */
  law(way) {
    return this.counts.header.laws?.[this.state.count][way.row] ?? "";
  }

  /** The finding at these flops, in parts; what is a figure is bold. @returns {(string | [string])[]} */
  sentence() {
    const { counts, timing } = this;
    const named = this.ways.filter((each) => each.drawn);
    const least = named.find((each) => each.name === "dWr") ?? named.find((each) => each.name === "w") ?? named[0];
    const activations = counts.relative(counts.activations);
    const most = named.find((each) => each.name === "dwr" && each !== least) ?? named.filter((each) => each !== least).sort((a, b) => activations[b.network] - activations[a.network])[0];
    const off = Math.max(...this.drawn.map((way) => Math.abs(counts.flops[way.network] / this.flops - 1)));
    const at = /** @type {(string | [string])[]} */ (["At ", [short(this.flops)], ` multiply-adds (±${percent(off)} %, corrected for), `]);
    if (!least) return ["No strategy is chosen: choose some above."];
    if (!most && this.same === least.name) return [...at, [least.name], " is alone: choose strategies to compare it with."];
    const ms = timing ? counts.relative(timing.ms) : null;
    const compared = (/** @type {{network: number}} */ way) => {
      const made = activations[way.network] / activations[least.network];
      const takes = ms ? ms[way.network] / ms[least.network] : NaN;
      return { made: times(made), takes: Number.isFinite(takes) ? times(takes) : "" };
    };
    const source = timing ? ` as long on ${timing.label} (${timing.note}, ±${percent(this.error)} %)` : "";
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
    parts.push(...this._fastest(), timing && !timing.predicted && this.points.length ? `. Times on ${timing.label} are measured, not predicted.` : ".");
    return parts;
  }

  /** Which network is the fastest for its flops, and by how much, if the predictions can tell. @returns {(string | [string])[]} */
  _fastest() {
    const { counts, timing, drawn } = this;
    const ms = this.predicted ? counts.relative(timing.ms) : [];
    const apart = drawn.filter((way) => way !== this.slider || !drawn.some(({ name }) => name === this.same));
    const [first, second] = apart.filter(({ network }) => ms[network] > 0).sort((a, b) => ms[a.network] - ms[b.network]);
    if (!second) return [];
    const ahead = ms[second.network] / ms[first.network];
    if (ahead - 1 < Math.max(timing.error[first.network], timing.error[second.network])) return ["; ", [first.name], " and ", [second.name], " are the fastest"];
    return ["; ", [first.name], " is the fastest, ", [times(ahead)], " as fast as ", [second.name]];
  }
}
