// The stack as a graph: what nothing depends on is on top, and each service is above what it depends on.

import { MOODS, bytes, draw, fitted, setAttribute, setText } from "./dom.js";
import { latest } from "./usage.js";

const WIDEST = 176;
const HIGH = 62;
const GAP = 20;
const BETWEEN = 46;
const LEFT = 34; // of the words in a box, beside the shape
const MARGIN = 8;
const MANY = 80; // edges that are only seen well one by one

export class Graph {
  constructor(select) {
    this.select = select;
    this.nodes = new Map();
    this.edges = [];
    this.shape = { nodes: [], edges: [] };
    this.lines = draw("g", { class: "edges" });
    this.boxes = draw("g", { class: "nodes" });
    this.element = draw("svg", { class: "graph", role: "group", "aria-label": "Services and what they depend on" });
    this.element.append(this.lines, this.boxes);
    this.element.addEventListener("keydown", (event) => this.move(event));
    new ResizeObserver(() => this.place()).observe(this.element);
  }

  // Take another shape: names with layers, and edges between them.
  reshape(shape) {
    this.shape = shape;
    const known = new Set(shape.nodes.map((node) => node.name));
    for (const [name, node] of this.nodes) {
      if (known.has(name)) continue;
      node.box.remove();
      this.nodes.delete(name);
    }
    for (const { name, layer } of shape.nodes) {
      const node = this.nodes.get(name) ?? this.make(name);
      node.layer = layer;
    }
    this.lines.replaceChildren();
    this.edges = shape.edges.filter((edge) => known.has(edge.source) && known.has(edge.target)).map((edge) => {
      const path = draw("path", { class: edge.required ? "edge" : "edge optional" });
      path.append(draw("title", {}, `${edge.source} waits for ${edge.target}: ${edge.condition.replace("service_", "").replaceAll("_", " ")}`));
      this.lines.append(path);
      return { ...edge, path };
    });
    this.lines.setAttribute("class", this.edges.length > MANY ? "edges many" : "edges");
    this.width = 0;
    this.place();
  }

  make(name) {
    const shape = draw("path", { class: "shape", transform: "translate(20 22)", "fill-rule": "evenodd" });
    const rect = draw("rect", { width: WIDEST, height: HIGH, rx: 9 });
    const title = draw("text", { x: LEFT, y: 26, class: "name" });
    const word = draw("text", { x: LEFT, y: 43, class: "word" });
    const traffic = draw("text", { x: LEFT, y: 56, class: "traffic" });
    const box = draw(
      "g", { class: "node none", role: "button", tabindex: -1 },
      draw("title", {}, name),
      rect, shape, title, word, traffic,
    );
    const choose = () => this.select(name);
    box.addEventListener("click", choose);
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    });
    for (const [happens, near] of [["mouseenter", true], ["mouseleave", false], ["focus", true], ["blur", false]]) {
      box.addEventListener(happens, () => this.highlight(name, near));
    }
    this.boxes.append(box);
    const node = { name, box, rect, shape, title, word, traffic, layer: 0, x: 0, y: 0, mood: "" };
    this.nodes.set(name, node);
    return node;
  }

  // As many boxes beside each other as there is room for; those of one layer near what they depend on.
  place() {
    const width = this.element.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    const wide = this.wide = Math.min(WIDEST, Math.floor((width - GAP) / 2)); // at least two beside each other
    const perRow = Math.max(1, Math.floor((width + GAP) / (wide + GAP)));
    const layers = [];
    for (const node of this.nodes.values()) (layers[node.layer] ??= []).push(node);
    const targets = new Map();
    for (const edge of this.edges) targets.set(edge.source, [...(targets.get(edge.source) ?? []), edge.target]);
    const centre = (node) => {
      const below = (targets.get(node.name) ?? []).map((name) => this.nodes.get(name).x);
      return below.length ? below.reduce((sum, x) => sum + x, 0) / below.length : width / 2;
    };
    const rows = [];
    layers.forEach((layer) => {
      const sorted = (layer ?? []).map((node) => [centre(node), node])
        .sort(([a, one], [b, other]) => a - b || one.name.localeCompare(other.name)).map(([, node]) => node);
      for (let first = 0; first < sorted.length; first += perRow) {
        const row = sorted.slice(first, first + perRow);
        const start = (width - row.length * (wide + GAP) + GAP) / 2;
        row.forEach((node, place) => { node.x = start + place * (wide + GAP); });
        rows.push({ row, isLast: first + perRow >= sorted.length });
      }
    });
    let y = 4;
    rows.reverse().forEach(({ row, isLast }, place) => {
      if (isLast && y > 4) y += BETWEEN - GAP;
      for (const node of row) {
        [node.y, node.row] = [y, place];
        node.box.setAttribute("transform", `translate(${node.x} ${y})`);
        node.rect.setAttribute("width", wide);
        node.traffic.setAttribute("x", wide < WIDEST ? MARGIN * 2 : LEFT);
        setText(node.title, fitted(node.name, wide - LEFT - MARGIN, "600 14px"));
      }
      y += HIGH + GAP;
    });
    this.element.setAttribute("height", Math.max(y - GAP + 4, HIGH));
    this.order = rows.flatMap(({ row }) => row);
    for (const { source, target, path } of this.edges) {
      path.setAttribute("d", this.route(this.nodes.get(source), this.nodes.get(target), rows.map(({ row }) => row)));
    }
    if (this.order.length && !this.order.some((node) => node.box.tabIndex === 0)) this.order[0].box.setAttribute("tabindex", 0);
  }

  // Between the boxes of the rows on its way: one that went on below a box would seem to end there.
  route(from, to, rows) {
    let [x, y] = [from.x + this.wide / 2, from.y + HIGH];
    let path = `M${x} ${y}`;
    const bend = (nextX, nextY) => {
      const half = (nextY - y) / 2;
      path += `C${x} ${y + half} ${nextX} ${nextY - half} ${nextX} ${nextY}`;
    };
    const end = to.x + this.wide / 2;
    for (const row of rows.slice(from.row + 1, to.row)) {
      const top = row[0].y;
      const straight = x + ((end - x) * (top - y)) / (to.y - y);
      const isFree = row.every((node) => straight < node.x - MARGIN || straight > node.x + this.wide + MARGIN);
      const gaps = [row[0].x - GAP / 2, ...row.map((node) => node.x + this.wide + GAP / 2)];
      const gap = isFree ? straight : gaps.sort((a, b) => Math.abs(a - straight) - Math.abs(b - straight))[0];
      bend(gap, top);
      [x, y] = [gap, top + HIGH];
      path += `V${y}`;
    }
    bend(end, to.y);
    return path;
  }

  // services: by name, with mood, word and the names of containers.
  show(services, selected) {
    for (const [name, node] of this.nodes) {
      const service = services.get(name) ?? { mood: "none", word: "not there", names: [] };
      const use = latest(service.names);
      const flows = use.known && use.down + use.up > 0;
      const traffic = flows ? `↓ ${bytes(use.down)}/s ↑ ${bytes(use.up)}/s` : "";
      if (node.mood !== service.mood) node.shape.setAttribute("d", MOODS[service.mood]);
      node.mood = service.mood;
      setAttribute(node.box, "class", `node ${service.mood}${name === selected ? " selected" : ""}`);
      setAttribute(node.box, "aria-label", `${name}: ${service.word}${traffic && `, ${traffic}`}`);
      setAttribute(node.box, "aria-pressed", name === selected);
      setText(node.word, fitted(service.word, (this.wide ?? WIDEST) - LEFT - MARGIN, "12px"));
      setText(node.traffic, traffic);
      node.flows = flows;
    }
    for (const { target, path } of this.edges) path.classList.toggle("flows", Boolean(this.nodes.get(target)?.flows));
  }

  highlight(name, near) {
    for (const { source, target, path } of this.edges) {
      if (source === name || target === name) path.classList.toggle("near", near);
    }
  }

  // Arrow keys go from box to box; Tab leaves the graph.
  move(event) {
    const here = this.order?.find((node) => node.box === document.activeElement);
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!here || !steps) return;
    event.preventDefault();
    const [right, down] = steps;
    const ahead = this.order.filter((node) => (right ? node.y === here.y && (node.x - here.x) * right > 0 : (node.y - here.y) * down > 0));
    const far = (node) => Math.abs(node.y - here.y) * 4 + Math.abs(node.x - here.x);
    const next = ahead.sort((a, b) => far(a) - far(b))[0];
    if (!next) return;
    here.box.setAttribute("tabindex", -1);
    next.box.setAttribute("tabindex", 0);
    next.box.focus();
  }
}
