// Draws figures as they come into view, in the colours of the page's theme.
"use strict";

const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--rule"), zerolinecolor: colour("--quiet"), linecolor: colour("--rule"), tickcolor: colour("--rule"), ticks: "" };
  return {
    ...layout,
    uirevision: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily, size: 13, color: colour("--quiet") },
    hoverlabel: { bgcolor: colour("--page"), bordercolor: colour("--rule"), font: { color: colour("--text") } },
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
  };
}

// The library is large: it is loaded for the first figure that comes near the screen.
const library = document.currentScript.src.replace("plots.js", "plotly.min.js");
let loading;
function plotly() {
  loading ??= new Promise((resolve) => {
    document.head.append(Object.assign(document.createElement("script"), { src: library, onload: resolve }));
  });
  return loading;
}

// A script may have put another figure in the place of the one that the page holds.
async function draw(canvas) {
  await plotly();
  const { data, layout } = canvas.figure ?? JSON.parse(document.getElementById(canvas.dataset.figure).textContent);
  Plotly.react(canvas, data, themed(layout), { responsive: true, displayModeBar: false });
}

function redraw(canvas) {
  if (canvas.classList.contains("js-plotly-plot")) draw(canvas);
}

function drawAll(selector) {
  for (const canvas of document.querySelectorAll(selector)) {
    if (canvas.offsetParent !== null) draw(canvas);
  }
}

// A figure is drawn when it comes near the screen; one that was hidden, as it comes to be seen.
const approaching = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      approaching.unobserve(target); // or what the reader has hidden would come back
      draw(target);
    }
  },
  { rootMargin: "50%" },
);
function drawOnSight(part) {
  for (const canvas of part.querySelectorAll(".canvas")) approaching.observe(canvas);
}
drawOnSight(document);
darkness.addEventListener("change", () => drawAll(".canvas.js-plotly-plot"));
window.addEventListener("beforeprint", () => drawAll(".canvas"));
