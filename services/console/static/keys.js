// The desk by single keys. They do nothing while somebody writes or a dialog is open, and can be switched off.
import { step } from "./desk.js";
import { $, facts, make } from "./parts.js";

const OFF = "single-keys-off";

const firstOffer = () => document.activeElement.closest?.(".offer") ?? $("offers").firstElementChild;
const press = (button) => { if (button && !button.hidden) button.click(); };
const action = (name) => $("actions").querySelector(`[data-opens="${name}"]`);

// key → [what it does in words, how]
const KEYS = {
  1: ["be available", () => press($("be-available"))],
  2: ["be away: say why", () => press($("be-away"))],
  3: ["be offline", () => press($("be-offline"))],
  o: ["go to the offers", () => $("offers-title").focus()],
  a: ["accept the offer you are on, or the first", () => press(firstOffer()?.querySelector(".accept"))],
  d: ["decline it: say why", () => press(firstOffer()?.querySelector(".decline"))],
  j: ["open your next contact", () => step(1)],
  k: ["open the one before", () => step(-1)],
  r: ["write an answer; Ctrl + Enter notes it", () => { if (!$("answer").hidden) $("answer-text").focus(); }],
  t: ["transfer the contact", () => press(action("transfer"))],
  h: ["ask for help with it", () => press(action("consult"))],
  p: ["park it, or resume it", () => press(action("park").hidden ? $("resume") : action("park"))],
  c: ["close it", () => press(action("close"))],
  w: ["end the wrap-up", () => press($("wrapped-up"))],
  m: ["take a minute more for it", () => press($("more-time"))],
  i: ["ask why nothing is offered", () => press($("ask-idle"))],
  e: ["ask why it is where it is", () => press($("ask-why"))],
  "?": ["show these keys", () => $("keys").showModal()],
};

const writes = (element) => element.matches?.("textarea, select, input:not([type=radio], [type=checkbox])");

function pressed(event) {
  const known = KEYS[event.key.toLowerCase()];
  if (!known || event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
  if ($("desk").hidden || document.querySelector("dialog[open]") || localStorage.getItem(OFF)) return;
  if ($("talk").hidden && "rthpcwme".includes(event.key.toLowerCase())) return;
  event.preventDefault();
  known[1]();
}

function switchKeys(on) {
  if (on) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, "yes");
  document.body.classList.toggle("keyless", !on);
}

facts($("key-list"), Object.entries(KEYS).map(([key, [words]]) => [make("kbd", {}, key.toUpperCase()), words]).concat([["Esc", "leave a form or a dialog"]]));
$("single-keys").checked = !localStorage.getItem(OFF);
switchKeys($("single-keys").checked);
$("single-keys").addEventListener("change", () => switchKeys($("single-keys").checked));
$("show-keys").addEventListener("click", () => $("keys").showModal());
document.addEventListener("keydown", pressed);
