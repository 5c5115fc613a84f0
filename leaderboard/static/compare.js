// Differences between rows, from the draws that they share.
"use strict";

const [choices, quantities] = ["choices", "quantities"].map((id) => JSON.parse(document.getElementById(id).textContent));
let turn = 0; // of what was asked for last: a file that comes late is not shown
const form = document.getElementById("controls");
const place = document.getElementById("comparison");
const [STEPS, UNDEFINED] = [65534, 65535]; // as packed in statistics/draws.py
const OFFSET = 0.16; // between the points of neighbouring rows
const LOOKS = [["#3b7dd8", "circle"], ["#e07b39", "square"], ["#2f9e6e", "diamond"]]; // of the second row and on: methods share colours
const [LOW, HIGH] = [0.025, 0.975];

// The plain estimate and then one value for each draw, from 16-bit integers in base 64.
function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const whole = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, n) => {
    const value = whole.getUint16(2 * n, true);
    return value === UNDEFINED ? NaN : value / STEPS;
  });
}

function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (at % 1) * (above - below);
}

// [value, low, high]: the percentile interval of the draws, widened to contain the plain estimate.
function spread([value, ...draws]) {
  const sorted = draws.filter((draw) => !Number.isNaN(draw)).sort((a, b) => a - b);
  if (Number.isNaN(value) || sorted.length === 0) return [NaN, NaN, NaN];
  return [value, Math.min(value, quantile(sorted, LOW)), Math.max(value, quantile(sorted, HIGH))];
}

// Of the mean over the variants that both rows have and that inform about the quantity; nothing without any.
function difference(one, other, variants, quantity) {
  const shared = variants.filter((variant) => one[variant]?.[quantity] && other[variant]?.[quantity]);
  if (shared.length === 0) return undefined;
  const pairs = shared.map((variant) => [one, other].map((row) => unpacked(row[variant][quantity])));
  const draws = pairs[0][0].map((_, n) => pairs.reduce((sum, [a, b]) => sum + b[n] - a[n], 0) / pairs.length);
  return spread(draws);
}

const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);

function cell(found) {
  if (!found || Number.isNaN(found[0])) return element("td", { className: "missing", textContent: "–" });
  const [value, low, high] = found;
  const verdict = low > 0 ? "better" : high < 0 ? "worse" : "";
  const interval = element("span", { className: "interval", textContent: `${signed(low)} to ${signed(high)}` });
  return element("td", { className: `figure ${verdict}` }, signed(value), interval);
}

function placesOf(tasks) {
  const variants = Object.values(tasks).flat();
  const several = Object.entries(tasks).filter(([, own]) => own.length > 1);
  return [["all shared variants", variants], ...several.map(([task, own]) => [`${task} (mean)`, own]), ...variants.map((variant) => [variant, [variant]])];
}

function examplesLink(variant, names) {
  const [row, other] = names;
  const asked = new URLSearchParams({ track: form.elements.track.value, variant, row, other, outcome: "differ" });
  return element("a", { href: `explore.html#${asked}`, textContent: "examples" });
}

function differenceTable(names, rows, places) {
  const heading = ["", ...quantities, "differing answers"].map((textContent) => element("th", { scope: "col", textContent }));
  const lines = places.map(([label, variants]) => {
    const cells = quantities.map((quantity) => cell(difference(...rows, variants, quantity)));
    const link = element("td", {}, ...(variants.length === 1 && cells.some(({ className }) => className !== "missing") ? [examplesLink(label, names)] : []));
    return element("tr", {}, element("th", { scope: "row", textContent: label }), ...cells, link);
  });
  const table = element("table", { className: "grid" }, element("thead", {}, element("tr", {}, ...heading)), element("tbody", {}, ...lines));
  const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
  scroll.setAttribute("aria-label", `${names[1]} minus ${names[0]}`);
  return scroll;
}

function forest(names, rows, variants) {
  const traces = rows.slice(1).map((row, n) => {
    const found = quantities.map((quantity) => difference(rows[0], row, variants, quantity) ?? [null, null, null]);
    const [array, arrayminus] = [found.map(([value, , high]) => high - value), found.map(([value, low]) => value - low)];
    const [color, symbol] = LOOKS[n];
    const places = quantities.map((_, place) => place + OFFSET * (n - (rows.length - 2) / 2));
    return { x: found.map(([value]) => value), y: places, text: quantities, name: names[n + 1], mode: "markers", marker: { size: 10, color, symbol }, error_x: { array, arrayminus, color, thickness: 1.5 }, hovertemplate: "%{text}: %{x:.3f}" };
  });
  const layout = { template: "none", margin: { l: 90, r: 12, t: 12, b: 40 }, showlegend: true, legend: { orientation: "h", y: 1.12 }, xaxis: { zeroline: true, automargin: true, title: { text: `difference from ${names[0]}` } }, yaxis: { autorange: "reversed", zeroline: false, tickvals: quantities.map((_, place) => place), ticktext: quantities }, dragmode: false };
  const canvas = element("div", { className: "canvas", role: "img" });
  canvas.setAttribute("aria-label", `Differences from ${names[0]}, as in the tables below`);
  canvas.figure = { data: traces, layout };
  return element("figure", { className: "plot forest" }, canvas);
}

async function show() {
  const asking = ++turn;
  const { track, row: selects } = form.elements;
  const { rows: files, tasks } = choices[track.value];
  const names = [...new Set([...selects].map(({ value }) => value).filter(Boolean))];
  history.replaceState(null, "", `#${new URLSearchParams([["track", track.value], ...names.map((name) => ["row", name])])}`);
  if (names.length < 2) return place.replaceChildren(element("p", { className: "note", textContent: "Choose at least two rows." }));
  const loading = Promise.all(names.map((name) => data(files[name])));
  const rows = await loading.catch((error) => asking === turn && failedIn(place)(error));
  if (!rows || asking !== turn) return;
  const places = placesOf(tasks);
  const tables = rows.slice(1).flatMap((row, n) => [
    element("h2", { textContent: `${names[n + 1]} minus ${names[0]}` }),
    differenceTable([names[0], names[n + 1]], [rows[0], row], places),
  ]);
  place.replaceChildren(forest(names, rows, places[0][1]), ...tables);
  drawOnSight(place);
}

function listRows(wanted) {
  const names = Object.keys(choices[form.elements.track.value].rows);
  [...form.elements.row].forEach((select, n) => {
    select.replaceChildren(new Option("–", ""), ...names.map((name) => new Option(name, name)));
    select.value = names.includes(wanted[n]) ? wanted[n] : "";
  });
}

function followAddress() {
  const asked = askedFor();
  if (!asked) return;
  if (asked.get("track") in choices) form.elements.track.value = asked.get("track");
  const best = Object.keys(choices[form.elements.track.value].rows).slice(0, 2);
  listRows(asked.has("row") ? asked.getAll("row") : best);
  show();
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", ({ target }) => {
  if (target.name === "track") listRows([...form.elements.row].map(({ value }) => value));
  show();
});
window.addEventListener("hashchange", followAddress);
followAddress();
