import { decidingLayer, type ExportedService } from './source.ts';

const SECRET_NAME =
  /SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|_(?:KEY|PWD|PAT|DSN|AUTH)$/i;

/** `postgres://shop:hunter2@localhost/shop` */
const URL_WITH_PASSWORD = /\w:\/\/[^/\s:@]*:[^/\s@]+@/;

/**
 * Tells whether the value of a variable of `env` stays out of what is written: by its name, by a password in a URL, or
 * because it is in `.devctl.local.json`. The manifest marks no secrets, so in doubt it is one.
 */
export function isSecret(exported: ExportedService, name: string): boolean {
  const layer = decidingLayer(exported, name);
  if (layer?.kind === 'env' && layer.local.includes(name)) return true;
  return SECRET_NAME.test(name) || URL_WITH_PASSWORD.test(exported.service.env[name] ?? '');
}
