// What containers have used in the last minutes, and plots of it.

import { bytes, draw, make, setAttribute, setText } from "./dom.js";

const SAMPLES = 150;
const WIDTH = 300;
const HEIGHT = 56;

const history = new Map();

// One measurement of all containers: per container percent, bytes and its limit, received, sent, processes.
export function note({ at, containers }) {
  for (const name of history.keys()) if (!(name in containers)) history.delete(name);
  for (const [name, [processor, memory, limit, received, sent, processes]] of Object.entries(containers)) {
    const samples = history.get(name) ?? [];
    const last = samples.at(-1);
    const passed = last ? Math.max(at - last.at, 0.001) : 1;
    samples.push({
      at, processor, memory, limit, received, sent, processes,
      down: last ? Math.max(received - last.received, 0) / passed : 0,
      up: last ? Math.max(sent - last.sent, 0) / passed : 0,
    });
    if (samples.length > SAMPLES) samples.shift();
    history.set(name, samples);
  }
}

// The sums over some containers.
export function latest(names) {
  const sum = { processor: 0, memory: 0, down: 0, up: 0, known: false };
  for (const name of names) {
    const sample = history.get(name)?.at(-1);
    if (!sample) continue;
    sum.known = true;
    for (const field of ["processor", "memory", "down", "up"]) sum[field] += sample[field];
  }
  return sum;
}

const PLOTS = [
  { title: "Processor", lines: ["processor"], show: (s) => `${s.processor.toFixed(1)} %`, least: 10 },
  { title: "Memory", lines: ["memory"], show: (s) => `${bytes(s.memory)} of ${bytes(s.limit)}`, least: 1e6 },
  { title: "Network", lines: ["down", "up"], show: (s) => `${bytes(s.down)}/s in, ${bytes(s.up)}/s out`, least: 1000 },
];

// Plots of one container; call ``update`` after each measurement.
export class Plots {
  constructor() {
    this.element = make("div", { class: "plots" });
    this.plots = PLOTS.map((plot) => {
      const value = make("span", { class: "value" });
      const lines = plot.lines.map((name) => draw("path", { class: `line ${name}` }));
      const areas = plot.lines.map((name) => draw("path", { class: `area ${name}` }));
      const image = draw(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
        ...areas, ...lines,
      );
      this.element.append(make("figure", {}, make("figcaption", {}, make("span", {}, plot.title), value), image));
      return { ...plot, value, image, paths: lines, areas };
    });
  }

  update(name) {
    const samples = history.get(name) ?? [];
    for (const plot of this.plots) {
      const last = samples.at(-1);
      const said = last ? plot.show(last) : "not measured";
      setText(plot.value, said);
      setAttribute(plot.image, "aria-label", `${plot.title}: ${said}`);
      const top = Math.max(plot.least, ...samples.flatMap((each) => plot.lines.map((line) => each[line]))) * 1.1;
      const end = last?.at ?? 0;
      plot.lines.forEach((line, place) => {
        const points = samples.map((each) => {
          const x = WIDTH - ((end - each.at) / (SAMPLES * 2)) * WIDTH;
          return `${x.toFixed(1)} ${(HEIGHT - (each[line] / top) * HEIGHT).toFixed(1)}`;
        });
        const path = points.length > 1 ? `M${points.join("L")}` : "";
        plot.paths[place].setAttribute("d", path);
        const first = points[0]?.split(" ")[0];
        plot.areas[place].setAttribute("d", path && `${path}L${WIDTH} ${HEIGHT}L${first} ${HEIGHT}Z`);
      });
    }
  }
}
