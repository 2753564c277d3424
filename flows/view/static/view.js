// What the pages do beyond links and forms: copying, following a run that is going on or a store that
// is being opened, playing a search tree, hiding a curve.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    const words = button.textContent;
    button.textContent = "copied";
    setTimeout(() => { button.textContent = words; }, 1500);
  });
}

const live = document.querySelector("main[data-live]");
if (live) {
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href);
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const open = [...live.querySelectorAll("details")].map((each) => each.open);
          const main = page.querySelector("main");
          if (main.textContent !== live.textContent && !live.contains(document.activeElement)) {
            live.replaceChildren(...main.childNodes);
            live.querySelectorAll("details").forEach((each, n) => { each.open = open[n] ?? each.open; });
            document.querySelector("header .dim").textContent = page.querySelector("header .dim").textContent;
          }
          if (!main.hasAttribute("data-live")) return;
          live.dataset.live = main.dataset.live;
        }
      } catch { /* the viewer does not answer now */ }
    }
    setTimeout(look, 1000 * live.dataset.live);
  };
  setTimeout(look, 1000 * live.dataset.live);
}

for (const tree of document.querySelectorAll("[data-tree]")) {
  const nodes = [...tree.querySelectorAll("[data-node]")];
  const edges = new Map([...tree.querySelectorAll("[data-to]")].map((edge) => [edge.dataset.to, edge]));
  const byNumber = new Map(nodes.map((node) => [node.dataset.node, node]));
  const [play, slider, shown, said] = ["[data-play]", "input", "output", ".said"].map((each) => tree.querySelector(each));
  const show = () => {
    const last = Number(slider.value);
    shown.textContent = slider.value;
    const visible = new Map([["0", true]]);
    for (const node of nodes) {
      const up = byNumber.get(node.dataset.up);
      const is = visible.get(node.dataset.up) && up?.getAttribute("aria-expanded") !== "false" && Number(node.dataset.born) <= last;
      visible.set(node.dataset.node, is);
      node.toggleAttribute("hidden", !is);
      node.style.display = edges.get(node.dataset.node).style.display = is ? "" : "none";
    }
  };
  const choose = (node) => {
    for (const each of nodes) { each.classList.toggle("chosen", each === node); each.tabIndex = each === node ? 0 : -1; }
    said.textContent = node.querySelector("title").textContent.trim().replace(/\n{2,}/g, "\n");
    const row = node.querySelector("a");
    if (row) {
      const link = document.createElement("a");
      link.href = row.getAttribute("href");
      link.textContent = "open the row that ends here";
      said.append("\n", link);
    }
  };
  const fold = (node) => {
    if (node.hasAttribute("aria-expanded")) node.setAttribute("aria-expanded", String(node.getAttribute("aria-expanded") === "false"));
    show();
  };
  for (const node of nodes) {
    node.addEventListener("click", () => { choose(node); fold(node); });
    node.addEventListener("focus", () => choose(node));
    node.addEventListener("keydown", (event) => {
      const seen = nodes.filter((each) => !each.hasAttribute("hidden"));
      const place = seen.indexOf(node);
      const next = { ArrowDown: seen[place + 1], ArrowUp: seen[place - 1], ArrowLeft: byNumber.get(node.dataset.up), ArrowRight: seen.find((each) => each.dataset.up === node.dataset.node) }[event.key];
      if (next) { event.preventDefault(); choose(next); next.focus(); }
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); fold(node); }
    });
  }
  tree.querySelector(".play").hidden = false;
  slider.addEventListener("input", show);
  let timer = null;
  play.addEventListener("click", () => {
    clearInterval(timer);
    if (timer !== null) { timer = null; play.textContent = "play"; return; }
    if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
    play.textContent = "stop";
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (Number(slider.value) >= Number(slider.max)) { clearInterval(timer); timer = null; play.textContent = "play"; }
    }, 600);
    show();
  });
}

for (const chart of document.querySelectorAll("[data-chart]")) {
  for (const key of chart.querySelectorAll("[data-key]")) {
    const series = chart.querySelector(`[data-series="${key.dataset.key}"]`);
    for (const [event, is] of [["pointerenter", true], ["focus", true], ["pointerleave", false], ["blur", false]]) {
      key.addEventListener(event, () => series.classList.toggle("lit", is));
    }
    key.addEventListener("click", () => {
      const off = series.classList.toggle("off");
      key.setAttribute("aria-pressed", String(!off));
    });
  }
}
