// A table of examples with what several models answered to them, side by side.
"use strict";

const FIRST = 20; // examples that are listed at once, until all are asked for

// Where an answer stands in a text as words of its own.
function place(text, answer) {
  const words = answer.replace(/[.,;:!?\s]+$/u, "").replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return words && new RegExp(`(?<![\\p{L}\\p{N}])${words}(?![\\p{L}\\p{N}])`, "iu").exec(text);
}

// What a model said, with the first of the expected answers that it contains marked.
function said(text, expected) {
  const found = expected.map((answer) => place(text, answer)).find(Boolean);
  if (!found) return [text];
  const end = found.index + found[0].length;
  return [text.slice(0, found.index), element("mark", { textContent: found[0] }), text.slice(end)];
}

// `model` names the column, where a small screen shows answers below one another.
function answerCell(answer, expected, model) {
  if (!answer) return labelled(element("td", { className: "missing", textContent: "–" }), model);
  const [text, probability, right] = answer;
  const words = text === null ? ["not generated"] : text ? (right ? said(text, expected) : [text]) : ["(empty)"];
  const shown = element("span", { className: text === null ? "missing" : right ? "right" : "other" }, ...words);
  const number = element("span", { className: "probability", textContent: probability?.toFixed(3) ?? "" });
  return labelled(element("td", {}, element("div", { className: "answer" }, shown, number)), model);
}

function labelled(cell, label) {
  cell.dataset.of = label;
  return cell;
}

function wordingOf({ kind, words }, n) {
  if (kind === "text") return words ? `after ${words[n]} words` : "";
  return n ? "held-out" : "trained";
}

// `columns`: [name, the answers to each example].
function exampleBody(example, index, columns) {
  const answersTo = columns.map(([, answers]) => answers?.[index] ?? []);
  const lines = example.prompts.map((prompt, n) => {
    const wording = element("td", { className: "small", textContent: wordingOf(example, n) });
    const line = element("tr", {}, wording, element("td", { className: "prompt", textContent: prompt }));
    const expected = [example.expected[example.expected.length > 1 ? n : 0], ...(example.aliases ?? [])];
    line.append(...answersTo.map((answers, m) => answerCell(answers[n], expected, columns[m][0])));
    return line;
  });
  // One expected answer for all wordings, or a continuation for each beginning of a text.
  const rowSpan = lines.length / example.expected.length;
  const cells = example.expected.map((text) => element("td", { rowSpan, className: `expected ${example.kind}` }, text));
  cells[0].append(element("span", { className: "small", textContent: example.strata }));
  cells.forEach((cell, n) => lines[n * rowSpan].prepend(cell));
  return element("tbody", {}, ...lines);
}

function searchable({ id, expected, prompts }, index, columns) {
  const texts = columns.flatMap(([, answers]) => (answers?.[index] ?? []).map(([text]) => text ?? ""));
  return [id, ...expected, ...prompts, ...texts].join("\n").toLowerCase();
}

// Lists the examples that `fits` (an index) lets through and that contain the text; `more` shows those that are left.
class ExampleTable {
  constructor(table, more, count) {
    Object.assign(this, { table, more, count });
    more.addEventListener("click", () => this.list(Infinity));
  }

  show(examples, columns) {
    Object.assign(this, { examples, columns });
    this.haystacks = examples.map((example, index) => searchable(example, index, columns));
    const headings = ["expected", "wording", "prompt", ...columns.map(([name]) => name)];
    const cells = headings.map((textContent) => element("th", { scope: "col", textContent }));
    this.table.replaceChildren(element("thead", {}, element("tr", {}, ...cells)));
  }

  filter(fits, text) {
    const sought = text.trim().toLowerCase();
    const all = this.examples.map((_, index) => index);
    this.found = all.filter((index) => this.haystacks[index].includes(sought) && fits(index));
    this.list(FIRST);
  }

  list(limit) {
    for (const body of [...this.table.tBodies]) body.remove();
    const { examples, columns, found } = this;
    const bodies = found.slice(0, limit).map((index) => exampleBody(examples[index], index, columns));
    this.table.append(...(bodies.length ? bodies : [noneFound(columns.length + 3)]));
    this.count.textContent = `${found.length} of ${examples.length} examples`;
    this.more.hidden = found.length <= limit;
    this.more.textContent = `Show all ${found.length}`;
  }
}

function noneFound(colSpan) {
  const cell = element("td", { colSpan, className: "empty", textContent: "No example matches the filters." });
  return element("tbody", {}, element("tr", {}, cell));
}

// The splits to choose from, those that are forgotten first.
function listSplits(select, examples) {
  const splits = [...new Set(examples.map(({ split }) => split))];
  select.replaceChildren(...splits.map((split) => new Option(split, split)), new Option("all splits", ""));
  if (splits.includes("forget")) select.value = "forget";
}
