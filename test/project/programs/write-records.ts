// Writes the record of `web` again and again, with an ever longer reason, until it is killed.
// Arguments: the path of a file with the first record, and the project folder.
import { readFileSync } from 'node:fs';
import { projectFolder } from '../../../src/project/folder.ts';
import { writeRecord } from '../../../src/project/records.ts';

const [first = '', root = ''] = process.argv.slice(2);
const record = JSON.parse(readFileSync(first, 'utf8'));
for (let length = 1; ; length = (length % 50_000) + 997) {
  writeRecord(projectFolder(root), { ...record, restarts: length, reason: 'x'.repeat(length) });
}
