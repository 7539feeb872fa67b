// The explorer's page in a notebook: the page follows the kernel's traits, and the kernel follows the hand.

/** @typedef {import("./app.js").State} State */
/** @typedef {import("./app.js").Data} Data */
/**
 * The kernel's state; `heard` has the number of the last message that the kernel took of each view.
 * @typedef {Omit<State, "timing"> & {timing: string | null, heard: Record<string, number>}} Shown
 */
/**
 * @typedef {object} Panel What the fields beside the buttons show.
 * @property {Record<string, string>} fields
 * @property {Record<string, [string, string][]>} choices Values and names by field.
 * @property {boolean} live
 * @property {boolean} busy
 * @property {number} progress
 * @property {string} status
 * @property {string} message
 * @property {boolean} full Whether the batch did not fit in memory.
 * @property {string[]} wrong The fields that the message is about.
 */

const REST_MS = 100; // a hand that moves is told once it rests this long, or at every such step of its way
const AGAIN_MS = 2000; // what was not confirmed is said again
const LONGEST_MS = 30_000;

/** The page's code, once a page, by its text. @type {Map<string, Promise<any>>} */
const codes = ((/** @type {any} */ (globalThis)).fastscaleCode ??= new Map());

/** @param {string} text @returns {Promise<typeof import("./app.js") & typeof import("./elements.js")>} */
function imported(text) {
  if (!codes.has(text)) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const code = import(url);
    codes.set(text, code);
    code.catch(() => codes.delete(text)).finally(() => URL.revokeObjectURL(url));
  }
  return /** @type {Promise<any>} */ (codes.get(text));
}

/** The code that all explorers of the kernel share. @param {any} model */
async function shared(model) {
  const code = await model.widget_manager.get_model(model.get("_code").replace("IPY_MODEL_", ""));
  return imported(code.get("script"));
}

/**
 * What a hand sets, on its way to the kernel: one message at a time, said again until the kernel confirms it.
 * @param {any} model @param {(late: boolean) => void} tellLate Called where the kernel takes long, and when it has answered.
 */
function line(model, tellLate) {
  const view = crypto.getRandomValues(new Uint32Array(4)).join("-"); // randomUUID is of secure contexts alone
  /** @type {{set?: Record<string, unknown>, press?: string}[]} */
  const waiting = [];
  /** @type {{view: string, id: number} | null} */
  let flying = null;
  let last = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let rests;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  const say = (/** @type {number} */ patience) => {
    try {
      model.send(flying);
    } catch {
      // no kernel: said again later, in case there is one by then
    }
    again = setTimeout(() => {
      tellLate(true);
      say(Math.min(LONGEST_MS, 2 * patience));
    }, patience);
  };
  const next = () => {
    rests = undefined;
    const message = flying ? undefined : waiting.shift();
    if (!message) return;
    flying = { view, id: ++last, ...message };
    say(AGAIN_MS);
  };
  return {
    /** @param {Record<string, unknown>} changed */
    set(changed) {
      const end = waiting.at(-1);
      if (end?.set) Object.assign(end.set, changed);
      else waiting.push({ set: { ...changed } });
      rests ??= setTimeout(next, REST_MS);
    },
    /** @param {string} press */
    press(press) {
      waiting.push({ press });
      next();
    },
    /** Take what the kernel confirms. @param {Record<string, number>} heard */
    heard(heard) {
      if (!flying || !(heard[view] >= flying.id)) return;
      flying = null;
      clearTimeout(again);
      tellLate(false);
      if (waiting.length) rests ??= setTimeout(next, 0);
    },
    /** Whether the kernel does not know yet what the hand has set. */
    get behind() {
      return Boolean(flying || waiting.length);
    },
    end() {
      clearTimeout(rests);
      clearTimeout(again);
    },
  };
}

/** @param {string} tag @param {Record<string, any>} properties @param {(Node | string)[]} children */
function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * The fields and buttons of measuring.
 * @param {ReturnType<typeof line>} hand @param {typeof import("./elements.js").oneTabStop} oneTabStop
 */
function measuring(hand, oneTabStop) {
  /** @type {Map<string, HTMLInputElement | HTMLSelectElement>} */
  const fields = new Map();
  /** Those in which someone types: what comes from the kernel meanwhile does not overwrite it. @type {Set<string>} */
  const typed = new Set();
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ title, /** @type {HTMLInputElement | HTMLSelectElement} */ control) => {
    fields.set(name, control);
    control.setAttribute("aria-label", label); // that of the element around a list has the list's own texts
    control.oninput = () => typed.add(name);
    control.onblur = () => typed.delete(name);
    control.onchange = () => {
      typed.delete(name);
      hand.set({ [name]: control.value });
    };
    return made("label", { title }, made("span", {}, label), control);
  };
  const text = (/** @type {number} */ size) => /** @type {HTMLInputElement} */ (made("input", { type: "text", size, spellcheck: false }));
  const list = () => /** @type {HTMLSelectElement} */ (made("select"));
  const button = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ title) =>
    /** @type {HTMLButtonElement} */ (made("button", { type: "button", title, onclick: () => hand.press(name) }, label));
  const time = button("time", "Time", "Time the marked networks on this machine");
  const predict = button("predict", "Predict", "Measure ten small networks once at this batch, and predict the time of others");
  const cancel = button("cancel", "Cancel", "Stop timing; what was measured stays");
  const fit = button("fit", "Largest batch", "Search for the largest batch that fits in memory");
  const live = /** @type {HTMLInputElement} */ (made("input", { type: "checkbox", onchange: () => hand.set({ live: live.checked }) }));
  const bar = /** @type {HTMLProgressElement} */ (made("progress", { max: 1, hidden: true }));
  const status = made("span", { className: "status" });
  status.setAttribute("role", "status");
  const late = made("span", { className: "late", hidden: true }, "no answer from the kernel yet: it is busy, or was started anew, and then the cell is to be run again");
  const message = made("span", { className: "message" });
  message.setAttribute("role", "alert");
  const buttons = made("span", { className: "buttons" }, time, made("label", { title: "Time whenever the sliders rest" }, live, "Live"), predict, fit, cancel);
  buttons.setAttribute("role", "toolbar");
  buttons.setAttribute("aria-label", "Measuring");
  const restTabStop = oneTabStop(buttons);
  const says = made("span");
  const settings = /** @type {HTMLDetailsElement} */ (made(
    "details",
    { className: "settings" },
    made("summary", { title: "What is measured, and on what" }, says),
    field("resolution", "base px", "The side of the base network's images in pixels, or height x width", text(5)),
    field("device", "measure on", "auto: the GPU where there is one, else the CPU", list()),
    field("batch", "batch", "Images a batch", text(4)),
    field("precision", "precision", "The precision of the timed networks", list()),
    field("mode", "mode", "A forward pass, or a training step", list()),
  ));
  const nodes = [settings, buttons, bar, status, late, message];

  /** @param {Panel} panel */
  function show(panel) {
    for (const [name, control] of fields) {
      const choices = panel.choices[name];
      if (choices && control instanceof HTMLSelectElement && control.dataset.choices !== JSON.stringify(choices)) {
        control.dataset.choices = JSON.stringify(choices);
        control.replaceChildren(...choices.map(([value, label]) => made("option", { value }, label)));
      }
      const wrong = panel.wrong.includes(name);
      control.setAttribute("aria-invalid", String(wrong));
      if (!wrong && !typed.has(name) && !hand.behind) control.value = panel.fields[name];
    }
    const { device, batch, precision, mode, resolution } = panel.fields;
    const where = panel.choices.device.find(([value]) => value === device)?.[1] ?? device;
    const told = `${where}, batch ${batch}, ${precision} ${mode}, base of ${resolution} px`;
    if (says.textContent !== told) says.textContent = told;
    settings.open ||= panel.wrong.some((name) => fields.has(name));
    live.checked = panel.live;
    time.disabled = predict.disabled = fit.disabled = panel.busy;
    fit.hidden = !panel.full;
    cancel.disabled = !panel.busy;
    restTabStop();
    bar.hidden = !panel.busy;
    bar.value = panel.progress;
    if (status.textContent !== panel.status) status.textContent = panel.status;
    if (message.textContent !== panel.message) message.textContent = panel.message;
  }
  return { nodes, show, late };
}

/** @param {{model: any, el: HTMLElement}} given */
async function render({ model, el }) {
  const root = made("div");
  el.classList.add("fastscale-explorer");
  el.append(root);
  const { mount, oneTabStop } = await shared(model);
  const hand = line(model, (is) => (controls.late.hidden = !is));
  const controls = measuring(hand, oneTabStop);

  /** @type {Data} */
  const data = structuredClone(model.get("_data"));
  const timings = () => data.networks.find((each) => each.name === page.state.network)?.timings ?? [];
  /** The kernel's state as the page has it. @param {Shown} shown @returns {State} */
  const taken = ({ heard, timing, ...state }, known = timings()) => ({
    ...state,
    timing: Math.max(0, known.findIndex((each) => each.label === timing)),
  });
  const base = model.get("_base");
  data.networks = data.networks.map((each) => (each.name === base.name ? base : each));
  if (!data.networks.includes(base)) data.networks.unshift(base);
  data.strategies.push(...base.strategies);
  data.start = taken(model.get("_shown"), base.timings);
  const page = await mount(root, data, {
    get: () => "",
    set() {},
    changed(/** @type {Partial<State>} */ { timing, ...changed }) {
      hand.set(timing === undefined ? changed : { ...changed, timing: timings()[timing].label });
      later();
    },
  });
  page.actions.append(...controls.nodes);

  const took = { base, times: null };
  /** The times that were asked for, as the kernel may be slow to predict them. @type {Set<string>} */
  const asked = new Set();
  let [syncs, again] = [false, false];

  async function sync() {
    if (syncs) return void (again = true);
    syncs = true;
    try {
      await take();
    } finally {
      syncs = false;
    }
    if (again) {
      again = false;
      await sync();
    }
  }

  async function take() {
    const [now, times, shown] = ["_base", "_times", "_shown"].map((name) => model.get(name));
    hand.heard(shown.heard);
    const known = times.serial === now.serial;
    if (now !== took.base || (known && times !== took.times)) {
      if (known) asked.clear();
      Object.assign(took, { base: now, times });
      await page.show({ ...now, ...(known ? times : {}) }, now.strategies);
    }
    if (!hand.behind) await page.change(taken(shown, data.networks.find((each) => each.name === shown.network)?.timings));
    page.setMeasured(model.get("_points"));
    controls.show(model.get("_panel"));
    ask();
  }

  /** Ask for the times that are chosen, where they are not here yet. */
  function ask() {
    const { network, timing } = page.state;
    const chosen = timings()[timing];
    if (network !== took.base.name || !chosen || chosen.arrays !== undefined || asked.has(chosen.label)) return;
    asked.add(chosen.label);
    hand.set({ times: chosen.label });
  }
  const later = () => requestAnimationFrame(ask);

  model.on("change", sync);

  await sync();
  return () => {
    model.off("change", sync);
    hand.end();
    page.end();
  };
}

export default { render };
