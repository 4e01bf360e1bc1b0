// Replaces the generated parts of pages: those between the two markers.
const BEGIN = '<!-- generated: npm run reference -->';
const END = '<!-- /generated -->';
const PART = new RegExp(`${BEGIN}\n[\\s\\S]*?${END}`, 'g');

/** Replaces the only generated part of a text. */
export function withPart(text, part, where = 'the page') {
  const count = text.match(PART)?.length ?? 0;
  if (count !== 1) throw new Error(`${where} has ${count} parts that begin with ${BEGIN}`);
  return text.replace(PART, () => `${BEGIN}\n${part}\n${END}`);
}

/**
 * Replaces the generated part of each section of a page.
 *
 * @param parts heading of the section → its part
 */
export function withPartBelowEach(page, parts) {
  const left = new Map(parts);
  const sections = page.split(/^(?=## )/m).map((section) => {
    const [, heading = ''] = /^## (.+)/.exec(section) ?? [];
    if (!left.has(heading)) {
      if (section.includes(BEGIN)) throw new Error(`nothing is known of the heading "${heading}"`);
      return section;
    }
    const part = left.get(heading);
    left.delete(heading);
    return withPart(section, part, `the section "${heading}"`);
  });
  if (left.size > 0) throw new Error(`there is no section for ${[...left.keys()].join(', ')}`);
  return sections.join('');
}

/** Makes a table of Markdown. Its cells hold no line end. */
export function table(heads, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heads), `|${'---|'.repeat(heads.length)}`, ...rows.map(line)]
    .map((row) => row.replaceAll(/ +(?= )/g, ''))
    .join('\n');
}

/** Shows text as code. */
export function code(text) {
  return `\`${text}\``;
}
