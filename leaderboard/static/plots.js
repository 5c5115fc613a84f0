// Draws figures as they come into view, in the colours of the page's theme.
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

function drawAll(selector) {
  for (const canvas of document.querySelectorAll(selector)) {
    if (canvas.offsetParent !== null) draw(canvas);
  }
}

// A figure is drawn when it comes near the screen; one that was hidden, as it comes to be seen.
const approaching = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
  },
  { rootMargin: "50%" },
);
function drawOnSight(part) {
  for (const canvas of part.querySelectorAll(".canvas")) approaching.observe(canvas);
}
drawOnSight(document);
darkness.addEventListener("change", () => drawAll(".canvas.js-plotly-plot"));
window.addEventListener("beforeprint", () => drawAll(".canvas"));
