/** An image, and how one is made from a Dockerfile. */
import { rm } from 'node:fs/promises';
import { buildImage, imageExists, loadImage, removeOlderImages, saveImage, withBuildah } from './buildah.ts';
import { cached, type Ingredients, keyOf } from './cache.ts';
import { telling } from './progress.ts';
import { tempDir } from './temp-dir.ts';

export interface Image {
  /** Its full name, with a tag that changes with its content. Nothing can be pulled: use IfNotPresent or Never. */
  name: string;
  /** A docker-archive: one file that a container runtime can import. */
  tar: string;
}

export interface Recipe {
  /** "postgres" becomes localhost/holdfast-postgres. */
  name: string;
  usually: string;
  /** Everything that would make it another image, the base apart. */
  ingredients: Ingredients;
  dockerfile: string;
  /** Either a folder to build in, or what to put into a new one. */
  context: string | ((folder: string) => Promise<void>);
  /** The image to build on, and the argument of the Dockerfile that names it. */
  base?: { argument: string; image: Image };
  /** Further arguments of the Dockerfile. */
  buildArgs?: Readonly<Record<string, string>>;
  /** Stages of the Dockerfile to keep by name, so that their layers are there for the next build. */
  keepStages?: readonly string[];
}

/** The image of a recipe, built when it is not in the cache. */
export async function image(recipe: Recipe): Promise<Image> {
  const key = keyOf({
    ...recipe.ingredients,
    base: recipe.base?.image.name ?? 'scratch',
    ...(recipe.buildArgs !== undefined && { arguments: JSON.stringify(recipe.buildArgs) }),
  });
  const name = `localhost/holdfast-${recipe.name}:${key}`;
  const tar = await cached({
    kind: 'images',
    name: recipe.name,
    key,
    extension: '.tar',
    build: (target) => telling(`building the image ${name}`, recipe.usually, () => build(recipe, name, target)),
  });
  return { name, tar };
}

async function build(recipe: Recipe, name: string, target: string): Promise<void> {
  await withContext(recipe.context, (context) =>
    withBuildah(async () => {
      const { base, dockerfile, keepStages = [] } = recipe;
      if (base !== undefined && !(await imageExists(base.image.name))) await loadImage(base.image.tar);
      const buildArgs = { ...recipe.buildArgs, ...(base === undefined ? {} : { [base.argument]: base.image.name }) };
      for (const stage of keepStages) {
        await buildImage({ name: `${repositoryOf(name)}-${stage}:latest`, context, dockerfile, buildArgs, stage });
      }
      await buildImage({ name, context, dockerfile, buildArgs });
      await saveImage(name, target);
      await removeOlderImages(name);
    }),
  );
}

async function withContext(context: Recipe['context'], use: (folder: string) => Promise<void>): Promise<void> {
  if (typeof context === 'string') return use(context);
  const folder = await tempDir('image');
  try {
    await context(folder);
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function repositoryOf(name: string): string {
  return name.slice(0, name.lastIndexOf(':'));
}
