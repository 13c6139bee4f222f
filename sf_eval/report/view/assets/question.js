// One question: options, what each model said, and what it was shown.
"use strict";
sfView.question = (() => {
  const { h, long, seconds, kind, mark } = sfView.dom;
  const place = document.getElementById("question");
  let strips = [], turn = 0;
  const words = (name) => (name || "").replaceAll("_", " ");

  function options(detail, meta) {
    const chosen = (letter) => detail.runs.map((run, at) => [run, at]).filter(([run]) => run.answer === letter);
    return h("ul", { class: "options" }, detail.options.map(([letter, text]) => {
      const right = letter === detail.target;
      return h("li", { class: right ? "right" : "" },
        h("b", { class: "letter" }, letter), long(text, { class: "given option" }),
        h("span", { class: "by" }, right && h("span", { class: "tag good" }, "✓ right"),
          chosen(letter).map(([, at]) => h("span", { class: `tag run${at % 6}`, dir: "auto" }, meta.runs[at].name))));
    }), detail.accepted.map((text) => h("li", { class: "right" }, long(text, { class: "given option" }),
      h("span", { class: "by" }, h("span", { class: "tag good" }, "✓ accepted")))),
    detail.target === null && !detail.accepted.length && h("li", { class: "soft" }, "The right answer is not public."));
  }

  function rule(run, outcome, detail) {
    if (detail.accepted.length) {
      if (outcome === "not_judged") return "only a judge can tell; none was asked";
      const earned = run.credit === null || run.credit === undefined ? "" : `earns ${run.credit.toFixed(3)}`;
      return [earned, run.judge && ["; the judge said: ", long(run.judge)]];
    }
    if (run.answer === null || run.answer === undefined) return "no letter was read";
    const frame = run.frame && run.frame !== "plain" ? `, ${words(run.frame)}` : "";
    return [`read as `, h("b", {}, run.answer), ` by the rule “${words(run.rule)}”${frame}`];
  }

  function said(run, about, meta, at, detail) {
    const outcome = run.outcome < 0 ? "" : meta.outcomes[run.outcome];
    const [prompt, fast, slow, fresh] = run.tokens || [];
    const facts = [];
    const fact = (name, value) => value !== null && value !== undefined && facts.push(h("dt", {}, name), h("dd", {}, value));
    const number = (value) => (value === null || value === undefined ? null : value.toLocaleString("en"));
    fact("Frames", run.frames === null || run.frames === undefined ? null : `${run.frames}${run.missing ? `, ${run.missing} more hidden by the file's edit list` : ""}`);
    fact("Prompt", prompt === null || prompt === undefined ? null : `${number(prompt)} tokens, ${number(fast)} of them fast`);
    fact("Slow path", slow === null || slow === undefined ? null : slow ? `${number(slow)} tokens` : "off");
    fact("Answer", fresh === null || fresh === undefined ? null : `${number(fresh)} tokens, ended by ${run.finish === "length" ? "the limit" : "the model"}`);
    if (run.published) fact("Published scorer", words(run.published));
    return h("section", { class: `card said ${kind(outcome)}` },
      h("h3", {}, h("i", { class: `dot run${at % 6}` }), h("span", { dir: "auto" }, about.name),
        h("span", { class: `tag ${kind(outcome)}` }, `${mark(outcome)} ${words(outcome) || "not asked"}`)),
      h("p", { class: "soft", dir: "auto" }, `${about.title}, ${about.frames} frames`),
      run.output && h("blockquote", {}, run.output.text === "" ? h("span", { class: "soft" }, "(no words)") : long(run.output)),
      run.output && h("p", { class: "read" }, rule(run, outcome, detail), run.truncated && "; its middle was too long to be read"),
      run.reason && h("p", { class: "reason" }, long(run.reason)),
      (run.notes || []).map((note) => h("p", { class: "note", dir: "auto" }, note)),
      facts.length > 0 && h("dl", {}, facts),
      run.timings && run.timings.length > 0 && h("details", {}, h("summary", {}, "Time ", h("b", {}, seconds(run.timings.at(-1)[1]))),
        h("table", {}, h("tbody", {}, run.timings.map(([stage, value, sharers]) =>
          h("tr", {}, h("th", { scope: "row" }, stage), h("td", {}, seconds(value)), h("td", { class: "soft" }, sharers > 1 ? `shared by ${sharers}` : "")))))));
  }

  function head(row, detail, meta) {
    return h("header", { class: "asked" },
      h("p", { class: "crumb" }, h("a", { href: "#/questions", class: "back" }, "‹ Questions"),
        h("span", { dir: "auto" }, `${meta.tasks[row[0]][1]} · ${row[1]} · ${detail.video}`)),
      h("h2", { dir: "auto" }, long(detail.question, { class: "given" })),
      h("p", { class: "chips" }, detail.categories.map(([name, value]) => h("span", { class: "chip", dir: "auto", title: name }, value))));
  }

  // Runs that were shown the same frames share a strip, unless each has a look of its own.
  async function strip(detail, chunk, meta) {
    const groups = [];
    detail.runs.forEach((run, at) => {
      if (run.strip === undefined) return;
      const one = chunk.strips[run.strip];
      const frames = JSON.stringify([one.count, one.sprite, one.indices, one.windows, one.why_not]);
      let group = groups.find((each) => each.frames === frames && !(each.look && run.look));
      if (!group) groups.push((group = { frames, strip: one, runs: [], look: "", of: "" }));
      group.runs.push(at);
      if (run.look) Object.assign(group, { look: run.look, of: meta.runs[at].name });
    });
    const sections = [];
    for (const { strip: one, runs, look, of } of groups) {
      const seen = look ? await sfView.load(look).catch(() => null) : null;
      const names = runs.map((at) => meta.runs[at].name).join(" and ");
      sections.push(sfView.strip.render(one, seen, { names, of, slow: runs.some((at) => meta.runs[at].slow_path) }));
    }
    return sections;
  }

  async function render(row, at, meta) {
    const mine = ++turn;
    const chunk = await sfView.numbered("chunk", row[2], 4);
    const detail = chunk.questions[at];
    const sections = await strip(detail, chunk, meta);
    if (mine !== turn) return; // somebody went on meanwhile
    strips = sections;
    const whyNot = [...new Set(detail.runs.map((run) => run.no_strip).filter(Boolean))];
    place.replaceChildren(
      head(row, detail, meta),
      options(detail, meta),
      ...sections.slice(0, 1),
      h("div", { class: "all-said" }, detail.runs.map((run, number) => said(run, meta.runs[number], meta, number, detail))),
      ...sections.slice(1),
      ...whyNot.map((text) => h("p", { class: "note warn", dir: "auto" }, `No frames: ${text}`)),
      h("details", { class: "card prompt" }, h("summary", {}, "The prompt, word for word"), long(detail.prompt, { class: "given pre" })));
  }

  const step = (by) => strips.length && strips[0].step(by);
  return { render, step };
})();
