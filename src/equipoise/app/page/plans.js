// Plans side by side: one question a lever, a card as soon as it is answered.

import { beforeAfter } from "./charts.js";
import { $, Refused, Superseded, ask, el, note, number, percent, sentence } from "./dom.js";

export class Plans {
  constructor(state, told, apply) {
    Object.assign(this, { state, told, apply, run: 0, cards: [] });
    $("find").addEventListener("click", () => this.find());
  }

  opened() {
    this.run += 1;
    this.cards = [];
    this.state.plans = [];
    const { opened } = this.state;
    $("goal-kind").value = "share";
    $("goal").value = Number((100 * opened.goal).toPrecision(4));
    $("sure-label").hidden = opened.draws === 0;
    $("sure").checked = false;
    $("plans-list").replaceChildren(el("p", { class: "hint" },
      "Every lever alone, each the least change it can find, re-solved and certified."));
    $("find").disabled = false;
  }

  // Plans belong to the settings they were found at.
  stale() {
    if (this.cards.length === 0 || $("plans-list").querySelector(".old-note")) return;
    $("plans-list").prepend(el("p", { class: "hint old-note" }, "The sliders have moved since; these plans start from where they were."));
  }

  async find() {
    this.run += 1;
    const run = this.run;
    const kind = $("goal-kind").value;
    const goal = { [kind]: Number($("goal").value) / 100 };
    const asked = { ...this.told(), goal, sure: $("sure").checked };
    asked.set = structuredClone(asked.set);
    this.cards = [];
    this.state.plans = [];
    $("find").disabled = true;
    const list = $("plans-list");
    list.replaceChildren();
    list.setAttribute("aria-busy", "true");
    try {
      const { levers } = await ask("levers", asked);
      for (const lever of levers) {
        const wait = el("div", { class: "plan" }, el("h3", {}, capital(lever.words)), el("p", { class: "soft" }, "searching\u2026"));
        list.append(wait);
        const card = await this.card(lever, asked);
        if (run !== this.run) return;
        wait.replaceWith(card);
      }
    } catch (error) {
      if (error instanceof Superseded) return;
      note(error.message, true);
      list.replaceChildren();
    } finally {
      if (run === this.run) {
        $("find").disabled = false;
        list.removeAttribute("aria-busy");
      }
    }
  }

  async card(lever, asked) {
    let plan;
    try {
      plan = await ask("plan", { ...asked, lever: lever.name });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return el("div", { class: "plan refused" }, el("h3", {}, capital(lever.words), el("span", { class: "tag" }, "not reached")),
        el("p", {}, el("bdi", {}, error.message)));
    }
    this.cards.push(plan);
    this.state.plans.push(plan.plan);
    const { opened } = this.state;
    const top = Math.min(1, 1.06 * Math.max(...plan.before, ...plan.after, ...plan.floors));
    const button = el("button", { type: "button" }, "Apply");
    button.setAttribute("aria-label", `Apply the plan: ${plan.words}`);
    button.addEventListener("click", async () => {
      try {
        this.apply(await ask("apply", { plan: plan.plan }));
      } catch (error) {
        note(error.message, true);
      }
    });
    const holds = plan.holds[0] === plan.holds[1] ? "" : ` The goal holds in ${plan.holds[0]} of the ${plan.holds[1]} equilibria found.`;
    const fresh = plan.fresh === null || plan.fresh === undefined ? "" : ` Holds in ${percent(plan.fresh, 0)} of draws it was not fitted on.`;
    return el("div", { class: "plan" },
      el("h3", {}, capital(plan.words), el("span", { class: "tag", title: plan.why }, plan.least ? "least, proved" : "best found")),
      el("p", { class: "cost" }, number(plan.cost), " ", el("small", {}, plan.unit)),
      el("p", {}, el("bdi", {}, `${capital(plan.advice)}.`)),
      beforeAfter(opened, plan, top),
      el("p", { class: "soft fill" }, ...sentence(plan.losers), holds, fresh),
      button);
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
