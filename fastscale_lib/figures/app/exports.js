// What leaves the page as text: lines of Python, YAML, a table of all lines.

import { ALPHA } from "./state.js";

/** @typedef {import("./state.js").View} View */

/** @param {View} view */
const alphaOf = (view) => (view.same === "dwr" ? "1/3" : String(view.alpha));

/** The scale of the shown network, as the row of its strategy has it. @param {View} view */
const scaleOf = ({ counts, shown }) => counts.scale(counts.row(shown.row).indexOf(shown.network));

/** The line of Python that makes this explorer. @param {View} view */
export function explorerCode(view) {
  const { network, strategies, alpha, scale } = view.state;
  return `fs.explore(${JSON.stringify(network)}, strategies=${JSON.stringify(strategies)}, alpha=${view.same === "dwr" ? "1/3" : alpha}, scale=${Number(scale.toPrecision(6))})`;
}

/** The line of Python that makes the shown network. @param {View} view */
export function networkCode(view) {
  const way = view.shown === view.slider ? `fs.strategy(alpha=${alphaOf(view)})` : JSON.stringify(view.shown.name);
  return `fs.scale(fs.network(${JSON.stringify(view.state.network)}), ${way}, ${scaleOf(view)})`;
}

/** The shown network as YAML, as `fs.Network.from_yaml` reads it. @param {View} view */
export function networkYaml(view) {
  const { counts, shown } = view;
  const { name, yaml = [] } = counts.header;
  const at = shown.network;
  const sizes = [counts.resolution[at], counts.stem[at], ...counts.stages(at).flatMap(({ depth, width, group }) => [depth, width, group]), counts.head[at]];
  if (sizes.length < yaml.length - 1) sizes.splice(1, 0, counts.across[at]); // images that are not square have two sides
  const body = yaml.map((part, i) => part + (i < sizes.length ? sizes[i] : "")).join("");
  const strategy = shown === view.slider ? `alpha=${alphaOf(view)}` : shown.name;
  const scale = scaleOf(view);
  const made = { base: name, strategy, s: scale };
  return `name: ${JSON.stringify(`${name} ${strategy} ×${Number(scale.toPrecision(6))}`)}\n${body}scaling: ${JSON.stringify(made)}\n`;
}

/** Values as Python writes a tuple. @param {number[]} values */
const tuple = (values) => `(${values.join(", ")}${values.length === 1 ? "," : ""})`;

/** The line of timm that makes the shown network; where its keywords are no plain sizes, the line of Python that looks for them. @param {View} view */
export function timmCode(view) {
  const { counts, shown } = view;
  const { template = "", expansion = 1, bottleneck = 1, why = "timm has no keywords for these sizes: this says why" } = counts.header.timm ?? {};
  const stages = counts.stages(shown.network);
  const depths = stages.map(({ depth }) => depth);
  const widths = stages.map(({ width }) => width);
  const planes = widths.map((each) => each / expansion);
  const inner = widths.map((each) => each * bottleneck);
  const cardinality = inner[0] / stages[0].group;
  const makes = (/** @type {number} */ base) => planes.every((each, i) => Math.floor(each * (base / 64)) * cardinality === inner[i]);
  const bases = inner.map((each, i) => (64 * each) / (cardinality * planes[i])).flatMap((each) => [Math.round(each), each]);
  /** @type {Record<string, unknown>} */
  const sizes = {
    depths: tuple(depths),
    dims: tuple(widths),
    layers: tuple(depths),
    channels: tuple(planes),
    cardinality: inner.every((each, i) => each / stages[i].group === cardinality) ? cardinality : undefined,
    base_width: bases.find(makes),
    embed_dim: widths[0],
    depth: depths[0],
    num_heads: widths[0] / stages[0].group,
    img_size: counts.resolution[shown.network] === counts.across[shown.network] ? counts.side(shown.network) : tuple([counts.resolution[shown.network], counts.across[shown.network]]),
  };
  const named = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (!template || !planes.every(Number.isInteger) || named.some((name) => sizes[name] === undefined))
    return `print(fs.architectures.to_timm(${networkCode(view)}))  # ${why}`;
  return template.replace(/\{(\w+)\}/g, (_, name) => String(sizes[name]));
}

/** All networks of all lines that were counted, as a table of comma-separated values. @param {View} view */
export function linesCsv({ alpha, counts, drawn, state, timing, predicted }) {
  const ms = predicted ? timing.ms : null;
  const lines = [["network", "strategy", "scale", "flops", "params", "activations", "resolution", ...(ms ? [`predicted_ms on ${timing.label}`] : [])]];
  for (const way of drawn)
    counts.row(way.row).forEach((at, step) => {
      if (counts.header.counted && !counts.header.counted[way.row].includes(step)) return;
      const cells = [counts.scaleOf(step), counts.flops[at], counts.params[at], counts.activations[at], counts.side(at), ...(ms ? [ms[at]] : [])];
      lines.push([state.network, way.key === ALPHA ? `alpha=${alpha}` : way.name, ...cells.map(String)]);
    });
  return lines.map((cells) => cells.map((each) => (/[",]/.test(each) ? `"${each.replaceAll('"', '""')}"` : each)).join(",")).join("\n") + "\n";
}
