// The first screen shows one ranked table: of a track, a task or a variant, filtered. The address holds all that was
// chosen, so that it can be shared.
"use strict";

const views = JSON.parse(document.getElementById("views").textContent);
const form = document.getElementById("controls");
const place = document.getElementById("view");
const ORDER = /^(.*) (asc|desc)$/;
const compareLink = document.getElementById("compare");
const fields = form.elements;
const columns = [...form.querySelectorAll("[name=column]")];
const MOST_COMPARED = 4;
let table; // the DataTable that is shown
let shown; // its track and view
let order = "score desc";
let picked = new Set(); // names of rows to compare, whatever view of the track is shown

const key = (track, view) => JSON.stringify([track, view]);
const current = () => key(fields.track.value, fields.task.value);

function chosen() {
  const text = ["track", "task", "division", "search", "family", "sees"].map((name) => [name, fields[name].value]);
  const checks = ["retainfree", "anchors"].map((name) => [name, fields[name].checked ? "yes" : "no"]);
  const shownColumns = columns.filter(({ checked }) => checked).map(({ value }) => value);
  return Object.fromEntries([...text, ...checks, ["columns", shownColumns.join(",")], ["order", order], ["pick", [...picked].join("\n")]]);
}

function choose(values) {
  fields.track.value = values.track in views ? values.track : served.track;
  listTasks();
  fields.task.value = values.task in views[fields.track.value] ? values.task : fields.task.options[0].value;
  for (const name of ["division", "search", "family", "sees"]) fields[name].value = values[name];
  for (const name of ["retainfree", "anchors"]) fields[name].checked = values[name] === "yes";
  const wanted = new Set(values.columns.split(","));
  for (const column of columns) column.checked = wanted.has(column.value);
  order = ORDER.test(values.order) ? values.order : served.order;
  picked = new Set(values.pick.split("\n").filter(Boolean).slice(0, MOST_COMPARED));
}

function listTasks() {
  const own = Object.entries(views[fields.track.value]);
  const before = fields.task.value;
  fields.task.replaceChildren(...own.map(([name, { of }]) => new Option((of && "– ") + name, name)));
  if (before in views[fields.track.value]) fields.task.value = before;
}

function listDivisions() {
  const { divisions } = views[fields.track.value][fields.task.value];
  for (const option of fields.division.options) option.disabled = option.value !== "" && !divisions.includes(option.value);
  if (fields.division.selectedOptions[0]?.disabled) fields.division.value = divisions[0] ?? "";
}

function fits({ dataset }) {
  const anchor = dataset.anchor !== undefined;
  const sees = dataset.sees.split(" ");
  return (
    (anchor ? fields.anchors.checked : ["", dataset.division].includes(fields.division.value)) &&
    ["", dataset.family].includes(fields.family.value) &&
    (fields.sees.value === "" || sees.includes(fields.sees.value)) &&
    !(fields.retainfree.checked && (sees.includes("retain") || sees.includes("training")))
  );
}

function show() {
  listDivisions();
  if (shown === current()) return apply();
  if (!shown && current() === first) return adopt();
  return load(current(), views[fields.track.value][fields.task.value].file);
}

async function load(wanted, file) {
  place.setAttribute("aria-busy", "true");
  const html = wanted === first ? firstTable : await data(file).catch((error) => current() === wanted && failedIn(place)(error));
  if (!html || current() !== wanted) return; // another one was chosen since
  place.innerHTML = html;
  if (place.querySelector("table")) adopt();
}

function adopt() {
  shown = current();
  table = sortable(place.querySelector("table"));
  if (fields.task.selectedIndex === 0) { // with all rows of the track: others are not there any more
    const known = new Set(boxes().map(({ value }) => value));
    picked = new Set([...picked].filter((name) => known.has(name)));
  }
  table.search.fixed("filters", (text, data, index) => fits(table.row(index).node()));
  table.on("order.dt", () => {
    const [[index, direction]] = table.order();
    order = `${table.init().columns[index].name} ${direction}`;
    keep();
  });
  drawOnSight(place);
  apply();
}

function apply() {
  place.removeAttribute("aria-busy");
  for (const { value, checked } of columns) {
    const column = table.column(`${value}:name`);
    if (column.any()) column.visible(checked, false);
  }
  const [name, direction] = order.match(ORDER).slice(1);
  const index = table.column(`${name}:name`).index();
  if (index !== undefined) table.order([[index, direction]]);
  table.search(fields.search.value).draw();
  const rows = table.rows({ search: "applied" }).nodes().toArray();
  fields.count.textContent = rows.length === 1 ? "1 row" : `${rows.length} rows`;
  listPicked();
  drawFront(new Set(rows.map(({ dataset }) => dataset.name)));
  keep();
}

// In the address, with what a link `names` in any case; one that is a place on the page stays until something is chosen.
function keep(names = []) {
  const changed = Object.entries(chosen()).filter(([name, value]) => value !== served[name] || names.includes(name));
  if (!changed.length && !askedFor()) return;
  history.replaceState(null, "", `#${new URLSearchParams(changed)}`);
}

const [LETTER, LINE, DOT] = [0.023, 0.05, 0.03]; // of the plot's width and height: what a name takes, and a point
const SIDES = ["bottom left", "top left", "bottom right", "top right", "middle left", "middle right"];

// Where a name stands beside its point: [left, right, bottom, top].
function box({ name, x: [x], y: [y] }, side) {
  const [height, across] = side.split(" ");
  const width = LETTER * name.length;
  const left = across === "left" ? x - DOT - width : x + DOT;
  const bottom = { bottom: y - LINE, middle: y - LINE / 2, top: y }[height];
  return [left, left + width, bottom, bottom + LINE];
}
const overlap = ([a, b, c, d], [e, f, g, h]) => a < f && e < b && c < h && g < d;

// Names of points, the best first, where they cover neither another point nor another name.
function named(best, points) {
  const taken = points.map(({ name, x: [x], y: [y] }) => [name, [x - DOT / 2, x + DOT / 2, y - DOT / 2, y + DOT / 2]]);
  for (const point of best) {
    const free = (side) => taken.every(([name, other]) => name === point.name || !overlap(box(point, side), other));
    const side = SIDES.find((side) => box(point, side)[0] > 0 && box(point, side)[1] < 1 && free(side));
    if (!side) continue;
    taken.push(["", box(point, side)]);
    Object.assign(point, { mode: "markers+text", text: [point.name], textposition: side, cliponaxis: false });
  }
}

// The points of the rows that are shown, and a line that joins those which no other beats on both axes.
function drawFront(names) {
  const canvas = place.querySelector(".pareto .canvas");
  const figure = JSON.parse(document.getElementById(canvas.dataset.figure).textContent);
  const points = figure.data.filter(({ name }) => names.has(name));
  const rivals = points.filter(({ meta }) => meta !== "anchor");
  const beaten = (one) => rivals.some(({ x, y }) => x[0] >= one.x[0] && y[0] >= one.y[0] && (x[0] > one.x[0] || y[0] > one.y[0]));
  const front = rivals.filter((one) => !beaten(one)).sort((one, other) => one.x[0] - other.x[0]);
  named([...front].sort((one, other) => other.x[0] * other.y[0] - one.x[0] * one.y[0]), points);
  const line = { x: front.map(({ x }) => x[0]), y: front.map(({ y }) => y[0]), mode: "lines", hoverinfo: "skip", showlegend: false };
  figure.data = [{ ...line, line: { color: "#8b929c", width: 1, dash: "dot" } }, ...points];
  canvas.figure = figure;
  redraw(canvas);
}

const boxes = () => table.rows().nodes().toArray().flatMap((row) => [...row.querySelectorAll(".pick input")]);

function listPicked() {
  for (const box of boxes()) {
    box.checked = picked.has(box.value);
    box.disabled = !box.checked && picked.size >= MOST_COMPARED;
  }
  compareLink.hidden = picked.size < 2;
  compareLink.textContent = `Compare ${picked.size} rows`;
  const names = new Set([...boxes().filter(({ checked }) => checked).map(({ value }) => value), ...picked]); // as listed
  const asked = new URLSearchParams([["track", fields.track.value], ...[...names].map((name) => ["row", name])]);
  compareLink.href = `compare.html#${asked}`;
}

function pick({ target: { value, checked } }) {
  picked[checked ? "add" : "delete"](value);
  listPicked();
  keep();
}

function followAddress() {
  const asked = askedFor();
  if (asked) choose({ ...served, ...Object.fromEntries(asked) });
  if (asked || !shown) show();
}

const served = chosen();
const first = current();
const firstTable = place.innerHTML; // as it was before any script changed it
followAddress();
window.addEventListener("hashchange", followAddress);
place.addEventListener("change", pick);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", ({ target }) => {
  if (target === fields.track) {
    listTasks();
    picked.clear();
  }
  show();
});
const panels = [...document.querySelectorAll("details.panel")];
const closeAll = (those) => those.forEach((panel) => (panel.open = false));
document.addEventListener("click", ({ target }) => closeAll(panels.filter((panel) => !panel.contains(target))));
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  panels.find(({ open }) => open)?.querySelector("summary").focus();
  closeAll(panels);
});
document.getElementById("share").addEventListener("click", async ({ target }) => {
  keep(["track", "task", "order"]); // which the page may open otherwise one day
  try {
    await navigator.clipboard.writeText(location.href);
    target.textContent = "Copied";
  } catch {
    target.textContent = "Copy the address";
  }
});
