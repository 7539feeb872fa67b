// A pointer over the charts: pressed, it drags the scale or α; else it is told what is under it.

import { fill, html, write } from "./elements.js";
import { under } from "./panels.js";

/** @typedef {import("./state.js").View} View */
/** @typedef {import("./chart.js").Chart} Chart */
/** @typedef {import("./picture.js").Charted} Charted */

const NEAR = 12; // pixels from a measured point within which a pointer is told of it

/**
 * Follow a pointer over charts; returns the box that tells, which belongs into the root.
 * @param {HTMLElement} root @param {Record<Charted, Chart>} charts
 * @param {() => View} view @param {(name: Charted, at: number) => void} put Takes a place on the x axis that is pressed.
 */
export function followPointer(root, charts, view, put) {
  const [head, text] = [html("b"), html("p")];
  const rows = /** @type {HTMLTableElement} */ (html("table"));
  const tip = html("div", { className: "tip", hidden: true }, head, rows, text);

  for (const [name, chart] of /** @type {[Charted, Chart][]} */ (Object.entries(charts))) {
    const area = chart.box;
    /** Where a pointer is. The page is laid out when an event comes: to ask before anything is drawn costs nothing. */
    const place = (/** @type {PointerEvent} */ event) => {
      const box = chart.root.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top, at: chart.at((event.clientX - box.left) / box.width) };
    };
    area.onpointerdown = (event) => {
      area.setPointerCapture(event.pointerId);
      event.preventDefault();
      tip.hidden = true;
      put(name, place(event).at);
    };
    area.onpointermove = (event) => {
      if (area.hasPointerCapture(event.pointerId)) put(name, place(event).at);
      else if (event.pointerType === "mouse") tell(name, chart, event, place(event));
    };
    area.onpointerleave = () => (tip.hidden = true);
  }

  /** @param {Charted} name @param {Chart} chart @param {PointerEvent} event @param {{x: number, y: number, at: number}} place */
  function tell(name, chart, event, { x, y, at }) {
    const outer = root.getBoundingClientRect();
    const near = chart.placed.findIndex(([px, py]) => Math.hypot(px - x, py - y) < NEAR);
    const told = near < 0 ? under(view(), name, at) : { head: "measured", rows: [] };
    const point = view().points[near];
    write(head, told.head);
    fill(rows, [[], ...told.rows]);
    write(text, point ? `${point.text}${point.doubt ? `\n⚠ ${point.doubt}` : ""}` : "");
    tip.hidden = !point && !told.rows.length;
    const left = event.clientX - outer.left;
    tip.style.left = `${left}px`;
    tip.style.top = `${event.clientY - outer.top + 16}px`;
    tip.classList.toggle("flipped", left > outer.width / 2);
  }
  return tip;
}
