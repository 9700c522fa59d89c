import Type from 'typebox';
import { Check } from 'typebox/value';
import type { Settings } from '../controllers/settings.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import type { RunnerSettings } from '../manifests/runner-pod.ts';
import { LOG_LEVELS, type LogLevel } from '../observability/log.ts';
import { SCALABLE_KINDS_ARE, scalableKindsFrom, withCronJobs } from './scalable-kinds.ts';

export interface OperatorConfig {
  readonly settings: Settings;
  /** The only ones to look at; empty: all. */
  readonly namespaces: readonly string[];
  readonly logLevel: LogLevel;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly port: number;
}

/** A name that is part of object keys, so that a rebuilt cluster of this name finds its archives. */
const CLUSTER_NAME = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;

const quantities = () => Type.Optional(Type.Record(Type.String(), Type.String()));
const Resources = Type.Object({ requests: quantities(), limits: quantities() }, { additionalProperties: false });

/** The operator's configuration from its environment. Throws one error that names everything that is wrong with it. */
export function operatorConfig(env: Readonly<Record<string, string | undefined>>): OperatorConfig {
  const wrong: string[] = [];
  const take = <T>(
    name: string,
    fallback: string,
    read: (text: string) => T | undefined,
    must: string,
  ): T | undefined => {
    const value = read(env[name] || fallback);
    if (value === undefined) wrong.push(`${name} must be ${must}${env[name] ? `, not "${env[name]}"` : ''}`);
    return value;
  };
  const clusterName = take(
    'HOLDFAST_CLUSTER_NAME',
    '',
    like(CLUSTER_NAME),
    'the name that archives of this cluster are filed under (lower case letters, digits, "-" and ".", at most 63)',
  );
  const namespace = take('HOLDFAST_NAMESPACE', '', like(NAMESPACE), "the operator's own namespace");
  const namespaces = take(
    'HOLDFAST_WATCH_NAMESPACES',
    '',
    namespacesFrom,
    'names of namespaces with commas in between, each once, or empty for all namespaces',
  );
  const image = take('HOLDFAST_RUNNER_IMAGE', '', like(/^[^\s]+$/), "the image of the runner's Jobs");
  const imagePullPolicy = take(
    'HOLDFAST_RUNNER_IMAGE_PULL_POLICY',
    'IfNotPresent',
    oneOf(PULL_POLICIES),
    PULL_POLICIES.join(' or '),
  );
  const resources = take(
    'HOLDFAST_RUNNER_RESOURCES',
    '{}',
    resourcesFrom,
    'JSON such as {"limits":{"memory":"512Mi"}}',
  );
  const drillImage = take(
    'HOLDFAST_DRILL_IMAGE',
    'docker.io/library/postgres:{major}',
    like(/^[^\s{}]+(\{major\}[^\s{}]*)?$/),
    'the image of the servers of drills, with {major} where the major version goes',
  );
  const drillUser = take('HOLDFAST_DRILL_RUN_AS_USER', '', userFrom, 'a number above 0, or empty for the platform');
  const kinds = take('HOLDFAST_SCALABLE_KINDS', '[]', scalableKindsFrom, SCALABLE_KINDS_ARE);
  const cronJobs = take('HOLDFAST_SUSPEND_CRON_JOBS', 'false', oneOf(['true', 'false']), 'true or false');
  const logLevel = take('HOLDFAST_LOG_LEVEL', 'info', oneOf(LOG_LEVELS), LOG_LEVELS.join(' or '));
  const port = take('HOLDFAST_PORT', '8080', portFrom, 'a port, 0 for any free one');
  if (
    clusterName === undefined ||
    namespace === undefined ||
    namespaces === undefined ||
    image === undefined ||
    imagePullPolicy === undefined ||
    resources === undefined ||
    drillImage === undefined ||
    drillUser === undefined ||
    kinds === undefined ||
    cronJobs === undefined ||
    logLevel === undefined ||
    port === undefined
  ) {
    throw new HoldfastError('BadConfiguration', `the environment is incomplete: ${wrong.join('; ')}`, {
      hint: 'The Helm chart sets these variables from its values; see helm/holdfast/values.yaml.',
    });
  }
  const runner = { image, imagePullPolicy, ...(Object.keys(resources).length === 0 ? {} : { resources }) };
  const drill = { image: drillImage, ...drillUser };
  const settings = { clusterName, namespace, runner, drill, scalableKinds: withCronJobs(kinds, cronJobs) };
  return { settings, namespaces, logLevel, port };
}

function like(pattern: RegExp): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? text : undefined);
}

function oneOf<T extends string>(words: readonly T[]): (text: string) => T | undefined {
  return (text) => words.find((word) => word === text);
}

/** What is between two commas must be a name: a list that was meant otherwise must not come to "all namespaces". */
function namespacesFrom(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const names = text.split(',').map((name) => name.trim());
  return names.every((name) => NAMESPACE.test(name)) && new Set(names).size === names.length ? names : undefined;
}

/** PostgreSQL refuses to run as root. */
function userFrom(text: string): { readonly runAsUser?: number } | undefined {
  if (text === '') return {};
  const user = Number(text);
  return /^[0-9]+$/.test(text) && user > 0 && user <= 2_147_483_647 ? { runAsUser: user } : undefined;
}

function portFrom(text: string): number | undefined {
  const port = Number(text);
  return /^[0-9]+$/.test(text) && port <= 65_535 ? port : undefined;
}

function resourcesFrom(text: string): NonNullable<RunnerSettings['resources']> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Check(Resources, value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw new Error(messageOf(error), { cause: error });
  }
}
