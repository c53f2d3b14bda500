// A terminal in a container. The emulator is only loaded when the first one is opened.

import { make } from "./dom.js";
import { terminalSocket } from "./remote.js";

// The emulator makes style elements and attributes, which the page's policy refuses. While a terminal is open, they
// become constructed sheets and properties.
const styles = {
  begin() {
    document.createElement = (tag, options) => (tag === "style" ? sheetElement() : styled(Document.prototype.createElement.call(document, tag, options)));
  },
  end() {
    delete document.createElement;
  },
};

function sheetElement() {
  const element = make("span", { hidden: true });
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", { set: (text) => sheet.replaceSync(text), get: () => "" });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

function styled(element) {
  element.setAttribute = setAttribute;
  return element;
}

function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

async function load() {
  if (!document.querySelector("link[href$='xterm.css']")) {
    const link = make("link", { rel: "stylesheet", href: "/static/xterm/xterm.css" });
    const loaded = new Promise((resolve) => link.addEventListener("load", resolve));
    document.head.append(link);
    await loaded;
  }
  return (await import("/static/xterm/xterm.mjs")).Terminal;
}

export class TerminalPanel {
  constructor(element) {
    this.element = element;
  }

  async open(service, index) {
    this.close();
    const place = make("div", { class: "screen" });
    const close = make("button", { class: "plain", "aria-label": "Close the terminal", onclick: () => this.close() }, "✕");
    this.element.replaceChildren(make("div", { class: "bar" }, make("h2", {}, `Terminal: ${service}`), make("span", { class: "why" }, "Shift+Escape leaves it"), close), place);
    this.element.hidden = false;
    const Terminal = await load();
    styles.begin();
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const terminal = new Terminal({
      fontSize: 13, scrollback: 5000, screenReaderMode: true,
      fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
      theme: dark ? { background: "#14161b", foreground: "#e6e8ee" } : { background: "#1d2029", foreground: "#eceef4" },
    });
    terminal.open(place);
    this.terminal = terminal;
    this.fit(place);
    const socket = terminalSocket(service, index, terminal.rows, terminal.cols);
    this.socket = socket;
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.key !== "Escape" || !event.shiftKey) return true;
      if (event.type === "keydown") close.focus();
      return false;
    });
    const encoder = new TextEncoder();
    const send = (data) => { if (socket.readyState === WebSocket.OPEN) socket.send(data); };
    terminal.onData((text) => {
      const data = encoder.encode(text);
      for (let first = 0; first < data.length; first += 32768) send(data.subarray(first, first + 32768));
    });
    terminal.onBinary((text) => send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    terminal.onResize(({ rows, cols }) => send(JSON.stringify([rows, cols])));
    socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return terminal.write(new Uint8Array(data));
      const told = JSON.parse(data);
      const said = "ended" in told ? `the shell has ended with exit code ${told.ended}` : [told.error, told.hint].filter(Boolean).join(": ");
      return terminal.write(`\r\n[${said.replace(/[\x00-\x1f\x7f-\x9f]/g, " ")}]\r\n`);
    });
    socket.addEventListener("close", () => terminal.write("\r\n[closed]\r\n"));
    this.observer = new ResizeObserver(() => this.fit(place));
    this.observer.observe(place);
    terminal.focus();
    this.element.scrollIntoView({ block: "end" });
  }

  fit(place) {
    const screen = place.querySelector(".xterm-screen");
    if (!screen || !screen.clientWidth || !place.clientWidth) return;
    const columns = Math.floor((place.clientWidth - 24) / (screen.clientWidth / this.terminal.cols));
    const rows = Math.floor(place.clientHeight / (screen.clientHeight / this.terminal.rows));
    if (columns > 1 && rows > 1 && (columns !== this.terminal.cols || rows !== this.terminal.rows)) this.terminal.resize(columns, rows);
  }

  close() {
    this.observer?.disconnect();
    this.socket?.close();
    this.terminal?.dispose();
    styles.end();
    this.observer = this.socket = this.terminal = null;
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}
