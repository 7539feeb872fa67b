// The page's side of LiveFigure: starts plotly's FigureWidget bundle, and makes its views keep up with a hand.

// Starting plotly takes longer than anywidget waits for a model (2 s) on a slow or busy machine; then the figure would
// be dead. So a model is ready at once, and one copy of plotly, once it runs, serves every figure of the page.
const copies = (globalThis.fastscalePlotly ??= new Map());

function plotly(code) {
  if (!copies.has(code)) {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const started = import(url).then((bundle) => {
      if (bundle.FigureView) keepUp(bundle.FigureView.prototype);
      return bundle;
    });
    copies.set(code, started);
    started.catch(() => copies.delete(code)).finally(() => URL.revokeObjectURL(url));
  }
  return copies.get(code);
}

// JupyterLab listens to every key of the page: in its command mode d d deletes a cell, and the explorer with it. What
// is pressed on a control is the control's, but for the key that saves.
if (!globalThis.fastscaleKeys) {
  globalThis.fastscaleKeys = true;
  const keepKeys = (event) => {
    if (!event.target.closest?.(".fastscale-explorer")) return;
    const saves = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
    // On the control itself: JupyterLab's shortcuts are for what has the focus, and it looks no further up.
    event.target.toggleAttribute("data-lm-suppress-shortcuts", !saves);
  };
  window.addEventListener("keydown", keepKeys, true); // before JupyterLab, which asks for this attribute
}

export default () => {
  let ready;
  return {
    initialize({ model }) {
      // What the kernel says before plotly runs is kept, and said again.
      const early = [];
      const hear = (name) => early.push([name, model.get(name)]);
      const heard = EDITS.map((name) => [`change:${name}`, () => hear(name)]);
      heard.forEach(([event, listener]) => model.on(event, listener));
      ready = plotly(model.get("_plotly")).then((bundle) => {
        heard.forEach(([event, listener]) => model.off(event, listener));
        const widget = bundle.default();
        const listeners = new Map();
        let said = {};
        widget.initialize({
          model: {
            get: (name) => (name in said ? said[name] : model.get(name)),
            set: (name, value) => model.set(name, value),
            on: (event, listener) => (listeners.set(event, listener), model.on(event, listener)),
            save_changes: () => model.save_changes(),
          },
        });
        for (const [name, value] of early) {
          said = { [name]: value };
          listeners.get(`change:${name}`)?.();
        }
        said = {};
        return widget;
      });
      ready.catch((error) => console.error(error));
    },
    async render(view) {
      return (await ready).render(view);
    },
  };
};

const EDITS = "addTraces deleteTraces moveTraces restyle relayout update animate removeLayoutProps removeTraceProps"
  .split(" ")
  .map((edit) => `_py2js_${edit}`);

function keepUp(view) {
  // The page would send back what a change did to each trace; the kernel has said so itself, and need not know.
  view._sendTraceDeltas = view._sendLayoutDelta = function () {};

  // A view whose output was cleared goes on listening; drawing there would throw, and stop the views that live.
  for (const name of Object.getOwnPropertyNames(view).filter((name) => name.startsWith("do_"))) {
    const draw = view[name];
    view[name] = function () {
      if (this.el._fullLayout) return draw.call(this);
    };
  }

  // Plotly looks at the window alone; a sidebar that opens, or tables that come to lie below, change the width too.
  const { perform_render, remove, handle_plotly_relayout } = view;
  view.perform_render = function () {
    perform_render.call(this);
    this.observer = new ResizeObserver(() => {
      const drawn = this.el._fullLayout;
      if (drawn && this.el.clientWidth && drawn.width !== this.el.clientWidth) this.autosizeFigure();
    });
    this.observer.observe(this.el);
  };
  view.remove = function () {
    this.observer?.disconnect();
    clearTimeout(this.late);
    remove.call(this);
  };

  // Ranges that the kernel sent are no zoom of the user's.
  view.handle_plotly_relayout = function (change) {
    if (!this.drawing) handle_plotly_relayout.call(this, change);
  };

  // Plotly takes away all that a panel shows if a frame has no trace of it: the smallest goes along, as it is.
  function withEveryPanel(frame, traces) {
    const shown = traces.flatMap((trace, index) => {
      const at = frame.style_traces.indexOf(index);
      const points = (frame.style_data[at]?.x ?? trace.x)?.length;
      const panel = `${trace.xaxis} ${trace.yaxis}`;
      return trace.visible === true && points ? [{ index, panel, points, moves: at >= 0 }] : [];
    });
    const drawn = new Set(shown.filter((trace) => trace.moves).map((trace) => trace.panel));
    for (const { index, panel } of shown.sort((a, b) => a.points - b.points)) {
      if (drawn.has(panel)) continue;
      drawn.add(panel);
      frame.style_traces.push(index);
      frame.style_data.push({});
    }
  }

  // While one change is being drawn, those that arrive are joined, so that the picture keeps up with the hand.
  const animate = view.do_animate;
  view.do_animate = function () {
    const change = this.model.get("_py2js_animate");
    if (change === null) return;
    const waiting = (this.waiting ??= { traces: new Map(), layout: {} });
    change.style_traces.forEach((trace, i) =>
      waiting.traces.set(trace, { ...waiting.traces.get(trace), ...change.style_data[i] })
    );
    Object.assign(waiting.layout, change.layout_data);
    if (this.drawing) return;
    const next = () => {
      clearTimeout(this.late);
      this.drawing = waiting.traces.size > 0 && Boolean(this.el._fullLayout);
      if (!this.drawing) return;
      const joined = {
        ...change,
        style_traces: [...waiting.traces.keys()],
        style_data: [...waiting.traces.values()],
        layout_data: waiting.layout,
      };
      waiting.traces.clear();
      waiting.layout = {};
      // A frame that a redraw of the whole figure interrupts never tells its end: it is drawn again.
      const again = () => {
        if (document.hidden) return (this.late = setTimeout(again, 1000));
        joined.style_traces.forEach((trace, i) =>
          waiting.traces.set(trace, { ...joined.style_data[i], ...waiting.traces.get(trace) })
        );
        waiting.layout = { ...joined.layout_data, ...waiting.layout };
        next();
      };
      this.late = setTimeout(again, 1000);
      withEveryPanel(joined, this.el._fullData);
      const model = { get: () => joined, _normalize_trace_indexes: (traces) => traces };
      // The bundle calls _sendTraceDeltas when the frame has been drawn.
      animate.call(Object.create(this, { model: { value: model }, _sendTraceDeltas: { value: next } }));
    };
    next();
  };
}
