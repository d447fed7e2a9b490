// Files that are made here: pictures, and music that is long or that only looks large.

import { open, readdir } from 'node:fs/promises';
import { openAsBlob } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

const SOUNDS = new URL('../sounds/', import.meta.url);
/** What is not taken, and stands there to show that. */
const NOT_TAKEN = ['alac.m4a'];

/** One of each format, and its name. */
export async function sounds() {
  const names = (await readdir(SOUNDS)).filter((name) => !/\.(md|sh)$/.test(name) && !NOT_TAKEN.includes(name));
  return Promise.all(names.map(async (name) => ({ name, file: await openAsBlob(new URL(name, SOUNDS)) })));
}

/** A WAV file of 44.1 kHz and two channels, whose tone rises with the minutes. */
export async function wav(folder, seconds) {
  const rate = 44_100;
  const size = seconds * rate * 4;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + size, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(2, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 4, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(size, 40);
  const path = join(folder, 'long.wav');
  const file = await open(path, 'w');
  await file.write(header);
  for (let second = 0; second < seconds; second += 1) {
    const samples = new Int16Array(rate * 2);
    const pitch = (2 * Math.PI * (220 + second)) / rate;
    for (let at = 0; at < rate; at += 1) samples.fill(8_000 * Math.sin(pitch * at), at * 2, at * 2 + 2);
    await file.write(new Uint8Array(samples.buffer));
  }
  await file.close();
  return openAsBlob(path);
}

/** So many zeros, which take no room. */
export async function zeros(folder, size) {
  const path = join(folder, `zeros-${size}`);
  const file = await open(path, 'w');
  await file.truncate(size);
  await file.close();
  return openAsBlob(path);
}

/** A square of one colour. */
export function picture() {
  const side = 300;
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2], 8);
  const rows = Buffer.alloc(side * (1 + side * 3), 90);
  for (let row = 0; row < side; row += 1) rows[row * (1 + side * 3)] = 0;
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const chunks = [chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
  return new Blob([signature, ...chunks], { type: 'image/png' });
}

function chunk(kind, data) {
  const named = Buffer.concat([Buffer.from(kind), data]);
  const whole = Buffer.alloc(named.length + 8);
  whole.writeUInt32BE(data.length, 0);
  named.copy(whole, 4);
  whole.writeUInt32BE(crc32(named), named.length + 4);
  return whole;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
