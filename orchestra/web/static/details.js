// What there is to know about one service, and what can be done with it.

import { clock, confirmed, make, moment, setText, sign } from "./dom.js";
import { get, post } from "./remote.js";
import { Plots } from "./usage.js";

export class Details {
  // does: run(what, promise), terminal(service, index), logs(service), close().
  constructor(element, writes, does) {
    this.element = element;
    this.writes = writes;
    this.does = does;
    this.name = null;
    this.container = "";
    this.plots = new Plots();
    this.facts = make("div", { class: "facts" });
    this.heading = make("h2", { tabindex: -1 });
    this.state = make("p", { class: "state" });
    this.choice = make("select", { "aria-label": "Container", onchange: () => this.choose(this.choice.value) });
    this.number = make("input", { type: "number", min: 0, max: 1000, "aria-label": "Number of containers", class: "number" });
    this.element.replaceChildren(
      make("div", { class: "bar" }, this.heading, make("button", { class: "plain", "aria-label": "Close the details", onclick: () => does.close() }, "✕")),
      this.state, this.actions(), this.choice, this.plots.element, this.facts,
    );
  }

  actions() {
    const act = (label, path, question) => make("button", {
      onclick: async () => {
        const name = this.name;
        if (question && !(await confirmed(question.replace("NAME", name), label))) return;
        this.does.run(`${label.toLowerCase()} ${name}`, post(path, { services: [name] }));
      },
    }, label);
    const scale = async () => {
      const [name, number] = [this.name, Number(this.number.value)];
      if (number === 0 && !(await confirmed(`Remove all containers of ${name}?`, "Scale"))) return;
      this.does.run(`scale ${name} to ${number}`, post("/api/scale", { service: name, number }));
    };
    const logs = make("button", { onclick: () => this.does.logs(this.name) }, "Logs");
    if (!this.writes) return make("div", { class: "buttons" }, logs);
    return make(
      "div", { class: "buttons" },
      act("Start", "/api/start"),
      act("Stop", "/api/stop", "Stop NAME?"),
      act("Restart", "/api/restart"),
      make("button", { onclick: () => this.does.terminal(this.name, this.index()) }, "Terminal"),
      logs,
      make("form", { class: "scale", onsubmit: (event) => { event.preventDefault(); scale(); } }, this.number, make("button", {}, "Scale")),
    );
  }

  open(name) {
    this.name = name;
    this.container = "";
    this.seen = "";
    this.number.value = "";
    this.element.hidden = false;
    setText(this.heading, name);
    this.heading.focus({ preventScroll: false });
  }

  index() {
    return this.service?.containers.find((each) => each.name === this.container)?.index ?? 0;
  }

  show(service) {
    this.service = service;
    if (!service) return;
    if (this.shown !== `${service.name} ${service.mood} ${service.word}`) {
      this.shown = `${service.name} ${service.mood} ${service.word}`;
      this.state.replaceChildren(sign(service.mood), ` ${service.word}`);
    }
    if (this.number.value === "") this.number.value = service.containers.filter((each) => !each.one_off).length;
    if ([...this.choice.options].map((option) => option.value).join() !== service.names.join()) {
      this.choice.replaceChildren(...service.names.map((name) => make("option", { value: name, selected: name === this.container }, name)));
    }
    this.choice.hidden = service.names.length < 2;
    this.plots.element.hidden = this.facts.hidden = !service.names.length;
    if (!service.names.includes(this.container)) this.container = service.names[0] ?? "";
    this.plots.update(this.container);
    const now = service.containers.find((each) => each.name === this.container);
    const seen = now ? [now.name, now.started, now.state, now.health].join() : "";
    if (seen && seen !== this.seen) this.look();
    this.seen = seen;
  }

  choose(container) {
    this.container = container;
    this.seen = "";
    this.show(this.service);
  }

  async look() {
    const container = this.container;
    try {
      const found = await get(`/api/containers/${encodeURIComponent(container)}`);
      if (container === this.container) this.facts.replaceChildren(...facts(found));
    } catch (failure) {
      this.facts.replaceChildren(make("p", { class: "failed" }, failure.message));
    }
  }
}

function facts(found) {
  const state = found.state;
  const rows = [
    ["Container", found.name], ["Id", found.id.slice(0, 12)], ["Image", found.image], ["Digest", found.digest],
    ["Command", found.command.join(" ")], ["User", found.user], ["Directory", found.directory],
    ["Created", time(found.created)], ["Started", time(state.StartedAt)],
    ["Ended", state.Running ? "" : time(state.FinishedAt)], ["Exit code", state.Status === "exited" ? String(state.ExitCode) : ""],
    ["Error", state.Error], ["Restart", found.restart], ["Restarts", found.restarts ? String(found.restarts) : ""],
    ["Process", state.Pid ? String(state.Pid) : ""],
  ].filter(([, value]) => value);
  const health = state.Health?.Log.at(-1);
  return [
    section("Container", true, pairs(rows)),
    health && section("Health", true, pairs([
      ["Status", state.Health.Status], ["Last probe", `exit code ${health.ExitCode}, ${clock(Date.parse(health.End) / 1000)}`],
      ["Output", health.Output.trim()],
    ].filter(([, value]) => value))),
    section(`Environment (${found.environment.length})`, false, pairs(found.environment)),
    section(`Mounts (${found.mounts.length})`, false, pairs(found.mounts.map((each) => [each.target, `${each.type} ${each.source}${each.writable ? "" : ", read-only"}`]))),
    section(`Networks (${found.networks.length})`, false, pairs(found.networks.map((each) => [each.name, [each.address, ...each.aliases].filter(Boolean).join(", ")]))),
    section(`Ports (${found.ports.length})`, false, make("ul", {}, ...found.ports.map((port) => make("li", {}, port)))),
    section(`Labels (${found.labels.length})`, false, pairs(found.labels)),
  ].filter(Boolean);
}

function time(text) {
  return text.startsWith("0001") ? "" : moment(Date.parse(text) / 1000);
}

function section(title, open, content) {
  return make("details", { open }, make("summary", {}, title), content);
}

function pairs(rows) {
  return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}
