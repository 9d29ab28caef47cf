// A contact's explanation, drawn: its promise on a time line, what moved it, what happened since, and who could take it.
import { $, cell, facts, fill, make } from "./parts.js";
import { get, list } from "./rest.js";
import { clockTime, count, duration, now, percent, requirementInWords, spoken } from "./words.js";

const CANDIDATES_MAX = 50;
const EVENTS_MAX = 200;
const ROOM = 1.04; // the line goes on a little after its last moment

// What of a contact's events is worth a mark, in which lane of words.
const MARKED = {
  "contact.offered": (event) => `offered to ${event.agent_id}`,
  "offer.declined": (event) => `${event.agent_id} declined: ${spoken(event.reason)}`,
  "offer.expired": (event) => `${event.agent_id} didn't answer`,
  "offer.withdrawn": (event) => `the offer was withdrawn: ${spoken(event.reason)}`,
  "contact.assigned": (event) => `${event.agent_id} has it`,
  "contact.released": (event) => `${event.agent_id} lost it: ${spoken(event.reason)}`,
  "contact.relaxed": (event) => `relaxation step ${event.step}: ${requirementInWords(event.requirement)}`,
  "contact.priority_changed": (event) => `priority changed: ${spoken(event.reason)}`,
  "contact.transferred": () => "transferred",
  "contact.overflowed": () => "overflowed",
  "contact.parked": (event) => `parked: ${spoken(event.reason)}`,
  "contact.resumed": (event) => `resumed: ${spoken(event.reason)}`,
  "contact.unroutable": (event) => (event.unroutable === false ? "can be routed again" : `unroutable: ${spoken(event.reason)}`),
  "contact.closed": (event) => `closed: ${spoken(event.resolution)}`,
  "contact.abandoned": (event) => `abandoned: ${spoken(event.reason)}`,
};

export async function explain(contactId) {
  const path = `/v1/contacts/${encodeURIComponent(contactId)}`;
  const [why, contact, events, clocks] = await Promise.all([
    get(`${path}/explanation`), get(path), list(`${path}/events?limit=${EVENTS_MAX}`), list(`${path}/clocks`).catch(() => []),
  ]);
  $("why-title").textContent = contactId;
  $("why-text").textContent = why.text;
  draw(why, lineOf(why, contact, events, clocks));
  facts($("why-facts"), factsOf(why, contact));
  fill("candidates", byInterest(why.candidates).slice(0, CANDIDATES_MAX).map((one) => [
    cell(one.agent), one.chosen ? cell("chosen", "text good") : cell(one.why ?? "able", "text"),
  ]));
  $("candidates-note").textContent = why.candidates.length > CANDIDATES_MAX ? `${CANDIDATES_MAX} of ${count(why.candidates.length)}` : "";
  if (!$("why").open) $("why").showModal();
}

export function expected({ expected_wait_seconds: seconds, expected_wait_interval: bounds }) {
  const [least, most] = bounds ?? [];
  return typeof most === "number" ? `${duration(least)} to ${duration(most)}` : duration(seconds);
}

const byInterest = (candidates) => [...candidates].sort((one, other) => other.chosen - one.chosen);

function factsOf(why, contact) {
  return [
    ["State", contact.unroutable ? `${why.state}, unroutable: ${spoken(contact.unroutable_reason ?? "")}` : why.state],
    ["Target", why.target ?? "none: what its channel usually promises"],
    ["Asks", requirementInWords(why.requirement)],
    ...(why.own_requirement ? [["And itself", requirementInWords(why.own_requirement)]] : []),
    ...(why.relaxed ? [["Relaxed", [why.relaxed === 1 ? "1 step" : `${why.relaxed} steps`, why.relaxation?.why].filter(Boolean).join(": ")]] : []),
    ["Ahead of it", count(why.ahead)],
    ...(typeof contact.expected_wait_seconds === "number" ? [["Expected wait", expected(contact)]] : []),
    ...(why.next_change_at ? [["Next change", clockTime(why.next_change_at)]] : []),
    ["Weights", `version ${why.policy_version}`],
  ];
}

// -- the line: seconds since the customer began to wait ----------------------------------------------------------

function lineOf(why, contact, events, clocks) {
  const queued = events.findLast((event) => event.type === "contact.queued");
  const start = Date.parse(contact.waiting_since ?? queued?.waiting_since ?? contact.opened_at);
  const at = (moment) => (Date.parse(moment) - start) / 1000;
  const answered = clocks.find((clock) => clock.metric === "first_response")?.met_at;
  const { target_seconds: target, promise_seconds: promise } = why.score;
  const reached = contact.closed_at ? at(contact.closed_at) : (now() - start) / 1000;
  const moments = [
    { kind: "opened", seconds: 0, text: "the customer wrote" },
    ...events.filter((event) => MARKED[event.type] && at(event.at) >= 0)
      .map((event) => ({ kind: kindOf(event.type), seconds: at(event.at), text: MARKED[event.type](event) })),
    ...(answered ? [{ kind: "answered", seconds: at(answered), text: "answered" }] : []),
    ...(contact.closed_at ? [] : [{ kind: "now", seconds: reached, text: "now" }]),
    { kind: "promise", seconds: promise, text: "its promise" },
    ...(target > promise ? [{ kind: "target", seconds: target, text: "what its target would allow" }] : []),
    ...(why.relaxation?.next_at ? [{ kind: "relaxed", seconds: at(why.relaxation.next_at), text: `relaxation step ${why.relaxation.step + 1}, at the latest` }] : []),
    ...(why.next_change_at ? [{ kind: "next", seconds: at(why.next_change_at), text: "next change by itself" }] : []),
  ].sort((one, other) => one.seconds - other.seconds);
  return { moments, reached, promise, target, late: reached > promise, end: Math.max(...moments.map(({ seconds }) => seconds), 1) * ROOM };
}

const kindOf = (type) => ({ "contact.assigned": "assigned", "contact.relaxed": "relaxed" })[type] ?? (type.includes("offer") ? "asking" : "event");

function draw(why, line) {
  const place = (element, from, to = null) => {
    element.style.left = `${100 * from / line.end}%`;
    if (to !== null) element.style.width = `${100 * Math.max(0, to - from) / line.end}%`;
    return element;
  };
  const moved = termsOf(why, line);
  $("line").ariaLabel = `Waiting for ${duration(line.reached)}; its promise is ${duration(line.promise)} of a target of ${duration(line.target)}.`;
  $("line").replaceChildren(
    place(make("i.span.kept"), 0, line.promise),
    ...moved.map((term) => place(make(`i.span.term.${term.name}`, { title: `${spoken(term.name)}: ${duration(term.seconds)} sooner` }), term.from, term.from + term.seconds)),
    place(make(line.late ? "i.waited.late" : "i.waited"), 0, line.reached),
    ...line.moments.map((moment) => place(make(`i.mark.${moment.kind}`, { title: `${duration(moment.seconds)}: ${moment.text}` }), moment.seconds)),
  );
  $("terms").replaceChildren(...moved.map((term) => make("li", {}, make(`i.swatch.${term.name}`), `${spoken(term.name)}: ${percent(term.value)}, ${duration(term.seconds)} sooner`)));
  $("terms").hidden = moved.length === 0;
  $("moments").replaceChildren(...line.moments.map((moment) => make("li", {},
    make(`i.mark.${moment.kind}`, { ariaHidden: "true" }), make("b", {}, duration(moment.seconds)), make("span", {}, moment.text))));
}

// What moved the promise, side by side from the promise up to the target; all of them together move it a quarter at most.
function termsOf(why, line) {
  const terms = why.score.terms.filter((term) => term.value > 0);
  const sum = terms.reduce((total, term) => total + term.value, 0);
  let from = line.promise;
  return terms.map(({ name, value }) => {
    const seconds = (line.target - line.promise) * value / sum;
    from += seconds;
    return { name, value, seconds, from: from - seconds };
  });
}
