// Small comforts of the pages; everything works without this file.

// A hold's clock counts down in the server's time: the page says when it was drawn, so a phone's wrong clock does no harm.
function tick() {
  for (const clock of document.querySelectorAll("time[data-ends]")) {
    clock.drawn ??= performance.now();
    const left = Date.parse(clock.dataset.ends) - Date.parse(clock.dataset.now) - (performance.now() - clock.drawn);
    const seconds = Math.max(0, Math.ceil(left / 1000));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    clock.closest(".hold, .clock")?.classList.toggle("late", seconds <= 120);
  }
}
setInterval(tick, 500);
tick();
