// A button that puts the page on the whole screen, and back; hidden in browsers that cannot do that.
export default function ({ parentElement, data: [data] }) {
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.hidden = !document.fullscreenEnabled;
  button.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
}
