// SPDX-License-Identifier: Apache-2.0
// Chooses the view by the address, asks the API once a second and shows what it said.
import { ask } from "./api.js";
import { el } from "./dom.js";
import { Rates } from "./rates.js";
import * as views from "./views.js";

const FETCHED = 10000; // dialogs asked for
const SHOWN = 200;
const main = document.getElementById("main");
const link = document.getElementById("link");
const rates = new Rates();
const wanted = { dialogs: { search: "", state: "" }, registrations: { aor: "" } };
let shown = "";

const view = () => location.hash.slice(1) || "overview";
const query = (o) => new URLSearchParams(Object.entries(o).filter(([, v]) => v)).toString();

// act changes something and shows the result at once.
async function act(path, method = "POST", body = undefined) {
  try {
    await ask(path, method, body);
  } catch (e) {
    alert(e.message);
  }
  await refresh();
}

function field(of, name, title, choices) {
  const change = (e) => { of[name] = e.target.value; refresh(); };
  const input = choices
    ? el("select", { id: name, onchange: change }, ...choices.map((c) => el("option", { value: c }, c || "any")))
    : el("input", { id: name, type: "search", oninput: change, autocomplete: "off" });
  input.value = of[name];
  return el("label", {}, title, input);
}

const confirmed = (text) => window.confirm(text);

const pages = {
  async overview(status) {
    return views.overview(status, rates, act);
  },
  async dialogs() {
    const { search, state } = wanted.dialogs;
    const list = await ask("/v1/dialogs?" + query({ limit: FETCHED, state }));
    const found = list.filter((d) => [d.call_id, d.from, d.to, d.key].some((text) => text.includes(search)));
    return [
      ...(list.length === FETCHED ? [el("p", { class: "problem" }, `Only the oldest ${FETCHED} are searched; sipsteer dialogs lists all.`)] : []),
      views.dialogs(found.slice(0, SHOWN)),
    ];
  },
  async records() {
    return [views.any(await ask("/v1/records?limit=200"), "Call records", "No call has ended yet.")];
  },
  async registrations() {
    return [views.registrations(await ask("/v1/registrations?" + query(wanted.registrations)),
      (aor) => confirmed(`Drop all bindings of ${aor}?`) && act(`/v1/registrations/${encodeURIComponent(aor)}`, "DELETE"))];
  },
  async bans() {
    const lift = (b) => el("button", { type: "button", onclick: () => act(`/v1/bans/${encodeURIComponent(b.address)}`, "DELETE") }, "Lift");
    return [views.any(await ask("/v1/bans"), "Bans", "Nobody is banned.", [{ title: "", value: lift }])];
  },
};

// forms stay while their view does, so that typing is not disturbed.
const forms = {
  dialogs: () => el("form", { onsubmit: (e) => e.preventDefault() },
    field(wanted.dialogs, "search", "Call-ID or party"), field(wanted.dialogs, "state", "State", ["", "early", "confirmed", "ended"])),
  registrations: () => el("form", { onsubmit: (e) => e.preventDefault() }, field(wanted.registrations, "aor", "User, such as alice@example.com")),
};

let content = el("div");
function enter(name) {
  if (shown === name) return;
  shown = name;
  content = el("div", { id: "content" });
  main.replaceChildren(...(forms[name] ? [forms[name]()] : []), content);
  for (const a of document.querySelectorAll("nav a")) {
    if (a.hash === "#" + name) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
}

// replace keeps the keyboard where it was.
function replace(nodes) {
  const focused = document.activeElement?.id;
  content.replaceChildren(...nodes);
  if (focused) document.getElementById(focused)?.focus();
}

let round = 0;
async function refresh() {
  const mine = ++round;
  const name = pages[view()] ? view() : "overview";
  enter(name);
  try {
    const status = await ask("/v1/status");
    rates.add(status, performance.now());
    document.getElementById("node").textContent = status.node;
    document.title = `sipsteer ${status.node}`;
    const nodes = await pages[name](status).catch((e) => [el("p", { class: "problem" }, e.message)]);
    if (mine !== round) return; // something newer is on its way
    replace(nodes);
    link.textContent = `${status.version}, live`;
    link.className = "";
  } catch (e) {
    link.textContent = `no answer from the daemon: ${e.message}`;
    link.className = "lost";
  }
}

addEventListener("hashchange", refresh);
refresh();
setInterval(() => document.hidden || refresh(), 1000);
