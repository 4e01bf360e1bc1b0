/**
 * Returns a manifest whose services count as up at once, because hundreds of tests would wait a second each. Text that is
 * no manifest, or says for itself how long, stays as it is. Every line keeps its number.
 */
export function unsettled(text: string): string {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    return text;
  }
  const saysHowLong = text.includes('"settle"');
  const isManifest = typeof manifest === 'object' && manifest !== null && 'services' in manifest;
  return isManifest && !saysHowLong ? text.replace('{', '{ "settle": 0,') : text;
}
