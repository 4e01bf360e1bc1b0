// A picture of few colours as a PNG with a palette: a third of what a browser's screenshot takes.
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const BITS = 8;
/** Colour type of the PNG specification (ISO/IEC 15948): each pixel is an index into the palette. */
const INDEXED = 3;

/**
 * @param pixels three bytes each: red, green, blue
 * @param most colours; the rarer ones become the nearest of them
 */
export function palettePng({ width, height, pixels }, most = 64) {
  const colours = Array.from({ length: width * height }, (_, at) => pixels.readUIntBE(3 * at, 3));
  const count = new Map();
  for (const colour of colours) count.set(colour, (count.get(colour) ?? 0) + 1);
  const byUse = [...count.keys()].sort((a, b) => count.get(b) - count.get(a));
  const palette = choose(byUse, most);
  const index = new Map(byUse.map((colour) => [colour, nearest(palette, colour)]));
  const rows = Buffer.alloc(height * (width + 1));
  // Each row begins with its filter: 0, none.
  for (const [at, colour] of colours.entries()) {
    rows[at + Math.floor(at / width) + 1] = index.get(colour);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([BITS, INDEXED], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap(parts))),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Picks the most used colours, each as far from the others as the number of them allows. */
function choose(byUse, most) {
  let chosen = [];
  for (let apart = 4_000; chosen.length < most && apart > 1; apart *= 0.8) {
    chosen = [];
    for (const colour of byUse) {
      const isNew = chosen.every((other) => distance(other, colour) > apart);
      if (isNew && chosen.length < most) chosen.push(colour);
    }
  }
  return chosen;
}

function nearest(palette, colour) {
  const distances = palette.map((one) => distance(one, colour));
  return distances.indexOf(Math.min(...distances));
}

function distance(a, b) {
  const others = parts(b);
  return parts(a).reduce((sum, part, at) => sum + (part - others[at]) ** 2, 0);
}

function parts(colour) {
  return [colour >> 16, (colour >> 8) & 0xff, colour & 0xff];
}

function chunk(type, data) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
