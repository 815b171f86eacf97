// What pages and the worker say to each other, and the words and shapes that pages use, from the page for "no network".
const ANSWER_MS = 30000;

export const worker = () => navigator.serviceWorker?.controller ?? null;

// Gives what the worker did; rejects where it could not, or does not answer.
export function tell(message) {
  const to = worker();
  if (!to) return Promise.reject(new Error("no worker"));
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => reject(new Error("no answer")), ANSWER_MS);
    port1.onmessage = ({ data }) => {
      clearTimeout(timer);
      port1.close();
      if (data.error === undefined) resolve(data.done);
      else reject(new Error(data.error));
    };
    to.postMessage(message, [port2]);
  });
}

// The page for "no network", whatever address it stands for.
export const shell = document.querySelector("[data-shell]");
export const ownPage = shell && location.pathname.startsWith("/purchases/");

export const language = document.documentElement.lang;

let shapes;
// A fresh copy of what the template of this name holds there.
export async function shape(id) {
  shapes ??= shell
    ? Promise.resolve(document)
    : fetch(`/offline/${language}`).then(async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html"));
  const page = await shapes.catch((error) => {
    shapes = undefined;
    throw error;
  });
  const found = page.querySelector(`template[data-shape="${id}"]`);
  if (!found) throw new Error(`no shape ${id}`);
  return document.importNode(found.content, true);
}

// Puts values where the shape names them: text by data-of, an address by data-to.
export function fill(root, values) {
  for (const place of root.querySelectorAll("[data-of]")) place.textContent = values[place.dataset.of] ?? "";
  for (const link of root.querySelectorAll("[data-to]")) link.setAttribute("href", values[link.dataset.to] ?? "/");
  return root;
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

// "hace 12 min"; of less than a minute, "ahora".
export function ago(moment) {
  const seconds = Math.max(0, (Date.now() - new Date(moment)) / 1000);
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? ["minute", Infinity];
  const many = length === Infinity ? 0 : -Math.floor(seconds / length);
  return new Intl.RelativeTimeFormat(language, { style: "short", numeric: many ? "always" : "auto" }).format(many, many ? unit : "second");
}

export const clock = (moment) => new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(moment));
