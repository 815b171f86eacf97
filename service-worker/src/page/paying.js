// A card's number goes to the bank alone, while there is a network, and the purchase carries what the bank gave for it:
// so the purchase can be sent later, and the number never lies on the device.
import { worker } from "./talk.js";

const METHOD_MS = 5000;

const digits = (card) => card.value.replace(/\D/g, "");
const sound = (card) => card.value && card.checkValidity() && !card.matches("[aria-invalid]");

export function prepare() {
  const form = document.querySelector("#pay");
  const card = form?.querySelector("#card");
  if (!card || !worker()) return;
  const known = new Map();

  const methodOf = (number) => {
    if (!known.has(number)) {
      const asked = ask(number);
      known.set(number, asked);
      asked.then((id) => id || known.delete(number));
    }
    return known.get(number);
  };

  async function ask(number) {
    try {
      const answer = await fetch("/api/payment-methods", {
        method: "POST",
        headers: { "Content-Type": "application/json", "If-Account": document.body.dataset.account },
        body: JSON.stringify({ card_number: number }),
        signal: AbortSignal.timeout(METHOD_MS),
      });
      return answer.status === 201 ? (await answer.json()).id : "";
    } catch {
      return "";
    }
  }

  card.addEventListener("change", () => sound(card) && methodOf(digits(card)));

  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const id = await methodOf(digits(card));
    if (id) {
      form.elements.payment_method.value = id;
      for (const field of form.querySelectorAll("[name^=card_]")) field.disabled = true;
    }
    form.submit();
  });
}
