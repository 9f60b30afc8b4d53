// A live region: what is new in it is read aloud.
export default function ({ data: [data], parentElement }) {
  const region = parentElement.querySelector("[role=status]");
  if (region.dataset.number === String(data.number)) return;
  region.dataset.number = data.number;
  region.textContent = ""; // the same text twice is read twice
  setTimeout(() => (region.textContent = data.text), 50);
}
