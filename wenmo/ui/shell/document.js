// What Streamlit leaves to the browser's defaults, or says in English alone: the language of the document and of its own
// words, a menu that closes on a phone, a label that is taken on Tab, lists that stay open, and texts that are typed but
// not yet sent.
const PHONE = "(max-width: 768px)"; // below this width Streamlit lays the sidebar over the page
const DRAFT = "wenmo.draft."; // in sessionStorage: what is typed in a form, by the key of its field
const ATTRIBUTES = ["aria-label", "placeholder", "title", "data-title"];

export default function ({ data: [data] }) {
  const root = document.documentElement;
  root.lang = data.language;
  const before = root.dataset.page; // on the document: this script is loaded anew with every page
  root.dataset.page = data.page;
  if (before !== undefined && before !== data.page && window.matchMedia(PHONE).matches) {
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  }
  window.wenmoWords = data.words;
  if (!window.wenmoPatterns) watch();
  window.wenmoPatterns = Object.entries(data.patterns).map(([from, to]) => [new RegExp(from), to]);
  translateAll(document.body);
}

function watch() {
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") translateText(change.target);
      else if (change.type === "attributes") translateAttribute(change.target, change.attributeName);
      else for (const node of change.addedNodes) appeared(node);
    }
  }).observe(document.body, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: ATTRIBUTES,
  });
  document.addEventListener("keydown", takeLabel, true);
  document.addEventListener("input", keepDraft, true);
  window.addEventListener("pointerdown", rememberPlace, true);
  window.addEventListener("scroll", dropLateScroll, true);
  for (const field of document.querySelectorAll(FIELDS)) restoreDraft(field);
}

function appeared(node) {
  translateAll(node);
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  for (const field of node.matches(FIELDS) ? [node] : node.querySelectorAll(FIELDS)) restoreDraft(field);
}

// Streamlit's own words. What a visitor typed is never one of these places: such text is in fields, tables and results.
function translateAll(node) {
  if (node.nodeType === Node.TEXT_NODE) return translateText(node);
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) translateText(texts.currentNode);
  for (const name of ATTRIBUTES) {
    translateAttribute(node, name);
    for (const each of node.querySelectorAll(`[${name}]`)) translateAttribute(each, name);
  }
}

const OWN = "[data-testid=stMarkdown], [data-testid=stText], [data-testid=stCode], [data-testid=stMetric], textarea, svg";

function translateText(node) {
  const text = node.nodeValue.trim();
  if (!text || !/[A-Za-z]/.test(text) || node.parentElement?.closest(OWN)) return;
  const found = translated(text);
  if (found !== text) node.nodeValue = node.nodeValue.replace(text, () => found);
}

function translateAttribute(element, name) {
  const text = element.getAttribute?.(name);
  if (!text) return;
  const found = translated(text);
  if (found !== text) element.setAttribute(name, found);
}

function translated(text) {
  if (Object.hasOwn(window.wenmoWords, text)) return window.wenmoWords[text];
  for (const [from, to] of window.wenmoPatterns) if (from.test(text)) return text.replace(from, to);
  return text;
}

// A label that was typed is taken when the field is left by Tab, as by Enter.
function takeLabel(event) {
  const field = event.target;
  if (event.key !== "Tab" || event.shiftKey || !field.value || !field.closest("[data-testid=stMultiSelect]")) return;
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter", bubbles: true, cancelable: true }));
}

// The browser tells of a scroll with the next frame. A list that is opened before that takes it for a scroll of its own
// time, and closes: the page stands where it stood when the list was pressed, so nothing has moved.
let pressedAt = null;

function rememberPlace() {
  pressedAt = document.querySelector("[data-testid=stMain]")?.scrollTop ?? null;
}

function dropLateScroll(event) {
  if (event.target.dataset?.testid !== "stMain") return;
  if (event.target.scrollTop === pressedAt) event.stopImmediatePropagation();
  else pressedAt = null;
}

// A form sends its fields when its button is pressed; until then only the browser knows what is typed. It is kept in
// this tab alone, and put back into a field that is empty when its page is opened again.
const FIELDS = "[data-testid=stForm] textarea, [data-testid=stForm] input[type=text]";

function place(field) {
  const holder = field.closest("[class*=st-key-]");
  const key = holder && [...holder.classList].find((name) => name.startsWith("st-key-"));
  return key && !field.closest("[data-testid=stMultiSelect], [data-testid=stSelectbox]") ? DRAFT + key : null;
}

function keepDraft({ target }) {
  if (!target.matches?.(FIELDS)) return;
  try {
    sessionStorage.setItem(place(target) ?? DRAFT, target.value);
  } catch {} // storage is disabled or full
}

function restoreDraft(field) {
  setTimeout(() => {
    let draft = null;
    try {
      draft = place(field) && sessionStorage.getItem(place(field));
    } catch {} // storage is disabled
    if (!draft || field.value || !field.isConnected || document.activeElement === field) return;
    const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, draft);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }, 300); // the server may still fill it
}
