"use strict";
// Figures drawn as SVG: what a point says, a slider, the entries of the legend, and the picture as a file.
(() => {
  const NEAR = 24; // pixels of the picture

  function drawn(node) {
    const area = node.querySelector(".drawing"), svg = area.querySelector("svg");
    const { spots, slider } = JSON.parse(node.querySelector("script[type='application/json']").textContent);
    const off = new Set(), tip = document.createElement("div");
    let step = slider?.active ?? 0;
    for (const group of area.querySelectorAll("g[data-key]:not(.key)"))
      if (group.style.display === "none" && !group.dataset.step) off.add(group.dataset.key);

    const shown = (key, when) => !off.has(key) && (when == null || Number(when) === step);
    function show() {
      for (const group of area.querySelectorAll("g[data-key]"))
        if (group.classList.contains("key")) group.classList.toggle("off", off.has(group.dataset.key));
        else group.style.display = shown(group.dataset.key, group.dataset.step) ? "" : "none";
    }

    area.addEventListener("click", event => {
      const key = event.target.closest(".key")?.dataset.key;
      if (key === undefined) return;
      if (!off.delete(key)) off.add(key);
      show();
    });

    tip.className = "tip";
    tip.hidden = true;
    node.append(tip);
    svg.addEventListener("pointermove", event => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      let best = [NEAR, null];
      for (const { key, when, points } of all)
        if (shown(key, when))
          for (const point of points) {
            const apart = Math.hypot(point[0] - x, point[1] - y);
            if (apart < best[0]) best = [apart, point];
          }
      const point = best[1];
      tip.hidden = !point;
      if (!point) return;
      tip.textContent = point[2];
      const left = point[0] / scale, over = left + 14 + tip.offsetWidth > box.width;
      tip.style.left = `${Math.max(0, over ? left - 14 - tip.offsetWidth : left + 14)}px`;
      tip.style.top = `${point[1] / scale + 10}px`;
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
    const all = spots.map(([key, when, points]) => ({ key, when, points }));

    if (slider) {
      const label = document.createElement("label"), input = document.createElement("input"), said = document.createElement("output");
      Object.assign(input, { type: "range", min: 0, max: slider.labels.length - 1, step: 1, value: step });
      label.className = "slider";
      label.append(`${slider.name} `, input, said);
      node.append(label);
      const tell = () => {
        step = Number(input.value);
        said.textContent = slider.labels[step];
        input.setAttribute("aria-valuetext", `${slider.name} ${said.textContent}`);
      };
      input.addEventListener("input", () => { tell(); show(); });
      tell();
    }

    const save = document.createElement("button");
    Object.assign(save, { type: "button", className: "save", textContent: "Save SVG" });
    save.addEventListener("click", () => {
      const text = svg.outerHTML.replace(/var\(--[\w-]+, ?([^)]*)\)/g, "$1"), link = document.createElement("a");
      const name = area.getAttribute("aria-label").replace(/^Figure: /, "").split(";")[0].replace(/[^\w.-]+/g, "_").slice(0, 80);
      link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
      link.download = `${name || "figure"}.svg`;
      link.click();
      URL.revokeObjectURL(link.href);
    });
    node.append(save);
    node.dataset.ready = "";
  }

  document.querySelectorAll(".plot.drawn").forEach(drawn);
  if (!document.querySelector(".plot:not(.drawn)")) document.documentElement.dataset.figures = "drawn";
})();
