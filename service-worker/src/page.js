// Pages where a worker can stand behind them: what is said and done there when the network is not.
import { offerInstall } from "./page/install.js";
import * as choice from "./page/choice.js";
import * as connection from "./page/connection.js";
import * as finding from "./page/finding.js";
import * as forms from "./page/forms.js";
import * as keeping from "./page/keeping.js";
import * as paying from "./page/paying.js";
import * as release from "./page/release.js";
import { tell } from "./page/talk.js";
import * as waiting from "./page/waiting.js";

const REST_MS = 300;

function begin() {
  // The worker wipes what is another account's before this page asks it for anything.
  if (document.body.dataset.account && !document.body.dataset.saved) tell({ type: "account", mark: document.body.dataset.account }).catch(() => {});
  waiting.follow();
  forms.follow();
  finding.follow();
  paying.prepare();
  connection.watch();
}

// Chromium says once that it could, and early.
offerInstall();
choice.follow();
if ("serviceWorker" in navigator) {
  // The page comes to rest first: its seats and pictures need the line more than the worker does.
  const rested = new Promise((resolve) => (document.readyState === "complete" ? resolve() : addEventListener("load", resolve)));
  rested.then(() => setTimeout(() => release.register().catch((error) => console.warn(error)), REST_MS));
  if (navigator.serviceWorker.controller) {
    begin();
    keeping.watch();
  } else {
    // The first page of all: it goes on as others do as soon as the worker has taken it over.
    navigator.serviceWorker.addEventListener("controllerchange", () => (begin(), keeping.watch()), { once: true });
    setTimeout(() => navigator.serviceWorker.controller || keeping.watch(), 10000);
  }
} else keeping.watch();
