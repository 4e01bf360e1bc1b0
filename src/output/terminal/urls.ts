import type { ServiceUrl } from '../../operations/status/urls.ts';
import { renderTable } from './table.ts';
import type { Theme } from './theme.ts';

/** Formats where services can be opened, one URL a line. */
export function urlLines(urls: readonly ServiceUrl[], theme: Theme): readonly string[] {
  const columns = [{ title: '' }, { title: '' }];
  const rows = urls.map(({ service, url }) => [theme.bold(service), theme.link(url)]);
  return renderTable(columns, rows).slice(1);
}
