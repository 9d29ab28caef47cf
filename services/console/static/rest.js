// The house's REST and its streams, with the key of this tab. What is refused is an error that can be read aloud.
const SILENT_MS = 45_000; // a stream says something every 15 s; one that doesn't is gone, whatever the network believes

let key = sessionStorage.getItem("key");

export const signedIn = () => key !== null;

export function remember(given) {
  key = given;
  if (key === null) sessionStorage.removeItem("key");
  else sessionStorage.setItem("key", key);
}

export class Refused extends Error {
  constructor(status, problem) {
    super(sentence(status, problem));
    this.status = status;
  }

  get atTheDoor() {
    return this.status === 401;
  }
}

function sentence(status, problem) {
  if (status === 401) return "This key opens nothing.";
  const field = problem.errors?.[0];
  const said = field ? `${field.pointer.replace(/^\//, "").replaceAll("/", " ")} ${field.detail}` : problem.detail;
  return `${said ?? problem.title ?? `It was refused (${status})`}.`.replace(/\.+$/, ".").replace(/^./, (first) => first.toUpperCase());
}

async function ask(method, path, { body, signal, idempotencyKey } = {}) {
  if (key === null) throw new Refused(401, {}); // Signed out while somebody was about to ask.
  const headers = { authorization: `Bearer ${key}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
  const answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

export const get = async (path, signal) => (await ask("GET", path, { signal })).json();
export const list = async (path, signal) => (await get(path, signal)).items;
export const put = async (path, body) => (await ask("PUT", path, { body })).json();

// A POST that is sent again under its key is done once.
export const post = async (path, body = {}, idempotencyKey = newKey()) => (await ask("POST", path, { body, idempotencyKey })).json();

export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// All pages of a list, as far as `most` items.
export async function all(path, most, signal) {
  const items = [];
  for (let cursor = ""; cursor !== null && items.length < most;) {
    const page = await get(`${path}${path.includes("?") ? "&" : "?"}limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

// Server-sent events by fetch: EventSource can't send a key. Ends when the other side ends it or falls silent.
export async function* events(path, signal) {
  const answer = await ask("GET", path, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let text = ""; ;) {
      const { value, done } = await orSilence(reader.read());
      if (done) return;
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const event = parsed(text.slice(0, end));
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // It is over, in whichever way.
  }
}

function parsed(block) {
  const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s, 2));
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
  return data.length ? { type: fields.find(([name]) => name === "event")?.[1] ?? "message", data: JSON.parse(data.join("\n")) } : null;
}

function orSilence(reading) {
  let timer;
  const silence = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("the stream fell silent")), SILENT_MS); });
  return Promise.race([reading, silence]).finally(() => clearTimeout(timer));
}
