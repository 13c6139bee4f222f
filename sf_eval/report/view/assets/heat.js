// What a look holds, and the line above the strip that shows it.
"use strict";
sfView.heat = (() => {
  const { h, svg, clock } = sfView.dom;
  const ASKERS = {
    question: "the question's words",
    last: "the last word of the prompt",
    answer: "the answer's words",
  };

  // Share of each frame, of one asker and one layer ("all": their mean, by the sizes of their gates).
  function shares(look, asker, layer) {
    const layers = look.frames[asker];
    if (layer !== "all") return layers[layer];
    const sum = look.gates[asker].reduce((total, gate) => total + gate, 0);
    const weight = (at) => (sum > 0 ? look.gates[asker][at] / sum : 1 / layers.length);
    return layers[0].map((_, frame) => layers.reduce((total, each, at) => total + weight(at) * each[frame], 0));
  }

  // One frame's slow tokens, in multiples of an even share.
  function cells(look, asker, frame) {
    look.decoded ||= look.steps.map((text) => atob(text));
    const [rows, columns] = look.grid;
    const size = rows * columns, from = frame * size;
    return Array.from({ length: size }, (_, at) => (look.decoded[asker].charCodeAt(from + at) / 255) * look.largest[asker]);
  }

  function controls(look, of, state, redraw) {
    const asker = h("select", { "aria-label": "Whose attention" },
      look.askers.map((name, at) => h("option", { value: at, selected: at === state.asker }, ASKERS[name] || name)));
    const layer = h("select", { "aria-label": "Layer" }, h("option", { value: "all" }, "all hybrid layers"),
      look.layers.map((number, at) => h("option", { value: at, selected: at === state.layer }, `layer ${number}`)));
    asker.addEventListener("change", () => { state.asker = Number(asker.value); redraw(); });
    layer.addEventListener("change", () => { state.layer = layer.value === "all" ? "all" : Number(layer.value); redraw(); });
    return h("div", { class: "controls" }, h("span", { dir: "auto" }, `Attention of ${of}: `), asker, h("span", {}, "in"), layer);
  }

  // Bars over the whole width, one a frame; the height is the share, the darkest is the peak.
  function line(values, times, choose) {
    const most = Math.max(...values, 1e-9), count = values.length;
    const picture = svg("svg", { class: "heat", viewBox: `0 0 ${count} 100`, preserveAspectRatio: "none", role: "img",
      "aria-label": `Attention over ${count} frames; most at frame ${values.indexOf(most) + 1}` });
    values.forEach((value, frame) => {
      const height = Math.max(1.5, (96 * value) / most);
      picture.append(svg("rect", { class: value === most ? "peak" : "share", x: frame + 0.08, width: 0.84, y: 100 - height, height,
        "fill-opacity": (0.35 + (0.65 * value) / most).toFixed(3) }));
      const touch = svg("rect", { class: "touch", x: frame, width: 1, y: 0, height: 100 },
        svg("title", {}, `frame ${frame + 1}${times.length ? `, ${clock(times[frame])}` : ""}: ${(100 * value).toFixed(1)}%`));
      touch.addEventListener("click", () => choose(frame));
      picture.append(touch);
    });
    return picture;
  }

  // A frame's grid over its picture: an even share is see-through, ten times as much is not.
  function grid(values, [rows, columns], side) {
    const most = Math.max(...values, 1e-9);
    const picture = svg("svg", { class: "grid", viewBox: `0 0 ${columns} ${rows}`, width: side, height: side, preserveAspectRatio: "none", "aria-hidden": "true" });
    values.forEach((value, at) => {
      picture.append(svg("rect", { x: at % columns, y: Math.floor(at / columns), width: 1, height: 1,
        "fill-opacity": (0.75 * (value / most)).toFixed(3) }, svg("title", {}, `${value.toFixed(1)} times an even share`)));
    });
    return picture;
  }

  return { shares, cells, controls, line, grid };
})();
