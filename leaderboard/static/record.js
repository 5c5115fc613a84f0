// A record's examples, beside the answers of target and oracle, and its values.
"use strict";

const about = JSON.parse(document.getElementById("about").textContent);
const filters = document.getElementById("filters");
const { split, text, answered, count } = filters.elements;
const ENDS = ["stage", "split", "metric", "stratum", "value", "target", "oracles", "recovery", "axis", "n", "unit"];

const number = (value) => value?.toFixed(3) ?? "–";

function valueTable(label, headings, rows) {
  const head = element("tr", {}, ...headings.map((textContent) => element("th", { scope: "col", textContent })));
  const table = element("table", { className: "values" }, element("thead", {}, head), element("tbody", {}, ...rows));
  const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
  scroll.setAttribute("aria-label", label);
  return scroll;
}

function cell(textContent, className = "") {
  return element("td", { textContent, className });
}

function valueRow([stage, splitName, metric, stratum, value, scored, failed, target, oracle, recovery, axis], metrics) {
  const [unit, title] = metrics[metric] ?? ["", ""];
  const figures = [target, oracle, recovery].map((figure) => cell(number(figure), "figure"));
  const n = element("td", { className: "figure" }, String(scored));
  if (failed) n.append(" ", element("span", { className: "failed", textContent: `${failed} failed` }));
  const named = Object.assign(cell(metric), { title });
  const own = cell(number(value), "figure strong");
  return element("tr", {}, cell(stage), cell(splitName), named, cell(stratum), own, ...figures, cell(axis), n, cell(unit));
}

function folded(summary, content) {
  return element("details", {}, element("summary", { textContent: summary }), content);
}

function wayTable({ sort, stages, rows }) {
  const lines = rows.map((row) =>
    element("tr", {}, ...row.map((value, n) => (n < 3 ? cell(value) : cell(number(value), "figure")))),
  );
  const label = sort === "budget" ? `Trajectory: ${stages.length} checkpoints` : `Values after ${stages.length} earlier requests`;
  return folded(label, valueTable(label, ["split", "metric", "stratum", ...stages], lines));
}

function showValues({ rows, ways }, metrics) {
  const made = (some) => some.map((row) => valueRow(row, metrics));
  const [whole, parts] = [rows.filter((row) => row[3] === "all"), rows.filter((row) => row[3] !== "all")];
  const place = document.getElementById("values");
  place.append(valueTable("Values", ENDS, made(whole)), ...ways.map(wayTable));
  if (parts.length) place.append(folded(`Values by stratum (${parts.length})`, valueTable("Values by stratum", ENDS, made(parts))));
}

async function showExamples(own) {
  const { examples } = await data(about.examples);
  const beside = await Promise.all(Object.entries(about.beside).map(async ([name, file]) => [name, (await data(file)).answers?.own]));
  const table = new ExampleTable(document.getElementById("examples"), document.getElementById("more"), count);
  table.show(examples, [...beside, [about.own, own]]);
  listSplits(split, examples);
  const fits = (index) =>
    (!split.value || examples[index].split === split.value) &&
    (!answered.checked || own[index]?.some(([, , right]) => right));
  const list = () => table.filter(fits, text.value);
  filters.addEventListener("input", list);
  list();
}

async function showRecord() {
  const [{ values, answers }, metrics] = await Promise.all([data(about.file), data(about.metrics)]);
  showValues(values, metrics);
  if (answers) await showExamples(answers.own);
}

filters.addEventListener("submit", (event) => event.preventDefault());
showRecord().catch(failedIn(document.getElementById("values")));
