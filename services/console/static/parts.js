// What pages are built of. Lists are brought up to date in place: whoever stands on a row with the keyboard stays there.
import { short } from "./words.js";

export const $ = (id) => document.getElementById(id);

// make("button.quiet", { type: "button" }, "Close"): an element, its properties, what is in it.
export function make(kind, properties = {}, ...content) {
  const [name, ...classes] = kind.split(".");
  const made = document.createElement(name);
  made.className = classes.join(" ");
  for (const [property, value] of Object.entries(properties)) {
    if (property.startsWith("aria-") || property === "role") made.setAttribute(property, value);
    else if (property === "data") Object.assign(made.dataset, value);
    else made[property] = value;
  }
  made.append(...content.filter((one) => one !== null && one !== undefined));
  return made;
}

export function cell(content, className = "") {
  const made = document.createElement("td");
  made.className = className;
  made.append(content instanceof Node ? content : String(content ?? "–"));
  return made;
}

// A contact by the end of its id, all of it on hovering; pressing it asks why.
export function contactButton(contactId) {
  return make("button.id", {
    type: "button", title: contactId, data: { contact: contactId }, "aria-label": `Why is ${contactId} where it is?`,
  }, short(contactId));
}

export const contactCell = (contactId) => cell(contactButton(contactId));

export function meter(used, units) {
  const made = document.createElement("meter");
  made.max = Math.max(1, units);
  made.high = made.max * 0.99;
  made.optimum = 0;
  made.value = used;
  made.setAttribute("aria-label", `${used} of ${units} units`);
  return made;
}

export function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text; // A live region that doesn't change isn't read again.
}

// The rows of a table; without any, the words that stand for it.
export function fill(table, rows) {
  const body = $(table).tBodies[0];
  const stood = body.contains(document.activeElement) ? placeOf(document.activeElement, body) : null;
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  }));
  $(table).hidden = rows.length === 0;
  $(`no-${table}`).hidden = rows.length > 0;
  if (stood) standAgain(stood, body);
}

const keyOf = (element) => element.dataset.contact ?? element.dataset.queue;

function placeOf(element, body) {
  return { key: keyOf(element), index: [...body.rows].findIndex((row) => row.contains(element)) };
}

// On the same one, or where it was, or at the table's heading.
function standAgain({ key, index }, body) {
  const able = [...body.querySelectorAll("button, a")];
  const same = able.find((element) => keyOf(element) === key);
  const there = body.rows[Math.min(index, body.rows.length - 1)]?.querySelector("button, a");
  (same ?? there ?? headingOf(body)).focus();
}

function headingOf(element) {
  const heading = element.closest("section, dialog").querySelector("h2");
  heading.tabIndex = -1;
  return heading;
}

// A list's elements by key: made once, brought up to date, moved only when their order changes.
export function keep(box, items, keyed, build, update) {
  const stood = document.activeElement;
  const there = new Map([...box.children].map((element) => [element.dataset.key, element]));
  const wanted = new Set(items.map(keyed));
  const lost = box.contains(stood) && stood !== box && !wanted.has([...box.children].find((element) => element.contains(stood)).dataset.key);
  for (const [key, element] of there) if (!wanted.has(key)) element.remove();
  items.forEach((item, place) => {
    const element = there.get(keyed(item)) ?? build(item);
    element.dataset.key = keyed(item);
    update(element, item);
    if (box.children[place] !== element) box.insertBefore(element, box.children[place] ?? null);
  });
  if (lost) headingOf(box).focus(); // Never on the next one's button: Enter would do to it what was meant for this one.
  else if (box.contains(stood) && document.activeElement !== stood) stood.focus();
}
