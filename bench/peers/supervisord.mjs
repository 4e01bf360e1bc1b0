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
      (service) => `${entry(service)}stopasgroup=true
killasgroup=true
stopwaitsecs=${grace}
stdout_logfile=${folder}/${service.name}.log
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
  follow({ folder, services, program }) {
    const file = path.join(folder, 'supervisord.conf');
    const programs = services.map(
      (service) => `${entry(service)}stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
`,
    );
    const text = `${head(folder, path.join(folder, 'supervisor.sock'))}\n${programs.join('\n')}`;
    writeFileSync(file, text);
    return [program, '-n', '-c', file];
  },
};

function entry({ name, command }) {
  return `[program:${name}]
command=${shellWords(command).replaceAll('%', '%%')}
autorestart=false
startsecs=0
redirect_stderr=true
`;
}

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
