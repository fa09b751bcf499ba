"use strict";
// The page: one view per address behind the #, drawn anew when its data changed. No framework, nothing from elsewhere.

const AGAIN_MS = 30000; // Ages grow though nothing changes.
const ITEMS = 25; // Of the review queue that are shown at once.
const LEAST_MS = 2000; // Between two drawings, however much changes.
const WORDS = {
  critical: "▲ critical", drifting: "◆ drifting", learning: "○ learning", healthy: "● healthy",
  applied: "● done", refused: "▲ refused", proposed: "○ proposed", changed: "◆ changed",
  firing: "▲ firing", open: "◆ open", resolved: "● resolved", pending: "○ pending",
};
const main = document.getElementById("view");
const status = document.getElementById("status");
let drawn = null; // The address of what is shown.

const get = async (path) => {
  const answer = await fetch(path);
  if (answer.status === 401) throw new Error(LOGIN);
  if (!answer.ok) throw new Error(answer.status === 404 ? "It is not known here, or no longer." : `The service answers ${answer.status}.`);
  return answer.json();
};

// Elements, never HTML from texts: names come from producers.
const el = (name, given = {}, ...inside) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...inside.flat().filter((one) => one !== null && one !== undefined));
  return made;
};
const svg = (name, given = {}, ...inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
};
const state = (word) => el("span", { class: `state ${word}` }, WORDS[word] || word);
const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 }); // To make one takes longer than to draw a row.
const number = (value) => (value === null || value === undefined ? "–" : figures.format(value));
const link = (to, text) => el("a", { href: to }, text);
const name = (model) => `#/model/${encodeURIComponent(model)}`;
const time = (text) => (text ? el("time", { datetime: text, title: text }, text.replace("T", " ").replace(/\.\d+Z$/, "Z")) : "–");
const lasting = (ms) => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
};
const beat = (all) => `with every heartbeat.interval (${lasting(all.heartbeat_ms)})`;
const ago = (ms) => `${lasting(ms)} ago`;
const table = (heads, rows) => el("div", { class: "wide" }, el("table", {},
  el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: head.startsWith("#") ? "number" : null }, head.replace("#", ""))))),
  el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, i) => el("td", { class: heads[i].startsWith("#") ? "number" : null, "data-head": heads[i].replace("#", "") }, cell)))))));

const incidents = (list) => (list.length ? table(["State", "What happened", "Alerts", "Since"], list.map((one) => [
  state(one.status), el("div", { class: "sentence" }, link(`#/incident/${encodeURIComponent(one.incident)}`, one.sentence)),
  `${one.alerts.open} of ${one.alerts.count} open`, time(one.since)])) : el("p", { class: "soft" }, "None."));
const alerts = (list) => (list.length ? table(["State", "Severity", "What moved", "Found"], list.map((one) => [
  state(one.status), one.labels.severity || "–", el("div", { class: "sentence" }, link(`#/alert/${encodeURIComponent(one.id)}`, one.sentence)), time(one.since)]))
  : el("p", { class: "soft" }, "None."));

const TIERS = "in school: too few days were seen, only the unmistakable is told; calibrated: from the series' own days; proved: its averages vary as those of independent values do.";
const GIVEN = "given by the config";
const tiersOf = (one) => Object.entries(one.tiers).filter(([, count]) => count).map(([tier, count]) => `${count} ${tier === "school" ? "in school" : tier}`).join(", ") || GIVEN;
const named = (labels) => [labels.signal, ...Object.entries(labels).filter(([key]) => !["monitor", "signal"].includes(key)).map(([key, text]) => `${key}=${text}`)].join(", ");

// Series that need equally many days are told together.
const schooled = (learning) => [...new Set(learning.map((one) => one.days))].sort((a, b) => b - a).map((days) => el("li", {}, `${days} more healthy ${days === 1 ? "day" : "days"} with values: `,
  learning.filter((one) => one.days === days).map((one) => `${one.labels.monitor} (${named(one.labels)})`).join(", ")));

// How good predictions were, of windows whose labels came; a share with its exact interval.
const share = (part) => (part ? `${(100 * part.share).toFixed(1)} % (${part.interval.map((v) => (100 * v).toFixed(1)).join(" to ")})` : "–");
// What was estimated without labels, how often such intervals held, and why there is no estimate.
const estimated = (one) => el("span", { title: [one.estimated, ...(one.unestimated || [])].filter(Boolean).map((part) => part.text).join(" ") },
  one.estimated ? share(one.estimated) : one.unestimated ? `– (${one.unestimated.map((part) => part.reason.replace("_", " ")).join(", ")})` : "–",
  one.estimated && one.estimated.covered ? `, held in ${one.estimated.covered.count} of ${one.estimated.covered.windows} windows${one.estimated.covered.trusted ? "" : ": ▲ not to be trusted here"}` : "");
const goodness = (list) => table(["Window", "Group", "#Inferences", "#Labelled", "Wrong", "Estimated without labels", "Confidence less accuracy", "Absolute error, bias"], list.map((one) => [
  el("span", {}, time(one.window.from), one.window.version > 1 ? ` (told ${one.window.version} times)` : ""), one.group || "all", number(one.inferences), number(one.labelled),
  share(one.error), estimated(one), one.calibration ? number(one.calibration.gap) : "–", one.regression ? `${number(one.regression.mae)}, ${number(one.regression.bias)}` : "–"]));

// An audit of the least confident in words: the error of all, and whether the model is worse than it says.
const audited = (one) => `${one.lowest.answered + one.rest.answered} of ${one.lowest.asked + one.rest.asked} events of the newest window were looked at. `
  + (one.error ? `Wrong of all: ${share(one.error)}; by its own confidence ${(100 * one.estimated).toFixed(1)} %. ` : "")
  + `So far ${one.test.wrong} of ${one.test.verdicts} were wrong where it says ${number(one.test.expected)}: `
  + (one.test.fired ? "▲ it is wrong more often than it says." : `no proof that it is worse than it says (evidence ${number(one.test.evidence)} of ${number(one.test.limit)}).`);

// Who said what, however it was said. And what was deployed or changed, beside when something began.
const verdictsOf = (list, all) => el("ul", { class: "plain" }, list.map((one) => el("li", {}, el("strong", {}, one.word.replace("_", " ")), one.reason ? ` (${((all.acts || {}).reasons || {})[one.reason] || one.reason})` : "", ` by ${one.by}, `, time(one.time))));
const timed = (marks) => marks.map((mark) => ({ at: Date.parse(mark.time), word: mark.word })).slice(-MARKS);
const before = (mark, since) => { const ms = Date.parse(since) - Date.parse(mark.time); return ms >= 0 ? `${lasting(ms)} before` : `${lasting(-ms)} after`; };
const near = (mark, one) => { const ms = Date.parse(one.since) - Date.parse(mark.time); return ms < 86400000 && mark.time <= one.changed.time; };
// What to do about an alert, or an incident, first things first.
const asking = (marks, since) => {
  const cause = marks.filter((mark) => mark.time <= since && Date.parse(since) - Date.parse(mark.time) < 86400000).at(-1);
  return cause ? `Look at what was deployed or changed ${before(cause, since)}: ${cause.text}.` : `Was anything deployed or changed at ${since.replace("T", " ").slice(0, 16)} UTC: the model, a feature's source, who calls it?`;
};
const nextOf = (all, one, began, command) => (one.status !== "firing" ? ["Nothing has to be done: it is over. If it comes again, compare with what was changed when it began."] : [
  asking(one.marks, began), command ? "Run the command below: it shows from the records how it happened." : null,
  one.acknowledged ? "Somebody is on it already: ask there first." : all.control ? "Say below that you are on it; mute it if it will pass; accept it if this is the normal from now on." : "It is over once values are back, or after a day as they are now.",
].filter(Boolean));
const happenings = (marks, since) => el("ul", { class: "plain" }, [...marks].reverse().map((mark) => el("li", {}, since ? [el("strong", {}, `${before(mark, new Date(since).toISOString())} it began`), ": "] : null, mark.text, since ? ", " : ": ", time(mark.time))));

// The evidence of an alert, and how to see it happen again.
const offsetOf = (log, offset) => (log && log.topic ? `, at ${place(log)}@${offset}` : "");
const evidenceOf = (all, one) => {
  const side = (told) => (told ? el("span", {}, `mean ${number(told.mean)}, spread ${number(told.std)}, ${number(told.n)} events up to `, time(told.to)) : "–");
  const evidence = one.evidence || {}, onset = evidence.onset || {}, trigger = one.trigger || {}, known = one.acknowledged;
  const said = [["Known to", known ? `${known.by}, since ${known.time}: ${known.why}` : null], ["Monitor", one.labels.monitor], ["Detector", one.labels.detector || (one.detector || {}).kind], ["Signal", one.labels.signal],
    ["Began", onset.time && el("span", {}, time(onset.time), offsetOf(((one.replay || {}).ranges || [])[0], onset.offset))], ["Found", trigger.time && el("span", {}, time(trigger.time), offsetOf(trigger, trigger.offset))],
    ["Before", side(evidence.before)], ["After", side(evidence.after)],
    ["Statistic", one.statistic === null || one.statistic === undefined ? "–" : `${number(one.statistic)}, limit ${number(one.threshold)}`],
    ["Limits from", evidence.tier || "–"], ["Detections", String((one.episode || {}).detections ?? "–")], ["Judged", one.verdicts.length ? verdictsOf(one.verdicts, all) : null]];
  const marks = [["began", onset.time], ["found", trigger.time]].filter(([, when]) => when).map(([word, when]) => ({ word, at: Date.parse(when) }));
  return [el("dl", {}, ...said.filter(([, told]) => told && told !== "–").flatMap(([term, told]) => [el("dt", {}, term), el("dd", {}, told)])),
    ranges(evidence.before, evidence.after), moved((evidence.window || {}).moved),
    one.lines.length ? [el("h3", {}, "Around the change"), el("div", { class: "charts" }, one.lines.map((line) => chart(line, [...timed(one.marks), ...marks])))] : null];
};
const replayOf = (one) => {
  const command = (one.replay || {}).command, copy = el("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => navigator.clipboard.writeText(command).then(() => { copy.textContent = "Copied"; }));
  return command ? [el("h3", {}, "See it happen again"), el("pre", {}, el("code", {}, command)), copy] : null;
};

// What becomes of a record: each is one of these.
const FATES = [["ordered", "Put in order"], ["used", "Used"], ["late", "Late"], ["duplicate", "Repeated"], ["filtered", "Filtered"], ["dead_lettered", "Dead letters"]];
const READ = { unread: "▲ by nobody", silent: "▲ nothing is heard of it", awaited: "○ not heard of yet", behind: "◆ a backlog", read: "● all there is" };
const place = (one) => `${one.topic}[${one.partition}]`;
const rate = (value) => (value === null || value === undefined ? "–" : value >= 100 ? number(Math.round(value)) : number(Number(value.toPrecision(3))));
const snapshotOf = (one) => (one.snapshot_s === null ? "–" : `up to ${lasting(1000 * one.snapshot_s)} old, ${number(one.replayed)} records`);
const wrong = (all) => {
  const { unread, silent } = all.pipeline.wrong, many = (count) => (count === 1 ? "1 partition is" : `${number(count)} partitions are`);
  const said = [unread ? `${many(unread)} read by nobody: what is in there is not watched. A member that starts or ends shares them out anew.` : null,
    silent ? `Nothing is heard of ${silent === 1 ? "1 partition" : `${number(silent)} partitions`} that should be read: is the process that had it gone, or does it hang?` : null].filter(Boolean);
  return said.length ? el("p", { class: "note" }, "▲ ", said.join(" "), " ", location.hash.startsWith("#/pipeline") ? null : link("#/pipeline", "Which ones")) : null;
};

const VIEWS = {
  "": async (all) => {
    const asked = new URLSearchParams(location.hash.split("?")[1]), wanted = asked.get("find") || "";
    const find = el("input", { type: "search", "aria-label": "Find a model", placeholder: "Find a model", value: wanted, id: "find" });
    find.addEventListener("change", () => { location.hash = find.value ? `#/?find=${encodeURIComponent(find.value)}` : "#/"; });
    const open = all.incidents.filter((one) => one.status === "open"), shown = all.models, { found, models } = all.count;
    const over = all.incidents.length - open.length;
    return [wrong(all), el("h2", {}, `Open incidents (${open.length})`), open.length ? incidents(open) : el("p", { class: "soft" }, "None: no model has to be looked at now. ", over ? link("#/alerts", over === 1 ? "1 incident of the last 14 days is over" : `${over} incidents of the last 14 days are over`) : null),
      el("h2", {}, `Models (${models})`), find,
      shown.length ? table(["Model", "State", "#Incidents", "#Alerts", "#Events a minute", "Lately", "Behind", "Last event", "Series", "Limits"], shown.map((one) => [
        link(name(one.model), one.model), state(one.state), String(one.incidents), String(one.alerts), number(one.per_minute), spark(one.minutes), one.lag_ms === null ? "no" : lasting(one.lag_ms),
        one.newest_event ? el("span", { title: one.newest_event }, ago(all.now_ms - Date.parse(one.newest_event))) : "–",
        `${one.series.ready} known${one.series.warming ? `, ${one.series.warming} warming up` : ""}`, el("span", { title: TIERS }, tiersOf(one))]))
        : el("p", { class: "soft" }, wanted ? "No model of that name." : `No sign of life of any model yet: one comes ${beat(all)}.`),
      shown.length < found ? el("p", { class: "soft" }, `${found - shown.length} more, of which none is in a worse state. `, link(`#/?all&find=${encodeURIComponent(wanted)}`, "Show all")) : null];
  },
  alerts: async (all) => {
    return [el("h2", {}, "Incidents"), incidents(all.incidents), el("h2", {}, "Alerts"), alerts(all.alerts), all.hidden.alerts ? el("p", { class: "soft" }, `${number(all.hidden.alerts)} more than are listed here; the topic has them all.`) : null,
      all.said.length ? [el("h2", {}, "What people said, and what became of it"), table(["When", "State", "What"], all.said.map((one) => [
        time(one.time), state(one.status), el("div", { class: "sentence" }, one.sentence)]))] : null];
  },
  review: async (all) => {
    if (!all.asks) return [el("h2", {}, "Review"), el("p", { class: "soft" }, "Nobody is asked to look at events: the config has no review: {topic: ...}.")];
    const { waiting: items, answered } = await get("/api/review"), may = all.acts && all.acts.verdicts;
    const event = (one) => `${one.event.topic}[${one.event.partition}]@${one.event.offset}${one.event.id ? ` (${one.event.id})` : ""}`;
    return [el("h2", {}, `Review (${items.length})`), el("p", { class: "soft" }, `What nobody has answered yet, the newest first.${may ? " An answer counts once it is in the topic of verdicts, and none is taken back." : ""}`),
      items.length ? table(["Event", "Model", "Why", "Question", "Until", "Answer"], items.slice(0, ITEMS).map((one) => [
        event(one), link(name(one.model), one.model),
        one.reasons.join(", ") || ({ control: "drawn by chance", random: "drawn by chance", lowest: "among the least confident" })[one.kind] || one.kind, el("div", {}, one.question, Object.entries(one.values || {}).map(([key, value]) => el("div", { class: "soft" }, `${key} = ${value}`))), time(one.until),
        answering(all, one)])) : el("p", { class: "soft" }, "Nothing waits."),
      items.length > ITEMS ? el("p", { class: "soft" }, `${items.length - ITEMS} more come up as these are answered.`) : null,
      answered.length ? [el("h2", {}, "Answered"), table(["Event", "Model", "Question", "Answers"], answered.map((one) => [
        event(one), link(name(one.model), one.model), one.question, verdictsOf(one.verdicts, all)]))] : null];
  },
  model: async (all, model) => {
    const wanted = encodeURIComponent(model);
    const [{ lines: series, away, hours, recent, marks }, told] = await Promise.all([get(`/api/series?model=${wanted}`), get(`/api/performance?model=${wanted}`)]);
    const one = all.models.find((known) => known.model === model);
    if (!one) throw new Error("No sign of life of this model is known here.");
    const tiers = tiersOf(one);
    return [el("h2", {}, model, " ", state(one.state)),
      one.school_until ? el("p", { class: "note" }, "In school: daily and weekly patterns are being learned until ", time(one.school_until), "; alerts by then are provisional.") : null,
      el("dl", {}, ...[["Events", `${number(one.events)}, ${number(one.per_minute)} a minute`], ["Last event", time(one.newest_event)],
        ["Series", `${one.series.ready} known, ${one.series.warming} warming up`], ["Limits of series", el("span", {}, tiers, el("br"), tiers === GIVEN ? null : el("span", { class: "soft" }, TIERS))],
        ["Still in school", one.learning.length ? el("ul", {}, schooled(one.learning)) : null],
        ["Windows", Object.entries(one.windows).map(([ended, count]) => `${count} ${ended}`).join(", ") || "–"],
        ["Not watched", one.unwatched.map((u) => `${u.signal}: ${u.why}`).join("; ") || "nothing that the config asks for"],
      ].filter(([, said]) => said !== null).flatMap(([term, said]) => [el("dt", {}, term), el("dd", {}, said)])),
      el("h3", {}, "Alerts"), alerts(all.alerts.filter((a) => a.labels.model === model)),
      one.audit ? [el("h3", {}, "What people found"), el("p", {}, audited(one.audit))] : null,
      told.length ? [el("h3", {}, "How good the predictions were"), goodness(told)] : null,
      marks.length ? [el("h3", {}, "Deployed and changed"), happenings(marks)] : null,
      recent && recent.counts.length > 1 ? [el("h3", {}, "Events by 10 seconds, of two hours at most"), counted(recent, marks)] : null,
      hours && hours.counts.length > 1 ? [el("h3", {}, "Events by hour, of 14 days at most"), counted({ ...hours, step_ms: 3600000 }, marks)] : null,
      el("h3", {}, "Signals, as the detectors saw them"),
      series.length ? signals(series, timed(marks), away)
        : el("p", { class: "soft" }, all.windows ? (all.hidden.series ? "No window of it is kept here: there are too many series." : "No window has ended yet.") : "Windows are shown where the config publishes them: topics: {windows: drift-windows}.")];
  },
  incident: async (all, id) => {
    const one = await get(`/api/incident?id=${encodeURIComponent(id)}`), [first] = one.members;
    const most = first && await get(`/api/alert?id=${encodeURIComponent(first.episode)}`).catch(() => null); // It may be over, and no longer kept.
    const marks = one.marks.filter((mark) => near(mark, one)), over = one.status !== "open";
    return [el("h2", {}, state(one.status), " ", link(name(one.model), one.model)), el("p", { class: "sentence" }, one.sentence),
      el("dl", {}, ...[["Since", time(one.since)], ["Severity", one.severity], ["Alerts", `${one.alerts.open} of ${one.alerts.count} open`], ["Changed", time(one.changed.time)]]
        .flatMap(([term, said]) => [el("dt", {}, term), el("dd", {}, said)])),
      el("h3", {}, "When"), timeline(one.members, timed(marks)), marks.length ? happenings(marks, Date.parse(one.since)) : null,
      el("h3", {}, "What moved, the largest first"), table(["Since", "What moved", "Monitor", "Severity"], one.members.map((member) => [
        time(member.since), link(`#/alert/${encodeURIComponent(member.episode)}`, member.moved), member.monitor, member.severity])),
      one.members.some((member) => member.since < one.since) ? el("p", { class: "soft" }, "What is judged by windows began somewhere in its window: since is where that begins.") : null,
      one.alerts.count > one.members.length ? el("p", { class: "soft" }, `The first ${one.members.length} of ${one.alerts.count} are shown.`) : null,
      el("h3", {}, "Next"), over ? el("p", {}, "Nothing has to be done: it is over. If it comes again, begin here:") : null, el("ol", {}, [
        asking(one.marks, one.since),
        one.fleet ? "Other models began with it: look for what they share before looking at the model." : "No other model of its partition began with it.",
        most ? "Run the command below: it shows from the records how it happened." : "Open what moved most: its alert has the command that shows it happen again.",
      ].map((text) => el("li", {}, text))),
      most ? [el("h3", {}, "What moved most: ", link(`#/alert/${encodeURIComponent(first.episode)}`, first.monitor)), evidenceOf(all, most), replayOf(most)] : null,
      el("h3", {}, "What is not known"), el("p", {}, "Why it moved, and whether predictions became worse: only labels tell that."),
      acting(all, one.incident, one.members.map((member) => member.episode), one)];
  },
  alert: async (all, id) => {
    const one = await get(`/api/alert?id=${encodeURIComponent(id)}`);
    const evidence = one.evidence || {}, began = (evidence.onset || {}).time || (evidence.window || {}).from || (one.trigger || {}).time || one.changed.time;
    return [el("h2", {}, state(one.status), " ", link(name(one.labels.model || ""), one.labels.model || "")), el("p", { class: "sentence" }, one.sentence),
      one.provisional ? el("p", { class: "note" }, "Provisional: the model is still in school, its daily and weekly patterns are not known yet.") : null,
      evidenceOf(all, one),
      el("h3", {}, "Next"), el("ol", {}, nextOf(all, one, began, (one.replay || {}).command).map((text) => el("li", {}, text))),
      replayOf(one),
      acting(all, one.id, [one.id], one),
      el("details", {}, el("summary", {}, "The record"), el("pre", {}, el("code", {}, JSON.stringify(one, null, 2))))];
  },
  pipeline: async (all) => {
    const notes = all.notes || [], { stages, partitions, more, unknown } = all.pipeline;
    const odd = partitions.flatMap((one) => one.odd.map((field) => [place(one), field.field, field.reason, number(field.count)]));
    const fates = FATES.filter(([fate]) => fate !== "ordered" || partitions.some((one) => fate in one.account)); // Of one stage there is no order.
    const { letters = [], unknown: unseen } = all.pipeline.dead || {};
    return [el("h2", {}, "Pipeline"), notes.length ? notes.map((text) => el("p", { class: "note" }, text)) : el("p", {}, "Nothing is waited for."), wrong(all),
      el("h3", {}, "From input to outbox, a second, of the last 5 minutes"),
      stages.length ? [table(["Stage", "#Partitions", "#In", ...fates.map(([, head]) => `#${head}`), "#Windows", "#Alerts out"], stages.map((one) => [
        one.rates.ordered !== undefined ? "1: puts events in the order of their models" : stages.length > 1 ? "2: watches" : "watches", String(one.partitions),
        ...["in", ...fates.map(([fate]) => fate), "windows", "told"].map((what) => rate(one.rates[what]))])),
      el("p", { class: "soft" }, "What comes in is one of the columns up to dead letters, and only that. Windows: that have ended. Alerts out: records of alerts and incidents.")]
        : el("p", { class: "soft" }, `Known after two signs of life: one comes ${beat(all)}.`),
      el("h3", {}, "Partitions"), unknown ? el("p", { class: "note" }, `Lag and snapshots are not known: ${unknown}`) : null,
      partitions.length ? table(["Partition", "Read", "#In a second", "#Lag", "Snapshot", "#Offset", ...fates.map(([, head]) => `#${head}`), "Heard"], partitions.map((one) => [
        place(one), READ[one.state], rate((one.rates || {}).in), number(one.lag), snapshotOf(one), number(one.offset),
        ...fates.map(([fate]) => number(one.account[fate])), one.time_ms ? ago(all.now_ms - one.time_ms) : "never"])) : el("p", { class: "soft" }, "No sign of life yet."),
      more ? el("p", { class: "soft" }, `${more} more, with which nothing worse is the matter.`) : null,
      el("p", { class: "soft" }, "Lag: records behind what is committed. Snapshot: how old it is at most, and how many records a restart reads again."),
      el("h3", {}, "The newest dead letters"), unseen ? el("p", { class: "note" }, `They cannot be read: ${unseen}`) : null,
      letters.length ? [table(["When", "Record", "Why", "What it is made of"], letters.map((one) => [
        time(one.time), `${one.topic}[${one.partition}]@${one.offset}`, el("div", { class: "sentence" }, el("strong", {}, one.reason), `: ${one.says}${one.detail ? ` (${one.detail})` : ""}`), el("div", { class: "sentence" }, one.made_of)])),
      el("p", { class: "soft" }, "No value is shown. The whole record is in the topic of dead letters (topics.dead_letter); with its place, driftline explain -c FILE --topic TOPIC --from OFFSET --record 1 says field by field what became of it.")] : unseen ? null : el("p", { class: "soft" }, "None."),
      el("h3", {}, "Fields that could not be used"), odd.length ? table(["Partition", "Field", "Why", "#Events"], odd) : el("p", { class: "soft" }, "None.")];
  },
  config: async (all) => {
    const { says, parts } = all.budget, { models: learning, count } = all.school;
    const each = (one) => (one.series === null ? "shared by those that live" : number(one.a_week / one.series));
    return [el("h2", {}, "Config"), el("p", { class: "soft" }, `hash ${all.config_hash}, version ${all.service}`),
      (all.notes || []).filter((text) => text.startsWith("config: ")).map((text) => el("p", { class: "note" }, text)),
      el("h3", {}, "References"), el("p", {}, all.references),
      el("h3", {}, "School"), learning.length ? [table(["Model", "Until", "Limits"], learning.map((one) => [link(name(one.model), one.model), time(one.school_until), tiersOf(one)])),
        el("p", { class: "soft" }, `${count > learning.length ? `${count - learning.length} more. ` : ""}By then daily and weekly patterns are learned; until then only gross faults are told.`)] : el("p", { class: "soft" }, "No model is in school."),
      el("h3", {}, "Budget of false alarms"), says.map((text) => el("p", {}, text)),
      parts.length ? table(["Monitor", "Detector", "#False alarms a week of a model", "#Of each series"], parts.map((one) => [one.monitor, one.kind, number(one.a_week), each(one)])) : null,
      el("h3", {}, "The file, with all defaults"), el("pre", {}, el("code", {}, all.config))];
  },
};

// What is there is kept, and only what differs is changed: less is laid out anew, and who types, reads or has opened
// something is not disturbed. Forms stand where they were made.
const renew = (old, made) => {
  let there = old.firstChild;
  for (const one of made) {
    const fresh = one.nodeType ? (one.dataset && forms.get(one.dataset.form)) || filled(one) : document.createTextNode(one);
    while (fresh.parentNode === old && there !== fresh) { const gone = there; there = there.nextSibling; gone.remove(); }
    if (there && there.nodeName !== fresh.nodeName) {
      let later = there.nextSibling;
      while (later && !later.isEqualNode(fresh)) later = later.nextSibling;
      while (later && there !== later) { const gone = there; there = there.nextSibling; gone.remove(); }
    }
    const next = there && there.nextSibling;
    if (!there) old.append(fresh);
    else if (there === fresh || there.isEqualNode(fresh)) { /* as it is */ }
    else if (there.nodeType === 3 && fresh.nodeType === 3) there.data = fresh.data;
    else if (there.nodeName !== fresh.nodeName) { old.insertBefore(fresh, there); continue; } // What is left goes at the end.
    else if (FRESH.includes(there.nodeName) || there.className === "act") there.replaceWith(fresh);
    else {
      for (const { name } of [...there.attributes]) if (!fresh.hasAttribute(name) && name !== "open") there.removeAttribute(name);
      for (const { name, value } of fresh.attributes) if (there.getAttribute(name) !== value) there.setAttribute(name, value);
      renew(there, [...fresh.childNodes]);
    }
    there = next;
  }
  while (there) { const next = there.nextSibling; there.remove(); there = next; }
};
// With its forms, but for those that are shown already: these stay where they are until their place is looked at.
const filled = (made) => {
  if (forms.size && made.querySelectorAll) made.querySelectorAll("[data-form]").forEach((place) => { if (!forms.get(place.dataset.form).isConnected) place.replaceWith(forms.get(place.dataset.form)); });
  return made;
};
const FRESH = ["BUTTON", "FORM"]; // What they do hangs on what they were made of.

const draw = async () => {
  const [first, ...rest] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/"), view = Object.hasOwn(VIEWS, first) ? first : "";
  for (const one of document.querySelectorAll("nav a")) {
    const here = one.getAttribute("href") === `#/${view}`;
    if (here) one.setAttribute("aria-current", "page"); else one.removeAttribute("aria-current");
  }
  try {
    const about = decodeURIComponent(rest.join("/"));
    const asked = Object.fromEntries(new URLSearchParams(view ? "" : location.hash.split("?")[1]));
    const all = await get(`/api/overview?${new URLSearchParams(view === "model" ? { model: about } : { view, ...asked })}`);
    const made = (await VIEWS[view](all, about)).flat(Infinity).filter(Boolean);
    status.textContent = all.waits ? `Waiting: ${all.waits}` : `as of ${new Date(all.now_ms).toISOString().slice(11, 19)} UTC`;
    became(all.said);
    if (drawn !== location.hash) main.replaceChildren();
    renew(main, made);
    drawn = location.hash;
    document.title = all.incidents.some((one) => one.status === "open") ? "◆ Driftline" : "Driftline";
  } catch (error) {
    status.textContent = "";
    if (error.message === LOGIN) {
      if (!document.getElementById("token")) main.replaceChildren(login());
    } else main.replaceChildren(el("p", { class: "note" }, error.message || "The service does not answer."));
    drawn = null;
  }
};

let last = 0, waiting = null;
const soon = () => {
  if (waiting === null && !document.hidden) waiting = setTimeout(() => { waiting = null; last = Date.now(); draw(); }, Math.max(0, last + LEAST_MS - Date.now()));
};
// It leads to what is shown, which is no address of a view.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
window.addEventListener("hashchange", () => { main.focus(); draw(); });
document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key === "/" && find && document.activeElement !== find) { event.preventDefault(); find.focus(); }
});
// A browser has six connections to a host: a page that nobody looks at must not hold one. The stream comes back by
// itself when it breaks, and says which it heard last.
let stream = null;
const listen = (seen) => {
  if (!seen && stream !== null) { stream.close(); stream = null; }
  if (seen && stream === null) { stream = new EventSource("/api/changes"); stream.onmessage = soon; soon(); }
};
document.addEventListener("visibilitychange", () => listen(!document.hidden));
window.addEventListener("pagehide", () => listen(false));
window.addEventListener("pageshow", () => listen(!document.hidden));
setInterval(soon, AGAIN_MS);
