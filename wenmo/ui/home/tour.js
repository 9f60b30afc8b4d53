// The tour opens by itself once in each browser, and by its button. Texts are written with textContent, never as HTML.
const PLACE = "wenmo.tour";
let at = null; // the step that is shown, kept across reruns of the page; null while the card is closed

function first() {
  try {
    const seen = localStorage.getItem(PLACE);
    localStorage.setItem(PLACE, "seen");
    return !seen;
  } catch {
    return false; // without storage the tour would open at every visit
  }
}

export default function ({ parentElement, data: [data], setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const button = (name) => find(`[name=${name}]`);
  const card = find("[role=dialog]");
  const { steps, words } = data;
  const draw = () => {
    if (at === null) return card.matches(":popover-open") && card.hidePopover();
    find("h2").textContent = steps[at].title;
    find("[name=text]").textContent = steps[at].text;
    find("[name=at]").textContent = `${at + 1} / ${steps.length}`;
    button("back").disabled = at === 0;
    button("on").textContent = at === steps.length - 1 ? words.done : words.on;
    if (!card.matches(":popover-open")) card.showPopover();
  };
  const go = (to) => {
    at = to;
    draw();
    if (to === null) button("open").focus();
  };
  card.setAttribute("aria-label", words.label);
  for (const name of ["open", "back", "go"]) button(name).textContent = words[name];
  button("close").setAttribute("aria-label", words.close);
  button("open").onclick = () => {
    go(0);
    button("on").focus();
  };
  button("close").onclick = () => go(null);
  button("back").onclick = () => {
    go(at - 1);
    if (at === 0) button("on").focus(); // because the browser takes the focus from a disabled button
  };
  button("on").onclick = () => go(at === steps.length - 1 ? null : at + 1);
  button("go").onclick = () => {
    const page = steps[at].page;
    at = null;
    setTriggerValue("go", page);
  };
  card.onkeydown = (event) => {
    if (event.key === "Escape") go(null);
  };
  if (first()) at = 0;
  draw();
  return () => {
    at = null; // leaving the page closes the tour
  };
}
