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

// "hace 12 min"; nothing of less than a minute. English would write "min." and "hr."
export function ago(moment) {
  const seconds = (Date.now() - new Date(moment)) / 1000;
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? [];
  if (!unit) return "";
  const style = unit === "day" ? "long" : "short";
  return new Intl.RelativeTimeFormat(language, { style }).format(-Math.floor(seconds / length), unit).replace(". ", " ");
}

const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
export const clock = (moment) => new Intl.DateTimeFormat(language, HOUR).format(new Date(moment));
// An hour alone is today's.
export function since(moment) {
  const today = new Date(moment).toDateString() === new Date().toDateString();
  return today ? clock(moment) : new Intl.DateTimeFormat(language, { day: "numeric", month: "short", ...HOUR }).format(new Date(moment));
}
