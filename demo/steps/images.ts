/** Builds the three images of the demo. */
import type { Image } from '../../test/cluster/image.ts';
import { holdfastImage, postgresImage, s3Image } from '../../test/cluster/images.ts';
import type { DemoCluster } from '../context.ts';
import { proof, tell, title } from '../say.ts';

export interface DemoImages {
  readonly holdfast: Image;
  readonly postgres: Image;
  readonly s3: Image;
}

export async function buildImages(): Promise<DemoImages> {
  title('The images');
  tell(
    'One image for operator and runner, from the Dockerfile in this folder; one for PostgreSQL and one for the S3 server.',
  );
  const images = { holdfast: await holdfastImage(), postgres: await postgresImage(), s3: await s3Image() };
  proof(`${images.holdfast.name} is built.`);
  return images;
}

export function namesOf(images: DemoImages): DemoCluster['images'] {
  return { holdfast: images.holdfast.name, postgres: images.postgres.name, s3: images.s3.name };
}
