// The worker, and its newer versions: one that is ready is offered, and taken at the tap, never by itself.
import { shape } from "./talk.js";

const LOOK_MS = 3600000;

// Other open pages go on as they are: whoever asked for the newer version gets it.
let wanted = false;

async function offer(ready) {
  if (document.querySelector(".release")) return;
  const place = (await shape("release")).firstElementChild;
  document.body.append(place);
  place.querySelector("button").addEventListener("click", () => {
    // Another tab took it: it is there, and waits for nobody.
    if (ready.state !== "installed") return location.reload();
    wanted = true;
    ready.postMessage({ type: "skip-waiting" });
  });
}

export async function register() {
  const address = "/service-worker.js";
  const registration = await navigator.serviceWorker.register(address, { scope: "/", updateViaCache: "none" });
  navigator.serviceWorker.addEventListener("controllerchange", () => wanted && location.reload());
  // It began while this page was coming: it takes over this page, too, not only the next one.
  navigator.serviceWorker.ready.then(({ active }) => navigator.serviceWorker.controller || active.postMessage({ type: "claim" }));
  const look = () => registration.waiting && navigator.serviceWorker.controller && offer(registration.waiting);
  look();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", look);
  });
  setInterval(() => registration.update().catch(() => {}), LOOK_MS);
}
