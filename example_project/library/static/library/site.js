// Show the size of a chosen file before it is sent.
"use strict";

function describe(file) {
  const kib = Math.max(1, Math.round(file.size / 1024));
  return `${file.name}: ${kib.toLocaleString()} KiB`;
}

for (const input of document.querySelectorAll("input[type=file]")) {
  const note = document.createElement("output");
  input.after(note);
  input.addEventListener("change", () => {
    note.textContent = Array.from(input.files, describe).join(", ");
  });
}
