// Lets the overview grow: the feed says that a block was sealed, and the page's own next state replaces what
// is shown. What is said and how stays with the server; without this script the page is whole.

const line = document.getElementById("live");
const WAIT_MS = 1000;
let waiting = false;

async function renew() {
  waiting = false;
  let answer;
  try {
    answer = await fetch(location.href, { credentials: "omit", cache: "no-cache" });
  } catch {
    return; // the next block tries again
  }
  if (!answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("present");
  const now = document.getElementById("present");
  if (!next || Number(next.dataset.size) <= Number(now.dataset.size)) return;
  for (const block of next.querySelectorAll(".block")) {
    if (Number(block.dataset.height) > Number(now.dataset.height)) block.classList.add("new");
  }
  const focused = document.activeElement?.getAttribute("href");
  now.replaceWith(next);
  if (focused) [...next.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  line.textContent = `${line.dataset.grew} ${Number(next.dataset.size).toLocaleString("en")}`;
}

const feed = new EventSource(`/api/v1/entries/stream?from=${document.getElementById("present").dataset.size}`);
feed.addEventListener("open", () => {
  line.hidden = false;
  line.textContent = line.dataset.on;
});
feed.addEventListener("error", () => {
  line.hidden = false;
  line.textContent = line.dataset.off;
});
feed.addEventListener("message", (event) => {
  const entry = JSON.parse(event.data);
  if (entry.index < Number(document.getElementById("present").dataset.size) || waiting) return;
  waiting = true;
  setTimeout(renew, WAIT_MS);
});
