// The file system, with a short pause of random length before every read of a name and every call that
// changes one. So the moments between them, some microseconds wide, are hit often instead of never.

// biome-ignore lint/style/useNodejsImportProtocol: `node:fs` is what the bundler points here
import * as fs from 'fs';

// biome-ignore lint/style/useNodejsImportProtocol: as above
export * from 'fs';

const cell = new Int32Array(new SharedArrayBuffer(4));

function slow<Call extends (...args: never[]) => unknown>(call: Call): Call {
  return ((...args) => {
    Atomics.wait(cell, 0, 0, Math.random() * 2);
    return call(...args);
  }) as Call;
}

export const lstatSync = slow(fs.lstatSync);
export const openSync = slow(fs.openSync);
export const linkSync = slow(fs.linkSync);
export const renameSync = slow(fs.renameSync);
export const rmSync = slow(fs.rmSync);
