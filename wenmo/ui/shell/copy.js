// A button that copies a text. navigator.clipboard exists on secure pages only; elsewhere a selected field is copied.
async function put(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}

export default function ({ parentElement, data: [data] }) {
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.onclick = async () => {
    try {
      await put(data.text);
      button.textContent = data.done;
    } catch {
      button.textContent = data.failed;
    }
    setTimeout(() => (button.textContent = data.label), 2000);
  };
}
