// The contact that is open on the desk: what was said, how long its promises last, and what can be done with it.
import { done, opens, send, shut, told } from "./asks.js";
import { aboutOf, look, queueName, readClocks } from "./desk.js";
import { $, facts, keep, make, say } from "./parts.js";
import { all, list, post } from "./rest.js";
import { dayAndTime, duration, inWords, isEmpty, now, short, spoken, until } from "./words.js";
import { explain } from "./why.js";

const EVERY_MS = 5000; // the stream tells of decisions, not of what the customer writes
const CLOCKS_AFTER_MS = 1000; // an answer comes to the clocks by way of the log
const MESSAGES_MAX = 2000;
const EXTENSION_SECONDS = 60;
const HOUR_MS = 3_600_000;

let id = null; // of the open contact
let facing = null; // the contact as it stands
let learnt = null; // its clocks, and when they were read
const drafts = new Map(); // what was written and not sent; gone with the tab

export const current = () => id;
const path = (rest = "") => `/v1/contacts/${encodeURIComponent(id)}${rest}`;

export function clear() {
  id = facing = learnt = null;
  drafts.clear();
  $("messages").replaceChildren();
  $("talk").hidden = true;
}

export function open(contactId) {
  choose(contactId);
  $("talk").hidden = false;
  $("talk-title").focus();
}

function choose(contactId) {
  if (contactId === id) return;
  if (id !== null) drafts.set(id, $("answer-text").value);
  id = contactId;
  $("answer-text").value = drafts.get(id) ?? "";
  $("privately").checked = false;
  $("messages").replaceChildren();
  for (const [button, form] of forms) shut(button, form);
  readMessages();
}

// What the agent holds has changed: the open contact with it, or another is open now.
export function follow(held, known) {
  const before = id;
  facing = held.find((contact) => contact.contact_id === id) ?? null;
  if (facing === null && held.length) {
    const stood = $("talk").contains(document.activeElement);
    drafts.delete(id);
    choose(held[0].contact_id);
    facing = held[0];
    if (stood) $("talk-title").focus();
  } else if (facing === null) {
    if ($("talk").contains(document.activeElement)) $("work-title").focus();
    if (before !== null) clear();
    return;
  }
  learnt = known.get(id) ?? null;
  $("talk").hidden = false;
  show();
}

function show() {
  const { channel, visibility, queue, state } = facing;
  say($("talk-title"), `${channel} · ${visibility}, ${queueName(queue)}`);
  $("talk-title").title = id;
  facts($("talk-facts"), [
    ["Contact", short(id)], ...(aboutOf(facing) ? [["About", aboutOf(facing)]] : []),
    ["Opened", dayAndTime(facing.opened_at)],
    ...(facing.paused ? [["Paused", `for ${short(facing.paused_for ?? "something more urgent")}; it goes on by itself`]] : []),
    ...(facing.consult_of ? [["Help with", `${short(facing.consult_of)}: whoever asks keeps it`]] : []),
    ...(facing.consults.length ? [["Help", `asked for: ${facing.consults.length === 1 ? "one consult goes" : `${facing.consults.length} consults go`} on`]] : []),
    ...(state === "parked" ? [["Parked", facing.parked_until ? `until ${dayAndTime(facing.parked_until)}` : "until the customer writes"]] : []),
    ...(isEmpty(facing.attributes) ? [] : [["Attributes", inWords(facing.attributes)]]),
  ]);
  $("answer").hidden = state === "wrap_up";
  $("privately-label").hidden = visibility === "private";
  for (const [button, shown] of [
    [$("wrapped-up"), state === "wrap_up"], [$("more-time"), state === "wrap_up"], [$("resume"), state === "parked"], [buttonOf("park"), state === "assigned"],
    [buttonOf("transfer"), state !== "wrap_up"], [buttonOf("consult"), state === "assigned" && !facing.consult_of], [buttonOf("close"), state !== "wrap_up"],
  ]) button.hidden = !shown;
  for (const [button, form] of forms) if (button.hidden) shut(button, form);
  tick();
}

// -- time --------------------------------------------------------------------------------------------------------

const METRICS = { first_response: "first answer", next_response: "next answer", resolution: "resolution" };

function left(clock, readAt) {
  if (clock.remaining_seconds === null) return null;
  return clock.state === "paused" ? clock.remaining_seconds : clock.remaining_seconds - (now() - readAt) / 1000;
}

function inClockWords(clock, readAt) {
  const seconds = left(clock, readAt);
  if (seconds === null) return { text: clock.state, tone: clock.state === "met" ? "good" : clock.state === "breached" ? "bad" : "soft" };
  if (seconds < 0) return { text: `${duration(-seconds)} late`, tone: "bad" };
  if (clock.state === "paused") return { text: `${duration(seconds)} left, paused`, tone: "soft" };
  return { text: `${duration(seconds)} left`, tone: clock.warned_at ? "warn" : "good" };
}

// What is due next, for the list of what the agent holds.
export function nextClock(known) {
  if (!known) return { text: "", tone: "" };
  if (known.contact.wrap_up_until) return { text: `${duration(until(known.contact.wrap_up_until))} of wrap-up`, tone: "soft" };
  const running = known.clocks.filter((clock) => left(clock, known.readAt) !== null)
    .sort((one, other) => left(one, known.readAt) - left(other, known.readAt))[0];
  return running ? inClockWords(running, known.readAt) : { text: known.clocks.length ? "nothing due" : "no target", tone: "soft" };
}

export function tick() {
  if (facing === null) return;
  const chips = (learnt?.clocks ?? []).map((clock) => ({ name: METRICS[clock.metric] ?? spoken(clock.metric), ...inClockWords(clock, learnt.readAt) }));
  if (facing.wrap_up_until) chips.push({ name: "wrap-up", text: `${duration(until(facing.wrap_up_until))} left`, tone: "soft" });
  keep($("clocks"), chips, (chip) => chip.name, () => make("li"), (element, chip) => {
    element.className = chip.tone;
    say(element, `${chip.name}: ${chip.text}`);
  });
}

// -- the conversation --------------------------------------------------------------------------------------------

// What was said, and what colleagues noted for each other, in one order.
async function readMessages() {
  const contactId = id;
  const [said, noted] = await Promise.all([all(path("/messages"), MESSAGES_MAX), all(path("/notes"), MESSAGES_MAX)]).catch(() => []);
  if (!said || contactId !== id) return; // Not reached, or another contact is open by now.
  const messages = [...said, ...noted.map(asMessage)].sort((one, other) => Date.parse(one.occurred_at) - Date.parse(other.occurred_at));
  const [box, before] = [$("messages"), $("messages").children.length];
  keep(box, messages, (message) => message.message_id, buildMessage, showMessage);
  box.hidden = messages.length === 0;
  $("no-messages").hidden = messages.length > 0;
  if (messages.length > before) box.scrollTop = box.scrollHeight;
}

const asMessage = ({ note_id, author, text, at }) => ({
  message_id: note_id, author: "note", agent: author.replace(/^agent:/, ""), text, occurred_at: at, deleted_at: null,
});

const buildMessage = (message) => make(`li.${message.author}`, {}, make("span.soft"), make("p"));

function showMessage(element, message) {
  if (message.author === "note") {
    say(element.firstChild, `note of ${message.agent} · ${dayAndTime(message.occurred_at)}`);
    say(element.lastChild, message.text);
    return;
  }
  const by = message.author === "company" ? message.agent ?? "the company" : message.sender?.name ?? message.sender?.handle ?? message.sender?.address ?? message.author;
  const marks = [message.automatic ? "automatic" : "", message.visibility === facing?.visibility ? "" : `in ${message.visibility}`];
  say(element.firstChild, [by, dayAndTime(message.occurred_at), ...marks].filter(Boolean).join(" · "));
  say(element.lastChild, message.deleted_at ? "deleted by its author" : message.text ?? "(no text was kept)");
  element.classList.toggle("deleted", message.deleted_at !== null);
}

setInterval(() => { if (id !== null && !document.hidden) Promise.all([readMessages(), readClocks(id)]).catch(() => {}); }, EVERY_MS);

async function answer() {
  const text = $("answer-text").value.trim();
  if (!text) return;
  const body = { text, ...($("privately").checked ? { visibility: "private" } : {}) };
  if (!await send($("answer"), path("/responses"), body, "The answer is noted.")) return;
  $("answer-text").value = "";
  await Promise.all([readMessages(), look()]);
  setTimeout(look, CLOCKS_AFTER_MS);
}

// -- what can be done with it ------------------------------------------------------------------------------------

const buttonOf = (form) => $("actions").querySelector(`[data-opens="${form}"]`);
const forms = ["transfer", "consult", "park", "close"].map((name) => [buttonOf(name), $(name)]);

function asks(name, request, words) {
  const [button, form] = [buttonOf(name), $(name)];
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const [rest, body] = request(form.elements);
    if (!await send(form, path(rest), body, words)) return;
    shut(button, form);
    $("talk-title").focus();
    await look();
  });
}

function goal({ to, queue, agent, note }) {
  const where = to.value === "queue" ? { queue: queue.value } : { agent: agent.value.trim() };
  return { ...where, ...(note.value.trim() ? { note: note.value.trim() } : {}) };
}

const transfer = (elements) => elements.to.value === "release" ? ["/release", { reason: "transferred" }] : ["/transfer", goal(elements)];

// Help may come from the contact's own queue as well; it is never given away to where it is.
async function offerQueues(form) {
  const found = await list("/v1/queues?limit=200").catch(() => []);
  const others = form.id === "consult" ? found : found.filter((one) => one.queue_id !== facing?.queue);
  form.elements.queue.replaceChildren(...others.map((one) => make("option", { value: one.queue_id }, one.name ?? one.queue_id)));
}

function askWhereTo(form) {
  const to = form.elements.to.value;
  form.querySelector(".to-queue").hidden = to !== "queue";
  form.querySelector(".to-agent").hidden = to !== "agent";
  form.querySelector(".to-note").hidden = to === "release";
  form.elements.agent.required = to === "agent";
}

function parking({ until: chosen }) {
  if (chosen.value === "customer") return ["/park", { reason: "awaiting_customer" }];
  const morning = new Date(now());
  morning.setDate(morning.getDate() + 1);
  morning.setHours(9, 0, 0, 0);
  const moment = { hour: now() + HOUR_MS, hours: now() + 4 * HOUR_MS, morning: morning.getTime() }[chosen.value];
  return ["/park", { reason: "later", until: new Date(moment).toISOString() }];
}

for (const [button, form] of forms) opens(button, form, form.elements.queue ? () => offerQueues(form) : undefined);
asks("transfer", transfer, "Given away.");
asks("consult", (elements) => ["/consult", goal(elements)], "Asked for help.");
asks("park", parking, "Parked.");
asks("close", ({ resolution }) => ["/close", { resolution: resolution.value }], "Closed.");
for (const form of [$("transfer"), $("consult")]) form.addEventListener("change", () => askWhereTo(form));
$("answer").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  answer();
});
$("answer-text").addEventListener("keydown", (pressed) => {
  if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) answer();
});
$("ask-why").addEventListener("click", () => explain(id).catch((failure) => told(failure.message)));
$("resume").addEventListener("click", () => done(() => post(path("/resume")), "Resumed.").then(look));
const wrapUp = (what) => `/v1/agents/${encodeURIComponent(facing.agent)}/wrap-up/${what}`;
$("wrapped-up").addEventListener("click", async () => {
  if (await done(() => post(wrapUp("complete"), { contact_id: id }), "Wrap-up is done.")) $("talk-title").focus();
  await look();
});
$("more-time").addEventListener("click", () => done(() => post(wrapUp("extend"), { contact_id: id, seconds: EXTENSION_SECONDS }), "One minute more.").then(look));
