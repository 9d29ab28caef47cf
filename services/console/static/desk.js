// An agent's desk: presence, offers with their time, and what the agent holds. The house tells of every change by a
// stream; what stands is then read again. The lease is renewed only while the stream is heard: who wouldn't see an
// offer isn't there.
import { done, opens, send, shut, told } from "./asks.js";
import { $, keep, make, meter, say } from "./parts.js";
import { Refused, all, events, get, list, post, put } from "./rest.js";
import * as talk from "./talk.js";
import { count, duration, heard, now, short, spoken, until } from "./words.js";

const LEASE_SECONDS = 60; // renewed every 15 s, see pulse.js
const TICK_MS = 500;
const HELD = ["assigned", "wrap_up", "parked"];
const QUEUES_MAX = 1000;
const EXCERPT = 280;

let me = null;
let agent = null;
let offers = [];
let held = [];
let asked = new Map(); // the offers that were told of, and their contacts
const answered = new Set(); // contacts whose offer was accepted or declined here: nobody is told what they did
let had = null; // what was held at the last look: contact → state; null before the first
const queues = new Map(); // names
const known = new Map(); // by contact: {contact, clocks, excerpt}

const mine = () => `/v1/agents/${encodeURIComponent(me)}`;
const contactPath = (id) => `/v1/contacts/${encodeURIComponent(id)}`;
export const queueName = (id) => queues.get(id) ?? id ?? "–";

// One sitting: as long as the stream lasts.
export async function sit(agentId, signal, live) {
  me = agentId;
  const pulse = new Worker("/static/pulse.js");
  const ticking = setInterval(tick, TICK_MS);
  pulse.onmessage = beat;
  try {
    for (const queue of await all("/v1/queues", QUEUES_MAX, signal)) queues.set(queue.queue_id, queue.name ?? queue.queue_id);
    for await (const { type } of events(`${mine()}/stream`, signal)) {
      live("on", "live");
      await (type === "snapshot" ? beat() : look());
    }
  } finally {
    pulse.terminate();
    clearInterval(ticking);
  }
  live("lost", "connection lost, trying again");
}

export function clear() {
  me = agent = null;
  offers = held = [];
  asked = new Map();
  answered.clear();
  had = null;
  known.clear();
  talk.clear();
  show();
}

async function beat() {
  await look();
  if (agent === null || agent.status === "offline") return;
  try {
    await sayPresence(agent.next_status ?? agent.status, agent.reason, agent);
  } catch {
    // Whoever can't be reached is noticed by the stream, too.
  }
}

// Each saying says all of it: what was wanted when the agent is free, and the shift's end, are said again.
async function sayPresence(status, reason = null, { next_status = null, until: end = null } = {}) {
  const wanted = { status, reason, lease_seconds: LEASE_SECONDS, ...(next_status ? { when_free: true } : {}), ...(end ? { until: end } : {}) };
  const { lease_until } = await put(`${mine()}/presence`, wanted);
  if (lease_until) heard(Date.parse(lease_until) - LEASE_SECONDS * 1000);
}

// -- reading -----------------------------------------------------------------------------------------------------

let looking = null;
let stale = false;

// Reads what stands; whoever asks while that is under way gets another look after it.
export function look() {
  if (me === null) return Promise.resolve();
  stale = true;
  looking ??= (async () => {
    while (stale) {
      stale = false;
      await read();
    }
  })().catch((failure) => {
    if (failure instanceof Refused && me !== null) told(failure.message);
  }).finally(() => { looking = null; });
  return looking;
}

async function read() {
  const [found, asking, ...holding] = await Promise.all([
    get(mine()), list(`${mine()}/offers`), ...HELD.map((state) => list(`/v1/contacts?agent=${encodeURIComponent(me)}&state=${state}&limit=200`)),
  ]);
  await Promise.all([...asking.map(({ contact_id }) => learn(contact_id)), ...holding.flat().map((contact) => learn(contact.contact_id, contact))]);
  if (me === null) return; // Signed out meanwhile.
  [agent, offers, held] = [found, asking, holding.flat()];
  const here = new Set([...offers, ...held].map((one) => one.contact_id));
  for (const id of known.keys()) if (!here.has(id)) known.delete(id);
  show();
}

// What an offer doesn't say itself, once; and the clocks, each time. `contact` where it was read already.
async function learn(id, contact = null) {
  const before = known.get(id);
  const [read, clocks, excerpt] = await Promise.all([
    contact ?? before?.contact ?? get(contactPath(id)), list(`${contactPath(id)}/clocks`), before?.excerpt ?? (contact ? "" : excerptOf(id)),
  ]).catch(() => []); // It was somebody else's by then: the next look shows it.
  if (read) known.set(id, { contact: read, clocks, excerpt, readAt: now() });
}

async function excerptOf(id) {
  const said = (await list(`${contactPath(id)}/messages?limit=200`)).findLast((message) => message.author === "customer" && message.text);
  const text = said?.text ?? "";
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text;
}

export async function readClocks(id) {
  const before = known.get(id);
  if (before) Object.assign(before, { clocks: await list(`${contactPath(id)}/clocks`), readAt: now() });
}

// -- showing -----------------------------------------------------------------------------------------------------

function show() {
  if (agent !== null) showPresence();
  showOffers();
  tellWhatCame();
  keep($("work"), held, (contact) => contact.contact_id, buildWork, showWork);
  $("no-work").hidden = held.length > 0;
  talk.follow(held, known);
  markOpen();
  tick();
  document.title = `${offers.length ? `(${offers.length}) ` : ""}Desk · omniroute`;
}

const PRESENCE = {
  available: "You are available: offers come to you.", busy: "You are busy: nothing new comes.",
  away: "You are away: nothing new comes.", offline: "You are offline: nothing new comes.",
};

const REASONS = {
  lease_ended: "the desk wasn't heard for a while", missed_offers: "offers were missed", shift_ended: "your shift is over",
};

function showPresence() {
  $("you-title").textContent = agent.name ?? agent.agent_id;
  const reason = REASONS[agent.reason] ?? spoken(agent.reason ?? "");
  const means = agent.next_status ? `You are ${agent.next_status} as soon as you hold nothing; nothing new comes.` : PRESENCE[agent.status];
  say($("presence"), `${means}${reason && ` (${reason})`}`);
  $("presence").dataset.status = agent.status;
  for (const status of ["available", "away", "offline"]) $(`be-${status}`).ariaPressed = String(agent.status === status);
  say($("load-text"), `${agent.used_units} of ${agent.capacity.units} units in use`);
  $("load").replaceChildren(meter(agent.used_units, agent.capacity.units));
  $("no-offers").textContent = agent.status === "available" ? "Nothing is offered to you now." : "Nothing is offered to you until you are available.";
  $("finish-first").hidden = held.length === 0;
}

function showOffers() {
  keep($("offers"), offers, (offer) => offer.offer_id, buildOffer, showOffer);
  $("no-offers").hidden = offers.length > 0;
  $("ask-idle").hidden = offers.length > 0 || agent?.status !== "available";
  if ($("ask-idle").hidden) $("idle").hidden = true;
  const fresh = offers.filter((offer) => !asked.has(offer.offer_id));
  for (const offer of fresh) answered.delete(offer.contact_id);
  if (fresh.length) say($("heard"), `New offer: ${fresh.map((offer) => `${headline(offer)}, ${duration(until(offer.expires_at))} to answer`).join("; ")}.`);
  const there = new Map(offers.map((offer) => [offer.offer_id, offer.contact_id]));
  if ([...asked].some(([id, contactId]) => !there.has(id) && !answered.has(contactId))) say($("heard"), there.size ? "An offer is gone." : "The offer is gone.");
  asked = there;
}

// Work that comes without an offer that was accepted here: assigned by somebody, or the customer of parked work wrote.
function tellWhatCame() {
  const came = had === null ? [] : held.filter((contact) => contact.state === "assigned" && had.get(contact.contact_id) !== "assigned");
  const unasked = came.filter((contact) => !answered.has(contact.contact_id));
  for (const contact of came) answered.delete(contact.contact_id);
  if (unasked.length) say($("heard"), `Yours now: ${unasked.map(headline).join("; ")}.`);
  if (agent !== null) had = new Map(held.map((contact) => [contact.contact_id, contact.state]));
}

function headline({ contact_id, medium, queue }) {
  const contact = known.get(contact_id)?.contact;
  return `${contact ? `${contact.channel} · ${contact.visibility}` : medium}, ${queueName(queue)}`;
}

function buildOffer({ offer_id, contact_id }) {
  const card = $("offer").content.firstElementChild.cloneNode(true);
  const [form, decline] = [card.querySelector("form"), card.querySelector(".decline")];
  for (const radio of form.querySelectorAll("input")) radio.name = `why-not-${offer_id}`;
  opens(decline, form);
  card.querySelector(".accept").addEventListener("click", async () => {
    const path = `/v1/offers/${encodeURIComponent(offer_id)}/accept`;
    answered.add(contact_id);
    const taken = await done(() => post(path), "Accepted: it is yours.");
    await look();
    if (taken) openContact(contact_id);
  });
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    answered.add(contact_id);
    const reason = form.querySelector("input:checked").value;
    if (await send(form, `/v1/offers/${encodeURIComponent(offer_id)}/decline`, { reason }, "Declined.")) shut(decline, form);
    await look();
  });
  return card;
}

function showOffer(card, offer) {
  const { contact, excerpt } = known.get(offer.contact_id) ?? {};
  say(card.querySelector("h3"), headline(offer));
  say(card.querySelector(".about"), contact ? aboutOf(contact) : "");
  say(card.querySelector(".excerpt"), excerpt ?? "");
}

export function aboutOf(contact) {
  return [
    contact.reach > 1 ? `${count(contact.reach)} can see it` : "", contact.language ?? "", ...contact.topics,
    contact.sentiment < 0 ? "upset" : "", contact.strikes ? `failed ${contact.strikes === 1 ? "once" : `${contact.strikes} times`} before` : "",
    contact.repeat_of ? "came back" : "",
  ].filter(Boolean).join(" · ");
}

function buildWork({ contact_id }) {
  const row = make("li", {}, make("button.work", { type: "button" },
    make("span.what"), make("span.soft.id", { title: contact_id }, short(contact_id)), make("span.clock")));
  row.firstChild.addEventListener("click", () => openContact(contact_id));
  return row;
}

function showWork(row, contact) {
  const state = contact.paused ? ", paused" : contact.state === "assigned" ? "" : `, ${spoken(contact.state)}`;
  say(row.querySelector(".what"), `${contact.channel} · ${contact.visibility}, ${queueName(contact.queue)}${state}`);
}

function openContact(contactId) {
  talk.open(contactId);
  talk.follow(held, known);
  markOpen();
}

function markOpen() {
  for (const row of $("work").children) row.firstChild.ariaCurrent = row.dataset.key === talk.current() ? "true" : null;
}

// The next or the one before of what the agent holds.
export function step(by) {
  if (!held.length) return;
  const place = held.findIndex((contact) => contact.contact_id === talk.current());
  openContact(held[(place + by + held.length) % held.length].contact_id);
}

// -- time --------------------------------------------------------------------------------------------------------

function tick() {
  for (const offer of offers) {
    const card = [...$("offers").children].find((one) => one.dataset.key === offer.offer_id);
    const [left, whole] = [until(offer.expires_at), (Date.parse(offer.expires_at) - Date.parse(offer.offered_at)) / 1000];
    card.querySelector("[role=timer]").textContent = left > 0 ? `${duration(left)} to answer` : "its time is over";
    card.querySelector(".left i").style.width = `${Math.max(0, Math.min(100, 100 * left / whole))}%`;
    card.classList.toggle("urgent", left < whole / 4);
  }
  for (const row of $("work").children) {
    const clock = talk.nextClock(known.get(row.dataset.key));
    row.querySelector(".clock").textContent = clock.text;
    row.querySelector(".clock").className = `clock ${clock.tone}`;
  }
  talk.tick();
}

// -- presence ----------------------------------------------------------------------------------------------------

const be = (status, reason, words, wish) => done(() => sayPresence(status, reason, wish), words).then(look);

$("be-available").addEventListener("click", () => be("available", null, "You are available."));
$("be-offline").addEventListener("click", () => be("offline", null, "You are offline."));
opens($("be-away"), $("away"));
$("away").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  shut($("be-away"), $("away"));
  const { reason, when_free } = $("away").elements;
  const later = when_free.checked && held.length > 0;
  be("away", reason.value, later ? "You are away when you are done." : "You are away.", later ? { next_status: "away" } : {});
  when_free.checked = false;
});

$("ask-idle").addEventListener("click", () => done(async () => {
  const why = await get(`${mine()}/explanation`);
  say($("idle-text"), why.text);
  $("idle-reasons").replaceChildren(...why.reasons.map((one) => make("li", {}, `${count(one.contacts)} waiting: ${one.why}`)));
  $("idle").hidden = false;
}, ""));
