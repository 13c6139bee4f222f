// Starts the page: which part is shown follows the address behind #, so that a question can be linked.
"use strict";
(() => {
  const body = document.body, summary = document.getElementById("summary");
  const question = document.getElementById("question"), empty = document.getElementById("empty");
  const main = document.getElementById("main");
  const wide = matchMedia("(min-width: 900px)");
  let meta, complete = false;

  const address = (row) => `#/q/${encodeURIComponent(meta.tasks[row[0]][0])}/${encodeURIComponent(row[1])}`;

  function show(view) {
    body.dataset.view = view;
    summary.hidden = view !== "summary";
    question.hidden = view !== "question";
    empty.hidden = view !== "questions";
    document.getElementById("to-summary").toggleAttribute("aria-current", view === "summary");
    document.getElementById("to-questions").toggleAttribute("aria-current", view !== "summary");
    sfView.list.draw();
  }

  function failed(error) {
    empty.textContent = `${error.message}. The folder is not whole: make the page again (sf-eval view).`;
    show("questions");
  }

  async function follow() {
    const named = /^#\/q\/([^/]*)\/(.*)$/.exec(location.hash);
    if (!named) {
      show(location.hash.startsWith("#/questions") ? "questions" : "summary");
      return;
    }
    let task, id;
    try {
      [task, id] = [decodeURIComponent(named[1]), decodeURIComponent(named[2])];
    } catch {
      [task, id] = ["", ""];
    }
    show("question");
    const row = sfView.list.reveal(task, id);
    if (!row) {
      if (complete) {
        empty.textContent = "There is no such question on this page.";
        show("questions");
      }
      return;
    }
    await sfView.question.render(row, sfView.list.placeInChunk(row), meta).catch(failed);
    main.scrollTop = 0;
    if (!wide.matches) scrollTo(0, 0);
    document.title = `${row[1]} – sf-eval`;
  }

  function onKey(event) {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "Escape" && typing) { sfView.list.focus(); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const byKey = {
      "/": () => { if (body.dataset.view === "summary") location.hash = "#/questions"; sfView.list.search.focus(); },
      ArrowDown: () => sfView.list.step(1),
      ArrowUp: () => sfView.list.step(-1),
      j: () => sfView.list.step(1),
      k: () => sfView.list.step(-1),
      ArrowLeft: () => sfView.question.step(-1),
      ArrowRight: () => sfView.question.step(1),
    };
    const arrows = event.key.startsWith("Arrow");
    if (!(event.key in byKey) || (arrows && body.dataset.view === "summary")) return;
    byKey[event.key]();
    event.preventDefault();
  }

  async function start() {
    meta = await sfView.load("meta");
    sfView.list.start(meta, (row) => {
      const next = address(row);
      if (location.hash === next) return;
      if (location.hash.startsWith("#/q/")) { history.replaceState(null, "", next); follow(); }
      else location.hash = next;
    });
    addEventListener("hashchange", follow);
    addEventListener("keydown", onKey);
    for (let part = 1; part <= meta.parts; part++) {
      sfView.list.add(await sfView.numbered("rows", part, 3));
      if (part === 1) follow();
    }
    complete = true;
    body.dataset.ready = "true";
    if (question.hidden || !question.hasChildNodes()) follow();
  }

  start().catch(failed);
})();
