// The list of questions: all rows in memory, only those in sight in the document.
"use strict";
sfView.list = (() => {
  const { h, kind, mark, shown } = sfView.dom;
  const HEIGHT = 58;
  const rows = []; // as data has them
  const texts = []; // what is searched, loaded with the first search
  let meta, visible = [], current = -1, choose = () => {}, textsLoading = null;
  const drawn = new Map();
  const list = document.getElementById("list"), space = document.getElementById("rows");
  const search = document.getElementById("search"), found = document.getElementById("found");
  const filters = []; // {element, holds(row)}

  function select(label, options, holds) {
    const element = h("select", { "aria-label": label, title: label },
      h("option", { value: "" }, label), options.map(([value, text]) => h("option", { value }, text)));
    element.addEventListener("change", refresh);
    filters.push({ element, holds });
    return element;
  }

  function grouped(label, groups, holds) {
    const element = h("select", { "aria-label": label, title: label }, h("option", { value: "" }, label),
      groups.map(([name, options]) => {
        const group = h("optgroup", { label: shown(name) });
        group.append(...options.map(([value, text]) => h("option", { value }, text)));
        return group;
      }));
    element.addEventListener("change", refresh);
    filters.push({ element, holds });
    return element;
  }

  const words = (name) => name.replaceAll("_", " ");

  function start(given, onChoose) {
    meta = given;
    choose = onChoose;
    const right = meta.outcomes.indexOf("correct");
    const judged = (outcome) => ["correct", "partial", "wrong", "no_answer"].includes(meta.outcomes[outcome]);
    const outcomeOptions = (number) => meta.outcomes.map((name, at) => [`${number}:${at}`, words(name)]);
    const failedOptions = (number) => [`${number}:failed`, "failed, of any kind"];
    const parts = [];
    if (meta.tasks.length > 1) {
      parts.push(select("Task", meta.tasks.map(([, title], at) => [String(at), title]), (row, value) => row[0] === Number(value)));
    }
    parts.push(grouped("Category", meta.facets.map(([name, values], at) => [name, values.map((value, place) => [`${at}:${place}`, value])]),
      (row, value) => { const [at, place] = value.split(":").map(Number); return row[3][at] === place; }));
    parts.push(grouped("Outcome", meta.runs.map((run, number) => [run.name, [...outcomeOptions(number), failedOptions(number)]]),
      (row, value) => {
        const [number, wanted] = value.split(":");
        const outcome = row[4][Number(number)];
        if (wanted !== "failed") return outcome === Number(wanted);
        return outcome >= 0 && !judged(outcome) && !["unjudged", "not_judged"].includes(meta.outcomes[outcome]);
      }));
    if (meta.runs.length > 1) {
      const first = meta.runs[0].name;
      const which = [["any", "Runs disagree"], ["first", `Only ${first} right`], ["others", `${first} wrong, another right`], ["all", "All right"], ["none", "All wrong"]];
      parts.push(select("Agreement", which, (row, value) => {
        // A failure, a missing or an unjudged answer is neither right nor wrong: it agrees with nothing.
        const hits = row[4].filter(judged).map((outcome) => outcome === right);
        if (!hits.length) return false;
        if (value === "all") return hits.every(Boolean);
        if (value === "none") return !hits.some(Boolean);
        if (value === "any") return hits.some(Boolean) && !hits.every(Boolean);
        if (!judged(row[4][0]) || hits.length < 2) return false;
        const [own, ...others] = hits;
        return value === "first" ? own && !others.some(Boolean) : !own && others.some(Boolean);
      }));
    }
    parts.push(select("Looked at", [["1", "With attention (sf-eval look)"]], (row) => row[5] === 1));
    document.getElementById("selects").append(...parts);
    search.addEventListener("input", () => { loadTexts().then(refresh); });
    document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
    list.addEventListener("scroll", draw, { passive: true });
    list.addEventListener("keydown", onKey);
    space.addEventListener("click", (event) => {
      const row = event.target.closest("[data-at]");
      if (row) go(Number(row.dataset.at));
    });
    new ResizeObserver(draw).observe(list);
  }

  function add(part) {
    rows.push(...part);
    refresh();
  }

  function loadTexts() {
    textsLoading ||= Promise.all(Array.from({ length: meta.parts }, (_, at) => sfView.numbered("text", at + 1, 3)))
      .then((parts) => { for (const part of parts) texts.push(...part); });
    return textsLoading;
  }

  function refresh() {
    const active = filters.filter((filter) => filter.element.value);
    const asked = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = current >= 0 ? visible[current] : -1;
    visible = [];
    rows.forEach((row, at) => {
      if (active.every((filter) => filter.holds(row, filter.element.value)) &&
          (!asked.length || asked.every((word) => (texts[at] || "").includes(word)))) visible.push(at);
    });
    for (const filter of filters) filter.element.classList.toggle("on", Boolean(filter.element.value));
    current = visible.indexOf(chosen);
    found.textContent = visible.length === meta.count ? `${meta.count.toLocaleString("en")} questions`
      : `${visible.length.toLocaleString("en")} of ${meta.count.toLocaleString("en")} questions`;
    space.style.height = `${visible.length * HEIGHT}px`;
    for (const element of drawn.values()) element.remove();
    drawn.clear();
    draw();
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 6);
    const last = Math.min(visible.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 6);
    for (const [at, element] of drawn) {
      if (at < first || at >= last) { element.remove(); drawn.delete(at); }
    }
    for (let at = first; at < last; at++) {
      if (!drawn.has(at)) {
        const element = rowElement(at);
        drawn.set(at, element);
        space.append(element);
      }
      drawn.get(at).setAttribute("aria-selected", String(at === current));
    }
    if (current >= 0) list.setAttribute("aria-activedescendant", `row-${current}`);
    else list.removeAttribute("aria-activedescendant");
  }

  function rowElement(at) {
    const row = rows[visible[at]];
    const marks = row[4].map((outcome, number) => {
      const name = outcome < 0 ? "" : meta.outcomes[outcome];
      return h("i", { class: `mark ${kind(name)}`, title: `${shown(meta.runs[number].name)}: ${words(name) || "not asked"}` }, mark(name));
    });
    const element = h("div", { class: "row", role: "option", id: `row-${at}`, "data-at": at,
      "aria-setsize": visible.length, "aria-posinset": at + 1 },
      h("div", { class: "line" }, h("span", { class: "id", dir: "auto" }, `${meta.tasks[row[0]][0]}/${row[1]}`),
        row[5] === 1 && h("span", { class: "eye", title: "attention is known" }, "◉"), h("span", { class: "marks" }, marks)),
      h("div", { class: "words", dir: "auto" }, row[6]));
    element.style.transform = `translateY(${at * HEIGHT}px)`;
    return element;
  }

  function show(at) {
    current = at;
    const top = at * HEIGHT, bottom = top + HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
    draw();
  }

  function go(at) {
    if (!visible.length) return;
    show(Math.max(0, Math.min(visible.length - 1, at)));
    choose(rows[visible[current]]);
  }

  function step(by) { go(current < 0 ? 0 : current + by); }

  function onKey(event) {
    const page = Math.max(1, Math.floor(list.clientHeight / HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    if (event.key in steps) step(steps[event.key]);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(visible.length - 1);
    else if (event.key === "Enter") document.getElementById("main").focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // The row of a question that a link names; the filters are cleared if they hide it.
  function reveal(task, id) {
    const at = rows.findIndex((row) => meta.tasks[row[0]][0] === task && row[1] === id);
    if (at < 0) return null;
    if (!visible.includes(at)) {
      for (const filter of filters) filter.element.value = "";
      search.value = "";
      refresh();
    }
    show(visible.indexOf(at));
    return rows[at];
  }

  // Which of its chunk's questions a row is: rows and chunks have one order.
  function placeInChunk(row) {
    const at = rows.indexOf(row);
    let first = at;
    while (first > 0 && rows[first - 1][2] === row[2]) first--;
    return at - first;
  }

  return { start, add, reveal, step, placeInChunk, draw, focus: () => list.focus(), search };
})();
