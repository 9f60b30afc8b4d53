// The history, kept in localStorage. Texts are written with textContent, never as HTML.
const PLACE = "wenmo.history";
const RECORDED = "wenmo.recorded"; // in sessionStorage: the newest entry, so that the next rerun does not add it again after the history was cleared
const MOST = 50;

function read() {
  const entries = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
  return Array.isArray(entries) ? entries.filter((entry) => entry && typeof entry.fields === "object") : [];
}

function record(entry) {
  if (!entry || sessionStorage.getItem(RECORDED) === entry.id) return;
  const same = JSON.stringify(entry.asked.fields);
  const others = read().filter((each) => each.kind !== entry.asked.kind || JSON.stringify(each.fields) !== same);
  const newest = { ...entry.asked, at: new Date().toISOString() };
  localStorage.setItem(PLACE, JSON.stringify([newest, ...others].slice(0, MOST)));
  sessionStorage.setItem(RECORDED, entry.id);
}

function save(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "wenmo-history.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export default function ({ parentElement, data: [data], setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const { words, kinds } = data;
  let entries = [];
  let note = words.note;
  let broken = false;
  try {
    entries = read();
    record(data.entry);
    entries = read();
  } catch {
    broken = true;
    note = words.unavailable; // storage is disabled, full, or holds something else
  }
  const draw = () => {
    find("summary").textContent = entries.length ? `${words.title} (${entries.length})` : words.title;
    find("p").textContent = entries.length || note !== words.note ? note : words.empty;
    find(".tools").hidden = !entries.length && !broken; // clearing helps where storage is full or holds something else
    find("[name=export]").hidden = !entries.length;
    find("ul").replaceChildren(
      ...entries.map((entry) => {
        const button = document.createElement("button");
        const first = String(Object.values(entry.fields)[0] ?? "").replace(/\s+/g, " ").slice(0, 60);
        button.textContent = `${kinds[entry.kind] ?? ""}  ${first}`;
        button.title = new Date(entry.at).toLocaleString();
        button.onclick = () => setTriggerValue("opened", { kind: entry.kind, fields: entry.fields });
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  };
  find("[name=export]").textContent = words.export;
  find("[name=export]").onclick = () => save(JSON.stringify(entries, null, 2));
  find("[name=clear]").textContent = words.clear;
  find("[name=clear]").onclick = () => {
    try {
      localStorage.removeItem(PLACE);
      broken = false;
      note = words.note;
    } catch {} // storage is disabled
    entries = [];
    draw();
  };
  draw();
}
