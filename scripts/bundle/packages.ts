/** What a bundle has in it that others wrote: for their licences, which ask to be named, and for scanners, which no longer find a node_modules. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As its package.json has it, in the terms of SPDX. */
  readonly license: string;
  /** The text of its licence, or what it says instead of one. */
  readonly text: string;
}

/** The packages that have at least a byte in one of the outputs, by name and version. */
export function bundledPackages(root: string, { outputs }: Metafile): readonly BundledPackage[] {
  const inputs = Object.values(outputs).flatMap((output) =>
    Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? []));
  const found = [...folders].map((folder) => packageIn(join(root, folder)));
  const byKey = new Map(found.map((one) => [`${one.name}@${one.version}`, one]));
  return [...byKey.keys()].sort().flatMap((key) => byKey.get(key) ?? []);
}

function packageIn(folder: string): BundledPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string') throw new Error(`${folder}/package.json names no licence: look at its terms first.`);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? 'The package has no file with it.' : readFileSync(join(folder, file), 'utf8');
  return { name, version, license, text };
}

export function licencesText(packages: readonly BundledPackage[]): string {
  const parts = packages.map(
    ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text.trim()}\n`,
  );
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}

/** CycloneDX 1.6, which scanners of images read: https://cyclonedx.org/docs/1.6/json */
export function billOfMaterials(packages: readonly BundledPackage[]): object {
  const components = packages.map(({ name, version, license }) => ({
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    licenses: [{ expression: license }],
  }));
  return { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components };
}
