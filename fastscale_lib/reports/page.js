"use strict";
// What the page does besides figures: light and dark, contents, folded code, sorted tables, chosen verdicts.
const Theme = (() => {
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const keep = theme => { try { localStorage.setItem("theme", theme); } catch { /* it holds for this page */ } };
  const asked = { now: kept() };
  const now = () => asked.now ?? (system.matches ? "dark" : "light");
  const show = () => {
    root.dataset.theme = now();
    for (const button of document.querySelectorAll("[data-do=theme]"))
      button.textContent = now() === "dark" ? "Light" : "Dark";
    document.dispatchEvent(new Event("theme"));
  };
  system.addEventListener("change", show);
  for (const button of document.querySelectorAll("[data-do=theme]"))
    button.addEventListener("click", () => {
      asked.now = now() === "dark" ? "light" : "dark";
      keep(asked.now);
      show();
    });
  show();
  return { now };
})();

// Contents: open beside the text where there is room, folded above it where there is none.
for (const contents of document.querySelectorAll(".contents")) {
  const wide = matchMedia("(min-width: 75rem)"), follow = () => { contents.open = wide.matches; };
  wide.addEventListener("change", follow);
  contents.addEventListener("click", event => { if (event.target.closest("a") && !wide.matches) contents.open = false; });
  follow();
}

for (const button of document.querySelectorAll("[data-do=code]"))
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", open);
    button.textContent = open ? "Hide all code" : "Show all code";
    for (const code of document.querySelectorAll("details.code")) code.open = open;
  });

for (const button of document.querySelectorAll("[data-show]"))
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll("[data-show]")) other.setAttribute("aria-pressed", other === button);
    for (const row of document.querySelectorAll("[data-verdict]"))
      row.hidden = Boolean(button.dataset.show) && row.dataset.verdict !== button.dataset.show;
    for (const section of document.querySelectorAll(".evidence"))
      section.hidden = !section.querySelector("[data-verdict]:not([hidden])");
  });

// Tables: a column is of numbers where every cell is one, with a unit or without, or is empty.
(() => {
  const NUMBER = /^[<>≤≥~±]?\s*([-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?:\/(\d+))?\s*([kMGT])?\s*[%×]?$/i;
  const EMPTY = /^(–|-|nan|none|<na>|nat)?$/i, UNITS = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
  const read = cell => cell?.dataset.value ?? cell?.textContent.trim() ?? "";
  const number = text => {
    const [, digits, below = 1, unit] = NUMBER.exec(text) ?? [];
    const size = UNITS[unit?.toLowerCase()] ?? 1;
    return digits ? Number(digits.replaceAll(",", "").replace("−", "-")) / below * size : NaN;
  };

  // A cell over several rows stands for each of them, as soon as rows change places.
  function split(body) {
    for (const row of body.rows)
      for (let place = 0; place < row.cells.length; place++) {
        const cell = row.cells[place], below = cell.rowSpan - 1;
        cell.rowSpan = 1;
        for (let next = row, i = 0; i < below && (next = next.nextElementSibling); i++)
          next.insertBefore(cell.cloneNode(true), next.cells[place] ?? null);
      }
  }

  // Of each column, the lowest header cell that names it alone.
  function heads(table) {
    const found = [];
    for (const row of table.tHead.rows) {
      let place = 0;
      for (const cell of row.cells) {
        if (cell.colSpan === 1 && cell.textContent.trim()) found[place] = cell;
        place += cell.colSpan;
      }
    }
    return found;
  }

  function compare(a, b, numeric) {
    const [p, q] = [a, b].map(text => EMPTY.test(text));
    if (p || q) return null;
    return numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true });
  }

  function sort(table, place, up) {
    const body = table.tBodies[0];
    split(body);
    const rows = [...body.rows], texts = rows.map(row => read(row.cells[place]));
    const numeric = texts.every(text => EMPTY.test(text) || NUMBER.test(text));
    const order = rows.map((_, i) => i).sort((i, j) => {
      const way = compare(texts[i], texts[j], numeric);
      if (way === null) return EMPTY.test(texts[i]) - EMPTY.test(texts[j]); // what is empty stays last
      return up ? way : -way;
    });
    body.append(...order.map(i => rows[i]));
  }

  function align(table) {
    const columns = Math.max(...[...table.tBodies[0].rows].map(row => row.cells.length));
    const whole = [...table.tBodies[0].rows].filter(row => row.cells.length === columns);
    for (let place = 0; place < columns; place++) {
      const texts = whole.map(row => row.cells[place].textContent.trim());
      if (!texts.every(text => EMPTY.test(text) || NUMBER.test(text))) continue;
      for (const row of table.rows) {
        const cell = row.cells[place - columns + row.cells.length];
        if (cell && cell.colSpan === 1) cell.classList.add("number");
      }
    }
  }

  // A first row of nothing but headings is the head, though it does not say so.
  function behead(table) {
    const first = table.rows[0];
    if (!table.tHead && first && [...first.cells].every(cell => cell.tagName === "TH")) table.createTHead().append(first);
  }

  for (const table of document.querySelectorAll("main table:not(.fixed)")) {
    behead(table);
    if (!table.tHead || !table.tBodies[0]?.rows.length) continue;
    align(table);
    const heading = heads(table);
    heading.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heading) other?.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sort(table, place, up);
      });
    });
  }
})();
