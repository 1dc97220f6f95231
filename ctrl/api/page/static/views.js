// SPDX-License-Identifier: Apache-2.0
// One function a view: from what the API said to elements.
import { el, line, number, sum, table, time } from "./dom.js";

const card = (title, value, small, curve) => el("section", { class: "card" },
  el("h3", {}, title), el("p", {}, value), small ? el("small", {}, small) : undefined, curve);

const parts = (counts) => Object.entries(counts ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1])
  .map(([name, n]) => `${name} ${n.toLocaleString()}`).join(", ");

export function overview(status, rates, act) {
  const curve = (name, title) => card(`${title} a second`, number(rates.now(name)), undefined, line(rates.curves[name], `${title} a second, the last two minutes`));
  const d = status.dialogs;
  const mode = status.datapath.mode === "off" ? "the program in user space" : `${status.datapath.mode} XDP on ${status.datapath.interfaces.join(", ")}`;
  return [
    el("div", { class: "cards" },
      curve("steered", "Steered"), curve("passed", "Passed up"), curve("dropped", "Dropped"), curve("calls", "New calls"),
      card("Dialogs", number(d.early + d.confirmed), `${d.early} early, ${d.confirmed} confirmed`),
      card("Registrations", number(status.registrations))),
    el("p", {}, `Steering by ${mode}: ${status.services.map((s) => `${s.name} (${s.policy}) on ${s.listen.join(", ")}`).join("; ")}.`),
    el("h2", {}, "Workers"), workers(status.workers, rates, act),
    el("h2", {}, "Outcomes"), outcomes(status),
  ];
}

function workers(list, rates, act) {
  const drain = (w) => {
    const verb = w.state === "draining" || w.state === "drained" ? "undrain" : "drain";
    return el("button", { type: "button", id: `${verb}-${w.name}`, onclick: () => act(`/v1/workers/${encodeURIComponent(w.name)}/${verb}`) },
      verb === "drain" ? "Drain" : "Take new calls");
  };
  return table("Workers", [
    { title: "Worker", value: (w) => w.name },
    { title: "State", value: (w) => w.state, kind: (w) => w.state },
    { title: "Forward", value: (w) => w.forward },
    { title: "Address", value: (w) => w.address },
    { title: "Weight", value: (w) => w.weight, number: true },
    { title: "Dialogs", value: (w) => w.dialogs, number: true },
    { title: "Steered", value: (w) => w.steered.toLocaleString(), number: true },
    { title: "a second", value: (w) => number(rates.workers[w.name] ?? 0), number: true },
    { title: "", value: drain },
  ], list, "No workers in the config.");
}

function outcomes(status) {
  const rows = [
    ["Kernel dropped", status.datapath.dropped], ["Kernel, all outcomes", status.datapath.outcomes],
    ["Control plane received", status.control.received], ["Control plane answered", status.control.answered],
    ["Control plane dropped", status.control.dropped],
  ].filter(([, counts]) => sum(counts) > 0);
  return table("Outcomes", [
    { title: "What", value: (r) => r[0] },
    { title: "Total", value: (r) => sum(r[1]).toLocaleString(), number: true },
    { title: "Of these", value: (r) => parts(r[1]) },
  ], rows, "Nothing has happened yet.");
}

export function dialogs(list) {
  return table("Dialogs", [
    { title: "Call-ID", value: (d) => d.call_id || d.key },
    { title: "State", value: (d) => d.state, kind: (d) => d.state },
    { title: "Worker", value: (d) => d.worker },
    { title: "From", value: (d) => d.from },
    { title: "To", value: (d) => d.to },
    { title: "Start", value: (d) => time(d.start) },
    { title: "Answer", value: (d) => time(d.answer) },
    { title: "Packets", value: (d) => d.requests + d.responses, number: true },
  ], list, "No dialogs.");
}

export function registrations(list, drop) {
  return table("Registrations", [
    { title: "User", value: (r) => r.aor },
    { title: "Contact", value: (r) => r.contact },
    { title: "Behind", value: (r) => r.received },
    { title: "Expires", value: (r) => time(r.expires) },
    { title: "q", value: (r) => r.q, number: true },
    { title: "User agent", value: (r) => r.user_agent },
    { title: "", value: (r) => el("button", { type: "button", onclick: () => drop(r.aor) }, "Drop") },
  ], list, "Nobody is registered.");
}

// any shows a list of objects by their own names, for what this page has no better view of.
export function any(list, caption, none, extra = []) {
  const names = [...new Set(list.flatMap((row) => Object.keys(row)))];
  const show = (v) => (v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v)
    : typeof v === "string" && /^\d{4}-\d\d-\d\dT/.test(v) ? time(v) : v);
  return table(caption, [...names.map((name) => ({ title: name.replaceAll("_", " "), value: (row) => show(row[name]), number: typeof list[0]?.[name] === "number" })), ...extra], list, none);
}
