// The little work of holds/patience.html: a number that makes the digest begin with zero bits, tried in small pieces so
// that the page stays alive. Where the browser has no digest (no https), it waits instead.
(async () => {
  const form = document.querySelector("form.patience");
  const began = Date.now();
  const task = form.elements.task.value;
  const shift = 32 - Number(form.dataset.bits);
  const wait = Number(form.dataset.seconds) * 1000 + 1000;
  if (!globalThis.crypto?.subtle) {
    setTimeout(() => form.submit(), wait);
    return;
  }
  const letters = new TextEncoder();
  for (let number = 0; ; number += 1) {
    const digest = new DataView(await crypto.subtle.digest("SHA-256", letters.encode(`${task}:${number}`)));
    if (digest.getUint32(0) >>> shift === 0) {
      form.elements.work.value = number;
      break;
    }
    if (Date.now() - began > wait) break;
    if (number % 500 === 499) await new Promise((go) => setTimeout(go));
  }
  form.submit();
})();
