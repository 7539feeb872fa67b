// The picture: four panels side by side, each with its title, a line about it, and what is drawn.

import { Chart } from "./chart.js";
import { fill, html, options, pick, select, write } from "./elements.js";
import { drawOverFlops, Silhouette, stageRows, Trade } from "./panels.js";
import { COUNTS } from "./state.js";
import { percent, times } from "./text.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").View} View */
/** @typedef {"counts" | "time" | "trade"} Charted */

const MARGIN = { left: 44, right: 56, top: 8, bottom: 42 };

export class Picture {
  /**
   * @param {[number, number]} range Of scales.
   * @param {(changed: Partial<State>) => void} change What the titles choose. @param {() => View} view
   */
  constructor(range, change, view) {
    this.range = range;
    this.timing = select("Time on", []);
    this.timing.onchange = () => change({ timing: Number(this.timing.value) });
    this.count = select("Count", Object.values(COUNTS));
    this.count.onchange = () => change({ count: this.count.selectedIndex ? "params" : "activations" });
    this.shown = select("Network of", []);
    this.shown.onchange = () => change({ shown: view().drawn[this.shown.selectedIndex].key });
    this.titles = [
      pick(this.count, (name) => name[0].toUpperCase() + name.slice(1)),
      pick(this.timing, (name) => (name ? `Time on ${name}` : "Time")),
      pick(this.shown, (name) => `The network by ${name}`),
    ];
    const panel = (/** @type {string} */ name, /** @type {string} */ label, /** @type {Node | string} */ title, /** @type {Node[]} */ below = []) => {
      const about = html("small");
      const box = html("div", { className: name === "network" ? "silhouette" : "chart" });
      return { about, box, made: html("section", { className: name, "aria-label": label }, html("h2", {}, title), about, html("div", {}, box, ...below)) };
    };
    this.stages = /** @type {HTMLTableElement} */ (html("table", { className: "stages" }));
    this.panels = {
      counts: panel("counts", "Counts over flops", this.titles[0].made),
      time: panel("time", "Times over flops", this.titles[1].made),
      trade: panel("trade", "Counts and times over α", "What α trades"),
      network: panel("network", "The network, stage by stage", this.titles[2].made, [this.stages]),
    };
    this.root = html("div", { className: "panels" }, ...Object.values(this.panels).map((each) => each.made));
    const { counts, time, trade, network } = this.panels;
    this.charts = {
      counts: new Chart(counts.box, { ...MARGIN }, "multiply-adds, × the base’s"),
      time: new Chart(time.box, { ...MARGIN, left: 52 }, "multiply-adds, × the base’s"),
      trade: new Chart(trade.box, { ...MARGIN, left: 92, right: 36 }, "α", true),
    };
    this.trade = new Trade(this.charts.trade);
    this.silhouette = new Silhouette(network.box);
    write(network.about, "each stage long by its blocks, high by its width");
  }

  /** Another base network, or other times of one. @param {import("./counts.js").Counts} counts */
  take(counts) {
    options(this.timing, counts.timings.map((each) => each.label));
    this.timing.disabled = !counts.timings.length;
    this.panels.network.made.hidden = !counts.header.stages;
  }

  /** Fit what is drawn into its boxes, or all charts to one size. @param {[number, number]} [size] Width and height in pixels. */
  fit(size) {
    const all = [...Object.values(this.charts), this.silhouette];
    const sizes = all.map((each) => {
      const { width, height } = each.box.getBoundingClientRect();
      return size ?? /** @type {const} */ ([width, height]);
    });
    all.forEach((each, i) => each.fit(...sizes[i]));
  }

  /** Draw the charts, and show what is chosen. @param {View} view */
  draw(view) {
    const { state } = view;
    this.count.selectedIndex = state.count === "params" ? 1 : 0;
    this.timing.value = String(state.timing);
    options(this.shown, view.drawn.map((each) => each.key));
    this.shown.selectedIndex = view.drawn.indexOf(view.shown);
    for (const each of this.titles) each.show();
    for (const name of /** @type {const} */ (["counts", "time"])) if (this.charts[name].width) drawOverFlops(this.charts[name], view, name, this.range);
    if (this.charts.trade.width) this.trade.draw(view);
  }

  /** Write what stands below the titles, and draw the network. @param {View} view */
  write(view) {
    const { state, counts } = view;
    write(this.panels.counts.about, state.absolute ? "on logarithmic axes" : "relative to w at the same multiply-adds");
    write(this.panels.time.about, aboutTimes(view));
    write(this.panels.trade.about, `at ${times(state.scale)} the multiply-adds, relative to w`);
    if (!counts.header.stages) return;
    this.silhouette.draw(view);
    fill(this.stages, stageRows(view));
  }

  /** Say in words what each chart shows. @param {State} state @param {string} finding */
  describe(state, finding) {
    const what = { counts: COUNTS[state.count], time: "time", trade: "activations, time and parameters over α" };
    for (const name of /** @type {Charted[]} */ (Object.keys(what))) this.charts[name].root.setAttribute("aria-label", `${what[name]}: ${finding}`);
  }
}

/** @param {View} view */
function aboutTimes(view) {
  const { timing, points, reference, absoluteTimes } = view;
  if (!timing) return "";
  const beyond = points.filter(({ flops }) => Number.isNaN(reference(flops))).length;
  const predicted = view.predicted && points.length ? " as predicted" : "";
  const unit = absoluteTimes ? "a batch" : `relative to w${predicted}${beyond ? ` (${beyond} beyond it)` : ""}`;
  const marks = points.length ? ["◆ measured", ...(points.some(({ doubt }) => doubt) ? ["◇⚠ in doubt"] : [])] : [];
  return [...(view.predicted ? [`${timing.note} ±${percent(view.error)} %`] : []), ...marks, unit].join(", ");
}
