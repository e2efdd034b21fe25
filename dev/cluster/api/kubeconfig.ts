/**
 * A kubeconfig for the embedded cluster.
 *
 * @module
 */
import { addressWithToken } from './http/authenticate.ts';

/**
 * YAML that `kubectl` and client libraries accept. The token opens everything, and also
 * stands in the address, which is where `kubectl` takes it from: the file is to be written with mode 0600, the address not logged.
 */
export function kubeconfig(url: string, token: string): string {
  const name = 'berth-local';
  // There is no TLS to verify, but the JavaScript client takes an http address only where verification is off.
  // JSON strings are YAML strings, whatever characters they hold.
  return `apiVersion: v1
kind: Config
current-context: ${name}
clusters:
  - name: ${name}
    cluster:
      insecure-skip-tls-verify: true
      server: ${JSON.stringify(addressWithToken(url, token))}
users:
  - name: ${name}
    user:
      token: ${JSON.stringify(token)}
contexts:
  - name: ${name}
    context:
      cluster: ${name}
      user: ${name}
`;
}
