// Each track shows one view at a time, a whole track or one variant; the address names it, so that it can be linked to.
"use strict";

// The table and figure of a variant come when they are first shown, as a script: opened from a file, a page may load
// nothing else.
function load(place) {
  const script = Object.assign(document.createElement("script"), { src: place.dataset.source });
  delete place.dataset.source;
  place.dataset.loading = "";
  document.head.append(script);
}

function showLoaded(id, html) {
  const place = document.querySelector(`#${CSS.escape(id)} [data-loading]`);
  place.innerHTML = html;
  delete place.dataset.loading;
  makeSortable(place);
  drawOnSight(place);
}

function showView(select) {
  for (const view of select.closest(".track").querySelectorAll("[data-view]")) {
    view.hidden = view.id !== select.value;
    if (!view.hidden) view.querySelectorAll("[data-source]").forEach(load);
  }
}

function showAddressed() {
  const id = decodeURIComponent(location.hash.slice(1));
  for (const select of document.querySelectorAll("select[data-views]")) {
    if ([...select.options].some((option) => option.value === id)) select.value = id;
    showView(select);
  }
}

for (const select of document.querySelectorAll("select[data-views]")) {
  select.addEventListener("change", () => {
    history.replaceState(null, "", `#${select.value}`);
    showView(select);
  });
}
window.addEventListener("hashchange", showAddressed);
showAddressed();
