"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const numeric = head.classList.contains("n");
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const rising = before ? before === "descending" : !numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const keyed = [...body.rows].map((row) => [row.cells[column].dataset.k, row]);
      keyed.sort(([a], [b]) => {
        if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
        const order = numeric ? a - b : a < b ? -1 : a > b ? 1 : 0;
        return rising ? order : -order;
      });
      body.append(...keyed.map(([, row]) => row));
    });
  });
}
// A box that hides the rows or sections whose name does not contain what is typed.
for (const place of document.querySelectorAll("[data-filter]")) {
  const rows = [...document.querySelectorAll(place.dataset.filter)];
  if (rows.length < 8) continue;
  const label = document.createElement("label"), input = document.createElement("input"), count = document.createElement("output");
  input.type = "search";
  label.append(`Filter ${place.dataset.what}`, input, count);
  place.append(label);
  const names = rows.map((row) => (row.querySelector("th, summary bdi") || row).textContent.toLowerCase());
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    rows.forEach((row, index) => { row.hidden = !names[index].includes(wanted); });
    count.textContent = wanted ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
  });
}
// Open the section of a label that a link leads to.
const reveal = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) { target.hidden = false; target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
