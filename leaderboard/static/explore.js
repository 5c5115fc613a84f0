// Examples with the answers of target, oracle and chosen rows, before and after an attack.
"use strict";

const choices = JSON.parse(document.getElementById("choices").textContent);
const form = document.getElementById("controls");
const fields = form.elements;
const KEPT = ["track", "variant", "row", "other", "seed", "attack", "split", "stratum", "outcome", "text"];
const OVER = 0.1; // of the oracle's probability
const table = new ExampleTable(document.getElementById("examples"), document.getElementById("more"), fields.count);
let wanted = Object.fromEntries(askedFor() ?? []);
let turn = 0; // of what was asked for last: a file that comes late is not shown
let shown; // examples with the answers that are listed

// Fills a select and keeps what was chosen, or what the address asks for, if it is among the options.
function options(name, values, none) {
  const select = fields[name];
  const before = wanted[name] ?? select.value;
  const made = values.map((value) => new Option(value, value));
  select.replaceChildren(...(none === undefined ? made : [new Option(none, ""), ...made]));
  if (values.includes(before)) select.value = before;
}

const likelihood = (answers) => {
  const known = (answers ?? []).map(([, number]) => number).filter((number) => number !== null);
  return known.length ? known.reduce((sum, number) => sum + number, 0) / known.length : undefined;
};
const leaks = (answers) => Boolean(answers?.some(([, , right]) => right));

// What became of an example to forget: "leaked", "forgotten" or "over"; of any other, "over" where the oracle still
// knows it. Nothing where no model was to say anything.
function outcome(index, answers) {
  if (!answers?.[index]?.some(([text]) => text !== null)) return "";
  if (shown.examples[index].split !== "forget") return leaks(shown.oracle?.[index]) && !leaks(answers[index]) ? "over" : "";
  if (leaks(answers[index])) return "leaked";
  if (shown.examples[index].kind === "text") return "forgotten";
  const [after, oracle] = [likelihood(answers[index]), likelihood(shown.oracle?.[index])];
  return after < OVER * oracle ? "over" : "forgotten";
}

function fits(index) {
  const { split, strata } = shown.examples[index];
  if (fields.split.value && split !== fields.split.value) return false;
  if (fields.stratum.value && !strata.split(", ").includes(fields.stratum.value)) return false;
  const asked = fields.outcome.value;
  if (asked === "back") return outcome(index, shown.own) !== "leaked" && leaks(shown.attacked?.[index]);
  if (asked === "differ") return shown.other && leaks(shown.own?.[index]) !== leaks(shown.other[index]);
  return !asked || outcome(index, shown.own) === asked;
}

const answersOf = async (runs, name, seed) => {
  const id = runs[name]?.[seed] ?? Object.values(runs[name] ?? {})[0];
  return id && (await data(`data/records/${id}.js`)).answers;
};

async function show() {
  const asking = ++turn;
  options("variant", Object.keys(choices[fields.track.value].files));
  const { examples, runs } = await data(choices[fields.track.value].files[fields.variant.value]);
  if (asking !== turn) return;
  const rows = choices[fields.track.value].rows.filter((name) => name in runs);
  options("row", rows);
  options("other", rows, "no other row");
  options("seed", Object.keys(runs[fields.row.value] ?? {}));
  const seed = fields.seed.value;
  const asked = [answersOf(runs, "target", seed), answersOf(runs, "oracle"), answersOf(runs, fields.row.value, seed), answersOf(runs, fields.other.value, seed)];
  const [target, oracle, own, other] = await Promise.all(asked);
  if (asking !== turn) return;
  options("attack", Object.keys(own?.attacked ?? {}), "none");
  options("stratum", [...new Set(examples.flatMap(({ strata }) => strata.split(", ")).filter(Boolean))], "any");
  if (fields.split.options.length === 0 || !examples.some(({ split }) => split === fields.split.value)) listSplits(fields.split, examples);
  if (wanted.split !== undefined) fields.split.value = wanted.split;
  const attack = fields.attack.value;
  shown = { examples, oracle: oracle?.own, own: own?.own, other: other?.own, attacked: own?.attacked[attack] };
  const proxied = choices[fields.track.value].proxied.includes(fields.variant.value);
  document.getElementById("proxied").hidden = !proxied;
  const reference = proxied ? "proxy reference" : "oracle";
  const columns = [["target", target?.own], [reference, shown.oracle], [fields.row.value, shown.own]];
  if (attack) columns.push([`${fields.row.value} after ${attack}`, shown.attacked]);
  if (other) columns.push([fields.other.value, shown.other]);
  table.show(examples, columns);
  list();
}

function list() {
  const [back, differ] = ["back", "differ"].map((name) => fields.outcome.querySelector(`[value=${name}]`));
  [back.disabled, differ.disabled] = [!shown.attacked, !shown.other];
  if (fields.outcome.selectedOptions[0].disabled) fields.outcome.value = "";
  table.filter(fits, fields.text.value);
  const chosen = KEPT.map((name) => [name, fields[name].value]).filter(([name, value]) => value || name === "split");
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
  wanted = {};
}

function showAnswers() {
  const showing = show(); // which takes a turn
  const own = turn;
  showing.catch((error) => own === turn && failedIn(fields.count)(error));
}

function followAddress() {
  const asked = askedFor();
  if (!asked && shown) return;
  wanted = Object.fromEntries(asked ?? []);
  if (wanted.track in choices) fields.track.value = wanted.track;
  for (const name of ["outcome", "text"]) fields[name].value = wanted[name] ?? "";
  showAnswers();
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", ({ target }) =>
  ["track", "variant", "row", "other", "seed", "attack"].includes(target.name) ? showAnswers() : list(),
);
window.addEventListener("hashchange", followAddress);
followAddress();
