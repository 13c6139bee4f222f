// Loads data: scripts in data/, each of which hands over one name and one JSON text. A page that is opened from
// a file may not fetch anything, but it may load scripts.
"use strict";
const sfView = (() => {
  const waiting = new Map(); // name -> {resolve, reject}
  const loaded = new Map(); // name -> promise
  const MOST_KEPT = 40; // chunks in memory

  function take(name, json) {
    const entry = waiting.get(name);
    if (entry) {
      waiting.delete(name);
      entry.resolve(JSON.parse(json));
    }
  }

  function load(name) {
    if (!loaded.has(name)) {
      if (loaded.size >= MOST_KEPT) {
        const oldest = [...loaded.keys()].find((key) => /^(chunk|look)-/.test(key) && !waiting.has(key));
        if (oldest) loaded.delete(oldest);
      }
      loaded.set(name, new Promise((resolve, reject) => {
        waiting.set(name, { resolve, reject });
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => { script.remove(); };
        script.onerror = () => {
          script.remove();
          waiting.delete(name);
          loaded.delete(name);
          reject(new Error(`data/${name}.js cannot be loaded`));
        };
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  const numbered = (kind, number, digits) => load(`${kind}-${String(number).padStart(digits, "0")}`);
  return { take, load, numbered };
})();
