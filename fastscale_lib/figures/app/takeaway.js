// What can be taken away: buttons that copy lines of code, and a table to download.

import { button, html } from "./elements.js";
import { explorerCode, linesCsv, networkCode, networkYaml, timmCode } from "./exports.js";

/** The buttons, and which of them make no sense of a family of modules. @param {() => import("./state.js").View} view */
export function takeaway(view) {
  const copied = html("span", { role: "status" });
  /** @param {string} text */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      copied.textContent = `copied: ${text}`;
    } catch {
      copied.textContent = text; // a page from disk may have no clipboard: the text can be taken by hand
    }
  };
  /** @param {string} name @param {string} text */
  const download = (name, text) => {
    const link = /** @type {HTMLAnchorElement} */ (html("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name }));
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const described = [
    button("Copy code", "The line of Python that makes this explorer", () => copy(explorerCode(view()))),
    button("Copy network", "The shown network in Python", () => copy(networkCode(view()))),
    button("Copy YAML", "The shown network as YAML", () => copy(networkYaml(view()))),
    button("Copy timm", "The shown network as timm makes it", () => copy(timmCode(view()))),
  ];
  const root = html(
    "p",
    { className: "exports" },
    ...described,
    button("CSV", "All lines as a table", () => download(`${view().state.network}.csv`, linesCsv(view()))),
    copied,
  );
  return { root, described };
}
