// The explorer, in a tree of its own: the page's looks end at it. Until it is drawn, and on paper, its figure stands there.
for (const node of document.querySelectorAll(".live")) {
  const root = document.createElement("div"), looks = document.createElement("style");
  looks.textContent = STYLE;
  node.attachShadow({ mode: "open" }).append(looks, root);
  node.hidden = false;
  try {
    await mount(root, JSON.parse(node.nextElementSibling.textContent), { get: () => "", set() {} });
    node.dataset.ready = "";
  } catch (error) {
    node.hidden = true;
    reportError(error); // what else is on the page is drawn
  }
}
