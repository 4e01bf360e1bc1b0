// pm2: a daemon of its own for each project, by PM2_HOME.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findNpm } from './tools.mjs';

export const pm2 = {
  name: 'pm2',
  install: 'npm i --prefix FOLDER pm2',
  find: findNpm('pm2'),
  prepare({ folder, services, grace, program }) {
    const file = writeApps(folder, services, { kill_timeout: grace * 1000 });
    return {
      env: environmentIn(folder),
      start: [program, 'start', file],
      stop: [program, 'stop', 'all'],
      status: [program, 'ls'],
      quit: [program, 'kill'],
    };
  },
  follow({ folder, services, look }) {
    const file = writeApps(folder, services, {});
    const env = Object.entries(environmentIn(folder)).map((entry) => entry.join('='));
    return ['/usr/bin/env', ...env, look('pm2-runtime'), 'start', file];
  },
};

function environmentIn(folder) {
  return { PM2_HOME: path.join(folder, 'pm2'), PM2_DISABLE_VERSION_CHECK: 'true' };
}

function writeApps(folder, services, keys) {
  const apps = services.map(({ name, command: [script, ...args] }) => ({
    ...{ name, script, args, interpreter: 'none', cwd: folder, autorestart: false },
    ...keys,
  }));
  const file = path.join(folder, 'ecosystem.config.json');
  writeFileSync(file, JSON.stringify({ apps }));
  return file;
}
