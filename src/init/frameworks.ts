/** A dev server or watcher, known by its command line. */
export interface Framework {
  readonly name: string;
  /** On the command line, with all scripts that it calls. */
  readonly pattern: RegExp;
  /** Its port where nothing says another one. Missing: it listens on no port. */
  readonly port?: number;
  /** Flags that name the port. */
  readonly flags?: readonly string[];
  /** Files of its folder that may name the port, and how: the group `port`, and `variable` where one may say another. */
  readonly config?: {
    readonly files: readonly string[];
    /** The block in which the port stands. Missing: anywhere. */
    readonly block?: string;
    readonly port: RegExp;
  };
  /** True where the variable PORT decides. */
  readonly portVariable?: string;
  /** True where it takes another port when its own is taken, so that two of them may have the same default. */
  readonly movesOn?: boolean;
  /** A line of its output that says that it is ready. */
  readonly readyLine?: string;
}

const JS = ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts'];

function files(base: string): readonly string[] {
  return JS.map((extension) => `${base}.${extension}`);
}

/** Makes a pattern of a command: at the beginning, or after a blank or an operator of the shell, or in node_modules/.bin. */
function command(source: string): RegExp {
  return new RegExp(`(?:^|[\\s;&|("'/])${source}(?![\\w-])`, 'm');
}

/**
 * The block of a configuration with a port in it: `server: { host: true, port: 4000 }`, or with the default of a variable:
 * `port: Number(process.env.WEB_PORT ?? 4000)`.
 */
function portIn(block: string): { readonly block: string; readonly port: RegExp } {
  const variable = String.raw`(?:(?:Number|parseInt)\(\s*)?(?:process\.env|env)\.(?<variable>\w+)\s*(?:\|\||\?\?)\s*["']?`;
  return {
    block,
    port: new RegExp(String.raw`\bport["']?\s*:\s*["']?(?:${variable})?(?<port>\d{2,5})\b`),
  };
}

const LONG_AND_SHORT = ['--port', '-p'];

/** The most specific first: what stands behind another one may run it. */
export const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'next',
    pattern: command('next (?:dev|start)'),
    port: 3000,
    flags: LONG_AND_SHORT,
    portVariable: 'PORT',
    movesOn: true,
  },
  {
    name: 'nuxt',
    pattern: command('(?:nuxt|nuxi)(?: dev| start)?'),
    port: 3000,
    flags: LONG_AND_SHORT,
    portVariable: 'PORT',
    config: { files: files('nuxt.config'), ...portIn('devServer') },
    movesOn: true,
  },
  {
    name: 'astro',
    pattern: command('astro(?: dev| preview)?'),
    port: 4321,
    flags: ['--port'],
    config: { files: files('astro.config'), ...portIn('server') },
    movesOn: true,
  },
  {
    name: 'storybook',
    pattern: command('(?:storybook dev|start-storybook)'),
    port: 6006,
    flags: LONG_AND_SHORT,
    movesOn: true,
  },
  {
    name: 'react-scripts',
    pattern: command('react-scripts start'),
    port: 3000,
    portVariable: 'PORT',
    movesOn: true,
  },
  {
    name: 'angular',
    pattern: command('ng serve'),
    port: 4200,
    flags: ['--port'],
    config: { files: ['angular.json'], port: /"port"\s*:\s*(?<port>\d{2,5})\b/ },
    movesOn: true,
  },
  {
    name: 'vue-cli',
    pattern: command('vue-cli-service serve'),
    port: 8080,
    flags: ['--port'],
    config: { files: ['vue.config.js'], ...portIn('devServer') },
    movesOn: true,
  },
  {
    name: 'webpack',
    pattern: command('webpack(?:-dev-server| serve)'),
    port: 8080,
    flags: ['--port'],
    config: { files: files('webpack.config'), ...portIn('devServer') },
    movesOn: true,
  },
  {
    name: 'gatsby',
    pattern: command('gatsby develop'),
    port: 8000,
    flags: LONG_AND_SHORT,
    movesOn: true,
  },
  {
    name: 'docusaurus',
    pattern: command('docusaurus start'),
    port: 3000,
    flags: LONG_AND_SHORT,
    movesOn: true,
  },
  { name: 'strapi', pattern: command('strapi (?:develop|dev)'), port: 1337, portVariable: 'PORT' },
  {
    name: 'wrangler',
    pattern: command('wrangler dev'),
    port: 8787,
    flags: ['--port'],
    movesOn: true,
  },
  {
    name: 'eleventy',
    pattern: command('eleventy --serve'),
    port: 8080,
    flags: ['--port'],
    movesOn: true,
  },
  {
    name: 'react-router',
    pattern: command('(?:react-router dev|remix vite:dev)'),
    port: 5173,
    flags: ['--port'],
    config: { files: files('vite.config'), ...portIn('server') },
    movesOn: true,
  },
  {
    name: 'vite',
    pattern: command('vite(?: dev| serve)?(?! *(?:build|preview|optimize))'),
    port: 5173,
    flags: ['--port'],
    config: { files: files('vite.config'), ...portIn('server') },
    movesOn: true,
  },
  {
    name: 'django',
    pattern: command('runserver'),
    port: 8000,
    flags: ['runserver(?: --[\\w-]+)*(?: [\\w.\\[\\]:]*:)?'],
  },
  {
    name: 'http.server',
    pattern: command('-m http\\.server'),
    port: 8000,
    flags: ['http\\.server(?: --cgi| -(?:b|-bind|d|-directory|p|-protocol)[= ]\\S+)*'],
  },
  {
    name: 'uvicorn',
    pattern: command('(?:uvicorn|fastapi (?:dev|run))'),
    port: 8000,
    flags: ['--port'],
  },
  {
    name: 'flask',
    pattern: command('flask (?:[^\\n;&|]* )?run'),
    port: 5000,
    flags: LONG_AND_SHORT,
    portVariable: 'FLASK_RUN_PORT',
  },
  {
    name: 'gunicorn',
    pattern: command('gunicorn'),
    port: 8000,
    flags: ['(?:-b|--bind)[= ][\\w.\\[\\]]*:'],
    portVariable: 'PORT',
  },
  {
    name: 'rails',
    pattern: command('rails (?:server|s)'),
    port: 3000,
    flags: LONG_AND_SHORT,
    portVariable: 'PORT',
    config: {
      files: ['config/puma.rb'],
      port: /^[ \t]*port\s*\(?\s*(?:ENV\.fetch\(\s*["']PORT["']\s*(?:,\s*|\)\s*\{\s*)["']?|ENV\[["']PORT["']\]\s*\|\|\s*)?(?<port>\d{2,5})\b/m,
    },
  },
  {
    name: 'puma',
    pattern: command('puma'),
    port: 9292,
    flags: LONG_AND_SHORT,
    portVariable: 'PORT',
    config: {
      files: ['config/puma.rb'],
      port: /^[ \t]*port\s*\(?\s*(?:ENV\.fetch\(\s*["']PORT["']\s*(?:,\s*|\)\s*\{\s*)["']?|ENV\[["']PORT["']\]\s*\|\|\s*)?(?<port>\d{2,5})\b/m,
    },
  },
  {
    name: 'laravel',
    pattern: command('artisan serve'),
    port: 8000,
    flags: ['--port'],
    movesOn: true,
  },
  { name: 'jekyll', pattern: command('jekyll (?:serve|s)'), port: 4000, flags: ['--port', '-P'] },
  {
    name: 'hugo',
    pattern: command('hugo (?:server|serve)'),
    port: 1313,
    flags: LONG_AND_SHORT,
    movesOn: true,
  },
  {
    name: 'typescript',
    pattern: /(?:^|[\s;&|/])tsc\b[^\n;&|]*\s(?:-w|--watch)\b/m,
    readyLine: 'Watching for file changes',
  },
];

/** The frameworks that a command line runs. */
export function frameworksIn(text: string): readonly Framework[] {
  const found = FRAMEWORKS.filter(({ pattern }) => pattern.test(text));
  // A program that react-router or gunicorn runs is named by them, and not once more by its own name.
  return found.some(({ name }) => name === 'react-router')
    ? found.filter(({ name }) => name !== 'vite')
    : found;
}
