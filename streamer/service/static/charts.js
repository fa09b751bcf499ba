"use strict";
// Charts: plain SVG of what the detectors saw. Each says in its title and caption what its colours and marks say.

const path = (points, x, y) => points.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join("");
const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

const spark = (values) => {
  if (values.length < 2) return el("span", { class: "soft" }, "–");
  const x = scale(0, values.length - 1, 1, 119), y = scale(0, Math.max(...values), 23, 2);
  const title = svg("title");
  title.textContent = `from ${number(values[0])} to ${number(values.at(-1))} events a minute`;
  return svg("svg", { class: "spark", width: 120, height: 24, role: "img" }, title, svg("path", { d: path(values.map((v, i) => [i, v]), x, y) }));
};

const day = (at) => new Date(at).toISOString().slice(5, 16).replace("T", " ");
// Of a stretch of time an end: with seconds where it is short, or less, so that both ends differ.
const stamp = (at, span) => (span < 600000 ? new Date(at).toISOString().slice(11, span < 2000 ? 23 : 19) : day(at));
// As wide as there is room: letters in a chart are as large as beside it.
const room = (most) => Math.max(280, Math.min(most, main.clientWidth - 44));
const words = (made, text) => { made.textContent = text; return made; };

// Moments with their word; right of `turn` it stands before its line.
const marked = (marks, x, turn) => marks.flatMap((mark, i) => {
  const at = x(mark.at), left = at > turn;
  return [svg("path", { class: "mark", d: `M${at.toFixed(1)} 4V86` }),
    words(svg("text", { x: (at + (left ? -3 : 3)).toFixed(1), y: 12 + 11 * (i % 7), "text-anchor": left ? "end" : "start" }), mark.word)];
});

// A series as its detector saw it: value, what was expected or the limit, and a mark on each window that was too far
// away. `marks`: moments with their word, such as when it began. `range`: the lowest and the highest value of charts that
// are to be compared. `away`: times that the calendar has, in which nothing is judged.
const chart = (line, marks = [], range = null, away = []) => {
  const points = line.points.map(([to, value, expected, limit, breach]) => ({ at: Date.parse(to), value, expected, limit, breach }));
  const known = points.filter((p) => p.expected !== null && p.expected !== undefined);
  const values = points.flatMap((p) => [p.value, p.expected]).filter((v) => v !== null && v !== undefined);
  const limited = known.length ? [] : points.filter((p) => p.limit !== null); // Where a value is expected the limit is no value.
  const all = limited.length && Math.max(...limited.map((p) => p.limit)) < 4 * Math.max(...values) ? [...values, ...limited.map((p) => p.limit)] : values;
  const x = scale(points[0].at, points.at(-1).at, 4, 296), y = scale(...(range || [Math.min(...all), Math.max(...all)]), 84, 8);
  const odd = points.filter((p) => p.breach), span = points.at(-1).at - points[0].at;
  const title = words(svg("title"), `${line.signal}: ${points.length} windows, ${odd.length} beyond the limit, last ${number(points.at(-1).value)}`);
  const low = words(svg("text", { x: 4, y: 98 }), stamp(points[0].at, span)), high = words(svg("text", { x: 296, y: 98, "text-anchor": "end" }), stamp(points.at(-1).at, span));
  const inside = marks.filter((mark) => mark.at >= points[0].at && mark.at <= points.at(-1).at);
  return el("figure", {}, svg("svg", { class: "chart", viewBox: "0 0 300 102", role: "img" }, title,
    ...away.map(([begin, end]) => [Math.max(begin, points[0].at), Math.min(end, points.at(-1).at)]).filter(([begin, end]) => begin < end)
      .map(([begin, end]) => svg("rect", { class: "away", x: x(begin).toFixed(1), y: 4, width: Math.max(1, x(end) - x(begin)).toFixed(1), height: 82 })),
    svg("path", { class: "expected", d: path(known.map((p) => [p.at, p.expected]), x, y) }),
    ...(all === values ? [] : [svg("path", { class: "limit", d: path(limited.map((p) => [p.at, p.limit]), x, y) })]),
    svg("path", { class: "value", d: path(points.map((p) => [p.at, p.value]), x, y) }),
    ...odd.map((p) => svg("circle", { cx: x(p.at).toFixed(1), cy: y(p.value).toFixed(1), r: 3.5 })), ...marked(inside, x, 190), low, high),
  el("figcaption", {}, `${range ? line.group || "all" : `${line.monitor}: ${line.signal}${line.group ? ` (${line.group})` : ""}`}, now ${number(points.at(-1).value)}, from ${number(Math.min(...all))} to ${number(Math.max(...all))}`));
};

// Where values lay before and after: the mean, and one spread to both sides.
const ranges = (before, after) => {
  const rows = [["before", before], ["after", after]].filter(([, told]) => told && told.std !== null && told.std !== undefined);
  if (rows.length < 2) return null;
  const ends = rows.flatMap(([, told]) => [told.mean - told.std, told.mean + told.std]);
  const wide = room(520), x = scale(Math.min(...ends), Math.max(...ends), 56, wide - 64);
  const title = words(svg("title"), rows.map(([word, told]) => `${word}: ${number(told.mean)}, spread ${number(told.std)}`).join("; "));
  return el("figure", { class: "ranges" }, svg("svg", { viewBox: `0 0 ${wide} 58`, role: "img" }, title, ...rows.flatMap(([word, told], i) => [
    words(svg("text", { x: 0, y: 20 + 26 * i }), word), svg("rect", { x: x(told.mean - told.std).toFixed(1), y: 8 + 26 * i, width: Math.max(2, x(told.mean + told.std) - x(told.mean - told.std)).toFixed(1), height: 16, class: word }),
    svg("path", { class: "middle", d: `M${x(told.mean).toFixed(1)} ${5 + 26 * i}v22` }), words(svg("text", { x: wide, y: 20 + 26 * i, "text-anchor": "end" }), number(told.mean))])),
  el("figcaption", {}, "Mean, and one spread to both sides."));
};
// The bins or members that moved most, with their share before and after.
const moved = (list) => (list && list.length ? el("figure", { class: "ranges" }, el("table", {}, el("thead", {}, el("tr", {}, ["Where", "Before", "After"].map((head) => el("th", { scope: "col" }, head)))),
  el("tbody", {}, list.map((one) => el("tr", {}, el("td", {}, String(one.bin)), ...["before", "after"].map((side) => el("td", {},
    svg("svg", { class: "share", width: 120, height: 12, "aria-hidden": true }, svg("rect", { width: (120 * one[side]).toFixed(1), height: 12, class: side })), ` ${(100 * one[side]).toFixed(1)} %`))))))) : null);
// When each alert of an incident began (a line from there) and was found (a dot), and what was deployed about then.
const timeline = (members, marks) => {
  const times = [...members.flatMap((one) => [Date.parse(one.since), Date.parse(one.trigger.time)]), ...marks.map((mark) => mark.at)];
  const wide = room(700), left = Math.round(0.32 * wide), [first, last] = [Math.min(...times), Math.max(...times)];
  const x = scale(first, last, left, wide - 10), height = 24 * members.length + 22 + 12 * marks.length;
  const title = words(svg("title"), "When each alert began and was found");
  return el("figure", { class: "timeline" }, svg("svg", { viewBox: `0 0 ${wide} ${height}`, role: "img" }, title, ...members.flatMap((one, i) => {
    const [began, found] = [Date.parse(one.since), Date.parse(one.trigger.time)], y = 14 + 24 * i;
    return [words(svg("text", { x: 0, y: y + 4 }), one.monitor.slice(0, Math.floor(left / 6.6))), svg("path", { class: "span", d: `M${x(began).toFixed(1)} ${y}H${x(found).toFixed(1)}` }),
      svg("circle", { cx: x(began).toFixed(1), cy: y, r: 3, class: "began" }), svg("circle", { cx: x(found).toFixed(1), cy: y, r: 4.5 })];
  }), ...marks.flatMap((mark, i) => [svg("path", { class: "mark", d: `M${x(mark.at).toFixed(1)} 2V${height - 16}` }),
    words(svg("text", { x: (x(mark.at) + (x(mark.at) > 0.7 * wide ? -3 : 3)).toFixed(1), y: 24 * members.length + 10 + 12 * i, "text-anchor": x(mark.at) > 0.7 * wide ? "end" : "start" }), mark.word)]),
  words(svg("text", { x: left, y: height - 2 }), stamp(first, last - first)), words(svg("text", { x: wide - 10, y: height - 2, "text-anchor": "end" }), stamp(last, last - first))),
  el("figcaption", {}, `From where it began (small) to where it was found.${marks.length ? " Dotted: what was deployed or changed." : ""}`));
};

// The bins of the newest window (filled) and of the reference (outlined): the same form where nothing moved.
const bars = (told) => {
  if (!told) return null;
  const count = told.bins.length, top = Math.max(...told.before, ...told.after), step = 292 / count;
  const y = scale(0, top, 84, 6), most = told.bins.map((_, i) => i).sort((i, j) => Math.abs(told.after[j] - told.before[j]) - Math.abs(told.after[i] - told.before[i]))[0];
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const bar = (share, i, side, from, wide) => svg("rect", { class: side, x: (4 + i * step + from * step).toFixed(1), y: y(share).toFixed(1), width: Math.max(1, wide * step).toFixed(1), height: (84 - y(share)).toFixed(1) });
  const title = words(svg("title"), told.bins.map((bin, i) => `${bin}: ${percent(told.before[i])} before, ${percent(told.after[i])} now`).join("; "));
  return el("figure", {}, svg("svg", { class: "chart bars", viewBox: "0 0 300 102", role: "img" }, title,
    ...told.bins.flatMap((_, i) => [bar(told.after[i], i, "now", 0.14, 0.72), bar(told.before[i], i, "then", 0.04, 0.92)]),
    svg("path", { class: "base", d: "M2 84H298" }), words(svg("text", { x: 4, y: 98 }), told.bins[0].slice(0, 24)),
    ...(count > 1 ? [words(svg("text", { x: 296, y: 98, "text-anchor": "end" }), told.bins.at(-1).slice(0, 24))] : [])),
  el("figcaption", {}, `Share of each bin: outlined in the reference, filled in the window to ${day(told.to)}. Most moved ${told.bins[most]}: ${percent(told.before[most])} to ${percent(told.after[most])}.`));
};
// Series of one signal beside each other on one scale: segments, versions, callers. At most so many, those with the most
// windows beyond their limit first.
const SMALL = 24;
const multiples = (lines, marks, away) => {
  const values = lines.flatMap((line) => line.points.flatMap((p) => [p[1], p[2]])).filter((v) => v !== null && v !== undefined);
  const odd = (line) => line.points.filter((p) => p[4]).length, range = [Math.min(...values), Math.max(...values)];
  const shown = [...lines].sort((a, b) => odd(b) - odd(a) || a.group.localeCompare(b.group)).slice(0, SMALL);
  return [el("h4", {}, `${lines[0].monitor}: ${lines[0].signal}, ${lines.length} side by side on one scale`),
    el("div", { class: "charts small" }, shown.map((line) => chart(line, [...marks, ...begins(line)], range, away))),
    shown.length < lines.length ? el("p", { class: "soft" }, `${lines.length - shown.length} more, of which none was beyond its limit more often.`) : null];
};
// Where what alerts tell of began in a series.
const begins = (line) => line.began.slice(-MARKS).map((at) => ({ at: Date.parse(at), word: "▲ alert" }));
const MARKS = 5; // In one chart, the newest: words over words say nothing.
// All series of a model: those that stand alone, then those that are to be compared.
const signals = (series, marks, away) => {
  const sets = new Map();
  for (const line of series) sets.set(`${line.monitor} ${line.signal}`, [...(sets.get(`${line.monitor} ${line.signal}`) || []), line]);
  const alone = [...sets.values()].filter((set) => set.length === 1).flat().sort((a, b) => !a.histogram - !b.histogram), several = [...sets.values()].filter((set) => set.length > 1);
  return [el("div", { class: "charts" }, alone.map((line) => el("div", {}, chart(line, [...marks, ...begins(line)], null, away), bars(line.histogram)))), several.map((set) => multiples(set, marks, away)),
    away.length ? el("p", { class: "soft" }, "Bands between dotted edges: days and maintenance of the calendar, in which nothing is judged.") : null];
};
// Events of each step, an hour or ten seconds; the last one ends at `to_ms`.
const counted = ({ to_ms, counts, step_ms }, marks) => {
  const from = to_ms - step_ms * counts.length, span = to_ms - from, all = room(700), x = scale(from, to_ms, 4, all - 4), y = scale(0, Math.max(...counts, 1), 84, 6), wide = Math.max(0.6, (all - 8) / counts.length - (counts.length > 100 ? 0 : 0.5));
  const each = step_ms === 3600000 ? "an hour" : "10 s", most = number(Math.max(...counts)), last = number(counts.at(-1));
  const title = words(svg("title"), `${day(from)} to ${day(to_ms)}: at most ${most} events in ${each}, at least ${number(Math.min(...counts))}`);
  return el("figure", { class: "hours" }, svg("svg", { class: "chart bars", viewBox: `0 0 ${all} 102`, role: "img" }, title,
    svg("path", { class: "now", d: counts.map((count, i) => (count ? `M${x(from + i * step_ms).toFixed(1)} 84V${y(count).toFixed(1)}h${wide.toFixed(1)}V84z` : "")).join("") }), svg("path", { class: "base", d: `M2 84H${all - 2}` }),
    ...marked(timed(marks).filter((mark) => mark.at >= from && mark.at <= to_ms), x, 0.7 * all),
    words(svg("text", { x: 4, y: 98 }), stamp(from, span)), words(svg("text", { x: all - 4, y: 98, "text-anchor": "end" }), stamp(to_ms, span))),
  el("figcaption", {}, `At most ${most} in ${each}, the last ${last}.`));
};
