// Everything that goes over the network.

let key = "";

export class Failure extends Error {
  constructor(message, hint, status) {
    super(hint ? `${message} (${hint})` : message);
    this.status = status;
  }
}

async function answer(response) {
  const found = await response.json().catch(() => ({ error: response.statusText, hint: "" }));
  if (!response.ok) throw new Failure(found.error, found.hint, response.status);
  return found;
}

export async function get(path) {
  return answer(await fetch(path, { headers: { Accept: "application/json" } }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-Orchestra-Key": key };
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function openSession() {
  const session = await get("/api/session");
  key = session.key;
  return session;
}

export function terminalSocket(service, index, rows, columns) {
  const query = new URLSearchParams({ key, index, rows, columns });
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/api/terminal/${encodeURIComponent(service)}?${query}`);
  socket.binaryType = "arraybuffer";
  return socket;
}

// A stream that comes back by itself, and rests while the page is not seen: browsers open six connections at most.
export class Stream {
  // tell: hears "open", "lost" and "refused". reopen: begins another one after a rest, null to ask for the same.
  constructor(address, handlers, tell = () => {}, reopen = null) {
    this.address = address;
    this.handlers = handlers;
    this.tell = tell;
    this.reopen = reopen ?? (() => this.open());
    this.source = null;
    this.rest = null;
    this.onVisibility = () => this.see();
    document.addEventListener("visibilitychange", this.onVisibility);
    this.open();
  }

  open() {
    this.source = new EventSource(this.address);
    for (const [topic, handler] of Object.entries(this.handlers)) {
      this.source.addEventListener(topic, (event) => handler(JSON.parse(event.data)));
    }
    this.source.addEventListener("open", () => this.tell("open"));
    this.source.addEventListener("error", () => {
      this.tell(this.source && this.source.readyState === EventSource.CLOSED ? "refused" : "lost");
    });
  }

  see() {
    clearTimeout(this.rest);
    if (document.hidden) this.rest = setTimeout(() => this.pause(), 10000);
    else if (!this.source) this.reopen();
  }

  pause() {
    if (this.source) this.source.close();
    this.source = null;
  }

  close() {
    clearTimeout(this.rest);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.pause();
  }
}
