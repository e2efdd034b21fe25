/**
 * Which methods a path has, for the `Allow` of a 405: hono answers "not found" to a known path with another method.
 *
 * @module
 */
interface RegisteredRoute {
  readonly method: string;
  readonly path: string;
}

/** Sorted; `HEAD` wherever there is `GET`. Middleware is registered for every method and says nothing about a path. */
export function allowedMethods(routes: readonly RegisteredRoute[], path: string): readonly string[] {
  const methods = new Set(routes.filter((route) => route.method !== 'ALL' && matches(route.path, path)).map((route) => route.method));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].toSorted();
}

/** The patterns are hono's: `:name` is one segment, `*` the rest. */
function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  const open = wanted.at(-1) === '*';
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, index) => segment === '*' || (segment.startsWith(':') ? given[index] !== '' : segment === given[index]));
}
