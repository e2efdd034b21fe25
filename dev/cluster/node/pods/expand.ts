/**
 * `$(NAME)` in commands and values.
 *
 * @module
 */

/** https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/: `$$` is a literal `$`, and a name that is not known stays as it stands. */
export function expandVariables(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (match, name: string | undefined) => {
    if (name === undefined) return '$';
    return Object.hasOwn(environment, name) ? (environment[name] ?? '') : match;
  });
}
