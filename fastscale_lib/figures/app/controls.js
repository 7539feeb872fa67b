// What a hand sets above the picture: the base network, α and the scale, the strategies, the switches.

import { checkbox, field, html, marksOf, oneTabStop, options, range, select, set, write } from "./elements.js";
import { NAMED_ALPHAS, saidAlpha } from "./state.js";
import { digits, factor, quoted, short, times, typedAlpha, typedScale } from "./text.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Data} Data */
/** @typedef {import("./state.js").View} View */
/** @typedef {import("./counts.js").Counts} Counts */
/** @typedef {import("./counts.js").Header} Header */

const named = (/** @type {Header} */ each) => (each.base ? `${each.name} · ${short(each.base.flops)} · ${each.resolution} px` : each.name);

export class Controls {
  /**
   * @param {Data} data @param {string} id For elements that name one another; of this explorer alone.
   * @param {() => Counts} counts Those of the base network that is shown.
   * @param {(changed: Partial<State>) => void} change
   * @param {boolean} anyAlpha Whether the host counts an α in between.
   */
  constructor(data, id, counts, change, anyAlpha) {
    const [least, most] = [Math.log2(data.least), Math.log2(data.most)];
    this.data = data;
    this.change = change;
    this.network = select("Base network", []);
    this.listNetworks();
    this.network.onchange = () => change({ network: data.networks[Number(this.network.value)].name });
    this.alpha = range("α, the share of width", 0, 1, 0.01);
    this.alpha.oninput = () => change({ alpha: Number(this.alpha.value) });
    this.scale = range("Scale s", least, most, 1 / counts().header.perOctave);
    this.scale.oninput = () => change({ scale: 2 ** Number(this.scale.value) });
    this.alphaField = field("α, typed", `${id}-alpha`, (text) => {
      const value = typedAlpha(text, NAMED_ALPHAS);
      if (!(value >= 0 && value <= 1)) return `α: ${quoted(text)} is no share from 0 to 1; type one as 0.8, 80 % or 1/3, or a name as dWr.`;
      const counted = anyAlpha || counts().hasAlpha(value) || NAMED_ALPHAS.some(([each]) => each === value);
      if (!counted) return `α: ${quoted(text)} lies between the hundredths that are counted here; type ${value.toFixed(2)}.`;
      change({ alpha: value });
      return null;
    });
    this.scaleField = field("Scale s or multiply-adds, typed", `${id}-scale`, (text) => {
      const { flops } = counts().header.base;
      const value = typedScale(text, flops, data.most);
      if (!(value >= data.least * (1 - 1e-9) && value <= data.most * (1 + 1e-9)))
        return `Scale: ${quoted(text)} is not from ${data.least} to ${data.most} times the base, ${short(data.least * flops)} to ${short(data.most * flops)} multiply-adds; type 8, ×8, 50 % or multiply-adds as ${short(8 * flops).replace(" ", "")}.`;
      change({ scale: Math.min(data.most, Math.max(data.least, value)) });
      return null;
    });
    this.alphaSays = html("b");
    this.scaleSays = html("b");
    this.chips = html("span", { className: "chips", role: "toolbar", "aria-label": "Strategies" });
    /** @type {Map<string, HTMLInputElement>} */
    this.boxes = new Map();
    this.restTabStop = oneTabStop(this.chips);
    this.addStrategies(data.strategies);
    this.laws = checkbox("laws", "By which power of s each count grows");
    this.absolute = checkbox("absolute", "Counts and milliseconds as they are, on logarithmic axes");
    this.laws.box.onchange = () => change({ laws: this.laws.box.checked });
    this.absolute.box.onchange = () => change({ absolute: this.absolute.box.checked });
    const powers = Array.from({ length: Math.floor((most - least) / 2) + 1 }, (_, i) => least + 2 * i);
    const slider = (/** @type {string} */ words, /** @type {Node[]} */ said, /** @type {Node[]} */ below) =>
      html("div", { className: "slider" }, html("span", {}, words, ...said), ...below);
    this.nodes = [
      html(
        "div",
        { className: "controls" },
        html("label", { className: "base" }, html("span", {}, "base network"), this.network),
        slider("α, the share of width: ", [this.alphaField.input, this.alphaSays], [
          this.alpha,
          marksOf(NAMED_ALPHAS.map(([value, name]) => [value, `${value === 1 / 3 ? "⅓" : value} ${name}`, () => change({ alpha: value })])),
        ]),
        slider("scale: ", [this.scaleField.input, this.scaleSays], [
          this.scale,
          marksOf(powers.map((power) => [(power - least) / (most - least), factor(2 ** power), () => change({ scale: 2 ** power })])),
        ]),
      ),
      this.alphaField.wrong,
      this.scaleField.wrong,
      html("div", { className: "controls" }, this.chips, html("span", { className: "switches" }, this.laws.label, this.absolute.label)),
    ];
  }

  /** List the base networks anew. */
  listNetworks() {
    options(this.network, this.data.networks.map(named));
  }

  /** Give each strategy a chip, where it has none: its name in the picture, whether it is drawn, what it scales. @param {import("./state.js").Strategy[]} strategies */
  addStrategies(strategies) {
    for (const { name, says, colour } of strategies.filter((each) => !this.boxes.has(each.name))) {
      const box = /** @type {HTMLInputElement} */ (html("input", { type: "checkbox" }));
      box.onchange = () => this.change({ strategies: [...this.boxes].filter(([, each]) => each.checked).map(([each]) => each) });
      this.boxes.set(name, box);
      this.chips.append(html("label", { style: `--colour: ${colour}`, title: `${name}: ${says}` }, box, html("b", {}, name), html("span", {}, says)));
    }
    this.restTabStop();
  }

  /** Show what is set. @param {View} view @param {string} network The base network that is chosen, drawn or yet to come. */
  show(view, network) {
    const { state } = view;
    const at = String(this.data.networks.findIndex((each) => each.name === network));
    if (this.network.value !== at) this.network.value = at;
    this.alpha.value = String(state.alpha);
    this.scale.value = String(Math.log2(state.scale));
    set(this.alpha, { "aria-valuetext": saidAlpha(state.alpha) + (view.same ? `, ${view.same}` : "") });
    set(this.scale, { "aria-valuetext": `${digits(state.scale)} times, ${short(view.flops)} multiply-adds` });
    this.alphaField.show(saidAlpha(state.alpha));
    this.scaleField.show(times(state.scale));
    write(this.alphaSays, view.same ? `= ${view.same}` : "");
    write(this.scaleSays, `= ${short(view.flops)} multiply-adds`);
    for (const [name, box] of this.boxes) box.checked = state.strategies.includes(name);
    this.absolute.box.checked = state.absolute;
    this.laws.box.checked = state.laws;
  }

  /** What is drawn, in words: on paper there are no controls. @param {View} view */
  words(view) {
    const [alpha, scale] = [this.alphaField.input.value, this.scaleField.input.value];
    return `${named(view.counts.header)}; α = ${alpha} ${this.alphaSays.textContent}; ${scale} ${this.scaleSays.textContent}`;
  }
}
