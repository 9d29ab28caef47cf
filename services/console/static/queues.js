// Every queue: who waits and who could come. One that is chosen shows its rules, why it stands still, and who is first.
import { clockCell, clocksOf } from "./board.js";
import { $, cell, contactCell, facts, fill, make, say } from "./parts.js";
import { Refused, all, get, list } from "./rest.js";
import { count, duration, heard, inWords, isEmpty, percent, requirementInWords, ruleInWords, since, spoken } from "./words.js";
import { expected } from "./why.js";

export const EVERY_MS = 3000;
const QUEUES_MAX = 1000;
const AT_ONCE_MAX = 8;
const FIRST = 8; // of those who wait
const WINDOW_SECONDS = 3600;

let chosen = null; // a queue's id

export function choose(queueId) {
  chosen = queueId;
  $("queue").hidden = queueId === null;
  for (const link of $("queues").querySelectorAll("a")) link.ariaCurrent = link.dataset.queue === queueId ? "true" : null;
}

export async function showQueues(signal) {
  const queues = (await all("/v1/queues", QUEUES_MAX, signal)).sort((one, other) => one.order - other.order || (one.queue_id < other.queue_id ? -1 : 1));
  const [kept, figures] = await Promise.all([
    list(`/v1/attainment?by=queue&window_seconds=${WINDOW_SECONDS}`, signal), figuresOf(queues, signal),
  ]);
  if (figures[0]) heard(Date.parse(figures[0].at));
  const keptBy = new Map(kept.map((item) => [item.queue, item]));
  fill("queues", queues.map((queue, index) => row(queue, figures[index], keptBy.get(queue.queue_id))));
  if (chosen !== null) await showQueue(queues.find((queue) => queue.queue_id === chosen), signal);
}

// A few at a time, in the queues' order; null for one that was deleted meanwhile.
async function figuresOf(queues, signal) {
  const found = [];
  for (let first = 0; first < queues.length; first += AT_ONCE_MAX) {
    found.push(...await Promise.all(queues.slice(first, first + AT_ONCE_MAX).map((queue) => unlessGone(`/v1/queues/${encodeURIComponent(queue.queue_id)}/stats`, signal))));
  }
  return found;
}

async function unlessGone(path, signal) {
  try {
    return await get(path, signal);
  } catch (failure) {
    if (failure instanceof Refused && failure.status === 404) return null;
    throw failure;
  }
}

function row(queue, figures, kept) {
  return [
    cell(link(queue), "text"),
    cell(figures ? count(figures.waiting) : "–", "n"),
    cell(duration(figures?.longest_wait_seconds), "n"),
    cell(figures ? count(figures.offered) : "–", "n spare"),
    figures ? ableCell(figures) : cell("–", "n"),
    cell(figures ? expected(figures) : "–", "n roomy"),
    cell(kept ? percent(kept.attainment) : "–", `n ${keptClass(kept)}`),
  ];
}

function link(queue) {
  return make("a", {
    href: `#/queues/${encodeURIComponent(queue.queue_id)}`, data: { queue: queue.queue_id },
    ariaCurrent: queue.queue_id === chosen ? "true" : null,
  }, queue.name ?? queue.queue_id);
}

// Who is there, of those who can take what the queue asks; all the others are no help to it.
function ableCell({ able, waiting }) {
  const skilled = Object.values(able).reduce((sum, agents) => sum + agents, 0);
  return cell(`${count(able.available)} of ${count(skilled)}`, waiting > 0 && able.available === 0 ? "n bad" : "n");
}

const keptClass = (kept) => (!kept ? "soft" : kept.attainment >= 0.9 ? "good" : kept.attainment >= 0.8 ? "warn" : "bad");

async function showQueue(queue, signal) {
  if (!queue) {
    $("queue-title").textContent = chosen;
    facts($("queue-rules"), [["Gone", "there is no such queue any more"]]);
    return;
  }
  const path = `/v1/queues/${encodeURIComponent(queue.queue_id)}`;
  const [why, waiting] = await Promise.all([
    unlessGone(`${path}/explanation`, signal),
    list(`/v1/contacts?state=waiting&queue=${encodeURIComponent(queue.queue_id)}&sort=urgency&limit=${FIRST}`, signal),
  ]);
  const clocks = await clocksOf(waiting, signal);
  if (queue.queue_id !== chosen) return; // Somebody chose another while this was read.
  $("queue-title").textContent = queue.name ?? queue.queue_id;
  facts($("queue-rules"), rules(queue));
  showWhy(why);
  fill("first", waiting.map((contact, index) => [
    contactCell(contact.contact_id), cell(`${contact.channel} · ${contact.visibility}`),
    cell(duration(contact.waiting_since ? since(contact.waiting_since) : null), "n"), clockCell(clocks[index]),
  ]));
}

// The rules that have words of their own; any other that is set follows under its name.
function rules({ queue_id, name, pool, order, version, match, when, requirement, relax = [], ...more }) {
  return [
    ["Takes", isEmpty(match) ? "what no queue before it takes" : inWords(match)],
    ...(when ? [["When", ruleInWords(when)]] : []),
    ["Asks", requirementInWords(requirement)],
    ...relax.map((step) => [`After ${duration(step.after_seconds)}`, requirementInWords(step.requirement)]),
    ...named(more),
    ["Place", `${order} in pool ${pool}`], ["Id", `${queue_id}, version ${version}`],
  ];
}

function showWhy(why) {
  $("standing").hidden = why === null;
  if (why === null) return;
  say($("standing-text"), why.text);
  $("standing-agents").replaceChildren(...why.agents.map((kept) => make("li", {}, `${whoAll(kept)}: ${kept.why}`)));
}

const whoAll = ({ first, agents }) => (agents === 1 ? first : `${first} and ${count(agents - 1)} more`);

const NAMES = {
  offer_seconds: "Time to answer an offer", parallel_offers: "Offers at once", offers_max: "Agents asked at most",
  wrap_up_seconds: "Wrap-up", last_agent_seconds: "Waits for the last agent",
};

// Each field that is set, under its name.
function named(fields) {
  return Object.entries(fields).filter(([, value]) => !isEmpty(value)).map(([field, value]) => (
    [NAMES[field] ?? spoken(field.replace(/_seconds$/, "")), field.endsWith("_seconds") ? duration(value) : inWords(value)]));
}
