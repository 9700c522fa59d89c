/**
 * `npm run build`: what runs in the image, and what the package of the plugin holds. Each program of src/main becomes one file below dist/main, with
 * all that it imports: hundreds of files to find, read and compile are most of the time in which a Job starts. Decision 102.
 */
import { realpathSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin, stop } from 'esbuild';
import { billOfMaterials, bundledPackages, licencesText } from './bundle/packages.ts';

const root = join(import.meta.dirname, '..');

/** As deep below the root as src/main, so that a path from `import.meta.url` is right in both. */
const FOLDER = 'dist/main';

const PROGRAMS = ['chart-test', 'controller', 'drill-password', 'hook', 'kubectl', 'runner'];

/** Packages of CommonJS ask for Node's own modules by `require`, which a module does not have. */
const REQUIRE = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);";

/** Writes all programs, from the sources as they are now, and beside them what of others is in them. */
export async function bundle(): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: PROGRAMS.map((name) => `src/main/${name}.ts`),
    outdir: FOLDER,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: REQUIRE },
    mainFields: ['module', 'main'],
    // The same with and without the file beside it.
    tsconfigRaw: '{}',
    // Names of classes and functions are in messages and stack traces.
    keepNames: true,
    plugins: [apisThatNobodyCalls],
    metafile: true,
    logLevel: 'warning',
  });
  await stop();
  const packages = bundledPackages(root, metafile);
  await writeFile(join(root, 'dist/licenses.txt'), licencesText(packages));
  await writeFile(join(root, 'dist/sbom.cdx.json'), `${JSON.stringify(billOfMaterials(packages), undefined, 2)}\n`);
}

/**
 * @kubernetes/client-node reads kubeconfigs for us, and has a class for every kind of Kubernetes: 15 MB. Its package does not say that
 * loading them does nothing, so all would stay; said of the files that name them, only those stay that are used.
 */
const apisThatNobodyCalls: Plugin = {
  name: 'apis-that-nobody-calls',
  setup({ onResolve, resolve }) {
    onResolve(
      { filter: /^@kubernetes\/client-node$|\/index\.js$|\/all\.js$/ },
      async ({ path, pluginData, ...args }) => {
        if (pluginData === apisThatNobodyCalls) return undefined;
        const { kind, importer, resolveDir } = args;
        const found = await resolve(path, { kind, importer, resolveDir, pluginData: apisThatNobodyCalls });
        return found.path.includes('/@kubernetes/client-node/') ? { ...found, sideEffects: false } : undefined;
      },
    );
  },
};

// As import.meta.main, which not every Node 24 has.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) await bundle();
