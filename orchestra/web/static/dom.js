// Makes elements. Text only ever becomes text nodes: nothing that a container writes can become markup.

export const MOODS = {
  good: "M0-6A6 6 0 1 0 0 6A6 6 0 1 0 0-6Z", // a disc
  changing: "M0-7L7 0L0 7L-7 0Z", // a diamond
  bad: "M0-7L7 6L-7 6Z", // a triangle
  done: "M-5-5L5-5L5 5L-5 5Z", // a square
  none: "M0-6A6 6 0 1 0 0 6A6 6 0 1 0 0-6ZM0-4A4 4 0 1 1 0 4A4 4 0 1 1 0-4Z", // a ring
};

export function make(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// The shape of a mood, so that colour is never the only sign.
export function sign(mood) {
  const icon = draw("svg", { class: `sign ${mood}`, viewBox: "-8 -8 16 16", width: 14, height: 14, "aria-hidden": "true" });
  icon.append(draw("path", { d: MOODS[mood], "fill-rule": "evenodd" }));
  return icon;
}

export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let place = 0;
  while (number >= 1000 && place < units.length - 1) {
    number /= 1000;
    place += 1;
  }
  return `${number >= 100 || place === 0 ? Math.round(number) : number.toFixed(1)} ${units[place]}`;
}

export function seconds(number) {
  if (number < 1) return `${Math.round(number * 1000)} ms`;
  if (number < 100) return `${number.toFixed(1)} s`;
  if (number < 6000) return `${Math.round(number / 60)} min`;
  return `${(number / 3600).toFixed(1)} h`;
}

export function clock(unix, parts = {}) {
  return new Date(unix * 1000).toLocaleTimeString([], { hour12: false, ...parts });
}

export function moment(unix) {
  return new Date(unix * 1000).toLocaleString([], { hour12: false });
}

export function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

const pen = document.createElement("canvas").getContext("2d");

// As much of a text as fits in so many pixels. weight: and size, as in "600 14px".
export function fitted(text, width, weight) {
  pen.font = `${weight} ${getComputedStyle(document.body).fontFamily}`;
  const whole = pen.measureText(text).width;
  if (whole <= width) return text;
  let length = Math.max(Math.floor((text.length * width) / whole), 1);
  while (length > 1 && pen.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}

// A question with two answers. Escape is a no.
export function confirmed(text, action) {
  const dialog = byId("question");
  setText(byId("asked"), text);
  setText(byId("yes"), action);
  dialog.returnValue = "no";
  dialog.showModal();
  byId("no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
