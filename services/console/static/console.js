// The wallboard: one stream of figures says when something moved; the lists are then read again, at most every 2 s.
const LISTS_EVERY_MS = 2000;
const ROWS = 15;
const AGAIN_MS = 2000;
const GAP_ALARM = 0.2; // the best channel keeps so much more of its promises than the worst

const $ = (id) => document.getElementById(id);
let key = sessionStorage.getItem("key");
let open = 0; // contacts that wait or are offered
let board = null; // the AbortController of what the open board does

class Refused extends Error {}

async function get(path, signal) {
  const answer = await fetch(path, { headers: { authorization: `Bearer ${key}` }, signal });
  if (answer.status === 401 || answer.status === 403) throw new Refused(answer.status === 401 ? "This key opens nothing." : "This key may not see the board.");
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

const list = async (path, signal) => (await (await get(path, signal)).json()).items;

// Server-sent events by fetch: EventSource can't send a key.
async function* events(path, signal) {
  const reader = (await get(path, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

// As short as a figure must be.
const brief = (seconds) => duration(seconds).replace(" min", "m").replace(" h", "h").replace(/ min$/, "m").replace(/(\d) s$/, seconds < 60 ? "$1 s" : "$1s");
const count = (number) => number.toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share < 0.995 && share > 0 ? 1 : 0)} %`;

function cell(content, className = "") {
  const made = document.createElement("td");
  made.className = className;
  made.append(content instanceof Node ? content : String(content ?? "–"));
  return made;
}

// A time-ordered id differs at its end: that part is shown, all of it on hovering; pressing it asks why.
function contactCell(contactId) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "id";
  made.dataset.contact = made.title = contactId;
  made.textContent = contactId.length > 16 ? `…${contactId.slice(-8)}` : contactId;
  made.setAttribute("aria-label", `Why is ${contactId} where it is?`);
  return cell(made);
}

function meter(used, units) {
  const made = document.createElement("meter");
  made.max = Math.max(1, units);
  made.high = made.max * 0.99;
  made.optimum = 0;
  made.value = used;
  made.setAttribute("aria-label", `${used} of ${units} units`);
  return made;
}

// Rows are replaced every two seconds: whoever stands on one with the keyboard keeps their place.
function fill(table, rows) {
  const stood = document.activeElement?.dataset?.contact;
  $(table).tBodies[0].replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  }));
  $(table).hidden = rows.length === 0;
  $(`no-${table}`).hidden = rows.length > 0;
  if (stood && !document.activeElement?.dataset?.contact) $(table).querySelector(`[data-contact="${CSS.escape(stood)}"]`)?.focus();
}

function alarm(figure, shown, wrong) {
  $(figure).textContent = shown;
  $(`${figure}-figure`).className = wrong ? "alarm" : "";
}

function showFigures(figures) {
  const longest = Math.max(...figures.lines.map((line) => line.longest_wait_seconds ?? 0), 0);
  open = (figures.contacts.waiting ?? 0) + (figures.contacts.offered ?? 0);
  for (const state of ["waiting", "offered", "assigned"]) $(state).textContent = count(figures.contacts[state] ?? 0);
  $("longest").textContent = longest ? brief(longest) : "–";
  $("available").textContent = count(figures.agents.available ?? 0);
  $("used").textContent = figures.capacity_units ? percent(figures.capacity_used / figures.capacity_units) : "–";
  alarm("unroutable", count(figures.unroutable), figures.unroutable > 0);
}

function clockCell(clocks) {
  const clock = clocks.find((one) => one.metric === "first_response");
  if (!clock) return cell("no target", "n soft");
  if (clock.state === "breached") return cell(`${duration(-(clock.remaining_seconds ?? 0))} late`, "n bad");
  if (clock.state !== "running") return cell(clock.state, clock.state === "met" ? "n good" : "n");
  return cell(`${duration(clock.remaining_seconds)} left`, clock.warned_at ? "n warn" : "n good");
}

function stateCell(contact, names) {
  if (contact.unroutable) return cell(`unroutable: ${(contact.unroutable_reason ?? "").replaceAll("_", " ")}`, "bad");
  const asked = contact.offers[0]?.agent;
  return cell(asked ? `offered to ${names.get(asked) ?? asked}` : contact.state);
}

async function showContacts(contacts, names, signal) {
  const urgent = contacts.sort((one, other) => (other.score ?? 0) - (one.score ?? 0)).slice(0, ROWS);
  const clocks = await Promise.all(urgent.map((contact) => list(`/v1/contacts/${contact.contact_id}/clocks`, signal).catch(() => [])));
  $("contacts-note").textContent = open > urgent.length ? `${urgent.length} of ${count(open)}, the most urgent first` : "the most urgent first";
  fill("contacts", urgent.map((contact, index) => [
    contactCell(contact.contact_id),
    cell(`${contact.channel} · ${contact.visibility}`),
    cell(contact.queue, "roomy"),
    stateCell(contact, names),
    cell(contact.waiting_since ? duration((Date.now() - Date.parse(contact.waiting_since)) / 1000) : "–", "n roomy"),
    clockCell(clocks[index]),
    cell(contact.visibility === "private" ? "–" : count(contact.reach ?? 1), "n roomy"),
  ]));
}

function showAgents(agents, offered) {
  const presence = { available: "good", busy: "warn", away: "warn" };
  fill("agents", agents.map((agent) => [
    cell(agent.name ?? agent.agent_id),
    cell(agent.reason ? `${agent.status} (${agent.reason.replaceAll("_", " ")})` : agent.status, presence[agent.status] ?? "soft"),
    cell(meter(agent.used_units, agent.capacity.units)),
    cell(`${agent.used_units} / ${agent.capacity.units}`, "n"),
    cell(offered.filter((contact) => contact.offers.some((offer) => offer.agent === agent.agent_id)).length || "–", "n"),
  ]));
}

async function showWork(signal) {
  const [agents, waiting, offered] = await Promise.all([
    list("/v1/agents?limit=200", signal),
    list(`/v1/contacts?state=waiting&sort=urgency&limit=${ROWS}`, signal),
    list("/v1/contacts?state=offered&limit=200", signal),
  ]);
  showAgents(agents, offered);
  await showContacts([...waiting, ...offered], new Map(agents.map((agent) => [agent.agent_id, agent.name ?? agent.agent_id])), signal);
}

async function showPromises(signal) {
  const kept = await (await get("/v1/attainment?by=channel&window_seconds=3600", signal)).json();
  $("kept").textContent = typeof kept.attainment === "number" ? percent(kept.attainment) : "–";
  alarm("gap", kept.items.length > 1 ? percent(kept.parity_gap) : "–", kept.parity_gap >= GAP_ALARM);
  fill("attainment", kept.items.map((item) => [
    cell(item.channel),
    cell(percent(item.attainment), item.attainment >= 0.9 ? "n good" : item.attainment >= 0.8 ? "n warn" : "n bad"),
    cell(count(item.met), "n"),
    cell(count(item.missed), "n"),
    cell(typeof item.wait_over_target === "number" ? item.wait_over_target.toFixed(2) : "–", "n"),
  ]));
  const breaches = await list("/v1/breaches?limit=8", signal);
  fill("breaches", breaches.map((breach) => [
    contactCell(breach.contact_id), cell(breach.channel), cell(breach.queue, "roomy"), cell(breach.target),
    cell(new Date(breach.due_at).toLocaleTimeString("en-GB"), "n"),
    breach.open ? cell("still waits", "bad") : cell(breach.met_at ? "answered late" : breach.reason.replaceAll("_", " ")),
  ]));
}

async function showWhy(contactId) {
  const why = await (await get(`/v1/contacts/${encodeURIComponent(contactId)}/explanation`)).json();
  $("why-title").textContent = contactId;
  $("why-text").textContent = why.text;
  const facts = [
    ["State", why.state], ["Target", why.target ?? "none"],
    ["Promise", `${duration(why.score.promise_seconds)} of ${duration(why.score.target_seconds)}`],
    ...why.score.terms.filter((term) => term.value).map((term) => [term.name, `${percent(term.value)} sooner`]),
    ["Ahead of it", count(why.ahead)],
  ];
  $("why-facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const [term, said] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    said.textContent = value;
    return [term, said];
  }));
  fill("candidates", why.candidates.map((one) => [
    cell(one.agent), one.chosen ? cell("chosen", "text good") : cell(one.why ?? "able", "text"),
  ]));
  if (!$("why").open) $("why").showModal();
}

function live(state, text) {
  $("live").dataset.state = state;
  $("live").textContent = text;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function follow(signal) {
  for await (const figures of events("/v1/stats/stream", signal)) {
    live("on", "live");
    showFigures(figures);
  }
}

async function keepLists(signal) {
  while (!signal.aborted) {
    if (!document.hidden) await Promise.all([showWork(signal), showPromises(signal)]);
    await pause(LISTS_EVERY_MS);
  }
}

async function keep(work, signal) {
  while (!signal.aborted) {
    try {
      await work(signal);
    } catch (failure) {
      if (signal.aborted) return;
      if (failure instanceof Refused) return leave(failure.message);
      live("lost", "connection lost, trying again");
    }
    await pause(AGAIN_MS);
  }
}

function enter() {
  board = new AbortController();
  $("door").hidden = true;
  $("board").hidden = $("leave").hidden = false;
  live("off", "connecting");
  keep(follow, board.signal);
  keep(keepLists, board.signal);
}

function leave(why = "") {
  board?.abort();
  $("why").close();
  key = null;
  sessionStorage.removeItem("key");
  $("door").hidden = false;
  $("board").hidden = $("leave").hidden = true;
  $("refused").textContent = why;
  live("off", "not connected");
  $("key").focus();
}

$("sign-in").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  key = $("key").value.trim();
  try {
    await get("/v1/stats");
    sessionStorage.setItem("key", key);
    $("key").value = "";
    $("refused").textContent = "";
    enter();
  } catch (failure) {
    leave(failure instanceof Refused ? failure.message : "omniroute doesn't answer.");
  }
});
document.addEventListener("click", (clicked) => {
  const contactId = clicked.target.dataset?.contact;
  if (contactId) showWhy(contactId).catch(() => live("lost", "that contact can't be explained"));
});
$("leave").addEventListener("click", () => leave());
if (key) enter();
