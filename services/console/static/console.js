// The page: who comes in by which key, which view is open, and how well the house is heard.
import * as board from "./board.js";
import * as desk from "./desk.js";
import "./keys.js";
import { $ } from "./parts.js";
import * as queues from "./queues.js";
import { Refused, events, get, put, remember, signedIn } from "./rest.js";
import { explain } from "./why.js";
import { heard } from "./words.js";

const AGAIN_MS = 2000;
const VIEWS = ["door", "board", "queue-board", "desk"];
const TITLES = { board: "Board", "queue-board": "Queues", desk: "Desk" };

let me = null; // what the key is: {"role", "agent", …}
let here = null; // the AbortController of what the open views do
let wake = () => {}; // reads the lists of a view at once

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function live(state, text) {
  $("live").dataset.state = state;
  if ($("live").textContent !== text) $("live").textContent = text;
}

// For as long as somebody is signed in: what fails is tried again, a key that opens nothing any more leads to the door.
async function keep(work, signal) {
  while (!signal.aborted) {
    try {
      await work(signal);
    } catch (failure) {
      if (signal.aborted) return;
      if (failure instanceof Refused && failure.atTheDoor) return leave(failure.message);
      live("lost", failure instanceof Refused ? failure.message : "connection lost, trying again");
    }
    await pause(AGAIN_MS);
  }
}

async function followFigures(signal) {
  for await (const { data } of events("/v1/stats/stream", signal)) {
    live("on", "live");
    heard(Date.parse(data.at));
    board.showFigures(data);
  }
  live("lost", "connection lost, trying again");
}

async function keepLists(signal) {
  while (!signal.aborted) {
    const view = viewOf(location.hash).name === "queues" ? queues : board;
    if (!document.hidden) await (view === queues ? queues.showQueues(signal) : board.showLists(signal));
    await new Promise((done) => { setTimeout(wake = done, view.EVERY_MS); });
  }
}

// -- views -------------------------------------------------------------------------------------------------------

// `#/queues/social` → {name: "queues", id: "social"}
function viewOf(hash) {
  const [, name = "board", id = null] = hash.split("/");
  return { name: name === "queues" ? "queues" : "board", id: id && decodeURIComponent(id) };
}

function open(view) {
  for (const name of VIEWS) $(name).hidden = name !== view;
  $("leave").hidden = view === "door";
  $("views").hidden = !["board", "queue-board"].includes(view);
  $("show-keys").hidden = view !== "desk";
  for (const link of $("views").children) link.ariaCurrent = link.dataset.view === view ? "page" : null;
  document.title = TITLES[view] ? `${TITLES[view]} · omniroute` : "omniroute";
}

function turn() {
  if (!signedIn() || me === null || me.agent) return;
  const { name, id } = viewOf(location.hash);
  open(name === "queues" ? "queue-board" : "board");
  queues.choose(name === "queues" ? id : null);
  wake();
}

async function enter() {
  me = await get("/v1/me");
  here = new AbortController();
  live("off", "connecting");
  if (me.agent) {
    open("desk");
    keep((signal) => desk.sit(me.agent, signal, live), here.signal);
  } else {
    turn();
    keep(followFigures, here.signal);
    keep(keepLists, here.signal);
  }
}

function leave(why = "") {
  here?.abort();
  here = me = null;
  desk.clear();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  remember(null);
  open("door");
  $("refused").textContent = why;
  live("off", "not connected");
  $("key").focus();
}

$("sign-in").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  remember($("key").value.trim());
  $("refused").textContent = "";
  try {
    await enter();
    $("key").value = "";
  } catch (failure) {
    leave(failure instanceof Refused ? failure.message : "omniroute doesn't answer.");
  }
});
document.addEventListener("click", (clicked) => {
  const contactId = clicked.target.closest?.("[data-contact]")?.dataset.contact;
  if (contactId) explain(contactId).catch((failure) => live("lost", failure instanceof Refused ? failure.message : "that contact can't be explained"));
});
addEventListener("hashchange", turn);
$("leave").addEventListener("click", async () => {
  if (me?.agent) await put(`/v1/agents/${encodeURIComponent(me.agent)}/presence`, { status: "offline" }).catch(() => {}); // Else the lease ends by itself.
  leave();
});

// A page that was loaded again while the house restarts waits for it; only a key that opens nothing leads to the door.
async function comeBack() {
  while (signedIn() && me === null) {
    try {
      await enter();
    } catch (failure) {
      if (failure instanceof Refused && failure.atTheDoor) return leave(failure.message);
      live("lost", "connection lost, trying again");
      await pause(AGAIN_MS);
    }
  }
}
if (signedIn()) comeBack();
