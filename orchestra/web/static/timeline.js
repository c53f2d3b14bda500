// Where the time of an up went, or of the last day, and what happened then.

import { clock, draw, make, moment, seconds, shortened } from "./dom.js";
import { get } from "./remote.js";

const HIGH = 22;
const LABEL = 170;
const KEPT = 5000;
const DAY = 86400;

export class Timeline {
  constructor(element) {
    this.element = element;
    this.events = [];
    this.span = make("select", { "aria-label": "Span of time", onchange: () => this.open() },
      make("option", { value: "" }, "The last up"), make("option", { value: "3600" }, "The last hour"), make("option", { value: String(DAY) }, "The last day"));
    this.total = make("p", { class: "total" });
    this.chart = make("div", { class: "chart" });
    this.legend = make("ul", { class: "legend" });
    this.filter = make("input", { type: "search", placeholder: "Filter events", "aria-label": "Filter events", oninput: () => this.list() });
    this.body = make("tbody");
    element.replaceChildren(
      make("div", { class: "bar" }, make("h2", {}, "Timeline"), this.span, this.total),
      this.chart, this.legend,
      make("div", { class: "bar" }, make("h2", {}, "Events"), this.filter),
      make("div", { class: "wide" }, make("table", { class: "events" }, make("thead", {}, make("tr", {},
        ...["Time", "What", "Of", "Why"].map((text) => make("th", { scope: "col" }, text)))), this.body)),
    );
    new ResizeObserver(() => this.draw()).observe(this.chart);
  }

  async open() {
    const since = this.span.value ? `?since=${Math.floor(Date.now() / 1000) - Number(this.span.value)}` : "";
    const events = get("/api/events").then((found) => { this.events = found.events; this.list(); });
    try {
      this.found = await get(`/api/timeline${since}`);
      this.total.textContent = seconds(this.found.ended - this.found.began);
    } catch (failure) {
      this.found = null;
      this.total.textContent = failure.message;
    }
    this.draw();
    await events;
  }

  hear(event) {
    this.events.push(event);
    if (this.events.length > KEPT) this.events.shift();
    if (this.element.hidden) return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.open(), 500);
  }

  draw() {
    const width = this.chart.clientWidth;
    if (!width || (this.drawn === this.found && this.width === width)) return;
    [this.drawn, this.width] = [this.found, width];
    this.chart.replaceChildren();
    this.legend.replaceChildren();
    if (!this.found) return;
    const { began, ended, segments, path } = this.found;
    const subjects = [...new Set(segments.map((each) => each.subject))];
    const label = Math.min(LABEL, width / 3);
    const room = width - label - 12;
    const x = (at) => label + ((at - began) / Math.max(ended - began, 0.001)) * room;
    const image = draw("svg", { width, height: (subjects.length + 1) * HIGH + 4, role: "img", "aria-label": `${subjects.length} resources in ${seconds(ended - began)}` });
    const ticks = Math.max(2, Math.min(8, Math.floor(room / 90)));
    for (let tick = 0; tick <= ticks; tick += 1) {
      const at = began + ((ended - began) * tick) / ticks;
      image.append(draw("line", { class: "tick", x1: x(at), x2: x(at), y1: HIGH - 4, y2: (subjects.length + 1) * HIGH }));
      if (tick < ticks) image.append(draw("text", { class: "axis", x: x(at) + 3, y: 13 }, ended - began > 300 ? clock(at) : seconds(at - began)));
    }
    const critical = new Set(path.map((each) => `${each.subject} ${each.part} ${each.began.toFixed(3)}`));
    subjects.forEach((subject, row) => {
      const y = (row + 1) * HIGH;
      image.append(draw("text", { class: "subject", x: 0, y: y + 15 }, shortened(subject.replace(/^container\//, ""), Math.floor(label / 7.2))));
      for (const each of segments.filter((one) => one.subject === subject)) {
        const kind = each.part.replaceAll(" ", "-");
        const isCritical = critical.has(`${each.subject} ${each.part} ${each.began.toFixed(3)}`);
        image.append(draw(
          "rect",
          { class: `part ${kind}${each.failed ? " failed" : ""}${isCritical ? " critical" : ""}`, x: x(each.began), y: y + 3, width: Math.max(x(each.ended) - x(each.began), 2), height: HIGH - 7, rx: 3 },
          draw("title", {}, `${subject}: ${each.part}, ${seconds(each.ended - each.began)}${each.failed ? ", failed or not over" : ""}`),
        ));
      }
    });
    this.chart.append(image);
    for (const part of new Set(segments.map((each) => each.part))) {
      this.legend.append(make("li", {}, make("span", { class: `key ${part.replaceAll(" ", "-")}` }), part));
    }
    if (path.length) this.legend.append(make("li", {}, make("span", { class: "key critical" }), "on the critical path"));
  }

  list() {
    const wanted = this.filter.value.toLowerCase();
    const rows = this.events.filter((each) => `${each.what} ${each.subject} ${each.detail}`.toLowerCase().includes(wanted)).slice(-500).reverse();
    this.body.replaceChildren(...rows.map((each) => make(
      "tr", { class: each.bad ? "bad" : "" },
      make("td", { class: "stamp", title: moment(each.at) }, clock(each.at)), make("td", {}, each.what), make("td", {}, each.subject), make("td", {}, shortened(each.detail, 300)),
    )));
  }
}
