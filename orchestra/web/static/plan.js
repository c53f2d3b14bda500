// What would have to be done for the stack to be as its file says; and doing exactly that.

import { make } from "./dom.js";
import { get, post } from "./remote.js";

export class Plan {
  constructor(element, writes, does) {
    this.writes = writes;
    this.does = does;
    this.again = make("button", { onclick: () => this.open() }, "Plan again");
    this.apply = make("button", { class: "main", hidden: true, onclick: () => this.carryOut() }, "Apply this plan");
    this.content = make("div", { class: "content", "aria-live": "polite" });
    element.replaceChildren(make("div", { class: "bar" }, make("h2", {}, "Plan"), this.again, this.apply), this.content);
  }

  async open() {
    this.apply.hidden = true;
    this.again.disabled = true;
    try {
      this.show(await get("/api/plan"));
    } catch (failure) {
      this.content.replaceChildren(make("p", { class: "failed" }, failure.message));
    } finally {
      this.again.disabled = false;
    }
  }

  show(found) {
    this.name = found.plan;
    this.apply.hidden = !this.writes || !found.plan;
    this.apply.disabled = false;
    const rounds = found.rounds.map((actions, place) => make(
      "section", {}, make("h3", {}, `Round ${place + 1}`),
      make("ul", { class: "actions" }, ...actions.map((each) => make("li", {}, make("b", { class: each.verb }, each.verb), make("code", {}, each.resource), make("span", { class: "why" }, each.reason)))),
    ));
    const rest = [
      group("Replaced", found.replaced, (each) => [make("code", {}, each.resource), make("span", { class: "why" }, each.reason), changes(each.changes)]),
      group("Blocked", found.blocked, (each) => [make("code", {}, each.resource), make("span", { class: "why" }, each.reason)]),
      group("Would fail", found.failed, (each) => [make("code", {}, each.resource), make("span", { class: "why" }, [each.error, each.hint].filter(Boolean).join(": "))]),
    ];
    const nothing = rounds.length ? null : make("p", {}, "Nothing to do: the stack is as its file says.");
    this.content.replaceChildren(...[nothing, ...rounds, ...rest].filter(Boolean));
  }

  async carryOut() {
    this.apply.disabled = true;
    await this.does.run("apply the plan", post("/api/apply", { plan: this.name }));
    await this.open();
  }
}

function group(title, rows, content) {
  if (!rows?.length) return null;
  return make("section", {}, make("h3", {}, title), make("ul", { class: "actions" }, ...rows.map((row) => make("li", {}, ...content(row).filter(Boolean)))));
}

export function changes(list) {
  if (!list.length) return null;
  return make("table", { class: "changes" }, make("tbody", {}, ...list.map((each) => make(
    "tr", {}, make("th", { scope: "row" }, each.path),
    make("td", {}, each.before === null ? "" : make("del", {}, each.before)), make("td", {}, each.after === null ? "" : make("ins", {}, each.after)),
  ))));
}
