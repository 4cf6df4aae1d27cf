/* The behaviour of a report: tabs, plots, tables, pictures. Without scripts the sections are shown
   one below the other, with the numbers of the plots in tables. */
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  root.classList.add("scripted");

  // Plots. Figures have the colours of white paper; the page's own colours replace them.
  const COLORS = JSON.parse(one("#colors").textContent);
  const CONFIG = { displayModeBar: false, doubleClick: "reset" };
  const TEXTS = new Set(["customdata", "legendgroup", "name", "text", "ticktext"]); // no colours
  const PRINT_WIDTH = 640;
  const NARROW = 500;
  const LEGEND_LINE = 20;
  const charts = new Map(
    all(".chart").map((chart) => [
      one(".canvas", chart),
      { figures: JSON.parse(one("script", chart).textContent), chosen: 0, near: false, width: 0 },
    ]),
  );

  function themed(value, style) {
    if (typeof value === "string") {
      const color = value.toLowerCase();
      return Object.hasOwn(COLORS, color) ? style.getPropertyValue(COLORS[color]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((part) => themed(part, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, TEXTS.has(key) ? part : themed(part, style)]),
    );
  }

  function draw(canvas, width) {
    const chart = charts.get(canvas);
    const { data, layout } = themed(chart.figures[chart.chosen], getComputedStyle(root));
    // A finger scrolls the page; a mouse may zoom.
    layout.dragmode = matchMedia("(pointer: fine)").matches ? "zoom" : false;
    layout.width = width;
    // On a phone each name of the legend has a line of its own.
    if (layout.showlegend && width < NARROW) {
      layout.height += LEGEND_LINE * data.filter((one) => one.showlegend !== false).length;
    }
    chart.width = width;
    canvas.style.minHeight = `${layout.height}px`;
    Plotly.react(canvas, data, layout, CONFIG);
  }

  // A plot is drawn when it comes near, and again when its width changes. In a hidden section it
  // has no width: it is drawn when the section is shown.
  let printing = false;
  function fit(canvas) {
    const { near, width } = charts.get(canvas);
    const now = canvas.clientWidth;
    if (near && now && now !== width && !printing) draw(canvas, now);
  }
  function redraw() {
    for (const [canvas, chart] of charts) {
      chart.width = 0;
      fit(canvas);
    }
  }
  const approaching = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        charts.get(target).near ||= isIntersecting;
        fit(target);
      }
    },
    { rootMargin: "400px" },
  );
  const resized = new ResizeObserver((seen) => seen.forEach(({ target }) => fit(target)));
  for (const canvas of charts.keys()) {
    approaching.observe(canvas);
    resized.observe(canvas);
  }

  for (const choice of all(".chart .choices")) {
    choice.addEventListener("change", ({ target }) => {
      const canvas = one(".canvas", choice.closest(".chart"));
      charts.get(canvas).chosen = Number(target.value);
      draw(canvas, canvas.clientWidth);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", ({ matches }) => {
    printing = matches;
    if (!matches) redraw();
    else for (const canvas of charts.keys()) draw(canvas, PRINT_WIDTH);
  });

  // Tabs, as the ARIA Authoring Practices describe them.
  const panels = all(".panel");
  const list = document.createElement("div");
  list.className = "tabs";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "sections");
  const tabs = panels.map((panel) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.textContent = panel.dataset.tab;
    tab.id = `tab-${panel.id}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => select(panel));
    list.append(tab);
    return tab;
  });
  panels[0].before(list);

  function select(chosen) {
    for (const [index, panel] of panels.entries()) {
      panel.hidden = panel !== chosen;
      tabs[index].setAttribute("aria-selected", String(panel === chosen));
      tabs[index].tabIndex = panel === chosen ? 0 : -1;
    }
  }

  list.addEventListener("keydown", (event) => {
    const last = tabs.length - 1;
    const now = tabs.indexOf(document.activeElement);
    const next = {
      ArrowRight: now === last ? 0 : now + 1,
      ArrowLeft: now === 0 ? last : now - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    select(panels[next]);
    tabs[next].focus();
  });

  function follow() {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {} // a lone per cent sign: no section has that name
    const target = document.getElementById(name);
    select(target?.closest(".panel") ?? panels[0]);
  }
  addEventListener("hashchange", follow);
  follow();

  // Tables are sorted by a click on a head; cells without a value come last.
  for (const table of all("table[data-sortable]")) {
    const heads = all("thead th", table);
    for (const [column, head] of heads.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(table, heads, column));
    }
  }

  function sort(table, heads, column) {
    const number = heads[column].classList.contains("number");
    const now = heads[column].getAttribute("aria-sort");
    const falling = now ? now === "ascending" : number; // numbers: largest first
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
    const body = table.tBodies[0];
    const key = (row) => {
      const cell = row.cells[column];
      if (!number) return cell.textContent;
      return "value" in cell.dataset ? Number(cell.dataset.value) : null;
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b), falling)));
  }

  function compare(a, b, falling) {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return falling ? -order : order;
  }

  // The gallery.
  const gallery = one(".gallery");
  if (gallery) {
    const [filter, order, part] = ["filter", "sort", "part"].map((name) => one(`#gallery-${name}`));
    const update = () => {
      const falling = order.value.startsWith("-");
      const field = order.value.replace("-", "");
      const key = ({ dataset }) => {
        if (field === "name") return dataset.name;
        return dataset[field] === "nan" ? null : Number(dataset[field]);
      };
      const items = [...gallery.children].sort((a, b) => compare(key(a), key(b), falling));
      const wanted = filter.value.toLowerCase();
      for (const item of items) item.hidden = !item.dataset.name.toLowerCase().includes(wanted);
      gallery.append(...items);
      gallery.dataset.part = part.value;
      const count = items.filter((item) => !item.hidden).length;
      one("#gallery-count").textContent = `${count} image${count === 1 ? "" : "s"}`;
    };
    for (const control of [filter, order, part]) control.addEventListener("input", update);
    update();
  }

  // The viewer: an image with an overlay.
  const viewer = one("#viewer");
  if (viewer) {
    const views = all(".view");
    const slider = one("#viewer-slider");
    const layers = one("fieldset", viewer);
    const [under, over] = all(".stack img", viewer);
    let shown = views[0];
    let wanted = "";

    // Not every image has the wanted layer; the next one that does shows it again.
    const laid = () => {
      const images = all("img", shown);
      return images.find((image) => image.dataset.layer === wanted) ?? images[1];
    };
    const lay = () => {
      const layer = laid();
      over.src = layer.src;
      over.alt = layer.alt;
      over.style.opacity = slider.value / 100;
      one("#viewer-layer").textContent = layer.dataset.layer;
    };
    const show = (view) => {
      shown = view;
      const images = all("img", view);
      const inRow = all(".view", view.parentElement);
      one("#viewer-name").textContent = one("b", view).textContent;
      one("#viewer-score").textContent = one(".faint", view).textContent;
      one("#viewer-place").textContent = `${inRow.indexOf(view) + 1} of ${inRow.length}`;
      under.src = images[0].src;
      under.alt = images[0].alt;
      wanted ||= images.find((image) => image.dataset.layer.startsWith("Prediction")).dataset.layer;
      const choices = images.slice(1).map((image) => {
        const label = document.createElement("label");
        const radio = document.createElement("input");
        Object.assign(radio, { type: "radio", name: "layer", value: image.dataset.layer });
        radio.checked = image === laid();
        label.append(radio, ` ${image.dataset.layer}`);
        return label;
      });
      layers.replaceChildren(one("legend", layers), ...choices);
      lay();
      if (!viewer.open) viewer.showModal();
    };
    const step = (by) => {
      const inRow = all(".view", shown.parentElement);
      show(inRow[(inRow.indexOf(shown) + by + inRow.length) % inRow.length]);
    };
    const does = { close: () => viewer.close(), back: () => step(-1), forth: () => step(1) };

    for (const view of views) one(".open", view).addEventListener("click", () => show(view));
    for (const button of all("[data-opens]")) {
      button.addEventListener("click", () => show(document.getElementById(button.dataset.opens)));
    }
    for (const button of all("[data-do]", viewer)) {
      button.addEventListener("click", does[button.dataset.do]);
    }
    layers.addEventListener("change", ({ target }) => {
      wanted = target.value;
      lay();
    });
    slider.addEventListener("input", lay);
    viewer.addEventListener("keydown", (event) => {
      if (event.target.matches("input")) return; // arrows move the slider and the choice
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
  }
})();
