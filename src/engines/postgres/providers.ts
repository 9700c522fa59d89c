/** Databases in which providers of managed servers keep things of their own, and let nobody in. */
export const OF_PROVIDERS: ReadonlySet<string> = new Set([
  'rdsadmin',
  'cloudsqladmin',
  'alloydbadmin',
  'azure_maintenance',
  'azure_sys',
]);
