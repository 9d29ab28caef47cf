// What the desk asks of the house, and the small forms that a button opens in place.
import { $, say } from "./parts.js";
import { Refused, newKey, post } from "./rest.js";

export const told = (text) => say($("told"), text);
export const notice = (text) => say($("notice"), text);

// Does it and says what came of it: true when it is done. What the house refuses is shown as it says it.
export async function done(asking, words) {
  notice("");
  try {
    await asking();
  } catch (failure) {
    notice(failure instanceof Refused ? failure.message : "omniroute doesn't answer. Try again: nothing is done twice.");
    return false;
  }
  told(words);
  return true;
}

// A POST from a form: as long as nothing was answered and nothing changed, trying again is the same request.
export async function send(form, path, body, words) {
  const asked = JSON.stringify([path, body]);
  if (form.dataset.asked !== asked) Object.assign(form.dataset, { asked, key: newKey() });
  return done(async () => {
    try {
      await post(path, body, form.dataset.key);
    } catch (failure) {
      if (failure instanceof Refused && failure.status < 500) delete form.dataset.asked;
      throw failure;
    }
    delete form.dataset.asked;
  }, words);
}

// The button opens the form and closes it; Escape closes it and leads back.
export function opens(button, form, opened = () => {}) {
  button.ariaExpanded = "false";
  button.addEventListener("click", () => {
    show(button, form, form.hidden);
    if (form.hidden) return;
    opened();
    (form.querySelector("input:checked") ?? form.querySelector("input, select, textarea")).focus();
  });
  form.addEventListener("keydown", (pressed) => {
    if (pressed.key === "Escape") shut(button, form);
  });
}

function show(button, form, open) {
  if (!open && form.contains(document.activeElement)) button.focus();
  form.hidden = !open;
  button.ariaExpanded = String(open);
}

export const shut = (button, form) => show(button, form, false);
