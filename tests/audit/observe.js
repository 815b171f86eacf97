// Put into every page before its own scripts: what a visitor waits for and sees jump.
// One record a document, kept for the next one in the same tab: a tap that leads on must not be lost with its page.
(() => {
  if (window !== window.top) return;
  const all = JSON.parse(sessionStorage.getItem("audit") ?? "[]");
  const seen = { lcp: 0, paint: "", shift: 0, shifted: [], taps: {} };
  all.push(seen);
  // Chromium takes the screen's first layout for input too; until somebody has touched anything, every shift counts.
  let touched = false;
  for (const type of ["pointerdown", "keydown"]) addEventListener(type, () => (touched = true), { capture: true });
  const name = (node) => (node ? `${node.nodeName.toLowerCase()}${node.id && `#${node.id}`} ${node.className?.baseVal ?? node.className ?? ""}`.trim() : "?");
  const readers = {
    "largest-contentful-paint": (entry) => {
      seen.lcp = entry.startTime;
      seen.paint = name(entry.element);
    },
    // The sum of all shifts: never less than the usual figure, their worst five seconds, and 0 where that is 0.
    "layout-shift": (entry) => {
      if (touched && entry.hadRecentInput) return;
      seen.shift += entry.value;
      seen.shifted.push(...entry.sources.map((source) => name(source.node)));
    },
    event: (entry) => {
      if (!entry.interactionId || (seen.taps[entry.interactionId]?.ms ?? 0) >= entry.duration) return;
      const of = { wait: entry.processingStart - entry.startTime, script: entry.processingEnd - entry.processingStart };
      seen.taps[entry.interactionId] = { ms: entry.duration, on: `${entry.name} ${name(entry.target)}`, ...of };
    },
  };
  const observers = Object.keys(readers).map((type) => {
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(readers[type]));
    observer.observe({ type, buffered: true, durationThreshold: 16 });
    return [type, observer];
  });
  window.audited = () => {
    for (const [type, observer] of observers) observer.takeRecords().forEach(readers[type]);
    sessionStorage.setItem("audit", JSON.stringify(all));
    return all;
  };
  addEventListener("pagehide", window.audited);
})();
