// The live map: what exists in the local cloud, how full it is, what flows and what fails.
// One module for the page /_labkit/map and for the notebook's widget (the default export).

const STYLE = `
.lm { font: 1rem/1.4 system-ui, "DejaVu Sans", sans-serif; color-scheme: light dark; position: relative; }
.lm h1 { font-size: 1.5rem; margin: 0; } .lm h2 { font-size: 1.15rem; margin: 1.25rem 0 .25rem; }
.lm .lm-state { margin: .1rem 0 1rem; }
.lm .lm-map { position: relative; display: flex; gap: 3.5rem; overflow-x: auto; padding: .25rem .25rem 1rem; }
.lm .lm-column { display: flex; flex-direction: column; gap: 1rem; justify-content: space-around; flex: 1 0 11rem; }
.lm svg { position: absolute; inset: 0; pointer-events: none; overflow: visible; }
.lm path { fill: none; stroke: light-dark(#4a5268, #a9b1c4); stroke-width: 2; }
.lm path.lm-trouble { stroke: light-dark(#a33f00, #ffb38a); stroke-dasharray: 7 5; }
.lm marker path { fill: light-dark(#4a5268, #a9b1c4); stroke: none; }
.lm .lm-part { position: relative; z-index: 1; box-sizing: border-box; border: 3px solid light-dark(#0b57a4, #7db6f5);
  border-radius: .6rem; padding: .4rem .6rem; background: light-dark(#fff, #1b2130); color: light-dark(#1d2433, #e8ebf2); }
.lm .lm-part.lm-failing { border-color: light-dark(#a33f00, #ffb38a); border-style: double; border-width: 5px; }
.lm .lm-service { font-size: .8rem; } .lm .lm-name { font-weight: 700; overflow-wrap: anywhere; }
.lm .lm-facts { font-size: .95rem; font-variant-numeric: tabular-nums; }
.lm .lm-problem { font-weight: 700; color: light-dark(#8a3500, #ffb38a); }
.lm .lm-new { font-weight: 700; margin-left: .4rem; }
.lm .lm-busy { animation: lm-busy .7s ease-out; }
@keyframes lm-busy { from { box-shadow: 0 0 0 .5rem light-dark(#ffd28a, #a86a00); } to { box-shadow: none; } }
@media (prefers-reduced-motion: reduce) { .lm .lm-busy { animation: none; outline: 3px solid currentColor; } }
.lm ol { margin: 0; padding: 0; list-style: none; min-height: 9em; }
.lm table { border-collapse: collapse; width: 100%; }
.lm th, .lm td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
`;
const ORDER = ["API Gateway", "EventBridge rule", "CloudTrail", "SNS topic", "Lambda function", "SQS queue",
  "Kinesis stream", "DynamoDB table", "S3 bucket", "E-mail", "HTTP endpoint"];
const OUTSIDE = ["E-mail", "HTTP endpoint"];  // they belong to whoever is subscribed
const LINES = 6;
const READABLE = 4000; // milliseconds
let maps = 0;

const make = (tag, className = "", text = "") => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
};
const inWords = (facts) => Object.entries(facts).map(([what, count]) => `${what}: ${count}`).join(" · ");
const inBox = (facts) => inWords(Object.fromEntries(Object.entries(facts).filter(([, count], place) => count || !place)));
const troubled = (arrow) => /PROBLEM|Disabl|not confirmed/.test(arrow.how);

/** A map in *root*: show(picture), tell(event), say(text). Only parts of *lab* are shown, if one is given. */
export function createMap(root, { lab = "", title = "h1" } = {}) {
  const number = ++maps;
  const box = make("section", "lm");
  const state = make("p", "lm-state");
  const map = make("div", "lm-map");
  const list = make("ol");
  const table = make("table");
  map.tabIndex = 0;
  map.setAttribute("role", "group");
  map.setAttribute("aria-label", "Map of the parts and what goes where; the same stands in the table below");
  state.setAttribute("role", "status");
  box.append(make("style", "", STYLE), make(title, "", lab ? `Live map of LAB_ID ${lab}` : "Live map"), state, map,
    make("h2", "", "What happened last"), list, make("h2", "", "The same as a table"), table);
  root.replaceChildren(box);
  let before = new Map();
  let arrows = [];
  const boxes = new Map();
  const recent = new Map();

  const short = (name) => (lab ? name.replace(new RegExp(`-${lab}(?=-\\d{12}$|$)`), "").replace(/-\d{12}$/, "") : name);
  const ofLab = (part) => !lab || OUTSIDE.includes(part.service) || new RegExp(`-${lab}(-\\d{12})?$`).test(part.name);

  function show(picture) {
    const named = picture.parts.filter(ofLab);
    arrows = picture.arrows.filter((arrow) => [arrow.start, arrow.end].every((id) => named.some((part) => part.id === id)));
    const parts = named.filter((part) => !OUTSIDE.includes(part.service) || arrows.some((arrow) => arrow.end === part.id));
    const failing = parts.filter((part) => part.problem);
    const hidden = picture.parts.length - parts.length;
    state.textContent = `${parts.length} parts · ${failing.length ? `${failing.length} failing` : "nothing failing"} · ` +
      `messages waiting: ${total(parts, "waiting")}` + (hidden && lab ? ` · ${hidden} parts of other labs are not shown` : "");
    boxes.clear();
    map.replaceChildren(...columns(parts).map((column) => {
      const element = make("div", "lm-column");
      element.append(...column.map(drawn));
      return element;
    }));
    rows(parts);
    before = new Map(parts.map((part) => [part.id, part.facts]));
    requestAnimationFrame(connect);
  }

  function drawn(part) {
    const element = make("div", `lm-part${part.problem ? " lm-failing" : ""}`);
    const facts = make("div", "lm-facts", inBox(part.facts));
    const more = Object.entries(part.facts).filter(([what, count]) => count > (before.get(part.id)?.[what] ?? Infinity));
    if (more.length) {
      element.classList.add("lm-busy");
      const text = more.map(([what, count]) => `+${count - before.get(part.id)[what]} ${what}`).join(", ");
      recent.set(part.id, { text, until: Date.now() + READABLE });
    }
    const { text, until } = recent.get(part.id) ?? { until: 0 };
    if (until > Date.now()) {
      const badge = make("span", "lm-new", text);
      facts.append(badge);
      setTimeout(() => badge.remove(), until - Date.now());
    }
    const name = make("div", "lm-name", "");
    for (const word of short(part.name).split(/(?<=[a-z])(?=[A-Z])/)) name.append(word, make("wbr"));  // break between words
    element.append(make("div", "lm-service", part.service), name, facts);
    if (part.problem) element.append(make("div", "lm-problem", `! ${part.problem}`));
    boxes.set(part.id, element);
    return element;
  }

  // A part stands one column behind the furthest part that leads to it; arrows back do not push it further.
  function columns(parts) {
    const depth = new Map();
    const visit = (id, path) => {
      if (depth.has(id)) return depth.get(id);
      const leading = arrows.filter((arrow) => arrow.end === id && !path.includes(arrow.start) && arrow.start !== id);
      const found = Math.max(0, ...leading.map((arrow) => visit(arrow.start, [...path, id]) + 1));
      if (!path.length) depth.set(id, found);
      return found;
    };
    const result = [];
    const sorted = [...parts].sort((a, b) => ORDER.indexOf(a.service) - ORDER.indexOf(b.service));
    for (const part of sorted) (result[visit(part.id, [])] ??= []).push(part);
    return [...result].map((column) => column ?? []);
  }

  function connect() {
    map.querySelector("svg")?.remove();
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const part = (tag, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      return element;
    };
    svg.setAttribute("aria-hidden", "true");
    const head = part("marker", { id: `lm-head-${number}`, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7,
      markerHeight: 7, orient: "auto-start-reverse" });
    head.append(part("path", { d: "M0 0 10 5 0 10z" }));
    svg.append(head);
    const origin = map.getBoundingClientRect();
    for (const arrow of arrows) {
      const [from, to] = [arrow.start, arrow.end].map((id) => boxes.get(id)?.getBoundingClientRect());
      if (!from || !to) continue;
      const x = (edge) => edge - origin.left + map.scrollLeft;
      const y = (rectangle) => rectangle.top + rectangle.height / 2 - origin.top;
      const forward = to.left > from.right;
      const [x1, x2] = forward ? [x(from.right), x(to.left)] : [x(from.left), x(to.right)];
      const bend = Math.max(24, Math.abs(x2 - x1) / 2) * (forward ? 1 : -1);
      const line = part("path", { d: `M${x1} ${y(from)}C${x1 + bend} ${y(from)} ${x2 - bend} ${y(to)} ${x2} ${y(to)}`,
        "marker-end": `url(#lm-head-${number})` });
      if (troubled(arrow)) line.setAttribute("class", "lm-trouble");
      svg.append(line);
    }
    map.append(svg);
  }

  function rows(parts) {
    const names = new Map(parts.map((part) => [part.id, short(part.name)]));
    const row = (cell, ...texts) => {
      const element = make("tr");
      element.append(...texts.map((text) => make(cell, "", text)));
      return element;
    };
    const head = make("thead");
    const body = make("tbody");
    head.append(row("th", "Service", "Name", "State", "Counts", "Goes to"));
    for (const part of parts) {
      const leads = arrows.filter((arrow) => arrow.start === part.id).map((arrow) => `${names.get(arrow.end)} (${arrow.how})`);
      body.append(row("td", part.service, short(part.name), part.problem ? `failing: ${part.problem}` : "there",
        inWords(part.facts), leads.join("; ")));
    }
    table.replaceChildren(head, body);
  }

  function tell(event) {
    const words = sentence(event);
    if (!words) return;
    list.prepend(make("li", "", `${new Date(event.at * 1000).toLocaleTimeString()} ${words}`));
    while (list.children.length > LINES) list.lastChild.remove();
  }

  const resized = new ResizeObserver(connect);
  resized.observe(map);
  return { show, tell, say: (text) => { state.textContent = text; }, close: () => resized.disconnect() };
}

const total = (parts, what) => parts.reduce((sum, part) => sum + (part.facts[what] ?? 0), 0);

/** An event in words; reads are left out, since whoever looks at the cloud would see only that. */
function sentence(event) {
  switch (event.kind) {
    case "request": return `${event.method} ${event.path} → ${event.status}${event.reason ? `: ${event.reason}` : ""}`;
    case "batch": return `${event.function} got a batch of ${event.records}${event.failed ? `, ${event.failed} FAILED` : ""}`;
    case "function failed": return `${event.function} FAILED: ${event.error}`;
    case "records given up": return `${event.records} records GIVEN UP: ${event.why}`;
    case "event delivered": return `rule ${event.rule} matched; delivered to ${event.target}`;
    case "not delivered": return `NOT DELIVERED: ${event.error ?? event.why}`;
    case "mail": return `mail to ${event.to}`;
    case "mail not sent": return `mail to ${event.to} NOT SENT: ${event.error}`;
    case "asynchronous invocation": return `${event.function} is invoked asynchronously by ${event.source}`;
    case "labkit is broken": return "labkit is broken; see labkit logs";
    case "api": return /^(Create|Delete|Put(?!Item|Object|Metric)|Update(?!Item)|Add|Remove|Start|Stop|Purge)/.test(event.operation)
      ? `${event.caller}: ${event.service} ${event.operation}${event.error ? ` REFUSED: ${event.error}` : ""}` : "";
    default: return "";
  }
}

/** The page: fed by the events, with the token of its own address. */
function watch(root) {
  const query = new URLSearchParams(location.search);
  const map = createMap(root, { lab: query.get("lab") ?? "" });
  map.say("Connecting …");
  const source = new EventSource(`events${location.search}`);
  source.addEventListener("message", (message) => {
    const event = JSON.parse(message.data);
    if (event.kind === "picture") map.show(event); else map.tell(event);
  });
  source.addEventListener("error", () => map.say(source.readyState === EventSource.CLOSED
    ? "This page needs the token of the local cloud: open the link that labkit status prints."
    : "The local cloud does not answer; this page goes on when it does. Start it with: labkit up"));
}

/** The widget: fed by the kernel, so that it works wherever JupyterLab does. */
export default {
  render({ model, el }) {
    const map = createMap(el, { lab: model.get("lab"), title: "h3" });
    const show = () => { if (model.get("picture").parts) map.show(model.get("picture")); };
    const say = () => { if (model.get("ended")) map.say(model.get("ended")); };
    model.on("change:picture", show);
    model.on("change:ended", say);
    model.on("msg:custom", map.tell);
    show();
    say();
    return () => map.close();
  },
};

const page = document.getElementById("live-map");
if (page) watch(page);
