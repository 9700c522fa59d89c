/**
 * What we take of the Kubernetes client, by name: it reads kubeconfigs, with exec plugins, OIDC and proxies. Imported late, since not every process
 * needs one; named, so that a bundle leaves out its 15 MB of classes for every kind of Kubernetes.
 */
export { KubeConfig } from '@kubernetes/client-node';
