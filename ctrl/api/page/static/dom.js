// SPDX-License-Identifier: Apache-2.0
// Makes elements. Text from the network enters the page as text only.

export function el(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) e.setAttribute(key, value);
  }
  e.append(...children.filter((c) => c !== undefined));
  return e;
}

// table shows rows in columns {title, value(row), number?, kind?(row)}.
export function table(caption, columns, rows, none) {
  if (rows.length === 0) return el("p", { class: "none" }, none);
  const head = columns.map((c) => el("th", { scope: "col", class: c.number ? "n" : undefined }, c.title));
  const body = rows.map((row) => el("tr", {}, ...columns.map((c) => {
    const value = c.value(row);
    const text = value instanceof Node ? value : String(value ?? "");
    const classes = [c.number ? "n" : "", c.kind ? c.kind(row) : ""].join(" ").trim();
    return el("td", { class: classes || undefined, title: typeof text === "string" ? text : undefined }, text);
  })));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)));
}

// line draws values as a small curve from 0 to their maximum.
export function line(values, label) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 120 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const top = Math.max(1, ...values);
  const points = values.map((v, i) => `${120 - (values.length - 1 - i)},${(29 - 28 * v / top).toFixed(1)}`);
  const curve = document.createElementNS(ns, "polyline");
  curve.setAttribute("points", points.join(" "));
  svg.append(curve);
  return svg;
}

export const time = (t) => (t ? new Date(t).toLocaleString() : "");
export const sum = (parts) => Object.values(parts ?? {}).reduce((a, b) => a + b, 0);
export const number = (v) => (v < 10 && v % 1 ? v.toFixed(1) : Math.round(v).toLocaleString());
