import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printable } from '../../src/output/terminal/width.ts';
import { hasBrowser, openBrowser } from '../support/browser.ts';
import { devctl } from '../support/devctl.ts';
import { HOSTILE, RUNAWAY_MS, runaway, writeRunaway } from '../support/runaway.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

describe.runIf(hasBrowser)('the page of devctl report in a browser', () => {
  let project: TemporaryProject;
  let browser: Browser;
  let page: Page;
  const heard: string[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    project = await temporaryProject({
      services: {
        db: { command: 'x' },
        api: { command: 'x', dependsOn: ['db'] },
        web: { command: 'x', dependsOn: ['api'] },
      },
    });
    writeRunaway(project.root, runaway(Date.now() - RUNAWAY_MS));
    const made = await devctl(project, 'report', '--html', 'report.html');
    expect(made).toMatchObject({ exitCode: 0, stdout: '' });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('console', (message) => heard.push(message.text()));
    page.on('pageerror', (error) => heard.push(String(error)));
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(pathToFileURL(project.file('report.html')).href);
  });
  afterAll(async () => {
    await browser?.close();
    await project?.[Symbol.asyncDispose]();
  });

  test('it requests nothing, logs no error, and shows hostile names as text', async () => {
    expect(asked).toEqual([pathToFileURL(project.file('report.html')).href]);
    expect(heard).toEqual([]);
    expect(await page.title()).toMatch(/^web grew from 160\.0 MB to 6\.2 GB/);
    expect(await page.locator('img, b:has-text("\' \\\\x1b")').count()).toBe(0);
    expect(await page.locator('.answers code').textContent()).toBe(printable(HOSTILE));
  });

  test('it has headings in order and the numbers of the data', async () => {
    const { stdout } = await devctl(project, 'report', '--json');
    const account = JSON.parse(stdout);
    const headings = await page.locator('h1, h2, h3').evaluateAll((all) =>
      all.map((one) => ({
        level: Number(one.tagName.slice(1)),
        top: one.getBoundingClientRect().top,
      })),
    );
    expect(headings[0]).toMatchObject({ level: 1 });
    expect(headings.filter(({ level }) => level === 1)).toHaveLength(1);
    for (const [index, { level }] of headings.entries()) {
      expect(level - (headings[index - 1]?.level ?? 0)).toBeLessThanOrEqual(1);
    }
    // The answers are visible without scrolling: what grew, when, why, and what is left.
    const answers = page.locator('.answers dd');
    expect(await answers.allTextContents()).toEqual([
      expect.stringMatching(/6 min 30 s into the session/),
      expect.stringMatching(/pid 4242 and below: 96 processes, 6\.1 GB/),
      expect.stringMatching(/^Nothing.*proof complete, 17 scans/),
    ]);
    const box = await page.locator('.answers').boundingBox();
    expect((box?.y ?? 900) + (box?.height ?? 0)).toBeLessThan(600);

    const named = (name: string) =>
      page.locator('.service', { has: page.locator(`h3:text-is("${name}")`) });
    for (const { name, peak, restarts } of account.services) {
      const labels = await named(name).locator('.label b').allTextContents();
      expect(labels[0]).toBe(String(peak.processes.value));
      expect(labels[1]).toBe(
        `${(peak.memoryBytes.value / 1024 ** (name === 'web' ? 3 : 2)).toFixed(1)} ${name === 'web' ? 'GB' : 'MB'}`,
      );
      expect(await named(name).locator('circle.restart').count()).toBe(restarts.length);
    }
    expect(await named('web').locator('line.breach').count()).toBe(2);
    expect(await page.locator('.breaches li').count()).toBe(2);
    expect(await page.locator('.waterfall g.link').count()).toBe(2);
    expect(await page.locator('section:has(#stop) td.command code').count()).toBe(
      account.lastStop.processes.length + account.lastStop.spared.length,
    );
    const bare = page.locator('svg[role=img]:not([aria-label]), th:not([scope])');
    expect(await bare.count()).toBe(0);
  });

  test('a timeline shows the values of a moment, by pointer and by keys', async () => {
    const reader = page.locator('.reader').first();
    const readout = page.locator('#readout-0');
    const box = await reader.boundingBox();
    if (!box) throw new Error('the first timeline is not to be seen');
    await page.mouse.move(box.x + box.width * 0.95, box.y + 20);
    expect(await readout.textContent()).toMatch(
      /^\d\d:\d\d:\d\d ready, 97 processes, 6\.2 GB, \d+% cpu$/,
    );
    await page.mouse.move(5, 5);
    expect(await readout.textContent()).toBe('');
    await page.keyboard.press('Tab');
    expect(await page.locator('.reader:focus').count()).toBe(1);
    const first = await readout.textContent();
    for (let press = 0; press < 3; press += 1) await page.keyboard.press('ArrowRight');
    expect(await readout.textContent()).not.toBe(first);
    expect(await reader.getAttribute('aria-valuetext')).toBe(await readout.textContent());
    await page.keyboard.press('End');
    expect(await readout.textContent()).toMatch(/stopp/);
  });

  test('it fits a phone, can be read in light and dark, and unfolds everything for paper', async () => {
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    expect(await page.locator('details:not([open])').count()).toBe(0);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      }
      expect(await page.evaluate(TOO_PALE)).toEqual([]);
    }
  });

  test('its policy allows no request, whatever is in it', async () => {
    const answer = page.evaluate(() => fetch('http://127.0.0.1:9/').then(String, String));
    expect(await answer).toMatch(/TypeError/);
    expect(heard.join('\n')).toMatch(/Content Security Policy/);
    const html = readFileSync(project.file('report.html'), 'utf8');
    expect(html).not.toMatch(/https?:|\sstyle=|\son\w+=(?!&quot;)/);
  });
});

/** For the page: finds texts with less contrast than WCAG's AA asks of small text. */
const TOO_PALE = `(() => {
  const luminance = (color) => {
    const [red, green, blue] = color.match(/[\\d.]+/g).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll('main *:not(title)')].flatMap((one) => {
    if (![...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) return [];
    const { fill, color } = getComputedStyle(one);
    const ink = luminance(one instanceof SVGElement ? fill : color);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    return ratio < 4.5 ? [one.tagName + ' ' + one.textContent + ': ' + ratio] : [];
  });
})()`;
