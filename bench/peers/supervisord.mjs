// supervisord, with stopasgroup and killasgroup, without which it leaves more.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findDebian, shellWords } from './tools.mjs';

export const supervisord = {
  name: 'supervisord',
  install: 'apt install supervisor',
  find: findDebian('supervisor', 'supervisord', 'supervisorctl'),
  prepare({ folder, services, grace, program, look }) {
    const file = path.join(folder, 'supervisord.conf');
    const socket = path.join(folder, 'supervisor.sock');
    const programs = services.map(
      ({ name, command }) => `[program:${name}]
command=${shellWords(command).replaceAll('%', '%%')}
autorestart=false
startsecs=0
stopasgroup=true
killasgroup=true
stopwaitsecs=${grace}
stdout_logfile=${folder}/${name}.log
redirect_stderr=true
`,
    );
    writeFileSync(file, `${head(folder, socket)}\n${programs.join('\n')}`);
    const control = (...words) => [look('supervisorctl'), '-c', file, ...words];
    return {
      env: {},
      start: [program, '-c', file],
      stop: control('stop', 'all'),
      status: control('status'),
      quit: control('shutdown'),
    };
  },
};

function head(folder, socket) {
  return `[unix_http_server]
file=${socket}
[supervisord]
logfile=${folder}/supervisord.log
pidfile=${folder}/supervisord.pid
childlogdir=${folder}
directory=${folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
`;
}
