// The explorer's page: its controls, and the picture, which is drawn anew as soon as the hand moves.

import { Controls } from "./controls.js";
import { Counts } from "./counts.js";
import { fill, html, phrase, write } from "./elements.js";
import { numberRows } from "./panels.js";
import { Picture } from "./picture.js";
import { followPointer } from "./pointer.js";
import { fragmentOf, stateOf, View } from "./state.js";
import { takeaway } from "./takeaway.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Data} Data */
/** @typedef {import("./counts.js").Header} Header */

const KEPT_MS = 400; // the address and what a screen reader says follow once the hand rests

let mounted = 0;

/**
 * Show the explorer in an element.
 * @param {HTMLElement} root @param {Data} data The data are changed where the host brings more.
 * @param {import("./state.js").Host} host
 */
export async function mount(root, data, host) {
  root.classList.add("fastscale-app");
  const state = stateOf(host.get(), data); // of what is drawn
  let wanted = state.network; // drawn as soon as its arrays are here and read
  const headerOf = (/** @type {string} */ name) => /** @type {Header} */ (data.networks.find((each) => each.name === name));
  /** @type {Map<string, Counts>} */
  const read = new Map();
  const load = async (/** @type {Header} */ header) => {
    if (!read.has(header.name)) read.set(header.name, await Counts.read(header));
    return /** @type {Counts} */ (read.get(header.name));
  };
  let counts = await load(headerOf(wanted));
  /** @type {import("./state.js").Point[] | null} */
  let measured = null;
  /** @type {View} */
  let view;
  let drawn = false;
  let waits = false;
  let unwritten = false; // whether the texts are behind the charts
  let rests = 0;

  const controls = new Controls(data, `fastscale-${++mounted}`, () => counts, change, Boolean(host.changed));
  const picture = new Picture([data.least, data.most], change, () => view);
  const sentence = html("p", { className: "sentence" });
  const spoken = html("p", { className: "spoken", role: "status" });
  const printed = html("p", { className: "printed" });
  const actions = html("div", { className: "actions" });
  const numbers = /** @type {HTMLTableElement} */ (html("table"));
  const all = /** @type {HTMLDetailsElement} */ (html("details", { className: "numbers" }, html("summary", {}, "The marked networks in numbers, each at its own flops"), html("div", {}, numbers)));
  all.ontoggle = () => fill(numbers, numberRows(view));
  const taken = takeaway(() => view);
  const tip = followPointer(root, picture.charts, () => view, (name, at) =>
    change(name === "trade" ? { alpha: Math.round(at * 100) / 100 } : { scale: Math.min(data.most, Math.max(data.least, counts.scale(counts.step(at)))) }),
  );
  root.replaceChildren(...controls.nodes, actions, printed, sentence, spoken, picture.root, all, taken.root, tip);

  /** What a hand sets. @param {Partial<State>} changed */
  function change(changed) {
    host.changed?.(changed);
    follow(changed);
  }

  /** What is set, by a hand or by the host; a base network is shown once its arrays are here. @param {Partial<State>} changed */
  function follow({ network = wanted, timing = state.timing, ...changed }) {
    wanted = network;
    Object.assign(state, changed);
    if (wanted !== state.network && headerOf(wanted).arrays) return other(wanted, timing);
    state.timing = timing;
    soon();
  }

  /** Draw at once, but once a frame: what comes faster is drawn with the next. The texts follow in the frame after it. */
  function soon() {
    waits = drawn;
    if (drawn) return;
    drawn = true;
    drawLines();
    requestAnimationFrame(() => {
      drawn = false;
      if (waits) soon();
    });
    if (unwritten) return;
    unwritten = true;
    requestAnimationFrame(() => requestAnimationFrame(writeTexts));
  }

  /** Read a base network, and draw it, if by then it is still wanted, or shown. @param {string} name @param {number} timing Which of its times. */
  async function other(name, timing) {
    const found = await load(headerOf(name));
    if (name !== wanted && name !== state.network) return;
    Object.assign(state, { network: name, timing });
    counts = found;
    newNetwork();
    draw();
  }

  function newNetwork() {
    picture.take(counts);
    for (const each of taken.described) each.hidden = !counts.header.yaml;
    state.timing = Math.min(state.timing, Math.max(0, counts.timings.length - 1));
  }

  /**
   * Take a network, or other times of one: what it leaves out stays.
   * @param {Header} header @param {import("./state.js").Strategy[]} strategies Those that it has rows of beside the page's.
   */
  async function show(header, strategies = []) {
    data.strategies.push(...strategies.filter(({ name }) => !data.strategies.some((each) => each.name === name)));
    controls.addStrategies(data.strategies);
    const at = data.networks.findIndex((each) => each.name === header.name);
    const known = { ...data.networks[at], ...header };
    data.networks[at < 0 ? data.networks.length : at] = known;
    controls.listNetworks();
    read.delete(header.name);
    if (known.arrays && [wanted, state.network].includes(header.name)) await other(header.name, state.timing);
  }

  function draw() {
    drawLines();
    writeTexts();
  }

  /** What the eye follows: the controls and the charts. */
  function drawLines() {
    view = new View(state, counts, data.strategies, measured ?? counts.header.measured ?? []);
    controls.show(view, wanted);
    picture.draw(view);
    picture.root.setAttribute("aria-busy", String(wanted !== state.network || !view.counted));
    clearTimeout(rests);
    rests = setTimeout(rest, KEPT_MS);
  }

  /** What is read, and the network's silhouette: while a hand moves, they are written in every second frame. */
  function writeTexts() {
    unwritten = false;
    phrase(sentence, view.sentence());
    picture.write(view);
    if (all.open) fill(numbers, numberRows(view));
  }

  function rest() {
    if (unwritten) writeTexts(); // a page that is not seen has no frames
    host.set(fragmentOf(state, counts.header));
    write(spoken, sentence.textContent ?? "");
    picture.describe(state, sentence.textContent ?? "");
  }

  function fit() {
    picture.fit();
    draw();
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
    picture.fit([340, 240]);
    draw();
    write(printed, controls.words(view) + (view.timing ? `; time on ${view.timing.label}` : ""));
  };
  const fromPaper = () => {
    all.open = wasOpen;
    fit();
  };
  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", fromPaper);
  const watch = new ResizeObserver(fit);
  watch.observe(root);

  newNetwork();
  fit();
  rest();
  return {
    state,
    change: follow,
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
