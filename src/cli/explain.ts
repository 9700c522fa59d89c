/** Whatever was thrown, as cause and next step for a person. Pure. */

import { KubeError, NO_ANSWER } from '../kube/errors.ts';
import { type Failure, HoldfastError, messageOf } from '../lib/errors.ts';

export interface Place {
  readonly url?: string;
  readonly namespace?: string;
}

export function explain(caught: unknown, place: Place = {}): Pick<Failure, 'message' | 'hint'> {
  if (caught instanceof KubeError) return explainKube(caught, place);
  if (caught instanceof HoldfastError) return withHint(caught.message, caught.hint);
  return withHint(
    `Unexpected: ${messageOf(caught)}`,
    'This is a fault of the plugin. Run it again with HOLDFAST_DEBUG=1 and report what it prints.',
  );
}

/** We send no field that this plugin does not know. */
const OLDER = 'The CRDs of this cluster are older than this plugin: "kubectl holdfast doctor" tells what they lack.';

function explainKube(error: KubeError, place: Place): Pick<Failure, 'message' | 'hint'> {
  const said = saidBy(error);
  switch (error.status) {
    case NO_ANSWER:
      return withHint(
        `The API server${place.url === undefined ? '' : ` ${place.url}`} does not answer: ${said}.`,
        'Is it the right context? "kubectl config current-context" shows it, "kubectl version" tries the connection.',
      );
    case 401:
      return withHint(
        `The API server does not know you: ${said}.`,
        'Log in again, as for kubectl; "kubectl auth whoami" tries it.',
      );
    case 403:
      return withHint(
        `You may not do this: ${said}.`,
        'Holdfast has no rights of its own here, only yours. The chart adds reading to the role "view" and writing to "edit": ask for a RoleBinding to one of them in this namespace.',
      );
    case 404:
      return isMissingKind(error)
        ? withHint(
            'This cluster does not have the kinds of Holdfast (holdfast.dev/v1alpha1).',
            'Install the operator with its chart, or choose another cluster with --context. "kubectl holdfast doctor" looks closer.',
          )
        : withHint(capital(said), 'Somebody may have deleted it just now.');
    case 409:
      return withHint(capital(said), 'Somebody was quicker. Run the command again.');
    default:
      return withHint(`The API server refuses: ${said}`, /unknown field/.test(said) ? OLDER : error.hint);
  }
}

/** For a kind that is not served the API server knows no object and says only this. */
function isMissingKind(caught: unknown): boolean {
  return (
    caught instanceof KubeError &&
    caught.status === 404 &&
    (/could not find the requested resource|page not found/.test(caught.message) || /HTTP 404/.test(caught.message))
  );
}

/** Without the request that stands before it, and without a full stop. */
function saidBy(error: KubeError): string {
  return error.message.replace(/^(GET|POST|PUT|PATCH|DELETE) \S+: /, '').replace(/\.$/, '');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function withHint(message: string, hint: string | undefined): Pick<Failure, 'message' | 'hint'> {
  return hint === undefined ? { message } : { message, hint };
}
