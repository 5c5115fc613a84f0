// Lists a record's examples beside the answers of target and oracle, filtered by split and text.
"use strict";

const FIRST = 20; // examples that are listed at once, until all are asked for
const { examples, references } = window.palimpsest;
const table = document.getElementById("examples");
const filters = document.getElementById("filters");
const more = document.getElementById("more");
const own = JSON.parse(document.getElementById("answers").textContent);
const { target, oracle } = references;
const columns = Object.entries({ target, oracle, ...(own && { [table.dataset.own]: own }) }).filter(([, answers]) => answers);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function answerCell(answer) {
  if (!answer) return element("td", { className: "missing", textContent: "–" });
  const [text, probability, right] = answer;
  const said = text === null ? "not generated" : text || "(empty)";
  const shown = element("span", { className: text === null ? "missing" : right ? "right" : "other", textContent: said });
  const number = element("span", { className: "probability", textContent: probability?.toFixed(3) ?? "" });
  return element("td", {}, element("div", { className: "answer" }, shown, number));
}

function wordingOf({ kind, prompts }, n) {
  if (kind === "text") return prompts.length > 1 ? `after ${prompts[n].split(" ").length} words` : "";
  return n ? "held-out" : "trained";
}

function exampleBody(index) {
  const example = examples[index];
  const lines = example.prompts.map((prompt, n) => {
    const wording = element("td", { className: "small", textContent: wordingOf(example, n) });
    const line = element("tr", {}, wording, element("td", { className: "prompt", textContent: prompt }));
    line.append(...columns.map(([, answers]) => answerCell(answers[index]?.[n])));
    return line;
  });
  // One expected answer for all wordings, or a continuation for each beginning of a text.
  const rowSpan = lines.length / example.expected.length;
  const cells = example.expected.map((text) => element("td", { rowSpan, className: `expected ${example.kind}` }, text));
  cells[0].append(element("span", { className: "small", textContent: example.strata }));
  cells.forEach((cell, n) => lines[n * rowSpan].prepend(cell));
  return element("tbody", {}, ...lines);
}

function searchable(index) {
  const { id, expected, prompts } = examples[index];
  const texts = columns.flatMap(([, answers]) => (answers[index] ?? []).map(([text]) => text ?? ""));
  return [id, ...expected, ...prompts, ...texts].join("\n").toLowerCase();
}

const haystacks = examples.map((_, index) => searchable(index));

function found() {
  const split = filters.elements.split.value;
  const text = filters.elements.text.value.trim().toLowerCase();
  const answered = filters.elements.answered?.checked;
  return examples.flatMap((example, index) => {
    const fits = (!split || example.split === split) && haystacks[index].includes(text);
    return fits && (!answered || own[index]?.some(([, , right]) => right)) ? [index] : [];
  });
}

function list(limit) {
  const indices = found();
  for (const body of [...table.tBodies]) body.remove();
  table.append(...indices.slice(0, limit).map(exampleBody));
  filters.elements.count.textContent = `${indices.length} of ${examples.length} examples`;
  more.hidden = indices.length <= limit;
  more.textContent = `Show all ${indices.length}`;
}

for (const split of new Set(examples.map((example) => example.split))) {
  filters.elements.split.append(new Option(split, split));
}
filters.elements.split.append(new Option("all splits", ""));
if (examples.some((example) => example.split === "forget")) filters.elements.split.value = "forget";
table.tHead.rows[0].append(...columns.map(([name]) => element("th", { scope: "col", textContent: name })));
filters.addEventListener("input", () => list(FIRST));
filters.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => list(Infinity));
list(FIRST);
