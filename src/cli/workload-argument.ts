/** What a person writes for a workload. Pure. */
import type { Workload } from '../api/restore.ts';
import { CRON_JOBS } from '../api/workloads.ts';
import { HoldfastError } from '../lib/errors.ts';

const DEPLOYMENT = { kind: 'Deployment' };
const STATEFUL_SET = { kind: 'StatefulSet' };
const CRON_JOB = { apiVersion: CRON_JOBS.apiVersion, kind: CRON_JOBS.kind };

const WORDS: Readonly<Record<string, Omit<Workload, 'name'>>> = {
  deployment: DEPLOYMENT,
  deployments: DEPLOYMENT,
  deploy: DEPLOYMENT,
  statefulset: STATEFUL_SET,
  statefulsets: STATEFUL_SET,
  sts: STATEFUL_SET,
  cronjob: CRON_JOB,
  cronjobs: CRON_JOB,
  cj: CRON_JOB,
};

/** `Rollout.v1alpha1.argoproj.io`: the kind as its objects say it, then version and group. */
const WHOLE = /^([A-Z][A-Za-z0-9]*)[.](v[a-z0-9]+)[.]([a-z0-9][-a-z0-9.]*)$/;

/** `deployment/web` or `Rollout.v1alpha1.argoproj.io/web`, as kubectl takes them too. */
export function parseWorkload(text: string): Workload {
  const [word = '', name = '', ...rest] = text.split('/');
  const [, kind, version, group] = WHOLE.exec(word) ?? [];
  const found = kind === undefined ? WORDS[word.toLowerCase()] : { apiVersion: `${group}/${version}`, kind };
  if (found === undefined || name === '' || rest.length > 0) {
    throw new HoldfastError('Usage', `--scale-down ${text} is not understood.`, {
      hint: 'Write deployment/NAME, statefulset/NAME, cronjob/NAME, or KIND.VERSION.GROUP/NAME such as Rollout.v1alpha1.argoproj.io/web.',
    });
  }
  return { ...found, name };
}
