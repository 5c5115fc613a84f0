// Draws the figures that are in view, in the colours of the page's theme.
"use strict";

const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--rule"), linecolor: colour("--rule"), tickcolor: colour("--rule"), ticks: "" };
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily, size: 13, color: colour("--quiet") },
    hoverlabel: { bgcolor: colour("--page"), bordercolor: colour("--rule"), font: { color: colour("--text") } },
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
  };
}

function draw(canvas) {
  const { data, layout } = JSON.parse(document.getElementById(canvas.dataset.figure).textContent);
  Plotly.react(canvas, data, themed(layout), { responsive: true, displayModeBar: false });
}

function drawVisiblePlots() {
  for (const canvas of document.querySelectorAll(".canvas")) {
    if (canvas.offsetParent !== null) draw(canvas);
  }
}

darkness.addEventListener("change", drawVisiblePlots);
