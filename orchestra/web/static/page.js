// Begins the page: what is known of the stack, and which view shows it.

import { byId, make, setText, sign } from "./dom.js";
import { Details } from "./details.js";
import { Graph } from "./graph.js";
import { Stream, get, openSession } from "./remote.js";
import { Table, servicesOf } from "./services.js";
import { note } from "./usage.js";

const VIEWS = ["graph", "logs", "timeline", "plan", "history"];

class Page {
  constructor(session) {
    this.session = session;
    this.shape = { nodes: [], edges: [] };
    this.state = { containers: [], supervised: false };
    this.services = new Map();
    this.selected = null;
    this.views = new Map();
    this.does = {
      run: (what, promise) => this.run(what, promise),
      terminal: (service, index) => this.openTerminal(service, index),
      logs: async (service) => { (await this.view("logs")).choose(service); location.hash = "logs"; },
      close: () => this.select(null),
    };
    this.graph = new Graph((name) => this.select(name));
    this.table = new Table((name) => this.select(name));
    this.details = new Details(byId("details"), session.writes, this.does);
    byId("view-graph").replaceChildren(make("div", { class: "drawing" }, this.graph.element), this.table.element);
    setText(byId("stack"), session.stack);
    setText(byId("role"), session.writes ? "operator" : "read-only");
    document.title = `${session.stack} · Orchestra`;
    addEventListener("hashchange", () => this.turn());
    addEventListener("keydown", (event) => { if (event.key === "Escape" && this.selected && !event.defaultPrevented && !byId("question").open) this.select(null); });
  }

  async begin() {
    this.turn();
    this.stream = new Stream("/api/live", {
      state: (state) => this.take(state),
      usage: (usage) => { note(usage); this.show(); },
      event: (event) => this.views.get("timeline")?.hear(event),
      again: () => this.views.get("timeline")?.open(),
    }, (happened) => this.connection(happened));
  }

  connection(happened) {
    if (happened === "refused") this.tell("This page is over. Open the address that orchestra web prints now.");
    else if (happened === "lost") this.tell("The connection is lost; trying again…");
    else this.tell("");
  }

  async take(state) {
    const isNew = state.asked !== this.state.asked || !this.shape.nodes.length;
    this.state = state;
    if (isNew) {
      try {
        this.shape = await get("/api/graph");
      } catch (failure) {
        this.tell(failure.message);
      }
    }
    const drawn = this.shapeWithOthers();
    if (JSON.stringify(drawn) !== this.drawn) {
      this.drawn = JSON.stringify(drawn);
      this.graph.reshape(drawn);
    }
    this.show();
  }

  // With services that the file does not declare, but that have containers.
  shapeWithOthers() {
    const known = new Set(this.shape.nodes.map((node) => node.name));
    const others = [...new Set(this.state.containers.map((each) => each.service))].filter((name) => !known.has(name)).sort();
    return { nodes: [...this.shape.nodes, ...others.map((name) => ({ name, layer: 0 }))], edges: this.shape.edges };
  }

  show() {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.render();
    });
  }

  render() {
    this.services = servicesOf(this.shapeWithOthers(), this.state.containers);
    if (!byId("view-graph").hidden) {
      this.graph.show(this.services, this.selected);
      this.table.show(this.services, this.selected);
    }
    this.views.get("logs")?.know(this.services);
    if (this.selected) this.details.show(this.services.get(this.selected));
    const all = [...this.services.values()];
    const bad = all.filter((each) => each.mood === "bad").length;
    const changing = all.filter((each) => each.mood === "changing").length;
    const running = all.filter((each) => each.mood === "good" || each.mood === "done").length;
    const mood = bad ? "bad" : changing ? "changing" : running ? "good" : "none";
    const told = [bad && `${bad} bad`, changing && `${changing} changing`, `${running} of ${all.length} as wanted`].filter(Boolean).join(", ");
    const said = this.state.error ?? `${told}${this.state.supervised || !this.state.containers.length ? "" : ", no supervisor"}`;
    if (said !== this.said) {
      this.said = said;
      byId("standing").replaceChildren(sign(mood), said);
    }
  }

  select(name) {
    const before = this.selected;
    this.selected = name;
    document.body.classList.toggle("detailed", name !== null);
    if (name) this.details.open(name);
    else byId("details").hidden = true;
    if (!name && before) this.graph.nodes.get(before)?.box.focus();
    this.render();
  }

  async turn() {
    const wanted = location.hash.slice(1);
    const name = VIEWS.includes(wanted) ? wanted : "graph";
    for (const each of VIEWS) byId(`view-${each}`).hidden = each !== name;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (name === "graph") this.show();
    else await (await this.view(name)).open();
  }

  async view(name) {
    if (!this.views.has(name)) {
      const module = await import(`./${name}.js`);
      const View = { logs: module.Logs, timeline: module.Timeline, plan: module.Plan, history: module.History }[name];
      if (!this.views.has(name)) this.views.set(name, new View(byId(`view-${name}`), this.session.writes, this.does));
      if (name === "logs") this.views.get(name).know(this.services);
    }
    return this.views.get(name);
  }

  async openTerminal(service, index) {
    const { TerminalPanel } = await import("./terminal.js");
    this.panel ??= new TerminalPanel(byId("terminal"));
    await this.panel.open(service, index);
  }

  async run(what, promise) {
    this.tell(`${what}…`);
    try {
      const { failures } = await promise;
      this.tell(failures.length ? failures.map((each) => `${each.resource}: ${each.error}`).join("; ") : "");
    } catch (failure) {
      this.tell(`${what}: ${failure.message}`);
    }
  }

  tell(text) {
    const notice = byId("notice");
    setText(notice, text);
    notice.hidden = !text;
  }
}

try {
  const page = new Page(await openSession());
  await page.begin();
} catch (failure) {
  setText(byId("standing"), failure.message);
}
