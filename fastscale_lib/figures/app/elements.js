// Elements of the page: made once, and rewritten only where they change.

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {Record<string, string | number>} [attributes] @param {Element} [parent] */
export function svg(tag, attributes = {}, parent) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  set(made, attributes);
  parent?.append(made);
  return made;
}

/** What is written on each element: to ask the page for it costs more than most moves change. @type {WeakMap<Element, Map<string, string | number>>} */
const known = new WeakMap();

/** Set what is not so already. @param {Element} element @param {Record<string, string | number>} attributes */
export function set(element, attributes) {
  let before = known.get(element);
  if (!before) known.set(element, (before = new Map()));
  for (const name in attributes) {
    const given = attributes[name];
    const value = typeof given === "number" ? Math.round(10 * given) / 10 : given;
    if (before.get(name) === value) continue;
    before.set(name, value);
    element.setAttribute(name, String(value));
  }
}

/** Write a text, where it is not written already. @param {Element} element @param {string} text */
export function write(element, text) {
  const there = element.firstChild;
  if (there instanceof Text && !there.nextSibling) rewrite(there, text);
  else if (there || text) element.textContent = text;
}

/** @param {Text} node @param {string} text */
function rewrite(node, text) {
  if (node.data !== text) node.data = text;
}

/** Write a phrase in parts, where they are not written already. @param {Element} element @param {(string | [string])[]} parts What stands in brackets is bold. */
export function phrase(element, parts) {
  parts.forEach((part, i) => {
    const bold = typeof part !== "string";
    const there = element.childNodes[i];
    if (bold && there?.nodeName === "B") write(/** @type {Element} */ (there), part[0]);
    else if (!bold && there instanceof Text) rewrite(there, part);
    else {
      there?.remove();
      element.insertBefore(bold ? html("b", {}, part[0]) : document.createTextNode(part), element.childNodes[i] ?? null);
    }
  });
  while (element.childNodes.length > parts.length) element.lastChild?.remove();
}

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;
/** @type {Map<string, number>} */
const widths = new Map();

/** How wide texts are in the names' font, the widest in pixels; all digits are as wide. @param {string[]} texts */
export function widest(texts) {
  const alike = texts.map((each) => each.replace(/\d/g, "0"));
  for (const each of alike.filter((text) => !widths.has(text))) {
    ruler ??= document.createElement("canvas").getContext("2d");
    if (ruler) ruler.font = "600 13px system-ui, sans-serif";
    widths.set(each, ruler?.measureText(each).width ?? 8 * each.length);
  }
  return Math.max(0, ...alike.map((each) => widths.get(each) ?? 0));
}

/** @param {string} tag @param {Record<string, any>} [properties] @param {(Node | string)[]} children */
export function html(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name in made) /** @type {any} */ (made)[name] = value;
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {string} label @param {string[]} names */
export function select(label, names) {
  const made = /** @type {HTMLSelectElement} */ (html("select", { "aria-label": label }));
  options(made, names);
  return made;
}

/** @type {WeakMap<HTMLSelectElement, string>} */
const listed = new WeakMap();

/** List these names, if they are not listed already. @param {HTMLSelectElement} list @param {string[]} names */
export function options(list, names) {
  const all = names.join("\n");
  if (listed.get(list) === all) return;
  listed.set(list, all);
  list.replaceChildren(...names.map((name, value) => html("option", { value }, name)));
}

/**
 * Words that are a list, too: all of what is chosen is read, on several lines where it is long.
 * @param {HTMLSelectElement} list @param {(chosen: string) => string} say
 */
export function pick(list, say) {
  const said = html("span");
  const made = html("span", { className: "pick" }, said, list);
  return { made, show: () => write(said, say(list.selectedOptions[0]?.text ?? "")) };
}

/** @param {string} label @param {number} min @param {number} max @param {number} step */
export const range = (label, min, max, step) => /** @type {HTMLInputElement} */ (html("input", { type: "range", min, max, step, "aria-label": label }));

/** Names under a slider, which set it. @param {[number, string, () => void][]} places Each at a part of the slider's length. */
export function marksOf(places) {
  return html(
    "span",
    { className: "ticks" },
    ...places.map(([at, name, act]) => html("button", { type: "button", tabIndex: -1, style: `--at: ${at}`, onclick: act }, name)),
  );
}

/** A checkbox and its words. @param {string} words @param {string} title */
export function checkbox(words, title) {
  const box = /** @type {HTMLInputElement} */ (html("input", { type: "checkbox" }));
  return { box, label: html("label", { title }, box, words) };
}

/** @param {string} text @param {string} title @param {() => void} act */
export const button = (text, title, act) => html("button", { type: "button", title, onclick: act }, text);

/** Let arrow keys go through the controls of a group, which is one stop of the Tab key. @param {HTMLElement} group */
export function oneTabStop(group) {
  const all = () => [.../** @type {NodeListOf<HTMLElement>} */ (group.querySelectorAll(":is(input, button):enabled"))];
  const rest = (/** @type {HTMLElement} */ at) => all().forEach((each) => (each.tabIndex = each === at ? 0 : -1));
  group.addEventListener("focusin", (event) => rest(/** @type {HTMLElement} */ (event.target)));
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const each = all();
    each[(each.indexOf(/** @type {HTMLElement} */ (event.target)) + step + each.length) % each.length].focus();
    event.preventDefault();
  });
  return () => {
    const { activeElement } = /** @type {Document | ShadowRoot} */ (group.getRootNode());
    rest(all().find((each) => each === activeElement) ?? all()[0]);
  };
}

/**
 * A field that takes what people type, and says what is wrong with it.
 * @param {string} label @param {string} id @param {(text: string) => string | null} take Takes the text, or says why not.
 */
export function field(label, id, take) {
  const wrong = html("p", { className: "wrong", role: "alert", id });
  const input = /** @type {HTMLInputElement} */ (html("input", { className: "typed", "aria-label": label, "aria-describedby": id, autocomplete: "off", spellcheck: false }));
  let shown = "";
  const judge = (/** @type {string} */ why) => {
    write(wrong, why);
    input.setAttribute("aria-invalid", String(why !== ""));
  };
  /** Show what is set. @param {string} text */
  const show = (text) => {
    if (text === shown) return;
    input.value = shown = text;
    judge("");
  };
  input.onchange = () => {
    const [before, why] = [shown, take(input.value)];
    judge(why ?? "");
    if (!why && shown === before) input.value = shown; // the same, typed in another way
  };
  return { input, wrong, show };
}

/** What each row of a table says. @type {WeakMap<HTMLTableRowElement, string[]>} */
const said = new WeakMap();

/** Write rows of texts into a table, headings first (none, if they are empty); what is there already stays. @param {HTMLTableElement} table @param {string[][]} rows */
export function fill(table, rows) {
  const head = table.tHead ?? table.createTHead();
  const body = table.tBodies[0] ?? table.createTBody();
  const parts = /** @type {const} */ ([[head, rows.slice(0, 1).filter((cells) => cells.length)], [body, rows.slice(1)]]);
  for (const [part, texts] of parts) {
    while (part.rows.length > texts.length) part.deleteRow(-1);
    texts.forEach((cells, i) => {
      const row = part.rows[i] ?? part.insertRow();
      const before = said.get(row) ?? [];
      said.set(row, cells);
      while (row.cells.length > cells.length) row.deleteCell(-1);
      cells.forEach((text, column) => {
        if (before[column] === text) return;
        const heading = part === head ? "col" : column ? null : "row";
        const cell = row.cells[column] ?? row.appendChild(document.createElement(heading ? "th" : "td"));
        set(cell, heading ? { scope: heading } : { class: text.includes("→") ? "changed" : "" });
        write(cell, text);
      });
    });
  }
}
