// What Streamlit leaves to the browser's defaults: the language of the document, and a menu that closes on a phone.
const PHONE = "(max-width: 768px)"; // below this width Streamlit lays the sidebar over the page

export default function ({ data }) {
  const root = document.documentElement;
  root.lang = data.language;
  const before = root.dataset.page; // on the document: this script is loaded anew with every page
  root.dataset.page = data.page;
  if (before !== undefined && before !== data.page && window.matchMedia(PHONE).matches) {
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  }
}
