// Each track shows one view at a time, a whole track or one variant; the address names it, so that it can be linked to.
"use strict";

function showView(select) {
  for (const view of select.closest(".track").querySelectorAll("[data-view]")) {
    view.hidden = view.id !== select.value;
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
