// Copies the citation beside a button, and says so if a permalink was to another state of the row.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const text = button.closest(".citation").querySelector("textarea");
    text.select(); // so that it can be copied by hand where a page may not
    try {
      await navigator.clipboard.writeText(text.value);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl+C";
    }
  });
}

const permalink = document.getElementById("permalink");
function compareDigests() {
  const asked = location.hash;
  document.getElementById("changed").hidden = !asked.startsWith("#digest=") || asked === permalink.hash;
}
if (permalink) {
  compareDigests();
  window.addEventListener("hashchange", compareDigests);
}
