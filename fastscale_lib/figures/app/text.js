// Numbers as people read and type them.

/** @param {number} value */
export function digits(value) {
  if (value >= 99.95) return String(Math.round(value));
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** A number with three digits and a unit, as in "6.17 G". @param {number} value */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.abs(value) * 1.0005) / 3)));
  return `${digits(value / 1000 ** power)} ${["", "k", "M", "G", "T"][power]}`.trim();
}

/** A factor, as in "1.65×". @param {number} value */
export const times = (value) => (Number.isFinite(value) ? `${digits(value)}×` : "–");

/** A fraction in percent, without the sign. @param {number} value */
export const percent = (value) => (value < 0.1 ? (100 * value).toPrecision(2) : (100 * value).toFixed(0));

/** @param {number} value */
export const milliseconds = (value) => (Number.isFinite(value) ? `${digits(value)} ms` : "–");

/** A count for a tick, as in "30 M". @param {number} value */
export const tick = (value) => short(value).replace(/\.0+(?= |$)/, "");

/** A time for a tick, as in "30 ms" or "3 s". @param {number} value In milliseconds. */
export const tickOfTime = (value) => (value < 1000 ? `${Number(value.toPrecision(3))} ms` : `${Number((value / 1000).toPrecision(3))} s`);

/** A short factor for a tick. @param {number} value */
export const factor = (value) => (value === 0.25 ? "¼×" : value === 0.5 ? "½×" : `${Number(value.toPrecision(3))}×`);

/** A number as it is typed: "0,5", "1.5e9", "1,500,000"; NaN if it is none. @param {string} text */
function typed(text) {
  const plain = /^\d{1,3}(,\d{3})+$/.test(text) ? text.replaceAll(",", "") : text.replace(",", ".");
  return /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/**
 * The share of width that is typed: "0.5", "0,5", "50 %", "1/3" or a name; NaN if it is none.
 * @param {string} text @param {readonly (readonly [number, string])[]} named Shares that have a name.
 */
export function typedAlpha(text, named) {
  const plain = text.replace(/\s+/g, "").replace("⅓", "1/3").replace(/^α=?/, "");
  const [, above, below] = plain.match(/^(\d+)\/(\d+)$/) ?? [];
  const known = named.find(([, name]) => name === plain)?.[0];
  const value = known ?? (below ? Number(above) / Number(below) : plain.endsWith("%") ? typed(plain.slice(0, -1)) / 100 : typed(plain));
  return named.find(([alpha]) => Math.abs(alpha - value) < 1e-3)?.[0] ?? value;
}

/**
 * The scale that is typed: "8", "×8", "8x", "50 %"; or multiply-adds: "1.5G", "1500 M", "1.5e9". NaN if it is none.
 * @param {string} text @param {number} flops Those of the base network. @param {number} most The largest scale.
 */
export function typedScale(text, flops, most) {
  const plain = text.replace(/\s+/g, "").replace(/(flops|macs?|multiply-adds)$/i, "");
  const [, number, unit] = plain.match(/^[×x*]?(.*?)([×x*%kmgbt]?)$/i) ?? [];
  const value = typed(number ?? "");
  const size = { k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 }[unit?.toLowerCase()];
  const times_ = /^[×x*]/i.test(plain) || /[×x*]$/i.test(plain);
  if (times_ && (size || unit === "%")) return NaN;
  if (size) return (value * size) / flops;
  if (unit === "%") return value / 100;
  return times_ || value <= 1000 * most ? value : value / flops; // a large number without a unit is multiply-adds
}

/** A text of others, quoted and cut short. @param {string} text */
export const quoted = (text) => `“${text.length > 24 ? `${text.slice(0, 24)}…` : text}”`;
