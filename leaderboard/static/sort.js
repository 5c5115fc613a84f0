// Tables sort by the column whose header is clicked; a second click turns the order round.
"use strict";

function sortKey(row, column) {
  const text = row.cells[column].dataset.sort ?? "";
  const number = Number(text);
  return text === "" ? null : Number.isNaN(number) ? text : number;
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

// What is missing stands last in either direction: it is neither the least nor the greatest.
function sortRows(body, column, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  const keyed = [...body.rows].map((row) => [sortKey(row, column), row]);
  keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
  body.append(...keyed.map(([, row]) => row));
}

function sortBy(header) {
  const opposite = { ascending: "descending", descending: "ascending" };
  const direction = opposite[header.getAttribute("aria-sort")] ?? header.dataset.first;
  for (const other of header.parentElement.cells) {
    if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  }
  header.setAttribute("aria-sort", direction);
  sortRows(header.closest("table").tBodies[0], header.cellIndex, direction);
}

function makeSortable(part) {
  for (const button of part.querySelectorAll("table[data-sortable] th button")) {
    button.addEventListener("click", () => sortBy(button.closest("th")));
  }
}
makeSortable(document);
