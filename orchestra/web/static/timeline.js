// Where the time of an up went, or of the last day, and what happened then.

import { clock, draw, fitted, make, moment, seconds, shortened } from "./dom.js";
import { get } from "./remote.js";

const HIGH = 22;
const LABEL = 170;
const KEPT = 5000;
const DAY = 86400;
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200];

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
      const { ended, segments } = this.found;
      // Of an hour or a day, from the first that happened: a new stack would be a line at the right.
      if (since) this.found.began = Math.min(ended, ...segments.map((each) => each.began));
      this.total.textContent = segments.length ? seconds(ended - this.found.began) : "nothing happened";
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
    for (const [at, text] of ticks(began, ended, Math.max(2, Math.floor(room / 90)))) {
      image.append(draw("line", { class: "tick", x1: x(at), x2: x(at), y1: HIGH - 4, y2: (subjects.length + 1) * HIGH }));
      if (x(at) < width - 55) image.append(draw("text", { class: "axis", x: x(at) + 3, y: 13 }, text));
    }
    const critical = new Set(path.map((each) => `${each.subject} ${each.part} ${each.began.toFixed(3)}`));
    subjects.forEach((subject, row) => {
      const y = (row + 1) * HIGH;
      image.append(draw("text", { class: "subject", x: 0, y: y + 15 }, fitted(subject.replace(/^container\//, ""), label - 8, "12px")));
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

// Moments with their texts, at round seconds since the beginning, or at round times of day.
function ticks(began, ended, most) {
  const ofDay = ended - began > 300;
  const step = STEPS.find((each) => Math.floor((ended - began) / each) <= most && (each >= 60 || !ofDay)) ?? DAY;
  const zero = ofDay ? new Date(began * 1000).setHours(0, 0, 0, 0) / 1000 : began;
  const first = Math.ceil((began - zero) / step);
  return Array.from({ length: Math.max(Math.floor((ended - zero) / step) - first + 1, 0) }, (_, place) => {
    const at = zero + (first + place) * step;
    return [at, ofDay ? clock(at, { hour: "2-digit", minute: "2-digit" }) : seconds(at - zero)];
  });
}
