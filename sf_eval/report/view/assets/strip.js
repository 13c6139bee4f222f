// The frames that were shown: heat line, strip, fast-token windows, and one frame large.
"use strict";
sfView.strip = (() => {
  const { h, svg, clock } = sfView.dom;
  const COLUMNS = 16, LARGE = 240, SMALL = 64;

  // A tile of the picture that holds all frames, `shownSide` pixels wide.
  function tile(strip, frame, shownSide) {
    const element = h("span", { class: "tile" });
    element.style.width = element.style.height = `${shownSide}px`;
    if (strip.sprite) {
      const columns = Math.min(strip.count, COLUMNS), rows = Math.ceil(strip.count / COLUMNS);
      element.style.backgroundImage = `url("${strip.sprite}")`;
      element.style.backgroundSize = `${columns * shownSide}px ${rows * shownSide}px`;
      element.style.backgroundPosition = `${-(frame % COLUMNS) * shownSide}px ${-Math.floor(frame / COLUMNS) * shownSide}px`;
    } else {
      element.classList.add("blank");
      element.append(String(frame + 1));
    }
    return element;
  }

  // `names` of all runs that were shown these frames; `of` is the run that the look is of, if there is one.
  function render(strip, look, { names, of, slow }) {
    const state = { frame: -1, asker: 0, layer: "all" };
    const windowsOf = Array.from({ length: strip.count }, () => []);
    (strip.windows || []).forEach((window, at) => window.forEach((frame) => windowsOf[frame].push(at)));
    const times = strip.times_s.length ? strip.times_s : look ? look.times_s : [];
    const usable = look && look.frames[0][0].length === strip.count ? look : null;
    const lineBox = h("div", { class: "line-box" });
    const band = h("div", { class: "band" });
    const large = h("div", { class: "large", "aria-live": "polite" });
    const tiles = [];
    const film = h("div", { class: "film", tabindex: "0", role: "group", "aria-label": `${strip.count} frames shown` });

    const values = () => (usable ? sfView.heat.shares(usable, state.asker, state.layer) : []);

    function choose(frame, scroll = true) {
      if (state.frame >= 0) tiles[state.frame].classList.remove("chosen");
      state.frame = Math.max(0, Math.min(strip.count - 1, frame));
      const element = tiles[state.frame];
      element.classList.add("chosen");
      if (scroll) film.scrollLeft = element.offsetLeft - film.clientWidth / 2 + element.offsetWidth / 2;
      drawLarge();
    }

    function together(windows) {
      const size = strip.windows[windows[0]].length;
      return size > 1 ? `, averaged with ${size - 1} other${size > 2 ? "s" : ""}` : ", alone";
    }

    function drawLarge() {
      const frame = state.frame, share = values()[frame];
      const facts = [];
      const fact = (name, value) => facts.push(h("dt", {}, name), h("dd", {}, value));
      fact("Frame", `${frame + 1} of ${strip.count}${strip.indices.length ? ` (number ${strip.indices[frame].toLocaleString("en")} of the file)` : ""}`);
      if (times.length) fact("Shown at", clock(times[frame]));
      const windows = windowsOf[frame];
      if (strip.windows) fact("Fast path", windows.length
        ? `in window ${windows.map((at) => at + 1).join(" and ")} of ${strip.windows.length}${together(windows)}`
        : "not seen: in no window");
      const picture = h("div", { class: "picture" }, tile(strip, frame, LARGE));
      if (usable) {
        fact("Attention", `${(100 * share).toFixed(1)}% of it, ${(share * strip.count).toFixed(1)} times an even share`);
        const [rows, columns] = usable.grid;
        if (rows * columns > 1) picture.append(sfView.heat.grid(sfView.heat.cells(usable, state.asker, frame), usable.grid, LARGE));
        fact("Slow tokens", rows * columns > 1 ? `${rows} × ${columns} of this frame; the darker, the more attention (mean of the layers)` : "one for this frame");
      }
      large.replaceChildren(picture, h("dl", {}, facts));
    }

    function drawLine() {
      if (!usable) return;
      const found = values();
      lineBox.replaceChildren(sfView.heat.controls(usable, of, state, () => { drawLine(); drawLarge(); }),
        sfView.heat.line(found, times, choose));
      tiles.forEach((element, frame) => {
        element.querySelector(".glow").setAttribute("height", Math.max(1, (10 * found[frame]) / Math.max(...found, 1e-9)));
        element.querySelector(".glow").setAttribute("y", 10 - (10 * found[frame]) / Math.max(...found, 1e-9));
      });
    }

    for (let frame = 0; frame < strip.count; frame++) {
      const windows = windowsOf[frame];
      const element = h("button", { type: "button", class: "frame", tabindex: "-1", "aria-label": `Frame ${frame + 1}` },
        usable && svg("svg", { class: "under", viewBox: "0 0 1 10", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "glow", width: 1, y: 10, height: 0 })),
        tile(strip, frame, SMALL),
        strip.windows && h("span", { class: `window ${windows.length ? (windows[0] % 2 ? "odd" : "even") : "none"}` }, windows.length ? String(windows[0] + 1) : "·"),
        h("span", { class: "time" }, times.length ? clock(times[frame]) : ""));
      element.addEventListener("click", () => choose(frame, false));
      tiles.push(element);
      film.append(element);
    }
    film.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 };
      if (!(event.key in steps)) return;
      choose(state.frame + steps[event.key]);
      event.preventDefault();
      event.stopPropagation();
    });

    band.append(h("p", { class: "note" }, !strip.windows ? `${strip.count} frames were shown.`
      : `${strip.count} frames were shown; the coloured band says which of ${strip.windows.length} windows of the fast path each was averaged into` +
      (windowsOf.some((each) => !each.length) ? ` (· in none: ${slow ? "the slow path alone sees it" : "nothing sees it"}).` : ".")),
      strip.why_not && h("p", { class: "note warn" }, `No pictures: ${strip.why_not}`));
    if (look && !usable) band.append(h("p", { class: "note warn" }, "Its attention is of another number of frames, and is not shown."));
    if (usable && !usable.as_asked) band.append(h("p", { class: "note warn" }, "The attention was worked out with another video, other libraries or another kind of device than the run was asked with."));
    if (usable && usable.same_output === false) band.append(h("p", { class: "note warn" }, "While it was watched, the model gave another answer than the run recorded."));
    const section = h("section", { class: "card strip" }, h("h3", { dir: "auto" }, `What ${names} saw`), lineBox, film, band, large);
    drawLine();
    const found = values();
    requestAnimationFrame(() => choose(found.length ? found.indexOf(Math.max(...found)) : 0));
    section.step = (by) => choose(state.frame + by);
    return section;
  }

  return { render };
})();
