"use strict";
// What somebody does on the page: each form is made once and put back at every drawing, so that nothing typed is lost.
// What became of a command is said when the service has said it on the alerts topic, and not before.

const LOGIN = "A token is asked for.";
const LASTS = { "30m": "30 minutes", "4h": "4 hours", "1d": "1 day", "7d": "7 days" };
const LEARN = {
  off: "It is written down, and changes nothing: false_alarms.learn is off.",
  propose: "It changes nothing by itself: when enough people say so, a higher threshold is proposed (driftline learn show).",
  apply: "When enough people say so, this monitor is told of from a higher threshold on; driftline learn undo takes that back.",
};
// What is to be done, in a word, what it changes, and when it is no choice.
const CHOICES = [
  ["ack", "Acknowledge", "Somebody is on it. It is told at once with your name and reason, and so on until it is over or gets twice as bad. Nobody is told less.", (one) => one.acknowledged],
  ["unack", "Take back that somebody is on it", "It is told at once without a name again.", (one) => !one.acknowledged],
  ["mute", "Mute", "Nobody is told of alerts like this one (same monitor and labels) for so long, by the clock of the model's events. What still holds then is told then. Watching goes on.", () => false],
  ["unmute", "End a mute", "Ends mutes of exactly this, at once; what holds is told.", () => false],
  ["accept", "Accept as the new normal", "Where the series is now is the normal from here on: the alert is over at once, for everybody, and cannot come back for this change. Only for changes of a level; a limit has none.", () => false],
];
const JUDGED = [["useful", "It was of use"], ["not_useful", "It was of no use"]];
const forms = new Map(); // by what they are about
const abouts = new Map(); // likewise which alerts these are now: an incident may have grown since its form was made
const waits = new Map(); // by the id of a command the line that its answer goes into

const post = async (path, body) => {
  const answer = await fetch(path, { method: "POST", headers: { "X-Driftline": "page" }, body });
  const text = await answer.text();
  const told = text.startsWith("{") ? JSON.parse(text) : { error: text.trim() };
  if (!answer.ok) throw new Error(told.error || `The service answers ${answer.status}.`);
  return told;
};
const who = () => sessionStorage.getItem("who") || "";
const field = (label, input) => el("label", { class: "field" }, label, " ", input);
const choice = (group, value, label, words) => el("label", { class: "choice" },
  el("input", { type: "radio", name: group, value, required: "" }), el("span", {}, el("strong", {}, label), words ? el("br") : null, words));

// A place for a form, which stays the same over drawings.
const placed = (key, make) => {
  if (!forms.has(key)) forms.set(key, make());
  return el("div", { "data-form": key });
};

const became = (said) => {
  for (const one of said) if (waits.has(one.id)) {
    waits.get(one.id).textContent = `${WORDS[one.status] || one.status}: ${one.sentence}`;
    waits.delete(one.id);
  }
};
const send = async (given, out) => {
  const line = el("p", {}, "○ being written …");
  out.append(line);
  try {
    const told = await post("/api/act", JSON.stringify(given));
    line.textContent = told.id ? `○ written as ${told.where}; waiting for what the service says` : `● written as ${told.where}`;
    if (told.id) waits.set(told.id, line);
  } catch (error) { line.textContent = `▲ not done: ${error.message}`; }
};
const submitting = (form, out, given) => form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = Object.fromEntries(new FormData(form)), button = form.querySelector("button");
  sessionStorage.setItem("who", told.by);
  out.replaceChildren();
  button.disabled = true;
  for (const one of given(told)) await send(one, out);
  button.disabled = false;
  button.focus();
});
const box = (out, title, inside, button, given) => {
  const form = el("form", {}, inside, el("div", { class: "fields" }, field("Who you are", el("input", { name: "by", required: "", maxlength: 100, autocomplete: "username", value: who() })), button[0]), el("button", {}, button[1]));
  submitting(form, out, given);
  return el("details", { class: "act" }, el("summary", {}, title), form);
};
const told = (key, common) => abouts.get(key).map((alert) => ({ ...common, alert }));
const boxed = (key, out, title, ...rest) => {
  const place = placed(key, () => box(out, title, ...rest));
  forms.get(key).querySelector("summary").textContent = title;
  return place;
};

// Of an alert, or of all alerts of an incident.
const acting = (all, key, ids, one) => {
  const may = all.acts || {}, many = ids.length > 1 ? ` (${ids.length} alerts)` : "";
  const over = !["firing", "open"].includes(one.status);
  // What became of it stands below the forms, which change with it.
  abouts.set(key, ids);
  const made = [], said = placed(`${key} out`, () => el("div", { class: "out", role: "status" })), out = forms.get(`${key} out`);
  if (may.commands && !over) made.push(boxed(`${key} ${one.acknowledged ? "known" : ""}`, out, `Say what is to become of it${many}`,
    el("fieldset", {}, el("legend", {}, "What is to be done; it begins once the command is in the log of events"), CHOICES.filter(([, , , no]) => !no(one)).map(([value, label, words]) => choice("do", value, label, words)),
      field("Mute for", el("select", { name: "for" }, Object.entries(LASTS).map(([value, label]) => el("option", { value, selected: value === "4h" ? "" : null }, label))))),
    [field("Why", el("input", { name: "why", required: "", maxlength: 500, size: 40 })), "Do it"],
    (said) => { if (said.do !== "mute") delete said.for; return told(key, said); }));
  if (may.verdicts) made.push(boxed(`${key} verdict`, out, `Say whether it was of use${many}`,
    el("fieldset", {}, el("legend", {}, LEARN[all.learn] || LEARN.off), JUDGED.map(([value, label]) => choice("do", value, label)),
      field("Why it was of no use", el("select", { name: "reason" }, el("option", { value: "" }, "–"), Object.entries(may.reasons).map(([value, label]) => el("option", { value }, label))))),
    ["", "Say so"], (said) => told(key, said)));
  if (made.length) return [el("h3", {}, "What can be done"), made, said];
  if (!all.control || over) return null;
  return [el("h3", {}, "Say what is to become of it"), el("p", { class: "soft" }, "Buttons come with server.control: true. By hand:"), el("pre", {}, el("code", {}, [
    ["ack", "somebody looks at it"], ["mute", "nobody is told for a while: --for 2h"], ["accept", "where it is now is the normal"]]
    .map(([verb, what]) => `driftline alerts ${verb} ${ids[0]} -c FILE --by YOU --why "..."   # ${what}`).join("\n")))];
};

// Of an item of the review queue: one line of buttons, which go once the answer is in its topic.
const answering = (all, one) => {
  if (!(all.acts && all.acts.verdicts)) return el("code", {}, `driftline review answer -c FILE ${one.review_id} right --reviewer YOU`);
  return placed(one.review_id, () => {
    const out = el("div", { class: "out", role: "status" });
    const by = el("input", { name: "by", required: "", size: 10, maxlength: 100, placeholder: "who you are", "aria-label": "Who you are", value: who() });
    const form = el("form", { class: "answer" }, by, ["right", "wrong", "unsure"].map((word) => el("button", { name: "do", value: word }, word)), out);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      sessionStorage.setItem("who", by.value);
      for (const other of document.querySelectorAll("form.answer input")) other.value = other.value || by.value;
      out.replaceChildren();
      await send({ do: event.submitter.value, by: by.value, item: one.review_id }, out);
    });
    return form;
  });
};

const login = () => {
  const out = el("p", { class: "out", role: "status" }), token = el("input", { type: "password", id: "token", autocomplete: "current-password", required: "" });
  const form = el("form", {}, el("h2", {}, "Log in"), field("Token (server.token)", token), el("button", {}, "Log in"), out);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try { await post("/api/login", token.value); location.reload(); } catch (error) { out.textContent = `▲ ${error.message}`; }
  });
  return form;
};
