"use strict";
// Sorts the tables, draws the confusion matrix, and shows the images of its cells.

const sortTable = (table, column, button) => {
  const header = button.closest("th");
  const ascending = header.getAttribute("aria-sort") === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const value = (row) => {
    const cell = row.cells[column];
    return cell.classList.contains("number") ? Number(cell.dataset.value ?? cell.textContent) : cell.textContent;
  };
  const rows = [...table.tBodies[0].rows];
  rows.sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    const order = typeof a === "number" ? a - b : a.localeCompare(b);
    return ascending ? order : -order;
  });
  table.tBodies[0].append(...rows);
};

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = header.querySelector("button");
    button?.addEventListener("click", () => sortTable(table, column, button));
  });
}

const element = (name, content = {}, ...children) => {
  const made = Object.assign(document.createElement(name), content);
  made.append(...children);
  return made;
};

const source = document.getElementById("matrix-data");
if (source) {
  const matrix = JSON.parse(source.textContent);
  const table = document.getElementById("matrix");
  const [order, shares] = [document.getElementById("order"), document.getElementById("shares")];
  const dialog = document.getElementById("cell");
  const byRow = matrix.names.map(() => new Map());
  for (const [row, column, count, thumbnails] of matrix.cells) byRow[row].set(column, { count, thumbnails });
  table.classList.toggle("few", matrix.names.length <= 10);
  table.classList.toggle("many", matrix.names.length > 30);
  const sums = byRow.map((cells) => [...cells.values()].reduce((sum, cell) => sum + cell.count, 0));

  const titleOf = (row, column, count) => {
    const [label, predicted] = [matrix.names[row], matrix.names[column]];
    return row === column
      ? `${count} of ${matrix.support[row]} images of '${label}' predicted correctly`
      : `${count} of ${matrix.support[row]} images of '${label}' predicted as '${predicted}'`;
  };

  const tileOf = ([number, id, confidence], what) => {
    const { side, pitch, columns, rows } = matrix.tile;
    const place = number % (columns * rows);
    const scale = 96 / side;
    const tile = element("div", { className: `tile sheet-${Math.floor(number / (columns * rows))}`, role: "img", ariaLabel: id });
    tile.style.backgroundSize = `${columns * pitch * scale}px ${rows * pitch * scale}px`;
    tile.style.backgroundPosition = `${-(place % columns) * pitch * scale}px ${-Math.floor(place / columns) * pitch * scale}px`;
    const text = `${(100 * confidence).toFixed(1)}%`;
    return element("figure", { title: id }, tile, element("figcaption", {}, text, element("br"), id));
  };

  const show = (row, column) => {
    const { count, thumbnails } = byRow[row].get(column);
    document.getElementById("cell-title").textContent = titleOf(row, column, count);
    const order = row === column ? "lowest confidence first" : "highest confidence first";
    document.getElementById("cell-note").textContent =
      thumbnails.length === 0 ? "The report embeds a limited number of images. predictions.csv lists these." :
      thumbnails.length < count ? `${thumbnails.length} of ${count} images with their confidence, ${order}` : `With their confidence, ${order}`;
    document.getElementById("tiles").replaceChildren(...thumbnails.map(tileOf));
    dialog.showModal();
  };

  const draw = () => {
    const places = matrix.orders[order.value];
    const heads = places.map((column) => element("th", { scope: "col" }, element("span", { title: matrix.names[column] }, matrix.names[column])));
    const body = places.map((row) => {
      const cells = places.map((column) => {
        const cell = byRow[row].get(column);
        const made = element("td");
        if (!cell) return made;
        const share = cell.count / sums[row];
        const title = titleOf(row, column, cell.count);
        const text = shares.checked ? (share < 0.005 ? "·" : Math.round(100 * share)) : cell.count;
        const button = element("button", { type: "button", title, ariaLabel: title }, String(text));
        button.dataset.row = row;
        button.dataset.column = column;
        const strength = 0.12 + 0.78 * (row === column ? share : Math.sqrt(share));
        made.style.background = `rgba(var(--${row === column ? "right" : "wrong"}), ${strength.toFixed(3)})`;
        if (strength > 0.55) made.style.color = matchMedia("(prefers-color-scheme: dark)").matches ? "#0c0e12" : "#fff";
        made.append(button);
        return made;
      });
      return element("tr", {}, element("th", { scope: "row", title: matrix.names[row] }, matrix.names[row]), ...cells);
    });
    table.tHead.replaceChildren(element("tr", {}, element("td"), ...heads));
    table.tBodies[0].replaceChildren(...body);
  };

  order.replaceChildren(...Object.keys(matrix.orders).map((name) => element("option", { value: name }, name)));
  order.value = matrix.names.length > 10 ? "confused classes together" : order.options[0].value;
  for (const control of [order, shares]) control.addEventListener("change", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  table.addEventListener("click", (event) => {
    const { row, column } = event.target.closest("button")?.dataset ?? {};
    if (row !== undefined) show(Number(row), Number(column));
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  draw();
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
