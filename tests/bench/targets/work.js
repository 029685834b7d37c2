// SPDX-License-Identifier: Apache-2.0
// JavaScript to be stopped at random: compiled code, the interpreter, its C++ and its worker threads.
// Runs until it is killed.
'use strict';
const zlib = require('zlib');
const crypto = require('crypto');

function descend(depth, seed) {
	if (depth === 0) {
		const object = { seed, words: `${seed}-abc`.repeat(20).split('-') };
		const text = JSON.stringify(JSON.parse(JSON.stringify(object)), null, 1);
		const packed = zlib.deflateSync(text.replace(/([a-z]+)(\d)/g, (_, a, b) => b + a));
		return crypto.createHash('sha256').update(packed).digest()[0];
	}
	return [depth - 1].map((d) => descend(d, seed * 31 + d)).sort((a, b) => a - b)[0];
}

function round(seed) {
	const until = Date.now() + 20;
	while (Date.now() < until)
		descend(seed++ % 12, seed);
	zlib.gzip(Buffer.alloc(100000, seed), () => {});
	setImmediate(round, seed);
}

round(1);
