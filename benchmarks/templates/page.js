"use strict";

// Tables: a click on a heading sorts, numbers as numbers; cells without a value stay last.
const number = text => {
  const found = text.replace(/−/g, "-").replace(/,(?=\d{3})/g, "").match(/^[+-]?[\d.]+/);
  return found ? parseFloat(found[0]) : NaN;
};
const compareCells = (a, b) => {
  const x = number(a), y = number(b);
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return isNaN(x) ? a.localeCompare(b) : x - y;
};
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement, body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => row.cells[head.cellIndex].textContent.trim();
    const empty = row => value(row) === "" || value(row).startsWith("n/a");
    const rows = [...body.rows];
    const full = rows.filter(row => !empty(row)).sort((a, b) => compareCells(value(a), value(b)));
    body.append(...(down ? full.reverse() : full), ...rows.filter(empty));
  });
}

// Pictures: the range moves the line, by keys as well; so does a finger or the mouse on the picture.
for (const figure of document.querySelectorAll(".compare")) {
  const stage = figure.querySelector(".stage"), range = figure.querySelector("input");
  const [left, right] = figure.querySelectorAll("select");
  const show = () => {
    stage.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${left.value} to ${range.value} %, then ${right.value}`);
    for (const image of stage.querySelectorAll("img")) {
      image.classList.toggle("under", image.dataset.name === left.value);
      image.classList.toggle("over", image.dataset.name === right.value);
    }
  };
  const follow = event => {
    const place = stage.getBoundingClientRect();
    range.value = 100 * (event.clientX - place.left) / place.width;
    show();
  };
  stage.addEventListener("pointerdown", event => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", event => { if (event.buttons) follow(event); });
  for (const control of [range, left, right]) control.addEventListener("input", show);
  show();
}

// Pictures that a click shows with their own pixels.
for (const image of document.querySelectorAll(".zoom")) {
  image.addEventListener("click", () => {
    const dialog = document.createElement("dialog"), large = document.createElement("img");
    large.src = image.src;
    large.alt = image.alt;
    dialog.append(large);
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  });
}

// The theme: the system's until the button chooses one.
const theme = document.getElementById("theme"), root = document.documentElement;
const dark = () => root.dataset.theme
  ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const nameIt = () => { theme.textContent = dark() ? "light" : "dark"; };
theme.hidden = false;
theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; nameIt(); });
nameIt();
