// Makes elements. Text is only ever set as text.
"use strict";
sfView.dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  // Characters that turn the direction of a text, and controls: shown by their number, so that nothing hides.
  const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
  const shown = (text) =>
    text.replace(HIDDEN, (character) => `\u27e8U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children.flat(3)) {
      if (child === null || child === undefined || child === false) continue;
      element.append(child instanceof Node ? child : document.createTextNode(shown(String(child))));
    }
    return element;
  }
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  // A text as data has it: whole, or beginning and end with how much lies between.
  function long(text, attributes) {
    if (!text) return h("span", { class: "soft" }, "–");
    const all = { dir: "auto", class: "given", ...attributes };
    if (!text.left_out) return h("div", all, text.text);
    return h("div", all, text.text,
      h("span", { class: "left-out" }, ` … ${text.left_out.toLocaleString("en")} characters are left out here (samples.jsonl has them) … `),
      text.end);
  }
  const seconds = (value) =>
    value >= 10 ? `${value.toFixed(0)} s` : value >= 1 ? `${value.toFixed(1)} s` : `${(1000 * value).toFixed(value < 0.01 ? 1 : 0)} ms`;
  const clock = (value) => {
    const minutes = Math.floor(value / 60);
    return minutes ? `${minutes}:${String(Math.floor(value % 60)).padStart(2, "0")}` : `${value.toFixed(1)} s`;
  };
  const MARKS = { correct: "✓", partial: "◐", wrong: "✗", no_answer: "?", unjudged: "•", not_judged: "•" };
  const kind = (outcome) => (outcome in MARKS ? outcome : outcome ? "failed" : "absent");
  const mark = (outcome) => MARKS[outcome] || (outcome ? "!" : "–");
  return { h, svg, long, seconds, clock, kind, mark, shown };
})();
