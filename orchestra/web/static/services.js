// The services of the stack, made from its containers, and the table of them.

import { bytes, make, setAttribute, setText, sign } from "./dom.js";
import { latest } from "./usage.js";

const WORST_FIRST = ["bad", "changing", "none", "good", "done"];

// By name, in its order: mood, word, containers and their names. Services of the graph without containers are there too.
export function servicesOf(shape, containers) {
  const services = new Map(shape.nodes.map((node) => [node.name, []]));
  for (const each of containers) services.set(each.service, [...(services.get(each.service) ?? []), each]);
  return new Map([...services].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, own]) => [name, { name, containers: own, names: own.map((each) => each.name), ...standing(own) }]));
}

function standing(containers) {
  if (!containers.length) return { mood: "none", word: "no containers" };
  const rank = (each) => WORST_FIRST.indexOf(each.mood);
  const worst = [...containers].sort((a, b) => rank(a) - rank(b) || a.word.localeCompare(b.word))[0];
  const like = containers.filter((each) => each.mood === worst.mood && each.word === worst.word).length;
  const many = containers.length > 1 ? (like < containers.length ? `${like} of ${containers.length} ` : `${like} `) : "";
  return { mood: worst.mood, word: `${many}${worst.word}` };
}

export class Table {
  constructor(select) {
    this.select = select;
    this.rows = new Map();
    this.body = make("tbody");
    this.filter = make("input", { type: "search", placeholder: "Filter services", "aria-label": "Filter services", oninput: () => this.sift() });
    const heads = ["Service", "State", "Ports", "CPU", "Memory"].map((text) => make("th", { scope: "col", class: text.toLowerCase() }, text));
    this.element = make(
      "div", { class: "services" },
      make("div", { class: "bar" }, make("h2", {}, "Services"), this.filter),
      make("div", { class: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), this.body)),
    );
  }

  show(services, selected) {
    for (const [name, row] of this.rows) {
      if (services.has(name)) continue;
      row.element.remove();
      this.rows.delete(name);
    }
    for (const [place, [name, service]] of [...services].entries()) {
      const row = this.rows.get(name) ?? this.make(name, place);
      if (row.mood !== service.mood) {
        row.sign.replaceChildren(sign(service.mood));
        row.mood = service.mood;
      }
      setText(row.word, service.word);
      setText(row.ports, service.containers.flatMap((each) => each.ports).map((port) => port.replace("->", " → ")).join(", "));
      const use = latest(service.names);
      setText(row.processor, use.known ? `${use.processor.toFixed(1)} %` : "");
      setText(row.memory, use.known ? bytes(use.memory) : "");
      setAttribute(row.element, "class", name === selected ? "selected" : "");
    }
    this.sift();
  }

  make(name, place) {
    const row = {
      sign: make("span"), word: make("span"), ports: make("td", { class: "ports" }),
      processor: make("td", { class: "cpu" }), memory: make("td", { class: "memory" }), mood: "",
    };
    const button = make("button", { class: "link", onclick: () => this.select(name) }, name);
    row.element = make("tr", {}, make("th", { scope: "row" }, button), make("td", {}, make("span", { class: "state" }, row.sign, row.word)), row.ports, row.processor, row.memory);
    this.rows.set(name, row);
    this.body.insertBefore(row.element, this.body.children[place] ?? null);
    return row;
  }

  sift() {
    const wanted = this.filter.value.toLowerCase();
    for (const [name, row] of this.rows) row.element.hidden = !`${name} ${row.word.textContent}`.toLowerCase().includes(wanted);
  }
}
