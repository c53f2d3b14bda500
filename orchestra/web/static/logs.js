// The logs of all containers. Only lines that are seen are elements, and only the last lines are kept.

import { make, setText } from "./dom.js";
import { Stream } from "./remote.js";

const HIGH = 20; // pixels of a line, as in style.css
const KEPT = 50000;
const DROPPED = 5000; // at once, so that it happens seldom
const MARGIN = 10; // lines above and below those that are seen
const HUES = 8;
const BACK = 2000; // milliseconds: containers write at the same time, and lines come in parts

export class Logs {
  constructor(element) {
    this.element = element;
    this.services = new Map(); // of containers
    this.clear();
    this.chosen = "";
    this.pattern = null;
    this.follows = true;
    this.search = make("input", { type: "search", placeholder: "Search, or /expression/", "aria-label": "Search the logs", oninput: () => this.seek() });
    this.search.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); this.step(event.shiftKey ? -1 : 1); } });
    this.only = make("input", { type: "checkbox", id: "only", onchange: () => this.list() });
    this.following = make("input", { type: "checkbox", id: "following", checked: true, onchange: () => { this.follows = this.following.checked; this.paint(); } });
    this.service = make("select", { "aria-label": "Service", onchange: () => this.choose(this.service.value) });
    this.count = make("span", { class: "count", role: "status" });
    this.tall = make("div", { class: "tall" });
    this.rows = make("div", { class: "rows" });
    this.window = make("div", { class: "window", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Lines" }, this.tall, this.rows);
    this.window.addEventListener("scroll", () => this.onScroll(), { passive: true });
    new ResizeObserver(() => this.paint()).observe(this.window);
    element.replaceChildren(
      make("div", { class: "bar" }, make("h2", {}, "Logs"), this.service, this.search,
        make("button", { onclick: () => this.step(-1), "aria-label": "Previous match" }, "↑"),
        make("button", { onclick: () => this.step(1), "aria-label": "Next match" }, "↓"),
        make("label", { for: "only" }, this.only, "Matches only"),
        make("label", { for: "following" }, this.following, "Follow"),
        make("button", { onclick: () => this.empty() }, "Clear"),
        this.count),
      this.window,
    );
  }

  clear() {
    this.lines = []; // [container, stamp, stream, text]
    this.first = 0; // number of the first line that is kept
    this.matches = []; // numbers of lines, ascending
    this.current = -1; // number of the match that was gone to
    this.stamps = new Map(); // of each container's last line
    this.told = new Map(); // how many lines of it have that stamp
    this.resumed = new Map();
    this.last = "";
  }

  know(services) {
    const names = [...services.keys()].sort();
    this.services = new Map([...services.values()].flatMap((service) => service.names.map((name) => [name, service.name])));
    if (names.join() !== this.known) {
      this.known = names.join();
      this.service.replaceChildren(make("option", { value: "" }, "All services"), ...names.map((name) => make("option", { value: name, selected: name === this.chosen }, name)));
    }
    this.runs = [...services.values()].some((service) => service.containers.some((each) => ["running", "restarting"].includes(each.state)));
    if (this.hasEnded && this.runs) this.listen();
  }

  choose(service) {
    this.chosen = service;
    this.service.value = service;
    this.clear();
    if (this.stream) this.listen();
    this.list();
  }

  open() {
    if (!this.stream) this.listen();
    this.paint();
  }

  listen() {
    this.stream?.close();
    this.hasEnded = false;
    this.resumed = new Map([...this.stamps].map(([name, stamp]) => [name, { stamp, lines: this.told.get(name) }]));
    const query = new URLSearchParams({ tail: this.last ? 20000 : 1000 });
    if (this.chosen) query.set("service", this.chosen);
    if (this.last) query.set("since", new Date(Date.parse(`${this.last.slice(0, 23)}Z`) - BACK).toISOString());
    this.stream = new Stream(`/api/logs?${query}`, {
      lines: (rows) => this.take(rows),
      failed: ({ error }) => { this.rest(); this.take([["", "", "end", error]]); },
    }, (happened) => { if (happened === "lost") this.resume(); }, () => this.listen());
  }

  // The browser would ask for the first lines again.
  resume() {
    this.stream.close();
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.listen(), 500);
  }

  rest() {
    this.stream.pause();
    this.hasEnded = true;
  }

  take(rows) {
    for (const row of rows) {
      if (this.isKnown(row)) continue;
      this.mark(row);
      if (this.pattern && this.hits(row)) this.matches.push(this.first + this.lines.length);
      this.lines.push(row);
    }
    if (this.lines.length > KEPT) {
      const dropped = this.lines.length - KEPT + DROPPED;
      this.lines.splice(0, dropped);
      this.first += dropped;
      const kept = this.matches.findIndex((number) => number >= this.first);
      this.matches.splice(0, kept < 0 ? this.matches.length : kept);
    }
    this.paint();
  }

  // Whether it came before the stream was resumed: that begins a little earlier than it broke off.
  isKnown([container, stamp]) {
    const known = this.resumed.get(container);
    if (!known || !stamp || stamp > known.stamp) {
      if (known && stamp) this.resumed.delete(container);
      return false;
    }
    if (stamp < known.stamp) return true;
    known.lines -= 1;
    return known.lines >= 0;
  }

  mark([container, stamp]) {
    if (!stamp) return;
    if (stamp > this.last) this.last = stamp;
    this.told.set(container, this.stamps.get(container) === stamp ? this.told.get(container) + 1 : 1);
    this.stamps.set(container, stamp);
  }

  // Of the lines, not of what is known about them: a resumed stream does not bring them back.
  empty() {
    this.first += this.lines.length;
    this.lines = [];
    this.list();
  }

  seek() {
    const text = this.search.value;
    const expression = /^\/(.+)\/(i?)$/.exec(text);
    this.pattern = null;
    try {
      if (text) this.pattern = new RegExp(expression ? expression[1] : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), expression ? `g${expression[2]}` : "gi");
      this.search.removeAttribute("aria-invalid");
    } catch {
      this.search.setAttribute("aria-invalid", "true");
    }
    this.list();
  }

  list() {
    this.matches = [];
    this.current = -1;
    if (this.pattern) this.lines.forEach((line, place) => { if (this.hits(line)) this.matches.push(this.first + place); });
    this.paint();
  }

  hits(line) {
    this.pattern.lastIndex = 0;
    return this.pattern.test(line[3]);
  }

  get sifted() {
    return this.only.checked && this.pattern !== null;
  }

  get length() {
    return this.sifted ? this.matches.length : this.lines.length;
  }

  step(direction) {
    if (!this.matches.length) return;
    const next = direction > 0 ? this.matches.find((number) => number > this.current) : this.matches.findLast((number) => number < this.current || this.current < 0);
    this.current = next ?? (direction > 0 ? this.matches[0] : this.matches.at(-1));
    this.following.checked = this.follows = false;
    const place = this.sifted ? this.matches.indexOf(this.current) : this.current - this.first;
    this.window.scrollTop = place * HIGH - this.window.clientHeight / 2;
    this.paint();
  }

  onScroll() {
    const left = this.window.scrollHeight - this.window.scrollTop - this.window.clientHeight;
    const back = this.window.scrollTop < (this.before ?? 0) - 1;
    this.before = this.window.scrollTop;
    if (back && left > HIGH) this.following.checked = this.follows = false;
    else if (left < 2) this.following.checked = this.follows = true;
    this.paint();
  }

  paint() {
    if (this.isAsked || this.element.hidden) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.render();
    });
  }

  render() {
    const { length } = this;
    this.tall.style.height = `${length * HIGH}px`;
    if (this.follows) {
      this.window.scrollTop = length * HIGH;
      this.before = this.window.scrollTop;
    }
    const seen = Math.ceil(this.window.clientHeight / HIGH);
    const from = Math.max(0, Math.min(Math.floor(this.window.scrollTop / HIGH), length - seen) - MARGIN);
    const until = Math.min(length, from + seen + 2 * MARGIN);
    const rows = [];
    for (let place = from; place < until; place += 1) {
      const number = this.sifted ? this.matches[place] : this.first + place;
      rows.push(this.row(this.lines[number - this.first], number));
    }
    this.rows.style.transform = `translateY(${from * HIGH}px)`;
    this.rows.replaceChildren(...rows);
    const lines = `${this.lines.length.toLocaleString()} lines`;
    setText(this.count, this.pattern ? `${this.matches.length.toLocaleString()} matches in ${lines}` : lines);
  }

  row([container, stamp, stream, text], number) {
    const label = container.slice(Math.max(container.lastIndexOf(`${this.services.get(container)}-`), 0)); // without the stack
    return make(
      "div", { class: `log ${stream}${number === this.current ? " current" : ""}` },
      make("span", { class: "stamp" }, stamp ? local(stamp) : ""),
      make("span", { class: `from hue-${hue(container)}`, title: container }, label),
      make("span", { class: "text" }, ...this.marked(text)),
    );
  }

  marked(text) {
    if (!this.pattern) return [plain(text)];
    const parts = [];
    let end = 0;
    this.pattern.lastIndex = 0;
    for (const match of text.matchAll(this.pattern)) {
      if (!match[0]) continue;
      parts.push(plain(text.slice(end, match.index)), make("mark", {}, match[0]));
      end = match.index + match[0].length;
    }
    return [...parts, plain(text.slice(end))];
  }
}

// Without the colours and cursor movements of terminals.
function plain(text) {
  return text.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "");
}

function local(stamp) {
  const time = new Date(`${stamp.slice(0, 23)}Z`);
  return `${time.toLocaleTimeString([], { hour12: false })}.${stamp.slice(20, 23)}`;
}

const hues = new Map();

function hue(name) {
  if (!hues.has(name)) hues.set(name, [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7) % HUES);
  return hues.get(name);
}
