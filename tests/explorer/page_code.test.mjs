// The explorer's page, where it only computes: run by test_page_code.py, with cases that Python counted.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

const APP = "../../fastscale_lib/figures/app";
const { Counts, powerLaw } = await import(`${APP}/counts.js`);
const { ticks } = await import(`${APP}/chart.js`);
const { linesCsv, networkYaml, timmCode } = await import(`${APP}/exports.js`);
const { fragmentOf, NAMED_ALPHAS, saidAlpha, stateOf, View } = await import(`${APP}/state.js`);
const { short, typedAlpha, typedScale } = await import(`${APP}/text.js`);

test("a share of width is typed in many ways", () => {
  const read = (text) => typedAlpha(text, NAMED_ALPHAS);
  for (const text of ["0.5", "0,5", ".5", "50%", "50 %", "1/2", " α = 0.5 "]) assert.equal(read(text), 0.5, text);
  for (const text of ["1/3", "⅓", "dwr", "0.333", "33.3 %"]) assert.equal(read(text), 1 / 3, text);
  for (const text of ["", "half", "0.5.5", "1/0x", "-0.5", "dw"]) assert.ok(Number.isNaN(read(text)), text);
});

test("a scale is typed as times or as multiply-adds", () => {
  const read = (text) => typedScale(text, 3e8, 64);
  for (const text of ["5", "×5", "x5", "5x", "5 ×", "500 %", "1.5G", "1,5 G", "1500M", "1500 mflops", "1.5e9", "1,500,000,000", "1.5 GFLOPs", "1.5B"])
    assert.equal(read(text), 5, text);
  for (const text of ["", "fast", "x5G", "5x5", "-2", "1.5.G", "G"]) assert.ok(Number.isNaN(read(text)), text);
  assert.ok(read("65") > 64 && read("1000") > 64); // no scale, and said to be none
});

test("numbers have three digits and a unit", () => {
  assert.deepEqual([0.5, 999, 999.7, 6.1732e9, 96.46e6, 1.2e13].map(short), ["0.50", "999", "1.00 k", "6.17 G", "96.5 M", "12.0 T"]);
});

test("an α is said in hundredths, or as it is", () => {
  assert.deepEqual([0.5, 1 / 3, 0.125, 0.1234567].map(saidAlpha), ["0.50", "0.33", "0.125", "0.123457"]);
});

test("ticks are round and lie within", () => {
  assert.deepEqual(ticks(0.6, 3.3, false), [1, 2, 3]);
  assert.deepEqual(ticks(2e6, 4e7, true), [3e6, 1e7, 3e7]);
});

test("between points a quantity is a power", () => {
  const square = powerLaw([[1, 1], [4, 16], [10, 100]]);
  for (const x of [1, 2, 5, 10]) assert.ok(Math.abs(square(x) - x * x) < 1e-9 * x * x, x);
  assert.ok(Number.isNaN(square(0.9)) && Number.isNaN(square(11)) && Number.isNaN(powerLaw([])(1)));
  assert.ok(Math.abs(powerLaw([[1, 1], [10, 100]], 1.1)(11) - 121) < 1e-9);
});

const CASES = process.env.PAGE_CASES;
test("a family of which some sizes are counted", { skip: !CASES }, async () => {
  const { header, strategies, state } = JSON.parse(readFileSync(`${CASES}/family`, "utf8"));
  const view = new View(state, await Counts.read(header), strategies);
  const between = new View({ ...state, alpha: 0.37 }, view.counts, strategies);
  assert.ok(view.counted && !between.counted);
  writeFileSync(`${CASES}/family.csv`, linesCsv(view) + linesCsv(between).replace(/.*\n/, ""));
});

for (const name of CASES ? readdirSync(CASES).filter((each) => each.endsWith(".json")) : []) {
  const { header, counted, strategies, states } = JSON.parse(readFileSync(`${CASES}/${name}`, "utf8"));
  const data = { networks: [header], strategies, start: { network: header.name, timing: 0, count: "params", shown: "α", alpha: states.at(-1).alpha }, least: 0.25, most: 64 };
  const counts = await Counts.read(header);

  test(`${header.name}: every step counts as sweep does`, () => {
    const read = { ...counts, resolution: Array.from(counts.flops, (_, at) => counts.side(at)) };
    for (const [metric, values] of Object.entries(counted)) assert.deepEqual(Array.from(counts.index, (at) => read[metric][at]), values, metric);
  });

  test(`${header.name}: the shown networks are the nearest, and said in YAML`, () => {
    const told = states.map((state) => {
      const view = new View({ ...data.start, ...state }, counts, strategies);
      const off = (at) => Math.abs(Math.log(counts.flops[at] / view.flops));
      const row = Array.from(counts.row(view.shown.row));
      assert.ok(view.counted);
      assert.equal(off(view.shown.network), Math.min(...row.map(off)));
      assert.deepEqual(stateOf(fragmentOf(view.state, header), data), view.state);
      return { yaml: networkYaml(view), timm: timmCode(view), law: view.law(view.shown), scale: counts.scale(row.indexOf(view.shown.network)) };
    });
    writeFileSync(`${CASES}/${name}.told`, JSON.stringify(told));
  });
}
