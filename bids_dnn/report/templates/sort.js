for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const order = (row) => row.cells[place].dataset.order;
    const rows = [...body.rows].sort((one, two) => {
      const [a, b] = [order(one), order(two)];
      if (a === "" || b === "") return (a === "") - (b === "");  // what is missing comes last
      const [x, y] = [Number(a), Number(b)];
      const way = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y;
      return up ? way : -way;
    });
    body.append(...rows);
  }));
}
