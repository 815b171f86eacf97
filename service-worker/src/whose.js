// Whose phone it is just now. Pages say it in the header X-Account: a mark of the account, or "-" for nobody.
import { fact, forget, setFact } from "./store.js";

const PRIVATE = ["lists", "maps", "tickets"];

let known;
let spoken;

export const account = async () => (known ??= (await fact("account")) ?? "-");
export const language = async () => (spoken ??= (await fact("language")) ?? (self.navigator.language.startsWith("en") ? "en" : "es"));

// Everything of whoever was here: caches, waiting purchases, news.
export async function wipe() {
  known = "-";
  await setFact("account", "-");
  await forget();
  await Promise.all(PRIVATE.map((name) => caches.delete(name)));
}

// An answer that is not of the account whose things lie here: they go before it is used. Nobody signed in wipes nothing:
// a session that has ended leaves the tickets where they are.
export async function isOf(mark) {
  const before = await account();
  if (!mark || mark === "-" || mark === before) return;
  if (before !== "-") await wipe();
  known = mark;
  await setFact("account", mark);
}

export async function saw(answer) {
  await isOf(answer.headers.get("X-Account"));
  const spoke = answer.headers.get("Content-Language");
  if (spoke && spoke !== (await language())) {
    spoken = spoke;
    await setFact("language", spoke);
  }
}
