// What the stack was asked to be, one revision after another, and going back to one.

import { confirmed, make, moment } from "./dom.js";
import { changes } from "./plan.js";
import { get, post } from "./remote.js";

export class History {
  constructor(element, writes, does) {
    this.writes = writes;
    this.does = does;
    this.list = make("ol", { class: "revisions" });
    element.replaceChildren(make("div", { class: "bar" }, make("h2", {}, "History")), this.list);
  }

  async open() {
    try {
      const { revisions } = await get("/api/history");
      this.list.replaceChildren(...revisions.map((each, place) => this.row(each, place === 0)));
      if (!revisions.length) this.list.replaceChildren(make("li", {}, "No revisions yet: they begin with the first up."));
    } catch (failure) {
      this.list.replaceChildren(make("li", { class: "failed" }, failure.message));
    }
  }

  row(revision, isCurrent) {
    const content = make("div", { class: "content" });
    const box = make(
      "details", {},
      make("summary", {}, make("b", {}, `${revision.number}`), make("time", {}, moment(revision.at)), make("span", {}, `${revision.user}: ${revision.command}`),
        make("span", { class: "why" }, isCurrent ? "current" : revision.changed.join(", "))),
      content,
    );
    box.addEventListener("toggle", async () => {
      if (!box.open || content.hasChildNodes()) return;
      try {
        content.replaceChildren(...differences(await get(`/api/history/${revision.number}`)), ...this.back(revision, isCurrent));
      } catch (failure) {
        content.replaceChildren(make("p", { class: "failed" }, failure.message));
      }
    });
    return make("li", {}, box);
  }

  back(revision, isCurrent) {
    if (!this.writes || isCurrent) return [];
    const go = async () => {
      if (!(await confirmed(`Bring the stack back to revision ${revision.number}? Services that were added later are removed.`, "Roll back"))) return;
      await this.does.run(`roll back to revision ${revision.number}`, post("/api/rollback", { revision: revision.number }));
      await this.open();
    };
    return [make("button", { onclick: go }, "Roll back to this")];
  }
}

function differences({ differences: found, images }) {
  const rows = found.map((each) => make("li", {}, make("b", { class: each.verb }, each.verb), make("code", {}, each.resource), changes(each.changes)));
  const pins = Object.entries(images).map(([name, digest]) => make("li", {}, make("b", {}, "image"), make("code", {}, name), make("span", { class: "why" }, digest)));
  const nothing = rows.length ? null : make("li", {}, "No differences are kept.");
  return [make("ul", { class: "actions" }, ...[nothing, ...rows, ...pins].filter(Boolean))];
}
