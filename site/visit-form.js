// The form of a product visit: listen, read, send, and say what came of it.
import { apiUrl } from "./config.js";

const form = document.querySelector("#visit-form");
const answer = document.querySelector("#answer");
const button = form.querySelector("button");

form.elements.TimeOfVisit.value = localNow();
if (!apiUrl) {
  say("failed", "No API is connected yet: notebook 04 connects it.");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!showFieldErrors()) return;
  button.disabled = true;
  say("waiting", "Sending …");
  say(...(await send(readVisit())));
  button.disabled = false;
});

form.addEventListener("input", (event) => showError(event.target, ""));

function readVisit() {
  const visit = Object.fromEntries(new FormData(form));
  const time = new Date(visit.TimeOfVisit);
  return { ...visit, TimeOfVisit: time.toISOString().replace(/\.\d+Z$/, "Z") };
}

async function send(visit) {
  if (!apiUrl) return ["failed", "No API is connected yet: notebook 04 connects it."];
  let response;
  try {
    response = await fetch(apiUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(visit),
    });
  } catch {
    return ["failed", "The API could not be reached, or it does not allow this page to read its answer (CORS). Nothing is known to be stored."];
  }
  const body = await response.json().catch(() => ({}));
  if (response.status === 202) return ["accepted", "Thank you. The visit is accepted. Your receipt:", body.ProductVisitKey];
  const field = form.elements[body.field];
  if (field) showError(field, body.message);
  return ["failed", sentence(response.status, body.message)];
}

function sentence(status, message) {
  if (status === 400) return `The visit was refused: ${message ?? "something in it is not valid."}`;
  if (status === 403) return "The API does not let this page in: check the address in config.js, or the API key.";
  if (status === 429) return "Too many visits at once. Wait a moment and send it again.";
  if (status >= 500) return "The visit could not be accepted because of an error behind the API. Send it again later.";
  return `The API answered with status ${status}, which this page does not expect.`;
}

function showFieldErrors() {
  const fields = [...form.elements].filter((element) => element.name);
  for (const field of fields) {
    const blank = field.required && !field.value.trim() && !field.validity.badInput;
    showError(field, blank ? "Please fill in this field." : field.validationMessage);
  }
  const wrong = fields.find((field) => field.getAttribute("aria-invalid") === "true");
  wrong?.focus();
  if (wrong) say("failed", "Please correct the marked fields.");
  return !wrong;
}

function showError(field, message) {
  document.querySelector(`#${field.id}-error`).textContent = message;
  if (message) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

function say(kind, message, receipt) {
  answer.className = kind;
  answer.textContent = message;
  if (receipt) {
    const code = document.createElement("code");
    code.textContent = receipt;
    answer.append(" ", code);
  }
}

function localNow() {
  const now = new Date();
  return new Date(now - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
