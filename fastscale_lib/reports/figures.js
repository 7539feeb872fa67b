"use strict";
// Figures that are not drawn as SVG: plotly draws them from the data beside them, in the colours of the theme and to the width there is.
(() => {
  const NARROW = 600, PRINTED = 660, PANEL_GAP = 64, LEAST_PANEL = 230, LINE = 44;
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
  const DARK = { paper: "#16181d", ink: "#e4e4e2", grid: "#2d313a", zero: "#525966" };
  const CONFIG = { displaylogo: false, responsive: false, modeBarButtonsToRemove: ["select2d", "lasso2d"],
    showSendToCloud: false, plotlyServerURL: "" }; // nothing is sent anywhere
  const TOUCH = matchMedia("(pointer: coarse)").matches, BUTTONS = 30;  // the bar of buttons, always shown on touch
  const plots = [];

  // Colours

  const HEX = /^#[0-9a-f]{6}$/i;
  const parts = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
  const hex = rgb => "#" + rgb.map(v => Math.round(v).toString(16).padStart(2, "0")).join("");
  const luminance = rgb => rgb.map(v => v / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [p, q] = [a, b].map(luminance);
    return (Math.max(p, q) + 0.05) / (Math.min(p, q) + 0.05);
  };

  // On dark paper greys are turned round, and colours lightened until they stand out.
  function onDark(colour) {
    let rgb = parts(colour);
    if (Math.max(...rgb) - Math.min(...rgb) < 16) return hex(rgb.map(v => 255 - v));
    while (contrast(rgb, parts(DARK.paper)) < 4.5) rgb = rgb.map(v => v + (255 - v) * 0.1);
    return hex(rgb);
  }

  function coloured(value, change) {
    if (typeof value === "string") return HEX.test(value) ? change(value) : value;
    if (Array.isArray(value)) return value.map(each => coloured(each, change));
    if (!value || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) =>
      [name, name === "template" || name === "text" ? each : coloured(each, change)]));
  }

  const darkAxis = { gridcolor: DARK.grid, linecolor: DARK.zero, zerolinecolor: DARK.zero };
  const darkLayout = { paper_bgcolor: DARK.paper, plot_bgcolor: DARK.paper, font: { color: DARK.ink } };
  function darkTemplate(template) {
    const layout = template?.layout ?? {};
    const axes = Object.fromEntries(["xaxis", "yaxis"].map(name => [name, { ...layout[name], ...darkAxis }]));
    return { ...template, layout: { ...layout, ...darkLayout, ...axes } };
  }

  // Panels: side by side where there is room, else one above the other

  function stacked(data, layout) {
    const named = letter => trace => (trace[letter + "axis"] ?? letter).replace(letter, letter + "axis");
    const pairs = [...new Map(data.map(t => [named("x")(t), named("y")(t)]).map(pair => [pair.join(), pair])).values()];
    const axes = pairs.flat(), domain = name => layout[name]?.domain ?? [0, 1];
    if (pairs.length < 2 || new Set(axes).size < axes.length) return;
    pairs.sort(([a, b], [c, d]) => domain(d)[1] - domain(b)[1] || domain(a)[0] - domain(c)[0]);
    const margin = { t: 80, b: 60, ...layout.margin }, around = margin.t + margin.b;
    const before = (layout.height ?? 450) - around, rows = new Set(pairs.map(([, y]) => domain(y)[0])).size;
    const panel = Math.max(LEAST_PANEL, before / rows), after = pairs.length * (panel + PANEL_GAP) - PANEL_GAP;
    const old = pairs.map(([x, y]) => [domain(x), domain(y)]);
    const top = place => 1 - place * (panel + PANEL_GAP) / after;
    for (const note of (layout.annotations ?? []).filter(each => each.xref === "paper" && each.yref === "paper")) {
      const place = old.findIndex(([x, y]) => note.x >= x[0] && note.x <= x[1] && Math.abs(note.y - y[1]) < 0.05);
      if (place >= 0) Object.assign(note, { x: 0.5, y: top(place), xanchor: "center" });
    }
    pairs.forEach(([x, y], place) => {
      layout[x] = { ...layout[x], domain: [0, 1], showticklabels: true };
      layout[y] = { ...layout[y], domain: [top(place) - panel / after, top(place)], showticklabels: true };
      const shared = layout[y].matches && layout[layout[y].matches.replace("y", "yaxis")];
      if (shared) layout[y] = { ...shared, title: layout[y].title ?? shared.title, ...layout[y] };
    });
    layout.height = after + around;
  }

  const wrapped = (text, most) => text.split(" ").reduce((lines, word) => {
    const longer = `${lines.at(-1)} ${word}`.trim();
    return longer.length > most ? [...lines, word] : [...lines.slice(0, -1), longer];
  }, [""]);

  function narrow(data, layout, width) {
    stacked(data, layout);
    for (const trace of data) delete trace.legend; // one key for all panels, below them
    for (const axis of Object.keys(layout).filter(name => /^yaxis\d*$/.test(name)))
      if (layout[axis].ticktext)
        layout[axis] = { ...layout[axis], ticktext: layout[axis].ticktext.map(text => wrapped(text, 18).join("<br>")) };
    const title = wrapped(layout.title?.text ?? "", width / 8.5), heading = title.join("") ? 14 + 18 * title.length : 0;
    const notes = (layout.annotations ?? []).some(note => note.xref === "paper") ? 16 : 0, before = layout.margin ?? {};
    const rest = (layout.height ?? 450) - (before.t ?? 80) - (before.b ?? 60);
    const named = new Set(data.filter(each => each.showlegend !== false && each.name).map(each => each.name)).size;
    const keys = layout.showlegend === false || named < 2 ? 0 : 20 * Math.ceil(named / 3) + 12;
    const bar = TOUCH ? BUTTONS : 0;
    layout.margin = { ...before, t: bar + heading + notes + 16, b: LINE + keys, r: 12, autoexpand: true };
    layout.height = rest + layout.margin.t + layout.margin.b;
    layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -LINE / rest, yanchor: "top" };
    const font = { ...layout.title?.font, size: 14 }, pad = { t: bar + 12 };
    if (heading)
      layout.title = { ...layout.title, text: title.join("<br>"), font, pad, y: 1, yref: "container", yanchor: "top" };
  }

  // Drawing

  function figure(source, theme, width) {
    let { data, layout } = structuredClone(source);
    delete layout.sliders; // they are controls of the page
    if (source.layout.sliders && layout.margin?.b > 60) {
      layout.height = (layout.height ?? 450) - layout.margin.b + 50;
      layout.margin.b = 50;
    }
    if (theme === "dark") {
      [data, layout] = [data, layout].map(each => coloured(each, onDark));
      layout.template = darkTemplate(layout.template);
    }
    if (width < NARROW) narrow(data, layout, width);
    layout.font = { ...layout.font, family: FONT };
    layout.uirevision = "kept"; // zoom and chosen traces outlast a change of theme
    if (TOUCH) layout.dragmode = false; // a finger scrolls the page
    return { data, layout };
  }

  function draw(plot, theme = Theme.now(), width = plot.area.clientWidth) {
    const { data, layout } = figure(plot.source, theme, width);
    const filename = (layout.title?.text ?? "figure").replace(/<[^>]*>/g, " ").replace(/[^\w.-]+/g, "_").slice(0, 80);
    plot.width = width;
    Plotly.react(plot.area, data, { ...layout, width }, { ...CONFIG, toImageButtonOptions: { filename, scale: 2 } });
    plot.sliders.forEach(slide => slide(theme));
    plot.area.style.minHeight = "";
    plot.area.dataset.drawn = theme;
  }

  // A native slider does what the steps of plotly's say, and takes keys and fingers.
  function slider(plot, options) {
    const { steps = [], active = 0, currentvalue = {} } = options;
    const label = document.createElement("label"), input = document.createElement("input"), said = document.createElement("output");
    const name = (currentvalue.prefix ?? "").replace(/[\s=:]+$/, "") || "step";
    Object.assign(input, { type: "range", min: 0, max: steps.length - 1, step: 1, value: active });
    label.className = "slider";
    label.append(`${name} `, input, said);
    plot.node.append(label);
    const at = () => steps[input.value];
    const tell = () => {
      said.textContent = at().label ?? input.value;
      input.setAttribute("aria-valuetext", `${name} ${said.textContent}`);
    };
    const slide = theme => {
      const { method = "restyle", args = [], execute = true } = at();
      if (!execute || method === "skip") return;
      Plotly[method](plot.area, ...(theme === "dark" ? coloured(args, onDark) : structuredClone(args)));
    };
    input.addEventListener("input", () => { tell(); slide(Theme.now()); });
    tell();
    return theme => { if (Number(input.value) !== active) slide(theme); };
  }

  function read(node) {
    return JSON.parse(node.querySelector("script[type='application/json']").textContent);
  }

  for (const node of document.querySelectorAll(".plot:not(.drawn)")) {
    const plot = { node, area: node.querySelector(".drawing"), source: read(node), width: 0 };
    plot.sliders = (plot.source.layout.sliders ?? []).map(options => slider(plot, options));
    plots.push(plot);
  }

  // One after the other, so that the page can be used meanwhile.
  const tasks = [];
  let running = false;
  function next() {
    const task = tasks.shift();
    running = Boolean(task);
    if (!task) { document.documentElement.dataset.figures = "drawn"; return; }
    task();
    setTimeout(next);
  }
  function later(more) {
    tasks.push(...more);
    if (!running) { running = true; setTimeout(next); }
  }
  const all = () => later(plots.map(plot => () => draw(plot)));

  const watched = new ResizeObserver(entries => {
    if (printing) return;
    later(plots.filter(plot => plot.width && entries.some(({ target }) => target === plot.area))
      .filter(plot => Math.abs(plot.area.clientWidth - plot.width) > 1).map(plot => () => draw(plot)));
  });
  let printing = false;
  all();
  plots.forEach(plot => watched.observe(plot.area));
  document.addEventListener("theme", all);
  addEventListener("beforeprint", () => { printing = true; plots.forEach(plot => draw(plot, "light", PRINTED)); });
  addEventListener("afterprint", () => { printing = false; plots.forEach(plot => draw(plot)); });
})();
