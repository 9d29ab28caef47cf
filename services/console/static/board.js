// The wallboard: one stream of figures says when something moved; the lists are read again every 2 s.
import { $, cell, contactCell, fill, meter } from "./parts.js";
import { get, list } from "./rest.js";
import { brief, clockTime, count, duration, percent, since, spoken } from "./words.js";

export const EVERY_MS = 2000;
const ROWS = 15;
const GAP_ALARM = 0.2; // the best channel keeps so much more of its promises than the worst

let open = 0; // contacts that wait or are offered

function alarm(figure, shown, wrong) {
  $(figure).textContent = shown;
  $(`${figure}-figure`).className = wrong ? "alarm" : "";
}

export function showFigures(figures) {
  const longest = Math.max(...figures.lines.map((line) => line.longest_wait_seconds ?? 0), 0);
  open = (figures.contacts.waiting ?? 0) + (figures.contacts.offered ?? 0);
  for (const state of ["waiting", "offered", "assigned"]) $(state).textContent = count(figures.contacts[state] ?? 0);
  $("longest").textContent = longest ? brief(longest) : "–";
  $("available").textContent = count(figures.agents.available ?? 0);
  $("used").textContent = figures.capacity_units ? percent(figures.capacity_used / figures.capacity_units) : "–";
  alarm("unroutable", count(figures.unroutable), figures.unroutable > 0);
}

export function clockCell(clocks) {
  const clock = clocks.find((one) => one.metric === "first_response");
  if (!clock) return cell("no target", "n soft");
  if (clock.state === "breached") return cell(`${duration(-(clock.remaining_seconds ?? 0))} late`, "n bad");
  if (clock.state !== "running") return cell(clock.state, clock.state === "met" ? "n good" : "n");
  return cell(`${duration(clock.remaining_seconds)} left`, clock.warned_at ? "n warn" : "n good");
}

export const clocksOf = (contacts, signal) =>
  Promise.all(contacts.map((contact) => list(`/v1/contacts/${contact.contact_id}/clocks`, signal).catch(() => [])));

function stateCell(contact, names) {
  if (contact.unroutable) return cell(`unroutable: ${spoken(contact.unroutable_reason ?? "")}`, "bad");
  const asked = contact.offers[0]?.agent;
  return cell(asked ? `offered to ${names.get(asked) ?? asked}` : contact.state);
}

async function showContacts(contacts, names, signal) {
  const urgent = contacts.sort((one, other) => (other.score ?? 0) - (one.score ?? 0)).slice(0, ROWS);
  const clocks = await clocksOf(urgent, signal);
  $("contacts-note").textContent = open > urgent.length ? `${urgent.length} of ${count(open)}, the most urgent first` : "the most urgent first";
  fill("contacts", urgent.map((contact, index) => [
    contactCell(contact.contact_id),
    cell(`${contact.channel} · ${contact.visibility}`),
    cell(contact.queue, "roomy"),
    stateCell(contact, names),
    cell(contact.waiting_since ? duration(since(contact.waiting_since)) : "–", "n roomy"),
    clockCell(clocks[index]),
    cell(contact.visibility === "private" ? "–" : count(contact.reach ?? 1), "n roomy"),
  ]));
}

function showAgents(agents, offered) {
  const presence = { available: "good", busy: "warn", away: "warn" };
  fill("agents", agents.map((agent) => [
    cell(agent.name ?? agent.agent_id),
    cell(agent.reason ? `${agent.status} (${spoken(agent.reason)})` : agent.status, presence[agent.status] ?? "soft"),
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
  const kept = await get("/v1/attainment?by=channel&window_seconds=3600", signal);
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
    cell(clockTime(breach.due_at), "n"),
    breach.open ? cell("still waits", "bad") : cell(breach.met_at ? "answered late" : spoken(breach.reason)),
  ]));
}

export const showLists = (signal) => Promise.all([showWork(signal), showPromises(signal)]);
