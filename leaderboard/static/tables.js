// Tables sort by the column whose heading is chosen, through DataTables.
"use strict";

// What is missing stands last in either direction: it is neither the least nor the greatest.
function inOrder(sign) {
  return (a, b) => {
    const [known, otherKnown] = [a, b].map((value) => value !== "" && value !== "–");
    if (!known || !otherKnown) return otherKnown - known;
    const [one, other] = [Number(a), Number(b)];
    return sign * (Number.isNaN(one) || Number.isNaN(other) ? a.localeCompare(b) : one - other);
  };
}
DataTable.type("known", "order", { asc: inOrder(1), desc: inOrder(-1) });

// Columns that are extra are shown when they are chosen, and rows are picked to compare: both on the first screen.
function columnOf(heading) {
  const { column, first, extra } = heading.dataset;
  const elsewhere = column === "compare" && !heading.closest("#view");
  return {
    name: column,
    type: "known",
    orderable: column !== "compare",
    orderSequence: first === "desc" ? ["desc", "asc"] : ["asc", "desc"],
    searchable: column === "method",
    visible: extra === undefined && !elsewhere,
  };
}

// A table as it was served, with headings that sort it; those of rankings begin with the highest score.
function sortable(table) {
  const headings = [...table.tHead.rows[0].cells];
  const score = headings.findIndex((heading) => heading.dataset.column === "score");
  return new DataTable(table, {
    autoWidth: false,
    columns: headings.map(columnOf),
    info: false,
    language: { zeroRecords: "No row matches the filters." },
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
    order: score < 0 ? [] : [[score, "desc"]],
    paging: false,
  });
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  if (!table.closest("#view")) sortable(table);
}
