// SPDX-License-Identifier: Apache-2.0
/*
 * Draws the page's data (flamegraph.h says what it is) on a canvas: only what can be seen is drawn,
 * so that the size of the profile costs nothing but memory. Nodes stand in preorder, each before
 * its children; end[i] is the first node that is not below i. Names are only ever drawn or put into
 * text nodes, never parsed.
 */
'use strict';

(() => {

const ROW = 18;			/* height of a frame, pixels */
const MIN_WIDTH = 0.5;		/* narrower frames, and what is below them, are left out */
const SELECTED_WIDTH = 4;	/* the keyboard reaches narrower frames by zooming to callers */
const HUES = [28, 208, 140, 275, 52, 175, 330];	/* of the mappings, the heaviest first */
const FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const SEARCH_LIMIT_MS = 3000;	/* regular expressions that take longer may take forever */

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId('data').textContent);
const nodes = data.frame.length;
const types = data.types.length;
const canvas = byId('canvas');
const context = canvas.getContext('2d');
const picture = document.createElement('canvas').getContext('2d');	/* all but the outlines */
const chart = byId('chart');
const tip = byId('tip');
const dark = matchMedia('(prefers-color-scheme: dark)');

const parent = new Int32Array(nodes);
const end = new Int32Array(nodes);

let view = null;		/* what is drawn: see layout() */
let value = data.value;		/* index of the value type */
let asShares = false;
let flipped = false;		/* the root at the bottom */
let zoomed = 0;			/* node that takes the whole width */
let selected = -1;		/* node that the keyboard is at */
let hovered = -1;		/* node under the pointer */
let matches = null;		/* by frame: 1 where the search matched; null: no search */
let searcher = null;		/* worker that looks for a regular expression; null: none does */
let searchTimer = 0;		/* ends it */
let scheduled = false;		/* whether draw() will be called */
let stale = true;		/* whether the picture has to be drawn again */
let isDark = dark.matches;

/* Frames */

/* Control characters, and those that turn text around: a name could look like another by them */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function shown(text)
{
	return text.replace(UNSEEN, '\ufffd');
}

const strings = data.strings.map(shown);
const frames = [];

for (let i = 0; i < data.frames.length; i += 5) {
	const [name, file, mapping, first, last] = data.frames.slice(i, i + 5);

	frames.push({
		name: strings[name], file: strings[file], mapping: strings[mapping],
		strings: [name, file, mapping],	/* what a search looks at */
		lines: !first ? '' : first === last ? `:${first}` : `:${first}-${last}`,
		color: '',
	});
}

function nameOf(node)
{
	return node ? frames[data.frame[node]].name : 'all';
}

function findRelations()
{
	const path = [];

	for (let i = 0; i < nodes; i++) {
		const depth = data.depth[i];

		for (let d = depth; d < path.length; d++)
			end[path[d]] = i;
		path.length = depth;
		parent[i] = depth ? path[depth - 1] : 0;
		path.push(i);
	}
	for (const i of path)
		end[i] = nodes;
}

/* Sums: of each node and all below it, by column of data.self; made when first asked for */

const sums = [];

function sumOf(column)
{
	if (!sums[column]) {
		const sum = Float64Array.from(data.self[column]);

		for (let i = nodes - 1; i > 0; i--)
			sum[parent[i]] += sum[i];
		sums[column] = sum;
	}
	return sums[column];
}

const after = (type) => sumOf(data.diff ? types + type : type);
const before = (type) => sumOf(type);

/* What values of the first profile are multiplied by */
function scaleBefore(type)
{
	const a = after(type)[0], b = before(type)[0];

	return asShares && a && b ? a / b : 1;
}

/* A node's own width: the larger side, so that what came and what went can both be seen */
function ownWidths()
{
	const own = Float64Array.from(data.self[data.diff ? types + value : value]);

	if (data.diff) {
		const scale = scaleBefore(value), other = data.self[value];

		for (let i = 0; i < nodes; i++)
			own[i] = Math.max(own[i], other[i] * scale);
	}
	return own;
}

/* Widths and places in the values' unit; they depend on the value type only */
function layout()
{
	const width = ownWidths(), left = new Float64Array(nodes), next = new Float64Array(nodes);

	for (let i = nodes - 1; i > 0; i--)
		width[parent[i]] += width[i];
	for (let i = 1; i < nodes; i++) {
		left[i] = next[parent[i]];
		next[parent[i]] += width[i];
		next[i] = left[i];
	}
	view = {
		width, left, rows: 1, after: after(value), before: data.diff ? before(value) : null,
		scale: data.diff ? scaleBefore(value) : 1,
	};
}

/* Text */

const TIMES = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];
const SIZES = [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [1024, 'KiB'], [1, 'B']];

/* Numbers of that size are not exact any more, and too long to be read */
const LONG = 1e15;

function plain(n, digits)
{
	if (Math.abs(n) >= LONG)
		return n.toExponential(3);
	return n.toLocaleString('en-US', { maximumFractionDigits: digits });
}

function scaled(n, steps)
{
	const [size, unit] = steps.find(([s]) => Math.abs(n) >= s) ?? steps[steps.length - 1];

	return `${plain(n / size, 2)} ${unit}`;
}

function formatValue(n, unit)
{
	if (unit === 'nanoseconds')
		return scaled(n, TIMES);
	if (unit === 'bytes')
		return scaled(n, SIZES);
	return plain(n, 0) + (unit === 'count' ? '' : ` ${shown(unit)}`);
}

function percent(part, of)
{
	return of ? `${(100 * part / of).toFixed(2)}%` : '-';
}

function signed(text, n)
{
	return n > 0 ? `+${text}` : text;
}

/* Colors */

function hash(text)
{
	let h = 2166136261;

	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 16777619);
	return h >>> 0;
}

const hsl = (h, s, l) => `hsl(${h} ${s}% ${l}%)`;

function frameColor(hue, name)
{
	const h = hash(name), shade = h % 12, turn = (h >>> 8) % 21 - 10;

	if (hue < 0)
		return isDark ? hsl(220, 8, 30 + shade) : hsl(220, 10, 74 + shade);
	return isDark ? hsl(hue + turn, 40, 21 + shade) : hsl(hue + turn, 66, 68 + shade);
}

/* Mappings by what was sampled in them, for the colors and the legend */
function weighMappings()
{
	const weights = new Map();
	const self = data.self[data.diff ? types + data.value : data.value];

	for (let i = 1; i < nodes; i++) {
		const mapping = frames[data.frame[i]].mapping;

		weights.set(mapping, (weights.get(mapping) || 0) + self[i]);
	}
	return [...weights].filter(([mapping]) => mapping)
		.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([mapping]) => mapping);
}

/* Without any mapping the names' own colors are all there is */
function colorFrames(mappings)
{
	const hues = new Map(HUES.map((hue, i) => [mappings[i], hue]));

	for (const frame of frames) {
		const other = mappings.length ? -1 : 20 + hash(frame.name) % 40;

		frame.color = frameColor(hues.get(frame.mapping) ?? other, frame.name);
	}
}

/* -1 .. 1: everything went, everything is new */
function change(node)
{
	const a = view.after[node], b = view.before[node] * view.scale;

	return Math.max(a, b) ? (a - b) / Math.max(a, b) : 0;
}

function changeColor(c)
{
	const strength = Math.round(Math.min(1, Math.abs(c)) * 10) / 10;
	const hue = c > 0 ? 8 : 212;

	if (!strength)
		return isDark ? hsl(220, 4, 34) : hsl(220, 6, 88);
	return isDark ? hsl(hue, 20 + 45 * strength, 34 + 8 * strength)
		: hsl(hue, 55 + 35 * strength, 88 - 20 * strength);
}

function colorOf(node)
{
	if (matches) {
		if (node && matches[data.frame[node]])
			return isDark ? hsl(300, 60, 45) : hsl(300, 85, 78);
		return isDark ? hsl(220, 6, 26) : hsl(220, 8, 90);
	}
	if (data.diff)
		return changeColor(change(node));
	if (node)
		return frames[data.frame[node]].color;
	return isDark ? hsl(220, 8, 32) : hsl(220, 12, 84);
}

/* Drawing */

const above = (node) => node < zoomed && end[node] > zoomed;

/* What the canvas shows of the rows; read from the page before it is used */
const room = { width: 0, height: 0, scroll: 0, slack: 0 };

function measure()
{
	room.width = chart.clientWidth;
	room.height = chart.clientHeight;
	room.scroll = chart.scrollTop;
	/* flipped rows that do not fill the room stand at its bottom */
	room.slack = flipped ? Math.max(0, room.height - view.rows * ROW) : 0;
}

const place = { left: 0, width: 0 };	/* of the node that was last located, in pixels */

/* Whether a node is wide enough and in view */
function locate(node)
{
	const scale = room.width / view.width[zoomed];
	const left = (view.left[node] - view.left[zoomed]) * scale;
	const width = view.width[node] * scale, right = left + width;

	if (above(node)) {
		place.left = 0;
		place.width = room.width;
		return true;
	}
	place.left = Math.max(left, 0);
	place.width = Math.min(right, room.width) - place.left;
	return width >= MIN_WIDTH && right > 0.01 && left < room.width - 0.01;
}

/* Calls visitor(node) for those in view until it answers false */
function visit(visitor)
{
	for (let i = 0; i < nodes;) {
		if (!locate(i))
			i = end[i];
		else if (visitor(i++) === false)
			return;
	}
}

function topOf(node)
{
	const row = flipped ? view.rows - 1 - data.depth[node] : data.depth[node];

	return row * ROW - room.scroll + room.slack;
}

function prepare(target, width, height)
{
	const ratio = devicePixelRatio || 1;

	target.canvas.width = Math.round(width * ratio);
	target.canvas.height = Math.round(height * ratio);
	target.setTransform(ratio, 0, 0, ratio, 0, 0);
	target.font = FONT;
}

function resize()
{
	measure();
	view.rows = 1;
	visit((node) => { view.rows = Math.max(view.rows, data.depth[node] + 1); });
	byId('rows').style.height = `${view.rows * ROW}px`;
	canvas.style.height = `${room.height}px`;
	prepare(context, room.width, room.height);
	prepare(picture, room.width, room.height);
	view.character = picture.measureText('m').width;
}

function total()
{
	const unit = data.types[value][1], sum = formatValue(view.after[0], unit);

	if (data.diff)
		return `all: ${formatValue(view.before[0] * view.scale, unit)} \u2192 ${sum}`;
	return `all: ${sum}`;
}

function drawLabel(node, top)
{
	const characters = Math.floor((place.width - 6) / view.character);
	let text = node ? nameOf(node) : total();

	if (characters < 2)
		return;
	if (text.length > characters)
		text = `${text.slice(0, characters - 1)}…`;
	picture.fillStyle = isDark ? '#f3f4f6' : '#15181d';
	picture.fillText(text, place.left + 3, top + 13, place.width - 5);
}

function drawNode(node)
{
	const top = topOf(node), gap = place.width > 2 ? 1 : 0;

	if (top > room.height || top < -ROW)
		return;
	picture.globalAlpha = above(node) ? 0.55 : 1;
	picture.fillStyle = colorOf(node);
	picture.fillRect(place.left, top, place.width - gap, ROW - 1);
	picture.globalAlpha = 1;
	drawLabel(node, top);
}

function outline(node, thickness)
{
	if (node < 0 || !locate(node))
		return;
	context.strokeStyle = isDark ? '#ffffff' : '#000000';
	context.lineWidth = thickness;
	context.strokeRect(place.left + 1, topOf(node) + 1, Math.max(place.width - 3, 1), ROW - 3);
}

function draw()
{
	scheduled = false;
	measure();
	if (stale) {
		picture.clearRect(0, 0, room.width, room.height);
		if (view.width[0])
			visit(drawNode);
		stale = false;
	}
	context.clearRect(0, 0, room.width, room.height);
	context.drawImage(picture.canvas, 0, 0, room.width, room.height);
	if (!view.width[0])
		return;
	outline(hovered, 1);
	outline(selected, 2);
}

/* Only the outlines are new */
function refresh()
{
	if (!scheduled)
		requestAnimationFrame(draw);
	scheduled = true;
}

function redraw()
{
	stale = true;
	refresh();
}

/* The node at a place of the canvas, or -1 */
function nodeAt(x, y)
{
	let found = -1;

	measure();
	const row = Math.floor((y - room.slack + room.scroll) / ROW);
	const depth = flipped ? view.rows - 1 - row : row;

	for (let i = 0; i < nodes && view.width[0] && found < 0;) {
		const inside = locate(i) && x >= place.left && x < place.left + place.width;

		if (inside && data.depth[i] === depth)
			found = i;
		i = inside ? i + 1 : end[i];
	}
	return found;
}

/* The box under the pointer */

function element(name, text, className)
{
	const e = document.createElement(name);

	e.textContent = text;
	if (className)
		e.className = className;
	return e;
}

function addRow(table, cells, className)
{
	const row = document.createElement('tr');

	row.append(...cells.map((text, i) => element(i ? 'td' : 'th', text)));
	if (className)
		row.className = className;
	table.append(row);
}

function addValues(table, node)
{
	addRow(table, ['', '', 'of all', 'of caller']);
	for (let type = 0; type < types; type++) {
		const [name, unit] = data.types[type], sum = after(type), n = sum[node];

		addRow(table, [shown(name), formatValue(n, unit), percent(n, sum[0]),
			percent(n, sum[parent[node]])], type === value ? 'shown' : '');
		if (type === value)
			addRow(table, ['itself', formatValue(data.self[type][node], unit),
				percent(data.self[type][node], sum[0])]);
	}
}

function growth(delta, was)
{
	if (was)
		return signed(percent(delta, was), delta);
	return delta ? 'new' : '-';
}

function addChanges(table, node)
{
	addRow(table, ['', 'before', 'after', 'change', '']);
	for (let type = 0; type < types; type++) {
		const [name, unit] = data.types[type], a = after(type), b = before(type);
		const scale = scaleBefore(type), was = b[node] * scale, delta = a[node] - was;
		const up = parent[node];

		addRow(table, [shown(name), formatValue(was, unit), formatValue(a[node], unit),
			signed(formatValue(delta, unit), delta), growth(delta, was)],
			type === value ? 'shown' : '');
		if (type !== value)
			continue;
		addRow(table, ['itself', formatValue(data.self[type][node] * scale, unit),
			formatValue(data.self[types + type][node], unit)]);
		addRow(table, ['of all', percent(b[node], b[0]), percent(a[node], a[0])]);
		addRow(table, ['of caller', percent(b[node], b[up]), percent(a[node], a[up])]);
	}
}

function fillTip(node)
{
	const frame = node ? frames[data.frame[node]] : { file: '', lines: '', mapping: '' };
	const table = document.createElement('table');

	tip.replaceChildren(element('b', nameOf(node)));
	if (frame.file || frame.lines)
		tip.append(element('div', (frame.file || 'line') + frame.lines));
	if (frame.mapping)
		tip.append(element('div', frame.mapping));
	if (data.diff)
		addChanges(table, node);
	else
		addValues(table, node);
	tip.append(table);
}

/* Beside (x, y) of the window, where there is room */
function placeTip(x, y)
{
	tip.hidden = false;
	const box = tip.getBoundingClientRect();
	const left = Math.min(x + 14, innerWidth - box.width - 8);
	const top = y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18;

	tip.style.left = `${Math.max(8, left)}px`;
	tip.style.top = `${Math.max(8, top)}px`;
}

function hideTip()
{
	tip.hidden = true;
	hovered = -1;
	refresh();
}

function hover(node, x, y)
{
	if (node < 0)
		return hideTip();
	if (node !== hovered) {
		hovered = node;
		fillTip(node);
		refresh();
	}
	placeTip(x, y);
}

/* What a page reader says of a node */
function say(node)
{
	const sum = view.after, unit = data.types[value][1], words = [nameOf(node)];

	if (data.diff)
		words.push(`${formatValue(view.before[node] * view.scale, unit)} before`);
	words.push(formatValue(sum[node], unit) + (data.diff ? ' after' : ''),
		`${percent(sum[node], sum[0])} of all`,
		`${percent(sum[node], sum[parent[node]])} of caller`);
	byId('status').textContent = words.join(', ');
}

/* Zoom and keyboard */

function scrollTo(node)
{
	measure();
	const top = topOf(node) + room.scroll;

	if (top < room.scroll)
		chart.scrollTop = top;
	else if (top + ROW > room.scroll + room.height)
		chart.scrollTop = top + ROW - room.height;
}

function zoom(node)
{
	zoomed = node;
	byId('reset').disabled = !node;
	resize();
	scrollTo(node);
	hideTip();
	redraw();
}

/* Whether it can be told from its neighbours on the screen */
function inView(node)
{
	if (above(node) || node === zoomed)
		return true;
	return node > zoomed && node < end[zoomed] &&
		view.width[node] * room.width >= SELECTED_WIDTH * view.width[zoomed];
}

function select(node)
{
	const box = canvas.getBoundingClientRect();

	if (!inView(node))
		zoom(parent[node]);
	selected = node;
	scrollTo(node);
	say(node);
	fillTip(node);
	measure();
	locate(node);
	placeTip(box.left + place.left + Math.min(place.width, 40), box.top + topOf(node));
	refresh();
}

/* Children that have a width in this value, the widest first */
function firstChild(node)
{
	let best = -1;

	for (let i = node + 1; i < end[node]; i = end[i])
		if (view.width[i] > (best < 0 ? 0 : view.width[best]))
			best = i;
	return best;
}

function sibling(node, forward)
{
	let before = -1;

	for (let i = parent[node] + 1; node && i < end[parent[node]]; i = end[i]) {
		if (forward ? i > node && view.width[i] : i === node)
			return forward ? i : before;
		if (view.width[i])
			before = i;
	}
	return -1;
}

function neighbour(node, key)
{
	switch (key) {
	case 'ArrowLeft': return sibling(node, false);
	case 'ArrowRight': return sibling(node, true);
	case 'ArrowUp': return flipped ? firstChild(node) : parent[node];
	case 'ArrowDown': return flipped ? parent[node] : firstChild(node);
	case 'Home': return 0;
	}
	return -1;
}

function pressed(event)
{
	const at = Math.max(selected, 0);

	if (event.ctrlKey || event.metaKey || event.altKey)
		return;
	if (event.key === 'Enter' || event.key === ' ') {
		zoom(at);
		select(at);
	} else if (event.key.startsWith('Arrow') || event.key === 'Home') {
		const to = selected < 0 ? zoomed : neighbour(at, event.key);

		if (to >= 0 && view.width[0])
			select(to);
	} else {
		return;
	}
	event.preventDefault();
}

/* Search */

/* What the frames that match, and all they call, make up: no frame counts inside another */
function matchedShare(sum)
{
	let total = 0;

	for (let i = 1; i < nodes;) {
		const hit = matches[data.frame[i]];

		if (hit)
			total += sum[i];
		i = hit ? end[i] : i + 1;
	}
	return percent(total, sum[0]);
}

function sayMatches()
{
	const functions = matches.reduce((nr, hit) => nr + hit, 0);
	const after = matchedShare(view.after), what = functions === 1 ? 'function' : 'functions';
	const share = data.diff ? `${matchedShare(view.before)} before, ${after} after` : after;

	byId('matched').textContent = `${plain(functions, 0)} ${what}, ${share}`;
}

/* By string, of which 0 is none: 1 where it matched */
function showMatches(hits)
{
	hits[0] = 0;
	matches = Uint8Array.from(frames, (frame) => frame.strings.some((i) => hits[i]));
	sayMatches();
	redraw();
}

function stopSearcher()
{
	clearTimeout(searchTimer);
	if (searcher)
		searcher.terminate();
	searcher = null;
}

/* The worker's program. A regular expression cannot be stopped, but who runs it can. */
const searcherSource = URL.createObjectURL(new Blob([`onmessage = (event) => {
	const [pattern, strings] = event.data, expression = new RegExp(pattern, 'i');

	postMessage(Uint8Array.from(strings, (s) => expression.test(s)));
};`], { type: 'text/javascript' }));

function searchBeside(pattern)
{
	byId('matched').textContent = 'searching…';
	searcher = new Worker(searcherSource);
	searcher.onmessage = (event) => {
		stopSearcher();
		showMatches(event.data);
	};
	searchTimer = setTimeout(() => {
		stopSearcher();
		byId('matched').textContent = 'takes too long, stopped';
	}, SEARCH_LIMIT_MS);
	searcher.postMessage([pattern, strings]);
}

function isPattern(text)
{
	try {
		return Boolean(new RegExp(text, 'i'));
	} catch {
		return false;
	}
}

function search()
{
	const text = byId('search').value, pattern = /^\/(.+)\/$/.exec(text);
	const lower = text.toLowerCase();

	stopSearcher();
	matches = null;
	byId('matched').textContent = '';
	if (pattern && isPattern(pattern[1]))
		searchBeside(pattern[1]);
	else if (pattern)
		byId('matched').textContent = 'not a regular expression';
	else if (text)
		showMatches(Uint8Array.from(strings, (s) => s.toLowerCase().includes(lower)));
	redraw();
}

/* Setting up */

function addLegend(color, text)
{
	const entry = element('span', text), box = document.createElement('i');

	box.style.background = color;
	entry.prepend(box);
	byId('legend').append(entry);
}

function showLegend(mappings)
{
	byId('legend').replaceChildren();
	if (data.diff) {
		for (const [c, text] of [[-1, 'gone'], [-0.5, 'half as much'], [0, 'the same'],
			[0.5, 'twice as much'], [1, 'new']])
			addLegend(changeColor(c), text);
		return;
	}
	mappings.slice(0, HUES.length).forEach((mapping, i) =>
		addLegend(frameColor(HUES[i], ''), mapping.replace(/^.*\/(?=.)/, '')));
	if (mappings.length > HUES.length)
		addLegend(frameColor(-1, ''), `${mappings.length - HUES.length} more`);
}

function showColors()
{
	const mappings = weighMappings();

	colorFrames(mappings);
	showLegend(mappings);
	redraw();
}

/* At once: nothing is drawn any more between the event and the printer */
function paint(darkly)
{
	isDark = darkly;
	showColors();
	draw();
}

function showValue()
{
	layout();
	byId('empty').hidden = view.width[0] > 0;
	byId('empty').textContent = `No ${shown(data.types[value][0])} in this profile.`;
	selected = -1;
	zoom(view.width[zoomed] ? zoomed : 0);
	if (matches)
		sayMatches();
}

function showPage()
{
	document.title = `${shown(data.title)} - flame graph`;
	byId('title').textContent = shown(data.title);
	byId('info').replaceChildren(...data.info.map((line) => element('li', shown(line))));
	byId('value').replaceChildren(...data.types.map(([name, unit], i) =>
		new Option(`${shown(name)} (${shown(unit)})`, i, i === value, i === value)));
	byId('as-shares').hidden = !data.diff;
}

function listenToCanvas()
{
	const at = (event) => {
		const box = canvas.getBoundingClientRect();

		return nodeAt(event.clientX - box.left, event.clientY - box.top);
	};

	canvas.addEventListener('mousemove', (event) =>
		hover(at(event), event.clientX, event.clientY));
	canvas.addEventListener('mouseleave', hideTip);
	canvas.addEventListener('blur', hideTip);
	canvas.addEventListener('keydown', pressed);
	canvas.addEventListener('click', (event) => {
		const node = at(event);

		if (node < 0)
			return;
		selected = node;
		zoom(node);
		hover(at(event), event.clientX, event.clientY);
		say(node);
	});
	chart.addEventListener('scroll', redraw);
}

function listen()
{
	byId('value').addEventListener('change', (event) => {
		value = Number(event.target.value);
		showValue();
	});
	byId('shares').addEventListener('change', (event) => {
		asShares = event.target.checked;
		showValue();
	});
	byId('search').addEventListener('input', search);
	byId('reset').addEventListener('click', () => zoom(0));
	byId('flip').addEventListener('click', (event) => {
		flipped = !flipped;
		event.target.setAttribute('aria-pressed', flipped);
		chart.scrollTop = flipped ? chart.scrollHeight : 0;
		redraw();
	});
	document.addEventListener('keydown', (event) => {
		if (event.key === '/' && event.target !== byId('search')) {
			byId('search').focus();
			event.preventDefault();
		} else if (event.key === 'Escape' && event.target !== byId('search')) {
			zoom(0);
		}
	});
	dark.addEventListener('change', () => paint(dark.matches));
	addEventListener('beforeprint', () => paint(false));
	addEventListener('afterprint', () => paint(dark.matches));
	new ResizeObserver(() => {
		resize();
		redraw();
	}).observe(chart);
}

findRelations();
showPage();
showValue();
showColors();
listenToCanvas();
listen();

})();
