// The explorer's page: its controls, and the picture, which is drawn anew as soon as the hand moves.

import { Chart } from "./chart.js";
import { Counts } from "./counts.js";
import { button, checkbox, field, fill, html, marksOf, oneTabStop, options, range, select, write } from "./elements.js";
import { explorerCode, linesCsv, networkCode, networkYaml } from "./exports.js";
import { drawOverFlops, numberRows, Silhouette, stageRows, Trade, under } from "./panels.js";
import { COUNTS, fragmentOf, NAMED_ALPHAS, stateOf, View } from "./state.js";
import { digits, factor, percent, quoted, short, times, typedAlpha, typedScale } from "./text.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Data} Data */
/** @typedef {import("./state.js").Strategy} Strategy */
/** @typedef {import("./counts.js").Header} Header */

const KEPT_MS = 400; // the address and what a screen reader says follow once the hand rests
const NEAR = 12; // pixels from a measured point within which a pointer is told of it

let mounted = 0;

/**
 * Show the explorer in an element.
 * @param {HTMLElement} root @param {Data} data The data are changed where the host brings more.
 * @param {import("./state.js").Host} host
 */
export async function mount(root, data, host) {
  root.classList.add("fastscale-app");
  const id = `fastscale-${++mounted}`;
  const state = stateOf(host.get(), data);
  /** @type {Map<string, Counts>} */
  const read = new Map();
  const load = async () => {
    const header = /** @type {Header} */ (data.networks.find((each) => each.name === state.network));
    if (!read.has(header.name)) read.set(header.name, await Counts.read(header));
    return /** @type {Counts} */ (read.get(header.name));
  };
  let counts = await load();
  /** @type {import("./state.js").Point[] | null} */
  let measured = null;

  // Controls

  const named = (/** @type {Header} */ each) => (each.base ? `${each.name} · ${short(each.base.flops)} · ${each.resolution} px` : each.name);
  const network = select("Base network", data.networks.map(named));
  const alpha = range("α, the share of width", 0, 1, 0.01);
  const [least, most] = [Math.log2(data.least), Math.log2(data.most)];
  const scale = range("Scale s", least, most, 1 / counts.header.perOctave);
  const alphaField = field("α, typed", `${id}-alpha`, (text) => {
    const value = typedAlpha(text, NAMED_ALPHAS);
    if (!(value >= 0 && value <= 1)) return `α: ${quoted(text)} is no share from 0 to 1; type one as 0.8, 80 % or 1/3, or a name as dWr.`;
    const counted = host.changed || counts.rowOf.has(`α=${Number(value.toPrecision(6))}`) || NAMED_ALPHAS.some(([each]) => each === value);
    if (!counted) return `α: ${quoted(text)} lies between the hundredths that are counted here; type ${value.toFixed(2)}.`;
    change({ alpha: value });
    return null;
  });
  const scaleField = field("Scale s or multiply-adds, typed", `${id}-scale`, (text) => {
    const { flops } = counts.header.base;
    const value = typedScale(text, flops, data.most);
    if (!(value >= data.least * (1 - 1e-9) && value <= data.most * (1 + 1e-9)))
      return `Scale: ${quoted(text)} is not from ${data.least} to ${data.most} times the base, ${short(data.least * flops)} to ${short(data.most * flops)} multiply-adds; type 8, ×8, 50 % or multiply-adds as ${short(8 * flops).replace(" ", "")}.`;
    change({ scale: Math.min(data.most, Math.max(data.least, value)) });
    return null;
  });
  const alphaSays = html("b");
  const scaleSays = html("b");
  const powers = Array.from({ length: Math.floor((most - least) / 2) + 1 }, (_, i) => least + 2 * i);
  const chips = html("span", { className: "chips", role: "toolbar", "aria-label": "Strategies" });
  /** @type {Map<string, HTMLInputElement>} */
  const boxes = new Map();
  const restTabStop = oneTabStop(chips);
  const chip = (/** @type {Strategy} */ each) => {
    const box = /** @type {HTMLInputElement} */ (html("input", { type: "checkbox" }));
    box.onchange = () =>
      change({ strategies: data.strategies.map((one) => one.name).filter((name) => boxes.get(name)?.checked) });
    boxes.set(each.name, box);
    chips.append(html("label", { style: `--colour: ${each.colour}`, title: `${each.name}: ${each.says}` }, box, html("b", {}, each.name), html("span", {}, each.says)));
    restTabStop();
  };
  data.strategies.forEach(chip);
  const [laws, absolute] = [checkbox("laws"), checkbox("absolute")];
  laws.label.title = "By which power of s each count grows";
  absolute.label.title = "Counts and milliseconds as they are, on logarithmic axes";
  const timing = select("Time on", []);
  const count = select("Count", Object.values(COUNTS));
  const shown = select("Network of", []);

  // What is shown

  const sentence = html("p", { className: "sentence" });
  const spoken = html("p", { className: "spoken", role: "status" });
  const printed = html("p", { className: "printed" });
  const actions = html("div", { className: "actions" }); // for the host's own controls
  const tip = html("div", { className: "tip", hidden: true });
  const panel = (/** @type {string} */ name, /** @type {string} */ label, /** @type {Node} */ title) => {
    const about = html("small");
    const box = html("div", { className: name === "network" ? "silhouette" : "chart" });
    const made = html("section", { className: name, "aria-label": label }, html("h2", {}, title), about, box);
    return { made, about, box };
  };
  const countPanel = panel("counts", "Counts over flops", count);
  const timePanel = panel("time", "Times over flops", html("span", {}, "Time on ", timing));
  const alphaPanel = panel("trade", "Counts and times over α", html("span", {}, "What α trades"));
  const networkPanel = panel("network", "The network, stage by stage", html("span", {}, "The network by ", shown));
  const [stages, numbers, told] = ["stages", "", ""].map((className) => /** @type {HTMLTableElement} */ (html("table", { className })));
  const [toldHead, toldText] = [html("b"), html("p")];
  tip.append(toldHead, told, toldText);
  networkPanel.made.append(stages);
  const all = /** @type {HTMLDetailsElement} */ (html("details", { className: "numbers" }, html("summary", {}, "All numbers at these flops"), html("div", {}, numbers)));
  const yaml = button("Copy YAML", "The shown network as YAML", () => copy(networkYaml(view)));
  const copied = html("span", { role: "status" });
  root.replaceChildren(
    html(
      "div",
      { className: "controls" },
      html("label", { className: "base" }, html("span", {}, "base network"), network),
      html(
        "div",
        { className: "slider" },
        html("span", {}, "α, the share of width: ", alphaField.input, alphaSays),
        alpha,
        marksOf(NAMED_ALPHAS.map(([value, name]) => [value, `${value === 1 / 3 ? "⅓" : value} ${name}`, () => change({ alpha: value })])),
      ),
      html(
        "div",
        { className: "slider" },
        html("span", {}, "scale: ", scaleField.input, scaleSays),
        scale,
        marksOf(powers.map((power) => [(power - least) / (most - least), factor(2 ** power), () => change({ scale: 2 ** power })])),
      ),
    ),
    alphaField.wrong,
    scaleField.wrong,
    html("div", { className: "controls" }, chips, html("span", { className: "switches" }, laws.label, absolute.label)),
    actions,
    printed,
    sentence,
    spoken,
    html("div", { className: "panels" }, countPanel.made, timePanel.made, alphaPanel.made, networkPanel.made),
    all,
    html(
      "p",
      { className: "exports" },
      button("Copy code", "The line of Python that makes this explorer", () => copy(explorerCode(view))),
      button("Copy network", "The shown network in Python", () => copy(networkCode(view))),
      yaml,
      button("CSV", "All lines as a table", () => download(`${state.network}.csv`, linesCsv(view))),
      copied,
    ),
    tip,
  );

  const charts = {
    counts: new Chart(countPanel.box, { left: 44, right: 56, top: 8, bottom: 26 }),
    time: new Chart(timePanel.box, { left: 52, right: 56, top: 8, bottom: 26 }),
    trade: new Chart(alphaPanel.box, { left: 92, right: 36, top: 8, bottom: 26 }, true),
  };
  const trade = new Trade(charts.trade);
  const silhouette = new Silhouette(networkPanel.box);

  // From the state to the picture

  /** @type {View} */
  let view;
  let drawn = false;
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
    if (state.network !== counts.header.name) other();
    else soon();
  }

  /** Draw at once, but once a frame: what comes faster is drawn with the next. */
  function soon() {
    waits = drawn;
    if (drawn) return;
    drawn = true;
    draw();
    requestAnimationFrame(() => {
      drawn = false;
      if (waits) soon();
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
   * @param {Header} header @param {Strategy[]} strategies Those that it has rows of beside the page's.
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

  function draw() {
    view = new View(state, counts, data.strategies, measured ?? counts.header.measured ?? []);
    drawControls();
    write(countPanel.about, state.absolute ? "over multiply-adds, times the base's" : "relative to w at the same multiply-adds");
    write(timePanel.about, aboutTimes());
    write(alphaPanel.about, `at ${times(state.scale)} the multiply-adds, relative to w`);
    const said = view.sentence();
    if (said.flat().join("") !== sentence.textContent) sentence.replaceChildren(...said.map((each) => (typeof each === "string" ? each : html("b", {}, each[0]))));
    for (const name of /** @type {const} */ (["counts", "time"]))
      if (charts[name].width) drawOverFlops(charts[name], view, name, [data.least, data.most]);
    if (charts.trade.width) trade.draw(view);
    if (counts.header.stages) {
      silhouette.draw(view);
      fill(stages, stageRows(view));
    }
    if (all.open) fill(numbers, numberRows(view));
    clearTimeout(rests);
    rests = setTimeout(rest, KEPT_MS);
  }

  function drawControls() {
    network.value = String(data.networks.findIndex((each) => each.name === state.network));
    alpha.value = String(state.alpha);
    scale.value = String(Math.log2(state.scale));
    alpha.setAttribute("aria-valuetext", digits(state.alpha) + (view.same ? `, ${view.same}` : ""));
    scale.setAttribute("aria-valuetext", `${digits(state.scale)} times, ${short(view.flops)} multiply-adds`);
    alphaField.show(digits(state.alpha));
    scaleField.show(times(state.scale));
    write(alphaSays, view.same ? `= ${view.same}` : "");
    write(scaleSays, `= ${short(view.flops)} multiply-adds`);
    for (const [name, box] of boxes) box.checked = state.strategies.includes(name);
    absolute.box.checked = state.absolute;
    laws.box.checked = state.laws;
    count.selectedIndex = state.count === "params" ? 1 : 0;
    timing.value = String(state.timing);
    options(shown, view.drawn.map((each) => each.key));
    shown.selectedIndex = view.drawn.indexOf(view.shown);
  }

  function aboutTimes() {
    if (!view.timing) return "";
    const beyond = view.points.filter(({ flops }) => Number.isNaN(view.reference(flops))).length;
    const unit = state.absolute ? "a batch" : `relative to w${beyond ? ` (${beyond} beyond it)` : ""}`;
    const predicted = view.predicted ? [`${view.timing.note} ±${percent(view.error)} %`] : [];
    return [...predicted, ...(view.points.length ? ["◆ measured"] : []), unit].join(", ");
  }

  function rest() {
    host.set(fragmentOf(state, counts.header));
    write(spoken, sentence.textContent ?? "");
    timing.title = view.timing?.label ?? "";
    for (const [chart, what] of /** @type {const} */ ([[charts.counts, COUNTS[state.count]], [charts.time, "time"], [charts.trade, "activations, time and parameters over α"]]))
      chart.root.setAttribute("aria-label", `${what}: ${sentence.textContent}`);
  }

  function newNetwork() {
    options(timing, counts.timings.map((each) => each.label));
    timing.disabled = !counts.timings.length;
    networkPanel.made.hidden = !counts.header.stages;
    yaml.hidden = !counts.header.yaml;
    state.timing = Math.min(state.timing, Math.max(0, counts.timings.length - 1));
  }

  // What leaves the page

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

  // The hand

  alpha.oninput = () => change({ alpha: Number(alpha.value) });
  scale.oninput = () => change({ scale: 2 ** Number(scale.value) });
  laws.box.onchange = () => follow({ laws: laws.box.checked });
  absolute.box.onchange = () => change({ absolute: absolute.box.checked });
  count.onchange = () => change({ count: count.selectedIndex ? "params" : "activations" });
  timing.onchange = () => change({ timing: Number(timing.value) });
  shown.onchange = () => change({ shown: view.drawn[shown.selectedIndex].key });
  network.onchange = () => change({ network: data.networks[Number(network.value)].name });
  all.ontoggle = () => fill(numbers, numberRows(view));

  for (const [name, chart] of /** @type {["counts" | "time" | "trade", Chart][]} */ (Object.entries(charts))) {
    const area = chart.box;
    /** Where a pointer is. The page is laid out when an event comes: to ask before anything is drawn costs nothing. */
    const place = (/** @type {PointerEvent} */ event) => {
      const box = chart.root.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top, at: chart.at((event.clientX - box.left) / box.width) };
    };
    const put = (/** @type {number} */ at) =>
      change(name === "trade" ? { alpha: Math.round(at * 100) / 100 } : { scale: Math.min(data.most, Math.max(data.least, counts.scale(counts.step(at)))) });
    area.onpointerdown = (event) => {
      area.setPointerCapture(event.pointerId);
      event.preventDefault();
      tip.hidden = true;
      put(place(event).at);
    };
    area.onpointermove = (event) => {
      if (area.hasPointerCapture(event.pointerId)) put(place(event).at);
      else if (event.pointerType === "mouse") tell(chart, name, event, place(event));
    };
    area.onpointerleave = () => (tip.hidden = true);
  }

  /**
   * Tell a pointer what is under it.
   * @param {Chart} chart @param {"counts" | "time" | "trade"} name @param {PointerEvent} event @param {{x: number, y: number, at: number}} place
   */
  function tell(chart, name, event, { x, y, at }) {
    const outer = root.getBoundingClientRect();
    const near = chart.placed.findIndex(([px, py]) => Math.hypot(px - x, py - y) < NEAR);
    const { head, rows } = near < 0 ? under(view, name, at) : { head: "measured", rows: [] };
    const point = view.points[near];
    write(toldHead, head);
    fill(told, [[], ...rows]);
    write(toldText, point ? `${point.text}${point.doubt ? `\n⚠ ${point.doubt}` : ""}` : "");
    tip.hidden = !point && !rows.length;
    const left = event.clientX - outer.left;
    tip.style.left = `${left}px`;
    tip.style.top = `${event.clientY - outer.top + 16}px`;
    tip.classList.toggle("flipped", left > outer.width / 2);
  }

  // JupyterLab would take these keys for its own; what the browser and a field do with them stays.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  // On paper there are no controls: what they say is said in words, and all numbers are shown.
  let wasOpen = false;
  const toPaper = () => {
    wasOpen = all.open;
    all.open = true;
    fill(numbers, numberRows(view));
    const timed = view.timing ? `; time on ${view.timing.label}` : "";
    for (const chart of Object.values(charts)) chart.fit(340, 240);
    silhouette.fit(340, 180);
    draw();
    write(printed, `${network.selectedOptions[0]?.text}; α = ${alphaField.input.value} ${alphaSays.textContent}; ${scaleField.input.value} ${scaleSays.textContent}${timed}`);
  };
  const fromPaper = () => {
    all.open = wasOpen;
    fit();
  };
  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", fromPaper);

  newNetwork();
  function fit() {
    const boxes = [...Object.values(charts), silhouette].map((each) => /** @type {const} */ ([each, each.box.getBoundingClientRect()]));
    for (const [each, { width, height }] of boxes) each.fit(width, height);
    draw();
  }
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
    /** Measured times of the base network that is shown, instead of those that came with it. @param {import("./state.js").Point[]} points */
    setMeasured(points) {
      measured = points;
      draw();
    },
    /** Let go of the element. */
    end() {
      watch.disconnect();
      removeEventListener("beforeprint", toPaper);
      removeEventListener("afterprint", fromPaper);
      clearTimeout(rests);
      root.replaceChildren();
    },
  };
}
