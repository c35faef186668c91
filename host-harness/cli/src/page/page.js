"use strict";
// What the page shows comes from one stream of events; what it does goes to one address.

const { base, token } = document.body.dataset;
const me = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const $ = (id) => document.getElementById(id);
const SECONDS = 120;
const WORDS = {
  new: "a new session: this answer brought the cookie",
  kept: "kept: the pod of the cookie answered",
  led: "moved: the cookie is kept, and its place on the ring is this pod’s now",
  moved: "moved: the pod of the cookie is there, another one answered",
  dead: "its pod is gone: a new cookie",
  foreign: "a cookie of another format or application: a new one",
  none: "no session",
};

let pods = [];
let places = [];
let seconds = [];
let marks = [];
let lastShift = "";
let own = 0;
let isLocked = false;
let burst = null; // who answered the requests of "Reload 20 times" so far
const tiles = new Map(); // address -> what its tile is made of
const homes = new Map(); // client -> address

function element(name, text, ...classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  made.classList.add(...classes);
  return made;
}

function row(cells, ...classes) {
  const made = element("tr", undefined, ...classes);
  made.setAttribute("role", "row"); // a phone shows tables as lists, and they stay tables
  for (const [text, label, ...names] of cells) {
    const cell = element("td", text, ...names);
    cell.setAttribute("role", "cell");
    cell.dataset.label = label;
    made.append(cell);
  }
  return made;
}

function podName(address) {
  const pod = pods.find((one) => one.address === address);
  return pod ? pod.name : address;
}

function say(text) {
  $("said").textContent = text;
}

// ---- what is done ----

async function act(action) {
  const answer = await fetch(`${base}/do`, {
    method: "POST",
    headers: { "content-type": "application/json", "limpet-page-token": token },
    body: JSON.stringify(action),
  });
  const told = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (told.error) say(told.error);
  else if (told.done) say(`${told.done}.`);
  return told;
}

function here() {
  const place = places[$("place").value] || { host: "" };
  const path = $("path").value;
  return { https: $("https").checked, host: place.host, path: path.startsWith("/") ? path : `/${path}` };
}

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function ask(times) {
  const { https, host, path } = here();
  const headers = { "limpet-page": me, "limpet-page-host": host, "limpet-page-scheme": https ? "https" : "http" };
  const answers = [];
  if (times > 1) burst = answers;
  for (let time = 0; time < times; time += 1) {
    try {
      await fetch(location.origin + path, { headers, redirect: "manual", cache: "no-store" });
    } catch {
      burst = null;
      say("No answer came.");
      return;
    }
    if (times > 1) await wait(70);
  }
  for (let tries = 0; tries < 20 && times > 1 && answers.length < times; tries += 1) await wait(50);
  if (burst !== answers) return;
  burst = null;
  const counts = [...new Set(answers)].map((pod) => `${pod} answered ${answers.filter((one) => one === pod).length}`);
  say(`${times} requests for ${path}: ${counts.join(", ")}.`);
}

async function busy(button, work) {
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
    // Where its user was, but whoever has gone elsewhere by now is not called back.
    if (document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask(1);
});
$("reload20").addEventListener("click", (event) => busy(event.currentTarget, () => ask(20)));
$("forget").addEventListener("click", async () => {
  const told = await act({ do: "forget", page: me });
  if (told.error) return;
  homes.delete("you");
  showHomes();
  $("session").hidden = true;
  $("why-part").hidden = true;
  $("nosession").hidden = false;
  $("nosession").textContent = "No session. The next request is balanced like any other.";
  say("The cookie is forgotten. The next request is balanced like a stranger’s.");
});
$("another").addEventListener("click", () => act({ do: "clients", count: 1, ...here() }));
$("twenty").addEventListener("click", () => act({ do: "clients", count: 20, ...here() }));
$("dismiss").addEventListener("click", () => act({ do: "dismiss" }));
$("place").addEventListener("change", () => choose(places[$("place").value]));

// A browser that comes by this machine's address is taken to ask for the first host.
function showTab() {
  const { host, path } = here();
  $("tab").href = path;
  $("tab").hidden = host !== places.map((place) => place.host).find(Boolean);
}

function choose(place) {
  if (!place) return;
  $("path").value = place.path;
  $("https").checked = place.https;
  $("e-https").checked = place.https;
  $("e-host").value = place.host;
  $("e-path").value = place.path;
  showTab();
}

$("path").addEventListener("input", showTab);

$("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("explain").querySelector("button");
  // The first answer has to wait until the module is compiled.
  button.textContent = "Explaining …";
  await busy(button, explain);
  button.textContent = "Explain";
});

async function explain() {
  const typed = $("e-cookie").value.trim();
  const cookie = $("e-none").checked ? "" : typed || null;
  const told = await act({ do: "explain", https: $("e-https").checked, host: $("e-host").value, path: $("e-path").value, cookie });
  if (told.error) {
    $("answer").hidden = false;
    $("outcome").textContent = told.error;
    $("rows").replaceChildren();
    $("steps").replaceChildren();
    return;
  }
  $("answer").hidden = false;
  $("outcome").textContent = { forward: "forwarded", redirect: "redirected", not_found: "not found", reject: "refused" }[told.outcome];
  $("rows").replaceChildren(...told.rows.flatMap(([label, value]) => [element("dt", label), element("dd", named(value))]));
  $("steps").replaceChildren(...told.why.map((step) => element("li", named(step))));
}

// Names pods where a sentence has their addresses.
function named(text) {
  return pods.reduce((text, pod) => (pod.name === pod.address ? text : text.split(pod.address).join(`${pod.name} (${pod.address})`)), text);
}

// ---- what is shown ----

function tile(pod, index) {
  const item = element("li", undefined, "tile");
  item.dataset.colour = index % 9;
  item.dataset.pod = pod.name;
  const parts = {
    item,
    requests: 0,
    number: element("p", undefined, "number"),
    state: element("p", undefined, "state"),
    you: element("p", "", "you"),
    dots: element("div", undefined, "dots"),
    stop: element("button"),
    drain: element("button"),
  };
  const position = () => pods.findIndex((one) => one.address === pod.address);
  const isReady = () => pods[position()].state === "ready";
  parts.stop.addEventListener("click", () => act({ do: pods[position()].state === "stopped" ? "start" : "stop", pod: position() }));
  parts.drain.addEventListener("click", () => act({ do: isReady() ? "drain" : "start", pod: position() }));
  const buttons = element("div", undefined, "buttons");
  buttons.append(parts.stop, parts.drain);
  parts.dots.setAttribute("role", "img");
  item.append(element("h3", pod.name), element("p", pod.name === pod.address ? "" : pod.address, "address"), parts.state, parts.number, parts.you, parts.dots, buttons);
  $("tiles").append(item);
  tiles.set(pod.address, parts);
  return parts;
}

function showPods() {
  pods.forEach((pod, index) => {
    const parts = tiles.get(pod.address) || tile(pod, index);
    const state = { ready: "takes requests", draining: "draining: keeps its sessions", stopped: "stopped" }[pod.state];
    if (parts.state.textContent !== state) parts.state.textContent = state;
    parts.item.classList.toggle("draining", pod.state === "draining");
    parts.item.classList.toggle("stopped", pod.state === "stopped");
    label(parts.stop, pod.state === "stopped" ? "Start" : "Stop", pod.name);
    label(parts.drain, pod.state === "draining" ? "Undrain" : "Drain", pod.name);
    parts.stop.disabled = isLocked;
    parts.drain.disabled = isLocked || pod.state === "stopped";
    showNumber(parts);
  });
  const deployments = [...new Set(pods.map((pod) => pod.deployment).filter(Boolean))];
  const known = [...$("add").children].map((button) => button.dataset.deployment);
  if (deployments.join() !== known.join()) {
    $("add").replaceChildren(...deployments.map((deployment) => {
      const button = element("button", deployments.length > 1 ? `Add a pod to ${deployment}` : "Add a pod");
      button.dataset.deployment = deployment;
      button.addEventListener("click", () => act({ do: "add", deployment }));
      return button;
    }));
  }
  for (const button of $("add").children) button.disabled = isLocked;
  $("locked").hidden = !isLocked;
}

function label(button, text, name) {
  if (button.textContent === text) return;
  button.textContent = text;
  button.setAttribute("aria-label", `${text} ${name}`);
}

function showNumber(parts) {
  parts.number.replaceChildren(String(parts.requests), element("small", parts.requests === 1 ? " request" : " requests"));
}

function showHomes() {
  for (const [address, parts] of tiles) {
    const living = [...homes].filter(([, home]) => home === address).map(([client]) => client);
    const isHome = living.includes("you");
    parts.item.classList.toggle("home", isHome);
    parts.you.textContent = isHome ? "this browser" : "";
    const wanted = living.length;
    if (parts.dots.childElementCount !== wanted || parts.dots.dataset.home !== String(isHome)) {
      const dots = living.sort((a, b) => (b === "you") - (a === "you")).map((client) => element("span", undefined, "dot", ...(client === "you" ? ["own"] : [])));
      parts.dots.replaceChildren(...dots);
      parts.dots.dataset.home = String(isHome);
      parts.dots.setAttribute("aria-label", wanted === 1 ? "1 session lives here" : `${wanted} sessions live here`);
    }
  }
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function land(parts, isOwn) {
  if (calm.matches || document.hidden || parts.item.querySelectorAll(".drop").length > 6) return;
  const drop = element("span", undefined, "drop", ...(isOwn ? ["own"] : []));
  parts.item.append(drop);
  const frames = [{ transform: "translateY(-26px) scale(.6)", opacity: 0 }, { transform: "none", opacity: 1, offset: 0.55 }, { transform: "scale(2)", opacity: 0 }];
  drop.animate(frames, { duration: 620, easing: "ease-out" }).onfinish = () => drop.remove();
}

function onRequest(request) {
  const isOwn = request.page === me;
  const parts = tiles.get(request.endpoint);
  if (parts) {
    parts.requests += 1;
    showNumber(parts);
    land(parts, isOwn);
  }
  const client = isOwn ? "you" : request.client || (request.page && `page ${request.page}`);
  if (client && request.endpoint && request.cookie && request.cookie.holds) {
    homes.set(client, request.endpoint);
    showHomes();
  }
  if (isOwn) showSession(request);
  logRequest(request, isOwn);
}

function showSession(request) {
  own += 1;
  $("s-requests").textContent = own;
  const pod = request.endpoint ? podName(request.endpoint) : "no pod";
  const last = request.why.map(named).slice(-1)[0];
  if (burst) burst.push(pod);
  else say(`${request.path} was answered ${request.status} by ${pod}${last ? `: ${last}` : ""}.`);
  $("why-part").hidden = request.why.length === 0;
  $("why").replaceChildren(...request.why.map((step) => element("li", named(step))));
  const { cookie } = request;
  if (!cookie || !cookie.holds) {
    $("nosession").textContent = "The last request has no session.";
    $("s-state").textContent = WORDS.none;
    return;
  }
  $("nosession").hidden = true;
  $("session").hidden = false;
  if ($("s-name").textContent !== cookie.name) $("s-attributes").textContent = "";
  $("s-name").textContent = cookie.name;
  $("s-value").textContent = cookie.holds;
  if (cookie.set !== null) $("s-attributes").textContent = cookie.set;
  else if (!$("s-attributes").textContent) $("s-attributes").textContent = "set before this page was opened";
  $("s-pod").textContent = `${pod} (${request.endpoint})`;
  $("s-state").textContent = WORDS[became(cookie)] || cookie.state;
}

// A balanced cookie is kept, and its place on the ring may be another pod's by now.
function became(cookie) {
  return cookie.moved && cookie.state === "kept" ? "led" : cookie.state;
}

function logRequest(request, isOwn) {
  const who = isOwn ? "this browser" : request.client || (request.page ? "another window" : "somebody");
  const { cookie } = request;
  const state = cookie && (became(cookie) === "led" ? "moved" : cookie.state);
  const body = $("log").tBodies[0];
  body.prepend(row([
    [who, "Who", "who"],
    [`${request.method} ${request.host}${request.path}${request.https ? " as https" : ""}`, "Asked for", "asked"],
    [request.status, "Status", "status"],
    [request.endpoint ? podName(request.endpoint) : "none", "Pod", "pod"],
    [cookie ? `${cookie.name}: ${state}` : "", "Session", "cookie"],
  ], ...(isOwn ? ["own-row"] : [])));
  while (body.rows.length > 12) body.deleteRow(-1);
}

function draw() {
  const width = 720 / SECONDS;
  const first = SECONDS - seconds.length;
  const order = new Map(pods.map((pod, index) => [pod.address, index]));
  const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const most = Math.max(4, ...seconds.map((second) => total(second.pods) + second.elsewhere));
  const highest = Math.max(4, ...seconds.map((second) => total(second.sessions)));
  const series = (svg, height, top, names, value, mark) => {
    const floors = seconds.map(() => 0);
    const paths = names.map((name) => {
      let line = "";
      seconds.forEach((second, index) => {
        const count = value(second, name);
        if (!count) return;
        const tall = (count / top) * height;
        const y = height - floors[index] - tall;
        floors[index] += tall;
        line += `M${((first + index) * width).toFixed(2)} ${y.toFixed(2)}h${(width * 0.86).toFixed(2)}v${tall.toFixed(2)}h-${(width * 0.86).toFixed(2)}z`;
      });
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", line);
      mark(path, name);
      return path;
    });
    const lines = marks.map((age) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      const x = (SECONDS - age) * width;
      line.setAttribute("d", `M${x} 0V${height}`);
      line.setAttribute("class", "mark");
      return line;
    });
    svg.replaceChildren(...paths, ...lines);
  };
  series($("by-pod"), 114, most, [...order.keys(), ""], (second, name) => (name ? second.pods[name] : second.elsewhere), (path, name) => {
    if (name) path.dataset.colour = order.get(name) % 9;
    else path.setAttribute("class", "other");
  });
  const kinds = { kept: ["kept"], new: ["new"], moved: ["moved", "dead", "foreign"] };
  series($("by-session"), 57, highest, Object.keys(kinds), (second, name) => kinds[name].reduce((sum, kind) => sum + (second.sessions[kind] || 0), 0), (path, name) => path.setAttribute("class", name));
  const sums = pods.map((pod) => `${pod.name} ${seconds.reduce((sum, second) => sum + (second.pods[pod.address] || 0), 0)}`);
  const legend = pods.map((pod) => pod.name);
  if ($("legend").dataset.names !== legend.join()) {
    $("legend").dataset.names = legend.join();
    $("legend").replaceChildren(...pods.map((pod, index) => {
      const key = element("span", pod.name, "key");
      key.dataset.colour = index % 9;
      return key;
    }));
  }
  $("most").textContent = `at most ${most}`;
  $("by-pod").setAttribute("aria-label", `Requests in two minutes, by pod: ${sums.join(", ")}`);
  const kind = (name) => seconds.reduce((sum, second) => kinds[name].reduce((all, one) => all + (second.sessions[one] || 0), sum), 0);
  $("by-session").setAttribute("aria-label", `Sessions in two minutes: kept ${kind("kept")}, new ${kind("new")}, moved or lost ${kind("moved")}`);
}

function showShifts(shifts) {
  $("shifts").hidden = shifts.length === 0;
  $("noshifts").hidden = shifts.length !== 0;
  $("shifts").tBodies[0].replaceChildren(...shifts.map((shift) => {
    const predicted = shift.predicted === null ? "unknown" : shift.predicted;
    return row([
      [shift.what, "Change", "what"],
      [shift.cluster, "Sessions of", "of"],
      [shift.format, "Cookie"],
      [shift.sessions, "Sessions", "n"],
      [predicted, "Expected to move", "n"],
      [shift.counted, "Moved", "n"],
    ]);
  }));
}

function onState(state) {
  pods = state.pods;
  isLocked = state.locked;
  if (state.history) seconds = state.history;
  if (state.second) {
    seconds.push(state.second);
    seconds = seconds.slice(-SECONDS);
    marks = marks.map((age) => age + 1).filter((age) => age < SECONDS);
  }
  const newest = state.shifts.length ? state.shifts.map((shift) => shift.what).join() : "";
  if (newest !== lastShift && !state.history) marks.push(0);
  lastShift = newest;
  if (state.clients === 0) {
    for (const client of [...homes.keys()]) if (client.startsWith("client ")) homes.delete(client);
  }
  $("count").textContent = { 0: "No other client", 1: "1 other client, back every other second" }[state.clients] || `${state.clients} other clients, each back every other second`;
  $("dismiss").disabled = state.clients === 0;
  showPods();
  showHomes();
  showShifts(state.shifts);
  if (state.second || state.history) draw();
}

const events = new EventSource(`${base}/events`);
const link = (text, isLive) => {
  $("link").textContent = text;
  $("link").classList.toggle("live", isLive);
};
events.addEventListener("open", () => link("live", true));
events.addEventListener("error", () => link("not connected", false));
events.addEventListener("state", (event) => onState(JSON.parse(event.data)));
events.addEventListener("request", (event) => onRequest(JSON.parse(event.data)));

fetch(`${base}/places`).then((answer) => answer.json()).then((told) => {
  places = told;
  $("place").replaceChildren(...places.map((place, index) => {
    const option = element("option", `${place.host || "any host"}${place.location}`);
    option.value = index;
    return option;
  }));
  for (const label of document.querySelectorAll(".tls")) label.hidden = !places.some((place) => place.https);
  choose(places[0]);
});
