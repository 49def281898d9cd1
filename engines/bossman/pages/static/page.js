// Live refresh: the page works without it. Re-reads the part that changes, and says so when it cannot.
"use strict";

const EVERY_MS = 5000;
const PATIENCE_MS = 10000;

const byId = (id) => document.getElementById(id);
const main = byId("main");
const notice = byId("notice");
const updated = byId("updated");

let paused = false;
let ended = false;
let reading = false;
let timer = 0;
let builtAt = 0; // server's time of what is shown
let shownAt = 0; // this machine's steady clock when it was shown

const age = (seconds) => {
  let left = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [name, size] of [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(left / size);
    left %= size;
    if (count) parts.push(`${count} ${name}${name === "day" && count > 1 ? "s" : ""}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 s";
};

// Ages follow the server's clock, whatever this machine's says.
const serverNow = () => builtAt + (performance.now() - shownAt);

const tick = () => {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const text = `${age((serverNow() - Date.parse(time.dateTime)) / 1000)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
  const since = age((performance.now() - shownAt) / 1000);
  const state = ended ? "Session ended" : paused ? "Paused" : main.classList.contains("old") ? "Not live" : "Live";
  updated.textContent = `${state}. Last updated ${since} ago.`;
};

const shown = () => {
  builtAt = Date.parse(byId("live").dataset.built);
  shownAt = performance.now();
  document.title = byId("live").dataset.title;
  for (const time of document.querySelectorAll("time")) {
    time.title = `${new Date(time.dateTime).toLocaleString()} (your time)`;
  }
  tick();
};

// Only what differs is touched, so that a screen reader speaks when the verdict changes and not before.
const say = (from) => {
  const verdict = byId("verdict");
  verdict.className = from.className;
  verdict.querySelector("use").setAttribute("href", from.querySelector("use").getAttribute("href"));
  for (const id of ["verdict-words", "verdict-do"]) {
    const [present, next] = [byId(id), from.querySelector(`#${id}`)];
    if (present.innerHTML !== next.innerHTML) present.replaceChildren(...next.childNodes);
  }
};

const focusKey = (element) => {
  if (!element || !byId("live").contains(element)) return null;
  const details = element.closest("details");
  if (element.tagName === "SUMMARY") return `#${details.id} > summary`;
  const label = element.getAttribute("aria-label");
  return label ? `[aria-label="${CSS.escape(label)}"]` : null;
};

const swap = (page) => {
  const live = byId("live");
  const open = new Map([...live.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
  const key = focusKey(document.activeElement);
  const scrolled = new Map(
    [...live.querySelectorAll(".scroll")].map((one) => [one.getAttribute("aria-label"), [one.scrollLeft, one.scrollTop]]));
  const next = page.querySelector("#live");
  for (const one of next.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = open.get(one.id);
  live.replaceWith(next);
  for (const one of next.querySelectorAll(".scroll")) {
    const [left, top] = scrolled.get(one.getAttribute("aria-label")) || [0, 0];
    one.scrollLeft = left;
    one.scrollTop = top;
  }
  if (key) next.querySelector(key)?.focus({ preventScroll: true });
};

const fail = (element, words) => {
  main.classList.add("old");
  if (notice.textContent !== element.textContent) notice.replaceChildren(element);
  notice.hidden = false;
  const line = byId("verdict-words");
  if (line.dataset.failed !== words) {
    line.dataset.failed = words;
    line.replaceChildren(Object.assign(document.createElement("strong"), { textContent: "Not live:" }), ` ${words}`);
    byId("verdict-do").replaceChildren();
    byId("verdict").className = "verdict is-unknown";
    byId("verdict").querySelector("use").setAttribute("href", "#i-unknown");
    document.title = `Not live · ${byId("live").dataset.title}`;
  }
};

const problem = (text) => {
  const box = document.createElement("div");
  box.className = "problem";
  box.append(Object.assign(document.createElement("p"), { textContent: text }));
  return box;
};

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

const refresh = async () => {
  const answer = await fetch(`/bossman/fragment${location.search}`, {
    cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const page = parsed(await answer.text());
  if (answer.ok && page.querySelector("#live")) {
    main.classList.remove("old");
    notice.hidden = true;
    notice.replaceChildren();
    delete byId("verdict-words").dataset.failed;
    say(page.querySelector("#verdict"));
    swap(page);
    shown();
    return;
  }
  ended = answer.status === 401;
  const found = page.querySelector(".problem") || problem(`The server answered ${answer.status}.`);
  fail(found, ended ? "your session has ended; what is shown is old. Sign in again."
    : "Bossman cannot read the tenant’s state; what is shown is old.");
};

const loop = async () => {
  clearTimeout(timer);
  if (document.hidden || paused || ended || reading) return;
  reading = true;
  try {
    await refresh();
  } catch {
    const words = "Bossman does not answer; what is shown is old. Run ./scripts/doctor, then ./scripts/up.";
    fail(problem(words), words);
  }
  reading = false;
  tick();
  if (!ended) timer = setTimeout(loop, EVERY_MS);
};

const pause = Object.assign(document.createElement("button"), { className: "quiet", type: "button", textContent: "Pause" });
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  loop();
  tick();
});
byId("reload").before(pause, " ");

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : loop()));
shown();
setInterval(() => document.hidden || tick(), 1000);
timer = setTimeout(loop, EVERY_MS);
