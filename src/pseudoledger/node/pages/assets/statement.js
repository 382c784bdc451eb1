// The two live parts of a statement's page: checking its proof, and opening its sealed fields.

import { FetchError, FormError, keyOfDid } from "./bytes.js";
import { open, readFile } from "./disclosure.js";
import { check, reason } from "./verify.js";

// The id comes from the address that the reader asked for, not from what the page says.
const id = /\/statements\/([0-9a-f]{64})$/.exec(location.pathname)?.[1];

function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}

function technical(text) {
  const element = make("code", text);
  element.dir = "ltr";
  return element;
}

const proof = document.getElementById("proof");
const words = JSON.parse(proof.dataset.words);
const result = document.getElementById("verify-result");
const button = document.getElementById("verify-button");

function verdict(kind) {
  return make("p", words[kind], `verdict ${kind}`);
}

function line(step) {
  const item = make("li", undefined, step.verdict);
  item.append(make("b", words[step.verdict]), " ", words[step.key]);
  if (step.did) item.append(" ", technical(step.did));
  if (step.detail) item.append(" ", make("span", words[step.detail] ?? step.detail, "note"));
  return item;
}

function figures(found) {
  const list = make("dl", undefined, "facts");
  for (const name of ["computed", "claimed", "size"]) {
    const value = make("dd");
    value.append(technical(String(found[name])));
    list.append(make("dt", words[name]), value);
  }
  return list;
}

async function run() {
  const known = document.getElementById("known-key").value.trim();
  const list = make("ul", undefined, "checks");
  const steps = [];
  let broken = "";
  result.replaceChildren(make("p", words.running));
  try {
    if (!globalThis.crypto?.subtle) throw new FormError("insecure");
    if (known) keyOfDid(known);
    for await (const step of check(id, Number(proof.dataset.index), known)) steps.push(step);
  } catch (error) {
    if (error.message === "insecure") broken = words.insecure;
    else if (error.message === "did:key") broken = words.bad_key;
    else broken = reason(error, words);
  }
  const wrong = broken || steps.some((step) => step.verdict === "wrong");
  const reached = steps.some((step) => step.key === "root" && step.verdict === "checked");
  const signed = steps.some((step) => step.key === "signature" && step.verdict === "checked");
  const uncovered = !wrong && !reached;
  list.append(...steps.map(line));
  const head = wrong ? verdict("failed") : uncovered ? make("p", words.not_covered, "verdict partly") : verdict(signed ? "passed" : "partly");
  result.replaceChildren(head, list);
  if (broken) result.append(make("p", broken));
  const found = steps.find((step) => step.figures);
  if (found) result.append(figures(found.figures));
}

if (id && proof) {
  proof.querySelector(".scriptless").hidden = true;
  document.getElementById("verify").hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await run();
    } finally {
      button.disabled = false;
    }
  });
}

const sealed = document.getElementById("sealed");
if (id && sealed) {
  const said = JSON.parse(sealed.dataset.words);
  const drop = document.getElementById("drop");
  const answer = document.getElementById("disclosure-result");
  sealed.querySelector(".scriptless").hidden = true;
  drop.hidden = false;

  const opened = (found) => {
    const cell = sealed.querySelector(`tr[data-digest="${CSS.escape(found.digest)}"] .opened`);
    const value = make("bdi", found.value);
    value.dir = "auto";
    cell.replaceChildren(technical(found.name), ": ", value);
    cell.classList.add("found");
  };

  const take = async (file) => {
    try {
      if (!globalThis.crypto?.subtle) throw new FormError("insecure");
      const content = await readFile(file);
      if (content.statement !== id) {
        answer.replaceChildren(make("p", said.other, "verdict failed"), technical(content.statement.slice(0, 200)));
        return;
      }
      const all = await open(id, content.disclosures);
      if (all === null) {
        answer.replaceChildren(make("p", said.statement, "verdict failed"));
        return;
      }
      const problems = all.filter((item) => item.problem);
      all.filter((item) => !item.problem).forEach(opened);
      const list = make("ul");
      for (const item of problems) {
        const entry = make("li");
        entry.append(technical(item.text.slice(0, 60)), ": ", said[item.problem]);
        list.append(entry);
      }
      const kind = problems.length ? "failed" : "passed";
      answer.replaceChildren(make("p", problems.length ? said.some : said.opened, `verdict ${kind}`), list);
    } catch (error) {
      if (error instanceof FetchError) answer.replaceChildren(make("p", `${said.fetch} ${error.message}`, "verdict failed"));
      else if (error instanceof FormError) {
        answer.replaceChildren(make("p", error.message === "insecure" ? said.insecure : said.form, "verdict failed"));
      } else throw error;
    }
  };

  document.getElementById("disclosures").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) take(file);
  });
  // Anywhere on the page, so that a file which misses the box is not opened in its place.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}
